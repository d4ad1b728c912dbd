"""The methods with stages, line by line: against plain arithmetic, on the upstroke, while held, and what they cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
import torch

from spikelab import nn, registry
from spikelab.kernels.emit import Printer
from spikelab.neurons import IF, LIF, AdEx, NeuronSpec, Parameter, State, with_receptors
from spikelab.neurons.functions import linoid
from spikelab.neurons.step import StepOptions, build_step, neuron_name

DT = 1e-4


def run(layer: nn.Neuron, x: list[float], **start: float) -> dict[str, np.ndarray]:
    state = {name: torch.tensor([value], dtype=torch.float64) for name, value in start.items()}
    if "refractory_left" in layer.step.states:
        state.setdefault("refractory_left", torch.zeros(1, dtype=torch.float64))
    with torch.no_grad():
        trace = layer.trace(torch.tensor(x, dtype=torch.float64)[:, None], state)
    return {name: value[:, 0].numpy() for name, value in trace.items()}


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_half_steps_are_those_of_izhikevichs_network_script(backend):
    """One step of 1 ms: v, v, u, as printed in Izhikevich 2003, with the reset at the end of the step."""
    x = (10 * np.random.default_rng(0).random(400)).tolist()
    v, u, expected = -65.0, -13.0, []
    for current in x:
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u += 0.02 * (0.2 * v - u)
        fired = v > 30
        if fired:
            v, u = -65.0, u + 8
        expected.append((fired, v, u))
    trace = run(nn.Izhikevich(dt=1e-3, method="half_step_euler", backend=backend), x, v=-65.0, u=-13.0)
    fired, v, u = map(np.array, zip(*expected, strict=True))
    assert fired.sum() > 3
    np.testing.assert_array_equal(trace["spike"], fired)
    np.testing.assert_allclose(trace["v"], v, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(trace["u"], u, rtol=1e-9, atol=1e-9)


def plain_runge_kutta(rate, y, h):
    a = rate(y)
    b = rate(y + h / 2 * a)
    c = rate(y + h / 2 * b)
    d = rate(y + h * c)
    return y + h / 6 * (a + 2 * b + 2 * c + d)


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_runge_kutta_is_the_classical_one(backend):
    def rate(y):
        v, w = y
        upstroke = 30e-9 * 2e-3 * math.exp((v + 50.4e-3) / 2e-3)
        return np.array(
            [(-30e-9 * (v + 70.6e-3) + upstroke - w + 0.5e-9) / 281e-12, (4e-9 * (v + 70.6e-3) - w) / 0.144]
        )

    trace = run(nn.AdEx(dt=DT, method="runge_kutta_4", backend=backend), [0.5e-9] * 100, v=-70.6e-3, w=0.0)
    y = np.array([-70.6e-3, 0.0])
    for k in range(100):
        y = plain_runge_kutta(rate, y, DT)
        assert [trace["v"][k], trace["w"][k]] == pytest.approx(y.tolist(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dt", [0.1e-3, 1e-3])
def test_an_exponential_upstroke_ends_in_a_spike_and_not_in_nan(dtype, dt):
    """A trial value far beyond the threshold would overflow; the adaptation current must not see one either."""
    layer = nn.AdEx(dt=dt, method="runge_kutta_4")
    steps = round(0.5 / dt)
    x = torch.linspace(0.7e-9, 3e-9, 64, dtype=dtype).expand(steps, 1, 64)
    with torch.no_grad():
        trace = layer.trace(x)
    assert all(value.isfinite().all() for value in trace.values())
    assert (trace["spike"].sum(0) > 3).all()
    # the jump of a spike, and no current that only a potential beyond the peak could drive
    most = 80.5e-12 + dt / 0.144 * 4e-9 * 0.1
    assert (trace["w"].diff(dim=0) <= 1.01 * most).all()


def test_what_is_held_does_not_move_within_the_step():
    """While refractory the adaptation current relaxes towards a membrane that stands still, whatever the input."""
    layer = nn.AdEx(dt=DT, method="runge_kutta_4", refractory=5e-3)
    trace = run(layer, [5e-9] * 40, v=-60e-3, w=1e-10, refractory_left=40.0)
    np.testing.assert_array_equal(trace["v"], -60e-3)
    t = DT * np.arange(1, 41)
    steady = 4e-9 * (70.6e-3 - 60e-3)
    np.testing.assert_allclose(trace["w"], steady + (1e-10 - steady) * np.exp(-t / 0.144), rtol=1e-12)


def operations(spec: NeuronSpec, method: str) -> tuple[int, int]:
    """(all operations, calls of functions) of a step's forward lines."""
    lines = build_step(StepOptions(neuron_name(spec), method=method)).lines
    calls = sum(len([n for n in sp.preorder_traversal(v) if isinstance(n, sp.exp | sp.tanh)]) for _, v in lines)
    return sum(int(sp.count_ops(value)) for _, value in lines), calls


