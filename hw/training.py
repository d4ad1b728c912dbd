"""Quantisation-aware training: a network whose forward pass is the integer step of a chip.

The network keeps its parameters, its checkpoints and its place in a model. At each pass it is lowered as it stands, and
the integer graph runs in its place, on the very numbers that are exported; gradients pass straight through rounding to
the network's weights and biases. Time constants, thresholds and the statistics of normalisation are held fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikelab.hw.connections import Connection, Dense, OneToOne, pooled_shape
from spikelab.hw.integer import Simulator, update_order
from spikelab.hw.ir import Population
from spikelab.hw.lower import MEMBRANE, Lowered, Quantisation, dequantised, lower_real
from spikelab.hw.lowering.real_graph import real_graph
from spikelab.hw.neuron import STEP, IntegerNeuron
from spikelab.hw.profiles.profile import Profile, along_rows
from spikelab.hw.torch_arithmetic import TorchNeuron
from spikelab.neurons.surrogate import SURROGATES, Surrogate
from spikelab.nn import Network, Neuron, State
from spikelab.nn.network import INPUT
from spikelab.nn.remembered import times_written

#: Below this, sums of whole numbers are exact in float32.
_EXACT_FLOAT32 = 2**24


class IntegerSteps:
    """Runs a network in integers: set it as the network's ``runner``.

    Args:
        profile: arithmetic of the chip.
        quantisation: bits and scales.
        input_shape: of one step.
        outputs: nodes read beside the network's own output.
        membranes: readout -> largest magnitude of its membrane, see ``lower``.
    """

    def __init__(
        self,
        profile: Profile,
        quantisation: Quantisation,
        input_shape: tuple[int, ...],
        outputs: tuple[str, ...] = (),
        membranes: Mapping[str, float] | None = None,
    ):
        self.profile, self.quantisation = profile, quantisation
        self.input_shape, self.outputs, self.membranes = tuple(input_shape), outputs, dict(membranes or {})
        self._kept: tuple[Any, Simulator, Lowered, list[Tensor]] | None = None

    def lower(self, network: Network, input_shape: tuple[int, ...] | None = None) -> Lowered:
        """The network as it stands now, in integers; for inputs of another size than its own where one is given."""
        real = real_graph(network, input_shape or self.input_shape, self.outputs)
        return lower_real(real, self.profile, self.quantisation, self.membranes)

    def _simulator(self, network: Network, shape: tuple[int, ...]) -> tuple[Simulator, Lowered]:
        """Made once for weights that do not change."""
        tensors = [*network.parameters(), *network.buffers()]
        form = (shape, [(id(t), times_written(t)) for t in tensors])
        if self._kept is None or self._kept[0] != form:
            lowered = self.lower(network, shape)
            # the tensors are held, so that no other takes their identity
            self._kept = (form, Simulator(lowered.graph), lowered, tensors)
        return self._kept[1], self._kept[2]

    def __getstate__(self) -> dict[str, Any]:
        # kernels are made again where they are needed
        return {**self.__dict__, "_kept": None}

    def __deepcopy__(self, memo: Any) -> IntegerSteps:
        return IntegerSteps(self.profile, self.quantisation, self.input_shape, self.outputs, self.membranes)

    def run(self, network: Network, x: Tensor, state: State | None) -> tuple[dict[str, Tensor], State]:
        """Outputs of the layers of neurons, as the network's own, in its units and its time.

        Args:
            network: whose place this takes.
            x: real input [T, B, ...]; it is rounded to messages.
            state: must be None: populations of a chip may lag behind each other, so a sequence is run whole.

        Raises:
            ValueError: if a state is given.
            LoweringError: if the network has no integer form.
        """
        if state is not None:
            raise ValueError("a network that trains in integers runs whole sequences; pass no state")
        if x.device.type != "cpu":
            raise ValueError(f"a network in integers runs on the CPU; the input is on {x.device}: use --device cpu")
        shape = tuple(x.shape[2:])
        # products in half precision would not be whole
        with torch.autocast("cpu", enabled=False):
            if torch.is_grad_enabled():
                return _TorchRun(self.lower(network, shape), network, x).outputs(x), {}
            # the same numbers, from the simulator's kernels
            simulator, lowered = self._simulator(network, shape)
            return simulated_outputs(lowered, x, simulator), {}


def simulated_outputs(lowered: Lowered, x: Tensor, simulator: Simulator | None = None) -> dict[str, Tensor]:
    """What the layers of neurons give out when the integer graph runs in the simulator.

    Args:
        lowered: the network in integers.
        x: real input [T, B, ...].
        simulator: of its graph, where there is one already.

    Returns:
        node -> [T, B, *shape], in the network's units and its time: lags are taken out.
    """
    late = max(lowered.lag.values(), default=0)
    messages = lowered.quantisation.messages(x)
    rest = np.zeros((late, *messages.shape[1:]), np.int64)
    readouts = {p.name for p in lowered.real.populations if not p.form.spikes}
    simulator = simulator or Simulator(lowered.graph)
    run = simulator.run({INPUT: np.concatenate([messages, rest])}, record=bool(readouts))
    found = {INPUT: x}
    for p in lowered.graph.populations:
        if p.name in readouts:
            value = dequantised(lowered, p.name, run.states[p.name][MEMBRANE])
        else:
            value = torch.as_tensor(run.messages[p.name])
        lag = lowered.lag[p.name]
        found[p.name] = value[lag : lag + len(x)].to(x.dtype).to(x.device)
    return found


class _TorchRun:
    """One pass of an integer graph in torch."""

    def __init__(self, lowered: Lowered, network: Network, x: Tensor):
        self.lowered, self.network = lowered, network
        graph = lowered.graph
        self.late = max(lowered.lag.values(), default=0)
        self.steps, self.batch = x.shape[0] + self.late, x.shape[1]
        messages = torch.as_tensor(lowered.quantisation.messages(x), dtype=torch.float64)
        rest = torch.zeros((self.late, *messages.shape[1:]), dtype=torch.float64)
        #: name -> what it sends at each step, [B, N] each, or all steps at once [T, B, N]
        self.sent: dict[str, Any] = {INPUT: torch.cat([messages, rest]).flatten(2)}
        self.membranes: dict[str, Tensor] = {}
        self.weights = {
            id(c): _rounded(before, c.weights.weight)
            for c, before in zip(graph.connections, lowered.weights, strict=True)
        }
        for part, cyclic in update_order(graph):
            self._run_part(part, cyclic)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Node -> what it gives out [T, B, *shape], in the network's time."""
        lowered, length = self.lowered, self.steps - self.late
        readouts = {p.name for p in lowered.real.populations if not p.form.spikes}
        found = {INPUT: x}
        for p in lowered.graph.populations:
            lag = lowered.lag[p.name]
            sends = p.name not in readouts
            value = (self.sent if sends else self.membranes)[p.name][lag : lag + length]
            value = value.reshape(length, self.batch, *p.shape)
            found[p.name] = (value if sends else dequantised(lowered, p.name, value)).to(x.dtype)
        return found

    def _run_part(self, part: Sequence[Population], cyclic: bool) -> None:
        members = {p.name for p in part}
        arriving = {p.name: self._arriving(p, members) for p in part}
        runs = {p.name: self._neurons(p) for p in part}
        sent: dict[str, list[Tensor]] = {p.name: [] for p in part}
        kept: dict[str, list[Tensor]] = {p.name: [] for p in part}
        for t in range(self.steps):
            for p in part:
                inputs = {port: steps[t] for port, steps in arriving[p.name].items()}
                if cyclic:
                    for c in self.lowered.graph.into(p.name):
                        if c.source in members:
                            back = self._from_member(c, sent[c.source], t)
                            if back is not None:
                                inputs[c.port] = inputs[c.port] + back
                message, states = runs[p.name](inputs, t)
                sent[p.name].append(message)
                kept[p.name].append(states.get(MEMBRANE, message))
        for p in part:
            nothing = torch.zeros((0, self.batch, p.size), dtype=torch.float64)
            self.sent[p.name] = torch.stack(sent[p.name]) if self.steps else nothing
            self.membranes[p.name] = torch.stack(kept[p.name]) if self.steps else nothing

    def _arriving(self, p: Population, members: set[str]) -> dict[str, Any]:
        zero = torch.zeros((self.batch, p.size), dtype=torch.float64)
        totals: dict[str, Any] = {port: [zero] * self.steps for port in p.neuron.inputs}
        for c in self.lowered.graph.into(p.name):
            if c.source in members:
                continue
            found = self._sums(c, _delayed(self.sent[c.source], c.delay, self.steps))
            before = totals[c.port]
            totals[c.port] = found if isinstance(before, list) else before + found
        # unbind, not total[t]: indexing a tensor with gradients costs a full-size zero tensor a step
        return {port: value.unbind(0) if isinstance(value, Tensor) else value for port, value in totals.items()}

    def _from_member(self, c: Connection, sent: list[Tensor], t: int) -> Tensor | None:
        if t < c.delay or not sent:
            return None
        longest = int(c.weights.delay.max()) if isinstance(c.weights, Dense) and c.weights.delay is not None else 0
        last = t - c.delay
        steps = [sent[k] if k >= 0 else torch.zeros_like(sent[0]) for k in range(last - longest, last + 1)]
        return self._sums(c, torch.stack(steps))[-1]

    def _sums(self, c: Connection, sent: Tensor) -> Tensor:
        """Weighted sums [T, B, targets] of messages [T, B, sources]."""
        weight, weights = self.weights[id(c)], c.weights
        if isinstance(weights, OneToOne):
            found = _pooled(sent, c.pool, self.lowered.graph.shape_of(c.source)) * weight
        elif isinstance(weights, Dense) and weights.delay is not None:
            delay = torch.as_tensor(weights.delay)
            found = torch.stack(
                [
                    self._product(c, _delayed(sent, int(d), len(sent)), torch.where(delay == d, weight, 0.0))
                    for d in np.unique(weights.delay)
                ]
            ).sum(0)
        else:
            found = self._product(c, sent, weight)
        return found * 2.0**c.exponent

    def _product(self, c: Connection, sent: Tensor, weight: Tensor) -> Tensor:
        shape = self.lowered.graph.shape_of(c.source)
        sent = _pooled(sent, c.pool, shape)
        largest = [float(values.detach().abs().max()) if values.numel() else 0.0 for values in (weight, sent)]
        terms = (weight[0].numel() if weight.numel() else 0) * largest[0] * largest[1]
        kind = torch.float32 if terms < _EXACT_FLOAT32 else torch.float64
        sent, weight = sent.to(kind), weight.to(kind)
        if isinstance(c.weights, Dense):
            return (sent @ weight.T).double()
        weights: Any = c.weights
        pictures = sent.reshape(-1, *pooled_shape(c.pool, shape))
        made = torch.nn.functional.conv2d(
            pictures, weight, None, weights.stride, weights.padding, weights.dilation, weights.groups
        )
        return made.reshape(*sent.shape[:2], -1).double()

    def _neurons(self, p: Population) -> Any:
        layer = self.network.nodes[p.name]
        if isinstance(layer, Neuron):
            neuron = _torch_neuron(p.neuron, layer.options.surrogate_record(), layer.options.detach_reset)
        else:
            neuron = _torch_neuron(p.neuron, SURROGATES["arctan"], False)
        trained = self.lowered.parameters.get(p.name, {})
        parameters: dict[str, Tensor] = {}
        for parameter in p.neuron.parameters:
            value = torch.as_tensor(
                np.asarray(p.parameters.get(parameter.name, parameter.default)), dtype=torch.float64
            )
            if parameter.name in trained:
                value = _rounded(trained[parameter.name], value)
            parameters[parameter.name] = value.expand(p.shape).reshape(-1) if value.numel() > 1 else value.reshape(())
        unit = along_rows(self.lowered.units[p.name], len(p.shape))
        unit = unit.expand(p.shape).reshape(-1) if unit.numel() > 1 else unit
        zero = torch.zeros((self.batch, p.size), dtype=torch.float64)
        states = {state.name: zero for state in p.neuron.states}

        def step(inputs: Mapping[str, Tensor], t: int) -> tuple[Tensor, dict[str, Tensor]]:
            nonlocal states
            sent, states = neuron.step({**parameters, **inputs, **states, STEP: float(t + 1)}, unit)
            return sent.expand(self.batch, p.size), states

        return step


@lru_cache(maxsize=64)
def _torch_neuron(neuron: IntegerNeuron, surrogate: Surrogate, detach_reset: bool) -> TorchNeuron:
    return TorchNeuron(neuron, surrogate, detach_reset)


def _rounded(before: Tensor, whole: Any) -> Tensor:
    """Whole numbers with the derivative of what they were rounded from."""
    exact = torch.as_tensor(whole, dtype=torch.float64)
    if not before.requires_grad:
        return exact
    return exact + (before - before.detach()).reshape(exact.shape if exact.numel() == before.numel() else before.shape)


def _delayed(sent: Tensor, steps: int, length: int) -> Tensor:
    """Messages [T, B, N] that arrive so many steps later, as many as there are steps."""
    if not steps:
        return sent
    early = sent.new_zeros((min(steps, length), *sent.shape[1:]))
    return torch.cat([early, sent])[:length]


def _pooled(sent: Tensor, pool: tuple[int, int], shape: tuple[int, ...]) -> Tensor:
    if pool == (1, 1):
        return sent
    pictures = sent.reshape(-1, *shape)
    return torch.nn.functional.avg_pool2d(pictures, pool, divisor_override=1).reshape(*sent.shape[:2], -1)
