"""Writes the populations into the arrays of ``cells``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikelab.neurons.expression import parse
from spikelab.sim.event_driven.cells import (
    ARRIVALS,
    BOUNDED,
    CHAIN,
    CHAIN_RATES,
    CHANGED,
    COEFFICIENTS,
    COUPLINGS,
    FREE_FROM,
    HEADER,
    HELD,
    HORIZON,
    INPUT,
    JUMPS,
    LEVELS,
    RATES,
    REFRACTORY_TIME,
    RESETS,
    SCRATCH_ROWS,
    SOLUTION,
    STATES,
    VALUES,
    Cells,
    make_cells,
)
from spikelab.sim.event_driven.divided_difference import MOST_POINTS, SERIES_TERMS
from spikelab.sim.event_driven.kind import Kind
from spikelab.sim.event_driven.linear_neuron import Row

#: A crossing is looked for this many of a cell's longest time constants ahead at once.
_HORIZON = 4.0
#: The same, in seconds, for a cell that has no time constant.
_HORIZON_WITHOUT_DECAY = 1.0


class _Writer:
    """A population's program and numbers as they are written.

    Attributes:
        program: its header, then its lists; entries of the header that point to lists count from its beginning.
        numbers: columns of float64 [rows].
        pointers: the entries of the header that point to lists.
    """

    def __init__(self, kind: Kind):
        self.kind = kind
        self.program = [0] * HEADER
        self.numbers: list[np.ndarray] = []
        self.pointers: list[int] = []
        neuron, places = kind.neuron, kind.places
        names = neuron.spec.state_names
        self.program[STATES], self.program[LEVELS] = len(names), len(neuron.chain)
        width = len(names) + 2
        free = {name: kind.number(neuron.decay[name]) for name in names}
        for mode in (0, 1):
            still = kind.held if mode else frozenset()
            self._number(RATES + mode, *(0.0 * free[name] if name in still else free[name] for name in names))
            self.numbers.append(np.zeros(kind.rows))
            self._solution(mode)
        self._list(BOUNDED, [*(places[name] for name in bounded_states(kind)), -1])
        self._list(CHANGED, [*(places[name] for name in neuron.resets), -1])
        self._list(ARRIVALS, [places[receptor.state] for receptor in neuron.spec.receptors])
        self._list(HELD, [int(name in kind.held) for name in names])
        self._rows(CHAIN, [row for _, row in neuron.chain], width)
        self._number(CHAIN_RATES, *(kind.number(rate) for rate, _ in neuron.chain))
        self._rows(COUPLINGS, [neuron.couplings[name] for name in names], width)
        self._rows(RESETS, [neuron.resets.get(name, {}) for name in names], width - 1)
        symbols = neuron.spec.parameter_symbols
        jumps = [parse(each.jump, symbols, f"jump of receptor {each.name}") for each in neuron.spec.receptors]
        self._number(JUMPS, *map(kind.number, jumps))
        self._number(REFRACTORY_TIME, np.full(kind.rows, kind.population.refractory))
        slowest = np.min([np.where(rate > 0, rate, np.inf) for rate in free.values()], axis=0)
        self._number(HORIZON, np.where(np.isfinite(slowest), _HORIZON / slowest, _HORIZON_WITHOUT_DECAY))

    def _list(self, entry: int, numbers: Sequence[int]) -> None:
        self.program[entry] = len(self.program)
        self.pointers.append(entry)
        self.program += numbers

    def _number(self, entry: int, *columns: np.ndarray) -> None:
        self.program[entry] = len(self.numbers)
        self.numbers += columns

    def _rows(self, entry: int, rows: Sequence[Row], width: int) -> None:
        columns = [np.zeros(self.kind.rows) for _ in range(len(rows) * width)]
        for k, row in enumerate(rows):
            for origin, factor in row.items():
                columns[k * width + self.kind.places[origin]] = self.kind.number(factor)
        self._number(entry, *columns)

    def _solution(self, mode: int) -> None:
        terms = self.kind.terms(refractory=bool(mode))
        differences = sorted({term.points for term in terms}, key=lambda points: (len(points), points))
        order = {points: d for d, points in enumerate(differences)}
        entries = [len(differences)]
        for points in differences:
            entries += [len(points), *points]
        entries.append(len(terms))
        for term in terms:
            entries += [term.target, term.origin, order[term.points]]
        self._list(SOLUTION + mode, entries)
        self._number(COEFFICIENTS + mode, *(self.kind.number(term.product) for term in terms))


def bounded_states(kind: Kind) -> list[str]:
    """The states on which the second function of the chain depends, drivers first."""
    chain, couplings = kind.neuron.chain, kind.neuron.couplings
    reached = set(chain[1][1]) if len(chain) > 1 else set()
    for name in kind.neuron.order:
        if name in reached:
            reached |= set(couplings[name])
    return [name for name in reversed(kind.neuron.order) if name in reached]


def build_cells(kinds: Sequence[Kind]) -> Cells:
    """All cells at time 0."""
    writers = [_Writer(kind) for kind in kinds]
    places, programs, numbers = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    program_first = number_first = 0
    for writer in writers:
        program = np.array(writer.program, np.int64)
        program[writer.pointers] += program_first
        width = len(writer.numbers)
        rows = number_first + writer.kind.row.astype(np.int64) * width
        places.append(np.stack([np.full(rows.size, program_first), rows], axis=1))
        programs.append(program)
        numbers.append(np.stack(writer.numbers, axis=1).ravel())
        program_first += program.size
        number_first += numbers[-1].size
    most = max([1, *(len(kind.neuron.spec.states) for kind in kinds)])
    # a program is longer than any of the lists that it leads to
    longest = max([1, *(len(writer.program) for writer in writers)])
    state = np.zeros((sum(kind.population.size for kind in kinds), VALUES + most))
    first = 0
    for kind in kinds:
        own = state[first : first + kind.population.size]
        own[:, INPUT], own[:, FREE_FROM] = kind.population.bias, -np.inf
        own[:, VALUES : VALUES + len(kind.neuron.spec.states)] = kind.initial()
        first += kind.population.size
    scratch = np.zeros((SCRATCH_ROWS, max(most + 2, longest, MOST_POINTS, SERIES_TERMS)))
    return make_cells(np.concatenate(places), np.concatenate(programs), np.concatenate(numbers), state, scratch)
