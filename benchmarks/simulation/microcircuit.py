"""The cortical microcircuit of Potjans and Diesmann (2014), scaled down. Needs NumPy only.

Fewer synapses are made up for as van Albada, Helias and Diesmann (2015) propose and the example of PyNEST
(pynest/examples/Potjans_2014) does: weights grow by 1 / sqrt(scale), and a constant current adds the mean input that
was lost, which the rates of the full circuit give. Mean and variance of the input stay; correlations do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POPULATIONS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
#: Neurons of the full circuit.
_FULL = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
#: Probability of at least one synapse from the population of the column to that of the row.
_PROBABILITY = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
#: Synapses of a neuron from outside, each a Poisson train of ``_EXTERNAL_RATE`` Hz.
_EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
_EXTERNAL_RATE = 8.0
#: Rates of the full circuit in Hz, for the current that makes up for lost synapses.
_RATES = np.array([0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523])
#: Height in mV of an excitatory postsynaptic potential; those from L4E to L23E are twice as high.
_HEIGHT = 0.15
_INHIBITION = -4.0
#: Means and standard deviations in mV of the potentials at the start, which keep the first burst small.
START_MEAN = np.array([-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43])
START_SPREAD = np.array([5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48])
#: Of the neurons: ms, mV and pF.
TAU_MEM, TAU_SYN, CAPACITANCE, REFRACTORY = 10.0, 0.5, 250.0, 2.0
REST, THRESHOLD, RESET = -65.0, -50.0, -65.0
#: Weights and delays are normal; their standard deviations relative to the mean.
WEIGHT_SPREAD, DELAY_SPREAD = 0.1, 0.5
#: Mean delays in ms of excitatory and inhibitory synapses, and that of the input from outside.
DELAY_EXCITATORY, DELAY_INHIBITORY, DELAY_EXTERNAL = 1.5, 0.75, 1.5


@dataclass(frozen=True)
class Circuit:
    """A scaled circuit; matrices are [target population, source population].

    Attributes:
        sizes: [8] neurons.
        synapses: [8, 8] numbers of synapses; sender and target of each are drawn at random, with replacement.
        weights: [8, 8] mean jump of the synaptic current, pA.
        delays: [8] mean delay by source population, ms.
        external_rate: [8] Hz, of the Poisson train that each neuron gets.
        external_weight: pA.
        constant: [8] current, pA.
    """

    sizes: np.ndarray
    synapses: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    external_rate: np.ndarray
    external_weight: float
    constant: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """[9] number of each population's first neuron, and of all neurons."""
        return np.concatenate([[0], np.cumsum(self.sizes)])


def circuit(scale: float) -> Circuit:
    """The circuit with ``scale`` times the neurons and ``scale`` times the synapses of each."""
    pairs = np.outer(_FULL, _FULL)
    full_synapses = np.log1p(-_PROBABILITY) / np.log((pairs - 1.0) / pairs)
    height = np.where(np.arange(8) % 2 == 0, _HEIGHT, _INHIBITION * _HEIGHT) * np.ones((8, 1))
    height[0, 2] *= 2
    # the peak of the potential that a current of 1 pA with time constant TAU_SYN evokes
    fraction = (TAU_MEM / TAU_SYN) ** (1.0 / (TAU_SYN - TAU_MEM))
    peak = TAU_MEM * TAU_SYN / CAPACITANCE / (TAU_SYN - TAU_MEM) * (fraction**TAU_MEM - fraction**TAU_SYN)
    weights, external = height / peak, _HEIGHT / peak
    mean_input = (weights * full_synapses / _FULL[:, None] * _RATES).sum(axis=1) + external * _EXTERNAL * _EXTERNAL_RATE
    return Circuit(
        sizes=np.round(_FULL * scale).astype(int),
        synapses=np.round(full_synapses * scale * scale).astype(int),
        weights=weights / np.sqrt(scale),
        delays=np.where(np.arange(8) % 2 == 0, DELAY_EXCITATORY, DELAY_INHIBITORY),
        external_rate=_EXTERNAL_RATE * np.round(_EXTERNAL * scale),
        external_weight=float(external / np.sqrt(scale)),
        constant=1e-3 * TAU_SYN * (1.0 - np.sqrt(scale)) * mean_input,
    )


@dataclass(frozen=True)
class Synapses:
    """All recurrent synapses as arrays of one length.

    Attributes:
        senders: numbers of neurons.
        targets: numbers of neurons.
        weights: pA.
        steps: delays in steps, at least 1.
    """

    senders: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    steps: np.ndarray


def wire(found: Circuit, dt: float, generator: np.random.Generator) -> Synapses:
    """Draws the synapses, for simulators that are given arrays. Weights keep their sign, delays are at least ``dt``."""
    starts = found.starts
    parts: list[tuple[np.ndarray, ...]] = []
    for target in range(8):
        for source in range(8):
            number = int(found.synapses[target, source])
            weight = found.weights[target, source]
            drawn = _redrawn(generator, abs(weight), abs(weight) * WEIGHT_SPREAD, 0.0, number)
            delay = found.delays[source]
            parts.append(
                (
                    generator.integers(starts[source], starts[source + 1], number).astype(np.int32),
                    generator.integers(starts[target], starts[target + 1], number).astype(np.int32),
                    np.sign(weight) * drawn,
                    # what rounds to no step at all is drawn again
                    np.rint(_redrawn(generator, delay, delay * DELAY_SPREAD, 0.5 * dt, number) / dt).astype(np.int32),
                )
            )
    senders, targets, weights, steps = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Synapses(senders, targets, weights, np.maximum(steps, 1))


def _redrawn(generator: np.random.Generator, mean: float, spread: float, low: float, number: int) -> np.ndarray:
    values = generator.normal(mean, spread, number)
    while (below := values <= low).any():
        values[below] = generator.normal(mean, spread, int(below.sum()))
    return values
