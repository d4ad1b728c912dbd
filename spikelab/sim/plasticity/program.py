"""A rule's statements, sorted into what is computed once for a neuron and what is computed for each of its synapses."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from spikelab.sim.plasticity.spec import PlasticitySpec
from spikelab.sim.plasticity.statements import Statement


@dataclass(frozen=True)
class Event:
    """What a spike does.

    A neuron's traces change between the statements of its synapses, so each assignment to a trace makes a version with
    a name of its own. All versions can then be computed before any synapse is looked at.

    Attributes:
        versions: (name, value) of the neuron's own traces, in order; the value as it was before has the trace's name.
        synapse: (variable, value) for each synapse, in order, over versions of traces.
        after: trace -> the name of its last version.
    """

    versions: tuple[tuple[str, sp.Expr], ...]
    synapse: tuple[tuple[str, sp.Expr], ...]
    after: dict[str, str]

    def needed(self) -> tuple[tuple[str, sp.Expr], ...]:
        """The versions that the synapses' lines use, directly or through other versions."""
        wanted = {symbol.name for _, value in self.synapse for symbol in value.free_symbols}
        kept = []
        for name, value in reversed(self.versions):
            if name in wanted:
                kept.append((name, value))
                wanted |= {symbol.name for symbol in value.free_symbols}
        return tuple(reversed(kept))

    def names(self) -> set[str]:
        """Every name that the synapses' lines read, through versions too."""
        lines = (*self.needed(), *self.synapse)
        return {symbol.name for _, value in lines for symbol in value.free_symbols}


def event(statements: tuple[Statement, ...], traces: set[str]) -> Event:
    """Sorts statements in which ``traces`` belong to the neuron that spiked."""
    now = {name: name for name in traces}
    versions: list[tuple[str, sp.Expr]] = []
    synapse: list[tuple[str, sp.Expr]] = []
    for each in statements:
        names = {sp.Symbol(name, real=True): sp.Symbol(version, real=True) for name, version in now.items()}
        value = each.value.xreplace(names)
        if each.name in traces:
            now[each.name] = f"{each.name}_{len(versions) + 1}_"
            versions.append((now[each.name], value))
        else:
            synapse.append((each.name, value))
    return Event(tuple(versions), tuple(synapse), now)


def pre_event(spec: PlasticitySpec) -> Event:
    """What the arrival of a sender's spike does."""
    return event(spec.pre_statements, {each.name for each in spec.pre})


def post_event(spec: PlasticitySpec) -> Event:
    """What a spike of the target does."""
    return event(spec.post_statements, {each.name for each in spec.post})
