"""DistributedDataParallel: two processes with half of the batch each have the gradients of one with all of it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import spikelab

SCRIPT = Path(__file__).with_name("data_parallel.py")
ROOT = str(Path(spikelab.__file__).resolve().parent.parent)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
@pytest.mark.parametrize("backend", ["numba", "triton"])
def test_two_processes_have_the_gradients_of_one(tmp_path, backend):
    if backend == "triton":
        pytest.importorskip("triton")
    from safetensors.torch import load_file

    environment = {**os.environ, "PYTHONPATH": ROOT, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    said = [(tmp_path / f"said{rank}").open("w+") for rank in range(2)]
    processes = [
        subprocess.Popen([sys.executable, str(SCRIPT), str(rank), str(tmp_path), backend], env=environment, stderr=file)
        for rank, file in enumerate(said)
    ]
    try:
        # one that fails would leave the other waiting for it
        while any(process.poll() is None for process in processes) and not any(p.poll() for p in processes):
            time.sleep(0.05)
        codes = [process.poll() for process in processes]
    finally:
        for process, file in zip(processes, said, strict=True):
            process.kill()
            process.wait()
            file.seek(0)
    assert codes == [0, 0], "\n".join(file.read() for file in said)

    spec = importlib.util.spec_from_file_location("data_parallel", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    shared = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shared)
    expected = shared.gradients(shared.Output("reference"), shared.data())
    found = load_file(tmp_path / "gradients")
    assert found.keys() == expected.keys()
    assert any("tau_mem" in name for name in found)
    for name, value in expected.items():
        assert value.abs().max() > 0, name
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)
