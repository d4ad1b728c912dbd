"""Energy as meters of the machine measure it: never to be mixed with energy that is modelled from operations.

Two meters are known: RAPL, by which Linux gives the energy of processor packages (/sys/class/powercap; reading it may
need rights), and NVML, by which NVIDIA gives that of GPUs. Both measure everything that runs on the machine meanwhile.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Meter:
    """Something that counts joules.

    Attributes:
        name: "rapl:package-0", "nvml:gpu-0", ...
        read: joules since some time.
        wraps_at: joules after which it starts at 0 again; 0 if it does not.
    """

    name: str
    read: Callable[[], float]
    wraps_at: float = 0.0

    def between(self, before: float, after: float) -> float:
        """Joules between two readings that are less than a turn apart."""
        return after - before + (self.wraps_at if after < before else 0.0)


def meters(powercap: Path = POWERCAP) -> list[Meter]:
    """The meters that this machine has and lets us read; none on most virtual machines."""
    return [*_rapl(powercap), *_nvml()]


def _rapl(powercap: Path) -> list[Meter]:
    found = []
    # intel-rapl:0 is a package; what lies below it (intel-rapl:0:1) is part of the same energy
    for folder in sorted(powercap.glob("intel-rapl:*")):
        if folder.name.count(":") != 1:
            continue
        counter = folder / "energy_uj"
        try:
            int(counter.read_text())
            wraps_at = int((folder / "max_energy_range_uj").read_text()) * 1e-6
            name = (folder / "name").read_text().strip()
        except (OSError, ValueError):
            continue
        found.append(Meter(f"rapl:{name}", partial(_microjoules, counter), wraps_at))
    return found


def _microjoules(counter: Path) -> float:
    return int(counter.read_text()) * 1e-6


def _nvml() -> list[Meter]:
    if not torch.cuda.is_available():
        return []
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
        count = ctypes.c_uint()
        if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
            return []
    except (OSError, AttributeError):
        return []
    found = []
    for number in range(count.value):
        handle = ctypes.c_void_p()
        millijoule = ctypes.c_ulonglong()
        if library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle)):
            continue
        if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoule)):
            continue

        def read(handle: ctypes.c_void_p = handle) -> float:
            value = ctypes.c_ulonglong()
            if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value)):
                raise OSError("NVML stopped giving the energy of a GPU")
            return value.value * 1e-3

        found.append(Meter(f"nvml:gpu-{number}", read))
    return found


def measure(run: Callable[[], Any], samples: int, seconds: float = 1.0, powercap: Path = POWERCAP) -> dict[str, Any]:
    """Runs something again and again and measures time and energy.

    Args:
        run: handles `samples` samples.
        samples: of one run.
        seconds: to go on for at least, after one run that is not counted.
        powercap: where RAPL is.

    Returns:
        ``samples_per_second``, ``runs``, and - only where there is a meter - ``joule_per_sample``: meter -> joules.
    """
    run()
    there = meters(powercap)
    _finish()
    before = [meter.read() for meter in there]
    start, runs = time.perf_counter(), 0
    while not runs or time.perf_counter() - start < seconds:
        run()
        _finish()
        runs += 1
    elapsed = time.perf_counter() - start
    after = [meter.read() for meter in there]
    found: dict[str, Any] = {"samples_per_second": samples * runs / elapsed, "runs": runs}
    if there:
        spent = zip(there, before, after, strict=True)
        found["joule_per_sample"] = {meter.name: meter.between(a, b) / (samples * runs) for meter, a, b in spent}
    return found


def _finish() -> None:
    """Waits for a GPU that works on what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
