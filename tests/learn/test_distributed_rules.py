"""Learning rules that make gradients themselves: two processes are one process with the same global batch."""

import os
import subprocess
import sys

import pytest
import torch

from spikelab.io.checkpoint import load_checkpoint

OPTIONS = [
    "--task=classification",
    "--model.name=spiking_classifier",
    "--model.options.hidden=[16, 12]",
    "--model.options.steps=4",
    "--data.name=drawn_digits",
    "--data.options.train=60",
    "--data.batch-size=12",
    "--optimiser.name=sgd",
    "--optimiser.learning-rate=0.1",
    "--schedule.name=constant",
    "--epochs=2",
    "--device=cpu",
    "--tensorboard=false",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        ["tess"],
        ["lls", "--rule.options.modulation=vector"],
        ["e_prop", "--rule.options.feedback=adaptive"],
    ],
    ids=lambda rule: rule[0],
)
def test_two_processes_equal_one(tmp_path, rule):
    for processes in (1, 2):
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [
            *(sys.executable, *(launcher if processes > 1 else []), "-m", "spikelab", "train"),
            *(f"--folder={tmp_path / str(processes)}", *OPTIONS, f"--rule.name={rule[0]}", *rule[1:]),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    one, two = (load_checkpoint(tmp_path / name / "last.safetensors") for name in ("1", "2"))
    for part in ("model", "rule"):
        assert one[part].keys() == two[part].keys()
        for name, tensor in one[part].items():
            torch.testing.assert_close(two[part][name], tensor, rtol=1e-4, atol=1e-5)
