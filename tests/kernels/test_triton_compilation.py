"""Every neuron's kernels compile to machine code of a GPU, which needs Triton's compiler but no GPU.

The interpreter is more lenient than the compiler: it lets a variable change its type within a loop, for one.
"""

from __future__ import annotations

import re

import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from spikelab import registry  # noqa: E402
from spikelab.kernels import triton_cuda  # noqa: E402
from spikelab.kernels.keep import Keep  # noqa: E402
from spikelab.kernels.triton.device import INTERPRETED  # noqa: E402
from spikelab.kernels.triton.dtypes import computed_in  # noqa: E402
from spikelab.kernels.triton_cuda import kernel  # noqa: E402
from spikelab.neurons.step import StepOptions, build_step  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(INTERPRETED, reason="TRITON_INTERPRET is set: there is no compiler in this process"),
]
POINTERS = {
    torch.float64: "*fp64",
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.int8: "*i8",
}
SIZE = 1 << 20


def compiled(options, dtype, keep, direction, learn=False, split=False, architecture=90):
    """What Triton made of a kernel, for arrays in order that are aligned, as a call on a device would ask for it."""
    found = kernel(options, (True,) * len(build_step(options).coefficients), dtype)
    launcher = found._launcher(direction, keep, learn)
    lanes, warps = launcher.shape(SIZE, dtype.itemsize)
    source, function = found.source(keep), launcher.function
    signature, constants, aligned = {}, {"LANES_": lanes, "SPLIT_": split, "WIDE_": False}, {}
    for place, name in enumerate(function.arg_names):
        if name in constants:
            signature[name] = "constexpr"
        elif name.endswith("column_"):
            signature[name], constants[name] = "constexpr", 1
        elif name in ("steps_", "size_", "inner_") or name.endswith(("time_", "row_")):
            signature[name] = "i32"
        else:
            of = dtype if name in ("x_all_", "out_", "grad_out_", "grad_x_", "given_spike_") else computed_in(dtype)
            if name.startswith("kept_"):
                signs = source.kept.signs if source.kept is not None else ()
                of = torch.int8 if name[5:-1] in signs else found._kept_dtype(keep)
            signature[name] = POINTERS[torch.float64 if name == "grad_shared_" else of]
        if signature[name] != "constexpr" and name != "steps_":
            aligned[place,] = [["tt.divisibility", 16]]
    source = ASTSource(function, signature, constants, aligned)
    made = triton.compile(
        source, target=GPUTarget("cuda", architecture, 32), options={"num_warps": warps, "enable_fp_fusion": False}
    )
    assert len(made.asm["cubin"]) > 1000
    return made.asm["ptx"]


def options_of(neuron):
    spec = registry.load("neurons", neuron)
    return StepOptions(neuron, reset=spec.default_reset if spec.spikes else "", refractory=spec.spikes)


@pytest.mark.parametrize("neuron", registry.names("neurons"))
def test_every_neuron(neuron, monkeypatch):
    # fewer steps together than on a device take less time to compile, and the lines are the same
    monkeypatch.setattr(triton_cuda, "steps_written_out", lambda step: 2 if len(step.lines) < 60 else 1)
    for remembered in (triton_cuda.kernel, triton_cuda.Kernel.source, triton_cuda.Kernel._launcher):
        remembered.cache_clear()
    for direction in ("forward", "backward"):
        text = compiled(options_of(neuron), torch.float32, Keep.VALUES, direction)
        # a product and a sum are rounded apart, but for those inside exp and its like, which have no other form
        has_functions = re.search(r"ex2|lg2|\.f64", text)
        assert has_functions or "fma.rn.f32" not in text


LIF = StepOptions("lif", reset="subtract")


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("dtype", [dtype for dtype in POINTERS if dtype != torch.int8], ids=str)
def test_every_precision(dtype, direction):
    text = compiled(LIF, dtype, Keep.VALUES, direction)
    if dtype == torch.float32:
        # whole vectors, for neurons that lie side by side
        assert re.search(r"ld\.global\S*\.v[24]\.b32", text)
        assert re.search(r"st\.global\S*\.v[24]\.b32", text)
    if dtype in (torch.bfloat16, torch.float16):
        assert f"cvt.rn.{'bf16' if dtype == torch.bfloat16 else 'f16'}x2.f32" in text, "not rounded to the nearest"


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("keep", [Keep.VALUES | Keep.COEFFICIENTS, Keep.CHECKPOINTS], ids=str)
def test_whatever_is_kept(keep, direction):
    learn = direction == "backward" and bool(keep & Keep.COEFFICIENTS)
    compiled(LIF, torch.bfloat16, keep, direction, learn)


def test_rows_and_columns_still_load_whole_vectors():
    assert re.search(r"ld\.global\S*\.v4\.b32", compiled(LIF, torch.float32, Keep.VALUES, "forward", split=True))


def test_an_older_device():
    compiled(StepOptions("lif"), torch.float32, Keep.VALUES, "backward", architecture=80)
