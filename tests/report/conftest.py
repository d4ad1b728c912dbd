"""The tiny model and data set of tests/learn, for the reports."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "learn"))
sys.path.append(str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _tiny_registered(monkeypatch):
    import tiny_parts

    from spikelab import registry

    tables = {kind: dict(table) for kind, table in registry.TABLES.items()}
    tiny_parts.register(tables)
    monkeypatch.setattr(registry, "TABLES", tables)
