"""A representative part of the contract on compiled kernels, at awkward sizes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from spikelab import registry
from spikelab.kernels import choose, coefficients
from spikelab.kernels.choose import SEGMENT_KEEP
from spikelab.kernels.numba_cpu import SEGMENT_BYTES
from spikelab.neurons.step import StepOptions, build_step
from spikelab.neurons.surrogate import SURROGATES

NAMES = registry.names("neurons")
#: Neurons in a block of a one-state neuron in float64, as a lone thread runs them while states are kept.
EDGE = SEGMENT_BYTES // (SEGMENT_KEEP * 8)


def representative(position: int) -> StepOptions:
    """Options of the neuron at a position: each neuron gets another surrogate and other switches."""
    spec = registry.load("neurons", NAMES[position])
    resets = sorted(spec.resets) or [""]
    return StepOptions(
        spec.name,
        method=spec.default_method,
        reset=resets[position % len(resets)],
        refractory=spec.spikes and position % 2 == 0,
        detach_reset=spec.spikes and position % 3 == 0,
        surrogate=list(SURROGATES)[position % len(SURROGATES)] if spec.spikes else "arctan",
        record=spec.state_names if position % 2 else (),
    )


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("position", range(len(NAMES)), ids=NAMES)
def test_every_neuron_compiled(contract, position):
    options, per_neuron = representative(position), position % 2 == 1
    # not a multiple of the segment, three segments; a batch and a width that fit no vector
    problem = contract.problem(options, per_neuron, steps=35, batch=3, neurons=37)
    spikes = registry.load("neurons", NAMES[position]).spikes
    truth = contract.solve(problem, options, "reference")
    found = contract.solve(problem, options, "numba")
    contract.compare(found, truth, spikes, f"{options}, per neuron: {per_neuron}")
    assert not spikes or 0 < truth.outputs[0].mean() < 1
    # keeping fewer states changes what is computed twice, not what comes out
    again = contract.solve(problem, options, "numba", recompute=True)
    for name, gradient in found.gradients.items():
        assert torch.equal(again.gradients[name], gradient), name


@pytest.mark.slow
@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize(
    ("position", "reset", "per_neuron"),
    [
        (position, reset, per_neuron)
        for position, name in enumerate(NAMES)
        for reset, per_neuron in itertools.product(sorted(registry.load("neurons", name).resets) or [""], (False, True))
    ],
)
def test_every_reset_compiled(contract, position, reset, per_neuron):
    options = replace(representative(position), reset=reset, record=())
    problem = contract.problem(options, per_neuron, steps=35, batch=3, neurons=37)
    truth = contract.solve(problem, options, "reference")
    found = contract.solve(problem, options, "numba")
    contract.compare(found, truth, registry.load("neurons", NAMES[position]).spikes, str(options))


LIF = StepOptions("lif", method="exact", reset="subtract")


def random_problem(contract, steps, batch, neurons, dtype=torch.float64):
    """The LIF problem at any size, even empty."""
    small = contract.problem(LIF, False)
    random = torch.Generator().manual_seed(1)
    x = 30 * torch.randn(steps, batch, neurons, generator=random, dtype=torch.float64) + 20
    state = {"v": 0.5 * torch.rand(batch, neurons, generator=random, dtype=torch.float64)}
    return type(small)(x, state, small.parameters).to(dtype)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize(
    ("steps", "batch", "neurons"),
    [
        (0, 3, 5),
        (4, 0, 5),
        (4, 3, 0),
        (1, 1, 1),
        (1, 3, 37),
        (16, 1, 37),
        (17, 3, 37),
        (33, 1, EDGE - 1),
        (33, 1, EDGE),
        (33, 1, EDGE + 1),
        (5, 3, EDGE),
        (3, 5, 517),
    ],
)
def test_odd_sizes(contract, steps, batch, neurons):
    problem = random_problem(contract, steps, batch, neurons)
    truth = contract.solve(problem, LIF, "reference")
    found = contract.solve(problem, LIF, "numba")
    contract.compare(found, truth, True, f"T={steps} B={batch} N={neurons}")
    assert found.outputs[0].shape == (steps, batch, neurons)
    if steps > 10:
        assert 0 < truth.outputs[0].mean() < 1


def test_inputs_and_gradients_that_are_not_contiguous(contract):
    problem = random_problem(contract, 20, 3, 37)
    step = build_step(LIF)
    results = []
    for backend, strided in (("reference", False), ("numba", True)):
        # batch first in memory, every second neuron, and an expanded (stride zero) state and output gradient
        x = problem.x.transpose(0, 1).repeat_interleave(2, 2).clone().requires_grad_()
        view = x[..., ::2].transpose(0, 1)
        assert not view.is_contiguous()
        v = problem.state["v"][:, :1].clone().requires_grad_()
        values = list(coefficients.coefficients(step, problem.parameters, contract.dt).values())
        packed = choose.pack(LIF.key(), values, view)
        (out,), (final,) = choose.run_neuron(step, view, [v.expand(3, 37)], packed, backend)
        weight = torch.linspace(-1, 1, 37, dtype=torch.float64)
        incoming = weight.expand(20, 3, 37) if strided else weight.expand(20, 3, 37).contiguous()
        gradients = torch.autograd.grad([out, final], [x, v], [incoming, torch.ones((), dtype=out.dtype).expand(3, 37)])
        results.append((out, final, *gradients))
    for found, true in zip(results[1], results[0], strict=True):
        assert contract.relative_error(found.detach(), true.detach()) <= 1e-10
    assert torch.equal(results[0][0], results[1][0])


def test_gradients_only_where_they_are_wanted(contract):
    """An output, a state or a parameter that takes no part in the loss must not need one that does."""
    problem = random_problem(contract, 20, 3, 37)
    step = build_step(replace(LIF, record=("v",)))
    for want in ("out", "record", "final"):
        gradients = {}
        for backend in ("reference", "numba"):
            x = problem.x.clone().requires_grad_()
            parameters = {k: v.clone().requires_grad_() for k, v in problem.parameters.items()}
            packed = choose.pack(
                step.options.key(), list(coefficients.coefficients(step, parameters, contract.dt).values()), x
            )
            (out, record), (final,) = choose.run_neuron(step, x, [problem.state["v"]], packed, backend)
            value = {"out": out, "record": record, "final": final}[want]
            weight = torch.linspace(-1, 2, value.numel(), dtype=value.dtype).view(value.shape)
            gradients[backend] = torch.autograd.grad(
                (weight * value).sum(), [x, parameters["tau_mem"], parameters["v_threshold"]]
            )
        for found, true in zip(gradients["numba"], gradients["reference"], strict=True):
            assert contract.relative_error(found, true) <= 1e-10, want


def test_a_forward_pass_without_gradients_keeps_nothing(contract):
    problem = random_problem(contract, 20, 3, 37)
    step = build_step(LIF)
    packed = choose.pack(
        LIF.key(), list(coefficients.coefficients(step, problem.parameters, contract.dt).values()), problem.x
    )
    with torch.no_grad():
        quiet, _ = choose.run_neuron(step, problem.x.clone().requires_grad_(), [problem.state["v"]], packed, "numba")
    assert not quiet[0].requires_grad
    loud, _ = choose.run_neuron(step, problem.x.clone().requires_grad_(), [problem.state["v"]], packed, "numba")
    assert loud[0].requires_grad
    assert torch.equal(quiet[0], loud[0].detach())


def test_twice_differentiated_is_refused(contract):
    """The kernels give first derivatives; a second one must be an error, not zero."""
    problem = random_problem(contract, 4, 1, 3)
    step = build_step(LIF)
    x = problem.x.clone().requires_grad_()
    packed = choose.pack(LIF.key(), list(coefficients.coefficients(step, problem.parameters, contract.dt).values()), x)
    _, (final,) = choose.run_neuron(step, x, [problem.state["v"]], packed, "numba")
    (gradient,) = torch.autograd.grad((final**2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()
