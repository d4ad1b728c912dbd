"""A plasticity rule chosen by name, with values for its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from spikelab import registry
from spikelab.neurons.expression import rename
from spikelab.sim.choices import check_names
from spikelab.sim.plasticity.constants import Constants, constants
from spikelab.sim.plasticity.modulator import Signal, SpikeSignal, StepSignal
from spikelab.sim.plasticity.rewiring import Rewiring
from spikelab.sim.plasticity.spec import WEIGHT_UNIT, PlasticitySpec
from spikelab.sim.plasticity.strategy import choose
from spikelab.sim.units import si

#: Ways to run a rule; see ``strategy.choose``.
EXECUTIONS = ("", "per_sender", "snapshot", "history")
#: Delays that the synapses of one projection may have; each takes a set of rows of its own.
MOST_DELAYS = 256


class Plasticity:
    """How the weights of a projection change: a rule with values for its parameters.

    Args:
        rule: a registered name (``spikelab.registry.names("plasticity")``), or one's own ``PlasticitySpec``.
        execution: how to run it: "snapshot", "history" or "per_sender"; by default the fastest that the equations
            allow. Results agree within rounding.
        modulator: for a rule that has one, the signal that reaches all synapses alike: a number, which
            ``Network.set_modulator`` changes between runs, a ``StepSignal`` or a ``SpikeSignal``.
        rewiring: how weak synapses are replaced, or None. This and a ``StepSignal`` may also be given as a mapping of
            their fields, as a settings file has them.
        **parameters: value of each parameter that is not to keep its default: a number in SI units or a quantity.

    Raises:
        ValueError: for a parameter that the rule does not have, or a modulator where it has none.
    """

    def __init__(
        self,
        rule: str | PlasticitySpec,
        *,
        execution: str = "",
        modulator: Signal | Mapping[str, Any] | None = None,
        rewiring: Rewiring | Mapping[str, Any] | None = None,
        **parameters: Any,
    ):
        self.rule: PlasticitySpec = registry.load("plasticity", rule) if isinstance(rule, str) else rule
        if not isinstance(self.rule, PlasticitySpec):
            raise TypeError(f"plasticity: takes a rule's name or a PlasticitySpec, got {type(rule).__name__}")
        if execution not in EXECUTIONS:
            raise ValueError(f"plasticity: execution {execution!r}: takes {', '.join(map(repr, EXECUTIONS))}")
        if modulator is not None and not self.rule.modulated:
            raise ValueError(f"plasticity {self.rule.name} has no modulator in its equations")
        if isinstance(rewiring, Mapping):
            rewiring = _made(Rewiring, rewiring, f"plasticity {self.rule.name}: rewiring")
        if isinstance(modulator, Mapping):
            modulator = _made(StepSignal, modulator, f"plasticity {self.rule.name}: modulator")
        if rewiring is not None and not isinstance(rewiring, Rewiring):
            raise TypeError(f"plasticity: rewiring takes a sim.Rewiring, got {type(rewiring).__name__}")
        self.execution, self.parameters, self.rewiring = execution, parameters, rewiring
        self.modulator: Signal = 0.0 if modulator is None else modulator  # type: ignore[assignment]
        check_names(parameters, list(self.rule.parameter_names), f"plasticity {self.rule.name}", "parameter")

    def __repr__(self) -> str:
        values = "".join(f", {name}={value!r}" for name, value in self.parameters.items())
        return f"Plasticity({self.rule.name!r}{values})"

    def signal_delay(self, where: str, dt: float) -> int | None:
        """Steps from a spike of a ``SpikeSignal`` to its effect; None for another modulator."""
        if not isinstance(self.modulator, SpikeSignal):
            return None
        return self.modulator.checked(f"{where}: modulator", dt)[1]

    def check(self, unit: str, weights: np.ndarray, delays: np.ndarray, dt: float, where: str) -> None:
        """Raises ValueError for whatever cannot be run.

        Args:
            unit: of a weight.
            weights: the initial ones.
            delays: in steps.
            dt: time step, seconds.
            where: the projection, for errors.
        """
        numbers = self.constants(unit, where)
        execution, kinds = choose(self.rule, numbers, dt, self.execution), np.unique(delays).size
        if execution != "per_sender" and kinds > MOST_DELAYS:
            raise ValueError(
                f"{where}: {kinds} different delays; a plastic projection takes up to {MOST_DELAYS}. Round the delays, "
                f"or give one to all"
            )
        if self.rewiring is not None:
            if execution == "per_sender":
                raise ValueError(f"{where}: weights of {self.rule.name} stay, so none gets weak enough to be rewired")
            self.rewiring.checked(f"{where}: rewiring", unit, numbers, dt)
        numbers.check_weights(weights, f"{where}: {self.rule.name}")
        numbers.steps_of_interval(dt, f"{where}: {self.rule.name}")
        if isinstance(self.modulator, StepSignal | SpikeSignal):
            self.modulator.checked(f"{where}: modulator", dt)
        else:
            si(self.modulator, "1", f"{where}: modulator")

    def constants(self, weight_unit: str, where: str) -> Constants:
        """The rule's numbers.

        Args:
            weight_unit: unit of a weight of the projection.
            where: the projection, for errors.

        Raises:
            ValueError: for a value that is missing, of a wrong unit, not finite or not allowed.
        """
        numbers = {}
        for parameter in self.rule.parameters:
            what = f"{where}: {self.rule.name}: {parameter.name}"
            if parameter.name not in self.parameters and math.isnan(parameter.default):
                raise ValueError(f"{what} ({parameter.meaning}) has no default; give a value")
            unit = rename(parameter.unit, {WEIGHT_UNIT: f"({weight_unit})" if "/" in weight_unit else weight_unit})
            value = self.parameters.get(parameter.name, parameter.default)
            try:
                numbers[parameter.name] = float(si(value, unit, what))
            except TypeError as error:
                raise TypeError(f"{what}: takes one number for all synapses, got {value!r}") from error
            parameter.check(numbers[parameter.name], f"{where}: {self.rule.name}")
        return constants(self.rule, numbers, f"{where}: {self.rule.name}")


def _made(kind: type, given: Mapping[str, Any], what: str) -> Any:
    """A record of that kind from a mapping of its fields."""
    known = [each.name for each in fields(kind)]
    check_names(given, known, what, "entry")
    missing = [name for name in known if name not in given]
    if missing:
        raise ValueError(f"{what}: {', '.join(missing)} is missing")
    return kind(**given)
