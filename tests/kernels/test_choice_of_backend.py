"""Which back end runs, and what is said when the one that was asked for cannot."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest
import torch

from spikelab import nn
from spikelab.kernels import choose
from spikelab.kernels.choose import choose_backend

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch):
    monkeypatch.setattr(choose, "_said", set())


def test_automatic_choice(monkeypatch, caplog):
    monkeypatch.setattr(choose, "HAS_TRITON", True)
    with caplog.at_level(logging.INFO, "spikelab.kernels"):
        assert choose_backend("auto", CPU) == "numba"
        assert choose_backend("auto", CUDA) == "triton"
        assert choose_backend("auto", torch.device("meta")) == "reference"
    assert "neurons on cuda run on the triton back end" in caplog.text


def test_without_triton_the_loop_is_chosen_aloud(monkeypatch, caplog):
    monkeypatch.setattr(choose, "HAS_TRITON", False)
    assert choose_backend("auto", CUDA) == "reference"
    assert "pip install 'spikelab[cuda]'" in caplog.text


def test_triton_is_not_replaced_where_it_was_asked_for(monkeypatch):
    monkeypatch.setattr(choose, "HAS_TRITON", False)
    with pytest.raises(ImportError, match=r"pip install 'spikelab\[cuda\]'"):
        choose_backend("triton", CUDA)


def test_numba_has_no_kernels_for_a_device():
    with pytest.raises(ValueError, match=r"'numba' runs on the CPU.*use 'triton'"):
        choose_backend("numba", CUDA)


def test_an_unknown_name():
    with pytest.raises(ValueError, match="known are auto, reference, numba, triton"):
        choose_backend("tritn", CPU)
    with pytest.raises(ValueError, match=r"lif: unknown kept_precision 'half'; known are input, state"):
        nn.LIF(kept_precision="half")


def test_triton_on_the_cpu_needs_its_interpreter():
    """In a process of its own, in which TRITON_INTERPRET is not set."""
    pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")
    program = "import torch; from spikelab import nn; nn.LIF(backend='triton')(torch.rand(3, 2, 4))"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert "back end 'triton' runs on CUDA devices, the input is on cpu" in ran.stderr
    assert "TRITON_INTERPRET=1" in ran.stderr


@pytest.mark.gpu
def test_a_dtype_that_no_kernel_takes(device):
    from spikelab.kernels.triton_cuda import kernel

    with pytest.raises(TypeError, match=r"float32, float16, bfloat16, float64, not torch\.float8"):
        kernel(nn.LIF().options, (True,) * 4, torch.float8_e4m3fn)
