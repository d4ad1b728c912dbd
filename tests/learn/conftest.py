"""The tiny model and data set are registered for every test here, and can be imported as `tiny_parts`."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _tiny_registered(monkeypatch):
    import tiny_parts

    from spikelab import registry

    tables = {kind: dict(table) for kind, table in registry.TABLES.items()}
    tiny_parts.register(tables)
    monkeypatch.setattr(registry, "TABLES", tables)


@pytest.fixture(autouse=True)
def _no_flushing(monkeypatch):
    """Flushing a file to the disk guards against power cuts, which no test here makes; it takes most of their time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def _randomness_undisturbed():
    """A test that seeds the global generators must not decide what the next test draws."""
    from spikelab.learn.seeds import random_states, restore_random_states

    states = random_states()
    yield
    restore_random_states(states)
