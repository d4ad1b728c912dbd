"""Two processes are one process with the same global batch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_parts
import torch

from spikelab.io.checkpoint import CheckpointError, load_checkpoint
from spikelab.learn.distributed import Processes, pick_device
from spikelab.learn.loading import EvaluationBatches, TrainingBatches
from spikelab.learn.logs import read_log
from spikelab.learn.train import resume_settings, train
from spikelab.settings import Data

SCRIPT = Path(tiny_parts.__file__)
# Batch normalisation takes its statistics per process, and dropout draws per process: neither can be equal.
OPTIONS = [
    "--model.name=tiny",
    "--data.name=tiny",
    "--data.batch-size=4",
    "--epochs=2",
    "--device=cpu",
    "--log-every=1",
]
OPTIONS += ["--optimiser.learning-rate=0.02", "--tensorboard=false"]
PLAIN = ["--model.options.batch_norm=false", "--model.options.dropout=0.0"]


def run(*words: str, processes: int = 1, stop: str = "0") -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "STOP_RANK_1_AT": stop}
    launcher = []
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *launcher, str(SCRIPT), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    for name, processes in (("one", 1), ("two", 2)):
        done = run("train", f"--folder={tmp_path / name}", *OPTIONS, *PLAIN, processes=processes)
        assert done.returncode == 0, done.stderr
    one, two = (load_checkpoint(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    assert len(two["random"]) == 2
    for name, tensor in one["model"].items():
        torch.testing.assert_close(two["model"][name], tensor, rtol=1e-4, atol=1e-5)
    losses = [[line["loss"] for line in read_log(tmp_path / name / "log.jsonl", "train")] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    judged = [read_log(tmp_path / name / "log.jsonl", "validation")[-1] for name in ("one", "two")]
    assert judged[1]["samples"] == judged[0]["samples"] == 10
    assert judged[1]["pixels"] == judged[0]["pixels"]
    assert judged[1]["loss"] == pytest.approx(judged[0]["loss"], rel=1e-4)


@pytest.mark.slow
def test_two_processes_resume(tmp_path):
    """With dropout and batch normalisation: each process's random state and the mean statistics are kept.

    Only one of the two processes is asked to stop; both must do so at the same step.
    """
    options = [*OPTIONS, "--checkpoint-every=1"]
    whole = run("train", f"--folder={tmp_path / 'whole'}", *options, processes=2)
    assert whole.returncode == 0, whole.stderr
    first = run("train", f"--folder={tmp_path / 'run'}", *options, processes=2, stop="8")
    assert "stopped at step 8; go on with: spikelab train --resume" in first.stderr
    assert load_checkpoint(tmp_path / "run" / "last.safetensors")["progress"]["step"] == 8
    with pytest.raises(CheckpointError, match="written by 2 processes, and this is a run of 1; resume with torchrun"):
        train(resume_settings(tmp_path / "run"))
    again = run("train", "--resume", str(tmp_path / "run"), processes=2)
    assert again.returncode == 0, again.stderr
    one, two = (load_checkpoint(tmp_path / name / "last.safetensors") for name in ("whole", "run"))
    for name, tensor in one["model"].items():
        torch.testing.assert_close(two["model"][name], tensor, rtol=0, atol=0)


def test_shares_make_up_the_batch():
    dataset = tiny_parts.TinyScenes("train", samples=14, flip=0.0)
    whole = TrainingBatches(dataset, Data("tiny", batch_size=4), 3)
    shares = [TrainingBatches(dataset, Data("tiny", batch_size=4), 3, Processes(rank, 2)) for rank in (0, 1)]
    assert whole.steps_per_epoch == shares[0].steps_per_epoch == 3
    for batch, left, right in zip(whole.epoch(5), shares[0].epoch(5), shares[1].epoch(5), strict=True):
        assert torch.equal(batch["label"], torch.stack([left["label"], right["label"]], 1).flatten(0, 1))
    with pytest.raises(ValueError, match=r"batch_size = 4: must be a multiple of the 3 processes"):
        TrainingBatches(dataset, Data("tiny", batch_size=4), 3, Processes(0, 3))


def test_an_epoch_can_be_entered_anywhere():
    dataset = tiny_parts.TinyScenes("train", samples=14)
    batches = TrainingBatches(dataset, Data("tiny", batch_size=4), 3)
    whole = list(batches.epoch(1))
    rest = list(batches.epoch(1, start=2))
    assert len(rest) == 1
    assert torch.equal(rest[0]["events"], whole[2]["events"])
    assert not torch.equal(next(iter(batches.epoch(2)))["events"], whole[0]["events"])


def test_evaluation_shares_cover_everything_once():
    dataset = tiny_parts.TinyScenes("test", samples=7)
    seen = [
        index
        for rank in range(3)
        for indices, batch in EvaluationBatches(dataset, "test", 2, processes=Processes(rank, 3))
        for index, _ in zip(indices, batch["label"], strict=True)
    ]
    assert sorted(seen) == list(range(7))


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device("auto").type == expected
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device = 'cuda': not available here"):
            pick_device("cuda")
