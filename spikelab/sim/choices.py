"""A model chosen by name, with values for its parameters: a receptor, a plasticity rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikelab import registry
from spikelab.neurons.receptor import ReceptorModel


class Receptor:
    """How an arriving spike acts on a neuron: a synapse type with values for its parameters.

    Args:
        model: a registered name (``spikelab.registry.names("receptors")``), or one's own ``ReceptorModel``.
        parameters: value of each parameter that is not to keep its default: a number in SI units, a quantity, an array
            with one value for each neuron, or a distribution.

    Raises:
        ValueError: for a parameter that the model does not have.
    """

    def __init__(self, model: str | ReceptorModel, **parameters: Any):
        self.model: ReceptorModel = registry.load("receptors", model) if isinstance(model, str) else model
        self.parameters = parameters
        known = [each.name for each in self.model.parameters]
        check_names(parameters, known, f"receptor {self.model.name}", "parameter")

    def __repr__(self) -> str:
        values = "".join(f", {name}={value!r}" for name, value in self.parameters.items())
        return f"Receptor({self.model.name!r}{values})"


def check_names(given: Mapping[str, Any], known: list[str], what: str, kind: str) -> None:
    """Raises ValueError if a name that was given is not among the known ones; suggests the closest."""
    for name in given:
        if name not in known:
            if not known:
                raise ValueError(f"{what} has no {kind} {name!r}; it has none at all")
            raise ValueError(f"{what} has no {kind} {name!r}; {registry.suggestion(name, known)}")
