"""What projections promise: protected answers stay to rounding, steps are orthogonal, subspaces are the main ones."""

import math

import pytest
import torch
from streams import learner, pictures, run, settings, stream

from spikelab.learn.continual.activity import over_time, rows
from spikelab.learn.continual.gpm import grown
from spikelab.learn.continual.heads import HeadedClassification
from spikelab.learn.continual.hlop import HLOP
from spikelab.learn.continual.lateral import LateralWeights
from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.subspace import orthonormal, principal_angles, principal_directions, without
from spikelab.learn.continual.train import prepare
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import Conv2d, Dense
from spikelab.settings import Model, Optimiser, Rule

ADAMW = Optimiser("adamw", learning_rate=0.01, weight_decay=0.01)
MOMENTUM = Optimiser("sgd", learning_rate=0.1, weight_decay=0.0, momentum=0.9)
CONVOLUTIONAL = Model("spiking_classifier", {"convolutions": [4], "hidden": [12], "steps": 4, "v_threshold": 0.3})
ORDINARY = Model("convolutional_classifier", {"channels": [4], "hidden": 12})


def first_task_then_second(method, **more):
    """A run after its first task, what its protected weights were, and the run after its second task."""
    found = run(method, tasks=2, **more)
    begin = found.method.begin_task
    before = {}

    def noting():
        begin()
        if found.method.tasks_done == 1:
            before.update({name: w.weight.detach().clone() for name, w in found.method.protected.items()})
            before["bases"] = {name: basis.clone() for name, basis in found.method.bases.items()}

    found.method.begin_task = noting
    found.learn()
    return found, before


@pytest.mark.parametrize("method", ["hlop", "gpm"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"optimiser": MOMENTUM},
        {"optimiser": ADAMW},
        {"model": CONVOLUTIONAL},
        {"model": ORDINARY},
        {"scenario": "task"},
        {"rule": Rule("lls")},
    ],
    ids=["plain", "momentum", "adamw", "convolutional", "ordinary", "heads", "lls"],
)
def test_answers_to_the_protected_subspace_stay(method, more):
    rule = more.get("rule", Rule("bptt"))
    found, before = first_task_then_second(method, rule=rule.name, **{k: v for k, v in more.items() if k != "rule"})
    bases = before.pop("bases")
    moved = False
    for name, weights in found.method.protected.items():
        basis, change = bases[name], weights.weight.detach() - before[name]
        size = weights.weight.abs().max()
        assert len(basis) > 0
        # what any output answers to any input in the subspace
        assert (change.flatten(1) @ basis.T).abs().max() < 2e-6 * size * math.sqrt(basis.shape[1])
        moved = moved or change.abs().max() > 1e-4 * size
    assert moved  # else nothing had been learned, and the promise would be empty
    assert ("scenario" in more) == (found.learner.readout() not in found.method.protected)


def test_sequential_training_does_change_those_answers():
    found, before = first_task_then_second("gpm")
    plain = run("sequential", tasks=2)
    plain.learn()
    name, weights = next(iter(found.method.protected.items()))
    change = plain.learner.model.get_submodule(name).weight.detach() - before[name]
    assert (change @ before["bases"][name].T).abs().max() > 1e-3 * weights.weight.abs().max()


def test_biases_and_norms_stop_after_the_first_task():
    found = run("hlop", tasks=2, model=ORDINARY)
    begin, kept = found.method.begin_task, {}

    def noting():
        begin()
        kept.update({name: value.clone() for name, value in found.learner.model.state_dict().items()})

    found.method.begin_task = noting
    found.learn()
    still = {name for name, value in found.learner.model.state_dict().items() if torch.equal(value, kept[name])}
    assert {name for name in kept if "norm" in name or name.endswith("bias")} <= still
    assert any(name not in still for name in kept)


def double_precision(projection, **options):
    """A learner in float64 with a protected subspace in all layers, and the gradients that it gets."""
    subject = learner()
    subject.model.double()
    method = HLOP(subject, neurons=[6], projection=projection, **options)
    for lateral in method.laterals.values():
        lateral.held, lateral.new = lateral.held.double(), lateral.new.double()
    for place, (name, lateral) in enumerate(method.laterals.items()):
        generator = torch.Generator().manual_seed(place)
        lateral.held = orthonormal(torch.randn(5, lateral.held.shape[1], generator=generator, dtype=torch.float64))
        method.bases[name] = lateral.held
    method.tasks_done = 1
    batch = subject.task.located(pictures(0).batch(torch.arange(12)))
    batch["image"] = batch["image"].double()
    with method.observing():
        loss, _ = subject.rule.measure(subject.model, batch)
    subject.rule.write(1.0)
    method.change_gradients()
    return float(loss.detach()), {name: w.weight.grad.clone() for name, w in method.protected.items()}


