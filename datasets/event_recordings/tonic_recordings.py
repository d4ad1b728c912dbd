"""Event recordings with one class each that the library tonic reads (tonic.readthedocs.io).

For sets that spikelab does not read itself; those that both read are better read by spikelab, which checks what it
reads and takes them as they are published. tonic is not installed with spikelab: ``pip install tonic``.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from spikelab.datasets.cache import published_folder
from spikelab.datasets.event_recordings.recording_splits import Drawn, check_share, taken_out
from spikelab.datasets.event_recordings.samples import EventRecordings, Slicing, Values
from spikelab.events import EventArray
from spikelab.registry import suggestion

_VALIDATION = {"train": "train", "validation": "valid", "test": "test"}
"""What tonic calls the splits of sets that have three."""


class TonicRecordings(EventRecordings):
    """Any set of event recordings with one class each of the library tonic.

    Training and test recordings are those of tonic's arguments ``train`` or ``split``; sets without either have no
    official split, and a share of each class is for testing. Where there is no validation split, it is a share of each
    class's training recordings.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        dataset: name of tonic's class, such as ``NMNIST``.
        folder: what tonic calls ``save_to``: it holds a folder of the class's name; None takes
            ``$SPIKELAB_SHARED/data/tonic``.
        download: let tonic fetch what is missing; without it, missing files are an error.
        size: height and width of the sensor, where tonic does not say, or says too little.
        test: share of each class's recordings that the test split takes, of sets without an official one.
        drawn: which ones: ``"random"`` (by `seed`), or the ``"last"`` in tonic's order.
        validation: share of each class's training recordings that the validation split takes, of sets without one.
        time_bins: pictures of a sample.
        window: microseconds that a sample shows, see `EventRecordings`.
        slicing: see `EventRecordings`.
        values: see `EventRecordings`.
        reduce: see `EventRecordings`.
        shift: see `EventRecordings`.
        flip: see `EventRecordings`.
        drop: see `EventRecordings`.
        seed: of what is drawn, and of the random changes.

    Attributes:
        origin: a sentence on where the splits come from.

    Raises:
        ImportError: if tonic is not installed.
        FileNotFoundError: if files are missing, and tonic was not asked to fetch them.
        ValueError: if tonic has no such class, its items are no recordings with one class each, the size of the sensor
            is not known, there is no such split, it is empty, or an argument is out of range.
    """

    def __init__(
        self,
        split: str,
        *,
        dataset: str,
        folder: str | Path | None = None,
        download: bool = False,
        size: tuple[int, int] | None = None,
        test: float = 0.1,
        drawn: Drawn = "random",
        validation: float = 0.1,
        time_bins: int = 10,
        window: int | None = None,
        slicing: Slicing = "time",
        values: Values = "counts",
        reduce: int = 1,
        shift: int = 0,
        flip: float = 0.0,
        drop: float = 0.0,
        seed: int = 0,
    ):
        super().__init__(
            "tonic", split, time_bins=time_bins, window=window, slicing=slicing, values=values, reduce=reduce,
            shift=shift, flip=flip, drop=drop, seed=seed,
        )  # fmt: skip
        check_share("tonic", "test", test)
        check_share("tonic", "validation", validation)
        if drawn not in get_args(Drawn):
            raise ValueError(f"tonic: drawn is {drawn!r}, must be one of {', '.join(get_args(Drawn))}")
        self.dataset, self.download = dataset, download
        self.folder = published_folder("tonic") if folder is None else Path(folder).expanduser()
        self._arguments, self.origin = self._part(split)
        self._open: tuple[int, Any] | None = None
        self.height, self.width = self._size(size)
        targets = self._targets()
        self.class_names, labels = _classes(getattr(self._items(), "classes", None), targets)
        taken = np.ones(len(labels), np.bool_)
        if not self._arguments.keys() & {"train", "split"}:
            out = taken_out(labels, test, drawn, [seed, 0])
            taken = out if split == "test" else ~out
            self.origin = f"no official split; test is a share of {test:g} of each class's recordings"
        if split != "test" and "split" not in self._arguments:
            places = np.flatnonzero(taken)
            out = taken_out(labels[places], validation, "random", [seed, 1])
            taken[places] = out == (split == "validation")
            self.origin += f"; validation is a share of {validation:g} of each class's training recordings"
        self._places = np.flatnonzero(taken)
        self.labels = labels[self._places]
        if not len(self.labels):
            raise ValueError(f"tonic: {dataset} leaves no recording for {split!r} ({self.origin})")

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`."""
        place = int(self._places[index])
        events = np.asarray(self._items()[place][0]).ravel()
        names = events.dtype.names or ()
        if not {"x", "t", "p"} <= set(names):
            raise ValueError(f"tonic: recording {place} of {self.dataset} has the fields {list(names)}, not x, t and p")
        y = events["y"] if "y" in names else np.zeros(len(events), np.int64)
        x, y, t, p = (np.asarray(column).astype(np.int64) for column in (events["x"], y, events["t"], events["p"] > 0))
        try:
            return EventArray.from_unsorted(x, y, t, p, self.width, self.height)
        except ValueError as error:
            raise ValueError(
                f"tonic: recording {place} of {self.dataset} does not fit a sensor of {self.width} x {self.height}: "
                f"{error}; give the right one with size=HEIGHT,WIDTH"
            ) from None

    def __getstate__(self) -> dict[str, Any]:
        # some of tonic's sets keep files open, which are no use to another process
        return self.__dict__ | {"_open": None}

    def _part(self, split: str) -> tuple[dict[str, Any], str]:
        """Arguments of tonic's class for a split, and where the split is from."""
        sets = _library()
        if self.dataset not in sets.__all__:
            known = suggestion(self.dataset, list(sets.__all__))
            raise ValueError(f"tonic: there is no data set {self.dataset!r}; {known}")
        parameters = inspect.signature(getattr(sets, self.dataset)).parameters
        required = [name for name, each in parameters.items() if each.default is each.empty and name != "save_to"]
        if required:
            raise ValueError(
                f"tonic: {self.dataset} needs the arguments {', '.join(required)}; it is no set of recordings with one "
                "class each"
            )
        # of spoken numbers, those of one digit
        own: dict[str, Any] = {"single_digits": True} if "single_digits" in parameters else {}
        if "split" in parameters:
            return own | {"split": _VALIDATION[split]}, "splits of tonic"
        if "train" in parameters:
            return own | {"train": split != "test"}, "training and test recordings of tonic"
        return own, ""

    def _items(self) -> Any:
        """The data set of tonic, opened in this process."""
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), self._opened())
        return self._open[1]

    def _opened(self) -> Any:
        kind = getattr(_library(), self.dataset)
        lacking = FileNotFoundError(
            f"tonic: {(self.folder / self.dataset).absolute()} lacks files of {self.dataset}, as tonic looks for them; "
            "let tonic fetch them with the data set's option download, name another place with its option folder, or "
            "set SPIKELAB_SHARED to the folder that holds data/tonic"
        )

        def refused(*_: object) -> None:
            raise lacking

        # tonic fetches what it does not find while an object is made
        made = kind.__new__(kind)
        if not self.download:
            made.download = refused
        try:
            kind.__init__(made, str(self.folder), **self._arguments)
        except SystemExit:  # what has to be fetched by hand
            raise lacking from None
        vars(made).pop("download", None)
        return made

    def _size(self, size: tuple[int, int] | None) -> tuple[int, int]:
        if size is not None:
            return size[0], size[1]
        sensor = getattr(self._items(), "sensor_size", None)
        if sensor is None:
            raise ValueError(f"tonic: {self.dataset} does not say its size; give the option size=HEIGHT,WIDTH")
        return int(sensor[1]), int(sensor[0])

    def _targets(self) -> list[Any]:
        """What tonic says of the class of each item; the items are read where it does not."""
        items = self._items()
        targets = getattr(items, "targets", None)
        if targets is None or len(targets) != len(items):
            targets = []
            for place in range(len(items)):
                item = items[place]
                if not isinstance(item, tuple) or len(item) != 2 or np.ndim(item[1]):
                    raise ValueError(f"tonic: items of {self.dataset} are no pairs of events and a class")
                targets.append(item[1])
        return list(targets)


def _library() -> Any:
    try:
        # some of its sets use this as if NumPy imported it by itself
        importlib.import_module("numpy.lib.recfunctions")
        return importlib.import_module("tonic.datasets")
    except ImportError as error:
        raise ImportError(f"data sets of tonic need it: pip install tonic ({error})") from error


def _classes(names: Any, targets: list[Any]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the classes, and the number of each item's class, int64 `[N]`."""
    if any(isinstance(target, str) for target in targets):
        found = tuple(sorted({str(target) for target in targets}))
        return found, np.array([found.index(str(target)) for target in targets], np.int64)
    labels = np.array([int(target) for target in targets], np.int64)
    count = int(labels.max()) + 1 if len(labels) else 0
    if isinstance(names, Mapping):
        names = sorted(names, key=lambda name: names[name])
    if names is None or len(names) < count:
        return tuple(map(str, range(count))), labels
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names), labels
