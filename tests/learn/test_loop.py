"""The loop apart from resuming: what it refuses, what it survives, when it stops, what it starts from."""

import errno
import json
import logging
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spikelab.io.checkpoint import CheckpointError, load_checkpoint
from spikelab.learn.build import build_dataset
from spikelab.learn.evaluate import evaluate_run
from spikelab.learn.logs import RunLog, read_log
from spikelab.learn.restore import load_run
from spikelab.learn.run_folder import RunError, RunFolder
from spikelab.learn.session import DivergedError
from spikelab.learn.train import train
from spikelab.registry import UnknownNameError
from spikelab.settings import Data, Evaluate, EvaluationData, Loss, Model, Optimiser, Schedule, Train


def settings_for(folder: Path, **changes) -> Train:
    base = Train(
        folder=str(folder),
        model=Model("tiny"),
        data=Data("tiny", batch_size=4),
        optimiser=Optimiser(learning_rate=0.02),
        epochs=4,
        log_every=1,
        device="cpu",
        tensorboard=False,
    )
    return replace(base, **changes)


def test_it_learns_and_keeps_everything(tmp_path):
    result = train(settings_for(tmp_path / "run", epochs=6))
    assert result["best"]["mean_iou"] > 0.95
    run = RunFolder(tmp_path / "run")
    assert run.read_settings().model.options == {"classes": 3}
    record = json.loads(run.record.read_text())
    assert record["seed"] == 0
    assert record["starts"][0]["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert record["starts"][0]["command"]
    assert record["result"] == result
    validations = read_log(run.log, "validation")
    assert [line["epoch"] for line in validations] == list(range(1, 7))
    assert max(line["mean_iou"] for line in validations) == result["best"]["mean_iou"]
    assert [line["step"] for line in read_log(run.log, "train")] == list(range(1, 37))
    best = load_checkpoint(run.best)
    assert best["progress"]["epoch"] == result["best"]["epoch"]
    assert load_checkpoint(run.last)["progress"]["step"] == 36


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(settings_for(tmp_path / name, epochs=1, seed=seed))
    weights = [load_checkpoint(tmp_path / name / "last.safetensors")["model"] for name in "abc"]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not torch.equal(weights[0]["first.weight"], weights[2]["first.weight"])


@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}])
def test_sgd_and_bfloat16_learn_too(tmp_path, changes):
    optimiser = Optimiser("sgd", learning_rate=0.2)
    result = train(settings_for(tmp_path / "run", optimiser=optimiser, epochs=8, **changes))
    assert result["best"]["mean_iou"] > 0.8


def test_class_weights_reach_the_loss(tmp_path):
    """With all weight on one class the model predicts nothing else."""
    train(settings_for(tmp_path / "run", loss=Loss(class_weights=[0.0, 1.0, 0.0]), epochs=6))
    figures = evaluate_run(Evaluate(str(tmp_path / "run"), checkpoint="last", device="cpu"))
    confusion = torch.tensor(figures["confusion_matrix"])
    assert confusion[:, 1].sum() == confusion.sum()


def test_early_stopping(tmp_path):
    """With a rate of almost zero nothing improves after the first validation."""
    still = Optimiser(learning_rate=1e-30, weight_decay=0.0)
    # Running statistics of batch normalisation would go on changing, so the model has none.
    model = Model("tiny", {"batch_norm": False})
    result = train(settings_for(tmp_path / "run", optimiser=still, model=model, patience=2, epochs=50))
    assert result["epochs"] == 3
    assert result["best"]["epoch"] == 1


def test_validation_every_other_epoch_and_always_the_last(tmp_path):
    train(settings_for(tmp_path / "run", epochs=5, validate_every=2))
    assert [line["epoch"] for line in read_log(tmp_path / "run" / "log.jsonl", "validation")] == [2, 4, 5]


