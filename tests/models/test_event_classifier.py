"""The spiking classifier of event recordings."""

import pytest
import torch

from spikelab.hw.lower import lower
from spikelab.io.nir_read import from_nir
from spikelab.io.nir_write import to_nir
from spikelab.learn.build import build_model, options_from_data
from spikelab.models.event_classifier import EventClassifier
from spikelab.nn import Delay


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


def test_convolutions_along_the_channels_of_a_cochlea():
    torch.manual_seed(0)
    model = EventClassifier(convolutions=(4, 6), hidden=(8,), delays=(0, 2), event_shape=(21,), classes=3)
    logits = model(recordings(shape=(21,)))
    assert logits.shape == (3, 3)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    # 21 channels become 11, and 6
    assert model.network.nodes["hidden1_weights"].in_features == 36
    part = model.spiking_part({"events": [5, 21], "label": []})
    assert part.input_shape == (1, 21, 1)
    assert part.encode({"events": recordings(shape=(21,))}).shape == (5, 3, 1, 21, 1)


def test_a_formant_that_moves_by_two_channels_moves_the_answer_by_one():
    torch.manual_seed(0)
    model = EventClassifier(convolutions=(4,), event_shape=(40,)).eval()
    spikes = torch.zeros(1, 6, 40)
    spikes[:, 1:4, 10:13] = 5
    maps = []
    for moved in (spikes, spikes.roll(8, 2)):
        outputs, _ = model.network.run(model.encode({"events": moved}))
        maps.append(outputs["convolution1"])
    assert maps[0].sum() > 0
    torch.testing.assert_close(maps[0].roll(4, 3)[:, :, :, 6:16], maps[1][:, :, :, 6:16])


def test_delays_are_the_steps_after_which_input_arrives():
    torch.manual_seed(0)
    model = EventClassifier(convolutions=(), hidden=(6,), delays=(1, 3), event_shape=(4,), normalise=False).eval()
    nodes = model.network.nodes
    for name in ("hidden1_weights_after1", "hidden1_weights_after3"):
        torch.nn.init.constant_(nodes[name].weight, 1.0)
        torch.nn.init.zeros_(nodes[name].bias)
    spikes = torch.zeros(1, 7, 4)
    spikes[0, 2, 0] = 1.5
    outputs, _ = model.network.run(model.encode({"events": spikes}))
    assert outputs["hidden1"].sum((1, 2)).tolist() == [0, 0, 0, 6, 0, 6, 0]


def test_delays_grow_from_layer_to_layer():
    model = EventClassifier(convolutions=(4, 4), hidden=(6,), delays=(0, 1, 3), delay_growth=2, event_shape=(8,))
    found = {name: int(node.steps) for name, node in model.network.nodes.items() if isinstance(node, Delay)}
    assert found == {
        "convolution1_delay1": 1, "convolution1_delay3": 3, "convolution2_delay2": 2, "convolution2_delay6": 6,
        "hidden1_delay4": 4, "hidden1_delay12": 12,
    }  # fmt: skip


def test_delays_along_a_cochlea_have_a_form_for_nir_and_for_a_chip():
    torch.manual_seed(0)
    model = EventClassifier(convolutions=(4, 6), delays=(0, 1, 2), event_shape=(16,), classes=3)
    for _ in range(3):
        model(recordings(shape=(16,)))  # running statistics
    model.eval()
    part = model.spiking_part({"events": [5, 16], "label": []})
    spikes = part.encode({"events": recordings(shape=(16,))})
    expected, _ = part.network(spikes)
    read = from_nir(to_nir(part.network, part.input_shape)).double()
    found, _ = read(spikes.double())
    torch.testing.assert_close(found, expected.double(), rtol=1e-4, atol=1e-4)
    lowered = lower(part.network, "loihi", input_shape=part.input_shape)
    assert lowered.graph is not None


@pytest.mark.parametrize("shape", [(2, 16, 12), (20,)])
def test_time_runs_forwards(shape):
    """What the network has answered by a step does not depend on what comes later."""
    torch.manual_seed(0)
    delays = (0, 1) if len(shape) == 1 else (0,)
    model = EventClassifier(convolutions=(4,), delays=delays, decision="last", event_shape=shape).eval()
    events = recordings(steps=6, shape=shape)
    other = torch.cat([events[:, :4], recordings(steps=2, shape=shape).flip(0)], 1)
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
        ({"event_shape": (7,)}, r"or 8 channels, and a step is \[7\]; give fewer with --model.options.convolutions"),
        ({"event_shape": (20, 20)}, r"a step is \[20, 20\]"),
        ({"delays": ()}, r"delays = \[\] must be different whole numbers"),
        ({"delays": (1, 1)}, r"delays = \[1, 1\]"),
        ({"delay_growth": 0}, "delay_growth = 0 must be"),
        ({"delays": (0, -1)}, r"delays = \[0, -1\]"),
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
