"""Entry points of compiled kernels: whoever waits for the compiler is told why."""

from __future__ import annotations

import types

import pytest

from spikelab.kernels import native


@pytest.mark.parametrize("kept", [True, False])
def test_compiling_is_told_and_loading_is_not(kept, monkeypatch, caplog):
    made = types.SimpleNamespace(cache_hits=int(kept))
    monkeypatch.setattr(native, "cfunc", lambda signature, cache: lambda function: made)
    assert native.entry("sums of nothing")(lambda table: None) is made
    told = [record.message for record in caplog.records]
    assert told == [] if kept else told[0].startswith("compiled sums of nothing in 0.0 s, once")
