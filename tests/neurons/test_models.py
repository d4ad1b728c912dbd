"""The neurons of network simulations against independent solutions: rates, spike times, crossings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spikelab import nn, registry
from spikelab.neurons import ExponentialLIF, HodgkinHuxley, LIFMembrane, QuadraticLIF, ResonateAndFire
from spikelab.neurons.step import StepOptions, build_step


def traced(layer: nn.Neuron, x, **start: float) -> dict[str, np.ndarray]:
    x = torch.as_tensor(np.asarray(x, dtype=np.float64))[:, None]
    state = layer.initial_state(x)
    state |= {name: torch.tensor([value], dtype=torch.float64) for name, value in start.items()}
    with torch.no_grad():
        return {name: value[:, 0].numpy() for name, value in layer.trace(x, state).items()}


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_lif_in_volts_spikes_at_the_closed_forms_period(backend):
    """The time tau ln(d / (d - 15 mV)) from reset to threshold under a drive d = I tau / C, in whole steps."""
    dt, current = 1e-5, 500e-12
    layer = nn.LIFMembrane(dt=dt, refractory=2e-3, backend=backend)
    spikes = np.flatnonzero(traced(layer, [current] * 20_000)["spike"])
    drive = current * 10e-3 / 250e-12
    charge = math.ceil(10e-3 * math.log(drive / (drive - 15e-3)) / dt)
    assert len(spikes) > 5
    assert spikes[0] + 1 == charge
    # a neuron that spikes at one step moves again in the 200th after it
    assert set(np.diff(spikes)) == {charge + 199}


def test_lif_in_volts_is_the_dimensionless_one_in_other_units():
    x = 40 * np.random.default_rng(0).random(500)
    plain = traced(nn.LIF(dt=1e-3, tau_mem=10e-3, reset="subtract", backend="reference"), x)
    # 15 mV from rest to threshold count as one
    volts = traced(nn.LIFMembrane(dt=1e-3, reset="subtract", backend="reference"), x * 15e-3 * 250e-12 / 10e-3)
    assert plain["spike"].sum() > 10
    np.testing.assert_array_equal(plain["spike"], volts["spike"])
    np.testing.assert_allclose(-70e-3 + 15e-3 * plain["v"], volts["v"], rtol=1e-9)


def passage_time(rate, start: float, end: float, points: int = 2_000_001) -> float:
    """Time from one potential to another: the integral of 1 / (dv/dt), by Simpson's rule."""
    v = np.linspace(start, end, points)
    weights = np.ones(points)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float((weights / rate(v)).sum() * (v[1] - v[0]) / 3)


def upstroke(spec):
    values = {p.name: p.default for p in spec.parameters}
    e, threshold, tau = values["v_leak"], values["v_threshold"], values["tau_mem"]
    if spec is QuadraticLIF:
        return lambda v, x: (v - e) * (v - threshold) / (threshold - e) / tau + x / values["capacitance"]
    slope = values["slope_factor"]
    return lambda v, x: (e - v + slope * np.exp((v - threshold) / slope)) / tau + x / values["capacitance"]


@pytest.mark.parametrize("spec", [ExponentialLIF, QuadraticLIF], ids=lambda s: s.name)
def test_an_upstroke_takes_the_time_of_its_integral(spec):
    current = 600e-12
    values = {p.name: p.default for p in spec.parameters}
    period = passage_time(lambda v: upstroke(spec)(v, current), values["v_reset"], values["v_peak"])
    for dt in (1e-4, 2e-5):
        layer = nn.Neuron(spec, dt=dt, backend="reference")
        spikes = np.flatnonzero(traced(layer, [current] * round(0.2 / dt))["spike"])
        periods = np.diff(spikes)
        assert len(periods) > 5
        # each one begins on the grid, and the spike is the end of the step in which the peak is reached
        assert set(periods) == {math.ceil(period / dt)}


@pytest.mark.parametrize("spec", [ExponentialLIF, QuadraticLIF], ids=lambda s: s.name)
def test_below_the_rheobase_there_is_no_spike_and_above_there_is(spec):
    """The current at which the smallest dv/dt is zero."""
    values = {p.name: p.default for p in spec.parameters}
    v = np.linspace(values["v_leak"], values["v_peak"], 1_000_001)
    rheobase = -upstroke(spec)(v, 0.0).min() * values["capacitance"]
    for factor, spikes in ((0.98, False), (1.05, True)):
        found = traced(nn.Neuron(spec, dt=1e-4, backend="numba"), [factor * rheobase] * 5000)["spike"]
        assert found.any() == spikes


