"""Sparse products against torch's dense ones: results, gradients, odd sizes, threads, and which path is taken when."""

from __future__ import annotations

import copy
import gc
import logging
import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spikelab.kernels.sparse import choice, devices, numba_cpu
from spikelab.kernels.sparse.choice import spike_products
from spikelab.kernels.sparse.product import convolution, linear
from spikelab.kernels.sparse.window import Window
from spikelab.nn import LIF, Conv2d, Dense, Network

SIZES = ((1, 1, 1), (37, 70, 5), (1, 64, 64), (130, 1, 130), (257, 100, 65), (1025, 130, 64), (2100, 67, 200))
KINDS = ("spikes", "quarters", "counts", "silent", "dense")


def made(shape: tuple[int, ...], kind: str, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    random = torch.Generator().manual_seed(5)
    x = (torch.rand(shape, generator=random) < {"silent": 0, "dense": 1}.get(kind, 0.15)).to(dtype)
    if kind == "quarters":
        x = x / 4
    return x * torch.randn(shape, generator=random, dtype=dtype) if kind in ("counts", "dense") else x


def solve(function, x, weight, bias, seed=6):
    """Result and gradients of a product."""
    leaves = [t.detach().clone().requires_grad_() for t in (x, weight, *([] if bias is None else [bias]))]
    out = function(leaves[0], leaves[1], leaves[2] if bias is not None else None)
    grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(out.dtype)
    return [out.detach(), *torch.autograd.grad(out, leaves, grad)]


def agree(found, truth, error=1e-12):
    for position, (value, true) in enumerate(zip(found, truth, strict=True)):
        assert value.shape == true.shape
        assert value.dtype == true.dtype
        scale = true.abs().max().clamp_min(1) if true.numel() else 1
        assert ((value - true).abs() <= error * scale).all(), f"result {position}: {(value - true).abs().max()}"


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SIZES)
def test_linear(rows, inputs, outputs, kind, biased):
    random = torch.Generator().manual_seed(7)
    x = made((rows, inputs), kind)
    weight = torch.randn(outputs, inputs, generator=random, dtype=torch.float64)
    bias = torch.randn(outputs, generator=random, dtype=torch.float64) if biased else None
    found = solve(lambda *a: linear(*a, products="sparse"), x, weight, bias)
    agree(found, solve(functional.linear, x, weight, bias))


@st.composite
def convolutions(draw):
    window = [draw(st.integers(1, 6)) for _ in range(2)]
    padding = [draw(st.integers(0, 4)) for _ in range(2)]
    size = [draw(st.integers(max(1, k - 2 * p), 12)) for k, p in zip(window, padding, strict=True)]
    if draw(st.booleans()):
        size[1] += 60  # rows of pictures that cross the words of 64 bits
    stride = [draw(st.integers(1, 4)) for _ in range(2)]
    numbers = [draw(st.integers(1, limit)) for limit in (5, 4, 20)]
    return (*numbers, size, window, stride, padding, draw(st.sampled_from(KINDS)), draw(st.booleans()))


@settings(max_examples=150, deadline=None)
@given(convolutions())
def test_convolution(case):
    pictures, channels, outputs, size, window, stride, padding, kind, biased = case
    random = torch.Generator().manual_seed(8)
    x = made((pictures, channels, *size), kind)
    weight = torch.randn(outputs, channels, *window, generator=random, dtype=torch.float64)
    bias = torch.randn(outputs, generator=random, dtype=torch.float64) if biased else None
    found = solve(lambda *a: convolution(*a, tuple(stride), tuple(padding), "sparse"), x, weight, bias)
    agree(found, solve(lambda *a: functional.conv2d(*a, stride, padding), x, weight, bias))


