"""The declared order of every discretisation, measured on the equations below threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import sympy as sp
import torch

from spikelab import nn, registry
from spikelab.neurons.discretise import INPUTS, METHODS, CannotDiscretise, discretise
from spikelab.neurons.spec import INPUT, NeuronSpec

LONGEST = 20e-3


def without_threshold(name: str) -> NeuronSpec:
    """The same equations as a readout: what is integrated, with nothing that resets it."""
    spec = registry.load("neurons", name)
    return replace(spec, name=f"{spec.name}_subthreshold", gate=None, resets={}, nir=None)


def rates(spec: NeuronSpec, parameters: dict[str, float]) -> list[sp.Expr]:
    values = {spec.symbols[name]: sp.Float(value, 30) for name, value in parameters.items()}
    return [spec.expression(s.derivative, s.name).subs(values) for s in spec.states]


def right_hand_side(spec: NeuronSpec, parameters: dict[str, float]):
    names = [spec.symbols[name] for name in (*spec.state_names, INPUT)]
    function = sp.lambdify(names, rates(spec, parameters), "numpy")
    return lambda y, x: np.array(function(*y, x), dtype=np.longdouble)


def runge_kutta(derivative, start: np.ndarray, x: float, duration: float, steps: int) -> np.ndarray:
    """Fourth order at a step far below every method's, in extended precision."""
    y, h = start.astype(np.longdouble), np.longdouble(duration) / steps
    for _ in range(steps):
        a = derivative(y, x)
        b = derivative(y + h / 2 * a, x)
        c = derivative(y + h / 2 * b, x)
        d = derivative(y + h * c, x)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
    return y


@dataclass(frozen=True)
class Course:
    """From where, with what input, and for how many seconds the equations are followed."""

    start: np.ndarray
    x: float
    duration: float
    fastest: float


def course(spec: NeuronSpec, parameters: dict[str, float]) -> Course:
    """A state off its rest and an input of a size that moves it, found from the equations alone."""
    values = {spec.symbols[name]: value for name, value in parameters.items()}
    resting = np.array([float(sp.sympify(spec.expression(s.initial, s.name)).subs(values)) for s in spec.states])
    derivative = right_hand_side(spec, parameters)
    membrane = spec.state_names.index(spec.membrane)
    size = max(abs(resting[membrane]), 1.0 if spec.states[membrane].unit == "1" else 0.0)
    start = resting.copy()
    start[membrane] += 0.04 * size
    for k, state in enumerate(spec.states):
        if k != membrane and state.unit == "1" and resting[k] == 0:
            start[k] = 0.3
    # twenty of the shortest time constants are enough to see an error grow
    fastest = fastest_rate(derivative, start)
    duration = min(LONGEST, 20 / fastest) if fastest else LONGEST
    # an input that alone would move the membrane, or what drives it, by a tenth of its size
    per_input = np.abs(derivative(resting, 1.0) - derivative(resting, 0.0)).max() * duration
    return Course(start, 0.1 * size / float(per_input), duration, fastest)


def fastest_rate(derivative, start: np.ndarray) -> float:
    """Largest eigenvalue of the equations at the start, per second, by finite differences."""
    step = 1e-6 * np.abs(start).max() * np.eye(len(start))
    columns = [(derivative(start + e, 0.0) - derivative(start - e, 0.0)) / (2 * e.max()) for e in step]
    return float(np.abs(np.linalg.eigvals(np.array(columns, dtype=float))).max())


def layer_at_end(spec, parameters, method, course, steps):
    layer = nn.Neuron(spec, dt=course.duration / steps, method=method, backend="reference", **parameters)
    state = {name: torch.tensor([value]) for name, value in zip(spec.state_names, course.start, strict=True)}
    _, final = layer(torch.full((steps, 1), course.x, dtype=torch.float64), state)
    return np.array([final[name].item() for name in spec.state_names])


def applicable() -> list[tuple[str, str]]:
    found = []
    for name in registry.names("neurons"):
        for method in METHODS:
            try:
                discretise(registry.load("neurons", name), method)
            except CannotDiscretise:
                continue
            found.append((name, method))
    return found


def solves_exactly(spec: NeuronSpec, method: str) -> bool:
    """Whether a first-order method has no error on these equations, by their form."""
    states = [spec.symbols[name] for name in spec.state_names]
    jacobian = sp.Matrix([spec.expression(s.derivative, s.name) for s in spec.states]).jacobian(states)
    if method == "exponential_euler":
        return jacobian.is_diagonal() and not jacobian.free_symbols & set(states)
    return jacobian.is_zero_matrix


