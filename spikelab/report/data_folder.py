"""`spikelab data check FOLDER`: which data set a folder holds, and what is wrong with it."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spikelab import registry
from spikelab.events.files import EventFileError, open_events
from spikelab.learn.build import build_dataset
from spikelab.settings import DataCheck

_PLACES = ("folder", "path")
"""What data sets call the option that says where they lie."""


def recognised(place: Path) -> list[str]:
    """Names of the data sets that a folder may hold, by what is in it.

    A data set that can be recognised says so with a static method `recognises(folder)`.
    """
    found = []
    for name in registry.names("datasets"):
        try:
            kind = registry.load("datasets", name)
        except ImportError:
            continue  # of a library that is not installed
        if hasattr(kind, "recognises") and kind.recognises(place):
            found.append(name)
    return found


def check_folder(
    place: Path, settings: DataCheck, survey: Callable[[Any, dict[str, str]], dict[str, Any]]
) -> dict[str, Any]:
    """Find out what a folder holds and read all of it.

    A split that cannot be opened does not stop the others.

    Args:
        place: the folder; or a single file of events.
        settings: options for the data set and splits; its name is the folder.
        survey: figures on a split, from the data set and a mapping that takes the files that cannot be read.

    Returns:
        As `spikelab.report.data.check`; `failed` has splits and files with the reasons why they cannot be used. Of a
        folder of recordings that is no known data set: `recordings`, the number of files of each format.

    Raises:
        ValueError: If there is nothing in it that spikelab can read, or it may be several data sets.
    """
    names = recognised(place) if place.is_dir() else []
    if not names:
        return _recordings(place)
    if len(names) > 1:
        raise ValueError(
            f"{place}: may be {' or '.join(names)}, whose files are alike; say which: spikelab data check "
            f"--name {names[0]} --options.folder {place}"
        )
    (name,) = names
    parameters = inspect.signature(registry.load("datasets", name)).parameters
    option = next(each for each in _PLACES if each in parameters)
    options = {option: str(place), **settings.options}
    splits: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    origins = []
    for split in settings.splits:
        try:
            dataset = build_dataset(name, split, options)
            origins.append(getattr(dataset, "origin", ""))
            problems = list(dataset.problems()) if hasattr(dataset, "problems") else []
            figures = survey(dataset, failed)
        except (ValueError, OSError, RuntimeError, EventFileError) as error:
            failed[split] = str(error)
            continue
        splits[split] = {"samples": len(dataset)} | figures | {"problems": problems + figures["problems"]}
    figures = {"name": name, "folder": str(place), "splits": splits}
    told = "; ".join(dict.fromkeys(origin for origin in origins if origin))
    return figures | ({"origin": told} if told else {}) | ({"failed": failed} if failed else {})


def _recordings(place: Path) -> dict[str, Any]:
    """Read every file of events in a folder and below it."""
    paths = [place] if place.is_file() else [path for path in sorted(place.rglob("*")) if path.is_file()]
    formats: Counter[str] = Counter()
    failed: dict[str, str] = {}
    events = 0
    for path in tqdm(paths, "check", unit="file", leave=False, disable=None):
        try:
            with open_events(path) as file:
                count = sum(len(chunk) for chunk in file)
        except EventFileError as error:
            # other files may lie among recordings: a description, labels
            if "is no event file of a known format" not in str(error):
                failed[str(path)] = str(error)
            continue
        formats[file.format] += 1
        events += count
    if not formats and not failed:
        raise ValueError(
            f"{place}: is none of the data sets that can be recognised, and holds no file of events; `spikelab info` "
            "lists both"
        )
    figures: dict[str, Any] = {"folder": str(place), "recordings": dict(formats), "events": events}
    return figures | ({"failed": failed} if failed else {})


def shown(figures: Mapping[str, Any]) -> str:
    """What is in a folder of recordings that is no known data set."""
    listed = ", ".join(f"{count} of {name}" for name, count in figures["recordings"].items()) or "none"
    text = [f"{figures['folder']}: no known data set; recordings: {listed}; {figures['events']:,} events"]
    problems = [f"cannot be read: {reason}" for reason in figures.get("failed", {}).values()]
    return "\n".join([*text, *(problems or ["no problem found"])])
