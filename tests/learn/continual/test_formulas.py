"""Each method's formula against the same written by hand, and its guarantees."""

import math

import pytest
import torch
from streams import learner, pictures, run, settings
from torch.nn import functional

from spikelab.learn.continual.a_gem import AGEM, turn
from spikelab.learn.continual.ella import Ella, EllaPenalty
from spikelab.learn.continual.ewc import EWC, OnlineEWC, fisher
from spikelab.learn.continual.memory import Memory
from spikelab.learn.continual.metrics import average_accuracy, backward_transfer, forward_transfer
from spikelab.learn.continual.replay import Replay
from spikelab.learn.continual.si import SI


def values(subject):
    return {name: p.detach().clone() for name, p in subject.parameters().items()}


def move(subject, size=0.05, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in subject.parameters().values():
            parameter += size * torch.randn(parameter.shape, generator=generator)


def test_a_gem_turns_a_gradient_that_works_against_the_reference():
    generator = torch.Generator().manual_seed(0)
    gradient = {"a": torch.randn(4, 3, generator=generator), "b": torch.randn(5, generator=generator)}
    against = {"a": -gradient["a"] + 0.1, "b": torch.randn(5, generator=generator)}
    flat, reference = (torch.cat([part.flatten() for part in each.values()]) for each in (gradient, against))
    assert flat @ reference < 0
    expected = flat - (flat @ reference) / (reference @ reference) * reference
    turned = torch.cat([part.flatten() for part in turn(gradient, against).values()])
    torch.testing.assert_close(turned, expected)
    assert abs(float(turned @ reference)) < 1e-5
    along = {name: 2 * part for name, part in gradient.items()}
    assert all(torch.equal(turn(gradient, along)[name], gradient[name]) for name in gradient)


def test_a_gem_takes_the_reference_as_the_rule_writes_it():
    subject = learner()
    method = AGEM(subject, samples=12, reference=12)
    data = pictures(0)
    method.end_task(data)
    batch = subject.task.located(pictures(1).batch(torch.arange(12)))
    own = subject.gradients(batch)
    for name, parameter in subject.parameters().items():
        parameter.grad = own[name].clone()
    state = method.memory.generator.get_state()
    method.change_gradients()
    method.memory.generator.set_state(state)
    expected = turn(own, subject.gradients(method.memory.draw(12)))
    for name, parameter in subject.parameters().items():
        torch.testing.assert_close(parameter.grad, expected[name])


def test_si_sums_the_path_of_the_task_loss_alone():
    subject = learner()
    method = SI(subject, strength=0.7, damping=0.05)
    optimiser = torch.optim.SGD(subject.model.parameters(), lr=0.1)
    importance = {name: torch.zeros_like(p) for name, p in subject.parameters().items()}
    for task in range(2):
        method.begin_task()
        start, path = values(subject), {name: torch.zeros_like(p) for name, p in subject.parameters().items()}
        for step in range(3):
            batch = subject.task.located(pictures(task).batch(torch.arange(12 * step, 12 * step + 12)))
            _, weight = subject.rule.measure(subject.model, batch)
            optimiser.zero_grad()
            subject.rule.write(1 / float(weight))
            gradients = {name: p.grad.clone() for name, p in subject.parameters().items()}
            before = values(subject)
            method.change_gradients()
            for name, parameter in subject.parameters().items():
                pull = 2 * 0.7 * importance[name] * (before[name] - start[name])
                torch.testing.assert_close(parameter.grad, gradients[name] + pull)
            optimiser.step()
            method.after_step(0.1)
            for name, parameter in subject.parameters().items():
                path[name] -= gradients[name] * (parameter.detach() - before[name])
        method.end_task(pictures(task))
        for name, parameter in subject.parameters().items():
            change = parameter.detach() - start[name]
            importance[name] += (path[name] / (change**2 + 0.05)).clamp(min=0)
            torch.testing.assert_close(method.importance[name], importance[name])
    assert any(value.max() > 0 for value in importance.values())


def test_fisher_is_the_mean_square_of_single_gradients():
    subject = learner()
    batch = subject.task.located(pictures(0).batch(torch.arange(5)))
    found = fisher(subject, batch, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    expected = {name: torch.zeros_like(p) for name, p in subject.parameters().items()}
    for place in range(5):
        logits = subject.model(batch["image"][place : place + 1])
        drawn = torch.multinomial(logits.detach().softmax(1), 1, generator=generator)
        loss = -functional.log_softmax(logits, 1)[0, drawn.item()]
        for name, gradient in zip(
            expected, torch.autograd.grad(loss, list(subject.parameters().values())), strict=True
        ):
            expected[name] += gradient**2 / 5
    for name in expected:
        torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize("kind", [EWC, OnlineEWC])
def test_ewc_pulls_back_by_importance(kind):
    subject = learner()
    options = {"decay": 0.5} if kind is OnlineEWC else {}
    method = kind(subject, strength=3.0, samples=6, **options)
    for task in range(2):
        move(subject, seed=task)
        method.end_task(pictures(task))
    anchors = [({n: v.clone() for n, v in anchor["importance"].items()}, anchor["value"]) for anchor in method.anchors]
    assert len(anchors) == (1 if kind is OnlineEWC else 2)
    move(subject, seed=7)
    subject.model.zero_grad()
    method.change_gradients()
    for name, parameter in subject.parameters().items():
        expected = sum(3.0 * importance[name] * (parameter.detach() - value[name]) for importance, value in anchors)
        torch.testing.assert_close(parameter.grad, expected)


def test_online_importance_decays():
    subject = learner()
    method = OnlineEWC(subject, decay=0.25)
    first = {name: torch.ones_like(p) for name, p in subject.parameters().items()}
    method.consolidate({"importance": dict(first), "value": values(subject)})
    method.consolidate({"importance": {n: 2 * v for n, v in first.items()}, "value": values(subject)})
    assert all((v == 2.25).all() for v in method.anchors[0]["importance"].values())


def test_ella_penalty_and_proximal_step():
    subject = learner()
    methods = [EllaPenalty(subject, strength=5.0), Ella(subject, strength=5.0)]
    start = values(subject)
    for method in methods:
        method.begin_task()
    move(subject, seed=3)
    for method in methods:
        method.end_task(pictures(0))
        method.tasks_done = 1
        method.begin_task()
    middle = values(subject)
    past = {name: middle[name] - start[name] for name in start}
    move(subject, seed=4)
    moved = values(subject)
    subject.model.zero_grad()
    methods[0].change_gradients()
    for name, parameter in subject.parameters().items():
        torch.testing.assert_close(parameter.grad, 2 * 5.0 * past[name] ** 2 * (moved[name] - middle[name]))
    methods[1].after_step(0.1)
    for name, parameter in subject.parameters().items():
        expected = middle[name] + (moved[name] - middle[name]) / (1 + 2 * 0.1 * 5.0 * past[name] ** 2)
        torch.testing.assert_close(parameter.detach(), expected)
        # it solves its own minimisation: the gradient of the sum vanishes there
        gradient = (expected - moved[name]) / 0.1 + 2 * 5.0 * past[name] ** 2 * (expected - middle[name])
        assert gradient.abs().max() < 1e-4


def test_the_proximal_step_is_stable_where_the_penalty_is_not():
    def largest(method):
        found = run(method, tasks=2, method_options={"strength": 1e7})
        try:
            found.learn()
        except RuntimeError:
            return math.inf
        return max(float(p.detach().abs().max()) for p in found.learner.parameters().values())

    assert largest("ella") < 5
    assert largest("ella_penalty") > 1e3


def test_a_memory_holds_as_much_of_each_class():
    memory = Memory(9)
    data = pictures(1)
    memory.add(data)
    assert memory.kept["label"].bincount().tolist() == [3, 3, 3]
    shown = data.batch(torch.arange(len(data)))["image"].flatten(1)
    kept = memory.kept["image"].flatten(1)
    assert all((shown == row).all(1).any() for row in kept)  # as the task shows them, pixels in its order


def test_replay_adds_kept_samples_with_their_own_task():
    method = Replay(learner(), samples=6, share=0.5)
    batch = pictures(1).batch(torch.arange(8))
    assert method.mix(batch)["label"].shape == (8,)
    method.end_task(pictures(0))
    mixed = method.mix(batch)
    assert mixed["task"].tolist() == [1] * 8 + [0] * 4
    assert torch.equal(mixed["image"][:8], batch["image"])
    assert method.memory_bytes() == 6 * (36 * 4 + 8 + 8)


def test_metrics_of_a_known_matrix():
    matrix = [[0.9, 0.1, 0.2], [0.8, 0.9, 0.3], [0.7, 0.6, 0.8]]
    assert average_accuracy(matrix) == pytest.approx(0.7)
    assert backward_transfer(matrix) == pytest.approx((0.7 - 0.9 + 0.6 - 0.9) / 2)
    assert forward_transfer(matrix, [0.1, 0.1, 0.1]) == pytest.approx((0.0 + 0.2) / 2)
    assert backward_transfer([[1.0]]) is None
    with pytest.raises(ValueError, match="one row for each task"):
        average_accuracy([[1.0, 0.5]])


def test_settings_refuse_what_is_none():
    with pytest.raises(ValueError, match="scenario"):
        settings(scenario="both")
    with pytest.raises(ValueError, match="seeds"):
        settings(seeds=[1, 1])
