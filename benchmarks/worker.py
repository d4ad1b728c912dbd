"""The process that runs one framework, at the parent's word: one JSON object a line in, one a line out.

    {"do": "prepare", "case": {...}, ...}   build it and warm up       -> {"wall", "cpu", "repeats"}
    {"do": "expect", "file": ..., ...}      keep the truth in a file   -> {"rate": ...}
    {"do": "compare", "file": ...}          against it                 -> {"rate", "differing", "gradient_error"}
    {"do": "time", "seconds": ...}          run for about so long      -> {"wall", "cpu", "repeats"}
    {"do": "memory", "case": {...}}         in a fresh process         -> {"peak_extra": bytes}
    {"do": "release"}                       drop the case              -> {}
    {"do": "size"}                          of this process            -> {"largest_mib"}
    {"do": "keep_freed_memory"}             from now on                -> {"took": whether it could}

What goes wrong comes back as {"error": traceback}.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import traceback
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks import memory
from benchmarks.cases import Case
from benchmarks.measure import Work, compare, prepare, run_for, write_expected


class Worker:
    """Serves one adapter."""

    def __init__(self, adapter: str):
        self.adapter = importlib.import_module(f"benchmarks.peers.{adapter}")
        self.work: Work | None = None

    def hello(self, distribution: str) -> dict[str, Any]:
        """Versions."""
        return {
            "version": metadata.version(distribution),
            "torch": torch.__version__,
            "python": sys.version.split()[0],
            "threads": torch.get_num_threads(),
        }

    def prepare(self, case: dict[str, Any], slow: float) -> dict[str, Any]:
        """Builds a case and warms it up; gives the times of the last step or steps of that."""
        self.work = prepare(self.adapter, Case(**case))
        first = run_for(self.work.step, 0.0)
        # the first step of a fast one loads and compiles; that of a slow one is a measurement in itself
        return dict(first if first["wall"] > slow else run_for(self.work.step, 0.1))

    def expect(self, case: dict[str, Any], file: str, **options: Any) -> dict[str, Any]:
        """Keeps the truth, in float64."""
        work = prepare(self.adapter, Case(**case), torch.float64, **options)
        return {"rate": write_expected(Path(file), work)}

    def compare(self, file: str, case: dict[str, Any], double: bool = False) -> dict[str, Any]:
        """Compares a case with the truth, in float32 or float64."""
        return dict(
            compare(Path(file), prepare(self.adapter, Case(**case), torch.float64 if double else torch.float32))
        )

    def time(self, seconds: float) -> dict[str, Any]:
        """Times the prepared case."""
        if self.work is None:
            raise RuntimeError("nothing is prepared")
        return dict(run_for(self.work.step, seconds))

    def keep_freed_memory(self) -> dict[str, Any]:
        """Lets the allocator keep what is freed; any framework can."""
        # needs nothing but Python, so that it works in every environment
        from spikelab.freed_memory import keep_freed_memory

        return {"took": keep_freed_memory()}

    def size(self) -> dict[str, Any]:
        """The largest size of this process so far."""
        # in KiB on Linux
        return {"largest_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    def memory(self, case: dict[str, Any]) -> dict[str, Any]:
        """Peak memory of two steps over what lies there once the input is made."""
        if not memory.is_supported():
            return {"peak_extra": None}
        full = Case(**case)
        # loads code and compiles kernels before memory is watched
        prepare(self.adapter, replace(full, steps=3, batch=2, neurons=min(full.neurons, 8))).step()
        work = prepare(self.adapter, full)
        gc.collect()

        def two_steps() -> None:
            # buffers that are kept between steps count from the second on
            work.step()
            work.step()

        return {"peak_extra": memory.peak_extra(two_steps)}

    def release(self) -> dict[str, Any]:
        """Drops the case."""
        self.work = None
        gc.collect()
        return {}


def main(arguments: list[str]) -> None:
    """Serves until the parent closes the pipe: ``adapter distribution threads``."""
    adapter, distribution, threads = arguments
    # libraries print what they like; only answers may go to the parent
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    torch.set_num_threads(int(threads))
    worker = None
    for line in sys.stdin:
        command = json.loads(line)
        what = command.pop("do")
        try:
            if worker is None:
                worker = Worker(adapter)
            answer = worker.hello(distribution) if what == "hello" else getattr(worker, what)(**command)
        except Exception:
            answer = {"error": traceback.format_exc()}
            gc.collect()
        answers.write(json.dumps(answer) + "\n")