def test_four_stages_cost_four_slopes():
    """And no more: what stages have in common is not worked out for each term again."""
    assert operations(AdEx, "runge_kutta_4")[1] == 4 * operations(AdEx, "euler")[1] == 4
    for spec in (LIF, AdEx, with_receptors(LIF, {"e": registry.load("receptors", "exponential_conductance")})):
        euler, four = operations(spec, "euler")[0], operations(spec, "runge_kutta_4")[0]
        assert four < 4 * euler + 20 * len(spec.states), spec.name


def gated(rate: str) -> NeuronSpec:
    return NeuronSpec(
        name="gated",
        title="Membrane with a gate",
        states=(
            State("v", "1", "(3 * m - v + x) / tau", "membrane"),
            State("m", "1", f"({rate}) * (1 - m) / tau - {rate} * m / (2 * tau)", "gate"),
        ),
        parameters=(Parameter("tau", 1e-2, "s", "time constant", positive=True),),
        source="this test",
        input_unit="1",
    )


@pytest.mark.parametrize("method", ["euler", "semi_implicit_euler", "exponential_euler", "runge_kutta_4"])
def test_a_function_that_occurs_in_several_terms_is_called_once(method):
    stages = 4 if method == "runge_kutta_4" else 1
    # the exponential step takes one more function, for the gate's own rate
    assert operations(gated("exp(v / 4)"), method)[1] == stages * 1 + (method == "exponential_euler")
    assert operations(gated("linoid(v / 4)"), method)[1] == stages * 1 + (method == "exponential_euler")


def test_exponential_euler_solves_a_rate_that_depends_on_other_states():
    """Exact for the gate while what it depends on stands still: no matter how long the step."""
    for dt in (1e-3, 50e-3):
        layer = nn.Neuron(gated("exp(v / 4)"), dt=dt, method="exponential_euler", backend="reference")
        trace = run(layer, [0.0], v=2.0, m=0.9)
        rate = math.exp(0.5) * 1.5 / 1e-2
        assert trace["m"][0] == pytest.approx(2 / 3 + (0.9 - 2 / 3) * math.exp(-rate * dt), rel=1e-12)


POINTS = [
    0.0,
    1e-300,
    -1e-300,
    1e-12,
    -1e-9,
    1e-3,
    0.04999,
    0.0500001,
    -0.05,
    0.3,
    -2.0,
    30.0,
    -30.0,
    800.0,
    -800.0,
    1e6,
]


def linoid_printed(slope: bool):
    x = sp.Symbol("x", real=True)
    code = Printer()(sp.diff(linoid(x), x) if slope else linoid(x))
    return lambda value: eval(code, {"exp": math.exp, "x": value})


@pytest.mark.parametrize("x", POINTS)
def test_linoid_and_its_slope_have_all_digits_everywhere(x):
    true, slope = 1.0, 0.5
    if abs(x) > 1e-200:
        exact = sp.Rational(x)
        e = sp.exp(-exact)
        true = float((exact / (1 - e)).evalf(60, maxn=10_000))
        slope = float((1 / (1 - e) - exact * e / (1 - e) ** 2).evalf(60, maxn=10_000))
    assert linoid_printed(False)(x) == pytest.approx(true, rel=1e-14, abs=1e-300)
    assert linoid_printed(True)(x) == pytest.approx(slope, rel=1e-12, abs=1e-300)
    symbol = sp.Symbol("x", real=True)
    assert float(sp.lambdify(symbol, linoid(symbol))(x)) == pytest.approx(true, rel=1e-12, abs=1e-300)


def test_linoid_of_a_number_is_worked_out():
    assert linoid(sp.S.Zero) == 1
    assert float(linoid(sp.Integer(2))) == pytest.approx(2 / (1 - math.exp(-2)))
    assert sp.latex(linoid(sp.Symbol("v") / 4)) == r"\operatorname{linoid}\left(\frac{v}{4}\right)"


@pytest.mark.parametrize("method", ["euler", "half_step_euler", "exponential_euler", "runge_kutta_4"])
@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_gradients_pass_through_the_singularity(method, backend):
    """At v = 0 exactly, where 0 / 0 would stand: against finite differences."""
    layer = nn.Neuron(gated("linoid(v / 4)"), dt=1e-3, method=method, backend=backend)

    def last(x, v, m):
        _, state = layer(x, {"v": v, "m": m})
        return state["v"], state["m"]

    x = torch.zeros(3, 1, dtype=torch.float64, requires_grad=True)
    v = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    m = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(last, (x, v, m), eps=1e-6, atol=1e-9, rtol=1e-5)


def test_without_anything_to_integrate_in_stages_the_methods_agree():
    x = np.random.default_rng(1).random(20).tolist()
    traces = [
        run(nn.Neuron(IF, dt=DT, method=m, backend="reference"), x, v=0.0)["v"] for m in ("euler", "runge_kutta_4")
    ]
    np.testing.assert_allclose(traces[1], traces[0], rtol=1e-12)
