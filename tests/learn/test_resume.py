"""A run that is stopped in any way and goes on ends with the same bits as one that never stopped."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_parts
import torch

from spikelab.io.checkpoint import CheckpointError, load_checkpoint
from spikelab.learn.interrupt import TrainingInterrupted
from spikelab.learn.logs import read_log
from spikelab.learn.run_folder import RunError, RunFolder
from spikelab.learn.seeds import random_states, restore_random_states, seed_everything
from spikelab.learn.train import resume_settings, train
from spikelab.settings import Data, Model, Optimiser, Train

SCRIPT = Path(tiny_parts.__file__)


def settings_for(folder: Path, **changes) -> Train:
    base = Train(
        folder=str(folder),
        model=Model("tiny"),
        data=Data("tiny", batch_size=4),
        optimiser=Optimiser(learning_rate=0.02),
        epochs=3,
        log_every=2,
        checkpoint_every=1,
        device="cpu",
        tensorboard=False,
    )
    return replace(base, **changes)


def start(*words: str) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_step(folder: Path, process: subprocess.Popen, step: int) -> None:
    deadline = time.monotonic() + 60
    last = RunFolder(folder).last
    while time.monotonic() < deadline:
        if last.exists() and load_checkpoint(last, ["progress"])["progress"]["step"] >= step:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{folder} never came to step {step}")


def files_of(folder: Path) -> dict[str, bytes]:
    run = RunFolder(folder)
    return {path.name: path.read_bytes() for path in (run.last, run.best, run.log)}


@pytest.mark.slow
def test_kill_in_the_middle_of_an_epoch(tmp_path):
    """SIGKILL after the second of six steps of the second epoch; checkpoints are 2 steps apart, so work is lost too."""
    options = ["--model.name=tiny", "--data.name=tiny", "--data.batch-size=4", "--epochs=3", "--log-every=1"]
    options += ["--checkpoint-every=2", "--optimiser.learning-rate=0.02", "--device=cpu", "--tensorboard=false"]
    slow = [*options, "--data.options.delay=0.05"]
    process = start("train", f"--folder={tmp_path / 'whole'}", *slow)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors

    process = start("train", f"--folder={tmp_path / 'killed'}", *slow)
    wait_for_step(tmp_path / "killed", process, 8)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    stopped_at = load_checkpoint(tmp_path / "killed" / "last.safetensors")["progress"]
    assert stopped_at["batch"] > 0, "the kill was to fall within an epoch"
    assert stopped_at["step"] < 18

    process = start("train", "--resume", str(tmp_path / "killed"))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "going on from step" in errors
    # Not the weights alone: optimiser, random states, progress and log are the same too.
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    starts = json.loads((tmp_path / "killed" / "run.json").read_text())["starts"]
    assert [entry["step"] for entry in starts] == [0, stopped_at["step"]]


@pytest.mark.parametrize("stop_after", [1, 5, 6, 7, 13])
def test_resume_from_every_kind_of_place(tmp_path, stop_after, monkeypatch):
    """Just after the start, before, at and after the border of an epoch (6 steps), and deep in the last one."""
    train(settings_for(tmp_path / "whole"))

    import spikelab.learn.session as session

    written, save = [], session.save_checkpoint

    def save_until(path, tree):
        save(path, tree)
        written.append(tree["progress"]["step"])
        if path.name.startswith("last") and len(set(written)) == stop_after:
            raise KeyboardInterrupt  # as sudden as a kill, for this process

    monkeypatch.setattr(session, "save_checkpoint", save_until)
    with pytest.raises(KeyboardInterrupt):
        train(settings_for(tmp_path / "stopped"))
    monkeypatch.setattr(session, "save_checkpoint", save)
    torch.rand(7), np.random.rand(), random.random()  # noqa: NPY002 - the state that resuming finds is another one
    train(resume_settings(tmp_path / "stopped"))
    assert files_of(tmp_path / "stopped") == files_of(tmp_path / "whole")


@pytest.mark.slow
def test_halsie_goes_on_bit_for_bit(tmp_path):
    """The real model: compiled spiking layers, and the buffers that they keep, hold nothing a checkpoint lacks."""
    model = Model("halsie", {"learnable": ["tau_mem"]})
    train(settings_for(tmp_path / "whole", model=model, epochs=2))
    train_until_stopped(tmp_path / "run", model=model, epochs=2)
    train(resume_settings(tmp_path / "run"))
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


def test_interrupt_saves_and_says_how_to_go_on(tmp_path):
    options = ["--model.name=tiny", "--data.name=tiny", "--data.batch-size=4", "--epochs=3", "--device=cpu"]
    options += ["--data.options.delay=0.05", "--tensorboard=false", "--checkpoint-every=1"]
    process = start("train", f"--folder={tmp_path / 'run'}", *options)
    wait_for_step(tmp_path / "run", process, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"spikelab train --resume {tmp_path / 'run'}" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    step = load_checkpoint(tmp_path / "run" / "last.safetensors", ["progress"])["progress"]["step"]
    assert f"stopped at step {step};" in errors


def test_a_request_within_the_process(tmp_path, monkeypatch):
    """The same without a second process, so that the last step before the stop is known."""
    import spikelab.learn.loop as loop

    steps, step = [], loop.train_step

    def train_step(*arguments):
        if len(steps) == 8:
            signal.raise_signal(signal.SIGTERM)
            arguments = (*arguments[:-1], True)
        steps.append(1)
        return step(*arguments)

    monkeypatch.setattr(loop, "train_step", train_step)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingInterrupted, match=r"stopped at step 9; go on with: spikelab train --resume"):
        train(settings_for(tmp_path / "run", checkpoint_every=0))
    assert signal.getsignal(signal.SIGTERM) is before
    assert load_checkpoint(tmp_path / "run" / "last.safetensors")["progress"]["step"] == 9
    monkeypatch.undo()


def test_stopped_before_the_first_checkpoint(tmp_path, monkeypatch):
    """There is nothing to go on from, so the run starts again, here from another run's weights."""
    import spikelab.learn.session as session

    train(settings_for(tmp_path / "first", epochs=1))
    fine = {"initialise_from": str(tmp_path / "first"), "epochs": 1}
    train(settings_for(tmp_path / "whole", **fine))

    def refuse(path, tree):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session, "save_checkpoint", refuse)
        with pytest.raises(KeyboardInterrupt):
            train(settings_for(tmp_path / "run", **fine, log_every=1))
    train(replace(resume_settings(tmp_path / "run"), log_every=2))
    assert files_of(tmp_path / "run") == files_of(tmp_path / "whole")


