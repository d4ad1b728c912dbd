"""The documented table is the one that the code follows, and says something about everything that there is."""

from pathlib import Path

import pytest

from spikelab import registry
from spikelab.sim.nest_engine.devices import INPUTS, SOURCES
from spikelab.sim.nest_engine.documentation import document
from spikelab.sim.nest_engine.neuron_table import REFUSED_NEURONS, ROWS
from spikelab.sim.nest_engine.plastic_table import PLASTIC_ROWS, REFUSED_RULES
from spikelab.sim.nest_engine.wiring_rules import DISTRIBUTIONS, RULES

PAGE = Path(__file__).parents[3] / "docs" / "nest.md"


def test_the_page_is_what_the_tables_say():
    assert PAGE.read_text() == document(), "run: python -m spikelab.sim.nest_engine.documentation > docs/nest.md"


def test_every_registered_thing_is_translated_or_refused():
    assert set(registry.names("neurons")) == {row.neuron for row in ROWS} | set(REFUSED_NEURONS)
    assert not {row.neuron for row in ROWS} & set(REFUSED_NEURONS)
    assert set(registry.names("receptors")) <= {row.receptor for row in ROWS}
    assert set(registry.names("plasticity")) == {row.rule for row in PLASTIC_ROWS} | set(REFUSED_RULES)
    assert set(registry.names("inputs")) == set(INPUTS)
    assert set(registry.names("spike_sources")) == set(SOURCES)
    words = document()
    for kind in ("wiring", "distributions"):
        for name in registry.names(kind):
            assert f"`{registry.load(kind, name).__name__}`" in words, name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.neuron}-{row.model}")
def test_nest_has_every_parameter_and_state_that_the_table_names(nest, row):
    defaults = nest.GetDefaults(row.model)
    slots = {"signs": ("ex", "in"), "ports": (1,), "membrane": ()}[row.slots.kind]
    theirs = {each.format(slot) for each in row.slots.parameters.values() for slot in slots or ("",)}
    assert {*row.parameters, *row.fixed, *theirs} <= set(defaults)
    states = {each.format(slot) for each in row.slots.states.values() for slot in slots}
    assert {*row.states.values(), *states} <= set(map(str, defaults["recordables"]))
    assert ("t_ref" in defaults) == row.refractory


@pytest.mark.parametrize("row", PLASTIC_ROWS, ids=lambda row: row.rule)
def test_nest_has_every_parameter_of_plastic_synapses(nest, row):
    defaults = nest.GetDefaults(row.model)
    assert set(row.parameters) - {"mu_plus", "mu_minus"} <= set(defaults)
    assert {"mu_plus", "mu_minus"} & set(row.parameters) <= set(defaults)


def test_translated_rules_and_distributions_are_registered():
    assert {each.__name__ for each in RULES} < {
        registry.load("wiring", name).__name__ for name in registry.names("wiring")
    }
    known = {registry.load("distributions", name) for name in registry.names("distributions")}
    assert set(DISTRIBUTIONS) < known
