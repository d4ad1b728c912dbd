"""The spiking classifier: its code, its switches, its way out to hardware."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from spikelab import nn
from spikelab.io.nir_read import from_nir
from spikelab.io.nir_write import to_nir
from spikelab.models.classifier import SpikingClassifier

SMALL = {"image_shape": [1, 6, 5], "classes": 4, "steps": 9}


def images(batch=3, shape=(1, 6, 5)):
    return torch.randint(0, 256, (batch, *shape), generator=torch.Generator().manual_seed(0)) / 255


def busy(**options):
    """A small model whose neurons spike: weights six times those of a fresh one."""
    torch.manual_seed(1)
    model = SpikingClassifier(**{"hidden": [12, 7], "tau_syn": 2e-3} | SMALL | options)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter *= 6 if name.endswith("weight") else 1
    return model


def accumulated(level, steps, levels=255):
    """The rate code as a microcontroller would make it."""
    total, train = levels // 2, []
    for _ in range(steps):
        total += level
        train.append(int(total >= levels))
        total -= levels * train[-1]
    return train


@pytest.mark.parametrize(("steps", "levels"), [(1, 255), (20, 255), (7, 3), (5, 1)])
def test_regular_rate_code_is_an_integrate_and_fire_neuron(steps, levels):
    values = torch.arange(levels + 1) / levels
    train = nn.regular_rate_code(values, steps, levels)
    assert train.shape == (steps, levels + 1)
    assert train.T.tolist() == [accumulated(level, steps, levels) for level in range(levels + 1)]
    assert train[:, 0].sum() == 0
    assert train[:, -1].sum() == steps
    assert (train.sum(0) - steps * values).abs().max() <= 1


def test_regular_rate_code_refuses():
    with pytest.raises(ValueError, match="values span 0 to 3"):
        nn.regular_rate_code(torch.tensor([0.0, 3.0]), 4)
    for options in ({"steps": 0}, {"steps": 3, "levels": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            nn.regular_rate_code(torch.ones(1), **options)


@pytest.mark.parametrize("code", ["rate", "latency"])
@pytest.mark.parametrize("convolutions", [[], [3]])
def test_encode_gives_spikes_and_nothing_random(code, convolutions):
    model = busy(code=code, convolutions=convolutions)
    batch = {"image": images()}
    train = model.encode(batch)
    assert train.shape == (9, 3, *((1, 6, 5) if convolutions else (30,)))
    assert set(train.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(model.encode(batch), train)
    if code == "rate":
        level = round(float(batch["image"][1, 0, 2, 3]) * 255)
        assert train.flatten(2)[:, 1, 13].tolist() == accumulated(level, 9)
    else:
        assert (train.sum(0) <= 1).all()


CHOICES = list(itertools.product(["lif", "cuba_lif", "if"], ["li", "spikes"], ["zero", "subtract"], [[], [2, 3]]))


@pytest.mark.parametrize(("neuron", "readout", "reset", "convolutions"), CHOICES)
def test_every_switch_trains(neuron, readout, reset, convolutions):
    model = busy(neuron=neuron, readout=readout, reset=reset, convolutions=convolutions)
    logits = model(images())
    assert logits.shape == (3, 4)
    functional.cross_entropy(logits, torch.tensor([0, 2, 3])).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without
    if readout == "spikes":
        assert torch.equal(logits, logits.round())
        assert 0 < logits.sum() < 9 * 12


@pytest.mark.parametrize("options", [{"readout": "spikes"}, {}, {"decision": "max"}, {"decision": "last"}])
def test_forward_is_encode_network_decode(options):
    model = busy(**options)
    part = model.spiking_part({"image": [1, 6, 5], "label": []})
    assert part.network is model.network
    assert part.input_shape == (30,)
    output, _ = part.network(part.encode({"image": images()}))
    assert torch.equal(model.decode(output), model(images()))
    if options == {"decision": "max"}:
        assert torch.equal(model.decode(output), output.max(0).values)
    elif options == {"decision": "last"}:
        assert torch.equal(model.decode(output), output[8])
    elif not options:
        torch.testing.assert_close(model.decode(output), output.sum(0) / 9)
    else:
        assert set(output.unique().tolist()) == {0.0, 1.0}
    with pytest.raises(ValueError, match=r"image is \[1, 5, 6\], and the model is for \[1, 6, 5\]"):
        model.spiking_part({"image": [1, 5, 6]})


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif", "if"])
@pytest.mark.parametrize("readout", ["li", "spikes"])
@pytest.mark.parametrize("convolutions", [[], [2]])
def test_nir_there_and_back(neuron, readout, convolutions):
    model = busy(neuron=neuron, readout=readout, convolutions=convolutions).eval()
    part = model.spiking_part({"image": [1, 6, 5]})
    assert part.input_shape == ((1, 6, 5) if convolutions else (30,))
    back = from_nir(to_nir(part.network, part.input_shape))
    batch = {"image": images()}
    with torch.no_grad():
        there, _ = part.network.run(part.encode(batch))
        here, _ = back.run(part.encode(batch))
    assert there["hidden1"].mean() > 0.02, "a silent network proves nothing"
    torch.testing.assert_close(here["hidden1"], there["hidden1"], rtol=0, atol=0)
    torch.testing.assert_close(here["readout"], there["readout"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif", "if"])
def test_gain_is_one(neuron):
    """A spike through a weight of 0.5 brings 0.5 to the membrane: at once, or spread over tau_syn."""
    model = SpikingClassifier(hidden=[1], neuron=neuron, bias=False, image_shape=[1, 1, 1], classes=1, v_threshold=9.0)
    current = torch.zeros(100, 1, 1)
    current[0] = 0.5
    trace = model.network.nodes["hidden1"].trace(current)
    if neuron == "cuba_lif":
        assert trace["i"].sum().item() == pytest.approx(0.5, rel=1e-5)
        i, v = 0.5 / 5, 0.0
        for step in range(4):
            v = (1 - 1 / 20) * v + i
            assert trace["v"][step].item() == pytest.approx(v, rel=1e-5)
            i *= 1 - 1 / 5
    else:
        kept = 1.0 if neuron == "if" else np.exp(-1 / 20)
        assert trace["v"][0].item() == pytest.approx(0.5, rel=1e-6)
        assert trace["v"][3].item() == pytest.approx(0.5 * kept**3, rel=1e-5)


def test_wrong_options_and_inputs_are_named():
    wrong = {
        "neuron": ("izhikevich", "neuron = 'izhikevich' must be one of lif, cuba_lif, if"),
        "readout": ("x", "readout = 'x' must be one of li, spikes"),
        "decision": ("first", "decision = 'first'"),
        "code": ("poisson", "code = 'poisson'"),
        "reset": ("value", "reset = 'value'"),
        "hidden": ([12, 0], r"hidden = \[12, 0\] must hold whole numbers of at least 1"),
        "convolutions": ([-1], r"convolutions = \[-1\]"),
        "image_shape": ([28, 28], r"image_shape = \[28, 28\] must be channels, height, width"),
        "steps": (0, "steps = 0 must be at least 1"),
        "tau_mem": (0.0, "tau_mem = 0.0 s must be a positive time"),
        "dt": (-1e-3, "dt = -0.001 s must be"),
        "v_threshold": (float("nan"), "v_threshold = nan"),
    }
    for name, (value, message) in wrong.items():
        with pytest.raises(ValueError, match=message):
            SpikingClassifier(**{name: value})
    with pytest.raises(ValueError, match="of cuba_lif must not be shorter than a step"):
        SpikingClassifier(neuron="cuba_lif", tau_syn=5e-4)
    with pytest.raises(ValueError, match=r"pictures are \[3, 1, 5, 6\], but must be \[B, 1, 6, 5\]"):
        busy()(images(shape=(1, 5, 6)))
    with pytest.raises(ValueError, match="values span 0 to 255"):
        busy()(torch.tensor([0.0, 255.0] * 15).reshape(1, 1, 6, 5))
