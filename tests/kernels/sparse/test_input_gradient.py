"""The input's gradient where the surrogate passes it on alone: exact for everything that is learned before it."""

from __future__ import annotations

import pytest
import torch

from spikelab import nn
from spikelab.kernels.sparse import choice, numba_cpu, product
from spikelab.kernels.sparse.numba_cpu.input_gradient import convolution_input_gradient, linear_input_gradient
from spikelab.kernels.sparse.numba_cpu.spike_list import list_spikes
from spikelab.kernels.sparse.support import ATTRIBUTE, is_known, only_inside, support_of
from spikelab.kernels.sparse.window import Window
from spikelab.neurons.step import SURROGATE_SUPPORT, StepOptions, build_step
from spikelab.nn import Network


def neurons(surrogate: str = "triangular", **options) -> nn.Neuron:
    options = {"width": 0.3, **options} if surrogate == "triangular" else options
    return nn.LIF(dt=1e-3, tau_mem=10e-3, r=8.0, surrogate=surrogate, surrogate_parameters=options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 1, 1), (7, 70, 3), (300, 65, 130), (2000, 33, 17)])
@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_of_a_linear_layer(dtype, rows, inputs, outputs, density):
    torch.manual_seed(1)
    wanted = torch.rand(rows, inputs) < density
    weight, grad = torch.randn(outputs, inputs, dtype=dtype), torch.randn(rows, outputs, dtype=dtype)
    found = linear_input_gradient(list_spikes(wanted.to(dtype)), weight, grad)
    assert torch.equal(found[~wanted], torch.zeros_like(found[~wanted]))
    torch.testing.assert_close(found[wanted], (grad @ weight)[wanted])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [((1, 1), (1, 1), (0, 0)), ((3, 3), (1, 1), (1, 1)), ((5, 2), (2, 3), (0, 1)), ((2, 3), (3, 1), (1, 2))],
)
@pytest.mark.parametrize(("channels", "outputs"), [(1, 1), (3, 20), (9, 16)])
def test_of_a_convolution(dtype, kernel, stride, padding, channels, outputs):
    torch.manual_seed(1)
    x = torch.randn(5, channels, 9, 11, dtype=dtype, requires_grad=True)
    weight = torch.randn(outputs, channels, *kernel, dtype=dtype)
    out = torch.nn.functional.conv2d(x, weight, None, stride, padding)
    grad = torch.randn_like(out)
    (expected,) = torch.autograd.grad(out, x, grad)
    wanted = torch.rand(x.shape) < 0.3
    window = Window(channels, 9, 11, outputs, kernel, stride, padding)
    found = convolution_input_gradient(list_spikes(wanted.to(dtype)), window, weight, grad)
    assert torch.equal(found[~wanted], torch.zeros_like(found[~wanted]))
    torch.testing.assert_close(found[wanted], expected[wanted])


@pytest.fixture
def always(monkeypatch):
    """Every sparse product takes it, and says so."""
    taken = []
    wanted = product._wanted

    def notice(support, products, elements, cost):
        found = wanted(support, products, 0, lambda count: (0.0, 1.0))
        taken.append(None if found is None else found.density)
        return found

    monkeypatch.setattr(product, "_wanted", notice)
    return taken


def network(kind: str, surrogate: str, products: str) -> Network:
    torch.manual_seed(2)
    if kind == "dense":
        layers = [nn.Dense(20, 30), neurons(surrogate), nn.Dense(30, 25, products=products), neurons(surrogate)]
    else:
        layers = [
            nn.Conv2d(2, 6, 3), neurons(surrogate), nn.Conv2d(6, 4, 3, stride=2, products=products), neurons(surrogate),
        ]  # fmt: skip
    return Network.sequential(*layers).double()


def gradients(kind: str, surrogate: str, products: str) -> list[torch.Tensor]:
    made = network(kind, surrogate, products)
    torch.manual_seed(3)
    x = torch.randn(12, 3, 20) if kind == "dense" else torch.randn(12, 3, 2, 9, 9)
    x = x.double().requires_grad_()
    out, _ = made(4 * x)
    assert 0.002 < out.mean() < 0.9
    (out * torch.randn_like(out)).sum().backward()
    assert x.grad is not None
    return [x.grad, *(p.grad for p in made.parameters() if p.grad is not None)]


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_gradients_before_it_are_those_of_dense_products(kind, always):
    expected = gradients(kind, "triangular", "dense")
    assert not always
    found = gradients(kind, "triangular", "sparse")
    (density,) = always
    assert density is not None
    assert 0 < density < 0.8
    assert expected[0].abs().max() > 0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_other_surrogates_want_all_of_it(always):
    gradients("dense", "arctan", "sparse")
    assert always == [None]


