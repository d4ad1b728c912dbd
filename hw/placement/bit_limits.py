"""Limits on numbers: which neurons, how many bits of weights, states and messages, how long delays."""

from __future__ import annotations

from collections.abc import Iterator

from spikelab.hw.connections import Connection, Dense
from spikelab.hw.ir import IntegerGraph
from spikelab.hw.placement.pieces import outputs_of, stated
from spikelab.hw.placement.violation import Violation
from spikelab.hw.placement.weight_bits import needed_bits
from spikelab.hw.target import ESTIMATE, Number, Target


def broken(
    target: Target, limit: str, number: Number, where: str, message: str, used: int | float | str, remedy: str
) -> Violation:
    """A broken limit; the capacity and the source are the number's."""
    status = ESTIMATE if ESTIMATE in (target.status, number.status) else number.status
    capacity = number.value if isinstance(number.value, int) else ", ".join(map(str, number.value))
    return Violation(where, limit, message, used, capacity, remedy, status, number.source)


def arrow(c: Connection) -> str:
    """A connection in words."""
    return f"{c.source} -> {c.target}"


def counted(number: int | str, noun: str = "step") -> str:
    """A number of steps or the like in words."""
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


def neurons(graph: IntegerGraph, target: Target) -> Iterator[Violation]:
    """Every population must be of a kind that the target can run."""
    for p in graph.populations:
        if p.neuron.name not in target.neurons:
            known = ", ".join(target.neurons)
            yield Violation(
                p.name, "neurons", f"is made of {p.neuron.name}, {target.title} runs {known}", p.neuron.name, known,
                f"lower the network with the profile {target.profile!r}", target.status,
            )  # fmt: skip


def parameters(graph: IntegerGraph, target: Target) -> Iterator[Violation]:
    """Parameters must lie in the ranges of the target, which may be narrower than the simulator's."""
    for p in graph.populations:
        for name in [declared.name for declared in p.neuron.parameters if declared.name in target.parameters]:
            number, value = target.parameters[name], stated(p, name)
            low, high = int(value.min()), int(value.max())
            if low < number.least or high > number.most:
                span = str(low) if low == high else f"{low} to {high}"
                allowed = f"{number.least} to {number.most}"
                message = f"{name} = {span}, the chip holds {allowed}"
                remedy = f"bring {name} into {allowed}, or lower the network again with the profile {target.profile!r}"
                yield broken(target, f"parameters.{name}", number, p.name, message, span, remedy)


