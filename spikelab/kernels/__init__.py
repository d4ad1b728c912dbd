"""How a neuron runs: back ends generated from the equations."""

from pathlib import Path

from spikelab.kernels.freshness import drop_outdated

# the simulator's compiled functions take in those of this package
drop_outdated(Path(__file__).parent, Path(__file__).parent.parent / "sim")
