"""Local learning by activity synchronisation: against its equations, written out."""

import pytest
import torch
from torch.nn import functional

from spikelab.learn.rules.projection import pool, pooled_size, projection_basis
from spikelab.nn import LIF


def gradients(rule, model, batch):
    rule.measure(model, batch)
    rule.write(1.0)
    return {name.removeprefix("network.nodes."): p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("basis", ["square", "sine", "cosine", "random"])
@pytest.mark.parametrize("modulation", ["none", "vector", "matrix"])
@pytest.mark.parametrize("kind", ["dense", "convolutional", "ordinary"])
def test_the_update_is_the_gradient_of_each_layers_own_loss(kind, basis, modulation, make_model, make_rule, batch):
    model = make_model(kind).eval()
    rule = make_rule("lls", model, basis=basis, modulation=modulation, features=20)
    found = gradients(rule, model, batch)
    x = model.encode(batch)
    for place, layer in enumerate(rule.chain.hidden):
        activity = layer.run(x)
        mean = activity.mean(0)
        size = rule.sizes[place]
        if mean.dim() == 4:
            mean = functional.adaptive_avg_pool2d(mean, size[1:])
        elif mean.shape[1] > size[0]:
            mean = functional.adaptive_avg_pool1d(mean[:, None], size[0])
        h = mean.flatten(1)
        if basis != "random":
            h = h / h.norm(dim=1, keepdim=True).clamp_min(1e-12)
        agreement = h @ rule.get_buffer(f"basis_{place}").T
        own = [rule.get_parameter(f"modulation_{place}")] if modulation != "none" else []
        if modulation == "vector":
            agreement = agreement * own[0]
        elif modulation == "matrix":
            agreement = agreement @ own[0]
        logits = agreement / rule.temperature
        loss = -logits.log_softmax(1)[range(12), batch["label"]].sum()
        parameters = [p for module in layer.modules() for p in module.parameters()]
        expected = torch.autograd.grad(loss, [*parameters, *own])
        for parameter, value in zip([*parameters, *own], expected, strict=True):
            torch.testing.assert_close(parameter.grad, value, rtol=1e-5, atol=1e-6)
        x = activity.detach()
    assert any(value.abs().sum() > 0 for name, value in found.items() if "readout" not in name)


def test_length_is_as_asked_for_or_as_in_the_authors_code(make_model, make_rule):
    model = make_model("ordinary").eval()
    for basis, usual in (("square", True), ("random", False)):
        for asked, scaled in ((None, usual), (True, True), (False, False)):
            rule = make_rule("lls", model, basis=basis, unit_length=asked)
            activity = torch.rand(12, *rule.sizes[-1], generator=torch.Generator().manual_seed(0))
            once, thrice = (rule.logits(len(rule.sizes) - 1, factor * activity) for factor in (1, 3))
            assert torch.allclose(once, thrice, atol=1e-5) == scaled


def test_the_update_of_a_dense_layer_by_hand(make_model, make_rule, batch):
    """Section 3 of the paper: the learning signal is the local error sent back by the same matrix."""
    model = make_model("ordinary").eval()
    rule = make_rule("lls", model)
    gradients(rule, model, batch)
    layer = rule.chain.hidden[-1]
    x = model.encode(batch)
    with torch.no_grad():
        for lower in rule.chain.hidden[:-1]:
            x = lower.run(x)
        x = layer.arrive(x)[0]
        norm, matrix = layer.norm, rule.get_buffer("basis_2")
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        charge = (x @ layer.weights.weight.T + layer.weights.bias - norm.running_mean) * gain + norm.bias
        activity = torch.where(charge > 0, charge, 0.01 * charge)
        length = activity.norm(dim=1, keepdim=True)
        unit = activity / length
        wanted = functional.one_hot(batch["label"], 3)
        error = ((unit @ matrix.T / 0.5).softmax(1) - wanted) / 0.5
        sent = error @ matrix
        # scaling to length 1 lets through what is orthogonal to the activity
        sent = (sent - unit * (unit * sent).sum(1, keepdim=True)) / length
        signal = sent * torch.where(charge > 0, 1.0, 0.01) * gain
    torch.testing.assert_close(layer.weights.weight.grad, signal.T @ x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer.weights.bias.grad, signal.sum(0), rtol=1e-4, atol=1e-5)


def test_a_layer_learns_nothing_from_the_others(make_model, make_rule, batch):
    """Neither weights above nor those below come in, if the input of the layer stays."""
    model = make_model("dense")
    rule = make_rule("lls", model)
    before = gradients(rule, model, batch)["hidden1_weights.weight"].clone()
    with torch.no_grad():
        for name in ("hidden2_weights", "readout_weights"):
            model.network.nodes[name].weight.normal_()
    assert torch.equal(gradients(rule, model, batch)["hidden1_weights.weight"], before)


def test_bases():
    for classes, places, sine, square in ((10, 512, 0.02, 0.06), (100, 512, 0.1, 0.35)):
        for kind, most in (("sine", sine), ("square", square)):
            matrix = projection_basis(kind, classes, places)
            assert matrix.shape == (classes, places)
            unit = functional.normalize(matrix)
            overlap = (unit @ unit.T - torch.eye(classes)).abs().max()
            assert overlap < most, (kind, classes, overlap)
    assert set(projection_basis("square", 10, 512).unique().tolist()) == {-1.0, 1.0}
    one, two = (projection_basis("random", 5, 7, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one, two)
    with pytest.raises(ValueError, match="basis = 'triangle': takes 'square', 'sine', 'cosine' or 'random'"):
        projection_basis("triangle", 2, 2)


@pytest.mark.parametrize(("classes", "places"), [(1, 2), (10, 11), (10, 400), (200, 2048)])
def test_cosines_are_orthogonal_however_many(classes, places):
    matrix = projection_basis("cosine", classes, places).double()
    torch.testing.assert_close(matrix @ matrix.T, places / 2 * torch.eye(classes).double(), rtol=0, atol=1e-3)
    assert matrix.mean(1).abs().max() < 1e-6
    with pytest.raises(ValueError, match=f"activity of 10 numbers has 9 rows, not {classes + 9}"):
        projection_basis("cosine", classes + 9, 10)


def test_pooled_sizes_are_those_of_the_papers_code():
    """SmallConv: 4, 2, 2 and 512 (script of the authors)."""
    shapes = [(32, 28, 28), (64, 14, 14), (128, 7, 7), (512,)]
    assert [pooled_size(shape, 512) for shape in shapes] == [(32, 4, 4), (64, 2, 2), (128, 2, 2), (512,)]
    assert pooled_size((4, 3, 3), 512) == (4, 3, 3)
    assert pooled_size((6, 100), 60) == (6, 10)


@pytest.mark.parametrize(
    ("shape", "size"), [((3, 14, 9), (3, 5, 4)), ((3, 8, 8), (3, 2, 2)), ((4, 30), (4, 7)), ((23,), (5,)), ((6,), (6,))]
)
def test_pooling_is_torchs_adaptive_pooling(shape, size):
    x = torch.randn(5, *shape, requires_grad=True)
    if len(shape) == 3:
        expected = functional.adaptive_avg_pool2d(x, size[1:])
    else:
        expected = functional.adaptive_avg_pool1d(x if len(shape) == 2 else x[:, None], size[-1])
    found = pool(x, size)
    torch.testing.assert_close(found, expected.flatten(1))
    error = torch.randn_like(found)
    ways = [torch.autograd.grad(each.flatten(1), x, error)[0] for each in (found, expected)]
    torch.testing.assert_close(*ways)
    with torch.inference_mode():
        pool(torch.randn(2, *shape, dtype=torch.float64), size)
    pool(x.double(), size).sum().backward()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modulation": "tensor"}, "modulation = 'tensor': takes one of none, vector, matrix"),
        ({"modulation_start": "one"}, "modulation_start = 'one': takes one of random, identity"),
        ({"temperature": 0.0}, "temperature = 0.0 must be positive"),
        ({"features": 0}, "features = 0 must be at least 1"),
        ({"rows": 5}, "rows = 5: another number than that of classes needs modulation 'matrix'"),
        ({"basis": "sinus"}, "basis = 'sinus': takes one of square, sine, cosine, random"),
    ],
)
def test_options_are_checked(options, message, make_model, make_rule):
    with pytest.raises(ValueError, match=f"rule 'lls': {message}"):
        make_rule("lls", make_model("dense"), **options)


