"""The `spikelab data transcode` command."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from spikelab.settings_video import DataTranscode
from spikelab.video.errors import VideoError
from spikelab.video.transcode import SUFFIXES, recipe, recorded_recipe, transcode, video_files

logger = logging.getLogger(__name__)


def transcode_files(settings: DataTranscode) -> dict[str, Any]:
    """Code a file, or all files of a folder, anew. An interrupted command goes on when it is given again.

    Returns:
        `folder`; `files`, those that were made; `frames` in them; `kept`, how many were there already; `failed`, file
        and reason for each that cannot be read. One file that fails does not stop the others.

    Raises:
        FileNotFoundError: If there is no such source.
        VideoError: If there is no video file in a folder, two of them would become one, a file that is there already
            was made in another way, or none can be read; the last two name all files.
    """
    pairs = _pairs(Path(settings.source), Path(settings.folder))
    made: list[tuple[str, int]] = []
    failed: dict[str, str] = {}

    options = (settings.codec, settings.group, settings.quality, settings.width, settings.height)

    def make(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            made.append((str(target), transcode(source, target, *options)))
        except VideoError as error:
            failed[str(source)] = str(error)

    waiting = [(source, target) for source, target in pairs if settings.overwrite or not target.exists()]
    there = [pair for pair in pairs if pair not in waiting]
    if changed := [reason for source, target in there if (reason := _difference(target, recipe(source, *options)))]:
        raise VideoError("\n".join([*changed, "make them again with --overwrite true, or name another --folder"]))
    pool = ThreadPoolExecutor(settings.threads)
    try:
        tasks = [pool.submit(make, *pair) for pair in waiting]
        for task in tqdm(tasks, "transcode", unit="file", disable=len(tasks) < 2, leave=False):
            task.result()
    finally:
        pool.shutdown(cancel_futures=True)
    if failed and len(failed) == len(pairs):
        raise VideoError("\n".join(failed.values()))
    return {
        "folder": settings.folder,
        "files": sorted(name for name, _ in made),
        "frames": sum(frames for _, frames in made),
        "kept": len(pairs) - len(waiting),
        "failed": dict(sorted(failed.items())),
    }


def transcoded(figures: dict[str, Any]) -> str:
    """What was made, and what could not be."""
    text = [f"{figures['folder']}: {len(figures['files'])} files made, {figures['frames']} frames"]
    if figures["kept"]:
        text.append(f"{figures['kept']} were there already (--overwrite true makes them again)")
    return "\n".join([*text, *(f"not made: {reason}" for reason in figures["failed"].values())])


def _difference(target: Path, wanted: dict[str, str | int]) -> str | None:
    """In what a file that is there already is not what would be made now."""
    found = recorded_recipe(target)
    if found is None:
        return f"{target}: is there already, and was not made by this command"
    parts = [f"{key} {found.get(key)}, not {value}" for key, value in wanted.items() if found.get(key) != value]
    return f"{target}: is there already, made in another way ({'; '.join(parts)})" if parts else None


def _pairs(source: Path, folder: Path) -> list[tuple[Path, Path]]:
    """Each source with its target."""
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder")
    if source.is_file():
        return [(source, folder / f"{source.stem}.mp4")]
    made_here = folder.resolve()
    if made_here == source.resolve():
        raise VideoError(
            f"{folder}: --folder is the source itself; name another for the new files, such as {folder}/new"
        )
    sources = [path for path in video_files(source) if made_here not in path.resolve().parents]
    if not sources:
        known = " ".join(sorted(SUFFIXES))
        raise VideoError(f"{source}: there is no video file in this folder ({known}); name another, or single files")
    targets = [folder / path.relative_to(source).with_suffix(".mp4") for path in sources]
    twice = [target for target, count in Counter(targets).items() if count > 1]
    if twice:
        same = ", ".join(str(path) for path, target in zip(sources, targets, strict=True) if target == twice[0])
        raise VideoError(f"{same}: all would become {twice[0]}; rename one")
    return list(zip(sources, targets, strict=True))
