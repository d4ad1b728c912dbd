"""The spiking classifier of event recordings."""

import pytest
import torch

from spikelab.learn.build import build_model, options_from_data
from spikelab.models.event_classifier import EventClassifier


def recordings(batch=3, steps=5, shape=(2, 16, 12)):
    torch.manual_seed(0)
    return torch.poisson(torch.full((batch, steps, *shape), 0.3))


@pytest.mark.parametrize("decision", ["mean", "max", "last"])
def test_logits(decision):
    torch.manual_seed(0)
    model = EventClassifier(convolutions=(4, 6), hidden=(10,), decision=decision, event_shape=(2, 16, 12), classes=7)
    logits = model(recordings())
    assert logits.shape == (3, 7)
    assert logits.isfinite().all()
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.eval()(recordings(batch=1, steps=1)).shape == (1, 7)


def test_channels_of_a_cochlea():
    model = EventClassifier(convolutions=(), hidden=(8,), event_shape=(20,), classes=3)
    assert model(recordings(shape=(20,))).shape == (3, 3)


def test_time_runs_forwards():
    """What the network has answered by a step does not depend on what comes later."""
    torch.manual_seed(0)
    model = EventClassifier(convolutions=(4,), decision="last", event_shape=(2, 16, 12)).eval()
    events = recordings(steps=6)
    other = torch.cat([events[:, :4], recordings(steps=2).flip(0)], 1)
    early, _ = model.network(model.encode({"events": events}))
    late, _ = model.network(model.encode({"events": other}))
    torch.testing.assert_close(early[:4], late[:4])
    assert not torch.equal(early[4:], late[4:])


def test_a_step_of_the_data_sets_the_leak():
    class Data:
        class_names = ("a", "b", "c")
        step = 2e-3

        def __getitem__(self, index):
            return {"events": torch.zeros(5, 2, 16, 12), "label": torch.tensor(0)}

    options = options_from_data("event_classifier", Data(), {"convolutions": [4]})
    assert options["dt"] == 2e-3
    model = build_model("event_classifier", options)
    assert (model.classes, model.event_shape) == (3, (2, 16, 12))
    Data.step = None
    assert "dt" not in options_from_data("event_classifier", Data(), {"convolutions": [4]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decision": "vote"}, "decision = 'vote' must be one of"),
        ({"hidden": (0,)}, r"hidden = \[0\] must hold whole numbers"),
        ({"tau_mem": 0.0}, "tau_mem = 0.0 s must be a positive time"),
        ({"convolutions": (4, 4), "event_shape": (2, 3, 9)}, "pictures of at least 4 x 4 pixels"),
        ({"event_shape": (20,)}, "give fewer with --model.options.convolutions"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EventClassifier(**options)


def test_recordings_of_another_size():
    model = EventClassifier(convolutions=(4,), event_shape=(2, 16, 12))
    with pytest.raises(ValueError, match=r"must be \[B, T, 2, 16, 12\]"):
        model(recordings(shape=(2, 12, 16)))


def test_the_spiking_part_is_the_network():
    model = EventClassifier(convolutions=(4,), event_shape=(2, 16, 12))
    part = model.spiking_part({"events": [5, 2, 16, 12], "label": []})
    assert part.network is model.network
    assert part.input_shape == (2, 16, 12)
    with pytest.raises(ValueError, match=r"a sample's events are \[5, 2, 16, 16\]"):
        model.spiking_part({"events": [5, 2, 16, 16]})
