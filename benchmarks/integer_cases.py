"""Networks in Loihi's arithmetic that the integer simulator and Lava's fixed-point CPU model both run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab import registry
from spikelab.hw.connections import Connection, Convolution, Dense
from spikelab.hw.ir import Input, IntegerGraph, Population

#: Share of input neurons that spike at a step.
RATE = 0.1


@dataclass(frozen=True)
class IntegerCase:
    """One layer of Loihi's neurons behind random spikes.

    Attributes:
        name: of the case.
        kind: "dense", "convolution" (3 x 3, padding 1), "recurrent" (dense, and back to itself), "delays" (dense, each
            weight with a delay of its own).
        source: shape of the input.
        target: shape of the layer.
        vth: threshold, so that a few percent of the neurons spike at a step.
        steps: of one run.
    """

    name: str
    kind: str
    source: tuple[int, ...]
    target: tuple[int, ...]
    vth: int
    steps: int

    @property
    def parameters(self) -> dict[str, int]:
        """Of the neurons."""
        return {"du": 600, "dv": 300, "vth": self.vth}

    def arrays(self) -> dict[str, np.ndarray]:
        """Weights (even, as Loihi stores them), and where there are any, recurrent weights and delays."""
        random = np.random.default_rng(0)
        sources, targets = int(np.prod(self.source)), int(np.prod(self.target))
        if self.kind == "convolution":
            return {"weight": 2 * random.integers(-50, 60, (self.target[0], self.source[0], 3, 3))}
        found = {"weight": 2 * random.integers(-50, 60, (targets, sources))}
        if self.kind == "recurrent":
            found["recurrent"] = 2 * random.integers(-60, 50, (targets, targets))
        if self.kind == "delays":
            found["delay"] = random.integers(0, 16, (targets, sources))
        return found

    def spikes(self) -> np.ndarray:
        """[T, 1, *source]."""
        random = np.random.default_rng(1)
        return (random.random((self.steps, 1, *self.source)) < RATE).astype(np.int64)

    def graph(self) -> IntegerGraph:
        """For the integer simulator."""
        arrays = self.arrays()
        if self.kind == "convolution":
            connections = [Connection("in", "out", Convolution(arrays["weight"], padding=(1, 1)), wrap_bits=24)]
        else:
            connections = [Connection("in", "out", Dense(arrays["weight"], arrays.get("delay")))]
        if self.kind == "recurrent":
            connections.append(Connection("out", "out", Dense(arrays["recurrent"])))
        neuron = registry.load("integer_neurons", "loihi_lif")
        return IntegerGraph(
            {"in": Input(self.source)}, [Population("out", neuron, self.target, self.parameters)], connections
        )


CASES = (
    IntegerCase("dense_512_512", "dense", (512,), (512,), 20000, 500),
    IntegerCase("convolution_2x34x34_8", "convolution", (2, 34, 34), (8, 34, 34), 1500, 200),
    IntegerCase("recurrent_256", "recurrent", (256,), (256,), 4000, 500),
    IntegerCase("delays_256_256", "delays", (256,), (256,), 9000, 300),
)
