"""The record of one neuron: states, parameters, equations, threshold, resets and where they come from."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from spikelab.neurons.expression import CONSTANTS, FUNCTIONS, parse

#: The input of every neuron. Names that end in an underscore belong to generated code.
INPUT = "x"
RESERVED = {INPUT, "dt", "t", "spike", "refractory", "refractory_left", "refractory_steps"}
#: What a state, a parameter or a receptor can be called.
NAME = r"[A-Za-z][A-Za-z0-9_]*[A-Za-z0-9]|[A-Za-z]"
#: Names that equations or generated code already use for something else.
TAKEN = (
    {*FUNCTIONS, *CONSTANTS, "where", "min", "range", "math", "np", "njit", "torch", "FLOAT", "INDEX", "ONE", "BLOCK"}
    | {"run", "one_step", "choose", "fires", "blend", "divide", "stop_gradient", "surrogate", "as_tensor", "detach"}
    | {"exp_divided_difference", "NoAliasCompiler"}
)


@dataclass(frozen=True)
class Parameter:
    """A constant of the equations, one number for all neurons or one for each.

    Attributes:
        name: as in the equations.
        default: in SI units.
        unit: SI unit, or "1" for a declared dimensionless quantity.
        meaning: one line for the documentation.
        lower: smallest allowed value; ``positive`` excludes it.
        upper: largest allowed value.
        positive: the value must be greater than zero; it is then learned on a logarithmic scale.
        learnable: whether a gradient makes sense.
    """

    name: str
    default: float
    unit: str
    meaning: str
    lower: float = -math.inf
    upper: float = math.inf
    positive: bool = False
    learnable: bool = True

    def check(self, value: float, neuron: str) -> None:
        """Raises ValueError if the value is not finite or lies outside the bounds."""
        low = 0.0 if self.positive else self.lower
        ok = math.isfinite(value) and low <= value <= self.upper and not (self.positive and value == 0)
        if not ok:
            sign = ">" if self.positive else ">="
            bounds = [f"{sign} {low:g}"] if math.isfinite(low) else []
            bounds += [f"<= {self.upper:g}"] if math.isfinite(self.upper) else []
            unit = "" if self.unit == "1" else f" {self.unit}"
            remedy = " and ".join(["finite", *bounds])
            raise ValueError(f"{neuron}: {self.name} = {value!r}{unit} ({self.meaning}) must be {remedy}")


@dataclass(frozen=True)
class State:
    """A variable with dynamics.

    Attributes:
        name: as in the equations.
        unit: SI unit, or "1".
        derivative: right-hand side of d(name)/dt over states, parameters and the input ``x``.
        meaning: one line for the documentation.
        initial: starting value, an expression over the parameters.
        after_spike: value after a spike, for states other than the membrane (None: unchanged).
        held_while_refractory: whether the state stands still during the refractory time.
    """

    name: str
    unit: str
    derivative: str
    meaning: str
    initial: str = "0"
    after_spike: str | None = None
    held_while_refractory: bool = False


@dataclass(frozen=True)
class Receptor:
    """A place where spikes of other neurons arrive; ``receptor.with_receptors`` adds them to a neuron.

    Attributes:
        name: how a projection refers to it.
        state: the state that an arriving spike raises.
        jump: the rise by a spike of weight 1, an expression over the parameters.
        unit: SI unit of a weight, or "1".
    """

    name: str
    state: str
    jump: str
    unit: str


@dataclass(frozen=True)
class NeuronSpec:
    """A neuron model. Everything that runs, exports or documents it is generated from this record.

    Attributes:
        name: registry name.
        title: human name.
        states: in the order in which the semi-implicit method updates them.
        parameters: the constants of the equations.
        source: the publication or format the equations were taken from.
        input_unit: unit of the input ``x``.
        gate: expression whose sign decides: the neuron spikes where it is > 0. None for a readout.
        gate_scale: expression that makes the gate dimensionless for the surrogate derivative.
        membrane: the state that the reset acts on, and the output of a readout.
        resets: reset name -> value of the membrane after a spike.
        default_reset: the reset used unless another is asked for.
        default_method: the discretisation used unless another is asked for.
        nir: name of the NIR primitive with the same equations, or None.
        receptors: where spikes of other neurons arrive, beside the input ``x``.
        upward_crossing: the neuron spikes only where the gate was not > 0 before the step, so that an action potential
            which has its own shape is one spike and not one in each step above the threshold.
    """

    name: str
    title: str
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    source: str
    input_unit: str
    gate: str | None = None
    gate_scale: str = "1"
    membrane: str = "v"
    resets: Mapping[str, str] = field(default_factory=dict, hash=False)
    default_reset: str = "value"
    default_method: str = "exact"
    nir: str | None = None
    receptors: tuple[Receptor, ...] = ()
    upward_crossing: bool = False

    def __post_init__(self) -> None:
        names = [*self.state_names, *self.parameter_names]
        for name in names:
            if not re.fullmatch(NAME, name) or name in RESERVED:
                raise ValueError(
                    f"{self.name}: {name!r} cannot name a state or parameter; use letters, digits and inner "
                    f"underscores, and none of {', '.join(sorted(RESERVED))}"
                )
            if name in TAKEN or keyword.iskeyword(name):
                raise ValueError(
                    f"{self.name}: {name!r} means something else in equations or in code; choose another name"
                )
        duplicates = {name for name in names if names.count(name) > 1}
        if duplicates:
            raise ValueError(f"{self.name}: {', '.join(sorted(duplicates))} is declared twice")
        if self.membrane not in self.state_names:
            raise ValueError(f"{self.name}: the membrane {self.membrane!r} is not one of its states")
        if self.gate is not None and self.default_reset not in self.resets:
            raise ValueError(f"{self.name}: default reset {self.default_reset!r} is not among {sorted(self.resets)}")
        for state in self.states:
            self.expression(state.derivative, f"d{state.name}/dt")
            parse(state.initial, self.parameter_symbols, f"{self.name}: initial {state.name}")
            if state.after_spike is not None:
                self.expression(state.after_spike, f"{state.name} after a spike")
        if self.gate is not None:
            self.expression(self.gate, "gate")
            self.expression(self.gate_scale, "gate_scale")
        for name, value in self.resets.items():
            self.expression(value, f"reset {name}")
        for receptor in self.receptors:
            if receptor.state not in self.state_names:
                raise ValueError(
                    f"{self.name}: receptor {receptor.name!r} raises {receptor.state!r}, which is not one of its "
                    f"states: {', '.join(self.state_names)}"
                )
            parse(receptor.jump, self.parameter_symbols, f"{self.name}: jump of receptor {receptor.name}")
        receptors = [receptor.name for receptor in self.receptors]
        if len(set(receptors)) < len(receptors):
            raise ValueError(f"{self.name}: its receptors {', '.join(receptors)} must have different names")

    @property
    def spikes(self) -> bool:
        """Whether the neuron emits spikes; a readout gives out its membrane instead."""
        return self.gate is not None

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states, in declared order."""
        return tuple(state.name for state in self.states)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in declared order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def parameter_symbols(self) -> dict[str, sp.Symbol]:
        """The parameters as SymPy symbols."""
        return {name: sp.Symbol(name, real=True) for name in self.parameter_names}

    @property
    def symbols(self) -> dict[str, sp.Symbol]:
        """Every name that the equations may use: states, parameters and the input."""
        states = {name: sp.Symbol(name, real=True) for name in (*self.state_names, INPUT)}
        return {**states, **self.parameter_symbols}

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; KeyError names the known ones."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(f"{self.name} has no parameter {name!r}; it has {', '.join(self.parameter_names)}")

    def expression(self, text: str, what: str) -> sp.Expr:
        """Parses an equation of this neuron; ``what`` names it in an error."""
        return parse(text, self.symbols, f"{self.name}: {what}")

    def equations(self, reset: str = "") -> list[str]:
        """The equations as text, one a line; with one of the resets, or with all of them by name."""
        lines = [f"d{s.name}/dt = {s.derivative}" for s in self.states]
        if self.gate is not None:
            crossing = " and was not, one step before" if self.upward_crossing else ""
            lines += [f"spike where {self.gate} > 0{crossing}"]
            if reset:
                value = self.resets[reset]
                lines += [f"on a spike {self.membrane} <- {value}"] if value != self.membrane else []
            else:
                resets = [f"{name}: {self.membrane} <- {value}" for name, value in self.resets.items()]
                lines += [f"reset by {'; by '.join(resets)}"]
            lines += [f"on a spike {s.name} <- {s.after_spike}" for s in self.states if s.after_spike]
        if any("linoid" in line for line in lines):
            lines += ["where linoid(x) = x / (1 - exp(-x))"]
        return lines

    def describe(self) -> str:
        """The equations, parameters and source as plain text, as shown in documentation."""
        lines = [f"{self.title}.", "", *(f"    {each}" for each in self.equations()), "", "States:"]
        lines += [f"    {s.name} [{s.unit}]: {s.meaning}; starts at {s.initial}" for s in self.states]
        lines += [f"    {INPUT} [{self.input_unit}]: input"]
        if self.receptors:
            lines += ["", "Receptors:"]
            lines += [
                f"    {r.name}: a spike of weight 1 {r.unit} raises {r.state} by {r.jump}" for r in self.receptors
            ]
        lines += ["", "Parameters:"]
        lines += [f"    {p.name} = {p.default:g} [{p.unit}]: {p.meaning}" for p in self.parameters]
        return "\n".join([*lines, "", f"Source: {self.source}"])

    def latex(self) -> str:
        """The differential equations as LaTeX, one aligned line a state."""
        rows = [
            rf"\frac{{d{sp.latex(sp.Symbol(s.name))}}}{{dt}} &= {sp.latex(self.expression(s.derivative, s.name))}"
            for s in self.states
        ]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def threshold_resets(threshold: str, reset: str | None, membrane: str = "v") -> dict[str, str]:
    """The three usual resets: to zero, to a value (where the neuron has one) and by subtracting the threshold."""
    resets = {"zero": "0", "subtract": f"{membrane} - {threshold}"}
    if reset is not None:
        resets["value"] = reset
    return resets
