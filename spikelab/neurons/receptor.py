"""Receptors: how spikes of other neurons act on a neuron, written once and added to any neuron.

``with_receptors`` gives an ordinary ``NeuronSpec`` whose input ``x`` has the receptors' currents added, so everything
that runs, trains or documents a neuron takes the composed one too.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import sympy as sp

from spikelab.neurons.discretise import NONLINEAR_METHOD, CannotDiscretise, discretise
from spikelab.neurons.expression import parse, rename
from spikelab.neurons.spec import INPUT, NAME, RESERVED, TAKEN, NeuronSpec, Parameter, Receptor, State

#: What a receptor model calls the neuron's membrane.
MEMBRANE = "membrane"
#: The receptor that every neuron has without being asked: it adds to the input of a whole step.
BUILT_IN = "current"
#: (unit of the input, unit of the membrane) -> unit of a conductance.
_CONDUCTANCES = {("A", "V"): "S", ("1", "1"): "1"}


@dataclass(frozen=True, kw_only=True)
class ReceptorModel:
    """The dynamics behind a receptor, independent of the neuron that it is put on.

    Units are SI units, "1", or relative to the neuron: "input" (the unit of its input), "membrane" (that of its
    membrane) and "conductance" (input over membrane).

    Attributes:
        name: registry name.
        title: human name.
        arrival: which of its states an arriving spike raises, or "membrane".
        unit: of a weight.
        source: the publication or format the equations were taken from.
        states: its own states; their derivatives may use its states, its parameters and ``membrane``.
        parameters: its own constants.
        current: what it adds to the neuron's input: an expression over its states, its parameters and ``membrane``.
        jump: the rise by a spike of weight 1, an expression over its parameters.
    """

    name: str
    title: str
    arrival: str
    unit: str
    source: str
    states: tuple[State, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    current: str = "0"
    jump: str = "1"

    def __post_init__(self) -> None:
        own = [*(s.name for s in self.states), *(p.name for p in self.parameters)]
        for name in own:
            if own.count(name) > 1 or not re.fullmatch(NAME, name) or name in {MEMBRANE, *RESERVED, *TAKEN}:
                raise ValueError(
                    f"receptor {self.name}: {name!r} cannot name a state or parameter: it is declared twice, is no "
                    f"plain name, or means something else in equations or in code; choose another name"
                )
        if self.arrival not in (MEMBRANE, *(s.name for s in self.states)):
            raise ValueError(
                f"receptor {self.name}: arrival = {self.arrival!r} must be {MEMBRANE!r} or one of its states"
            )
        constants = {p.name: _symbol(p.name) for p in self.parameters}
        everything = {**constants, **{s.name: _symbol(s.name) for s in self.states}, MEMBRANE: _symbol(MEMBRANE)}
        parse(self.current, everything, f"receptor {self.name}: current")
        parse(self.jump, constants, f"receptor {self.name}: jump")
        for state in self.states:
            parse(state.derivative, everything, f"receptor {self.name}: d{state.name}/dt")
            parse(state.initial, constants, f"receptor {self.name}: initial {state.name}")

    def describe(self) -> str:
        """What it does, its parameters and source as plain text, as shown in documentation."""
        lines = [f"{self.title}.", "", f"    a spike of weight 1 raises {self.arrival} by {self.jump}"]
        lines += [f"    d{s.name}/dt = {s.derivative}" for s in self.states]
        lines += [f"    adds to the input: {self.current}"] if self.current != "0" else []
        lines += ["", f"Unit of a weight: {self.unit}"]
        lines += ["", "Parameters:"] if self.parameters else []
        lines += [f"    {p.name} = {p.default:g} [{p.unit}]: {p.meaning}" for p in self.parameters]
        return "\n".join([*lines, "", f"Source: {self.source}"])

    @property
    def units(self) -> set[str]:
        """Every unit that it uses."""
        return {self.unit, *(s.unit for s in self.states), *(p.unit for p in self.parameters)}


def with_receptors(neuron: NeuronSpec, receptors: Mapping[str, ReceptorModel]) -> NeuronSpec:
    """The neuron with receptors: what each one adds to the input, and where spikes arrive.

    State ``i`` of a receptor called "excitatory" becomes ``i_excitatory``, its parameter ``tau_syn`` becomes
    ``tau_syn_excitatory``. The receptors' states follow the neuron's own, so that a method which updates states in
    order lets the membrane see the currents as they were at the beginning of the step. The neuron keeps its default
    method where that still applies; where the exact one no longer does, as with conductances, which multiply the
    membrane, it becomes the one named in ``discretise.NONLINEAR_METHOD``.

    Args:
        neuron: the neuron; may have receptors already.
        receptors: name of the receptor -> its model.

    Raises:
        ValueError: for a name that cannot be used or clashes, and for a receptor whose units do not fit the neuron's.
    """
    if not receptors:
        return neuron
    taken = {*neuron.state_names, *neuron.parameter_names}
    states, parameters, added, currents = [], [], [], []
    for name, model in receptors.items():
        _check_name(neuron, name)
        units = _units(neuron, name, model)
        own = [s.name for s in model.states] + [p.name for p in model.parameters]
        names = {MEMBRANE: neuron.membrane, **{each: f"{each}_{name}" for each in own}}
        clash = taken & {names[each] for each in own}
        if clash:
            raise ValueError(
                f"{neuron.name}: receptor {name!r} ({model.title}) would declare {', '.join(sorted(clash))} a second "
                f"time; give the receptor another name"
            )
        taken |= {names[each] for each in own}
        for state in model.states:
            states.append(
                replace(
                    state,
                    name=names[state.name],
                    unit=units[state.unit],
                    derivative=rename(state.derivative, names),
                    meaning=f"{state.meaning} of receptor {name}",
                    initial=rename(state.initial, names),
                )
            )
        for parameter in model.parameters:
            meaning = f"{parameter.meaning} of receptor {name}"
            parameters.append(
                replace(parameter, name=names[parameter.name], unit=units[parameter.unit], meaning=meaning)
            )
        added.append(Receptor(name, names[model.arrival], rename(model.jump, names), units[model.unit]))
        if model.current != "0":
            current = rename(model.current, names)
            currents.append(f"({current})" if current.startswith("-") else current)
    composed = replace(
        neuron,
        name="_".join([neuron.name, *(() if neuron.receptors else ("with",)), *receptors]),
        title=f"{neuron.title}{' and' if neuron.receptors else ' with'} "
        + ", ".join(f"{model.title.lower()} ({name})" for name, model in receptors.items()),
        states=(*_driven(neuron, currents), *states),
        parameters=(*neuron.parameters, *parameters),
        source="; ".join(dict.fromkeys([neuron.source, *(model.source for model in receptors.values())])),
        nir=None,
        receptors=(*neuron.receptors, *added),
    )
    return replace(composed, default_method=_default_method(composed))


def _symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name, real=True)


def _check_name(neuron: NeuronSpec, name: str) -> None:
    if not re.fullmatch(NAME, name) or keyword.iskeyword(name) or name in RESERVED:
        raise ValueError(
            f"{neuron.name}: {name!r} cannot name a receptor; use letters, digits and inner underscores, and no word "
            f"of Python or of the equations ({', '.join(sorted(RESERVED))})"
        )
    if name == BUILT_IN:
        raise ValueError(
            f"{neuron.name}: the receptor {BUILT_IN!r} is built in (it adds to the input); choose another name"
        )
    if name in {receptor.name for receptor in neuron.receptors}:
        raise ValueError(f"{neuron.name} has a receptor {name!r} already; choose another name")


def _units(neuron: NeuronSpec, name: str, model: ReceptorModel) -> dict[str, str]:
    """Unit as the model writes it -> unit on this neuron."""
    membrane = next(state.unit for state in neuron.states if state.name == neuron.membrane)
    units = {unit: unit for unit in model.units}
    units.update({"input": neuron.input_unit, "membrane": membrane})
    if "conductance" in model.units:
        if (neuron.input_unit, membrane) not in _CONDUCTANCES:
            raise ValueError(
                f"{neuron.name}: receptor {name!r} ({model.title}) is a conductance, which needs a membrane in V and "
                f"an input in A, or both dimensionless; here the membrane {neuron.membrane} is in {membrane!r} and the "
                f"input in {neuron.input_unit!r}"
            )
        units["conductance"] = _CONDUCTANCES[neuron.input_unit, membrane]
    return units


def _driven(neuron: NeuronSpec, currents: list[str]) -> list[State]:
    """The neuron's own states, with the currents added to the input."""
    if not currents:
        return list(neuron.states)
    total = {INPUT: f"({' + '.join([INPUT, *currents])})"}
    driven = [replace(state, derivative=rename(state.derivative, total)) for state in neuron.states]
    if driven == list(neuron.states):
        raise ValueError(f"{neuron.name}: no equation uses the input {INPUT!r}, so a receptor's current cannot act")
    return driven


def _default_method(neuron: NeuronSpec) -> str:
    if neuron.default_method != "exact":
        return neuron.default_method
    try:
        discretise(neuron, "exact")
    except CannotDiscretise:
        return NONLINEAR_METHOD
    return "exact"
