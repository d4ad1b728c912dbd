"""Networks in TOML files."""

import numpy as np
import pytest

from spikelab.sim.description import DescriptionError, read_network

GOOD = """
[network]
dt = "0.1 ms"
seed = 4
duration = "30 ms"

[populations.cells]
size = 50
neuron = "lif_membrane"
refractory = "2 ms"
parameters = { tau_mem = { distribution = "uniform", low = "10 ms", high = "20 ms" }, capacitance = "200 pF" }
initial = { v = "-60 mV" }
bias = "400 pA"
receptors.excitatory = { model = "exponential_current", tau_syn = "5 ms" }

[sources.drive]
size = 5
source = { kind = "poisson", rate = "200 Hz" }

[[projections]]
source = "cells[:40]"
target = "cells"
wiring = { rule = "fixed_probability", p = 0.1 }
receptor = "excitatory"
weight = { distribution = "normal", mean = "10 pA", standard_deviation = "1 pA" }
delay = "1.5 ms"

[[projections]]
source = "drive"
target = "cells[10:]"
wiring = { rule = "all_to_all" }
receptor = "excitatory"
weight = "50 pA"

[[inputs]]
target = "cells"
receptor = "excitatory"
input = { kind = "poisson", rate = "1 kHz", weight = "5 pA" }

[[inputs]]
target = "cells[:3]"
input = { kind = "steps", times = [0.0, "10 ms"], values = ["0 pA", "100 pA"] }
"""


@pytest.fixture
def write(tmp_path):
    def written(text):
        (tmp_path / "network.toml").write_text(text)
        return tmp_path / "network.toml"

    return written


def test_a_file_makes_the_network_that_it_describes(write):
    network, duration = read_network(write(GOOD))
    assert duration == "30 ms"
    assert (network.dt, network.seed) == (1e-4, 4)
    cells = network.populations["cells"]
    assert cells.size == 50
    assert 10e-3 <= cells.parameters["tau_mem"].min() < cells.parameters["tau_mem"].max() <= 20e-3
    assert cells.parameters["tau_syn_excitatory"] == 5e-3
    first, second = network.projections
    assert (first.source.size, second.target.first, second.target.size) == (40, 10, 40)
    assert network.synapses(second).count == 200
    assert network.synapses(first).delays == 15
    assert np.isclose(network.synapses(first).weights.mean(), 10e-12, rtol=0.1)
    spikes = network.record_spikes(cells)
    network.run(duration)
    assert len(spikes) > 0


def test_entries_of_the_network_can_be_overridden(write):
    network, _ = read_network(write(GOOD), seed=9, dtype="float32")
    assert (network.seed, network.dtype) == (9, "float32")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 4", "sede = 4", r"\[network\]: \[network\] has no entry 'sede'; did you mean 'seed'\?"),
        ("size = 50", "", r"\[populations\.cells\]: 'size' is missing"),
        (
            '"lif_membrane"',
            '"lif_membran"',
            r"\[populations\.cells\]: neurons: unknown name 'lif_membran'; did you mean",
        ),
        ('"200 pF"', '"200 mV"', r"\[populations\.cells\]: cells: capacitance"),
        ('tau_syn = "5 ms"', 'tau = "5 ms"', "exponential_current has no parameter 'tau'"),
        ('"cells[:40]"', '"cell[:40]"', r"\[\[projections\]\] number 1: no population 'cell'; did you mean 'cells'\?"),
        ('"cells[:40]"', '"cells[::2]"', r"name a population, or a range such as cells\[:100\]"),
        ('rule = "all_to_all"', 'rule = "all_to_al"', r"number 2: wiring: unknown name 'all_to_al'"),
        ("p = 0.1", "p = 1.5", r"number 1: FixedProbability: p = 1\.5 must be a probability"),
        ("p = 0.1", "q = 0.1", r"number 1: .*'q'"),
        ('"1.5 ms"', '"-1.5 ms"', r"number 1: projection 0 \(cells\[0:40\] to cells\): delay -0\.0015 s is negative"),
        ('kind = "poisson", rate = "1 kHz"', 'rate = "1 kHz"', r"\[\[inputs\]\] number 1: .*give a table with kind"),
        ('distribution = "normal"', 'distribution = "gauss"', "unknown name 'gauss'"),
        ("[[inputs]]", "[[input]]", "the file has no entry 'input'; did you mean 'inputs'"),
        ("[network]", "[network", "not a TOML file"),
    ],
)
def test_mistakes_are_named_with_their_place(write, old, new, message):
    assert old in GOOD
    with pytest.raises(ValueError, match=message) as caught:
        read_network(write(GOOD.replace(old, new, 1)))
    assert "network.toml" in str(caught.value)


def test_a_name_in_a_file_can_only_be_a_registered_one(write):
    with pytest.raises(DescriptionError, match="unknown name 'os:system'"):
        read_network(write(GOOD.replace('"all_to_all"', '"os:system"')))
