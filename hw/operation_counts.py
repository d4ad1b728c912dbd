"""Counts what an integer graph really does on real data, layer by layer.

A synaptic operation is one weight, not zero, that one message, not zero, reached: an event at the border of a picture
reaches fewer weights, one in a row that fills no pooling window none, and one that arrives after the last step is not
counted. Nothing is estimated from mean rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from torch.nn.grad import conv2d_input

from spikelab.hw.backends.integer_arrays import narrowest
from spikelab.hw.connections import Connection, Convolution, Dense, convolved_shape, pooled_shape
from spikelab.hw.integer import IntegerRun, simulate
from spikelab.hw.ir import IntegerGraph, Population


@dataclass(frozen=True)
class LayerCounts:
    """What one population took, over all samples and steps.

    Attributes:
        neurons: in the population.
        events_in: messages, not zero, that arrived; one that comes over two connections counts twice.
        events_out: messages, not zero, that were sent.
        spikes_out: their magnitudes added: what would be sent where a message of n goes out as n spikes.
        synaptic_operations: weights, not zero, that messages reached, for messages of 1 and -1.
        graded_operations: the same for other messages, where a weight is multiplied.
        unit_operations: both, had each message of n gone out as n spikes, as Xylo and Speck do.
        dense_operations: weights, not zero, that all sources together would reach if all sent at every step.
        membrane_updates: neurons times steps.
        awake_updates: those of neurons whose state or input was not zero; the others need no computing.
        weight_bytes: bytes of weights read, each in the narrowest of 8, 16 and 32 bits that holds its connection's.
        state_bytes: bytes of states read and written, for all neurons at each step.
        awake_state_bytes: the same for awake neurons only.
        peak_events_in: most messages, not zero, that arrived at one step of one sample.
        peak_operations: most synaptic and graded operations at one step of one sample.
    """

    neurons: int
    events_in: int
    events_out: int
    spikes_out: int
    synaptic_operations: int
    graded_operations: int
    unit_operations: int
    dense_operations: int
    membrane_updates: int
    awake_updates: int
    weight_bytes: int
    state_bytes: int
    awake_state_bytes: int
    peak_events_in: int
    peak_operations: int


#: Fields that do not grow with the number of samples.
_NOT_ADDED = ("neurons", "peak_events_in", "peak_operations")


@dataclass(frozen=True)
class Counts:
    """Counts of a graph on data.

    Attributes:
        steps: of each sample.
        samples: that were run.
        layers: population -> counts over all samples.
    """

    steps: int
    samples: int
    layers: dict[str, LayerCounts]

    def per_sample(self) -> dict[str, dict[str, float]]:
        """Population -> mean counts of one sample; peaks and numbers of neurons as they are."""
        return self._divided(self.samples)

    def per_step(self) -> dict[str, dict[str, float]]:
        """Population -> mean counts of one step of one sample; peaks and numbers of neurons as they are."""
        return self._divided(self.samples * self.steps)

    def total(self, field: str) -> int:
        """The sum of a field over all layers and samples."""
        return sum(getattr(layer, field) for layer in self.layers.values())

    def _divided(self, by: int) -> dict[str, dict[str, float]]:
        return {
            name: {k: float(v) if k in _NOT_ADDED else v / max(by, 1) for k, v in asdict(layer).items()}
            for name, layer in self.layers.items()
        }


def operation_counts(graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> Counts:
    """Runs a graph from a fresh start and counts.

    Args:
        graph: the network.
        inputs: input -> messages [T, B, *shape].

    Raises:
        ValueError: as ``simulate`` does, for input that does not fit.
    """
    run = simulate(graph, inputs, record=True)
    sent = {**inputs, **run.messages}
    steps, samples = next(iter(sent.values())).shape[:2]
    return Counts(steps, samples, {p.name: _layer(graph, p, sent, run) for p in graph.populations})


def _layer(graph: IntegerGraph, population: Population, sent: Mapping[str, np.ndarray], run: IntegerRun) -> LayerCounts:
    messages = _flat(run.messages[population.name])
    steps, samples = messages.shape[:2]
    events, operations = (np.zeros((steps, samples), np.int64) for _ in range(2))
    binary = graded = unit = dense = weight_bytes = 0
    for c in graph.into(population.name):
        source = graph.shape_of(c.source)
        values = _flat(sent[c.source])
        for delay, reached in _fan_out(c, source, population.shape):
            arriving = np.abs(values[: max(steps - delay, 0)])
            plain, other = ((arriving == 1) @ reached, (arriving > 1) @ reached)
            operations[delay:] += plain + other
            binary, graded = binary + int(plain.sum()), graded + int(other.sum())
            unit += int((arriving @ reached).sum())
            dense += int(reached.sum()) * steps * samples
            weight_bytes += int((plain + other).sum()) * narrowest(c.weights.weight).dtype.itemsize
        soonest = c.delay
        events[soonest:] += np.count_nonzero(values[: max(steps - soonest, 0)], axis=-1)
    awake = _awake(population, run)
    state_bytes = 2 * sum(-(-s.bits // 8) for s in population.neuron.states)
    return LayerCounts(
        neurons=population.size,
        events_in=int(events.sum()),
        events_out=int(np.count_nonzero(messages)),
        spikes_out=int(np.abs(messages).sum()),
        synaptic_operations=binary,
        graded_operations=graded,
        unit_operations=unit,
        dense_operations=dense,
        membrane_updates=messages.size,
        awake_updates=awake,
        weight_bytes=weight_bytes,
        state_bytes=messages.size * state_bytes,
        awake_state_bytes=awake * state_bytes,
        peak_events_in=int(events.max(initial=0)),
        peak_operations=int(operations.max(initial=0)),
    )


def _awake(population: Population, run: IntegerRun) -> int:
    """Updates that change something or start from something: all others may be skipped without a difference."""
    messages = _flat(run.messages[population.name])
    awake = messages != 0
    for values in run.states[population.name].values():
        after = _flat(values) != 0
        awake |= after
        awake[1:] |= after[:-1]
    for values in run.inputs[population.name].values():
        awake |= _flat(values) != 0
    return int(np.count_nonzero(awake))


def _fan_out(c: Connection, source: tuple[int, ...], target: tuple[int, ...]) -> list[tuple[int, np.ndarray]]:
    """(steps from sending to arriving, for each neuron of the source the weights, not zero, that it reaches)."""
    weights, into = c.weights, pooled_shape(c.pool, source)
    there = weights.weight != 0
    if isinstance(weights, Dense):
        further = np.zeros(there.shape, np.int64) if weights.delay is None else weights.delay
        found = [(c.delay + int(d), (there & (further == d)).sum(0)) for d in np.unique(further)]
    elif isinstance(weights, Convolution):
        found = [(c.delay, _convolved_fan_out(weights, there, into))]
    else:
        found = [(c.delay, np.broadcast_to(there.ravel(), (int(np.prod(target)),)).astype(np.int64))]
    return [(delay, _before_pooling(reached, c.pool, source)) for delay, reached in found]


def _convolved_fan_out(weights: Convolution, there: np.ndarray, source: tuple[int, ...]) -> np.ndarray:
    # what a weight of one sends back from every output is how many outputs an input reaches
    reached = conv2d_input(
        (1, *source),
        torch.from_numpy(there.astype(np.float64)),
        torch.ones((1, *convolved_shape(weights, source)), dtype=torch.float64),
        weights.stride,
        weights.padding,
        weights.dilation,
        weights.groups,
    )
    return np.rint(reached.numpy()).astype(np.int64).ravel()


def _before_pooling(reached: np.ndarray, pool: tuple[int, int], source: tuple[int, ...]) -> np.ndarray:
    """Each neuron of a window reaches what the window does; rows and columns that fill no window reach nothing."""
    if pool == (1, 1):
        return reached
    windows = reached.reshape(pooled_shape(pool, source)).repeat(pool[0], 1).repeat(pool[1], 2)
    spread = np.zeros(source, np.int64)
    spread[:, : windows.shape[1], : windows.shape[2]] = windows
    return spread.ravel()


def _flat(values: np.ndarray) -> np.ndarray:
    """[T, B, *shape] to [T, B, N]."""
    return values.reshape(*values.shape[:2], math.prod(values.shape[2:]))


FIELDS = tuple(f.name for f in fields(LayerCounts))
