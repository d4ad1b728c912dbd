"""Counted operations beside a plain loop over every weight and event, and what the cost tables make of them."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch

from spikelab import registry
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.energy import TABLES, modelled_energy, operation_counts
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.nn.operation_costs import Cost, CostTable
from spikelab.nn.operations import synaptic_operations

LIF = {"du": 900, "dv": 300, "vth": 60}


def neuron(name):
    return registry.load("integer_neurons", name)


def weights(random, shape):
    """Half of them zero."""
    return random.integers(-99, 127, shape) * (random.random(shape) < 0.5)


def network(seed=0):
    random = np.random.default_rng(seed)
    convolution = Convolution(weights(random, (3, 2, 3, 2)), (2, 1), (1, 0), (1, 2))
    return IntegerGraph(
        {"in": Input((2, 7, 8), -2, 2)},
        [
            Population("conv", neuron("loihi_lif"), (3, 4, 6), LIF),
            Population("dense", neuron("generic_lif_16"), (5,), {"keep_mem": 20000, "v_threshold": 90}),
            Population("last", neuron("speck_if"), (5,), {"v_threshold": 9}),
        ],
        [
            Connection("in", "conv", convolution),
            Connection("conv", "dense", Dense(weights(random, (5, 3 * 2 * 3))), 2, pool=(2, 2)),
            Connection("dense", "dense", Dense(weights(random, (5, 5)), random.integers(0, 4, (5, 5)))),
            Connection("conv", "dense", Dense(weights(random, (5, 3 * 1 * 1)) * 300), 1, -3, pool=(4, 4)),
            Connection("dense", "last", OneToOne(np.array([30, 0, 20, -5, 60])), 0),
        ],
    )


def events(steps=25, samples=3, seed=1):
    random = np.random.default_rng(seed)
    return {"in": random.integers(-2, 3, (steps, samples, 2, 7, 8)) * (random.random((steps, samples, 2, 7, 8)) < 0.3)}


def counted_by_hand(graph, inputs, name):
    """(binary, graded, unit, arriving per step and sample): every weight is followed from every single message."""
    run = simulate(graph, inputs)
    sent = {**inputs, **run.messages}
    steps, samples = next(iter(sent.values())).shape[:2]
    shape = graph.population(name).shape
    binary = graded = unit = 0
    operations = np.zeros((steps, samples), int)
    for c in graph.into(name):
        for t, b, *where in np.argwhere(sent[c.source]).tolist():
            message = abs(int(sent[c.source][t, b][tuple(where)]))
            for delay in reached(c, where, graph.shape_of(c.source), shape):
                if t + delay < steps:
                    binary, graded = binary + (message == 1), graded + (message > 1)
                    unit += message
                    operations[t + delay, b] += 1
    return binary, graded, unit, operations


def reached(c, where, source, target):
    """The delay of each weight, not zero, that a message from a neuron reaches."""
    w = c.weights
    if c.pool != (1, 1):
        channel, y, x = where
        rows, columns = source[1] // c.pool[0], source[2] // c.pool[1]
        y, x = y // c.pool[0], x // c.pool[1]
        if y >= rows or x >= columns:
            return
        where, source = [channel, y, x], (source[0], rows, columns)
    if isinstance(w, Dense):
        column = int(np.ravel_multi_index(where, source))
        for row in range(len(w.weight)):
            if w.weight[row, column]:
                yield c.delay + (0 if w.delay is None else int(w.delay[row, column]))
    elif isinstance(w, OneToOne):
        if np.broadcast_to(w.weight, target).ravel()[int(np.ravel_multi_index(where, source))]:
            yield c.delay
    else:
        for o in range(target[0]):
            for y in range(target[1]):
                for x in range(target[2]):
                    i = where[1] + w.padding[0] - y * w.stride[0]
                    j = where[2] + w.padding[1] - x * w.stride[1]
                    if i % w.dilation[0] or j % w.dilation[1]:
                        continue
                    i, j = i // w.dilation[0], j // w.dilation[1]
                    inside = 0 <= i < w.weight.shape[2] and 0 <= j < w.weight.shape[3]
                    if inside and w.weight[o, where[0], i, j]:
                        yield c.delay


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", ["conv", "dense", "last"])
def test_every_weight_that_is_reached_is_counted_once(name, seed):
    graph, inputs = network(seed), events()
    layer = operation_counts(graph, inputs).layers[name]
    binary, graded, unit, operations = counted_by_hand(graph, inputs, name)
    assert (layer.synaptic_operations, layer.graded_operations, layer.unit_operations) == (binary, graded, unit)
    assert layer.peak_operations == operations.max()
    assert binary > 20
    assert layer.dense_operations > binary + graded


def test_messages_updates_and_bytes():
    graph, inputs = network(), events()
    counts = operation_counts(graph, inputs)
    run = simulate(graph, inputs, record=True)
    conv, dense, last = (counts.layers[name] for name in ("conv", "dense", "last"))
    assert conv.events_out == np.count_nonzero(run.messages["conv"])
    # what is sent at the last step arrives after the end
    assert conv.events_in == np.count_nonzero(inputs["in"][:-1])
    assert conv.peak_events_in == np.count_nonzero(inputs["in"][:-1].reshape(24, 3, -1), axis=-1).max()
    assert last.spikes_out == run.messages["last"].sum() > last.events_out
    assert conv.membrane_updates == 25 * 3 * 72
    assert last.membrane_updates == 25 * 3 * 5
    # two states of 24 bits, read and written
    assert conv.state_bytes == conv.membrane_updates * 12
    assert conv.awake_state_bytes == conv.awake_updates * 12
    # 8-bit weights; in 'dense' those of one connection need 16 bits
    assert conv.weight_bytes == conv.synaptic_operations + conv.graded_operations
    assert dense.weight_bytes > dense.synaptic_operations
    assert counts.per_sample()["conv"]["membrane_updates"] == 25 * 72
    assert counts.per_step()["conv"]["membrane_updates"] == 72
    assert counts.per_sample()["conv"]["neurons"] == 72
    assert counts.per_sample()["conv"]["peak_operations"] == conv.peak_operations
    assert counts.total("events_out") == sum(np.count_nonzero(m) for m in run.messages.values())


def test_neurons_that_are_not_awake_need_no_update():
    """Leaving out the updates that are not counted as awake changes nothing."""
    graph = network()
    inputs = events()
    inputs["in"][3:] = 0
    inputs["in"][:, 2] = 0
    counts = operation_counts(graph, inputs).layers["last"]
    run = simulate(graph, inputs, record=True)
    v, arriving = run.states["last"]["v"], run.inputs["last"]["a"]
    before = np.concatenate([np.zeros_like(v[:1]), v[:-1]])
    asleep = (before == 0) & (arriving == 0)
    assert not v[asleep].any()
    assert not run.messages["last"][asleep].any()
    assert counts.membrane_updates - counts.awake_updates == asleep.sum() > 0


def test_a_convolution_counts_as_the_layer_of_the_trained_network_does():
    random = np.random.default_rng(0)
    weight = random.integers(1, 99, (4, 2, 3, 3))
    graph = IntegerGraph(
        {"in": Input((2, 9, 8))},
        [Population("conv", neuron("generic_lif_32"), (4, 5, 4), {"keep_mem": 9000, "v_threshold": 300})],
        [Connection("in", "conv", Convolution(weight, (2, 2), (1, 1)), 0)],
    )
    x = (random.random((10, 2, 2, 9, 8)) < 0.2).astype(int)
    layer = torch.nn.Conv2d(2, 4, 3, 2, 1)
    expected = synaptic_operations(layer, torch.from_numpy(x).flatten(0, 1))
    assert operation_counts(graph, {"in": x}).layers["conv"].synaptic_operations == expected


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_table_has_a_source_for_each_number_and_says_what_it_lacks(table):
    found = modelled_energy(operation_counts(network(), events()), table)
    assert found["kind"] == "modelled"
    assert found["table"] == table
    assert len(found["left_out"]) > 20
    costs = {f.name: getattr(TABLES[table], f.name) for f in fields(CostTable)}
    costs = {name: cost for name, cost in costs.items() if isinstance(cost, Cost)}
    assert found["sources"].keys() == costs.keys()
    for cost in costs.values():
        assert 0 < cost.low <= cost.typical <= cost.high < 1e-8
        assert any(year in cost.source for year in ("2013", "2014", "2018", "2019", "2021", "2022", "2023"))
    total = found["joule_per_sample"]
    assert 0 < total["low"] <= total["typical"] <= total["high"]
    parts = [joule["typical"] for layer in found["layers"].values() for joule in layer.values()]
    assert sum(parts) == pytest.approx(total["typical"])


def test_energy_is_operations_times_their_cost():
    counts = operation_counts(network(), events())
    layer = counts.layers["dense"]
    loihi = modelled_energy(counts, "loihi")["layers"]["dense"]
    assert loihi["synaptic_operations"]["typical"] == pytest.approx(layer.synaptic_operations / 3 * 23.6e-12)
    assert loihi["awake_updates"]["typical"] == pytest.approx(layer.awake_updates / 3 * 81e-12)
    rest = layer.membrane_updates - layer.awake_updates
    assert loihi["resting_updates"]["typical"] == pytest.approx(rest / 3 * 52e-12)
    plain = modelled_energy(counts, "45nm_float32", event_driven=False)["layers"]["dense"]
    assert plain["membrane_updates"]["typical"] == pytest.approx(layer.membrane_updates / 3 * 2 * 4.6e-12)
    awake = modelled_energy(counts, "45nm_float32")["layers"]["dense"]
    assert awake["awake_updates"]["typical"] == pytest.approx(layer.awake_updates / 3 * 2 * 4.6e-12)
    conv = modelled_energy(counts, "45nm_int8_memory")["layers"]["conv"]
    assert conv["graded_operations"]["low"] == pytest.approx(counts.layers["conv"].graded_operations / 3 * 0.23e-12)
    assert conv["weight_bytes"]["high"] == pytest.approx(counts.layers["conv"].weight_bytes / 3 * 12.5e-12)


def test_graded_messages_without_a_published_cost_are_pointed_out():
    counts = operation_counts(network(), events())
    assert "no cost of a graded message is published" in modelled_energy(counts, "loihi")["notes"][0]
    assert modelled_energy(counts, "45nm_int8")["notes"] == []


@pytest.mark.parametrize(
    ("name", "message"), [("loih", "did you mean 'loihi'"), ("Loihi 2", "Intel has published no energy")]
)
def test_an_unknown_table_lists_the_known_ones(name, message):
    with pytest.raises(ValueError, match=rf"{message}.*Known: .*45nm_float32.*truenorth"):
        modelled_energy(operation_counts(network(), events(2, 1)), name)


def test_a_table_of_ones_own():
    mine = CostTable("mine", "Mine", Cost(1.0, 2.0, 3.0, "measured 2026"))
    counts = operation_counts(network(), events())
    operations = sum(layer.synaptic_operations + layer.graded_operations for layer in counts.layers.values())
    assert modelled_energy(counts, mine)["joule_per_sample"]["typical"] == pytest.approx(2 * operations / 3)


@pytest.mark.parametrize(("steps", "samples"), [(0, 2), (3, 0), (1, 1)])
def test_empty_and_short_data_are_counted_too(steps, samples):
    counts = operation_counts(network(), events(steps, samples))
    assert counts.layers["conv"].membrane_updates == steps * samples * 72
    assert counts.per_step()["conv"]["synaptic_operations"] == 0
    # awake neurons cost, also where no message came yet; nothing costs nothing
    assert (modelled_energy(counts, "loihi")["joule_per_sample"]["typical"] > 0) == (steps * samples > 0)
