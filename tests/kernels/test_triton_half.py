"""Half precision is what goes in and comes out; states are single, and what is kept belongs to the spikes that were."""

from __future__ import annotations

import pytest
import torch

from spikelab import nn, registry
from spikelab.neurons.step import StepOptions, build_step

NAMES = registry.names("neurons")
#: Half of a unit in the last place, relative, at most.
ROUNDING = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("few_together")]


def train(layer, x, incoming):
    """Output, final states, and the gradient of the input."""
    x = x.detach().requires_grad_()
    out, state = layer(x)
    loss = (out * incoming.to(out)).sum() + sum(value.sum() for name, value in state.items() if name == "v")
    (gradient,) = torch.autograd.grad(loss, x)
    return out.detach(), state, gradient


def relative(value, true):
    return float((value.float() - true.float()).norm() / true.float().norm())


def problem(contract, neuron, dtype, device, **options):
    """Half-precision input at which a neuron spikes, a fresh state, and an incoming gradient."""
    spec = registry.load("neurons", neuron)
    found = contract.problem(StepOptions(neuron, reset=spec.default_reset if spec.spikes else ""), False, 5, 3, 37)
    random = torch.Generator().manual_seed(3)
    weight = torch.randn(found.x.shape, generator=random).to(device, dtype)
    layers = {
        backend: nn.Neuron(neuron, dt=contract.step_length(neuron), backend=backend, **options).to(device)
        for backend in ("reference", "triton")
    }
    return found.x.to(device, dtype), weight, layers


#: float16 holds no input in amperes: they are far below its smallest number.
DIMENSIONLESS = [name for name in NAMES if registry.load("neurons", name).input_unit == "1"]


@pytest.mark.parametrize(
    ("neuron", "dtype"),
    [*((name, torch.bfloat16) for name in NAMES), *((name, torch.float16) for name in DIMENSIONLESS)],
)
def test_every_neuron(contract, device, neuron, dtype):
    x, weight, layers = problem(contract, neuron, dtype, device)
    out, state, gradient = train(layers["reference"], x.float(), weight)
    found_out, found_state, found_gradient = train(layers["triton"], x, weight)
    assert found_out.dtype == found_gradient.dtype == dtype
    assert all(value.dtype == torch.float32 for value in found_state.values())
    # the interpreter cuts digits off where a device rounds
    torch.testing.assert_close(found_out.float(), out, rtol=2 * ROUNDING[dtype], atol=1e-4)
    for name, true in state.items():
        torch.testing.assert_close(found_state[name], true, rtol=1e-4, atol=1e-5 * float(true.detach().abs().max()))
    assert relative(found_gradient, gradient) < (4 if dtype == torch.bfloat16 else 8) * ROUNDING[dtype]


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif", "adaptive_lif", "resonate_and_fire"])
def test_kept_in_full(contract, device, neuron):
    x, weight, layers = problem(contract, neuron, torch.float16, device, kept_precision="state")
    _, _, gradient = train(layers["reference"], x.float(), weight)
    _, _, found = train(layers["triton"], x, weight)
    assert relative(found, gradient) < 2 * ROUNDING[torch.float16]


@pytest.mark.parametrize("reset", ["zero", "value", "subtract"])
@pytest.mark.parametrize("neuron", ["lif", "cuba_lif", "adaptive_lif"])
def test_rounding_moves_no_spike(device, neuron, reset):
    """Potentials within a bfloat16's rounding of the threshold: the reset's derivative must be that of the spike."""
    # a constant surrogate does not look at the gate, so nothing but the spikes decides
    options = {"reset": reset, "surrogate": "straight_through", "detach_reset": True, "dt": 1e-3}
    layer = nn.Neuron(neuron, backend="triton", **options).to(device)
    truth = nn.Neuron(neuron, backend="reference", **options).to(device)
    threshold = float(layer.v_threshold)
    v = threshold * (1 + 1e-4 * torch.linspace(-1, 1, 101, device=device))
    x = torch.zeros(2, 1, 101, device=device, dtype=torch.bfloat16)
    results = []
    for each, given in ((truth, x.float()), (layer, x)):
        state = {name: torch.zeros(1, 101, device=device) for name in each.step.states}
        # so that the potential after the first step is close to the threshold
        values = each._programs.coefficients(each.parameter_values(), each.dt)
        state["v"] = ((v - values["v_from_constant_"]) / values["v_from_v_"]).float()[None]
        given = given.requires_grad_()
        out, final = each(given, state)
        (gradient,) = torch.autograd.grad(final["v"].sum(), given)
        results.append((out.float(), gradient.float()))
    (out, gradient), (found_out, found) = results
    assert 0.3 < out[0].mean() < 0.7
    assert torch.equal(found_out, out)
    torch.testing.assert_close(found, gradient, rtol=2 * ROUNDING[torch.bfloat16], atol=0)


def test_learned_parameters(contract, device):
    """Their gradients are single precision, and hardly notice what was rounded."""
    x, weight, layers = problem(contract, "lif", torch.bfloat16, device, learnable=("tau_mem", "v_threshold"))
    gradients = {}
    for backend, layer in layers.items():
        out, _ = layer(x if backend == "triton" else x.float())
        gradients[backend] = torch.autograd.grad((out * weight.to(out)).sum(), list(layer.parameters()))
    for found, true in zip(gradients["triton"], gradients["reference"], strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, true, rtol=2e-2, atol=1e-2 * float(true.abs().max()))


def test_what_is_recorded_has_the_precision_of_the_states(device):
    layer = nn.LIF(backend="triton").to(device)
    trace = layer.trace(torch.rand(5, 2, 3, device=device, dtype=torch.bfloat16))
    assert trace["v"].dtype == torch.float32


def test_kept_values_take_the_input_s_bytes(device):
    """Two bytes a neuron and step, for a neuron that is linear between its spikes, and no input."""
    from spikelab.kernels.keep import Keep
    from spikelab.kernels.triton_cuda import kernel

    x = torch.zeros(8, 2, 16, device=device, dtype=torch.float16)
    for neuron, keep, dtype in (
        ("lif", Keep.VALUES, torch.bfloat16),
        ("lif", Keep.VALUES | Keep.FULL, torch.float32),
        ("izhikevich", Keep.VALUES, torch.float32),
    ):
        options = StepOptions(neuron)
        found = kernel(options, (True,) * len(build_step(options).coefficients), x.dtype)
        *_, kept = found.results(x, keep)
        assert [value.dtype for value in kept] == [dtype] * len(kept)
        if neuron == "lif":
            assert len(found.saved(x, x, kept, keep)) == len(kept) == 1
