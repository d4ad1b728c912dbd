"""A population as a linear system with numbers: paths from origins to states, and values without repetition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from spikelab.neurons.expression import parse
from spikelab.neurons.spec import INPUT
from spikelab.sim.event_driven.divided_difference import MOST_POINTS
from spikelab.sim.event_driven.expression_value import expression_value
from spikelab.sim.event_driven.linear_neuron import CONSTANT, LinearNeuron, NotLinear, linear_neuron
from spikelab.sim.population import Population


@dataclass(frozen=True)
class Term:
    """Target += product of couplings · divided difference of exp at the points · origin.

    Attributes:
        target: place of a state.
        origin: place of a state, of the constant or of the input.
        product: of the couplings along the path.
        points: places of the states along the path, whose rates the points are; that of the constant for rate 0.
    """

    target: int
    origin: int
    product: sp.Expr
    points: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Kind:
    """A population with its linear system.

    Attributes:
        population: the population.
        neuron: its equations.
        places: number of each state, of the constant and of the input.
        held: states that stand still in the refractory time.
        parameters: name -> float64 [rows], without repetition.
        row: which of the rows each cell has, int32 [size].
    """

    population: Population
    neuron: LinearNeuron
    places: dict[str, int]
    held: frozenset[str]
    parameters: dict[str, np.ndarray]
    row: np.ndarray

    @property
    def rows(self) -> int:
        """Number of sets of parameter values."""
        return len(next(iter(self.parameters.values()), np.zeros(1)))

    def number(self, expression: sp.Expr) -> np.ndarray:
        """An expression's value, float64 [rows]."""
        return np.broadcast_to(np.asarray(expression_value(expression, self.parameters), float), self.rows)

    def initial(self) -> np.ndarray:
        """The states at time 0, float64 [size, states]."""
        spec = self.neuron.spec
        values = np.zeros((self.population.size, len(spec.states)))
        for k, state in enumerate(spec.states):
            if state.name in self.population.initial:
                values[:, k] = self.population.initial[state.name]
            else:
                start = parse(state.initial, spec.parameter_symbols, f"{spec.name}: initial {state.name}")
                values[:, k] = self.number(start)[self.row]
        return values

    def terms(self, refractory: bool) -> list[Term]:
        """All paths by which an origin reaches a state, in either linear system."""
        held = self.held if refractory else frozenset()

        def paths(name: str, product: sp.Expr, points: tuple[int, ...]) -> list[tuple[str, sp.Expr, tuple[int, ...]]]:
            found = [(name, product, points)]
            if name in held:
                return found
            for driver, coupling in self.neuron.couplings[name].items():
                if driver in (CONSTANT, INPUT):
                    found.append((driver, product * coupling, (*points, self.places[CONSTANT])))
                else:
                    found += paths(driver, product * coupling, (*points, self.places[driver]))
            return found

        terms = []
        for name in self.neuron.spec.state_names:
            for origin, product, points in paths(name, sp.S.One, (self.places[name],)):
                if len(points) > MOST_POINTS:
                    raise NotLinear(f"{self.neuron.spec.name}: a chain of more than {MOST_POINTS - 1} states")
                terms.append(Term(self.places[name], self.places[origin], product, tuple(sorted(points))))
        return terms


def kind_of(population: Population) -> Kind:
    """The linear system of a population.

    Raises:
        NotLinear: for a neuron that the engine cannot solve; names the equation.
    """
    assert population.neuron is not None
    try:
        neuron = linear_neuron(population.neuron, population.reset)
    except NotLinear as error:
        raise NotLinear(f"population {population.name}: {error}") from None
    spec = neuron.spec
    parameters, row = _rows(population.parameters, population.size)
    kind = Kind(
        population,
        neuron,
        {name: k for k, name in enumerate((*spec.state_names, CONSTANT, INPUT))},
        frozenset(state.name for state in spec.states if state.held_while_refractory),
        parameters,
        row,
    )
    for state, rate in neuron.decay.items():
        if (kind.number(rate) < 0).any():
            raise NotLinear(
                f"population {population.name}: d{state}/dt of {spec.name} makes {state} grow by itself; the "
                f"event-driven engine takes states that decay: run it with engine='numba'"
            )
    return kind


def _rows(parameters: Mapping[str, Any], size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Parameter values without repetition, and which of them each cell has."""
    varied = [name for name, value in parameters.items() if np.ndim(value)]
    distinct, row = np.ones((1, len(varied))), np.zeros(size, np.int32)
    if varied and size:
        table = np.stack([np.asarray(parameters[name], float) for name in varied], axis=1)
        distinct, inverse = np.unique(table, axis=0, return_inverse=True)
        row = inverse.reshape(-1).astype(np.int32)
    found = {name: np.full(len(distinct), value, float) for name, value in parameters.items() if name not in varied}
    found.update({name: distinct[:, k] for k, name in enumerate(varied)})
    return found, row