def test_checkpoints_over_time_change_nothing(always):
    made = network("dense", "triangular", "sparse")
    torch.manual_seed(3)
    x = torch.randn(12, 3, 20).double()
    found = []
    for steps in (0, 5):
        made.checkpoint_steps = steps
        made.zero_grad()
        made(2 * x)[0].sum().backward()
        found.append([p.grad.clone() for p in made.parameters() if p.grad is not None])
    assert len(always) == 4
    assert None not in always
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_the_support_is_where_the_derivative_is_not_zero():
    layer = neurons()
    x = torch.randn(30, 2, 40, requires_grad=True)
    spikes, _ = layer(x)
    only_inside(spikes)
    support = support_of(spikes)
    assert support is not None
    wanted = list_spikes(support.flags())
    bits = wanted.bits.view(torch.uint8).reshape(60, -1)
    flags = ((bits[:, :, None] >> torch.arange(8)) & 1).reshape(60, -1)[:, :40].bool().reshape(30, 2, 40)
    # the gradient of a spike alone: nothing else is passed on where the reset is off
    alone = nn.LIF(
        dt=1e-3, tau_mem=10e-3, r=8.0, surrogate="triangular", surrogate_parameters={"width": 0.3}, detach_reset=True
    )
    out, _ = alone(x)
    for t in (0, 7, 29):
        (gradient,) = torch.autograd.grad(out[t].sum(), x, retain_graph=True)
        assert torch.equal(gradient[t] != 0, flags[t])


def test_whoever_sees_the_spikes_gets_their_whole_gradient(always):
    torch.manual_seed(2)
    layer, product_after = neurons(), nn.Dense(40, 25, products="sparse")
    found = []
    for products in ("sparse", "dense"):
        product_after.products = products
        torch.manual_seed(3)
        spikes, _ = layer(torch.randn(12, 3, 40, requires_grad=True))
        assert is_known(spikes)
        found.append(torch.autograd.grad(product_after(spikes).sin().sum(), spikes)[0])
    assert always == [None]
    assert (found[0] != 0).double().mean() > 0.9
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("between", [torch.nn.Identity(), nn.Flatten()])
def test_spikes_that_a_network_hands_on_are_seen(between, always):
    torch.manual_seed(3)
    nodes = {"weights": nn.Dense(20, 30), "neurons": neurons(), "same": between}
    network = Network(nodes, [("input", "weights"), ("weights", "neurons"), ("neurons", "same"), ("same", "output")])
    spikes, _ = network(4 * torch.randn(12, 3, 20))
    after = nn.Dense(30, 25, products="sparse")
    (found,) = torch.autograd.grad(after(spikes).sum(), spikes)
    assert always == [None]
    torch.testing.assert_close(found, after.weight.sum(0).expand_as(found))


@pytest.mark.parametrize("who", ["run", "hook", "output", "hook everywhere"])
def test_a_network_knows_who_sees_its_spikes(who, always):
    made = network("dense", "triangular", "sparse")
    x = torch.randn(12, 3, 20).double().requires_grad_()
    if who == "run":
        out = made.run(4 * x)[0]["3_lif"]
    elif who == "output":
        nodes = {"weights": nn.Dense(20, 30), "neurons": neurons(), "more": nn.Dense(30, 30, products="sparse")}
        chain = [("input", "weights"), ("weights", "neurons"), ("neurons", "more"), ("more", "output")]
        out, _ = Network(nodes, [*chain, ("neurons", "output")]).double()(4 * x)
    else:
        seen = []

        def look(module, inputs, outputs):
            seen.append(outputs)

        watch = torch.nn.modules.module.register_module_forward_hook if "every" in who else None
        handle = watch(look) if watch else made.nodes["1_lif"].register_forward_hook(look)
        out, _ = made(4 * x)
        handle.remove()
        assert seen
    out.sum().backward()
    assert set(always) == {None}


def test_spikes_changed_in_place_are_no_longer_known():
    spikes, _ = neurons()(torch.randn(4, 2, 8, requires_grad=True))
    only_inside(spikes)
    assert hasattr(spikes, ATTRIBUTE)
    with torch.no_grad():
        spikes.mul_(2)
    assert support_of(spikes) is None
    assert support_of(torch.zeros(3)) is None


def test_it_is_recorded_for_neurons_that_spike_alone():
    assert build_step(StepOptions("lif", record=(SURROGATE_SUPPORT,))).outputs == ("spike", SURROGATE_SUPPORT)
    with pytest.raises(ValueError, match="cannot record 'surrogate_support'"):
        build_step(StepOptions("li", record=(SURROGATE_SUPPORT,)))
    with pytest.raises(ValueError, match="cannot record 'refractory_left'"):
        build_step(StepOptions("lif", refractory=True, record=("refractory_left",)))


def test_costs_tell_few_from_many():
    assert choice.is_worth(*numba_cpu.linear_input_cost(1600, 512, 512, 0.1 * 1600 * 512, torch.float32))
    assert not choice.is_worth(*numba_cpu.linear_input_cost(1600, 512, 512, 0.9 * 1600 * 512, torch.float32))
    window = Window(16, 32, 32, 32, (3, 3), (1, 1), (1, 1))
    elements = 100 * 16 * 32 * 32
    assert choice.is_worth(*numba_cpu.convolution_input_cost(100, window, 0.05 * elements, torch.float32))
    assert not choice.is_worth(*numba_cpu.convolution_input_cost(100, window, 0.9 * elements, torch.float32))
