"""The Triton kernels of products with spikes compile to machine code of a GPU, which needs no GPU."""

from __future__ import annotations

import re

import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from spikelab.kernels.sparse.triton_cuda import code, products, spikes  # noqa: E402
from spikelab.kernels.sparse.window import Window  # noqa: E402
from spikelab.kernels.triton.device import INTERPRETED  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(INTERPRETED, reason="TRITON_INTERPRET is set: there is no compiler in this process"),
]
KERNELS = ("pack", "product", "weight_gradient", "input_gradient")
POINTERS = {
    torch.float64: "*fp64",
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.int32: "*i32",
}


class Caught:
    """Compiles a kernel for the arguments that it would be launched with, and launches nothing."""

    def __init__(self, kernel):
        self.kernel, self.texts = kernel, []

    def __getitem__(self, grid):
        return self.compile

    def compile(self, *arguments, num_warps=4, enable_fp_fusion=None, **constants):
        signature, fixed, aligned = dict.fromkeys(constants, "constexpr"), dict(constants), {}
        for place, (name, value) in enumerate(zip(self.kernel.arg_names, arguments, strict=False)):
            # as a launch would: what is 1 is fixed, and what can be divided by 16 is known to be
            if isinstance(value, torch.Tensor) or (value and value % 16 == 0):
                aligned[place,] = [["tt.divisibility", 16]]
            if isinstance(value, torch.Tensor):
                signature[name] = POINTERS[value.dtype]
            elif value == 1:
                signature[name], fixed[name] = "constexpr", 1
            else:
                signature[name] = "i32"
        source = ASTSource(self.kernel, signature, fixed, aligned)
        options = {"num_warps": num_warps, "enable_fp_fusion": enable_fp_fusion}
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
        assert len(made.asm["cubin"]) > 1000
        self.texts.append(made.asm["ptx"])


@pytest.fixture
def caught(monkeypatch):
    kernels = {name: Caught(getattr(code, name)) for name in KERNELS}
    for name, kernel in kernels.items():
        monkeypatch.setattr(code, name, kernel)
    return kernels


@pytest.mark.parametrize("varied", [False, True], ids=["spikes", "values"])
@pytest.mark.parametrize("dtype", [d for d in POINTERS if d.is_floating_point], ids=str)
def test_every_precision(dtype, varied, caught):
    shape = (2, 40, 6, 7)
    x = torch.zeros(shape, dtype=dtype)
    spikes.list_spikes(x)
    words = torch.zeros(1, dtype=torch.int32)
    listed = spikes.DeviceSpikes(
        shape, words.expand(84, 2), words.expand(40, 3), 5, torch.ones((), dtype=dtype), x if varied else None
    )
    window = Window(40, 6, 7, 100, (3, 3), (1, 1), (1, 1))
    weight, grad = torch.zeros(100, 40, 3, 3, dtype=dtype), torch.zeros(2, 100, 6, 7, dtype=dtype)
    products.spike_convolution(listed, window, weight, None)
    products.convolution_weight_gradient(listed, window, grad)
    products.convolution_input_gradient(listed, window, weight, grad)
    assert all(len(kernel.texts) == 1 for kernel in caught.values())


def test_a_linear_layer_adds_whole_vectors(caught):
    words = torch.zeros(1, dtype=torch.int32)
    listed = spikes.DeviceSpikes((64, 512, 1, 1), words.expand(64, 16), words.expand(512, 2), 5, torch.ones(()), None)
    products.spike_product(listed, torch.zeros(512, 512), None)
    (text,) = caught["product"].texts
    assert re.search(r"ld\.global\S*\.v[24]\.b32", text)
    assert re.search(r"st\.global\S*\.v[24]\.b32", text)