@pytest.mark.parametrize(("name", "method"), applicable())
def test_order_is_as_declared(name, method):
    spec = without_threshold(name)
    parameters = {p.name: p.default for p in spec.parameters}
    followed = course(spec, parameters)
    start = followed.start
    truth = runge_kutta(right_hand_side(spec, parameters), start, followed.x, followed.duration, 4000)
    size = np.abs(truth - start) + 1e-3 * np.abs(truth) + 1e-30
    assert np.all(np.abs(truth - start) > 0), "nothing moves, so nothing is measured"
    order = METHODS[method]
    if order is None:
        steps = np.array([7, 20, 100])
    elif order == 1:
        steps = np.array([320, 640, 1280, 2560])
    else:
        # where the fastest state is resolved, and its error still stands out from rounding
        steps = max(2, math.ceil(2 * followed.duration * followed.fastest)) * np.array([4, 8, 16, 32])
    found = [layer_at_end(spec, parameters, method, followed, n) for n in steps]
    errors = np.array([np.abs((value - truth) / size).max() for value in found], dtype=float)
    if order is None or solves_exactly(spec, method):
        assert errors.max() < 1e-11, errors
        return
    slope = np.polyfit(np.log(1 / steps), np.log(errors), 1)[0]
    assert abs(slope - order) < 0.1, f"measured {slope:.3f}, errors {errors}"


def exact_step(matrix: np.ndarray, dt: float) -> np.ndarray:
    """exp(matrix · dt) by its Taylor series in extended precision; the norm is small, so it converges fast."""
    scaled = matrix.astype(np.longdouble) * np.longdouble(dt)
    term = total = np.eye(len(matrix), dtype=np.longdouble)
    for k in range(1, 60):
        term = term @ scaled / k
        total = total + term
    return total


EXACT = [name for name, method in applicable() if method == "exact"]


def time_constants(name: str) -> list[str]:
    return [p.name for p in registry.load("neurons", name).parameters if p.unit == "s"]


SEVERAL = [name for name in EXACT if len(time_constants(name)) > 1]


@pytest.mark.parametrize(
    ("name", "spread"),
    [(name, None) for name in EXACT] + [(n, s) for n in SEVERAL for s in (0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3)],
)
@pytest.mark.parametrize("input_form", INPUTS)
def test_exact_is_exact_whatever_the_time_constants(name, input_form, spread):
    """Also where two of them are equal, or differ in the last digits only, against an independent solution."""
    spec = without_threshold(name)
    parameters = {p.name: p.default for p in spec.parameters}
    if spread is not None:
        parameters.update({c: 20e-3 * (1 + k * spread) for k, c in enumerate(time_constants(name))})
    parameters = {k: (0.3 if k == "v_leak" else v) for k, v in parameters.items()}
    states = [spec.symbols[n] for n in (*spec.state_names, INPUT)]
    right = sp.Matrix(rates(spec, parameters))
    linear = np.array(right.jacobian(states), dtype=np.longdouble)
    constant = np.array(right.subs(dict.fromkeys(states, 0)), dtype=np.longdouble).reshape(-1, 1)
    n = len(spec.states)
    # states, the held input and the constant one as one linear system
    full = np.zeros((n + 2, n + 2), dtype=np.longdouble)
    full[:n] = np.concatenate([linear, constant], 1)
    random = np.random.default_rng(2)
    dt, x = 1e-3, random.normal(size=50) * (1.0 if input_form == "current" else 1e-3)
    step = exact_step(full, dt)
    y = random.normal(size=n).astype(np.longdouble)
    start, expected = y.copy(), []
    for x_t in x:
        held = x_t if input_form == "current" else 0.0
        y = (step @ np.concatenate([y, [held, 1.0]]))[:n]
        if input_form == "impulse":
            y = y + linear[:, n] * x_t
        expected.append(y)
    layer = nn.Neuron(spec, dt=dt, method="exact", input_form=input_form, backend="reference", **parameters)
    state = {k: torch.tensor([float(v)], dtype=torch.float64) for k, v in zip(spec.state_names, start, strict=True)}
    trace = layer.trace(torch.as_tensor(x)[:, None], state)
    for k, state_name in enumerate(spec.state_names):
        true = np.array([y[k] for y in expected], dtype=float)
        np.testing.assert_allclose(trace[state_name][:, 0].numpy(), true, rtol=1e-12, atol=1e-13 * np.abs(true).max())


@pytest.mark.parametrize("name", SEVERAL)
def test_gradients_of_equal_time_constants_are_those_nearby(name):
    """The divided difference has a removable singularity; its derivative must not jump there."""
    spec = without_threshold(name)
    constants = time_constants(name)
    x = torch.linspace(0, 1, 30, dtype=torch.float64)[:, None]
    found = []
    for spread in (0.0, 1e-7):
        parameters = {c: torch.tensor(20e-3 * (1 + k * spread)) for k, c in enumerate(constants)}
        layer = nn.Neuron(spec, method="exact", learnable=constants, backend="reference", **parameters).double()
        out, _ = layer(x)
        found.append(torch.stack(torch.autograd.grad(out.square().sum(), list(layer.parameters()))))
    assert found[0].isfinite().all()
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=0)


def test_exact_refuses_what_it_cannot_solve():
    with pytest.raises(CannotDiscretise, match=r"izhikevich.*v\*\*2.*not linear.*runge_kutta_4.*exponential_euler"):
        nn.Izhikevich(method="exact")
    with pytest.raises(ValueError, match="unknown method 'magic'; known are exact"):
        nn.LIF(method="magic")
    with pytest.raises(ValueError, match="unknown input form 'spikes'; known are current, impulse"):
        nn.LIF(input_form="spikes")
