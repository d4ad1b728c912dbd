"""Whole runs: every method with rules and scenarios, exact resumption, streams, clear errors."""

import dataclasses

import pytest
import torch
from streams import pictures, run, settings, stream

from spikelab import registry
from spikelab.io.checkpoint import load_checkpoint
from spikelab.io.stop_request import StopRequest
from spikelab.learn.continual.heads import HeadedClassification
from spikelab.learn.continual.stream import TaskData, together
from spikelab.learn.continual.train import build_stream, completed, prepare
from spikelab.learn.interrupt import TrainingInterrupted
from spikelab.learn.session import DivergedError
from spikelab.settings import Model, Optimiser
from spikelab.settings_continual import SPIKING_OPTIONS

METHODS = registry.names("continual_methods")


class Stopped(StopRequest):
    """Asks to stop after some steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    @property
    def requested(self):
        self.left -= 1
        return self.left < 0

    @requested.setter
    def requested(self, value):
        pass


def weights(found):
    return {name: value.clone() for name, value in found.learner.model.state_dict().items()}


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_goes_on_to_the_same_bits(method, tmp_path, monkeypatch):
    options = {"samples": 12} if method in ("replay", "a_gem", "ewc", "online_ewc", "gpm") else {}
    optimiser = Optimiser("sgd", learning_rate=0.1, momentum=0.9, weight_decay=0.0)
    given = {"method_options": options, "optimiser": optimiser}
    whole = run(method, **given)
    expected = whole.learn()
    path = tmp_path / "seed.safetensors"
    monkeypatch.setattr("spikelab.learn.continual.run.StopRequest", lambda: Stopped(13))
    with pytest.raises(TrainingInterrupted, match="task 2, epoch 2, batch 2" if method != "joint" else "task 2"):
        run(method, checkpoint=path, **given).learn()
    monkeypatch.undo()
    torch.manual_seed(99)  # what was drawn in between does not matter
    again = run(method, checkpoint=path, **given)
    figures = again.learn()
    assert figures["accuracy"] == expected["accuracy"]
    assert figures["losses"] == expected["losses"]
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(again)[name]), name
    assert load_checkpoint(path)["progress"]["task"] == 3


@pytest.mark.parametrize(
    ("method", "scenario"),
    [(method, "domain") for method in METHODS] + [(m, s) for m in ("hlop", "ewc") for s in ("task", "class")],
)
def test_methods_learn_in_every_scenario(method, scenario):
    found = run(method, tasks=2, epochs=4, scenario=scenario)
    figures = found.learn()
    assert figures["accuracy"][0][0] > 0.55  # chance is 1/3
    assert len(figures["accuracy"]) == 2
    assert figures["memory_bytes"] == (0 if method in ("sequential", "joint") else figures["memory_bytes"])
    assert figures["memory_bytes"] > 0 or method in ("sequential", "joint")


@pytest.mark.parametrize(
    ("method", "rule"),
    [*((method, "lls") for method in ("hlop", "gpm", "ewc", "si", "a_gem", "replay", "ella")), ("hlop", "frozen")],
)
def test_methods_work_beside_local_rules(method, rule):
    found = run(method, tasks=2, epochs=1, rule=rule)
    before = weights(found)
    found.learn()
    assert any(not torch.equal(value, before[name]) for name, value in weights(found).items())


def test_a_head_of_another_task_gets_no_gradient():
    found = run("sequential", tasks=2, scenario="task")
    gradients = found.learner.gradients(found.learner.task.located(pictures(1).batch(torch.arange(6))))
    readout = gradients["network.nodes.readout_weights.weight"]
    assert readout.shape[0] == 6
    assert (readout[:3] == 0).all()
    assert (readout[3:] != 0).any()


def test_more_is_forgotten_without_a_method_than_with_old_data():
    fast = Optimiser("sgd", learning_rate=0.5, weight_decay=0.0, momentum=0.0, gradient_clip=0.0)
    figures = {name: run(name, tasks=5, epochs=4, optimiser=fast).learn() for name in ("sequential", "joint", "replay")}
    assert figures["sequential"]["bwt"] < -0.05
    for name in ("joint", "replay"):
        assert figures[name]["acc"] > figures["sequential"]["acc"]
        assert figures[name]["bwt"] > figures["sequential"]["bwt"] + 0.05


def test_a_loss_that_runs_away_is_told_and_the_run_kept(tmp_path):
    path = tmp_path / "seed.safetensors"
    found = run("sequential", checkpoint=path)
    step, count = found.step, [0]

    def poisoned(batch):
        count[0] += 1
        if count[0] == 11:
            with torch.no_grad():
                next(found.learner.model.parameters()).fill_(float("inf"))
        return step(batch)

    found.step = poisoned
    with pytest.raises((DivergedError, FloatingPointError, ValueError)) as error:
        found.learn()
    assert "finite" in str(error.value) or "nan" in str(error.value)
    assert load_checkpoint(path)["progress"]["task"] == 1


def test_a_loss_that_explodes_is_a_divergence(tmp_path):
    found = run("sequential", checkpoint=tmp_path / "seed.safetensors")
    with torch.no_grad():
        found.learner.model.get_submodule("network.nodes.readout_weights").weight.mul_(1e12)
    with pytest.raises(DivergedError, match=r"the loss is \d.*e\+\d.*learning_rate.*another --folder: .* is kept"):
        found.learn()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (50, [50]),
        ("50", [50]),
        ("[5,4, 3]", [5, 4, 3]),
        ([5, 4, 3], [5, 4, 3]),
    ],
)
def test_one_number_is_a_list_of_one(given, expected):
    assert completed(settings("hlop", method_options={"neurons": given})).method_options["neurons"] == expected


@pytest.mark.parametrize("given", ["drawn_digits,mnist", "[drawn_digits, mnist]", '["drawn_digits","mnist"]'])
def test_names_are_split_at_commas(given):
    assert completed(settings(stream="several", stream_options={"data": given})).stream_options["data"] == [
        "drawn_digits",
        "mnist",
    ]
    one = build_stream("several", {"data": "drawn_digits", "samples": 10, "test_samples": 10, "folder": "none"}, 0)
    assert one.names == ("drawn_digits",)


def test_several_data_sets_lie_in_one_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "mnist")):
        build_stream("several", {"data": ["mnist"], "folder": str(tmp_path)}, 0)


def test_options_of_the_spiking_classifier_are_its_own():
    assert completed(settings(model=Model("spiking_classifier", {"steps": 7}))).model.options == {
        **SPIKING_OPTIONS,
        "steps": 7,
    }
    other = Model("convolutional_classifier", {"channels": [4], "hidden": 8})
    assert completed(settings(model=other)).model == other
    found = prepare(settings(model=other, epochs=1), stream(2), 0, torch.device("cpu"))
    assert len(found.learn()["accuracy"]) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: run("hlop", method_options={"neurons": 5000}),
            "hlop: neurons = 5000 for .*hidden1_weights, which has 36",
        ),
        (
            lambda: run("hlop", method_options={"more": [1, 17, 1]}),
            "more = 17 for .*hidden2_weights, which has 16 inputs",
        ),
        (lambda: run("hlop", method_options={"neurons": "many"}), "neurons = 'many': takes a list of whole"),
        (lambda: run("hlop", method_options={"neurons": 2.5}), "whole numbers"),
        (
            lambda: build_stream("split", {"data": "drawn_digits", "samples": 5000}, 0),
            "--stream_options.samples = 5000: .*4000",
        ),
        (
            lambda: build_stream("split", {"data": "drawn_digits", "samples": 2}, 0),
            "--stream_options.samples = 2: task",
        ),
        (lambda: pictures(0, count=0), "no sample"),
        (lambda: HeadedClassification((("a", "b"), ()), "task"), "task 1 has no class"),
        (lambda: HeadedClassification((("a", "b"), ("a",)), "domain"), "use scenario task or class"),
        (lambda: HeadedClassification((("a",),), "both"), "must be one of"),
        (lambda: run("replay", method_options={"sample": 3}), "did you mean 'samples'"),
        (lambda: build_stream("split", {"tasks": 3}, 0), "do not divide"),
    ],
)
def test_what_makes_no_stream_is_said(make, message, request):
    if "divide" in message:
        request.getfixturevalue("shared")
    with pytest.raises(ValueError, match=message):
        make()


def test_labels_beyond_the_classes_are_refused():
    good = stream(2)
    wrong = dataclasses.replace(good.training[1], labels=good.training[1].labels + 1)
    with pytest.raises(ValueError, match="task 'task 1': label 3"):
        dataclasses.replace(good, training=(good.training[0], wrong))


def test_pixels_are_permuted_and_parts_put_together():
    one, other = pictures(1), pictures(2)
    places = torch.tensor([3, 0])
    batch = one.batch(places)
    assert torch.equal(batch["image"].flatten(1), one.images[places].flatten(1)[:, one.orders[1]])
    both = together([one, other])
    assert len(both) == len(one) + len(other)
    assert torch.equal(both.batch(torch.tensor([len(one)]))["image"], other.batch(torch.tensor([0]))["image"])
    seen = torch.cat([b["label"] for b in one.batches(10, torch.Generator().manual_seed(0))])
    assert sorted(seen.tolist()) == sorted(one.labels.tolist())
    late = list(one.batches(10, torch.Generator().manual_seed(0), first=3))
    assert torch.equal(torch.cat([b["label"] for b in late]), seen[30:])
    assert isinstance(both, TaskData)


@pytest.mark.shared
def test_streams_of_real_data(shared, monkeypatch):
    monkeypatch.setenv("SPIKELAB_SHARED", str(shared))
    permuted = build_stream("permuted", {"tasks": 3, "samples": 50, "test_samples": 20}, 1)
    assert [len(part) for part in permuted.training] == [50] * 3
    first, second = (permuted.training[task].batch(torch.arange(50)) for task in (0, 1))
    assert torch.equal(first["image"].sum((1, 2, 3)).round(), second["image"].sum((1, 2, 3)).round())
    assert not torch.equal(first["image"], second["image"])
    halves = build_stream("split", {"tasks": 5, "samples": 300, "test_samples": 100}, 1)
    assert halves.class_names[2] == ("4", "5")
    assert sum(map(len, halves.training)) == 300
    several = build_stream("several", {"samples": 20, "test_samples": 10, "side": 16, "channels": 3}, 1)
    assert several.image_shape == [3, 16, 16]
    assert len(several) == 4
    assert len({classes for classes in several.class_names}) == 4
    with pytest.raises(ValueError, match=r"--stream_options.samples = 10000000: data set 'mnist' has"):
        build_stream("permuted", {"samples": 10**7}, 1)


def test_a_convolutional_model_takes_the_size_of_the_stream():
    model = Model("spiking_classifier", {"convolutions": [3], "hidden": [8], "steps": 3})
    found = prepare(settings("ewc", model=model, epochs=1), stream(2), 0, torch.device("cpu"))
    assert len(found.learn()["accuracy"]) == 2
