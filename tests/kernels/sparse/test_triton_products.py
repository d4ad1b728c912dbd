"""Products with spikes on CUDA devices against torch's dense ones; without a device, in Triton's interpreter."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from spikelab import nn
from spikelab.kernels.sparse import devices, product
from spikelab.kernels.sparse.choice import spike_products
from spikelab.kernels.sparse.product import convolution, linear
from spikelab.kernels.sparse.window import Window
from spikelab.nn import Network

pytestmark = pytest.mark.gpu

LINEAR = ((1, 1, 1), (5, 33, 3), (40, 5, 7), (3, 64, 300))
#: Pictures, channels, outputs, size, window, stride, padding.
CONVOLUTIONS = (
    (1, 1, 1, (1, 1), (1, 1), (1, 1), (0, 0)),
    (2, 2, 5, (4, 5), (3, 3), (1, 1), (1, 1)),
    (1, 33, 4, (4, 3), (2, 3), (2, 1), (0, 2)),
    (2, 3, 40, (5, 6), (5, 2), (2, 3), (3, 1)),
)
KINDS = ("spikes", "halves", "counts", "silent")


@pytest.fixture
def triton_products(device):
    """The module, also in the interpreter, where tensors are on the CPU."""
    from spikelab.kernels.sparse import triton_cuda

    return triton_cuda


@pytest.fixture
def taken(monkeypatch, triton_products):
    """Layers take these products wherever they may be sparse at all; what was listed."""
    listed = []

    class Noticed:
        def __getattr__(self, name):
            return getattr(triton_products, name)

        def can_list(self, x):
            return True

        def list_spikes(self, x):
            listed.append(triton_products.list_spikes(x))
            return listed[-1]

    noticed = Noticed()
    monkeypatch.setattr(product, "products_on", lambda x: noticed)
    return listed


def made(shape, kind, device, dtype=torch.float64):
    random = torch.Generator().manual_seed(5)
    x = (torch.rand(shape, generator=random) < (0 if kind == "silent" else 0.2)).to(dtype)
    if kind == "halves":
        x = x / 2
    if kind == "counts":
        x = x * torch.randn(shape, generator=random, dtype=torch.float64).to(dtype)
    return x.to(device)


def normal(shape, device, dtype=torch.float64, seed=7):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(device, dtype)


def solve(function, x, weight, bias, grad_dtype=None):
    """Result and gradients of a product, the gradient of the result having been rounded to a dtype."""
    leaves = [t.detach().clone(memory_format=torch.preserve_format).requires_grad_() for t in (x, weight, bias)]
    out = function(*leaves)
    grad = normal(out.shape, out.device, grad_dtype or out.dtype, 6).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, leaves, grad)]


def agree(found, truth, error=1e-12):
    for value, true in zip(found, truth, strict=True):
        assert (value.shape, value.dtype, value.device) == (true.shape, true.dtype, true.device)
        scale = true.abs().max().clamp_min(1) if true.numel() else 1
        assert ((value - true).abs() <= error * scale).all(), float((value - true).abs().max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "inputs", "outputs"), LINEAR)
def test_linear(rows, inputs, outputs, kind, device, taken):
    x, weight, bias = made((rows, inputs), kind, device), normal((outputs, inputs), device), normal((outputs,), device)
    found = solve(lambda *a: linear(*a, "sparse"), x, weight, bias)
    agree(found, solve(functional.linear, x, weight, bias))
    (spikes,) = taken
    assert spikes.count == int((x != 0).sum())
    assert (spikes.pictures is not None) == (kind == "counts" and spikes.count > 1)


@pytest.mark.parametrize("kind", ["spikes", "counts"])
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution(case, kind, device, taken):
    pictures, channels, outputs, size, window, stride, padding = case
    x, bias = made((pictures, channels, *size), kind, device), normal((outputs,), device)
    weight = normal((outputs, channels, *window), device)
    found = solve(lambda *a: convolution(*a, stride, padding, "sparse"), x, weight, bias)
    agree(found, solve(lambda *a: functional.conv2d(*a, stride, padding), x, weight, bias))
    assert taken


@pytest.mark.parametrize("layout", ["channels last", "every second", "turned"])
@pytest.mark.parametrize("kind", ["spikes", "counts"])
def test_any_layout_is_read_where_it_lies(layout, kind, device, triton_products):
    x = made((2, 6, 3, 4), kind, device)
    same = {
        "channels last": lambda: x.to(memory_format=torch.channels_last),
        "every second": lambda: x.repeat_interleave(2, 3)[..., ::2],
        "turned": lambda: x.transpose(2, 3).contiguous().transpose(2, 3),
    }[layout]()
    assert same.stride() != x.stride()
    spikes, plain = triton_products.list_spikes(same), triton_products.list_spikes(x)
    assert torch.equal(spikes.by_pixel, plain.by_pixel)
    assert torch.equal(spikes.by_channel, plain.by_channel)
    if kind == "counts":
        assert spikes.pictures.data_ptr() == same.data_ptr(), "a hidden copy"
    window, weight = Window(6, 3, 4, 4, (3, 3), (1, 1), (1, 1)), normal((4, 6, 3, 3), device)
    agree([triton_products.spike_convolution(spikes, window, weight, None)], [functional.conv2d(x, weight, padding=1)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_sums_are_taken_in_single_precision_at_least(dtype, device, taken):
    for kind in ("spikes", "counts"):
        x, weight, bias = (
            made((6, 100), kind, device, dtype),
            *(normal((12, 100), device, dtype), normal((12,), device, dtype)),
        )
        found = solve(lambda *a: linear(*a, "sparse"), x, weight, bias)
        truth = solve(functional.linear, *(t.double() for t in (x, weight, bias)), dtype)
        for value, true in zip(found, truth, strict=True):
            assert value.dtype == dtype
            # what is added up is exact but for the rounding of the result, and of 100 sums in float32
            error = torch.finfo(dtype).eps * true.abs() + 1e-5 * true.abs().max()
            assert ((value.double() - true).abs() <= error).all()


def test_what_is_not_a_number_is_told_apart(device, triton_products):
    x = torch.zeros(3, 40, dtype=torch.float64, device=device)
    x[1, 7] = x[2, 3] = 1
    x[2, 35] = float("nan")
    spikes = triton_products.list_spikes(x)
    assert spikes.count == 3
    weight = normal((4, 40), device)
    out = triton_products.spike_product(spikes, weight, None)
    assert torch.isnan(out[2]).all()
    agree([out[:2]], [x[:2] @ weight.T])


@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_the_inputs_gradient_where_it_is_wanted(density, device, triton_products):
    wanted = (torch.rand((9, 40), generator=torch.Generator().manual_seed(3)) < density).to(device)
    weight, grad = normal((35, 40), device), normal((9, 35), device, seed=8)
    found = triton_products.linear_input_gradient(triton_products.list_spikes(wanted.double()), weight, grad)
    agree([found], [torch.where(wanted, grad @ weight, 0)])


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_the_inputs_gradient_of_a_convolution(case, device, triton_products):
    pictures, channels, outputs, size, kernel, stride, padding = case
    wanted = made((pictures, channels, *size), "spikes", device)
    weight, x = normal((outputs, channels, *kernel), device), normal(wanted.shape, device).requires_grad_()
    out = functional.conv2d(x, weight, None, stride, padding)
    grad = normal(out.shape, device, seed=8)
    window = Window(channels, *size, outputs, kernel, stride, padding)
    found = triton_products.convolution_input_gradient(triton_products.list_spikes(wanted), window, weight, grad)
    agree([found], [torch.autograd.grad(out, x, grad)[0] * wanted])


def networks(device, products, recompute):
    torch.manual_seed(2)
    options = {"surrogate": "triangular", "surrogate_parameters": {"width": 0.3}, "recompute": recompute}
    neurons = [nn.LIF(dt=1e-3, tau_mem=10e-3, r=8.0, backend="triton", **options) for _ in range(2)]
    layers = [nn.Conv2d(1, 3, 3), neurons[0], nn.Conv2d(3, 4, 2, products=products), neurons[1]]
    return Network.sequential(*layers).double().to(device)


@pytest.mark.parametrize("recompute", [False, True])
def test_networks_learn_what_they_learn_with_dense_products(recompute, device, taken, monkeypatch):
    monkeypatch.setattr(product.choice, "is_worth", lambda sparse, dense: True)
    x = 4 * normal((4, 2, 1, 5, 6), device)
    found = []
    for products in ("dense", "sparse"):
        made_network = networks(device, products, recompute)
        with spike_products("dense"):
            out, _ = made_network(x)
        out.square().sum().backward()
        found.append([out.detach(), *(p.grad for p in made_network.parameters() if p.grad is not None)])
    assert float(found[0][0].sum()) > 0
    agree(*found)
    # with checkpoints the input is there in the backward pass, which finds out where its gradient matters
    assert len(taken) == (2 if recompute else 1)


def test_only_what_varies_keeps_the_input_in_memory(device, triton_products):
    assert triton_products.list_spikes(made((3, 20), "spikes", device)).pictures is None
    assert triton_products.list_spikes(made((3, 20), "counts", device)).pictures is not None


def test_dense_products_where_there_are_none(device):
    if device.type == "cpu":
        pytest.skip("needs a CUDA device: the interpreter has no graphs")
    x = torch.zeros(4, 8, device=device)
    assert devices.products_on(x) is not None
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        assert devices.products_on(x) is None
        linear(x, torch.ones(3, 8, device=device), None, "sparse")
    assert devices.products_on(x.to(torch.int32)) is None
