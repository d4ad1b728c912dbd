"""Instructions of the exported C, counted: they follow the events."""

from __future__ import annotations

import shutil

import pytest

from benchmarks import firmware

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("valgrind") is None, reason="needs gcc and valgrind"
)


@pytest.mark.parametrize("name", ["784-128-10, leaky, 8 bits", "784-128-10, Loihi, 8 bits"])
def test_half_the_events_need_little_more_than_half_the_instructions(name, monkeypatch):
    monkeypatch.setattr(firmware, "RATES", (0.1, 0.05))
    many, few = firmware.measure(firmware.CASES[name](), 10)["rows"]
    events = few["events_per_step"] / many["events_per_step"]
    instructions = few["instructions_per_step"] / many["instructions_per_step"]
    assert 0.45 < events < 0.55
    assert events < instructions < events + 0.06
