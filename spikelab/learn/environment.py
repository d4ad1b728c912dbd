"""What a result depends on besides the settings: versions, devices, threads, the command."""

import importlib.metadata
import importlib.util
import os
import platform
import shlex
import sys
from typing import Any

import spikelab

_PACKAGES = (
    "torch",
    "numba",
    "numpy",
    "sympy",
    "nir",
    "h5py",
    "av",
    "safetensors",
    "onnx",
    "triton",
    "snntorch",
    "norse",
)


def versions() -> dict[str, str | None]:
    """Version of Python, of spikelab and of each package that matters; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version(), "spikelab": spikelab.__version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def devices() -> list[dict[str, Any]]:
    """The processors: the CPU, then each GPU, with memory in bytes."""
    import torch

    cpu = {"name": "cpu", "model": _cpu_model(), "cores": available_cores(), "memory": _memory()}
    found = [cpu]
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append({"name": f"cuda:{index}", "model": properties.name, "memory": properties.total_memory})
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "model": "Apple GPU", "memory": None})
    return found


def threads() -> int:
    """Threads that torch's operators and the kernels use.

    Numba's own number is neither used nor asked for: asking starts its threads, which changes torch's number.
    """
    import torch

    return torch.get_num_threads()


def set_threads(number: int) -> None:
    """Make torch and the kernels use this many threads; 0 leaves them as they are."""
    if number:
        import torch

        torch.set_num_threads(number)


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command_line() -> str:
    """The command that started this process, as it would be typed."""
    return shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