def both(dtype=torch.float32):
    """A linear layer and a convolution on inputs of usual sizes, as (function, x, weight, bias)."""
    random = torch.Generator().manual_seed(9)

    def normal(*shape):
        return torch.randn(shape, generator=random, dtype=torch.float64).to(dtype)

    x = made((640, 300), "spikes", dtype)
    pictures = made((33, 3, 20, 21), "counts", dtype)
    return (
        (linear, x, normal(130, 300), normal(130)),
        (lambda x, w, b, p: convolution(x, w, b, (1, 1), (1, 1), p), pictures, normal(24, 3, 3, 3), normal(24)),
    )


def test_single_precision_is_as_exact_as_the_dense_path():
    for function, x, weight, bias in both():
        truth = solve(lambda *a, f=function: f(*a, "dense"), x.double(), weight.double(), bias.double())
        dense = solve(lambda *a, f=function: f(*a, "dense"), x, weight, bias)
        sparse = solve(lambda *a, f=function: f(*a, "sparse"), x, weight, bias)
        for true, one, other in zip(truth, dense, sparse, strict=True):
            errors = [(value.double() - true).square().mean().sqrt() for value in (one, other)]
            assert errors[1] <= 4 * errors[0] + 1e-7 * true.abs().max()


def test_any_number_of_threads_gives_the_same_numbers(torch_threads):
    for function, x, weight, bias in both():
        results = []
        for threads in (1, 2, 5):
            torch_threads(threads)
            results.append(solve(lambda *a, f=function: f(*a, "sparse"), x, weight, bias))
        for other in results[1:]:
            for one, two in zip(results[0], other, strict=True):
                assert torch.equal(one, two)


def test_a_row_does_not_depend_on_the_rows_beside_it():
    function, x, weight, bias = both()[0]
    whole = function(x, weight, bias, "sparse")
    assert torch.equal(function(x[5:6], weight, bias, "sparse"), whole[5:6])


def test_memory_that_was_never_cleared_does_no_harm(poisoned):
    for function, x, weight, bias in both(torch.float64):
        agree(
            solve(lambda *a, f=function: f(*a, "sparse"), x, weight, bias),
            solve(lambda *a, f=function: f(*a, "dense"), x, weight, bias),
        )


def test_layers_give_what_dense_layers_give():
    torch.manual_seed(0)
    network = Network.sequential(
        Conv2d(2, 8, 3, padding=1), LIF(), Conv2d(8, 8, (3, 2), stride=2), LIF(), torch.nn.Flatten(2), Dense(8 * 49, 5)
    ).double()
    x = made((6, 3, 2, 16, 15), "counts")
    results = []
    for path in ("sparse", "dense"):
        with spike_products(path):
            out, _ = network(x)
            results.append([out, *torch.autograd.grad(out.square().sum(), list(network.parameters()))])
    agree(*results)


def test_the_input_need_not_stay_in_memory():
    layer = Dense(200, 100, products="sparse")
    x = made((20, 4, 200), "spikes", torch.float32).requires_grad_() * 1
    gone = weakref.ref(x)
    out = layer(x)
    del x
    gc.collect()
    assert gone() is None, "the backward pass keeps the spikes, not the tensor"
    out.sum().backward()
    assert layer.weight.grad is not None


def taken(caplog) -> list[str]:
    return [record.message.split(": ")[1].split()[0] for record in caplog.records if "product" in record.message]


@pytest.fixture
def told(caplog, monkeypatch):
    monkeypatch.setattr(choice, "_said", set())
    caplog.set_level(logging.INFO, "spikelab.kernels")
    return caplog


@pytest.mark.parametrize(("density", "path"), [(0.05, "sparse"), (0.9, "dense")])
def test_the_density_decides_and_is_told_once(density, path, told):
    random = torch.Generator().manual_seed(10)
    layer = Dense(512, 256)
    x = (torch.rand(40, 8, 512, generator=random) < density).float()
    for _ in range(2):
        layer(x)
    assert taken(told) == [path]
    assert "linear layer 512 -> 256 on 320 rows" in told.text
    convolved = Conv2d(16, 32, 3)
    told.clear()
    convolved((torch.rand(5, 8, 16, 24, 24, generator=random) < density).float())
    assert taken(told) == [path]


