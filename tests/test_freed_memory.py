"""Freed memory that a process keeps: no page is cleared twice, and who has chosen an allocator keeps it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import spikelab

ROOT = str(Path(spikelab.__file__).resolve().parent.parent)
#: Page faults of 20 rounds that each free a block of 64 MiB, after one that does.
FAULTS = """
import resource, sys
import numpy as np
import spikelab
took = spikelab.keep_freed_memory() if sys.argv[1] == "keep" else None
def work():
    np.empty(1 << 26, np.uint8).fill(1)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="settings of the GNU C library")


def faults(way: str, **variables: str) -> tuple[str, int]:
    """What the function gave in a process of its own, and the faults there."""
    dropped = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    told = subprocess.run(
        [sys.executable, "-c", FAULTS, way],
        env={**environment, "PYTHONPATH": ROOT, **variables},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return told[0], int(told[1])


@glibc
def test_no_page_is_cleared_twice():
    _, plain = faults("plain")
    took, kept = faults("keep")
    assert took == "True"
    assert plain > 20 * 30
    assert kept < plain / 10


@glibc
@pytest.mark.parametrize(
    "variables",
    [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}],
)
def test_what_the_environment_says_is_left_alone(variables):
    assert faults("keep", **variables)[0] == "False"


def test_another_c_library_is_left_alone(monkeypatch):
    for name in ("MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert spikelab.keep_freed_memory() is False


def test_commands_that_train_keep_it_in_a_process_of_their_own(monkeypatch):
    from spikelab import cli

    called = []
    monkeypatch.setattr(cli, "keep_freed_memory", lambda: called.append(True))
    assert cli.main(["info"]) == 0
    monkeypatch.setattr(sys, "argv", ["spikelab", "info"])
    assert cli.main() == 0
    assert not called
    monkeypatch.setattr(sys, "argv", ["spikelab", "train", "--resume", "/nowhere"])
    assert cli.main() != 0
    monkeypatch.setattr(sys, "argv", ["spikelab", "erase", "/nowhere"])
    assert cli.main() != 0
    assert called
    assert {name for name, command in cli.COMMANDS.items() if command.trains} >= {"train", "compare", "learn"}