def test_resonate_and_fire_prefers_its_own_frequency():
    """Two pulses one period apart add up; half a period apart they cancel: figure 5 of the publication."""
    dt = 1e-4
    period = 2 * math.pi / 250
    layer = nn.ResonateAndFire(dt=dt, backend="reference")
    for apart, spikes in ((period, True), (period / 2, False)):
        x = np.zeros(1000)
        x[[10, 10 + round(apart / dt)]] = 12.0
        assert traced(layer, x)["spike"].any() == spikes
    # one pulse alone does not
    assert not traced(layer, 12.0 * (np.arange(1000) == 10))["spike"].any()


def test_resonate_and_fire_is_a_damped_rotation():
    layer = nn.ResonateAndFire(dt=1e-4, backend="reference")
    trace = traced(layer, np.zeros(500), u=0.3, v=0.4)
    t = 1e-4 * np.arange(1, 501)
    z = (0.3 + 0.4j) * np.exp((-1 / 20e-3 + 250j) * t)
    np.testing.assert_allclose(trace["u"], z.real, rtol=0, atol=1e-8)
    np.testing.assert_allclose(trace["v"], z.imag, rtol=0, atol=1e-8)
    assert ResonateAndFire.default_method == "runge_kutta_4"
    trace = traced(layer, np.zeros(500), u=2.0, v=0.0)
    (first, *_) = np.flatnonzero(trace["spike"])
    assert (trace["u"][first], trace["v"][first]) == (0.0, 1.0)