def test_a_pass_that_is_run_again_for_its_gradients_takes_the_same_path(told):
    """A third of the inputs: what pays just with the gradient of the weights, and without it just not."""
    layer = Dense(512, 512)
    x = torch.zeros(1600 * 512)
    x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:275_600]] = 1
    x = x.view(100, 16, 512)
    with torch.no_grad():
        first = layer(x)
    assert torch.equal(first, layer(x))
    assert taken(told) == ["sparse"]
    layer.requires_grad_(False)
    layer(x)
    assert taken(told) == ["sparse", "dense"]


@pytest.mark.parametrize("options", [{"groups": 2}, {"dilation": 2}, {"padding": "same"}], ids=str)
def test_convolutions_that_are_dense_in_any_case_say_so_if_sparse_was_asked_for(options, told):
    for products in ("auto", "sparse", "sparse"):
        Conv2d(2, 4, 3, products=products, **options)(torch.zeros(5, 2, 2, 8, 8))
    assert told.text.count("although products = sparse: it has groups, dilation") == 1


@pytest.mark.parametrize("products", ["auto", "sparse"])
def test_tensors_without_values_and_traces_go_the_dense_way(products):
    layer = Dense(512, 512, products=products)
    assert layer.to("meta")(torch.zeros(9, 4, 512, device="meta")).shape == (9, 4, 512)
    convolved = Conv2d(2, 3, 3, products=products).to("meta")
    assert convolved(torch.zeros(5, 2, 2, 8, 8, device="meta")).shape == (5, 2, 3, 6, 6)
    layer, x = Dense(512, 512, products=products), (torch.rand(50, 8, 512) < 0.05).float()
    traced = torch.jit.trace(layer, x, check_trace=False)
    torch.testing.assert_close(traced(x), layer(x))


def test_a_sample_that_deceives_is_found_out(told):
    x = torch.ones(4096, 512)
    x.view(-1)[choice._sample_of(x.numel())] = 0
    assert choice.sampled_density(x) == 0
    linear(x, torch.randn(256, 512), None)
    assert taken(told) == ["dense"]


def test_a_sample_is_not_fooled_by_regular_sizes():
    x = torch.zeros(320, 16, 15, 15)
    x[:, 3:6] = 1
    x[..., 7] = 1
    assert choice.sampled_density(x) == pytest.approx(float(x.mean()), rel=0.1)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.4])
def test_a_sample_promises_no_more_than_there_is_even_of_clusters(density):
    random = torch.Generator().manual_seed(0)
    found = []
    for _ in range(50):
        clusters = torch.rand(20, 500, 1, generator=random) < density
        x = clusters.expand(-1, -1, 64).reshape(20, -1).float()
        found.append((choice.least_likely(choice.sampled_density(x)), float(x.mean())))
    assert sum(least > true for least, true in found) <= 5
    assert max(least / true for least, true in found) > 0.7


def test_small_and_other_tensors_go_the_dense_way(told):
    linear(torch.zeros(2, 10), torch.zeros(10, 10), None)
    linear(torch.zeros(4000, 512, dtype=torch.bfloat16), torch.zeros(256, 512, dtype=torch.bfloat16), None)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(torch.zeros(4000, 512), torch.zeros(256, 512), None).dtype == torch.bfloat16
    assert taken(told) == []
    layer = Dense(30, 20, products="sparse")
    empty = layer(torch.zeros(0, 3, 30))
    assert empty.shape == (0, 3, 20)
    grouped = Conv2d(4, 4, 3, groups=2, products="sparse")
    assert grouped(torch.zeros(2, 1, 4, 8, 8)).shape == (2, 1, 4, 6, 6)
    widened = Conv2d(4, 4, 3, dilation=2, padding="same", products="sparse")
    assert widened(torch.zeros(2, 1, 4, 8, 8)).shape == (2, 1, 4, 8, 8)


