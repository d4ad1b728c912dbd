"""Peak memory of the running process, as the kernel counts it. Linux only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_PROCESS = Path("/proc/self")


def is_supported() -> bool:
    """Whether the high-water mark can be read and reset here."""
    return (_PROCESS / "clear_refs").exists()


def _resident(field: str) -> int:
    for line in (_PROCESS / "status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    raise OSError(f"/proc/self/status has no {field}")


def peak_extra(run: Callable[[], object]) -> int:
    """Bytes by which resident memory rises at most while ``run`` works, over what is resident before."""
    # "5" resets the high-water mark of the resident set (proc_pid_clear_refs)
    (_PROCESS / "clear_refs").write_text("5")
    before = _resident("VmRSS")
    run()
    return max(0, _resident("VmHWM") - before)
