"""Triton's kernels behind torch's operators: registered correctly, traceable, ready for CUDA graphs."""

from __future__ import annotations

import pytest
import torch
from torch import nn as torch_nn

from spikelab import nn
from spikelab.kernels import choose, coefficients
from spikelab.kernels.keep import Keep
from spikelab.kernels.operator import neuron_backward, neuron_forward
from spikelab.neurons.step import StepOptions, build_step

OPTIONS = StepOptions("cuba_lif", method="exact", reset="value", refractory=True, record=("v",))
pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("few_together")]
LEARNED = Keep.VALUES | Keep.COEFFICIENTS


def operator_inputs(contract, device, dtype, per_neuron, keep):
    problem = contract.problem(OPTIONS, per_neuron, 5, 2, 3).to(torch.float32, device)
    step = build_step(OPTIONS)
    values = coefficients.coefficients(step, problem.parameters, contract.dt, contract.refractory)
    packed = choose.pack(OPTIONS.key(), list(values.values()), problem.x)

    def leaf(tensor):
        return tensor.detach().clone().requires_grad_(keep > 0)

    state = [leaf(problem.state[name]) for name in step.states]
    x = leaf(problem.x.to(dtype).transpose(0, 1).contiguous().transpose(0, 1))
    return [x, state, leaf(packed.shared), leaf(packed.per_neuron)], packed.key


@pytest.mark.parametrize(
    ("dtype", "per_neuron", "keep"),
    [(torch.float32, False, Keep.NOTHING), (torch.bfloat16, True, LEARNED), (torch.float32, False, Keep.CHECKPOINTS)],
)
def test_operators_are_registered_correctly(contract, device, dtype, per_neuron, keep):
    inputs, key = operator_inputs(contract, device, dtype, per_neuron, keep)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(neuron_forward, (*inputs, key, "triton", int(keep)), test_utils=checks)
    if not keep:
        return
    with torch.no_grad():
        out, records, final, kept = neuron_forward(*inputs, key, "triton", int(keep))
    x, _, shared, by_neuron = [t if isinstance(t, list) else t.detach() for t in inputs]
    from spikelab.kernels.operator import _find_triton

    saved = _find_triton(key, dtype).saved(x, out, kept, keep)
    gradients = [torch.randn_like(out), [torch.randn_like(r) for r in records], [torch.randn_like(f) for f in final]]
    arguments = (saved, shared, by_neuron, *gradients, key, "triton", int(keep))
    for learn in {False, bool(keep & Keep.COEFFICIENTS)}:
        torch.library.opcheck(neuron_backward, (*arguments, learn), test_utils=checks)


