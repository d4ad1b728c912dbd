"""Single precision: one step from the same state is the same step; a long run drifts by rounding alone."""

from __future__ import annotations

import pytest
import sympy as sp
import torch

from spikelab import registry
from spikelab.kernels import choose, coefficients
from spikelab.neurons.step import StepOptions, build_step

NAMES = registry.names("neurons")


def packed_for(contract, step, problem, x):
    values = coefficients.coefficients(step, problem.parameters, contract.step_length(step.options.neuron))
    return choose.pack(step.options.key(), list(values.values()), x)


def one_step_and_a_long_run(contract, neuron, backend, device="cpu", steps=35, times=20):
    """One step from the same state is the same step, bit for bit without functions; and a long run nearly so."""
    spec = registry.load("neurons", neuron)
    options = StepOptions(neuron, method=spec.default_method, reset=spec.default_reset if spec.spikes else "")
    problem = contract.problem(options, False, steps=steps, batch=3, neurons=37).to(torch.float32, device)
    traced = build_step(StepOptions(**{**options.__dict__, "record": spec.state_names}))
    start = [problem.state[name] for name in spec.state_names]
    outputs, _ = choose.run_neuron(
        traced, problem.x, start, packed_for(contract, traced, problem, problem.x), "reference"
    )
    # the states before every step, as a batch of its own
    before = [torch.cat([s[None], trace[:-1]]).flatten(0, 1) for s, trace in zip(start, outputs[1:], strict=True)]
    x = problem.x.flatten(0, 1)[None]
    step = build_step(options)
    results = [
        choose.run_neuron(step, x, before, packed_for(contract, step, problem, x), each)
        for each in ("reference", backend)
    ]
    has_functions = any(line.atoms(sp.exp) for _, line in step.lines)
    for true, found in zip((*results[0][0], *results[0][1]), (*results[1][0], *results[1][1]), strict=True):
        assert found.dtype == torch.float32
        if has_functions:
            # two libraries' exp; the membrane is a difference of terms larger than itself
            torch.testing.assert_close(found, true, rtol=1e-5, atol=2e-6 * float(true.abs().max()))
        else:
            assert torch.equal(found, true)

    long = problem.x.repeat(times, 1, 1)
    runs = [
        choose.run_neuron(step, long, start, packed_for(contract, step, problem, long), each)[0][0]
        for each in ("reference", backend)
    ]
    if spec.spikes:
        assert 0 < runs[0].mean() < 0.9
        assert (runs[0] != runs[1]).float().mean() <= (2e-3 if has_functions else 0)
    else:
        assert torch.equal(runs[0], runs[1])


@pytest.mark.parametrize("neuron", NAMES)
def test_one_step_from_the_same_state_and_a_long_run(contract, neuron):
    one_step_and_a_long_run(contract, neuron, "numba")


@pytest.mark.gpu
@pytest.mark.usefixtures("few_together")
@pytest.mark.parametrize("neuron", NAMES)
def test_one_step_from_the_same_state_on_triton(contract, device, neuron):
    one_step_and_a_long_run(contract, neuron, "triton", device, steps=5, times=3)


@pytest.mark.gpu
@pytest.mark.usefixtures("few_together")
@pytest.mark.parametrize("neuron", NAMES)
def test_gradients_on_triton_against_double_precision(contract, device, neuron):
    """The truth is float64 from the same numbers; a neuron that magnifies rounding does so in the torch loop, too."""
    spec = registry.load("neurons", neuron)
    options = StepOptions(neuron, method=spec.default_method, reset=spec.default_reset if spec.spikes else "")
    problem = contract.problem(options, False, steps=5, batch=3, neurons=37).to(torch.float32)
    found = contract.solve(problem, options, "triton", dtype=torch.float32, device=device)
    loop = contract.solve(problem, options, "reference", dtype=torch.float32)
    truth = contract.solve(problem, options, "reference")
    assert torch.equal(found.outputs[0] > 0, truth.outputs[0] > 0) or not spec.spikes, "rounding moved a spike"
    for name, true in truth.gradients.items():
        error, unavoidable = (
            (solution.gradients[name] - true).norm() / true.norm().clamp_min(1e-30) for solution in (found, loop)
        )
        assert error <= 5e-6 + 2 * unavoidable, f"{name}: {error:.2g}, in the loop {unavoidable:.2g}"


@pytest.mark.slow
@pytest.mark.parametrize("neuron", NAMES)
def test_gradients_in_single_precision(contract, neuron):
    spec = registry.load("neurons", neuron)
    options = StepOptions(neuron, method=spec.default_method, reset=spec.default_reset if spec.spikes else "")
    problem = contract.problem(options, False, steps=5, batch=3, neurons=37)
    truth = contract.solve(problem, options, "reference", dtype=torch.float32)
    found = contract.solve(problem, options, "numba", dtype=torch.float32)
    if torch.equal(truth.outputs[0] > 0, found.outputs[0] > 0):
        for name, true in truth.gradients.items():
            error = (found.gradients[name] - true).norm() / true.norm().clamp_min(1e-30)
            assert error <= 1e-4, f"{name}: {error:.2g}"
    else:
        assert any(line.atoms(sp.exp) for _, line in build_step(options).lines)
