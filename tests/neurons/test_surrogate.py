"""Surrogate derivatives against their published formulas, and the errors around them."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from spikelab.neurons.functions import select
from spikelab.neurons.surrogate import SURROGATES, Surrogate, surrogate

X = sp.Symbol("x", real=True)
GRID = np.linspace(-3, 3, 241)


def values(found: Surrogate, grid=GRID) -> np.ndarray:
    expression = found.expression(X).replace(select, lambda c, a, b: sp.Piecewise((a, c > 0), (b, True)))
    return np.broadcast_to(sp.lambdify(X, expression, "numpy")(grid), grid.shape)


def normal(x, sigma):
    return np.exp(-(x**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)


#: name -> the formula of the paper, with its parameters, written out once more.
PUBLISHED = {
    "arctan": lambda x, alpha=2.0: alpha / 2 / (1 + (np.pi / 2 * alpha * x) ** 2),
    "fast_sigmoid": lambda x, slope=10.0: (slope * np.abs(x) + 1) ** -2.0,
    "sigmoid": lambda x, slope=4.0: slope / (1 + np.exp(-slope * x)) * (1 - 1 / (1 + np.exp(-slope * x))),
    "triangular": lambda x, width=1.0, height=1.0: height * np.maximum(0, 1 - np.abs(x) / width),
    "gaussian": lambda x, sigma=0.5: normal(x, sigma),
    "multi_gaussian": lambda x, sigma=0.5, h=0.15, s=6.0: (
        (1 + h) * normal(x, sigma) - h * normal(x - sigma, s * sigma) - h * normal(x + sigma, s * sigma)
    ),
    "straight_through": lambda x, gain=1.0: np.full_like(x, gain),
}


def test_every_surrogate_has_its_formula_here():
    assert set(PUBLISHED) == set(SURROGATES)


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_formula_source_and_shape(name):
    found = surrogate(name)
    assert found.source
    np.testing.assert_allclose(values(found), PUBLISHED[name](GRID), rtol=1e-12, atol=1e-15)
    # symmetric about threshold, largest there
    np.testing.assert_allclose(values(found), values(found)[::-1], rtol=1e-12, atol=1e-15)
    assert values(found).argmax() in (0, len(GRID) // 2)


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_constants_are_used(name):
    for parameter, default in SURROGATES[name].parameters.items():
        changed = surrogate(name, **{parameter: 1.5 * default})
        np.testing.assert_allclose(
            values(changed), PUBLISHED[name](GRID, **{parameter: 1.5 * default}), rtol=1e-12, atol=1e-15
        )
        assert not np.allclose(values(changed), values(surrogate(name)))


@pytest.mark.parametrize("name", ["arctan", "sigmoid", "triangular", "gaussian"])
def test_smoothed_spikes_step_from_zero_to_one(name):
    """These are derivatives of a smooth step, so they integrate to one."""
    wide = np.linspace(-2000, 2000, 4_000_001) if name == "arctan" else np.linspace(-20, 20, 400_001)
    integral = np.trapezoid(values(surrogate(name), wide), wide)
    assert integral == pytest.approx(1, abs=1e-3)


def test_far_from_threshold_nothing_overflows():
    far = np.array([-1e6, -1e3, 1e3, 1e6])
    with np.errstate(over="ignore"):
        for name in SURROGATES:
            found = values(surrogate(name), far)
            assert np.isfinite(found).all(), name
            assert (found <= 1.0).all(), name


def test_own_expression():
    own = surrogate("a / (1 + abs(x))**b", a=2, b=3)
    np.testing.assert_allclose(values(own), 2 / (1 + np.abs(GRID)) ** 3, rtol=1e-12)
    assert surrogate(own) == own
    assert surrogate("x").name == "custom"


def test_errors_list_what_is_known():
    with pytest.raises(ValueError, match=r"unknown surrogate 'atan'; known are arctan, .*, or an expression in x"):
        surrogate("atan")
    with pytest.raises(ValueError, match="surrogate arctan has no parameter slope; it has alpha"):
        surrogate("arctan", slope=3)
    with pytest.raises(ValueError, match="surrogate custom: unknown name 'y'"):
        surrogate("1 / (1 + y**2)")
    with pytest.raises(ValueError, match="a parameter cannot be called 'x'"):
        surrogate(Surrogate("own", "x", {"x": 1.0}))
    with pytest.raises(ValueError, match="cannot read"):
        surrogate("__import__('os').getpid() * x")
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="alpha"):
            surrogate("arctan", alpha=bad)
