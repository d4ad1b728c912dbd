"""The `spikelab data make` and `spikelab data check` commands."""

import inspect
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from spikelab import registry
from spikelab.events.check import lost_polarity
from spikelab.learn.build import build_dataset
from spikelab.report.alignment import alignment_picture
from spikelab.report.data_folder import add_reason, check_folder
from spikelab.report.doubled_recordings import Source, doubled, sources
from spikelab.report.remedies import as_typed
from spikelab.settings import DataCheck, DataMake

_SHOWN = 3
"""Absent classes that are told one by one."""


def make(settings: DataMake) -> dict[str, Any]:
    """Open each split, which generates what its cache lacks.

    Returns:
        The `folder` of the cache, and the number of samples of each split; the data set's own words on where its splits
        come from (`origin`), and where there are any, the reasons of video files that cannot be read (`failed`) and
        what is wrong with others that were read all the same (`problems` of their split).

    Raises:
        ValueError: If there is no such data set, option or split, or it has no use for `workers`.
        OSError: If the cache cannot be written.
    """
    options = _options(settings)
    datasets = {split: build_dataset(settings.name, split, options) for split in settings.splits}
    failed: dict[str, str] = {}
    problems: dict[str, list[str]] = {}
    for split, dataset in datasets.items():
        if hasattr(dataset, "make"):  # one that otherwise prepares each sample at its first use
            broken = dataset.make()
            failed |= {str(dataset.path(index)): reason for index, reason in broken.items()}
            read = (index for index in range(len(dataset)) if index not in broken)
            problems[split] = [fault for index in read for fault in dataset.faults(index)]
    folders = [getattr(dataset, "folder", None) for dataset in datasets.values()]
    figures = {
        "name": settings.name,
        "folder": next((str(folder) for folder in folders if folder is not None), None),
        "splits": {
            split: {"samples": len(dataset)} | ({"problems": problems[split]} if problems.get(split) else {})
            for split, dataset in datasets.items()
        },
    }
    origins = {dataset.origin for dataset in datasets.values() if hasattr(dataset, "origin")}
    return (
        figures | ({"origin": "; ".join(sorted(origins))} if origins else {}) | ({"failed": failed} if failed else {})
    )


def _options(settings: DataMake) -> dict[str, Any]:
    """The options of the data set; the number of processes is one where it makes its samples in several."""
    options = dict(settings.options)
    if settings.workers:
        if "workers" not in inspect.signature(registry.load("datasets", settings.name)).parameters:
            raise ValueError(
                f"workers: data set {settings.name!r} does not make its samples in processes; leave it out"
            )
        options["workers"] = settings.workers
    return options


