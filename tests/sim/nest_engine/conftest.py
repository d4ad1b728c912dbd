"""NEST is an optional dependency, and only there for Linux."""

import pytest

from spikelab.sim.nest_engine.kernel import load_nest


@pytest.fixture(autouse=True)
def nest():
    try:
        return load_nest()
    except ImportError as error:
        pytest.skip(f"the NEST engine cannot be tested here: {error}")
