"""The record of one plasticity rule: what is remembered, what spikes do to it, and where the rule comes from."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from spikelab.neurons.expression import parse
from spikelab.neurons.spec import NAME, TAKEN, Parameter
from spikelab.sim.plasticity.dimensions import DimensionError, Dimensions
from spikelab.sim.plasticity.statements import DELIVERY, Statement, read_deliveries, read_derivatives, read_statements

#: The weight of a synapse, which every rule has.
WEIGHT = "w"
#: The signal that reaches all synapses of a projection alike.
MODULATOR = "modulator"
#: The unit of a weight: that of the receptor that the projection acts on.
WEIGHT_UNIT = "weight"
RESERVED = {WEIGHT, MODULATOR, DELIVERY, "dt", "t", "spike"}


@dataclass(frozen=True)
class Trace:
    """A memory of a neuron's spikes: it relaxes to ``rest``, and statements at spikes change it.

    Attributes:
        name: as in the statements.
        tau: time constant, an expression over the parameters.
        meaning: one line for the documentation.
        rest: the value that it relaxes to and starts from, an expression over the parameters.
        unit: SI unit, or "1".
    """

    name: str
    tau: str
    meaning: str
    rest: str = "0"
    unit: str = "1"


@dataclass(frozen=True)
class SynapseVariable:
    """A number of each synapse, beside its weight, such as an eligibility.

    Attributes:
        name: as in the statements.
        meaning: one line for the documentation.
        tau: time constant with which it decays to zero, an expression over the parameters; None: it stays.
        unit: SI unit, "weight", or "1".
    """

    name: str
    meaning: str
    tau: str | None = None
    unit: str = "1"


@dataclass(frozen=True, kw_only=True)
class PlasticitySpec:
    """A plasticity rule. Everything that runs or documents it is generated from this record.

    Within a time step, in this order: traces and variables decay to the end of the step; spikes of senders arrive
    (``on_pre``; the delay is on the sender's side, so a trace of the sender follows its arrivals); the targets are
    integrated; those that spike do ``on_post``. Continuous terms act between two steps, at multiples of the interval.

    A statement is ``name = expression``. In ``on_pre``, ``deliver expression`` says at which place in the order, and
    how much, the target receives; without it a spike delivers ``w`` before the first statement. After each statement
    the weight is brought back into its bounds.

    Attributes:
        name: registry name.
        title: human name.
        source: the publication that the rule was taken from.
        parameters: constants, one number for all synapses; a default that is NaN means that a value must be given.
            Units are SI units, "1", "weight" or products of these.
        pre: traces of senders.
        post: traces of targets.
        synapse: variables of synapses, beside the weight ``w``.
        on_pre: statements at the arrival of a sender's spike.
        on_post: statements at a spike of the target.
        continuous: lines ``dw/dt = expression`` (or of another synapse variable), which may use ``modulator``.
        interval: the parameter that says how far apart in time the continuous terms act.
        w_min: smallest weight, an expression over the parameters, or None.
        w_max: largest weight, an expression over the parameters, or None.
    """

    name: str
    title: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    pre: tuple[Trace, ...] = ()
    post: tuple[Trace, ...] = ()
    synapse: tuple[SynapseVariable, ...] = ()
    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    continuous: tuple[str, ...] = ()
    interval: str | None = None
    w_min: str | None = None
    w_max: str | None = None

    def __post_init__(self) -> None:
        self._check_names()
        for field in ("on_pre", "on_post", "continuous"):
            if isinstance(getattr(self, field), str):
                raise ValueError(f"{self.name}: {field} takes a tuple of lines; write ({getattr(self, field)!r},)")
        if bool(self.continuous) != (self.interval is not None):
            raise ValueError(
                f"{self.name}: continuous terms and interval = {self.interval!r} go together; name the parameter that "
                f"says how often the terms act, or leave both out"
            )
        if self.interval is not None and self.interval not in self._units:
            raise ValueError(f"{self.name}: interval = {self.interval!r} is not one of its parameters")
        for statement in (*self.pre_statements, *self.post_statements, *self.rates):
            self._check_unit(statement)
        for expression, unit, what in self._constants():
            self._dimensions.require(expression, unit, f"{self.name}: {what}")
        changed = {each.name for each in (*self.pre_statements, *self.post_statements, *self.rates)} - {DELIVERY}
        idle = [each.name for each in self.variables if each.name not in changed]
        if idle:
            raise ValueError(f"{self.name}: no statement ever changes {', '.join(idle)}; leave it out, or change it")

    # -------------------------------------------------------------------------------------------------- what it says

    @property
    def variables(self) -> tuple[Trace | SynapseVariable, ...]:
        """Traces of senders and of targets, and variables of synapses."""
        return (*self.pre, *self.post, *self.synapse)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in declared order."""
        return tuple(each.name for each in self.parameters)

    @cached_property
    def pre_statements(self) -> tuple[Statement, ...]:
        """What the arrival of a sender's spike does, the delivery included, in order."""
        symbols = self._symbols()
        found = read_deliveries(self.on_pre, symbols, f"{self.name}: on_pre")
        self._check_targets(found, {each.name for each in self.pre}, "on_pre", "senders")
        return found

    @cached_property
    def post_statements(self) -> tuple[Statement, ...]:
        """What a spike of the target does, in order."""
        symbols = self._symbols()
        found = read_statements(self.on_post, symbols, f"{self.name}: on_post")
        self._check_targets(found, {each.name for each in self.post}, "on_post", "targets")
        return found

    @cached_property
    def rates(self) -> tuple[Statement, ...]:
        """The continuous terms: name and its derivative by time."""
        symbols = self._symbols()
        symbols[MODULATOR] = sp.Symbol(MODULATOR, real=True)
        found = read_derivatives(self.continuous, symbols, f"{self.name}: continuous")
        self._check_targets(found, set(), "continuous", "nothing but synapses")
        return found

    @property
    def modulated(self) -> bool:
        """Whether it uses the modulator."""
        return any(sp.Symbol(MODULATOR, real=True) in each.value.free_symbols for each in self.rates)

    def constant(self, text: str, what: str) -> sp.Expr:
        """Parses an expression over the parameters; ``what`` names it in an error."""
        return parse(text, {name: sp.Symbol(name, real=True) for name in self.parameter_names}, f"{self.name}: {what}")

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; KeyError names the known ones."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(f"{self.name} has no parameter {name!r}; it has {', '.join(self.parameter_names)}")

    def equations(self) -> list[str]:
        """The rule's equations and statements as text, one a line."""
        lines = []
        for each in (*self.pre, *self.post):
            gap = each.name if each.rest == "0" else f"({each.name} - {each.rest})"
            lines.append(f"d{each.name}/dt = -{gap} / {each.tau}")
        lines += [f"d{each.name}/dt = -{each.name} / {each.tau}" for each in self.synapse if each.tau]
        lines += self.continuous
        for event, statements in (("a presynaptic spike", self.on_pre), ("a postsynaptic spike", self.on_post)):
            if statements:
                lines += [f"on {event}: {'; '.join(statements)}"]
        if self.w_min is not None or self.w_max is not None:
            lines.append(f"{self.w_min or '-infinity'} <= w <= {self.w_max or 'infinity'}")
        return lines

    def describe(self) -> str:
        """The rule as plain text, as shown in documentation."""
        lines = [f"{self.title}.", "", *(f"    {each}" for each in self.equations()), "", "Variables:"]
        lines += [f"    {t.name} [{t.unit}]: {t.meaning}; starts at {t.rest}" for t in (*self.pre, *self.post)]
        lines += [f"    {v.name} [{v.unit}]: {v.meaning}; starts at 0" for v in self.synapse]
        lines += [f"    {WEIGHT} [{WEIGHT_UNIT}]: weight of the synapse"]
        lines += ["", "Parameters:"] if self.parameters else []
        lines += [
            f"    {p.name} = {'?' if p.default != p.default else f'{p.default:g}'} [{p.unit}]: {p.meaning}"
            for p in self.parameters
        ]
        return "\n".join([*lines, "", f"Source: {self.source}"])

    # -------------------------------------------------------------------------------------------------------- checks

    @property
    def _units(self) -> dict[str, str]:
        traces = {each.name: each.unit for each in self.variables}
        return {WEIGHT: WEIGHT_UNIT, **{each.name: each.unit for each in self.parameters}, **traces}

    @cached_property
    def _dimensions(self) -> Dimensions:
        return Dimensions(self._units, f"{self.name}", anything={MODULATOR})

    def _symbols(self) -> dict[str, sp.Expr]:
        names = [WEIGHT, *self.parameter_names, *(each.name for each in self.variables)]
        return {name: sp.Symbol(name, real=True) for name in names}

    def _check_names(self) -> None:
        names = [*self.parameter_names, *(each.name for each in self.variables)]
        for name in names:
            if not re.fullmatch(NAME, name) or name in RESERVED or name in TAKEN or keyword.iskeyword(name):
                raise ValueError(
                    f"{self.name}: {name!r} cannot name a parameter, trace or variable; use letters, digits and inner "
                    f"underscores, no word that equations or code use, and none of {', '.join(sorted(RESERVED))}"
                )
            if names.count(name) > 1:
                raise ValueError(f"{self.name}: {name!r} is declared twice")

    def _check_targets(self, statements: tuple[Statement, ...], traces: set[str], where: str, whose: str) -> None:
        """What may be assigned there, and that a neuron's trace depends on that neuron's traces alone."""
        of_synapses = {WEIGHT, *(each.name for each in self.synapse)}
        for each in statements:
            if each.name not in traces | of_synapses | {DELIVERY}:
                raise ValueError(
                    f"{self.name}: {where} cannot change {each.name!r} in {each.text!r}; it can change "
                    f"{', '.join(sorted(traces | of_synapses))} (traces of {whose}, and variables of synapses)"
                )
            used = {symbol.name for symbol in each.value.free_symbols} - set(self.parameter_names)
            if each.name in traces and used - traces:
                raise ValueError(
                    f"{self.name}: {each.text!r} in {where} makes the trace {each.name!r} of a neuron depend on "
                    f"{', '.join(sorted(used - traces))}, which differs from synapse to synapse"
                )

    def _check_unit(self, statement: Statement) -> None:
        name = WEIGHT if statement.name == DELIVERY else statement.name
        unit = self._units[name] if not statement.derivative else f"({self._units[name]})/s"
        self._dimensions.require(statement.value, unit, f"{self.name}: {statement.text!r}")

    def _constants(self) -> list[tuple[sp.Expr, str, str]]:
        """Every expression over the parameters, with the unit that it must have."""
        found = []
        for each in (*self.pre, *self.post):
            found.append((self.constant(each.tau, f"tau of {each.name}"), "s", f"tau of {each.name}"))
            found.append((self.constant(each.rest, f"rest of {each.name}"), each.unit, f"rest of {each.name}"))
        for variable in self.synapse:
            if variable.tau is not None:
                what = f"tau of {variable.name}"
                found.append((self.constant(variable.tau, what), "s", what))
        for what, bound in (("w_min", self.w_min), ("w_max", self.w_max)):
            if bound is not None:
                found.append((self.constant(bound, what), WEIGHT_UNIT, what))
        if self.interval is not None:
            found.append((sp.Symbol(self.interval, real=True), "s", "interval"))
        return found


__all__ = ["MODULATOR", "WEIGHT", "DimensionError", "PlasticitySpec", "SynapseVariable", "Trace"]
