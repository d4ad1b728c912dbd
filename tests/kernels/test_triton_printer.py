"""Functions that Triton lacks."""

from __future__ import annotations

import pytest
import torch

triton = pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")

import triton.language as tl  # noqa: E402

from spikelab.kernels.triton.printer import power  # noqa: E402
from spikelab.neurons.step import StepOptions  # noqa: E402

pytestmark = pytest.mark.gpu


@triton.jit
def raise_all(bases, exponents, powers, COUNT: tl.constexpr):
    place = tl.arange(0, COUNT)
    tl.store(powers + place, power(tl.load(bases + place), tl.load(exponents + place)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_powers_are_torch_s(device, dtype):

    values = [-8.0, -2.5, -1.0, -0.3, 0.0, 1e-3, 0.7, 1.0, 2.0, 31.5]
    exponents = [-3.0, -2.0, -1.5, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 2.7]
    pairs = torch.cartesian_prod(torch.tensor(values), torch.tensor(exponents)).to(device, dtype)
    padded = torch.ones(128, 2, dtype=dtype, device=device)
    padded[: len(pairs)] = pairs
    bases, raised = (column.contiguous() for column in padded.unbind(1))
    found = torch.full_like(bases, 7.0)
    raise_all[(1,)](bases, raised, found, COUNT=128)
    rtol = 1e-6 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(found, bases**raised, rtol=rtol, atol=0, equal_nan=True)


@pytest.mark.usefixtures("few_together")
def test_a_surrogate_with_a_power(contract, device):
    options = StepOptions(
        "lif", reset="subtract", surrogate="custom", surrogate_expression="1 / (1 + abs(x)**1.3) + abs(x)**7 / 1e9"
    )
    problem = contract.problem(options, False)
    truth = contract.solve(problem, options, "reference")
    found = contract.solve(problem, options, "triton", device=device)
    contract.compare(found, truth, True, "a power")
