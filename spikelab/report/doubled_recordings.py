"""Recordings that are in several splits of a data set, under one name or as copies: what is tested was learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikelab.datasets.recording_files import RecordingFile, file_checksum

Source = Path | RecordingFile


def sources(dataset: Any) -> list[Source]:
    """The files that the samples of a split are read from, each once; none of a data set that does not tell.

    A data set says it with `event_files()`, with `files` (of recordings), or with `path(index)`.
    """
    if hasattr(dataset, "event_files"):
        return list(dict.fromkeys(dataset.event_files()))
    files = getattr(dataset, "files", None)
    if isinstance(files, Sequence) and files and isinstance(files[0], RecordingFile):
        return list(files)
    if callable(getattr(dataset, "path", None)):
        return list(dict.fromkeys(Path(dataset.path(index)) for index in range(len(dataset))))
    return []


def doubled(splits: Mapping[str, Sequence[Source]]) -> dict[str, list[str]]:
    """Recordings of a split that are also in one before it, told for each pair of splits.

    Sizes are compared first; contents, by their CRC-32, of those alone that have the size of one in another split. For
    what is in a zip archive its list holds both.

    Args:
        splits: files of each, in the order of which one counts as the first.

    Returns:
        Split -> problems.
    """
    by_size: dict[int, list[tuple[str, Source]]] = {}
    for split, files in splits.items():
        for file in files:
            if size := _size(file):
                by_size.setdefault(size, []).append((split, file))
    found: dict[str, list[str]] = {}
    told: dict[tuple[str, str], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for alike in by_size.values():
        if len({split for split, _ in alike}) < 2:
            continue
        same_file = len({file for _, file in alike}) == 1
        first: dict[int, tuple[str, Source]] = {}
        for split, file in alike:
            earlier, like = first.setdefault(0 if same_file else _checksum(file), (split, file))
            if earlier != split:
                counts[split, earlier] += 1
                told.setdefault((split, earlier), f"{file}" if file == like else f"{file} is a copy of {like}")
    for (split, earlier), count in counts.items():
        found.setdefault(split, []).append(
            f"{count} of {len(splits[split])} recordings are also in {earlier}, the first: {told[split, earlier]}; "
            "what is tested must not be learned"
        )
    return found


def _size(file: Source) -> int:
    """In bytes; 0 of folders and of what cannot be read, which is told elsewhere."""
    try:
        if isinstance(file, RecordingFile):
            return file.size()
        return file.stat().st_size if file.is_file() else 0
    except (ValueError, OSError):
        return 0


def _checksum(file: Source) -> int:
    if isinstance(file, RecordingFile):
        return file.checksum()
    return file_checksum(file)
