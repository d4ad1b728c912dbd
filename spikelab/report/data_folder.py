"""`spikelab data check FOLDER`: which data set a folder holds, and what is wrong with it."""

from __future__ import annotations

import inspect
import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spikelab import registry
from spikelab.datasets.event_recordings.samples import EventRecordings
from spikelab.datasets.faulty_recordings import EmptySplitError, faulty_left_out
from spikelab.events.files import EventFileError, UnknownFormatError, open_events
from spikelab.learn.build import build_dataset
from spikelab.report.folder_mistakes import above, archives, below, damaged_archives, unfinished, without
from spikelab.settings import DataCheck

_PLACES = ("folder", "path")
"""What data sets call the option that says where they lie."""


def recognised(place: Path) -> list[str]:
    """Names of the data sets that a folder may hold, by what is in it.

    A data set that can be recognised says so with a static method `recognises(folder)`. One that cannot read every
    form of itself by its defaults has another, `options_to_check(folder)`. One whose folder has no mark of its own is
    `unpublished`, and is only asked where no other data set is found.
    """
    found, unpublished = [], []
    for name in registry.names("datasets"):
        try:
            kind = registry.load("datasets", name)
        except ImportError:
            continue  # of a library that is not installed
        if not hasattr(kind, "recognises"):
            continue
        if getattr(kind, "unpublished", False):
            unpublished.append((name, kind))
        elif kind.recognises(place):
            found.append(name)
    return found or [name for name, kind in unpublished if kind.recognises(place)]


def check_folder(
    place: Path, settings: DataCheck, survey: Callable[[Any, dict[str, str]], dict[str, Any]]
) -> dict[str, Any]:
    """Find out what a folder holds and read all of it.

    Nothing stops the check: neither a split that cannot be opened, nor a recording of it, nor a file.

    Args:
        place: the folder; or a single file of events.
        settings: options for the data set and splits; its name is the folder.
        survey: figures on a split, from the data set and a mapping that takes the files that cannot be read.

    Returns:
        As `spikelab.report.data.check`; `failed` has splits and files with the reasons why they cannot be used. Of a
        folder of recordings that is no known data set: `recordings`, the number of files of each format.

    Raises:
        ValueError: If there is nothing in it that spikelab can read, another folder is meant, or it may be several data
            sets.
    """
    failed = unfinished(place)
    damaged = damaged_archives(place)
    names = recognised(place) if place.is_dir() else []
    if names and damaged:
        # an archive that is not whole may be of any set: what lies beside it tells
        with without(place, damaged) as rest:
            names = recognised(rest)
    if not names:
        failed |= damaged
        return _recordings(place, failed)
    if len(names) > 1:
        raise ValueError(
            f"{place}: may be {' or '.join(names)}, whose files are alike; say which: spikelab data check "
            f"--name {names[0]} --options.folder {place}"
        )
    (name,) = names
    kind = registry.load("datasets", name)
    parameters = inspect.signature(kind).parameters
    option = next(each for each in _PLACES if each in parameters)
    needed = kind.options_to_check(place) if hasattr(kind, "options_to_check") else {}
    options = {option: str(place), **needed, **settings.options}
    splits: dict[str, dict[str, Any]] = {}
    origins, notes = [], []
    for split in settings.splits:
        with faulty_left_out() as faults:
            try:
                dataset = build_dataset(name, split, options)
                origins.append(getattr(dataset, "origin", ""))
                problems = _problems(dataset)
                figures = survey(dataset, failed)
                splits[split] = {"samples": len(dataset)} | figures
                problems = [each for each in problems if each not in failed.values()]
                splits[split]["problems"] = list(dict.fromkeys(problems + figures["problems"]))
            except EmptySplitError as error:
                notes.append(str(error))
            except (ValueError, OSError, RuntimeError) as error:
                faults += str(error).splitlines()
        for fault in faults:
            add_reason(failed, split, fault)
    figures = {"name": name, "folder": str(place), "splits": splits}
    if issubclass(kind, EventRecordings):
        figures["next"] = training_command(name, place, settings.options)
    told = "; ".join(dict.fromkeys(origin for origin in origins if origin))
    more: dict[str, Any] = {"origin": told, "notes": notes, "failed": failed}
    return figures | {key: value for key, value in more.items() if value}


