"""Lowers a network to an integer graph in the arithmetic of a chip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import nir
import numpy as np
import torch
from torch import Tensor

from spikelab import registry
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.ir import Input, IntegerGraph, IntegerGraphError, Output, Population
from spikelab.hw.lowering.linear_path import LinearPath
from spikelab.hw.lowering.real_graph import LoweringError, RealConnection, RealGraph, RealPopulation, real_graph
from spikelab.hw.lowering.retime import CannotRetime, lags
from spikelab.hw.lowering.scales import Scales, Weights, choose_scales
from spikelab.hw.lowering.step_form import CannotLower
from spikelab.hw.neuron import MESSAGE
from spikelab.hw.profiles.profile import Fitted, Profile, Reach, along_rows
from spikelab.hw.quantise import Quantisation as Quantisation
from spikelab.io.nir_read import from_nir, read_nir
from spikelab.nn import Network
from spikelab.nn.network import INPUT

#: The state that a readout gives out.
MEMBRANE = "v"


@dataclass(frozen=True)
class Lowered:
    """A network in integers, and how its numbers came about.

    Attributes:
        graph: what runs.
        real: what it was made from.
        profile: the arithmetic.
        quantisation: the choices.
        units: population -> real value of one unit of its membrane, [1] or [rows].
        notes: where the chip computes something else than the network, beside rounding: "population: what".
        weights: of each connection of the graph, in its whole units but before they were rounded, with the gradient of
            the network's weights.
        parameters: population -> parameter -> likewise, for those that are trained (biases).
        lag: population -> steps by which it runs later than in the network.
    """

    graph: IntegerGraph
    real: RealGraph
    profile: Profile
    quantisation: Quantisation
    units: Mapping[str, np.ndarray]
    notes: list[str]
    weights: list[Tensor]
    parameters: Mapping[str, Mapping[str, Tensor]]
    lag: Mapping[str, int]


def lower(
    source: Network | nir.NIRGraph | str | Path,
    profile: str | Profile,
    quantisation: Quantisation | None = None,
    input_shape: tuple[int, ...] | None = None,
    outputs: tuple[str, ...] = (),
    dt: float | None = None,
    membranes: Mapping[str, float] | None = None,
) -> Lowered:
    """A network in the integer arithmetic of a chip.

    Args:
        source: a network of ours, or a NIR graph or file.
        profile: registered name, such as "loihi", or a profile.
        quantisation: bits and scales; 8 bits where left out.
        input_shape: of one step; needed for a network, and taken from its Input node for a NIR graph.
        outputs: nodes to be given out beside the network's own output.
        dt: length of a step in seconds, for a NIR graph that does not say.
        membranes: readout -> largest magnitude that its membrane was seen to reach, from
            ``calibrate.membranes_reached``; without it the largest that it could ever reach decides, which leaves fewer
            bits.

    Raises:
        LoweringError: lists everything that has no integer form, by node, with remedies.
        CannotImport: for a NIR graph that cannot be read.
        UnknownNameError: for an unknown profile.
    """
    chosen = registry.load("profiles", profile) if isinstance(profile, str) else profile
    assert isinstance(chosen, Profile)
    network, shape = _network(source, input_shape, dt)
    return lower_real(real_graph(network, shape, outputs), chosen, quantisation or Quantisation(), membranes or {})


def _network(
    source: Network | nir.NIRGraph | str | Path, shape: tuple[int, ...] | None, dt: float | None
) -> tuple[Network, tuple[int, ...]]:
    if isinstance(source, Network):
        if shape is None:
            raise ValueError("lower: a network does not know the shape of its input; give input_shape, as (2, 34, 34)")
        return source, tuple(shape)
    if not isinstance(source, nir.NIRGraph | str | Path):
        raise TypeError(f"lower: got a {type(source).__name__}; give a spikelab.nn.Network, a NIR graph or a path")
    return from_nir(source, dt), shape or nir_input_shape(source)


def nir_input_shape(source: nir.NIRGraph | str | Path) -> tuple[int, ...]:
    """Shape of one input step of a NIR graph or file.

    Raises:
        LoweringError: if it has several inputs.
        CannotImport: if a file cannot be read.
    """
    graph = source if isinstance(source, nir.NIRGraph) else read_nir(source)
    ends = {name: node for name, node in graph.nodes.items() if isinstance(node, nir.Input)}
    if len(ends) != 1:
        raise LoweringError(f"has {len(ends)} inputs ({', '.join(ends)}); a network here has one")
    (end,) = ends.values()
    return tuple(int(n) for n in np.asarray(end.input_type["input"]).reshape(-1))


def lower_real(
    real: RealGraph, profile: Profile, quantisation: Quantisation, membranes: Mapping[str, float]
) -> Lowered:
    """As ``lower``, from a network's real graph."""
    low, high = profile.bits
    if not low <= quantisation.bits <= high:
        raise LoweringError(f"bits = {quantisation.bits}: {profile.title} has weights of {low} to {high} bits")
    work = _Lowering(real, profile, quantisation, membranes)
    return work.result()