@pytest.mark.parametrize("modulation", ["vector", "matrix"])
def test_modulation_that_starts_as_identity_changes_nothing_at_first(modulation, make_model, make_rule, batch):
    model = make_model("dense")
    plain = {name: value.clone() for name, value in gradients(make_rule("lls", model), model, batch).items()}
    model.zero_grad()
    found = gradients(make_rule("lls", model, modulation=modulation, modulation_start="identity"), model, batch)
    assert all(torch.equal(value, plain[name]) for name, value in found.items())


def test_fewer_rows_than_classes_with_a_matrix(make_model, make_rule, batch):
    model = make_model("dense")
    rule = make_rule("lls", model, rows=2, modulation="matrix")
    assert rule.get_parameter("modulation_0").shape == (2, 3)
    assert gradients(rule, model, batch)["hidden1_weights.weight"].isfinite().all()


def test_signal_operations_are_two_products_with_the_basis(make_model, make_rule):
    rule = make_rule("lls", make_model("dense"))
    assert rule.signal_operations() == 2 * 3 * 20 + 2 * 3 * 16
    full = make_rule("bptt", make_model("dense"))
    assert full.signal_operations() == 6 * (20 * 16 + 16 * 3)


def test_learned_time_constants_are_the_layers_own(make_model, make_rule, batch):
    model = make_model("dense")
    model.network.nodes["hidden1"] = LIF(dt=1e-3, tau_mem=20e-3, r=20.0, v_threshold=0.3, learnable="tau_mem")
    rule = make_rule("lls", model)
    gradients(rule, model, batch)
    assert model.network.nodes["hidden1"].log_tau_mem.grad.abs() > 0
