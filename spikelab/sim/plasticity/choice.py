"""A plasticity rule chosen by name, with values for its parameters."""

from __future__ import annotations

import math
from typing import Any

from spikelab import registry
from spikelab.neurons.expression import rename
from spikelab.sim.choices import check_names
from spikelab.sim.plasticity.constants import Constants, constants
from spikelab.sim.plasticity.spec import WEIGHT_UNIT, PlasticitySpec
from spikelab.sim.units import si

#: Ways to run a rule; see ``strategy.choose``.
EXECUTIONS = ("", "per_sender", "snapshot", "history")


class Plasticity:
    """How the weights of a projection change: a rule with values for its parameters.

    Args:
        rule: a registered name (``spikelab.registry.names("plasticity")``), or one's own ``PlasticitySpec``.
        execution: how to run it: "snapshot", "history" or "per_sender"; by default the fastest that the equations
            allow. Results agree within rounding.
        **parameters: value of each parameter that is not to keep its default: a number in SI units or a quantity.

    Raises:
        ValueError: for a parameter that the rule does not have.
    """

    def __init__(self, rule: str | PlasticitySpec, *, execution: str = "", **parameters: Any):
        self.rule: PlasticitySpec = registry.load("plasticity", rule) if isinstance(rule, str) else rule
        if not isinstance(self.rule, PlasticitySpec):
            raise TypeError(f"plasticity: takes a rule's name or a PlasticitySpec, got {type(rule).__name__}")
        if execution not in EXECUTIONS:
            raise ValueError(f"plasticity: execution {execution!r}: takes {', '.join(map(repr, EXECUTIONS))}")
        self.execution, self.parameters = execution, parameters
        check_names(parameters, list(self.rule.parameter_names), f"plasticity {self.rule.name}", "parameter")

    def __repr__(self) -> str:
        values = "".join(f", {name}={value!r}" for name, value in self.parameters.items())
        return f"Plasticity({self.rule.name!r}{values})"

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