def state_bits(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Width of a state."""
    for p in graph.populations:
        for state in p.neuron.states:
            if state.bits > number.most:
                message = f"{state.name} ({state.meaning}) has {state.bits} bits, the chip keeps {number.most}"
                remedy = f"use a neuron with states of at most {number.most} bits: {', '.join(target.neurons)}"
                yield broken(target, "state_bits", number, p.name, message, state.bits, remedy)


def message_bits(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Width of what is sent."""
    for p in graph.populations:
        bits = p.neuron.message_bits
        if bits > number.most:
            carried = "plain spikes" if number.most == 1 else f"messages of {number.most} bits"
            remedy = "use neurons that send plain spikes" if number.most == 1 else "send smaller messages"
            message = f"sends messages of {bits} bits, the chip carries {carried}"
            yield broken(target, "message_bits", number, p.name, message, bits, remedy)


def weight_bits(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Weights must be exactly what the chip stores at one of its widths."""
    for c in graph.connections:
        weight = c.weights.weight
        if needed_bits(weight, target.weight_format, number.allowed) is not None:
            continue
        low, high = int(weight.min()), int(weight.max())
        bits = number.most
        least, most, even = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, ""
        if target.weight_format == "loihi_sign_modes":
            mixed = low < 0 < high
            least, most = (-(2**bits), 2**bits - 2) if mixed else (1 - 2**bits, 2**bits - 1)
            even = ", and even ones only where both signs occur" if mixed else ""
        message = f"weights of {low} to {high} are not what {bits} bits can store ({least} to {most}{even})"
        remedy = f"quantise to {bits} bits or fewer with the profile {target.profile!r}"
        yield broken(target, "weight_bits", number, arrow(c), message, f"{low} to {high}", remedy)


def weight_exponents(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Shift of a connection's sum."""
    for c in graph.connections:
        if not number.least <= c.exponent <= number.most:
            message = f"weights have the exponent {c.exponent}, the chip has {number.least} to {number.most}"
            shift = c.exponent - (number.most if c.exponent > 0 else number.least)
            remedy = f"scale the weights by 2^{shift}"
            yield broken(target, "weight_exponents", number, arrow(c), message, c.exponent, remedy)


def shared_exponents(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """One exponent for all input weights, one between hidden neurons, one to outputs."""
    outputs = outputs_of(graph)
    groups: dict[str, list[Connection]] = {}
    for c in graph.connections:
        group = "input" if c.source in graph.inputs else "output" if c.target in outputs else "hidden"
        groups.setdefault(group, []).append(c)
    for group, members in groups.items():
        found = sorted({c.exponent for c in members})
        if len(found) > number.most:
            where = ", ".join(arrow(c) for c in members)
            message = f"{group} weights have the exponents {found}, the chip has {number.most} for all of them"
            remedy = "quantise these connections with one common scale"
            yield broken(target, "shared_exponents", number, where, message, len(found), remedy)


def _longest(c: Connection) -> int:
    single = c.weights.delay if isinstance(c.weights, Dense) else None
    return c.delay + (0 if single is None else int(single.max(initial=0)))


def _delays(graph: IntegerGraph, target: Target, limit: str, number: Number, from_outside: bool) -> Iterator[Violation]:
    for c in graph.connections:
        if (c.source in graph.inputs) is not from_outside:
            continue
        shortest, longest = c.delay, _longest(c)
        if shortest < number.least or longest > number.most:
            span = str(shortest) if shortest == longest else f"{shortest} to {longest}"
            allowed = str(number.least) if number.least == number.most else f"{number.least} to {number.most}"
            if longest > number.most == 0 and c.source == c.target:
                remedy = "leave the recurrent connection out; this chip has no time steps to wait for"
            elif longest > number.most:
                remedy = f"shorten the delay to {counted(number.most)}"
            else:
                remedy = f"lower the network with the profile {target.profile!r}, which gives each connection its step"
            yield broken(
                target, limit, number, arrow(c), f"arrives after {counted(span)}, the chip delivers after {allowed}",
                span, remedy,
            )  # fmt: skip


def delays(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Steps from one population to another."""
    return _delays(graph, target, "delays", number, from_outside=False)


def input_delays(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Steps from outside to a population."""
    return _delays(graph, target, "input_delays", number, from_outside=True)


def synapse_delays(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Further delays of single synapses, in steps."""
    for c in graph.connections:
        single = c.weights.delay if isinstance(c.weights, Dense) else None
        longest = 0 if single is None else int(single.max(initial=0))
        if longest > number.most:
            have = "no delays of single synapses" if number.most == 0 else f"delays of at most {number.most} steps"
            remedy = "give all synapses of the connection one delay" if number.most == 0 else "shorten them"
            message = f"single synapses are delayed by up to {longest} steps, the chip has {have}"
            yield broken(target, "synapse_delays", number, arrow(c), message, longest, remedy)


def input_messages(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Smallest and largest message from outside."""
    for name, given in graph.inputs.items():
        if given.low < number.least or given.high > number.most:
            message = f"sends {given.low} to {given.high}, the chip takes {number.least} to {number.most} at a step"
            remedy = f"encode the input as spikes, or in messages of {number.least} to {number.most}"
            yield broken(target, "input_messages", number, name, message, f"{given.low} to {given.high}", remedy)


def output_spikes(graph: IntegerGraph, target: Target, number: Number) -> Iterator[Violation]:
    """Spikes that an output neuron can send at one step."""
    for name in sorted(outputs_of(graph)):
        neuron = graph.population(name).neuron
        most = 2 ** max(0, neuron.message_bits - 1) - 1 if neuron.message_bits > 1 else 1
        if most > number.most:
            message = f"is given out and sends up to {most} spikes a step, the chip's output neurons send {number.most}"
            single = [other for other in target.neurons if other != neuron.name]
            remedy = f"use {' or '.join(single)} for outputs" if single else "use a neuron that sends fewer"
            yield broken(target, "output_spikes", number, name, message, most, remedy)
