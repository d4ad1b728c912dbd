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
from spikelab.video.transcode import transcode, video_files

logger = logging.getLogger(__name__)


def transcode_files(settings: DataTranscode) -> dict[str, Any]:
    """Code a file, or all files of a folder, anew. An interrupted command goes on when it is given again.

    Returns:
        `folder`; `files`, those that were made; `frames` in them; `kept`, how many were there already; `failed`, file
        and reason for each that cannot be read. One file that fails does not stop the others.

    Raises:
        FileNotFoundError: If there is no such source.
        VideoError: If there is no video file in a folder, two of them would become one, or none can be read.
    """
    pairs = _pairs(Path(settings.source), Path(settings.folder))
    made: list[tuple[str, int]] = []
    failed: dict[str, str] = {}

    def make(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        options = (settings.codec, settings.group, settings.quality, settings.width, settings.height)
        try:
            made.append((str(target), transcode(source, target, *options)))
        except VideoError as error:
            failed[str(source)] = str(error)

    waiting = [(source, target) for source, target in pairs if settings.overwrite or not target.exists()]
    pool = ThreadPoolExecutor(settings.threads)
    try:
        tasks = [pool.submit(make, *pair) for pair in waiting]
        for task in tqdm(tasks, "transcode", unit="file", disable=len(tasks) < 2, leave=False):
            task.result()
    finally:
        pool.shutdown(cancel_futures=True)
    if failed and len(failed) == len(pairs):
        raise VideoError(next(iter(failed.values())) + (f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""))
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


def _pairs(source: Path, folder: Path) -> list[tuple[Path, Path]]:
    """Each source with its target."""
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or folder")
    if source.is_file():
        return [(source, folder / f"{source.stem}.mp4")]
    made_here = folder.resolve()
    sources = [path for path in video_files(source) if made_here not in path.resolve().parents]
    if not sources:
        raise VideoError(f"{source}: there is no video file in this folder; name another")
    targets = [folder / path.relative_to(source).with_suffix(".mp4") for path in sources]
    twice = [target for target, count in Counter(targets).items() if count > 1]
    if twice:
        same = ", ".join(str(path) for path, target in zip(sources, targets, strict=True) if target == twice[0])
        raise VideoError(f"{same}: all would become {twice[0]}; rename one")
    return list(zip(sources, targets, strict=True))
