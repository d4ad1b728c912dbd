"""One complete time step as straight-line code: integrate, test the threshold, reset.

The step is a list of (name, expression) pairs in the order of execution. Every back end prints this list; the backward
pass is its reverse-mode derivative. Nothing else in the project knows how a neuron works.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache

import sympy as sp

from spikelab import registry
from spikelab.neurons.discretise import CHARGED, DT, discretise
from spikelab.neurons.functions import blend, select, spike, stop_gradient
from spikelab.neurons.spec import INPUT, NeuronSpec
from spikelab.neurons.surrogate import Surrogate, surrogate

SPIKE = "spike"
#: May be recorded like a state: 1 where the surrogate's derivative is not zero, else 0.
SURROGATE_SUPPORT = "surrogate_support"
REFRACTORY_LEFT = "refractory_left"
NEXT = "_n_"
#: Suffix of a state between the arrival of spikes and the reset.
ARRIVED = "_a_"


@dataclass(frozen=True)
class StepOptions:
    """What, beside the equations, decides how a step is computed. Hashable, and readable as text.

    Attributes:
        neuron: registry name of the neuron.
        method: discretisation; "" takes the neuron's own default.
        input_form: "current" or "impulse" (see ``discretise``).
        reset: one of the neuron's resets; "" takes its default.
        refractory: whether there is a refractory time.
        detach_reset: whether the reset passes no gradient back to the spike.
        surrogate: name of the surrogate, "custom" for one's own expression.
        surrogate_expression: the surrogate's expression in ``x``.
        surrogate_parameters: its constants.
        record: states to give out at every step beside the output proper, or ``SURROGATE_SUPPORT``.
        arrivals: whether spikes arrive at the neuron's receptors (see ``Step.arrivals``).
    """

    neuron: str
    method: str = ""
    input_form: str = "current"
    reset: str = ""
    refractory: bool = False
    detach_reset: bool = False
    surrogate: str = "arctan"
    surrogate_expression: str = ""
    surrogate_parameters: tuple[tuple[str, float], ...] = ()
    record: tuple[str, ...] = ()
    arrivals: bool = False

    def key(self) -> str:
        """A text from which ``from_key`` makes the same options again."""
        return json.dumps([getattr(self, name) for name in self.__dataclass_fields__], separators=(",", ":"))

    @staticmethod
    def from_key(key: str) -> StepOptions:
        """The inverse of ``key``."""
        values = dict(zip(StepOptions.__dataclass_fields__, json.loads(key), strict=True))
        values["surrogate_parameters"] = tuple((name, value) for name, value in values["surrogate_parameters"])
        values["record"] = tuple(values["record"])
        return StepOptions(**values)

    def surrogate_record(self) -> Surrogate:
        """The surrogate with its constants."""
        parameters = dict(self.surrogate_parameters)
        if self.surrogate_expression:
            return Surrogate(self.surrogate, self.surrogate_expression, parameters)
        return surrogate(self.surrogate, **parameters)


@dataclass(frozen=True, eq=False)
class Step:
    """One time step of a neuron.

    Attributes:
        spec: the neuron.
        options: the choices made.
        states: names of all states, the refractory counter included.
        coefficients: name -> expression over parameters, ``dt`` and ``refractory``, computed outside the time loop.
        lines: (name, expression) in order of execution.
        next_states: state -> the name that holds its value after the step.
        outputs: names of the values given out at each step; the first is the spike, or a readout's membrane.
        arrivals: name of the input that holds the summed weights arriving at a receptor in this step, one a receptor of
            the neuron, in order. They act at the end of the integration and before the threshold test; a state that is
            held in its refractory time drops them. Empty unless the options ask for arrivals.
    """

    spec: NeuronSpec
    options: StepOptions
    states: tuple[str, ...]
    coefficients: dict[str, sp.Expr]
    lines: tuple[tuple[str, sp.Expr], ...]
    next_states: dict[str, str]
    outputs: tuple[str, ...]
    surrogate: Surrogate = field(repr=False)
    arrivals: tuple[str, ...] = ()

    def __deepcopy__(self, memo: object) -> Step:
        # nothing in it ever changes, and kernels are remembered by the step they run
        return self


def find_neuron(choice: str | NeuronSpec) -> NeuronSpec:
    """A neuron by registry name, by the name that ``neuron_name`` gave to one's own, or the spec itself."""
    if isinstance(choice, NeuronSpec):
        return choice
    if choice in _OWN_NEURONS:
        return _OWN_NEURONS[choice]
    found = registry.load("neurons", choice)
    assert isinstance(found, NeuronSpec)
    return found


