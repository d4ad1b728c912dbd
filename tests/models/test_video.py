"""Compressed video: sizes, switches, what each input does, and how a task calls the model."""

import pytest
import torch
from torch import nn

from spikelab.learn.build import build_model, options_from_data
from spikelab.learn.classification import ClassificationTask
from spikelab.models.video import LARGEST_INPUT, CompressedVideo
from spikelab.models.video_input import InputScale
from spikelab.nn import Neuron


def videos(batch=2, groups=2, frames=4, channels=1, height=32, width=48, seed=0):
    """A batch as a data set of compressed video gives it, with motion that goes on over a group."""
    generator = torch.Generator().manual_seed(seed)
    drift = torch.randn((batch, groups, 1, 2, height // 8 + 1, width // 8 + 1), generator=generator)
    drift = drift.repeat_interleave(8, dim=-1).repeat_interleave(8, dim=-2)[..., :height, :width]
    steps = torch.arange(1, frames + 1.0).reshape(1, 1, -1, 1, 1, 1)
    residual = 0.05 * torch.randn((batch, groups, frames, channels, height, width), generator=generator)
    return {
        "image": torch.rand((batch, groups, 3, height, width), generator=generator),
        "motion": (2 * drift * steps).round() / 2,
        "residual": residual.clamp(-1, 1),
        "valid": torch.ones((batch, groups, frames), dtype=torch.bool),
        "label": torch.randint(5, (batch,), generator=generator),
    }


def call(model, batch):
    return model(*(batch[name] for name in model.inputs))


def settled(batch=None, **options):
    """A model whose normalisation statistics fit a batch, so that its neurons spike."""
    torch.manual_seed(0)
    model = CompressedVideo(**{"classes": 5, "frames": 4, **options})
    for norm in model.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm | InputScale):
            norm.momentum = 1.0
    with torch.no_grad():
        call(model, videos() if batch is None else batch)
    return model.eval()


@pytest.mark.parametrize(("size", "parameters"), [("tiny", 160e3), ("base", 15.8e6)])
def test_parameter_counts_are_those_of_the_presets(size, parameters):
    count = sum(p.numel() for p in CompressedVideo(size, classes=30).parameters())
    assert count == pytest.approx(parameters, rel=0.05)


SWITCHES = [
    {},
    {"modality": "image"},
    {"modality": "motion"},
    {"stm": "ordinary"},
    {"threshold": "adaptive"},
    {"threshold": "fixed"},
    {"readout": "membrane"},
    {"stm": "ordinary", "readout": "membrane"},
    {"depth": 0},
    {"mixer": 0},
    {"mixer": 2, "depth": 1},
    {"steps": 2},
    {"reset": "zero"},
    {"dropout": 0.2},
]


@pytest.mark.parametrize("options", SWITCHES, ids=lambda o: ",".join(f"{k}={v}" for k, v in o.items()) or "default")
def test_every_switch_trains_every_parameter(options):
    torch.manual_seed(0)
    model = CompressedVideo(classes=5, frames=4, **options)
    logits = call(model, videos(height=33, width=50))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


def test_the_base_preset_trains():
    model = CompressedVideo("base", classes=5, frames=2, residual_channels=3)
    logits = call(model, videos(frames=2, channels=3, height=64, width=64))
    logits.sum().backward()
    assert logits.isfinite().all()


def test_switches_build_what_they_say():
    kinds = {type(m).__name__ for m in settled(threshold="learned").motion.modules()}
    assert "LIF" in kinds
    assert "AdaptiveLIF" in {type(m).__name__ for m in settled(threshold="adaptive").motion.modules()}
    ordinary = settled(stm="ordinary")
    assert not any(isinstance(m, Neuron) and m.spec.spikes for m in ordinary.modules())
    assert len(settled(depth=0).transformer) == 0
    assert len(settled(mixer=0).mixer) == 0
    assert settled(modality="image").motion is None
    assert settled(modality="motion").image is None


def test_leaks_and_thresholds_are_learned_for_each_channel():
    neurons = [m for m in settled().motion.modules() if isinstance(m, Neuron) and m.spec.spikes]
    assert [tuple(n.log_tau_mem.shape) for n in neurons] == [(16, 1, 1), (32, 1, 1), (64, 1, 1)]
    assert all(n.v_threshold.requires_grad and len(n.v_threshold) == len(n.log_tau_mem) for n in neurons)


@pytest.mark.parametrize(
    ("modality", "ignored"), [("image", ("motion", "residual")), ("motion", ("image",)), ("both", ())]
)
def test_each_modality_looks_at_its_own_inputs_only(modality, ignored):
    model, batch = settled(modality=modality), videos()
    before = call(model, batch)
    for name in ("image", "motion", "residual"):
        changed = call(model, {**batch, name: batch[name].flip(0)})
        assert torch.equal(before, changed) == (name in ignored)


def test_only_the_first_steps_are_looked_at():
    model, batch = settled(steps=2), videos()
    later = batch["motion"].clone()
    later[:, :, 2:] += 5
    assert torch.equal(call(model, batch), call(model, {**batch, "motion": later}))
    later[:, :, 1] += 5
    assert not torch.equal(call(model, batch), call(model, {**batch, "motion": later}))


def test_what_is_not_valid_is_not_looked_at():
    model, batch = settled(), videos()
    batch["valid"][0, 1, 2:] = False
    before = call(model, batch)
    for name in ("motion", "residual"):
        changed = batch[name].clone()
        changed[0, 1, 2:] = 0.7
        assert torch.equal(before, call(model, {**batch, name: changed}))
    batch["valid"][0, 1, 1] = False
    assert not torch.equal(before, call(model, batch))


def test_the_last_step_is_the_last_frame_that_there_is():
    model, batch = settled(), videos()
    whole = model.encode(batch)
    batch["valid"][1, 0, 3:] = False
    batch["valid"][1, 1] = False
    x = model.encode(batch)
    torch.testing.assert_close(x[1:, 2], whole[:3, 2])  # group 0 of video 1: three frames, after one empty step
    assert not x[0, 2].any()
    assert not x[:, 3].any()
    assert torch.equal(x[:, :2], whole[:, :2])
    assert float(x.detach().abs().max()) <= LARGEST_INPUT


def test_order_in_time_matters_to_spiking_modulators_and_not_to_ordinary_ones():
    batch = videos()
    backwards = {**batch, "motion": batch["motion"].flip(2), "residual": batch["residual"].flip(2)}
    for stm, alike in (("spiking", False), ("ordinary", True)):
        model = settled(modality="motion", stm=stm)
        same = torch.allclose(call(model, batch), call(model, backwards), atol=1e-5)
        assert same == alike


def test_videos_do_not_depend_on_their_batch():
    model, batch = settled(), videos(batch=3)
    together = call(model, batch)
    alone = torch.cat([call(model, {name: value[k : k + 1] for name, value in batch.items()}) for k in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "huge"}, "size = 'huge'"),
        ({"modality": "sound"}, "modality = 'sound'"),
        ({"threshold": "dynamic"}, "threshold = 'dynamic'"),
        ({"steps": 5, "frames": 4}, "steps = 5"),
        ({"frames": 0}, "use modality image"),
        ({"groups": 0}, "groups = 0"),
        ({"depth": -1}, "depth = -1"),
        ({"dropout": 1.0}, "dropout = 1.0"),
        ({"tau_mem": 0.0}, "tau_mem = 0.0"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        CompressedVideo(**options)


@pytest.mark.parametrize("name", ["image", "motion", "residual", "valid"])
def test_wrong_inputs_are_named(name):
    model, batch = settled(), videos()
    with pytest.raises(ValueError, match=f"{name} has shape"):
        call(model, {**batch, name: batch[name][:, :1]})


def test_residuals_of_another_size_are_named():
    batch = videos()
    with pytest.raises(ValueError, match="residual has shape"):
        call(settled(), {**batch, "residual": batch["residual"][..., 1:]})


class Videos:
    """A data set of one batch."""

    class_names = ("a", "b", "c", "d", "e")

    def __init__(self, batch):
        self.batch = batch

    def __len__(self):
        return len(self.batch["label"])

    def __getitem__(self, index):
        return {name: value[index] for name, value in self.batch.items()}


def test_the_classification_task_calls_it_with_its_inputs():
    batch = videos(channels=3)
    data = Videos(batch)
    options = options_from_data("compressed_video", data, {"modality": "both"})
    assert options == {"modality": "both", "classes": 5, "groups": 2, "frames": 4, "residual_channels": 3}
    model = build_model("compressed_video", options).eval()
    task = ClassificationTask(data)
    assert torch.equal(task.forward(model, batch), call(model, batch))
    wrapped = nn.Module()
    wrapped.module = model
    wrapped.forward = model.forward
    assert torch.equal(task.forward(wrapped, batch), call(model, batch))
    with pytest.raises(ValueError, match=r"no 'motion'.*image, motion, residual, valid"):
        task.forward(model, {name: value for name, value in batch.items() if name != "motion"})


def test_it_learns_which_way_things_move():
    torch.manual_seed(0)
    batch = videos(batch=8, frames=3, height=16, width=16)
    batch["label"] = torch.arange(8) % 2
    batch["motion"] = torch.where(batch["label"].bool(), 2.0, -2.0)[:, None, None, None, None, None] * torch.ones(
        (8, 2, 3, 2, 16, 16)
    )
    model = CompressedVideo(modality="motion", classes=2, frames=3)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3)
    for _ in range(12):
        optimiser.zero_grad()
        nn.functional.cross_entropy(call(model, batch), batch["label"]).backward()
        optimiser.step()
    assert torch.equal(call(model, batch).argmax(1), batch["label"])


def test_inputs_are_scaled_and_zero_stays_zero():
    scale = InputScale(2, momentum=0.5)
    x = torch.tensor([[1.0, 0.0], [3.0, 0.0], [9.0, 9.0]])[:, :, None, None].repeat(1, 1, 2, 2)
    valid = torch.tensor([True, True, False])
    out = scale(x, valid)
    torch.testing.assert_close(out[:2, 0, 0, 0], torch.tensor([1.0, 3.0]) / 5**0.5)
    assert not out[:, 1].any()
    assert not out[2].any()
    torch.testing.assert_close(scale.mean_square, torch.tensor([0.5 * (1 + 5), 0.5]))
    scale.eval()
    torch.testing.assert_close(scale(x, valid)[:2, 0, 0, 0], torch.tensor([1.0, 3.0]) / 3**0.5)
    assert not scale(x, torch.zeros(3, dtype=torch.bool)).any()


def test_pictures_alone_need_no_p_frames():
    model = CompressedVideo(modality="image", classes=5, groups=6, frames=0)
    batch = videos(groups=6, frames=1)
    nothing = {name: batch[name][:, :, :0] for name in ("motion", "residual", "valid")}
    assert call(model, {**batch, **nothing}).shape == (2, 5)
