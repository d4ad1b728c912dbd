"""What a layer allocates: in inference its results alone, in training what the backward pass needs."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from spikelab import nn

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("few_together")]
T, B, N = 20, 3, 64


class Allocated(TorchDispatchMode):
    """Bytes of all new memory that operators gave out."""

    def __init__(self):
        super().__init__()
        self.sizes: list[int] = []
        self._seen = weakref.WeakSet()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and not any(
            isinstance(a, torch.Tensor) and a.untyped_storage().data_ptr() == out.untyped_storage().data_ptr()
            for a in args
        ):
            self.sizes.append(out.untyped_storage().nbytes())
        return out


def layer_and_input(device, dtype=torch.float32, **options):
    layer = nn.LIF(backend="triton", **options).to(device)
    x = (30 * torch.rand(T, B, N, generator=torch.Generator().manual_seed(0))).to(device, dtype)
    layer(x)
    return layer, x


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_inference_allocates_its_results_alone(device, dtype):
    layer, x = layer_and_input(device, dtype)
    with torch.no_grad(), Allocated() as allocated:
        layer(x)
    large = [size for size in allocated.sizes if size >= x.nbytes // 2]
    assert large == [x.nbytes]
    # the state before, the state after, and a number or two
    assert sum(allocated.sizes) <= x.nbytes + 2 * 4 * B * N + 64


@pytest.mark.parametrize(("recompute", "kept"), [(False, 1.0), (True, 0.5)])
def test_training_keeps_one_value_or_checkpoints(device, recompute, kept):
    """With two steps together, a checkpoint is kept for every second step."""
    layer, x = layer_and_input(device, recompute=recompute)
    x = x.requires_grad_()
    with Allocated() as allocated:
        layer(x)
    large = sum(size for size in allocated.sizes if size >= x.nbytes // 2)
    assert large == (1 + kept) * x.nbytes


def test_the_input_is_not_kept_where_nothing_needs_it(device):
    layer, x = layer_and_input(device)
    current = (2 * x.requires_grad_()).clone()
    alive = weakref.ref(current)
    out, _ = layer(current)
    del current
    assert alive() is None
    out.sum().backward()
    assert x.grad is not None


def test_a_gradient_that_is_one_number_is_not_spread_out(device):
    layer, x = layer_and_input(device)
    out, _ = layer(x.requires_grad_())
    with Allocated() as allocated:
        torch.autograd.grad(out.sum(), x)
    assert [size for size in allocated.sizes if size >= x.nbytes // 2] == [x.nbytes]