def neuron_name(spec: NeuronSpec) -> str:
    """The name under which ``StepOptions`` refer to a neuron: its registry name, or name@hash for one's own.

    The hash keeps two versions of one's own neuron apart, as they follow each other in a notebook.
    """
    if spec.name in registry.names("neurons") and registry.load("neurons", spec.name) == spec:
        return spec.name
    name = f"{spec.name}@{hashlib.sha256(repr(spec).encode()).hexdigest()[:16]}"
    _OWN_NEURONS[name] = spec
    return name


_OWN_NEURONS: dict[str, NeuronSpec] = {}


@lru_cache(maxsize=512)
def build_step(options: StepOptions) -> Step:
    """Composes integration, threshold and reset of one neuron.

    Raises:
        ValueError: for an unknown neuron, method, reset, surrogate or recorded state; names the known ones.
    """
    spec = find_neuron(options.neuron)
    charge = discretise(spec, options.method or spec.default_method, options.input_form)
    coefficients = dict(charge.coefficients)
    lines: list[tuple[str, sp.Expr]] = []

    def symbol(name: str) -> sp.Symbol:
        return sp.Symbol(name, real=True)

    held = {s.name for s in spec.states if s.held_while_refractory}
    refractory = options.refractory and spec.spikes
    left = symbol(REFRACTORY_LEFT)
    for name, value in charge.updates:
        for line, trial in charge.before.get(name, ()):
            state = charge.trials.get(line)
            # what is held does not move within the step either
            lines.append((line, select(left, symbol(state), trial) if refractory and state in held else trial))
        if refractory and name in held:
            lines.append((f"{name}_free_", value))
            value = select(left, symbol(name), symbol(f"{name}_free_"))
        lines.append((name + CHARGED, value))
    next_states = {name: name + CHARGED for name in spec.state_names}
    arrivals: tuple[str, ...] = ()
    if options.arrivals:
        arrivals = tuple(arrival_name(receptor.name) for receptor in spec.receptors)
        for name, rise in _rises(spec, coefficients).items():
            # after all states are integrated: none of them sees, within this step, what arrives at its end
            arrived = symbol(name + CHARGED) + rise
            if refractory and name in held:
                arrived = select(left, symbol(name + CHARGED), arrived)
            lines.append((name + ARRIVED, arrived))
            next_states[name] = name + ARRIVED
    charged = {symbol(name): symbol(next_states[name]) for name in spec.state_names}
    surrogate_record = options.surrogate_record()

    if spec.spikes:
        assert spec.gate is not None
        gate, scale = symbol("gate_"), symbol("gate_scale_")
        lines.append((gate.name, spec.expression(spec.gate, "gate").subs(charged)))
        scale_value = spec.expression(spec.gate_scale, "gate_scale")
        if scale_value == 1:
            fires: sp.Expr = spike(gate, sp.S.One)
        else:
            # a coefficient of its own, without gradient: it shapes the surrogate, it is no part of the dynamics
            coefficients[scale.name] = stop_gradient(scale_value)
            fires = spike(gate, scale)
        if spec.upward_crossing:
            # the states before the step are those after the step before, arrivals included
            before = symbol("gate_before_")
            lines.append((before.name, spec.expression(spec.gate, "gate")))
            fires = select(before, sp.S.Zero, fires)
        lines.append((SPIKE, select(left, sp.S.Zero, fires) if refractory else fires))
        resetting = stop_gradient(symbol(SPIKE)) if options.detach_reset else symbol(SPIKE)
        for name, value in _after_spike(spec, options).items():
            before = charged[symbol(name)]
            after = value.subs(charged)
            jump = after - before
            # a plain jump is added; a value is put in place exactly
            rule = before + resetting * jump if before not in jump.free_symbols else blend(resetting, after, before)
            lines.append((name + NEXT, rule))
            next_states[name] = name + NEXT
        if refractory:
            coefficients["refractory_hold_"] = symbol("refractory_steps") - 1
            counted = select(left, left - 1, sp.S.Zero)
            lines.append((left.name + NEXT, stop_gradient(select(symbol(SPIKE), symbol("refractory_hold_"), counted))))
            next_states[left.name] = left.name + NEXT

        if SURROGATE_SUPPORT in options.record:
            slope = surrogate_record.expression(gate if scale_value == 1 else gate / scale)
            lines.append(
                (SURROGATE_SUPPORT, stop_gradient(select(slope, sp.S.One, select(-slope, sp.S.One, sp.S.Zero))))
            )

    recorded = {name: next_states[name] for name in spec.state_names}
    recorded |= {SURROGATE_SUPPORT: SURROGATE_SUPPORT} if spec.spikes else {}
    for name in options.record:
        if name not in recorded:
            raise ValueError(f"{spec.name}: cannot record {name!r}; its states are {', '.join(spec.state_names)}")
    first = SPIKE if spec.spikes else next_states[spec.membrane]
    states = (*spec.state_names, REFRACTORY_LEFT) if refractory else spec.state_names
    used = set().union(*(value.free_symbols for _, value in lines))
    for name, parameter in spec.parameter_symbols.items():
        if parameter in used:
            coefficients[name] = parameter
    return Step(
        spec=spec,
        options=options,
        states=states,
        coefficients=coefficients,
        lines=tuple(lines),
        next_states=next_states,
        outputs=(first, *(recorded[name] for name in options.record)),
        surrogate=surrogate_record,
        arrivals=arrivals,
    )