def training_command(name: str, place: Path, options: Mapping[str, Any] | None = None) -> str:
    """How to train on a folder of event recordings with one class each."""
    given = {"folder": str(place), **(options or {})}
    words = [f"--data.options.{key} {shlex.quote(_word(value))}" for key, value in given.items()]
    return f"spikelab train --task classification --model.name event_classifier --data.name {name} {' '.join(words)}"


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _problems(dataset: Any) -> list[str]:
    """What a data set that looks through its files finds."""
    if not hasattr(dataset, "problems"):
        return []
    try:
        return list(dataset.problems())
    except (ValueError, OSError) as error:
        return str(error).splitlines()


def add_reason(failed: dict[str, str], where: str, reason: str) -> None:
    """Take down why something cannot be used, once; a place may have several reasons."""
    if reason in failed.values():
        return
    number = sum(place == where or place.startswith(f"{where} (") for place in failed)
    failed[f"{where} ({number + 1})" if number else where] = reason


def _recordings(place: Path, failed: dict[str, str]) -> dict[str, Any]:
    """Read every file of events in a folder and below it."""
    if place.is_dir() and (meant := below(place, recognised) or above(place, recognised)):
        listed = "; ".join(f"spikelab data check {folder} ({' or '.join(names)})" for folder, names in meant.items())
        raise ValueError(
            "\n".join([f"{place}: is no data set itself, but another folder is: {listed}", *failed.values()])
        )
    paths = [place] if place.is_file() else [path for path in sorted(place.rglob("*")) if path.is_file()]
    formats: Counter[str] = Counter()
    read: list[Path] = []
    events = 0
    for path in tqdm(paths, "check", unit="file", leave=False, disable=None):
        if str(path) in failed:
            continue
        try:
            with open_events(path) as file:
                count = sum(len(chunk) for chunk in file)
        except UnknownFormatError:
            continue  # other files may lie among recordings: a description, labels
        except (EventFileError, OSError, ImportError) as error:
            if path.suffix.lower() != ".zip":  # an archive with arrays is no recording
                failed[str(path)] = str(error)
            continue
        formats[file.format] += 1
        read.append(path)
        events += count
    if not formats and not failed:
        packed = f"; unpack {', '.join(archives(place))} there" if archives(place) else ""
        raise ValueError(
            f"{place}: is none of the data sets that can be recognised, and holds no file of events{packed}; `spikelab "
            "info` lists both"
        )
    figures: dict[str, Any] = {"folder": str(place), "recordings": dict(formats), "events": events}
    if classes := _classes(place, read):
        figures["classes"] = classes
    return figures | ({"failed": failed} if failed else {})


def _classes(place: Path, recordings: list[Path]) -> list[str]:
    """Names of the folders that recordings lie in, if they may be classes: several, of some recordings each."""
    counts = Counter(path.parent.name for path in recordings)
    flat = all(path.parent.parent == place for path in recordings)
    return sorted(counts) if flat and len(counts) > 1 and min(counts.values()) > 1 else []


def shown(figures: Mapping[str, Any]) -> str:
    """What is in a folder of recordings that is no known data set."""
    listed = ", ".join(f"{count} of {name}" for name, count in figures["recordings"].items()) or "none"
    text = [f"{figures['folder']}: no known data set; recordings: {listed}; {figures['events']:,} events"]
    if figures.get("classes"):
        text.append(
            f"where these folders are classes ({', '.join(figures['classes'])}), event_folders reads them, and draws "
            f"training, validation and test recordings: {training_command('event_folders', Path(figures['folder']))}"
        )
    problems = [f"cannot be read: {reason}" for reason in figures.get("failed", {}).values()]
    return "\n".join([*text, *(problems or ["no problem found"])])
