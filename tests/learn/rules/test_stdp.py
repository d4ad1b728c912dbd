"""STDP on layers: the sum over pairs of spikes, and what a simulated network with the same spikes does."""

import numpy as np
import pytest
import torch

from spikelab import sim

VALUES = {"tau_plus": 4e-3, "tau_minus": 7e-3, "a_plus": 0.3, "a_minus": 0.2, "keep_length": False}


def changes(rule, model, batch):
    """Name of hidden weights -> what the rule adds to them."""
    rule.measure(model, batch)
    rule.write(1.0)
    return {layer.name: -layer.weights.weight.grad for layer in rule.chain.hidden}


def seen(rule, batch):
    """Name of a hidden layer -> what arrives at its weights and what it fires, [T, B, ...]."""
    found, x = {}, rule.model.encode(batch)
    with torch.no_grad():
        for layer in rule.chain.hidden:
            arriving, out = layer.arrive(x), layer.run(x)
            found[layer.name], x = (arriving, out), out
    return found


def test_it_is_the_sum_over_all_pairs_of_spikes(make_model, make_rule, batch):
    model = make_model("dense")
    rule = make_rule("stdp", model, **VALUES)
    found = changes(rule, model, batch)
    for name, (x, z) in seen(rule, batch).items():
        dt = rule.chain.hidden[0].neurons.dt
        expected = torch.zeros_like(found[name])
        for t_pre in range(len(x)):
            for t_post in range(len(z)):
                lag = (t_post - t_pre) * dt
                size = 0.3 * np.exp(-lag / 4e-3) if lag >= 0 else -0.2 * np.exp(lag / 7e-3)
                expected += size * (z[t_post].T @ x[t_pre])
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-4)


def test_a_simulated_network_with_the_same_spikes_changes_as_much(make_model, make_rule, batch):
    model = make_model("dense")
    rule = make_rule("stdp", model, **VALUES)
    one = {name: value[:1] for name, value in batch.items()}
    found = changes(rule, model, one)
    last = rule.chain.hidden[-1]
    x, z = (each[:, 0].numpy() for each in seen(rule, one)[last.name])
    assert set(np.unique(x)) <= {0.0, 1.0}
    assert x.sum() > 3
    assert z.sum() > 3
    network = sim.Network(dt=last.neurons.dt)

    def source(name, spikes):
        steps, neurons = np.nonzero(spikes)
        return network.source(name, spikes.shape[1], sim.SpikeArray((steps + 1) * network.dt, neurons))

    cells = network.population("cells", z.shape[1], "if", receptors={"synapse": sim.Receptor("delta")})
    network.projection(source("drive", z), cells, sim.OneToOne(), receptor="synapse", weight=2.0, delay=network.dt)
    # so small that nobody fires by it, and in the middle of a range that it does not leave
    scale = 1e-6
    learning = network.projection(
        source("senders", x),
        cells,
        sim.AllToAll(),
        receptor="synapse",
        weight=0.5 * scale,
        delay=network.dt,
        plasticity=sim.Plasticity(
            "pair_stdp", w_max=scale, tau_plus=4e-3, tau_minus=7e-3, a_plus=0.3e-2, a_minus=0.2e-2
        ),
    )
    fired = network.record_spikes(cells)
    network.run((len(x) + 2) * network.dt)
    assert len(fired) == z.sum()
    gained = (network.weights(learning) / scale - 0.5).reshape(x.shape[1], z.shape[1]).T
    np.testing.assert_allclose(found[last.name].numpy(), 100 * gained, rtol=1e-4, atol=1e-5)


def test_labels_do_not_matter_to_hidden_layers_and_biases_stay(make_model, make_rule, batch):
    model = make_model("dense")
    rule = make_rule("stdp", model, **VALUES)
    other = batch | {"label": (batch["label"] + 1) % 3}
    one, two = changes(rule, model, batch), changes(rule, model, other)
    for name, value in one.items():
        assert torch.equal(value, two[name])
        bias = model.network.nodes[name].bias
        assert bias is None or not bias.grad.abs().sum()


def test_the_length_of_each_neurons_weights_is_kept(make_model, make_rule, batch):
    model = make_model("convolutional")
    free = changes(make_rule("stdp", model, **VALUES), model, batch)
    kept = changes(make_rule("stdp", model, **VALUES | {"keep_length": True}), model, batch)
    for layer in make_rule("stdp", model).chain.hidden:
        weight, one, two = (
            each.flatten(1) for each in (layer.weights.weight.detach(), free[layer.name], kept[layer.name])
        )
        unit = weight / weight.norm(dim=1, keepdim=True)
        torch.testing.assert_close(two, one - unit * (unit * one).sum(1, keepdim=True), rtol=1e-4, atol=1e-4)
        assert (two * unit).sum(1).abs().max() < 1e-4 * one.abs().max()


def test_bad_values(make_model, make_rule):
    with pytest.raises(ValueError, match="tau_plus = 0 must be positive"):
        make_rule("stdp", make_model("dense"), tau_plus=0)