def check(settings: DataCheck) -> dict[str, Any]:
    """Read every sample of each split.

    With `picture`, the sample in the middle of the first split is drawn: whether events, frame and label fit.

    A folder in place of a name is recognised by what is in it: see `spikelab.report.data_folder.check_folder`.

    Returns:
        As `make`, and for each split the size of its pictures, the share of labelled pixels (or of samples, where each
        has one label) of each class, how many samples each condition has, the mean number of events where there are
        any, and the `problems` found: recordings that are in several splits, samples without events, sets whose events
        have one polarity, splits of different classes, samples whose shape or dtype differs, values that are not
        finite, frames or images outside 0 to 1, labels that are no class, classes of which there is no sample, videos
        that are damaged or have no motion. Classes that no pixel has are in `notes`: rare ones are often absent. Files
        that cannot be read at all are in `failed`, and do not stop the others. `problems` beside the splits is the
        number of all that was found, and the command ends with 1 where it is not 0.

    Raises:
        CacheFileError: If a cached file is damaged.
        ValueError: If there is no such data set, option or split.
    """
    drawn = settings.picture is None
    files: dict[str, list[Source]] = {}

    def survey_and_draw(dataset: Any, failed: dict[str, str]) -> dict[str, Any]:
        nonlocal drawn
        if not drawn:
            _draw(dataset, Path(settings.picture or ""))
            drawn = True
        files[dataset.split] = sources(dataset)
        return _survey(dataset, failed)

    names = registry.names("datasets")
    if settings.name not in names and Path(settings.name).expanduser().exists():
        figures = check_folder(Path(settings.name).expanduser(), settings, survey_and_draw)
    elif settings.name not in names and ("/" in settings.name or settings.name.startswith((".", "~"))):
        raise FileNotFoundError(f"{settings.name}: no such folder or file")
    else:
        figures = make(settings)
        failed = figures.pop("failed", {})
        for split in settings.splits:
            dataset = build_dataset(settings.name, split, _options(settings))
            figures["splits"][split] |= survey_and_draw(dataset, failed)
        figures |= {"failed": failed} if failed else {}
    # a split of which no sample can be read is among what failed
    surveyed = {split: each for split, each in files.items() if split in figures.get("splits", {})}
    for split, faults in doubled(surveyed).items():
        figures["splits"][split]["problems"] += faults
    _compare_classes(figures.get("splits", {}))
    name = figures.get("name", settings.name)
    known = inspect.signature(registry.load("datasets", name)).parameters if name in names else ()
    for split in figures.get("splits", {}).values():
        split["problems"] = [as_typed(problem, known) for problem in split["problems"]]
    if "failed" in figures:
        figures["failed"] = {place: as_typed(reason, known) for place, reason in figures["failed"].items()}
    problems = sum(len(split["problems"]) for split in figures.get("splits", {}).values())
    return figures | {"problems": problems + len(figures.get("failed", {}))}


def _compare_classes(splits: dict[str, Any]) -> None:
    """Splits of one data set have the same classes in the same order."""
    first: list[str] = []
    for split in splits.values():
        names = list(split["classes"])
        first = first or names
        if names != first:
            here = [each for each in names if each not in first] or names
            split["problems"].append(
                f"has other classes than the splits before it: {', '.join(here[:_SHOWN])}"
                + (" ..." if len(here) > _SHOWN else "")
            )