def test_tensorboard_files_hold_the_log(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(settings_for(tmp_path / "run", epochs=2, tensorboard=True))
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [point.step for point in found.Scalars("train/loss")] == list(range(1, 13))
    logged = [line["iou"]["car"] for line in read_log(tmp_path / "run" / "log.jsonl", "validation")]
    assert [point.value for point in found.Scalars("validation/iou/car")] == pytest.approx(logged)


def test_loader_processes_change_nothing(tmp_path):
    train(settings_for(tmp_path / "alone", epochs=2))
    train(settings_for(tmp_path / "helped", epochs=2, data=Data("tiny", batch_size=4, workers=2)))
    one, other = ((tmp_path / name / "last.safetensors").read_bytes() for name in ("alone", "helped"))
    assert one == other


# --- fine-tuning ----------------------------------------------------------------------------------------------------


def test_fine_tuning_starts_from_the_best_weights(tmp_path):
    train(settings_for(tmp_path / "first", epochs=6))
    still = Optimiser(learning_rate=1e-30, weight_decay=0.0)
    settings = settings_for(tmp_path / "second", initialise_from=str(tmp_path / "first"), optimiser=still, epochs=1)
    train(settings)
    best = load_checkpoint(tmp_path / "first" / "best.safetensors")["model"]
    weights = load_checkpoint(tmp_path / "second" / "last.safetensors")["model"]
    assert torch.equal(best["first.weight"], weights["first.weight"])


def test_fine_tuning_can_skip_a_part(tmp_path):
    train(settings_for(tmp_path / "first", epochs=1))
    still = Optimiser(learning_rate=1e-30, weight_decay=0.0)
    base = settings_for(tmp_path / "second", initialise_from=str(tmp_path / "first"), optimiser=still, epochs=1, seed=9)
    train(replace(base, initialise_skip=["classifier."]))
    first = load_checkpoint(tmp_path / "first" / "best.safetensors")["model"]
    second = load_checkpoint(tmp_path / "second" / "last.safetensors")["model"]
    assert torch.equal(first["first.weight"], second["first.weight"])
    assert not torch.equal(first["classifier.weight"], second["classifier.weight"])
    with pytest.raises(CheckpointError, match="nothing to skip: no parameter's name begins with 'clasifier'"):
        train(replace(base, folder=str(tmp_path / "third"), initialise_skip=["clasifier"]))


def test_fine_tuning_from_another_shape_names_it(tmp_path):
    train(settings_for(tmp_path / "first", epochs=1))
    settings = settings_for(
        tmp_path / "second", initialise_from=str(tmp_path / "first"), model=Model("tiny", {"width": 4})
    )
    with pytest.raises(CheckpointError, match=r"shape of classifier.weight: model \[3, 4, 1, 1\], file \[3, 8, 1, 1\]"):
        train(settings)
    with pytest.raises(RunError, match="not the folder of a run"):
        train(replace(settings, initialise_from=str(tmp_path / "nowhere")))


def test_folders_of_other_commands_are_told_from_runs(tmp_path):
    for name in ("lls-seed0", "bptt-seed0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    with pytest.raises(RunError, match=r"it has no settings.toml\); runs in it: bptt-seed0, lls-seed0"):
        RunFolder(tmp_path).read_settings()
    (tmp_path / "settings.toml").write_text('rule = "lls"\n')
    with pytest.raises(RunError, match="of another command than spikelab train, and not of a run; runs in it: bptt"):
        RunFolder(tmp_path).read_settings()


# --- not finite -----------------------------------------------------------------------------------------------------


def test_nan_in_the_input_is_traced_to_the_input(tmp_path):
    settings = settings_for(tmp_path / "run", data=Data("tiny", {"nan_at": 0}, batch_size=4), checkpoint_every=1)
    with pytest.raises(DivergedError) as caught:
        train(settings)
    message = str(caught.value)
    step = load_checkpoint(tmp_path / "run" / "last.safetensors", ["progress"])["progress"]["step"]
    assert f"step {step} (epoch 1, batch {step}): the loss is nan" in message
    assert "because the input events[" in message
    assert "is nan: look at the data set" in message
    assert f"the last good checkpoint is {tmp_path / 'run' / 'last.safetensors'}" in message


def test_divergence_keeps_the_last_good_checkpoint(tmp_path):
    wild = Optimiser("sgd", learning_rate=1e30, gradient_clip=0.0)
    model = Model("tiny", {"batch_norm": False})
    quick = Schedule("constant", warmup_epochs=0)
    settings = settings_for(tmp_path / "run", optimiser=wild, model=model, schedule=quick, checkpoint_every=1)
    with pytest.raises(DivergedError, match=r"step \d+ \(epoch 1, batch \d+\): .*learning_rate"):
        train(settings)
    kept = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert kept["progress"]["step"] == 1
    assert all(tensor.isfinite().all() for tensor in kept["model"].values())


def test_weights_that_are_not_finite_are_never_written(tmp_path, monkeypatch):
    import spikelab.learn.loop as loop

    step, count = loop.train_step, [0]

    def train_step(session, network, batch, stop=False):
        result = step(session, network, batch, stop)
        count[0] += 1
        if count[0] == 3:
            with torch.no_grad():
                session.model.classifier.bias[1] = math.inf
        return result

    monkeypatch.setattr(loop, "train_step", train_step)
    with pytest.raises(DivergedError, match=r"step 3 .*classifier\.bias\[1\] is inf .*last good checkpoint"):
        train(settings_for(tmp_path / "run", checkpoint_every=1))
    kept = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert kept["progress"]["step"] == 2


# --- full disk ------------------------------------------------------------------------------------------------------


def refuse_checkpoints(monkeypatch, refused) -> None:
    """A disk that is full for the writes whose numbers are in `refused`."""
    import spikelab.io.atomic as atomic

    writes, fsync = [0], os.fsync

    def full(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if name.endswith(".tmp") and "safetensors" in name:
            writes[0] += 1
            if writes[0] in refused:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", full)


def test_a_full_disk_does_not_stop_the_training(tmp_path, monkeypatch, caplog):
    """Refused for a while, then room again: the files end as if nothing had happened."""
    train(settings_for(tmp_path / "whole", checkpoint_every=2))
    refuse_checkpoints(monkeypatch, range(3, 9))
    with caplog.at_level(logging.WARNING):
        train(settings_for(tmp_path / "full", checkpoint_every=2))
    assert "No space left on device" in caplog.text
    assert "the checkpoint that stood there is untouched. Free space there" in caplog.text
    for name in ("last", "best"):
        one, other = ((tmp_path / run / f"{name}.safetensors").read_bytes() for run in ("whole", "full"))
        assert one == other
    assert not list((tmp_path / "full").glob(".*.tmp"))


def test_a_disk_that_stays_full_is_an_error_only_at_the_end(tmp_path, monkeypatch):
    refuse_checkpoints(monkeypatch, range(4, 1000))
    with pytest.raises(CheckpointError, match=r"could not write 0\.0 MB: No space left on device"):
        train(settings_for(tmp_path / "run", checkpoint_every=1))
    run = RunFolder(tmp_path / "run")
    assert load_checkpoint(run.last)["progress"]["step"] == 3
    assert len(read_log(run.log, "validation")) == 4, "all epochs were trained"
    monkeypatch.undo()


def test_a_real_full_disk(tmp_path):
    """A file system of 64 kB, where mounting one is allowed."""
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs privileges")
    try:
        with pytest.raises(CheckpointError, match="No space left on device"):
            train(settings_for(disk / "run", checkpoint_every=1, tensorboard=True))
        # The first checkpoints of about 33 kB fit, a second one beside it does not: the first is whole.
        assert load_checkpoint(disk / "run" / "last.safetensors")["progress"]["step"] >= 1
        assert not list((disk / "run").glob(".*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_log_that_cannot_be_written_waits(tmp_path, monkeypatch, caplog):
    real, room = os.pwrite, [True]

    def pwrite(descriptor, data, offset):
        if room[0]:
            return real(descriptor, data, offset)
        real(descriptor, data[:5], offset)
        return 5

    monkeypatch.setattr(os, "pwrite", pwrite)
    with RunLog(tmp_path / "log.jsonl") as log:
        log.write("train", 1, {"loss": 1.0})
        room[0] = False
        log.write("train", 2, {"loss": 2.0})
        log.write("train", 3, {"loss": 3.0})
        assert [line["step"] for line in read_log(tmp_path / "log.jsonl")] == [1]
        room[0] = True
        log.write("train", 4, {"loss": 4.0})
    assert [line["step"] for line in read_log(tmp_path / "log.jsonl")] == [1, 2, 3, 4]
    assert caplog.text.count("training goes on") == 1


# --- refused at the start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"model": Model("tyni")}, UnknownNameError, "unknown name 'tyni'; did you mean 'tiny'"),
        ({"task": "segmentaton"}, UnknownNameError, "did you mean 'segmentation'"),
        ({"data": Data("tinny")}, UnknownNameError, "unknown name 'tinny'; did you mean 'tiny'"),
        (
            {"model": Model("tiny", {"witdh": 3})},
            ValueError,
            "'tiny' has no option 'witdh'; did you mean 'width'",
        ),
        ({"model": Model("tiny", {"classes": 4})}, ValueError, "classes = 4, and the data set has 3; leave it out"),
        ({"data": Data("tiny", {"sample": 3})}, ValueError, "has no option 'sample'; did you mean 'samples'"),
        ({"data": Data("tiny", batch_size=25)}, ValueError, "'train' has only 24 samples; use 24 or less"),
        ({"data": Data("tiny", {"samples": 0})}, ValueError, "the split 'train' of TinyScenes has no samples"),
        ({"data": Data("tiny", train_split="trian")}, ValueError, "split is 'trian'"),
        (
            {"data": Data("tiny", {"label_at": 0}, batch_size=4)},
            ValueError,
            r"label\[\d, 0, 0\] is 17: classes",
        ),
        ({"loss": Loss(class_weights=[1.0, 2.0])}, ValueError, "has 2 values; give one for each of the 3 classes"),
        ({"schedule": Schedule(warmup_epochs=4)}, ValueError, "warmup_epochs = 4: the training has 4 epochs"),
        ({"device": "cuda:7"}, ValueError, "device = 'cuda:7': "),
    ],
)
def test_what_cannot_be_honoured_is_refused(tmp_path, changes, kind, message):
    with pytest.raises(kind, match=message):
        train(settings_for(tmp_path / "run", **changes))


def test_evaluation_on_other_data(tmp_path, monkeypatch):
    train(settings_for(tmp_path / "run", epochs=1))
    here = Evaluate(str(tmp_path / "run"), device="cpu")
    assert evaluate_run(here)["samples"] == 10
    few = evaluate_run(replace(here, data=EvaluationData(options={"samples": 4}, batch_size=3)))
    assert few["samples"] == 4
    assert few["conditions"]["dark"]["samples"] == 2
    assert few["energy"]["counted"]["joule"] == pytest.approx(2 * few["energy"]["spikes"])
    import tiny_parts

    monkeypatch.setattr(tiny_parts.TinyScenes, "class_names", ("road", "car", "tree"))
    with pytest.raises(ValueError, match=r"other class_names than .* was trained with: number 2 is 'tree', not 'sky'"):
        evaluate_run(here)


def test_figures_do_not_depend_on_the_batch_size(tmp_path):
    train(settings_for(tmp_path / "run", epochs=2))
    figures = [
        evaluate_run(Evaluate(str(tmp_path / "run"), data=EvaluationData(batch_size=size), device="cpu"))
        for size in (1, 3, 10)
    ]
    for other in figures[1:]:
        assert other["confusion_matrix"] == figures[0]["confusion_matrix"]
        assert other["loss"] == pytest.approx(figures[0]["loss"], rel=1e-5)


def test_a_loaded_run_predicts_what_the_trained_model_did(tmp_path):
    result = train(settings_for(tmp_path / "run", epochs=3))
    run = load_run(tmp_path / "run")
    assert not run.model.training
    assert run.sample_shapes == {"events": [3, 2, 8, 12], "frame": [1, 8, 12], "label": [8, 12]}
    settings = Evaluate(str(tmp_path / "run"), data=EvaluationData(split="validation"), device="cpu")
    figures = evaluate_run(settings)
    assert figures["confusion_matrix"] == result["best"]["confusion_matrix"]
    assert build_dataset("tiny", "test", {"samples": 2}).samples == 2


def test_nan_weights_in_a_checkpoint_are_refused(tmp_path):
    from spikelab.io.checkpoint import save_checkpoint

    train(settings_for(tmp_path / "run", epochs=1))
    best = tmp_path / "run" / "best.safetensors"
    tree = load_checkpoint(best)
    tree["model"]["first.weight"][2, 0, 1, 1] = math.nan
    save_checkpoint(best, tree)
    with pytest.raises(CheckpointError, match=r"best\.safetensors: first\.weight\[2, 0, 1, 1\] is nan \(1 of 504"):
        evaluate_run(Evaluate(str(tmp_path / "run"), device="cpu"))
