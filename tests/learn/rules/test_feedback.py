"""Feedback alignment and direct feedback: against backpropagation, and against loops written out."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from spikelab.learn.rules.feedback_alignment import error_below
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import Conv1d, Conv2d


def gradients(rule, model, batch):
    total, _ = rule.measure(model, batch)
    rule.write(1.0)
    found = {name.removeprefix("network.nodes."): p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return total, found


@pytest.mark.parametrize("kind", ["dense", "convolutional", "ordinary"])
def test_feedback_alignment_with_the_weights_themselves_is_backpropagation(kind, make_model, make_rule, batch):
    model = make_model(kind).eval()
    rule = make_rule("feedback_alignment", model)
    _, other = gradients(rule, model, batch)
    for place, (_, module) in enumerate(rule._weights):
        rule.get_buffer(f"feedback_{place}").copy_(module.weight.detach())
    total, found = gradients(rule, model, batch)
    expected_total, expected = gradients(make_rule("bptt", model), model, batch)
    assert total == expected_total
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
    first = next(name for name in found if name.endswith("weights.weight"))
    assert functional.cosine_similarity(other[first].flatten(), expected[first].flatten(), dim=0) < 0.9


def test_the_last_layer_learns_as_with_backpropagation(make_model, make_rule, batch):
    model = make_model("dense")
    _, found = gradients(make_rule("feedback_alignment", model), model, batch)
    _, expected = gradients(make_rule("bptt", model), model, batch)
    torch.testing.assert_close(found["readout_weights.weight"], expected["readout_weights.weight"])


def test_sign_symmetric_feedback_has_the_signs_of_the_weights_as_they_are_now(make_model, make_rule, batch):
    model = make_model("dense")
    rule = make_rule("feedback_alignment", model, feedback="sign", scale=2.0)
    with torch.no_grad():
        model.network.nodes["readout_weights"].weight.neg_()
    sent = rule.feedback_weights()["network.nodes.readout_weights"]
    assert torch.equal(sent.sign(), model.network.nodes["readout_weights"].weight.sign())
    assert sent.abs().unique().tolist() == pytest.approx([2 / 4])
    assert not dict(rule.named_buffers())
    # weights of one size: then the feedback is the weights, and the rule is backpropagation
    with torch.no_grad():
        for module in (model.network.nodes["hidden2_weights"], model.network.nodes["readout_weights"]):
            module.weight.copy_(module.weight.sign() / module.weight.shape[1] ** 0.5)
    rule = make_rule("feedback_alignment", model, feedback="sign")
    _, found = gradients(rule, model, batch)
    _, expected = gradients(make_rule("bptt", model), model, batch)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "module",
    [
        Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        Conv2d(1, 3, 3, stride=2, padding=1),
        Conv1d(4, 6, 3, stride=2, padding=1),
        nn.Conv2d(2, 3, 3),
        nn.Linear(5, 4),
    ],
)
def test_the_error_below_is_autograds(module):
    sizes = {Conv2d: (3, 2, getattr(module, "in_channels", 0), 9, 8), Conv1d: (3, 2, 4, 9), nn.Conv2d: (2, 2, 9, 9)}
    x = torch.randn(sizes.get(type(module), (3, 2, 5)), requires_grad=True)
    out = module(x)
    error = torch.randn_like(out)
    (expected,) = torch.autograd.grad(out, x, error)
    torch.testing.assert_close(
        error_below(module, module.weight.detach(), error, x.shape), expected, rtol=1e-5, atol=1e-6
    )


def test_feedback_alignment_leaves_the_model_as_it_was(make_model, make_rule, batch):
    model = make_model("dense")
    before = model(batch["image"])
    rule = make_rule("feedback_alignment", model)
    with pytest.raises(ValueError, match="the batch is empty"):
        rule.measure(model, {name: value[:0] for name, value in batch.items()})
    gradients(rule, model, batch)
    assert torch.equal(model(batch["image"]), before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_feedback_alignment_names_weights_that_it_does_not_take(make_rule):
    class Other(nn.Module):
        def __init__(self, weights):
            super().__init__()
            self.weights = weights

    with pytest.raises(UnsupportedError, match=r"'weights' is a Bilinear: .* dense or convolutions.*bptt takes any"):
        make_rule("feedback_alignment", Other(nn.Bilinear(2, 2, 2)))
    with pytest.raises(UnsupportedError, match="'weights' pads with 'circular'"):
        make_rule("feedback_alignment", Other(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")))


@pytest.mark.parametrize(("name", "error_of"), [("direct_feedback", "outputs"), ("target_projection", "labels")])
def test_direct_rules_against_a_loop_in_numpy(name, error_of, make_model, make_rule, batch):
    """A perceptron of convolution-free blocks: weights, batch normalisation as in evaluation, leaky rectifier."""
    model = make_model("ordinary").eval()
    rule = make_rule(name, model, seed=5)
    total, found = gradients(rule, model, batch)
    hidden = rule.chain.hidden[-1]
    with torch.no_grad():
        x = model.encode(batch)
        for lower in rule.chain.hidden[:-1]:
            x = lower.run(x)
        x = hidden.arrive(x)[0].double().numpy()

    def array(tensor):
        return tensor.detach().double().numpy()

    norm, readout = hidden.norm, rule.chain.readout.weights
    gain = array(norm.weight) / np.sqrt(array(norm.running_var) + norm.eps)
    charge = (x @ array(hidden.weights.weight).T + array(hidden.weights.bias) - array(norm.running_mean)) * gain
    charge += array(norm.bias)
    activity = np.where(charge > 0, charge, 0.01 * charge)
    logits = activity @ array(readout.weight).T + array(readout.bias)
    probability = np.exp(logits - logits.max(1, keepdims=True))
    probability /= probability.sum(1, keepdims=True)
    wanted = np.eye(3)[batch["label"].numpy()]
    error = probability - wanted
    told = (error if error_of == "outputs" else wanted) @ array(rule.get_buffer("feedback_2"))
    delta = told * np.where(charge > 0, 1.0, 0.01)
    np.testing.assert_allclose(found["hidden_weights.weight"], (delta * gain).T @ x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["hidden_norm.bias"], delta.sum(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["readout_weights.weight"], error.T @ activity, rtol=1e-4, atol=1e-5)
    assert float(total) == pytest.approx(-np.log(probability[range(12), batch["label"]]).sum(), rel=1e-5)


@pytest.mark.parametrize("name", ["direct_feedback", "target_projection"])
def test_direct_rules_tell_a_spiking_layer_the_same_at_each_step(name, make_model, make_rule, batch):
    model = make_model("dense")
    rule = make_rule(name, model)
    _, found = gradients(rule, model, batch)
    output, _ = model.network(model.encode(batch))
    error = model.decode(output).softmax(1) - functional.one_hot(batch["label"], 3)
    told = (error if name == "direct_feedback" else functional.one_hot(batch["label"], 3).float()).detach()
    layer = rule.chain.hidden[0]
    rates = layer.run(model.encode(batch)).mean(0)
    (told @ rule.get_buffer("feedback_0") * rates).sum().backward()
    torch.testing.assert_close(found["hidden1_weights.weight"], layer.weights.weight.grad, rtol=1e-5, atol=1e-7)


def test_what_a_target_projected_layer_learns_does_not_depend_on_the_output(make_model, make_rule, batch):
    rule = make_rule("target_projection", make_model("dense"))
    assert not rule.depends_on_layers_above
    assert rule.signal_operations() == 0
    assert make_rule("direct_feedback", make_model("dense")).signal_operations() == 3 * (20 + 16)


@pytest.mark.parametrize("name", ["feedback_alignment", "direct_feedback", "target_projection"])
def test_matrices_follow_from_the_seed_and_lie_in_the_checkpoint(name, make_model, make_rule):
    model = make_model("dense")
    one, same, other = (make_rule(name, model, seed=seed).state_dict() for seed in (1, 1, 2))
    assert one
    assert all(torch.equal(value, same[key]) and not torch.equal(value, other[key]) for key, value in one.items())
    with pytest.raises(ValueError, match=f"rule '{name}': scale = 0 must be positive"):
        make_rule(name, model, scale=0)


@pytest.mark.slow
def test_feedback_alignment_turns_the_weights_towards_its_matrices(make_model, make_rule, batch):
    """The finding of Lillicrap et al.: the angle between W and B falls while the network learns."""
    model = make_model("dense")
    rule = make_rule("feedback_alignment", model)
    weight = model.network.nodes["readout_weights"].weight
    sent = rule.feedback_weights()["network.nodes.readout_weights"]

    def alignment():
        return float(functional.cosine_similarity(weight.detach().flatten(), sent.flatten(), dim=0))

    before = alignment()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(300):
        rule.measure(model, batch)
        optimiser.zero_grad()
        rule.write(1 / 12)
        optimiser.step()
    assert alignment() > before + 0.05
