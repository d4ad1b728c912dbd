"""Fixtures and per-worker limits that every test shares."""

import os
from pathlib import Path

import hypothesis
import pytest

# a first call compiles a kernel, and the machine may be busy: no example has a deadline
hypothesis.settings.register_profile("spikelab", deadline=None, print_blob=True)
hypothesis.settings.load_profile("spikelab")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _one_thread_per_worker():
    """Several test workers on few cores are fastest, and repeatable, with one thread each."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _number_of_threads_kept():
    """Nothing in spikelab changes torch's number of threads unasked: results would no longer repeat bit for bit."""
    import torch

    yield
    now = torch.get_num_threads()
    torch.set_num_threads(1)
    assert now == 1, f"torch was left with {now} threads"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real recordings and reference traces; the test skips where there is none."""
    folder = Path(os.environ.get("SPIKELAB_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"shared data not found: {folder}/data (set SPIKELAB_SHARED to the folder that holds data/)")
    return folder