class Model(torch_nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.first = torch_nn.Linear(12, 20)
        self.hidden = nn.LIF(tau_mem=10e-3, backend="triton", **options)
        self.second = torch_nn.Linear(20, 5)
        self.readout = nn.LI(backend="triton")

    def forward(self, x, state=None):
        spikes, hidden = self.hidden(self.first(x), None if state is None else state["hidden"])
        out, readout = self.readout(self.second(spikes), None if state is None else state["readout"])
        return out, spikes, {"hidden": hidden, "readout": readout}


def losses_and_gradients(model, run, x):
    x = x.clone().requires_grad_()
    out, spikes, state = run(x)
    loss = out.square().mean() + state["hidden"]["v"].mean()
    return [out.detach(), spikes.detach(), *torch.autograd.grad(loss, [x, *model.parameters()])]


@pytest.mark.parametrize("options", [{}, {"recompute": True, "learnable": ("tau_mem",)}], ids=["plain", "learning"])
def test_compiled_in_one_graph_and_equal_to_eager(device, options):
    torch.manual_seed(0)
    torch._dynamo.reset()
    model = Model(**options).to(device)
    x = 6 * torch.rand(9, 4, 12, device=device)
    eager = losses_and_gradients(model, model, x)
    found = losses_and_gradients(model, torch.compile(model, fullgraph=True, backend="aot_eager"), x)
    assert 0 < eager[1].mean() < 1
    assert torch.equal(found[1], eager[1])
    for value, true in zip(found, eager, strict=True):
        torch.testing.assert_close(value, true, rtol=1e-4, atol=1e-6 * float(true.abs().max()))


def test_a_length_in_time_compiles_nothing_new(device, monkeypatch):
    """One source, one kernel; T is one of its arguments, and not one that Triton compiles it for."""
    from spikelab.kernels import triton_cuda

    built = []
    load = triton_cuda.load_generated
    monkeypatch.setattr(triton_cuda, "load_generated", lambda *a, **k: built.append(a[1]) or load(*a, **k))
    layer = nn.LIF(backend="triton").to(device)
    for steps in (1, 2, 3, 7, 16):
        x = 30 * torch.rand(steps, 2, 8, device=device)
        truth = nn.LIF(backend="reference").to(device)(x)[0]
        assert torch.equal(layer(x.requires_grad_())[0], truth)
    assert len(built) == 1


@pytest.mark.parametrize(
    ("steps", "batch", "neurons"), [(0, 3, 5), (4, 0, 5), (4, 3, 0), (1, 1, 1), (1, 3, 37), (7, 1, 37)]
)
def test_odd_sizes(contract, device, steps, batch, neurons):
    options = StepOptions("lif", method="exact", reset="subtract")
    small = contract.problem(options, False)
    random = torch.Generator().manual_seed(1)
    x = 30 * torch.randn(steps, batch, neurons, generator=random, dtype=torch.float64) + 20
    problem = type(small)(x, {"v": 0.5 * torch.rand(batch, neurons, generator=random).double()}, small.parameters)
    for recompute in (False, True):
        truth = contract.solve(problem, options, "reference")
        found = contract.solve(problem, options, "triton", recompute=recompute, device=device)
        contract.compare(found, truth, True, f"T={steps} B={batch} N={neurons}")
        assert found.outputs[0].shape == (steps, batch, neurons)


def test_twice_differentiated_is_refused(device):
    x = torch.rand(4, 1, 3, device=device).requires_grad_()
    _, state = nn.LIF(backend="triton").to(device)(x)
    (gradient,) = torch.autograd.grad((state["v"] ** 2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


def test_a_cuda_graph_replays_forward_and_backward(device):
    if device.type != "cuda":
        pytest.skip("needs a CUDA device: the interpreter has no graphs")
    layer = nn.LIF().to(device)
    x = (30 * torch.rand(16, 4, 256, device=device)).requires_grad_()
    weight = torch.randn(16, 4, 256, device=device)

    def run():
        out, state = layer(x)
        return out, *torch.autograd.grad((out * weight).sum() + state["v"].sum(), x)

    # what has to be compiled or computed once is done before
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = run()
    for seed in (1, 2):
        with torch.no_grad():
            x.copy_(30 * torch.rand(16, 4, 256, generator=torch.Generator().manual_seed(seed)))
        graph.replay()
        for value, true in zip(captured, run(), strict=True):
            assert torch.equal(value, true)


def test_a_graph_made_by_torch_compile(device):
    if device.type != "cuda":
        pytest.skip("needs a CUDA device: the interpreter has no graphs")
    torch._dynamo.reset()
    model = Model().to(device)
    compiled = torch.compile(model, fullgraph=True, mode="reduce-overhead")
    x = 6 * torch.rand(30, 4, 12, device=device)
    for _ in range(4):
        torch.compiler.cudagraph_mark_step_begin()
        found = [value.clone() for value in losses_and_gradients(model, compiled, x)]
    for value, true in zip(found, losses_and_gradients(model, model, x), strict=True):
        torch.testing.assert_close(value, true, rtol=1e-3, atol=1e-5 * float(true.abs().max()))