def test_other_settings_are_refused(tmp_path):
    train(settings_for(tmp_path / "run", epochs=1))
    with pytest.raises(RunError, match=r"epochs = 1, and is now to go on with 2"):
        train(replace(resume_settings(tmp_path / "run"), epochs=2))
    with pytest.raises(RunError, match="optimiser"):
        train(replace(resume_settings(tmp_path / "run"), optimiser=Optimiser(learning_rate=1.0)))


def test_a_complete_run_is_not_repeated(tmp_path):
    first = train(settings_for(tmp_path / "run", epochs=1))
    before = files_of(tmp_path / "run")
    assert train(settings_for(tmp_path / "run", epochs=1, resume="auto")) == first
    assert train(replace(resume_settings(tmp_path / "run"), log_every=50)) == first
    assert files_of(tmp_path / "run") == before


def test_auto_starts_where_there_is_nothing(tmp_path):
    assert train(settings_for(tmp_path / "run", epochs=1, resume="auto"))["steps"] == 6
    with pytest.raises(RunError, match="already holds a run"):
        train(settings_for(tmp_path / "run", epochs=1))
    with pytest.raises(RunError, match="no run to go on with"):
        train(settings_for(tmp_path / "run", epochs=1, resume=str(tmp_path / "nowhere")))


def test_a_moved_run_goes_on(tmp_path):
    train(settings_for(tmp_path / "whole"))
    train_until_stopped(tmp_path / "old")
    shutil.move(tmp_path / "old", tmp_path / "new")
    train(resume_settings(tmp_path / "new"))
    assert files_of(tmp_path / "new") == files_of(tmp_path / "whole")


def test_a_damaged_checkpoint_is_named(tmp_path):
    train_until_stopped(tmp_path / "run")
    last = tmp_path / "run" / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"last\.safetensors: truncated or corrupted"):
        train(resume_settings(tmp_path / "run"))


def test_a_log_cut_in_the_middle_of_a_line(tmp_path):
    train(settings_for(tmp_path / "whole"))
    train_until_stopped(tmp_path / "run")
    log = tmp_path / "run" / "log.jsonl"
    log.write_bytes(log.read_bytes() + b'{"kind": "train", "step": 99, "lo')
    train(resume_settings(tmp_path / "run"))
    assert log.read_bytes() == (tmp_path / "whole" / "log.jsonl").read_bytes()
    assert [record["step"] for record in read_log(log, "train")] == list(range(2, 19, 2))


def test_random_states_come_back():
    seed_everything(5)
    random.gauss(0, 1), np.random.standard_normal()  # noqa: NPY002 - each keeps a second number back
    states = random_states()

    def draw():
        return random.gauss(0, 1), random.random(), np.random.standard_normal(), np.random.rand(), torch.rand(3)  # noqa: NPY002

    first = draw()
    restore_random_states(states)
    again = draw()
    assert first[:4] == again[:4]
    assert torch.equal(first[4], again[4])


def train_until_stopped(folder: Path, **changes) -> None:
    """Stop on request at the eighth step, the second of the second epoch."""
    import spikelab.learn.loop as loop

    step, count = loop.train_step, [0]

    def train_step(session, network, batch, stop=False):
        count[0] += 1
        return step(session, network, batch, count[0] == 8)

    loop.train_step = train_step
    try:
        with pytest.raises(TrainingInterrupted):
            train(settings_for(folder, **changes))
    finally:
        loop.train_step = step


def test_seconds_add_up_over_the_pieces_of_a_run(tmp_path, monkeypatch):
    import spikelab.learn.loop as loop

    steps, step = [], loop.train_step

    def train_step(*arguments):
        steps.append(1)
        time.sleep(0.02)
        return step(*arguments[:-1], len(steps) in (5, 9))  # stopped after these

    monkeypatch.setattr(loop, "train_step", train_step)
    with pytest.raises(TrainingInterrupted):
        train(settings_for(tmp_path / "run", epochs=2, checkpoint_every=0))
    record = RunFolder(tmp_path / "run").record
    first = json.loads(record.read_text())["seconds"]
    assert first >= 5 * 0.02
    # a record of a version that had no seconds: what is known counts
    record.write_text(
        json.dumps({key: value for key, value in json.loads(record.read_text()).items() if key != "seconds"})
    )
    with pytest.raises(TrainingInterrupted):
        train(resume_settings(tmp_path / "run"))
    second = json.loads(record.read_text())["seconds"]
    assert second >= 4 * 0.02
    result = train(resume_settings(tmp_path / "run"))
    assert result["seconds"] >= second + 3 * 0.02
    assert json.loads(record.read_text())["result"]["seconds"] == result["seconds"]