def published_rates(v: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Per second, v in volts; as Brette et al. 2007 print them."""
    u = v * 1e3 + 63
    with np.errstate(over="ignore"):
        return {
            "m": (
                320 * (13 - u) / (np.exp((13 - u) / 4) - 1),
                280 * (u - 40) / (np.exp((u - 40) / 5) - 1),
            ),
            "h": (128 * np.exp((17 - u) / 18), 4000 / (1 + np.exp((40 - u) / 5))),
            "n": (
                32 * (15 - u) / (np.exp((15 - u) / 5) - 1),
                500 * np.exp((10 - u) / 40),
            ),
        }


def hodgkin_huxley(y: np.ndarray, x: float) -> np.ndarray:
    v, m, h, n = y
    ions = 20e-6 * m**3 * h * (50e-3 - v) + 6e-6 * n**4 * (-90e-3 - v)
    rates = published_rates(v)
    gates = [opening * (1 - g) - closing * g for g, (opening, closing) in zip((m, h, n), rates.values(), strict=True)]
    return np.array([(10e-9 * (-60e-3 - v) + ions + x) / 200e-12, *gates])


@pytest.fixture(scope="module")
def action_potentials():
    """The published equations by a plain Runge-Kutta of 2 microseconds: (times, states), 60 ms under 0.5 nA."""
    start = [-60e-3]
    for opening, closing in published_rates(np.float64(-60e-3)).values():
        start.append(opening / (opening + closing))
    y, h, states = np.array(start), 2e-6, []
    for _ in range(30_000):
        a = hodgkin_huxley(y, 0.5e-9)
        b = hodgkin_huxley(y + h / 2 * a, 0.5e-9)
        c = hodgkin_huxley(y + h / 2 * b, 0.5e-9)
        d = hodgkin_huxley(y + h * c, 0.5e-9)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
        states.append(y)
    return h * np.arange(1, 30_001), np.array(states)


@pytest.mark.parametrize(("method", "dt", "late"), [("runge_kutta_4", 20e-6, 1e-6), ("exponential_euler", 20e-6, 3e-3)])
def test_hodgkin_huxley_is_the_published_one(action_potentials, method, dt, late):
    times, states = action_potentials
    above = states[:, 0] > -20e-3
    crossings = times[1:][above[1:] & ~above[:-1]]
    assert len(crossings) > 2
    trace = traced(nn.HodgkinHuxley(dt=dt, method=method, backend="numba"), [0.5e-9] * round(60e-3 / dt))
    found = dt * (1 + np.flatnonzero(trace["spike"]))
    # once in an action potential, though it stays above the threshold for many steps
    assert len(found) == len(crossings)
    assert (trace["v"] > -20e-3).sum() > 5 * len(found)
    assert np.abs(found - crossings).max() <= dt + late
    if method == "runge_kutta_4":
        every = round(dt / 2e-6)
        # a hundred millivolts up in a fifth of a millisecond: a microsecond's shift is half a millivolt there
        np.testing.assert_allclose(trace["v"], states[every - 1 :: every, 0], rtol=0, atol=0.2e-3)


def test_hodgkin_huxley_rests_where_its_gates_stand_still():
    x = torch.zeros(1, 1, dtype=torch.float64)
    state = nn.HodgkinHuxley().initial_state(x)
    for gate, (opening, closing) in published_rates(np.float64(-60e-3)).items():
        assert state[gate].item() == pytest.approx(opening / (opening + closing), rel=1e-12)


@pytest.mark.parametrize("singular", [-50e-3, -23e-3, -48e-3])
def test_hodgkin_huxley_where_the_published_rates_are_zero_by_zero(singular):
    # in millivolts, so that the rates' arguments are zero to the last digit
    millivolts = {"v_shift": -63.0, "v_leak": -60.0, "v_sodium": 50.0, "v_potassium": -90.0, "v_threshold": 1000.0}
    layer = nn.HodgkinHuxley(dt=1e-5, method="runge_kutta_4", backend="reference", voltage_unit=1.0, **millivolts)
    v = torch.tensor([singular * 1e3], dtype=torch.float64, requires_grad=True)
    assert v.item() == round(singular * 1e3)
    x = torch.zeros(2, 1, dtype=torch.float64)
    state = {name: value.detach() for name, value in layer.initial_state(x).items()}

    def after(potential):
        _, final = layer(x, {**state, "v": potential})
        return torch.stack([final[name] for name in ("v", "m", "h", "n")])

    at, beside = after(v), after(v.detach() + 1e-9)
    assert at.isfinite().all()
    torch.testing.assert_close(at.detach(), beside.detach(), rtol=1e-7, atol=1e-7)
    (gradient,) = torch.autograd.grad(at.sum(), v)
    step = 1e-4
    numeric = (after(v.detach() + step).sum() - after(v.detach() - step).sum()) / (2 * step)
    assert gradient.item() == pytest.approx(numeric.item(), rel=1e-5)


def test_hodgkin_huxley_stays_finite_a_volt_away():
    """In single precision, at the step of the published benchmark, where explicit methods would blow up."""
    layer = nn.HodgkinHuxley(dt=0.1e-3, backend="reference")
    x = torch.tensor([-1e-8, -1e-9, 1e-8, 1e-6]).expand(200, 1, 4).clone().requires_grad_()
    out, state = layer(x)
    (out.sum() + sum(value.sum() for value in state.values())).backward()
    assert all(value.isfinite().all() for value in (out, x.grad, *state.values()))


def test_a_refractory_time_counts_crossings_and_holds_nothing():
    """The membrane has its own way down, so the refractory time keeps spikes away and leaves the membrane alone."""
    x = [0.5e-9] * 3000
    free = traced(nn.HodgkinHuxley(dt=20e-6, backend="reference"), x)
    calm = traced(nn.HodgkinHuxley(dt=20e-6, refractory=30e-3, backend="reference"), x)
    np.testing.assert_array_equal(free["v"], calm["v"])
    assert free["spike"].sum() > calm["spike"].sum() > 0


def test_only_what_crosses_upwards_spikes_once():
    (spec,) = (s for s in map(lambda n: registry.load("neurons", n), registry.names("neurons")) if s.upward_crossing)
    assert spec is HodgkinHuxley
    assert "and was not, one step before" in spec.describe()
    assert "gate_before_" in dict(build_step(StepOptions("hodgkin_huxley")).lines)
    assert "gate_before_" not in dict(build_step(StepOptions("lif_membrane")).lines)
    # a membrane that starts above has not crossed
    layer = nn.HodgkinHuxley(dt=20e-6, backend="reference")
    assert traced(layer, [0.0] * 10, v=0.0)["spike"].sum() == 0
    assert LIFMembrane.resets == {"value": "v_reset", "subtract": "v - (v_threshold - v_reset)"}