class _Lowering:
    def __init__(self, real: RealGraph, profile: Profile, quantisation: Quantisation, membranes: Mapping[str, float]):
        self.real, self.profile, self.quantisation, self.membranes = real, profile, quantisation, membranes
        self.problems: list[str] = []
        self.notes: list[str] = []

    def result(self) -> Lowered:
        inputs = {INPUT: self._input()}
        lag = self._lags()
        populations: list[Population] = []
        connections: list[Connection] = []
        weights: list[Tensor] = []
        units: dict[str, np.ndarray] = {}
        trained: dict[str, Mapping[str, Tensor]] = {}
        for population in self.real.populations:
            into = [c for c in self.real.connections if c.target == population.name]
            factored = [self._factored(c, population) for c in into]
            scales = self._scales(population, factored)
            fitted = self._fit(population, scales.unit)
            if fitted is None:
                continue
            units[population.name] = scales.unit
            trained[population.name] = fitted.before_rounding
            scale = tuple(Fraction(float(unit)) for unit in scales.unit)
            populations.append(
                Population(
                    population.name,
                    fitted.neuron,
                    population.shape,
                    {**fitted.parameters, **self._late_start(population, lag.get(population.name, 0))},
                    scale,
                )
            )
            for c, path, exponent in zip(into, factored, scales.exponents, strict=True):
                made = self._connection(c, path, population, scales.unit, exponent, lag)
                if made is not None:
                    connections.append(made[0])
                    weights.append(made[1])
        outputs = [
            Output(name, name, MESSAGE if self._of(name).form.spikes else MEMBRANE, lag.get(name, 0))
            for name in self.real.outputs
        ]
        if not self.problems:
            try:
                graph = IntegerGraph(inputs, populations, connections, self.real.dt, outputs)
                return Lowered(
                    graph, self.real, self.profile, self.quantisation, units, self.notes, weights, trained, lag
                )
            except IntegerGraphError as error:
                self.problems += str(error).splitlines()
        lines = "\n  ".join(dict.fromkeys(self.problems))
        raise LoweringError(f"cannot be lowered to the arithmetic of {self.profile.title}:\n  {lines}")

    def _of(self, name: str) -> RealPopulation:
        return next(p for p in self.real.populations if p.name == name)

    def _input(self) -> Input:
        low, high = self.quantisation.input_range
        least, most = self.profile.graded_inputs
        if low < least or high > most:
            self.problems.append(
                f"{INPUT}: messages of {low} to {high}, but {self.profile.title} takes {least} to {most}; encode the "
                f"input as spikes, or use fewer input_bits"
            )
        scale = Fraction(self.quantisation.input_scale)
        return Input(self.real.input_shape, low, high, scale)

    def _lags(self) -> dict[str, int]:
        profile, found = self.profile, []
        for c in self.real.connections:
            needed = profile.steps_from_input if c.source == INPUT else profile.steps_per_connection
            found.append((c.source, c.target, c.path.delay, needed))
        try:
            return lags([p.name for p in self.real.populations], [INPUT], found)
        except CannotRetime as error:
            self.problems.append(str(error))
            return {}

    def _late_start(self, p: RealPopulation, steps: int) -> Mapping[str, int]:
        """What keeps a population that lags, and that a bias moves, at rest until its first step comes."""
        biased = any(bool((value != 0).any()) for value in (p.bias, p.form.bias, p.form.bias_syn))
        if not steps or not biased:
            return {}
        found = self.profile.started_late(steps)
        if found is None:
            self.notes.append(
                f"{p.name}: runs {steps} steps later than in the network, but its bias acts from the first"
            )
        return found or {}

    def _factored(self, c: RealConnection, population: RealPopulation) -> LinearPath:
        return c.path.gained(self.profile.input_factor(population))

    def _rows(self, path: LinearPath, population: RealPopulation) -> np.ndarray:
        """Weights [rows of the population's shape, weights of each], in units of membrane and message."""
        weight = path.weight.detach().cpu().numpy()
        rows = population.shape[0] if population.shape else 1
        if path.kind == "convolution":
            return weight.reshape(len(weight), -1)
        if weight.size == 1:
            return np.broadcast_to(weight.reshape(1, 1), (rows, 1))
        return weight.reshape(rows, -1)

    def _scales(self, population: RealPopulation, paths: Sequence[LinearPath]) -> Scales:
        into = [c for c in self.real.connections if c.target == population.name]
        weights = []
        for c, path in zip(into, paths, strict=True):
            values = self._rows(path, population) * self._message_scale(c.source)
            weights.append(Weights(values, self.profile.grid(values, self.quantisation.bits), self.profile.per_unit))
        limits = self.profile.limits(population, self._reach(population, weights))
        wanted = self.quantisation.per_neuron
        per_row = self.profile.per_row and wanted is not False
        if wanted and not self.profile.per_row:
            self.problems.append(f"per_neuron: {self.profile.title} has one threshold for a population")
        return choose_scales(
            weights, limits, self.profile.exponents, per_row, self.quantisation.scale, self.quantisation.percentile
        )

    def _message_scale(self, source: str) -> float:
        return self.quantisation.input_scale if source == INPUT else 1.0

    def _reach(self, population: RealPopulation, weights: Sequence[Weights]) -> Reach:
        """How far a layer could get, whatever comes in, or as far as its membrane was seen to."""
        form = population.form
        into = [c for c in self.real.connections if c.target == population.name]
        total = float(population.bias.detach().abs().max())
        for c, w in zip(into, weights, strict=True):
            most = max(map(abs, self.quantisation.input_range)) if c.source == INPUT else 1
            sums = np.abs(w.values).sum(1).max(initial=0.0) * c.path.pool[0] * c.path.pool[1]
            total += float(sums) * most
        current = total
        if form.keep_syn is not None:
            current = (total + float(form.bias_syn.abs().max())) / (1 - float(form.keep_syn.max()))
        drive = current + float(form.bias.abs().max()) + float(form.direct.abs().max()) * total
        # without a leak a membrane grows for ever; a sequence of a thousand steps is allowed for
        membrane = drive / max(1 - float(form.keep_mem.max()), 1e-3)
        if form.v_threshold is not None:
            membrane = min(membrane, max(4 * float(form.v_threshold.abs().max()), 2 * drive))
        seen = self.membranes.get(population.name)
        return Reach(membrane if seen is None else 2 * seen, current, total)

    def _fit(self, population: RealPopulation, unit: np.ndarray) -> Fitted | None:
        try:
            fitted = self.profile.fit(population, unit)
        except CannotLower as error:
            self.problems.append(f"{population.name}: {error}")
            return None
        self.notes += [f"{population.name}: {note}" for note in fitted.notes]
        return fitted

    def _connection(
        self,
        c: RealConnection,
        path: LinearPath,
        population: RealPopulation,
        unit: np.ndarray,
        exponent: int,
        lag: Mapping[str, int],
    ) -> tuple[Connection, Tensor] | None:
        where = f"{c.source} -> {c.target}"
        if c.source != INPUT and not self._of(c.source).form.spikes:
            self.problems.append(f"{c.source}: is a readout, but {c.target} listens to it; only spikes can be sent")
            return None
        if path.pool != (1, 1) and not self.profile.pools:
            try:
                path = _without_pool(path)
            except CannotLower as error:
                self.problems.append(f"{where}: {error}")
                return None
        delay = c.path.delay + lag.get(c.target, 0) - lag.get(c.source, 0)
        needed = self.profile.steps_from_input if c.source == INPUT else self.profile.steps_per_connection
        further = int(path.delays.max()) if path.delays is not None else 0
        if delay + further - needed > self.profile.longest_delay:
            self.problems.append(
                f"{where}: takes {delay + further} steps, but {self.profile.title} delays by at most "
                f"{self.profile.longest_delay + needed}; shorten the delay"
            )
        values = self._rows(path, population) * self._message_scale(c.source)
        grid = self.profile.grid(values, self.quantisation.bits)
        per = unit.reshape(-1, 1) * self.profile.per_unit * 2.0**exponent
        levels = (grid.levels(values, per * grid.multiple) * grid.multiple).astype(np.int64)
        stored = _stored(path, levels)
        rows = path.weight.reshape(1 if path.weight.numel() == 1 else len(levels), -1)
        before = (rows * self._message_scale(c.source) / torch.as_tensor(per)).expand(levels.shape)
        before = before.reshape(stored.weight.shape) if not isinstance(stored, OneToOne) else before
        return Connection(c.source, c.target, stored, delay, exponent, pool=path.pool), before