def arrival_name(receptor: str) -> str:
    """The input symbol that holds what arrives at a receptor in a step."""
    return f"arrival_{receptor}_"


def _rises(spec: NeuronSpec, coefficients: dict[str, sp.Expr]) -> dict[str, sp.Expr]:
    """State -> its rise by what arrives in a step; names the jumps as coefficients."""
    rises: dict[str, sp.Expr] = {}
    for receptor in spec.receptors:
        rise: sp.Expr = sp.Symbol(arrival_name(receptor.name), real=True)
        jump = spec.expression(receptor.jump, f"jump of receptor {receptor.name}")
        if jump != 1:
            name = f"jump_{receptor.name}_"
            coefficients[name] = jump
            rise = sp.Symbol(name, real=True) * rise
        rises[receptor.state] = rises.get(receptor.state, sp.S.Zero) + rise
    return rises


def _after_spike(spec: NeuronSpec, options: StepOptions) -> dict[str, sp.Expr]:
    reset = options.reset or spec.default_reset
    if reset not in spec.resets:
        raise ValueError(f"{spec.name} has no reset {reset!r}; it has {', '.join(sorted(spec.resets))}")
    values = {spec.membrane: spec.expression(spec.resets[reset], f"reset {reset}")}
    for state in spec.states:
        if state.after_spike is not None:
            values[state.name] = spec.expression(state.after_spike, f"{state.name} after a spike")
    return values


__all__ = ["DT", "INPUT", "SPIKE", "Step", "StepOptions", "arrival_name", "build_step", "find_neuron", "neuron_name"]
