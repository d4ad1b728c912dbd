"""The torch operators: registered correctly, traceable in one graph, and equal to the eager path."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn as torch_nn

from spikelab import nn, registry
from spikelab.kernels import choose, coefficients
from spikelab.kernels.operator import neuron_backward, neuron_forward
from spikelab.neurons.step import StepOptions, build_step

#: A refractory neuron with two states and a recorded one: every output of the operators is there.
OPTIONS = StepOptions("cuba_lif", method="exact", reset="subtract", refractory=True, record=("v",))


def operator_inputs(contract, dtype, per_neuron, segment):
    problem = contract.problem(OPTIONS, per_neuron, 7, 2, 3).to(dtype)
    step = build_step(OPTIONS)
    values = coefficients.coefficients(step, problem.parameters, contract.dt, contract.refractory)
    packed = choose.pack(OPTIONS.key(), list(values.values()), problem.x)
    state = [problem.state[name] for name in step.states]

    def leaf(tensor):
        return tensor.detach().clone().requires_grad_(segment > 0)

    return [leaf(problem.x), [leaf(s) for s in state], leaf(packed.shared), leaf(packed.per_neuron)], packed.key


@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("segment", [0, 3])
def test_forward_operator_is_registered_correctly(contract, dtype, per_neuron, segment):
    inputs, key = operator_inputs(contract, dtype, per_neuron, segment)
    torch.library.opcheck(neuron_forward, (*inputs, key, "numba", segment))


@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("coefficient_gradients", [False, True])
def test_backward_operator_is_registered_correctly(contract, dtype, per_neuron, coefficient_gradients):
    inputs, key = operator_inputs(contract, dtype, per_neuron, 3)
    with torch.no_grad():
        out, records, final, kept = neuron_forward(*inputs, key, "numba", 3)
    x, _, shared, by_neuron = [t if isinstance(t, list) else t.detach() for t in inputs]
    gradients = [torch.randn_like(out), [torch.randn_like(r) for r in records], [torch.randn_like(f) for f in final]]
    torch.library.opcheck(
        neuron_backward, ([x, *kept], shared, by_neuron, *gradients, key, "numba", 3, coefficient_gradients)
    )


READOUTS = [name for name in registry.names("neurons") if not registry.load("neurons", name).spikes]


@pytest.mark.parametrize("neuron", READOUTS)
@pytest.mark.parametrize("per_neuron", [False, True])
def test_readouts_against_finite_differences(contract, neuron, per_neuron):
    """A readout is smooth, so its gradients can be held against numbers and not only against autograd."""
    options = StepOptions(neuron, record=registry.load("neurons", neuron).state_names)
    problem = contract.problem(options, per_neuron, 5, 2, 3)
    step = build_step(options)
    names = list(problem.parameters)

    def run(x, *rest):
        parameters = dict(zip(names, rest[len(step.states) :], strict=True))
        values = list(coefficients.coefficients(step, parameters, contract.dt).values())
        packed = choose.pack(options.key(), values, x)
        outputs, final = choose.run_neuron(step, x, rest[: len(step.states)], packed, "numba")
        return (*outputs, *final)

    # inputs of size one: finite differences lose digits to large ones
    x = (problem.x / problem.x.abs().max()).requires_grad_()
    state = [problem.state[name].clone().requires_grad_() for name in step.states]
    parameters = [problem.parameters[name].clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(run, (x, *state, *parameters), eps=1e-7, atol=1e-5, rtol=1e-4)


class Model(torch_nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.first = torch_nn.Linear(12, 20)
        self.hidden = nn.AdaptiveLIF(tau_mem=10e-3, learnable=("tau_mem", "v_threshold"), **options)
        self.second = torch_nn.Linear(20, 5)
        self.readout = nn.LI()

    def forward(self, x, state=None):
        spikes, hidden = self.hidden(self.first(x), None if state is None else state["hidden"])
        out, readout = self.readout(self.second(spikes), None if state is None else state["readout"])
        return out, spikes, {"hidden": hidden, "readout": readout}


def losses_and_gradients(model, run, x, state=None):
    x = x.clone().requires_grad_()
    out, spikes, state = run(x, state)
    loss = out.square().mean() + state["hidden"]["v"].mean()
    gradients = torch.autograd.grad(loss, [x, *model.parameters()])
    return [out.detach(), spikes.detach(), *gradients], state


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize("options", [{}, {"refractory": 2e-3, "recompute": True}], ids=["plain", "refractory"])
def test_compiled_in_one_graph_and_equal_to_eager(backend, options):
    torch.manual_seed(0)
    torch._dynamo.reset()
    model = Model(**options)
    x = 6 * torch.rand(30, 4, 12)
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    eager, state = losses_and_gradients(model, model, x)
    found, compiled_state = losses_and_gradients(model, compiled, x)
    assert 0 < eager[1].mean() < 1
    assert torch.equal(found[1], eager[1])
    for value, true in zip(found, eager, strict=True):
        torch.testing.assert_close(value, true, rtol=1e-4, atol=1e-6 * float(true.abs().max()))
    # streaming: the state that came out goes in, in another graph
    detached = {layer: {k: v.detach() for k, v in values.items()} for layer, values in state.items()}
    again, _ = losses_and_gradients(model, model, x, detached)
    found, _ = losses_and_gradients(model, compiled, x, detached)
    assert set(compiled_state["hidden"]) == set(state["hidden"])
    for value, true in zip(found, again, strict=True):
        torch.testing.assert_close(value, true, rtol=1e-4, atol=1e-6 * float(true.abs().max()))


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("neuron", registry.names("neurons"))
def test_every_neuron_may_be_compiled_before_it_ever_ran(neuron, backend, monkeypatch):
    """On either back end: the reference is what runs on a GPU."""
    torch._dynamo.reset()
    monkeypatch.setattr(choose, "_said", set())
    layer = nn.Neuron(neuron, backend=backend)
    x = (5 * torch.rand(3, 2, 8)).requires_grad_()
    found, state = torch.compile(layer, fullgraph=True, backend="aot_eager")(x)
    (found_gradient,) = torch.autograd.grad(found.sum(), x)
    out, true_state = layer(x)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(found, out)
    torch.testing.assert_close(state, true_state)
    torch.testing.assert_close(found_gradient, gradient)


def test_compiled_without_gradients():
    torch._dynamo.reset()
    model = Model().eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    x = 6 * torch.rand(30, 4, 12)
    with torch.no_grad():
        for value, true in zip(compiled(x)[:2], model(x)[:2], strict=True):
            torch.testing.assert_close(value, true)


def test_compiled_code_sees_a_changed_parameter():
    torch._dynamo.reset()
    layer = nn.LIF(tau_mem=20e-3)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = 3 * torch.rand(50, 2, 8)
    before = compiled(x)[1]["v"]
    with torch.no_grad():
        layer.tau_mem.fill_(5e-3)
    after = compiled(x)[1]["v"]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, layer(x)[1]["v"])


def test_export_of_a_new_length_needs_no_new_kernel():
    """The number of steps and of neurons is no part of a kernel, so a dynamic shape may vary."""
    torch._dynamo.reset()
    layer = nn.LIF()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    for steps, batch in ((10, 2), (17, 3), (33, 5)):
        x = 30 * torch.rand(steps, batch, 8)
        assert torch.equal(compiled(x)[0], layer(x)[0])


def test_a_float16_layer_runs_under_autocast():
    layer = nn.LIF()
    linear = torch_nn.Linear(8, 8)
    x = 30 * torch.rand(10, 2, 8)
    with torch.autocast("cpu", torch.bfloat16):
        current = linear(x)
        assert current.dtype == torch.bfloat16
        spikes, state = layer(current)
    assert state["v"].dtype == torch.float32
    assert spikes.dtype == torch.bfloat16
    spikes.float().sum().backward()
    assert math.isfinite(float(linear.weight.grad.abs().sum()))
