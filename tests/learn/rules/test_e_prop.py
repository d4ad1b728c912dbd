"""E-prop against backpropagation through time."""

import pytest
import torch
from time_local_parts import Chain, assert_same, gradients, leaky, mean_loss, rule_for, spike_trains

from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import LI, LIF, AdaptiveLIF, CubaLI, CubaLIF, Izhikevich

NEURONS = {
    "lif, reset to zero": lambda: leaky(LIF, v_threshold=0.5),
    "lif, reset to zero, no derivative": lambda: leaky(LIF, v_threshold=0.5, detach_reset=True),
    "lif, reset by subtraction": lambda: leaky(LIF, v_threshold=0.5, reset="subtract"),
    "lif, refractory": lambda: leaky(LIF, v_threshold=0.5, refractory=3e-3),
    "lif, each with its own time constant": lambda: LIF(tau_mem=torch.linspace(2e-3, 9e-3, 11), r=4.0, v_threshold=0.5),
    "adaptive": lambda: leaky(AdaptiveLIF, v_threshold=0.5, tau_adaptation=5e-3, adaptation_jump=0.3),
    "with a synaptic current": lambda: leaky(CubaLIF, v_threshold=0.4, tau_syn=2e-3),
    "izhikevich": lambda: Izhikevich(dt=1e-3),
}


def through_time(model, batch):
    outputs, _ = model.network(model.encode(batch))
    loss = mean_loss(outputs, batch["label"])
    names, parameters = zip(*model.named_parameters(), strict=True)
    return loss, dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


@pytest.mark.parametrize("kind", NEURONS)
def test_one_hidden_layer_without_recurrence_gets_the_gradient_of_backpropagation_through_time(kind):
    torch.manual_seed(0)
    model, batch = Chain(NEURONS[kind](), gain=60.0 if kind == "izhikevich" else 2.0), spike_trains(30)
    spikes = model.network.run(model.encode(batch))[0]["neurons0"]
    assert 0.02 < spikes.mean() < 0.9
    loss, expected = through_time(model, batch)
    total, found = gradients(rule_for(model, "e_prop", 30), batch)
    torch.testing.assert_close(total, loss.detach())
    assert_same(found, expected)


def test_a_readout_with_a_synaptic_current_filters_eligibility_doubly():
    torch.manual_seed(0)
    model, batch = Chain(leaky(LIF, v_threshold=0.5), readout=leaky(CubaLI, tau_syn=3e-3)), spike_trains()
    assert_same(gradients(rule_for(model, "e_prop"), batch)[1], through_time(model, batch)[1])


def cosine(found, expected, name):
    return torch.nn.functional.cosine_similarity(found[name].flatten(), expected[name].flatten(), dim=0)


@pytest.mark.parametrize("kind", ["lif, reset by subtraction", "adaptive"])
def test_weak_recurrence_leaves_it_close_to_backpropagation_through_time(kind):
    torch.manual_seed(0)
    model, batch = Chain(NEURONS[kind](), recurrent=0.5), spike_trains(20)
    loss, expected = through_time(model, batch)
    total, found = gradients(rule_for(model, "e_prop", 20), batch)
    torch.testing.assert_close(total, loss.detach())
    for name in ("network.nodes.weights0.weight", "network.nodes.recurrent.weight", "network.nodes.recurrent.bias"):
        assert 0.9 < cosine(found, expected, name) < 1 - 1e-9, name
    torch.testing.assert_close(
        found["network.nodes.readout_weights.weight"], expected["network.nodes.readout_weights.weight"]
    )


def test_vanishing_recurrence_makes_it_exact_for_recurrent_weights_too():
    torch.manual_seed(0)
    model, batch = Chain(leaky(LIF, v_threshold=0.5), recurrent=1e-9, bias=False), spike_trains(20)
    _, expected = through_time(model, batch)
    _, found = gradients(rule_for(model, "e_prop", 20), batch)
    name = "network.nodes.recurrent.weight"
    torch.testing.assert_close(found[name], expected[name], rtol=1e-6, atol=1e-9)


def test_random_feedback_stays_and_adaptive_feedback_follows_the_weights_to_the_readout():
    torch.manual_seed(0)
    batch = spike_trains()
    model = Chain(leaky(LIF, v_threshold=0.5))
    random = rule_for(model, "e_prop", feedback="random")
    assert not list(random.parameters())
    _, symmetric = gradients(rule_for(model, "e_prop"), batch)
    _, found = gradients(random, batch)
    assert not torch.allclose(found["network.nodes.weights0.weight"], symmetric["network.nodes.weights0.weight"])
    weights = model.network.nodes["readout_weights"].weight
    random.feedback_0.copy_(weights.detach())
    assert_same(gradients(random, batch)[1], symmetric)

    adaptive = rule_for(model, "e_prop", feedback="adaptive")
    _, found = gradients(adaptive, batch)
    torch.testing.assert_close(adaptive.feedback_0.grad, found["network.nodes.readout_weights.weight"])


def test_adaptive_feedback_aligns_with_the_readout_while_it_learns():
    torch.manual_seed(0)
    model, batch = Chain(leaky(LIF, v_threshold=0.5)), spike_trains()
    rule = rule_for(model, "e_prop", feedback="adaptive")
    weights = model.network.nodes["readout_weights"].weight

    def angle():
        both = weights.detach().flatten(), rule.feedback_0.detach().flatten()
        return float(torch.nn.functional.cosine_similarity(*both, dim=0))

    before = angle()
    optimiser = torch.optim.SGD([*model.parameters(), *rule.parameters()], lr=0.2, weight_decay=2e-2)
    for _ in range(40):
        gradients(rule, batch)
        optimiser.step()
    assert angle() > before + 0.2


def test_what_it_does_not_take_is_named():
    torch.manual_seed(0)
    with pytest.raises(UnsupportedError, match=r"'readout_weights'.*not one of leaky integrators.*use ottt"):
        rule_for(Chain(leaky(LIF), readout=leaky(LIF)), "e_prop")
    with pytest.raises(ValueError, match="feedback = 'wrong': takes one of symmetric, random, adaptive"):
        rule_for(Chain(leaky(LIF)), "e_prop", feedback="wrong")
    with pytest.raises(UnsupportedError, match=r"'weights0' has a LI, which does not spike.*lls"):
        rule_for(Chain(leaky(LI)), "e_prop")


def test_convolutions_are_refused_by_name(make_model, make_rule):
    with pytest.raises(UnsupportedError, match=r"'convolution1_weights' is a Conv2d.*ottt, tess and decolle"):
        make_rule("e_prop", make_model("convolutional"))