def test_sparse_products_that_cannot_be_are_told_once(told):
    layer = Dense(512, 20, products="sparse", dtype=torch.bfloat16)
    for _ in range(2):
        layer(torch.zeros(2, 3, 512, dtype=torch.bfloat16))
    assert told.text.count("dense product, although products = sparse: none for torch.bfloat16 on cpu") == 1
    with torch.autocast("cpu", torch.bfloat16):
        Dense(512, 20, products="sparse")(torch.zeros(2, 3, 512))
    assert told.text.count("autocast is on") == 1
    told.clear()
    Dense(512, 20, dtype=torch.bfloat16)(torch.zeros(2, 3, 512, dtype=torch.bfloat16))
    assert not told.records


def test_infinite_inputs_are_multiplied_as_they_are():
    x = torch.zeros(9, 70, dtype=torch.float64)
    x[4, 3] = float("inf")
    weight = torch.randn(5, 70, dtype=torch.float64)
    torch.testing.assert_close(linear(x, weight, None, "sparse"), linear(x, weight, None, "dense"), equal_nan=True)


def test_the_choice_may_change_and_shows():
    for layer in (Dense(3, 4), Conv2d(3, 4, 3)):
        assert "products" not in repr(layer)
        layer.products = "sparse"
        assert "products='sparse'" in repr(layer)
        assert copy.deepcopy(layer).products == "sparse"
        with pytest.raises(ValueError, match="products = 'none' must be one of"):
            layer.products = "none"


def test_transformations_of_torch_func_work():
    layer = Dense(40, 30, products="sparse")
    x = made((4, 2, 40), "spikes", torch.float32)
    jacobian = torch.func.jacrev(lambda weight: linear(x, weight, None, "sparse"))(layer.weight)
    assert jacobian.shape == (4, 2, 30, 30, 40)


def test_errors_name_choice_and_shape():
    with pytest.raises(ValueError, match="Dense: products = 'fast' must be one of auto, sparse, dense"):
        Dense(3, 3, products="fast")
    with pytest.raises(ValueError, match="spike_products: products = 'no'"), spike_products("no"):
        pass
    with pytest.raises(ValueError, match=r"Dense: input has shape \[2, 3\]"):
        Dense(3, 3)(torch.zeros(2, 3))
    for products in choice.CHOICES:
        with pytest.raises(ValueError, match=r"has 4 values a step, \[2, 3, 4\], but the layer takes 3"):
            Dense(3, 3, products=products)(torch.zeros(2, 3, 4))
    for wrong in (torch.zeros(2, 3, 3, dtype=torch.bool), torch.zeros(2, 3, 3, dtype=torch.int64)):
        with pytest.raises(TypeError, match=r"spikes are numbers here: x.float\(\)"):
            Dense(3, 3)(wrong)
    with pytest.raises(TypeError, match=r"input is a list; give a tensor"):
        Dense(3, 3)([[[0.0] * 3]])
    with pytest.raises(RuntimeError):
        Conv2d(3, 3, 3, products="sparse")(torch.zeros(2, 3, 2, 8, 8))
    with pytest.raises(RuntimeError):
        Conv2d(3, 3, 3, products="sparse")(torch.zeros(2, 3, 3, 2, 2))


def test_costs_grow_with_the_spikes():
    window = Window(8, 20, 20, 16, (3, 3), (1, 1), (0, 0))
    for products in (numba_cpu, devices.products_of("cuda")):
        if products is None:
            continue  # without Triton
        for cost in (products.linear_cost, products.linear_input_cost):
            compare_costs(*(cost(100, 200, 300, n, torch.float32) for n in (100.0, 10_000.0)))
        for cost in (products.convolution_cost, products.convolution_input_cost):
            compare_costs(*(cost(10, window, n, torch.float32) for n in (100.0, 10_000.0)))


def compare_costs(few, many):
    assert few[0] < many[0]
    assert few[1] == many[1]
