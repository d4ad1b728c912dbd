"""What a network is made of: populations, projections and inputs as plain records, checked when they are declared."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from spikelab import registry
from spikelab.neurons.receptor import with_receptors
from spikelab.neurons.spec import NeuronSpec
from spikelab.neurons.step import StepOptions, build_step, find_neuron, neuron_name
from spikelab.sim.choices import Receptor, check_names
from spikelab.sim.describe import describe
from spikelab.sim.distributions import Distribution, values
from spikelab.sim.inputs import Input, InputRecord, NoiseCurrent, PoissonInput, StepCurrent
from spikelab.sim.monitors import Monitor
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.modulator import SpikeSignal
from spikelab.sim.population import LARGEST, Group, Population, as_group
from spikelab.sim.projection import Projection, Synapses
from spikelab.sim.random_numbers import stream_key
from spikelab.sim.sources import PoissonSource, SpikeArray, SpikeSource
from spikelab.sim.streams import STREAM_OF_INPUTS, STREAM_OF_PARAMETERS, STREAM_OF_WIRING
from spikelab.sim.synapses import check_conductances, make_synapses
from spikelab.sim.units import show, si, warn_of_units
from spikelab.sim.wiring.rule import Wiring

_SIGNS = ("", "excitatory", "inhibitory")


class Declaration:
    """The half of ``Network`` that says what there is; see there."""

    def __init__(
        self,
        dt: Any = 1e-4,
        seed: int = 0,
        dtype: Literal["float64", "float32"] = "float64",
        *,
        wire_at_once: bool = True,
    ):
        self.dt = float(si(dt, "s", "dt"))
        if not self.dt > 0:
            raise ValueError(f"dt = {self.dt:g} s must be > 0, such as 0.1 ms")
        warn_of_units(self.dt, "s", "dt", most=0.01)
        if dtype not in ("float64", "float32"):
            raise ValueError(f"dtype {dtype!r}: takes 'float64' or 'float32'")
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed = {seed!r} must be a whole number, 0 or more")
        self.seed, self.dtype, self.wire_at_once = int(seed), dtype, wire_at_once
        self.populations: dict[str, Population] = {}
        self.projections: list[Projection] = []
        self.inputs: list[InputRecord] = []
        self.monitors: list[Monitor] = []
        self._synapses: dict[int, Synapses] = {}
        self._engine: Any = None

    def population(
        self,
        name: str,
        size: int,
        neuron: str | NeuronSpec,
        *,
        receptors: Mapping[str, Receptor] | None = None,
        refractory: Any = 0.0,
        initial: Mapping[str, Any] | None = None,
        method: str = "",
        reset: str = "",
        bias: Any = 0.0,
        sign: Literal["", "excitatory", "inhibitory"] = "",
        positions: Any = None,
        **parameters: Any,
    ) -> Population:
        """Adds neurons of one kind.

        Args:
            name: of the population.
            size: number of neurons.
            neuron: a registered name (``spikelab.registry.names("neurons")``) or one's own equations.
            receptors: name -> synapse type. The receptor "current", the neuron's input itself, is always there: a spike
                that arrives at it is an input of its weight for one step.
            refractory: refractory time, rounded to whole steps: two spikes lie no closer, so the membrane is held for
                one step less after the step of the spike, as in Brian2. NEST holds it one step longer: its ``t_ref`` of
                2 ms is a refractory time of 2 ms + dt here.
            initial: starting values of states: one value, one for each neuron, or a distribution.
            method: discretisation, one of ``spikelab.neurons.discretise.METHODS`` as far as the equations allow; the
                neuron's own by default. That of ``hodgkin_huxley`` is of first order: take a dt of 0.02 ms or less.
            reset: one of the neuron's resets; its own by default.
            bias: constant input.
            sign: makes outgoing weights of the other sign an error (Dale's law).
            positions: of the neurons in space, [size, 2 or 3], metres.
            **parameters: values of the neuron's parameters: one value, one for each neuron, or a distribution.

        Raises:
            ValueError: for an unknown neuron, receptor, parameter or state, or a value that is not allowed.
        """
        self._check_new(name, size)
        spec = find_neuron(neuron)
        if receptors is not None and not isinstance(receptors, Mapping):
            raise TypeError(
                f'{name}: receptors takes name -> sim.Receptor, such as {{"excitatory": sim.Receptor("delta")}}, got '
                f"{type(receptors).__name__}"
            )
        chosen = dict(receptors or {})
        for receptor, choice in chosen.items():
            if not isinstance(choice, Receptor):
                raise TypeError(f"{name}: receptor {receptor!r} takes a sim.Receptor, got {type(choice).__name__}")
        if "current" in chosen:
            raise ValueError(f"{name}: the receptor 'current' is always there; choose another name")
        composed = with_receptors(spec, {key: choice.model for key, choice in chosen.items()}) if chosen else spec
        given = dict(parameters)
        for receptor, choice in chosen.items():
            given.update({f"{parameter}_{receptor}": value for parameter, value in choice.parameters.items()})
        check_names(given, list(composed.parameter_names), f"{name} ({spec.name})", "parameter")
        check_names(initial or {}, list(composed.state_names), f"{name} ({spec.name})", "state")
        if sign not in _SIGNS:
            raise ValueError(f"{name}: sign {sign!r}: takes 'excitatory', 'inhibitory' or ''")
        draw = _Draws(self, name, size)
        numbers = {}
        for parameter in composed.parameters:
            value = draw(given.get(parameter.name, parameter.default), parameter.unit, parameter.name)
            for extreme in (np.min(value), np.max(value)) if np.size(value) else ():
                parameter.check(float(extreme), name)
            # time constants of adaptation reach seconds
            most = 10.0 if parameter.unit == "s" else None
            warn_of_units(value, parameter.unit, f"{name}: {parameter.name}", most)
            numbers[parameter.name] = value
        _check_choices(composed, method, reset, numbers, name)
        units = {state.name: state.unit for state in composed.states}
        start = {state: draw(value, units[state], f"initial {state}") for state, value in (initial or {}).items()}
        waits = si(refractory, "s", f"{name}: refractory")
        if not isinstance(waits, float):
            raise ValueError(
                f"{name}: refractory takes one time for all neurons, not {np.size(waits)}; make populations"
            )
        if waits < 0:
            raise ValueError(f"{name}: refractory = {waits:g} s must not be negative")
        warn_of_units(waits, "s", f"{name}: refractory")
        if 0 < waits < 0.5 * self.dt:
            warnings.warn(
                f"{name}: refractory = {show(waits, 's')} is less than half a time step of {show(self.dt, 's')}: "
                f"engines with a time grid take it for none",
                stacklevel=2,
            )
        constant = draw(bias, spec.input_unit, "bias")
        warn_of_units(constant, spec.input_unit, f"{name}: bias")
        population = Population(
            name=name,
            size=int(size),
            neuron=composed,
            receptors={"current": spec.input_unit, **{each.name: each.unit for each in composed.receptors}},
            parameters=MappingProxyType(numbers),
            initial=MappingProxyType(start),
            refractory=waits,
            method=method,
            reset=reset,
            bias=constant,
            sign=sign,
            positions=_checked_positions(positions, name, size),
            given=MappingProxyType(draw.distributions),
        )
        self.populations[name] = population
        return population

    def source(self, name: str, size: int, source: SpikeSource, *, sign: str = "", positions: Any = None) -> Population:
        """Adds a population that only emits spikes: a ``PoissonSource`` or a ``SpikeArray``."""
        self._check_new(name, size)
        if not isinstance(source, PoissonSource | SpikeArray):
            raise TypeError(
                f"{name}: a source is a PoissonSource or a SpikeArray, got {type(source).__name__}; what drives "
                f"neurons without synapses goes to network.input"
            )
        source.checked(name, size, self.dt)
        if sign not in _SIGNS:
            raise ValueError(f"{name}: sign {sign!r}: takes 'excitatory', 'inhibitory' or ''")
        where = _checked_positions(positions, name, size)
        population = Population(name=name, size=int(size), sign=sign, source=source, positions=where)
        self.populations[name] = population
        return population

    def projection(
        self,
        source: Population | Group,
        target: Population | Group,
        wiring: Wiring,
        *,
        receptor: str,
        weight: Any = None,
        delay: Any = None,
        plasticity: Plasticity | None = None,
    ) -> Projection:
        """Adds synapses from one group to another.

        Args:
            source: where the spikes come from.
            target: where they arrive.
            wiring: which pairs are connected.
            receptor: the receptor of the target on which they act.
            weight: one value, a distribution, or with explicit wiring one value for each synapse; left out where the
                wiring brings weights, as ``FromMatrix`` does.
            delay: the same; one step by default. One value must be a whole number of steps; others are rounded to it.
            plasticity: a ``Plasticity``, or None for weights that stay.

        Raises:
            ValueError: for a receptor that the target lacks, a delay below dt, weights of the wrong unit or sign.
        """
        self._check_open()
        pre, post = self._own(source, "source"), self._own(target, "target")
        if post.population.neuron is None:
            raise ValueError(f"{post} is a source of spikes; nothing can arrive there")
        known = list(post.population.receptors)
        if receptor not in known:
            raise ValueError(f"{post} has no receptor {receptor!r}; {registry.suggestion(receptor, known)}")
        if not isinstance(wiring, Wiring):
            raise TypeError(f"wiring: takes a rule such as sim.FixedProbability(0.1), got {type(wiring).__name__}")
        delay = self.dt if delay is None else delay
        projection = Projection(len(self.projections), pre, post, wiring, receptor, weight, delay, plasticity)
        self.projections.append(projection)
        if not self.wire_at_once:
            return projection
        try:
            synapses = self.synapses(projection)
            if plasticity is not None:
                self._check_plasticity(projection, synapses)
        except BaseException:
            self.projections.pop()
            raise
        return projection

    def input(self, target: Population | Group, input: Input, *, receptor: str = "") -> InputRecord:
        """Drives a group from outside.

        Args:
            target: the neurons.
            input: a ``PoissonInput``, ``NoiseCurrent`` or ``StepCurrent``.
            receptor: for Poisson spikes, the receptor at which they arrive; may be left out where there is none but
                "current", the neuron's input itself, for which a spike is an input of its weight for one step.

        Raises:
            ValueError: for a receptor that the target lacks, or a value that is not allowed.
        """
        self._check_open()
        group = self._own(target, "target")
        if not isinstance(input, PoissonInput | NoiseCurrent | StepCurrent):
            raise TypeError(
                f"input: takes a PoissonInput, NoiseCurrent or StepCurrent, got {type(input).__name__}; a population "
                f"that emits spikes is made by network.source and reaches {group} by a projection"
            )
        known = list(group.population.receptors)
        if not receptor and isinstance(input, PoissonInput) and len(known) > 1:
            raise ValueError(
                f"{group}: say at which receptor the spikes arrive: receptor={' or '.join(map(repr, known))}"
            )
        receptor = receptor or "current"
        if receptor not in known:
            raise ValueError(f"{group} has no receptor {receptor!r}; {registry.suggestion(receptor, known)}")
        if not isinstance(input, PoissonInput) and receptor != "current":
            raise ValueError(f"a {type(input).__name__} is a current; it cannot act on the receptor {receptor!r}")
        number = len(self.inputs)
        what = f"input {number} ({type(input).__name__} into {group})"
        key, drawn = (int(stream_key(self.seed, STREAM_OF_INPUTS + 2 * number + k)) for k in range(2))
        numbers = input.checked(what, group.population.receptors[receptor], group.size, drawn, self.dt)
        unit = group.population.receptors[receptor]
        for values_ in numbers[:2] if isinstance(input, NoiseCurrent) else numbers[1:]:
            warn_of_units(values_, unit, what)
        if isinstance(input, PoissonInput):
            check_conductances(numbers[1], receptor in group.population.conductances, what)
        record = InputRecord(number, group, receptor, input, key, numbers)
        self.inputs.append(record)
        return record

    def synapses(self, projection: Projection) -> Synapses:
        """The synapses of a projection, made when they are first asked for."""
        self._own_projection(projection)
        if projection.number not in self._synapses:
            key = int(stream_key(self.seed, STREAM_OF_WIRING + projection.number))
            self._synapses[projection.number] = make_synapses(projection, self.dt, key, np.dtype(self.dtype))
        return self._synapses[projection.number]

    def describe(self) -> str:
        """The network in words, for a methods section and for oneself."""
        return describe(self)

    # ------------------------------------------------------------------------------------------------------- checks

    def _check_plasticity(self, projection: Projection, synapses: Synapses) -> None:
        if not isinstance(projection.plasticity, Plasticity):
            kind = type(projection.plasticity).__name__
            raise TypeError(f'plasticity: takes a rule such as sim.Plasticity("pair_stdp", w_max=...), got {kind}')
        unit = projection.target.population.receptors[projection.receptor]
        weights = np.atleast_1d(np.asarray(synapses.weights, self.dtype))[: synapses.count]
        delays = np.atleast_1d(np.asarray(synapses.delays))
        projection.plasticity.check(unit, weights, delays, self.dt, str(projection))
        signal = projection.plasticity.modulator
        if isinstance(signal, SpikeSignal):
            self._own(signal.group, f"{projection}: the modulator")

    def _own(self, choice: Any, what: str) -> Group:
        """A population of this network, or a range of one."""
        group = as_group(choice, what)
        if self.populations.get(group.population.name) is not group.population:
            raise ValueError(f"{what}: {group} belongs to another network")
        return group

    def _own_projection(self, projection: Any) -> None:
        if not isinstance(projection, Projection):
            raise TypeError(f"takes what network.projection returned, got {type(projection).__name__}")
        if projection.number >= len(self.projections) or self.projections[projection.number] is not projection:
            raise ValueError(f"{projection} belongs to another network")

    def _check_open(self) -> None:
        if self._engine is not None:
            raise RuntimeError("the network already runs; add populations, projections and inputs before the first run")

    def _check_new(self, name: str, size: int) -> None:
        self._check_open()
        if not re.fullmatch(r"[A-Za-z]\w*", name):
            raise ValueError(f"population name {name!r}: use letters, digits and underscores, a letter first")
        if name in self.populations:
            raise ValueError(f"there is a population {name!r} already")
        if not isinstance(size, int | np.integer) or not 0 <= size <= LARGEST:
            raise ValueError(f"{name}: size {size!r} must be a whole number from 0 to {LARGEST}")


class _Draws:
    """Values of a population's parameters and states; each has random numbers of its own, whatever else is drawn."""

    def __init__(self, network: Declaration, name: str, size: int):
        self._seed, self._name, self._size = network.seed, name, size
        self._stream = STREAM_OF_PARAMETERS + (len(network.populations) << 12)
        self.distributions: dict[str, Distribution] = {}

    def __call__(self, value: Any, unit: str, what: str) -> float | np.ndarray:
        self._stream += 1
        key = int(stream_key(self._seed, self._stream))
        if isinstance(value, Distribution):
            self.distributions[what] = value
        found = values(value, unit, self._size, key, f"{self._name}: {what}")
        if isinstance(found, np.ndarray):
            # a copy, so that changing the caller's array, or this one, changes nothing unseen
            found = found.copy()
            found.flags.writeable = False
        return found


def _check_choices(spec: NeuronSpec, method: str, reset: str, parameters: Mapping[str, Any], name: str) -> None:
    """Refuses what would only show when the network is run: methods and resets that there are not, endless spiking."""
    if method or reset:
        try:
            build_step(StepOptions(neuron=neuron_name(spec), method=method, reset=reset))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    after = spec.resets.get(reset or spec.default_reset, "")
    if after == "v_reset" and "v_threshold" in parameters and spec.gate == "v - v_threshold":
        low, high = parameters["v_reset"], parameters["v_threshold"]
        for place in np.flatnonzero(np.atleast_1d(low) > high)[:1]:
            raise ValueError(
                f"{name}: v_reset = {show(float(np.ravel(low)[place]), 'V')} lies above v_threshold, so a neuron that "
                f"spiked once would spike for ever; set it below"
            )


def _checked_positions(positions: Any, name: str, size: int) -> np.ndarray | None:
    if positions is None:
        return None
    where = np.asarray(si(positions, "m", f"{name}: positions"), float)
    if where.ndim != 2 or where.shape[0] != size or where.shape[1] not in (1, 2, 3):
        raise ValueError(f"{name}: positions of shape {where.shape}; takes [{size}, 1, 2 or 3]")
    return where