def _draw(dataset: Any, path: Path) -> None:
    if not hasattr(dataset, "palette"):
        raise ValueError(
            "picture: is of frames, events and labels of pixels, which this data set has not; leave it out"
        )
    alignment_picture(dataset, len(dataset) // 2).save(path)


def _survey(dataset: Any, failed: dict[str, str]) -> dict[str, Any]:
    """Figures on a split; files that cannot be read are added to those that `failed`."""
    if hasattr(dataset, "verify"):
        dataset.verify()
    counts = torch.zeros(len(dataset.class_names), dtype=torch.int64)
    conditions: Counter[str] = Counter()
    problems: list[str] = []
    counted = getattr(dataset, "values", "counts") == "counts"
    events = 0.0
    polarities = torch.zeros(2, dtype=torch.float64)
    empty: list[int] = []
    first: Mapping[str, Any] | None = None
    for index in tqdm(range(len(dataset)), f"check {dataset.split}", leave=False, disable=None):
        try:
            sample = dataset[index]
            raw = dataset.raw(index).events if counted and hasattr(dataset, "raw") else None
        except (ValueError, OSError) as error:  # those of event files and of videos are such
            _add_fault(failed, error, dataset, index)
            continue
        first = sample if first is None else first
        problems += dataset.faults(index) if hasattr(dataset, "faults") else []
        problems += [f"sample {index}: {problem}" for problem in _faults(sample, first, dataset)]
        label = sample["label"]
        counts += torch.bincount(label[(label >= 0) & (label < len(counts))], minlength=len(counts))
        found = dataset.conditions(index) if hasattr(dataset, "conditions") else ()
        conditions.update([found] if isinstance(found, str) else found)
        if "events" in sample:
            events += len(raw) if raw is not None else float(sample["events"].sum())
            if not label.dim():
                empty += [] if sample["events"].any() else [index]
                polarities += sample["events"].sum((0, 2, 3)) if sample["events"].dim() == 4 else 1
    if first is None:
        raise ValueError("\n".join([f"no sample of {dataset.split} can be read", *failed.values()]))
    shares = counts / counts.sum().clamp(min=1)
    labelled = "pixel" if first["label"].dim() else "sample"
    absent = [name for name, count in zip(dataset.class_names, counts, strict=True) if not count]
    told = [f"no {labelled} of class {name!r}" for name in absent]
    if len(absent) > _SHOWN:
        told = [f"no {labelled} of {len(absent)} of {len(counts)} classes: {', '.join(absent)}"]
    if empty:
        problems.append(
            f"{len(empty)} of {len(dataset)} samples have no events in their window, the first is "
            f"{_named(dataset, empty[0])}"
        )
    if which := lost_polarity(*polarities.tolist()):
        problems.append(f"all events are {which}; their polarity was lost: get the recordings again")
    # pixels of a rare class are often not in a split; each class of recordings is in each split that is whole
    problems += told if labelled == "sample" else []
    figures = {
        "size": _size(first),
        "labelled": labelled,
        "classes": {name: float(share) for name, share in zip(dataset.class_names, shares, strict=True)},
        "conditions": dict(conditions),
        "problems": problems,
        "notes": told if labelled == "pixel" else [],
    }
    return figures | ({"events_per_sample": events / len(dataset)} if counted and "events" in first else {})


def _add_fault(failed: dict[str, str], error: Exception, dataset: Any, index: int) -> None:
    """Take down a sample that cannot be read, under its file as far as the error or the data set knows that."""
    path = getattr(dataset, "path", None)
    if hasattr(error, "path"):
        add_reason(failed, str(error.path), str(error))
    elif callable(path):  # a file for each sample; `make` may have told it already, in other words
        failed.setdefault(str(path(index)), str(error))
    else:
        add_reason(failed, f"{dataset.split}, sample {index}", str(error))


def _named(dataset: Any, index: int) -> str:
    """A sample, and its file where the data set knows it."""
    path = getattr(dataset, "path", None)
    file = path(index) if callable(path) else path or ""
    return f"sample {index}" + (f" ({file})" if file else "")


def _size(sample: Mapping[str, Any]) -> list[int]:
    """Height and width of what a sample shows, or the number of its channels."""
    if sample["label"].dim():
        return list(sample["label"].shape)
    if "image" in sample:
        return list(sample["image"].shape[-2:])
    events = sample["events"]
    return list(events.shape[-2:] if events.dim() > 2 else events.shape[-1:])


def _faults(sample: Mapping[str, Any], first: Mapping[str, Any], dataset: Any) -> list[str]:
    faults = []
    for key, value in sample.items():
        if value.shape != first[key].shape or value.dtype != first[key].dtype:
            expected = f"{list(first[key].shape)} {first[key].dtype}"
            faults.append(f"{key} is {list(value.shape)} {value.dtype}, in the first sample it is {expected}")
        if value.is_floating_point() and not value.isfinite().all():
            faults.append(f"{key} holds values that are not finite")
    for key in ("frame", "image"):
        if key in sample and (sample[key].min() < 0 or sample[key].max() > 1):
            faults.append(f"{key} goes from {float(sample[key].min())} to {float(sample[key].max())}, not 0 to 1")
    # images of events may be of times, which count from the middle of the window
    if "events" in sample and getattr(dataset, "values", "counts") != "images" and sample["events"].min() < 0:
        faults.append("events holds negative values")
    label = sample["label"]
    unknown = (label < 0) | (label >= len(dataset.class_names))
    if hasattr(dataset, "ignore_index"):
        unknown &= label != dataset.ignore_index
    if unknown.any():
        faults.append(f"label {int(label[unknown][0])} is no class (0 to {len(dataset.class_names) - 1})")
    return faults