def _stored(path: LinearPath, rows: np.ndarray) -> Dense | Convolution | OneToOne:
    if path.kind == "dense":
        delay = None
        if path.delays is not None:
            delay = np.broadcast_to(path.delays.numpy(), path.weight.shape).astype(np.int64)
        return Dense(rows.reshape(tuple(path.weight.shape)), delay)
    if path.kind == "convolution":
        return Convolution(
            rows.reshape(tuple(path.weight.shape)), path.stride, path.padding, path.dilation, path.groups
        )
    size = int(np.prod(path.shape))
    return OneToOne(np.broadcast_to(rows, (len(rows), size // len(rows))).reshape(-1))


def _without_pool(path: LinearPath) -> LinearPath:
    """The same map without a sum over windows before its weights: a larger kernel, or a matrix."""
    if path.kind != "convolution" or path.dilation != (1, 1):
        return path.as_matrix()
    down, right = path.pool
    if path.source[1] % down or path.source[2] % right:
        return path.as_matrix()
    kernel = path.weight.repeat_interleave(down, 2).repeat_interleave(right, 3)
    return replace(
        path, weight=kernel, pool=(1, 1), stride=(path.stride[0] * down, path.stride[1] * right),
        padding=(path.padding[0] * down, path.padding[1] * right),
    )  # fmt: skip


def dequantised(lowered: Lowered, name: str, values: np.ndarray | Tensor) -> Tensor:
    """A readout's membrane [T, B, *shape] in the network's units.

    Raises:
        KeyError: if there is no such population.
    """
    population = lowered.graph.population(name)
    real = next(p for p in lowered.real.populations if p.name == name)
    per = along_rows(lowered.units[name], len(population.shape))
    return torch.as_tensor(values) * per + real.form.rest
