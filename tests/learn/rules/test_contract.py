"""What every registered rule keeps, whatever it computes."""

import pytest
import torch

from spikelab import registry
from spikelab.learn.rules.rule import UnsupportedError


def gradients(rule, model, batch, scale=1.0):
    for parameter in model.parameters():
        parameter.grad = None
    total, weight = rule.measure(model, batch)
    rule.write(scale)
    return total, weight, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.fixture(params=["dense", "convolutional", "ordinary"])
def pair(request, rule_name, make_model, make_rule):
    """A model, and the rule on it; skips where the rule says by name that it does not take the model."""
    model = make_model(request.param)
    try:
        return model, make_rule(rule_name, model)
    except UnsupportedError as error:
        pytest.skip(str(error))


def test_every_rule_takes_a_spiking_classifier(rule_name, make_model, make_rule):
    make_rule(rule_name, make_model("dense"))


def test_gradients_have_shapes_are_finite_and_reach_the_readout(pair, batch):
    model, rule = pair
    total, weight, found = gradients(rule, model, batch)
    assert total.isfinite()
    assert weight == len(batch["label"])
    parameters = dict(model.named_parameters())
    for name, gradient in found.items():
        assert gradient.shape == parameters[name].shape
        assert gradient.isfinite().all()
    assert any(name.startswith("network.nodes.readout_weights") for name in found)
    assert found["network.nodes.readout_weights.weight"].abs().sum() > 0


def test_gradients_are_those_of_a_sum_times_the_scale(pair, batch):
    model, rule = pair
    model.eval()  # batch normalisation would make one sample's gradient depend on the others
    _, _, whole = gradients(rule, model, batch, 0.5)
    halves = [{name: value[part] for name, value in batch.items()} for part in (slice(0, 5), slice(5, None))]
    parts = [gradients(rule, model, half)[2] for half in halves]
    for name, gradient in whole.items():
        torch.testing.assert_close(gradient, 0.5 * (parts[0][name] + parts[1][name]), rtol=1e-4, atol=1e-5)


def test_the_same_batch_gives_the_same_bits(pair, batch):
    model, rule = pair
    model.eval()
    one, two = gradients(rule, model, batch)[2], gradients(rule, model, batch)[2]
    assert one.keys() == two.keys()
    for name, gradient in one.items():
        assert torch.equal(gradient, two[name]), name


def test_what_a_layer_learns_depends_on_the_layers_above_only_where_the_rule_says_so(pair, batch):
    model, rule = pair
    model.eval()
    _, _, before = gradients(rule, model, batch)
    with torch.no_grad():
        weight = model.network.nodes["readout_weights"].weight
        weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(9)))
    _, _, after = gradients(rule, model, batch)
    hidden = [name for name in before if "readout" not in name]
    changed = any(not torch.equal(before[name], after[name]) for name in hidden)
    assert changed == rule.depends_on_layers_above


def test_one_sample_and_an_empty_batch(pair, batch):
    model, rule = pair
    model.eval()
    total, weight, found = gradients(rule, model, {name: value[:1] for name, value in batch.items()})
    assert total.isfinite()
    assert weight == 1
    assert found
    with pytest.raises(ValueError, match="the batch is empty"):
        rule.measure(model, {name: value[:0] for name, value in batch.items()})


def test_threads_do_not_matter(pair, batch):
    model, rule = pair
    model.eval()
    _, _, one = gradients(rule, model, batch)
    torch.set_num_threads(2)
    try:
        _, _, two = gradients(rule, model, batch)
    finally:
        torch.set_num_threads(1)
    for name, gradient in one.items():
        torch.testing.assert_close(gradient, two[name], rtol=1e-5, atol=1e-7)


def test_half_precision(pair, batch):
    model, rule = pair
    model.eval()
    _, _, full = gradients(rule, model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        total, _ = rule.measure(model, batch)
    for parameter in model.parameters():
        parameter.grad = None
    rule.write(1.0)
    assert total.dtype == torch.float32
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert found.keys() == full.keys()
    assert all(gradient.dtype == torch.float32 and gradient.isfinite().all() for gradient in found.values())


def test_training_brings_the_loss_down(pair, batch):
    model, rule = pair
    model.train()
    trained = [*model.parameters(), *rule.parameters()]
    optimiser = torch.optim.Adam(trained, lr=0.05) if rule.descends else torch.optim.SGD(trained, lr=0.01)
    losses = []
    for _ in range(25 if rule.descends else 100):
        optimiser.zero_grad()
        total, weight = rule.measure(model, batch)
        rule.write(1 / float(weight))
        optimiser.step()
        losses.append(float(total.detach() / weight))
    assert losses[-1] < 0.9 * losses[0]


def test_a_model_that_is_no_chain_is_named(rule_name, make_rule):
    from torch import nn

    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Linear(2, 2)

    if registry.load("rules", rule_name).backward_through_model:
        make_rule(rule_name, Other())
        return
    with pytest.raises(UnsupportedError, match=f"rule '{rule_name}': Other has no encode.*spiking_classifier.*bptt"):
        make_rule(rule_name, Other())


def test_a_rule_without_such_an_option_says_so(rule_name, make_model, make_rule):
    with pytest.raises(ValueError, match=f"rule '{rule_name}' has no option 'colour'"):
        make_rule(rule_name, make_model("dense"), colour="red")


def test_costs_are_told(pair):
    _, rule = pair
    cost = rule.signal_operations()
    assert cost is None or cost >= 0
