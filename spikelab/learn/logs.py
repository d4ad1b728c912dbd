"""The log of a run: one JSON object a line, and the same for TensorBoard.

A log must never end a training: when the disk refuses a line, that is said once, the line waits in memory, and it is
written as soon as there is room.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class RunLog:
    """Writes `log.jsonl` and, on request, TensorBoard's event files.

    Args:
        path: The JSONL file. Lines after the first `keep` are cut off: a resumed run writes them again.
        keep: How many lines the checkpoint knows of; 0 starts anew.
        tensorboard: Folder of TensorBoard's files; None leaves them out.
        step: Step at which the run starts; TensorBoard hides what it holds of later ones.
    """

    def __init__(self, path: Path, keep: int = 0, tensorboard: Path | None = None, step: int = 0) -> None:
        self.path = path
        self._pending: list[bytes] = []
        self._warned = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._end = _end_of_line(path, keep)
        os.ftruncate(self._file, self._end)
        self.lines = _count_lines(path)
        self._tensorboard: Any = None
        if tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._tensorboard = SummaryWriter(str(tensorboard), purge_step=step or None)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def write(self, kind: str, step: int, figures: dict[str, Any]) -> None:
        """Append one line: `{"kind": ..., "step": ..., **figures}`; numbers at any depth also go to TensorBoard."""
        line = json.dumps({"kind": kind, "step": step, **figures}, allow_nan=False, ensure_ascii=False)
        self._pending.append(line.encode() + b"\n")
        self.lines += 1
        self._flush()
        if self._tensorboard is not None:
            try:
                for name, value in _numbers(figures):
                    self._tensorboard.add_scalar(f"{kind}/{name}", value, step)
            except OSError as error:
                self._warn(f"TensorBoard's files ({error.strerror or error})")
                self._tensorboard = None

    def close(self) -> None:
        """Write what is pending, if that is possible now, and close the files."""
        self._flush()
        os.close(self._file)
        if self._tensorboard is not None:
            try:
                self._tensorboard.close()
            except OSError as error:
                self._warn(f"TensorBoard's files ({error.strerror or error})")

    def _flush(self) -> None:
        try:
            while self._pending:
                written = os.pwrite(self._file, self._pending[0], self._end)
                if written < len(self._pending[0]):  # a disk that is nearly full takes a part
                    os.ftruncate(self._file, self._end)
                    raise OSError(28, "no space left on device")
                self._end += written
                self._pending.pop(0)
        except OSError as error:
            self._warn(f"{self.path} ({error.strerror or error})")

    def _warn(self, what: str) -> None:
        if not self._warned:
            self._warned = True
            logger.warning("cannot write %s: training goes on; free space on that disk", what)


def read_log(path: str | os.PathLike[str], kind: str | None = None) -> list[dict[str, Any]]:
    """The lines of a log, or those of one kind; an unfinished last line is left out.

    Raises:
        ValueError: Naming file and line, if a line is not JSON.
        OSError: If the file cannot be read.
    """
    records = []
    for number, line in enumerate(Path(path).read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error}); delete that line") from error
    return [record for record in records if kind is None or record["kind"] == kind]


def _numbers(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            found += _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            found.append((prefix + name, float(value)))
    return found


def _end_of_line(path: Path, lines: int) -> int:
    """Where the given number of lines ends, in bytes, or the last whole line where there are fewer."""
    end = 0
    for line in path.read_bytes().splitlines(keepends=True)[:lines]:
        end += len(line) if line.endswith(b"\n") else 0
    return end


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