def test_projected_activity_and_projected_weights_give_the_same_gradient():
    loss, of_weights = double_precision("weights")
    other_loss, of_activity = double_precision("activity")
    assert loss == other_loss  # the forward pass is the same to the bit
    for name in of_weights:
        torch.testing.assert_close(of_weights[name], of_activity[name], atol=1e-12, rtol=1e-9)


def test_activity_projection_of_a_convolution_equals_that_of_its_weights():
    gradients = {}
    for projection in ("weights", "activity"):
        chosen = settings(
            "hlop", model=CONVOLUTIONAL, epochs=1, method_options={"projection": projection, "neurons": [5]}
        )
        found = prepare(chosen, stream(2), 0, torch.device("cpu"))
        found.learner.model.double()
        for name, lateral in found.method.laterals.items():
            drawn = torch.randn(4, lateral.held.shape[1], generator=torch.Generator().manual_seed(1))
            lateral.held = found.method.bases[name] = orthonormal(drawn.double())
        batch = found.learner.task.located(pictures(0).batch(torch.arange(6)))
        batch["image"] = batch["image"].double()
        with found.method.observing():
            found.learner.rule.measure(found.learner.model, batch)
        found.learner.rule.write(1.0)
        found.method.change_gradients()
        gradients[projection] = [w.weight.grad for w in found.method.protected.values()]
    for one, other in zip(*gradients.values(), strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


def test_answers_in_spikes_come_near_those_in_real_numbers():
    _, exact = double_precision("weights")
    _, fine = double_precision("activity", spike_levels=4000)
    _, coarse = double_precision("activity", spike_levels=10)
    near = [max(float((each[n] - exact[n]).norm() / exact[n].norm()) for n in exact) for each in (fine, coarse)]
    assert near[0] < 0.02 < near[1]
    lateral = LateralWeights(4, spike_levels=40, spike_range=20)
    y = lateral.answer(torch.tensor([[1.26, -30.0, 0.1, 30.0]]), torch.eye(4))
    torch.testing.assert_close(y, torch.tensor([[1.5, -20.0, 0.0, 20.0]]))


@pytest.mark.parametrize("method", ["gpm", "hlop"])
def test_a_rule_in_the_way_is_named(method):
    with pytest.raises(UnsupportedError, match="bptt"):
        prepare(
            settings("hlop", rule="frozen", method_options={"projection": "activity"}),
            stream(2),
            0,
            torch.device("cpu"),
        )
    with pytest.raises(ValueError, match="spike_levels"):
        run("hlop", method_options={"spike_levels": 40})
    with pytest.raises(ValueError, match="one for each of"):
        run(method, method_options={"neurons" if method == "hlop" else "energy": [1, 1]})


def low_rank(count=4000, size=30, rank=8, seed=0):
    """Rows with a few strong directions, not centred, and weak noise in all."""
    generator = torch.Generator().manual_seed(seed)
    directions = orthonormal(torch.randn(rank, size, generator=generator))
    strengths = torch.linspace(3, 1, rank)
    x = torch.randn(count, rank, generator=generator) * strengths @ directions
    return x + 0.05 * torch.randn(count, size, generator=generator) + directions[0]


def test_lateral_weights_find_the_principal_subspace():
    x = low_rank()
    lateral = LateralWeights(30)
    lateral.sprout(8, torch.Generator().manual_seed(1))
    assert principal_angles(lateral.new, principal_directions(x)[0][:8]).max().rad2deg() > 45
    missed = [lateral.learn(batch) for _ in range(2) for batch in x.split(100)]
    main, energies = principal_directions(x)
    assert principal_angles(lateral.new, main[:8]).max().rad2deg() < 3
    torch.testing.assert_close(lateral.new @ lateral.new.T, torch.eye(8), atol=0.02, rtol=0)
    best = float(energies[8:].sum() / energies.sum())
    assert missed[-1] == pytest.approx(best, rel=0.3)
    assert missed[0] > 10 * missed[-1]


def test_new_rows_find_what_held_ones_miss_and_leave_them_alone():
    x = low_rank()
    main, _ = principal_directions(x)
    lateral = LateralWeights(30)
    lateral.held = main[:3].clone()
    lateral.sprout(5, torch.Generator().manual_seed(1))
    for batch in x.split(100) * 2:
        lateral.learn(batch)
    assert torch.equal(lateral.held, main[:3])
    lateral.merge()
    assert principal_angles(lateral.held, main[:8]).max().rad2deg() < 3


def test_lateral_weights_change_by_the_rule():
    x = low_rank(count=16)
    lateral = LateralWeights(30, rate=0.7, momentum=0.5, iterations=2)
    lateral.held = orthonormal(torch.randn(3, 30, generator=torch.Generator().manual_seed(5)))
    lateral.sprout(4, torch.Generator().manual_seed(1))
    new, change = lateral.new.clone(), torch.zeros(4, 30)
    for _ in range(2):
        y_held, y = x @ lateral.held.T, x @ new.T
        sent_back = y_held @ lateral.held + y @ new
        hebbian, anti_hebbian = y.T @ x, y.T @ sent_back
        change = 0.5 * change + 0.5 * (hebbian - anti_hebbian) / x.square().sum()
        missed = float((x - sent_back).square().sum() / x.square().sum())
        new = new + 0.7 * change
    assert lateral.learn(x) == pytest.approx(missed, rel=1e-4)
    torch.testing.assert_close(lateral.new, new, atol=1e-5, rtol=1e-5)


def test_gpm_takes_the_fewest_directions_that_hold_the_energy():
    x = low_rank()
    main, energies = principal_directions(x)
    basis = grown(torch.zeros(0, 30), x, 0.9)
    held = without(x, basis).square().sum() / x.square().sum()
    assert held <= 0.1
    assert energies[len(basis) - 1 :].sum() / energies.sum() > 0.1  # one less would not do
    assert principal_angles(basis, main[: len(basis)]).max() < 1e-3
    assert torch.equal(grown(basis, x, 0.9), basis)
    more = grown(basis, low_rank(seed=3), 0.99)
    torch.testing.assert_close(more @ more.T, torch.eye(len(more)), atol=1e-5, rtol=0)
    assert torch.equal(more[: len(basis)], basis)


def test_rows_are_what_weights_sum():
    torch.manual_seed(0)
    dense, x = Dense(5, 3, bias=False), torch.randn(2, 4, 5)
    torch.testing.assert_close(rows(dense, x) @ dense.weight.T, dense(x).flatten(0, 1))
    conv = Conv2d(2, 3, 3, stride=2, padding=1, bias=False)
    x = torch.randn(2, 4, 2, 7, 6)
    given = conv(x)
    product = rows(conv, x) @ conv.weight.flatten(1).T
    torch.testing.assert_close(product, given.permute(0, 1, 3, 4, 2).reshape(-1, 3))


def test_rates_and_traces():
    x = torch.tensor([1.0, 0.0, 1.0])[:, None, None]
    torch.testing.assert_close(over_time(x, "rates", 0.5), torch.tensor([[[(0.25 + 1) / 1.75]]]))
    torch.testing.assert_close(over_time(x, "traces", 0.5).flatten(), torch.tensor([1.0, 0.5, 1.25]))
    assert over_time(x, "spikes", 0.5) is x


@pytest.mark.parametrize("presynaptic", ["rates", "traces"])
def test_rates_and_traces_are_protected(presynaptic):
    options = {"presynaptic": presynaptic, "neurons": [4]}
    found, before = first_task_then_second("hlop", method_options=options)
    bases = before.pop("bases")
    name, weights = next(iter(found.method.protected.items()))
    change = weights.weight.detach() - before[name]
    assert change.abs().max() > 1e-4
    assert (change @ bases[name].T).abs().max() < 1e-5


def test_no_more_neurons_sprout_than_there_is_room_for():
    found = run("hlop", tasks=3, epochs=1, method_options={"neurons": [30, 16, 12], "more": [30, 16, 12]})
    found.learn()
    for basis in found.method.bases.values():
        assert len(basis) <= basis.shape[1]
    assert len(found.method.bases["network.nodes.hidden2_weights"]) == 16


def test_grouped_convolutions_are_refused_by_name():
    class Grouped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.middle = Conv2d(4, 4, 3, groups=2)

    task = HeadedClassification((("a", "b"),), "domain")
    with pytest.raises(UnsupportedError, match="middle has groups = 2"):
        HLOP(Learner(Grouped(), task, None))
