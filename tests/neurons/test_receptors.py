"""Receptors: composed equations against closed forms, arrivals in their order, and the errors around them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spikelab import nn, registry
from spikelab.kernels import coefficients
from spikelab.kernels.emit import Printer
from spikelab.neurons import LIF, AdaptiveLIF, AdEx, CubaLIF, Izhikevich, NeuronSpec, Parameter, State
from spikelab.neurons.receptor import ReceptorModel, with_receptors
from spikelab.neurons.spec import Receptor
from spikelab.neurons.step import Step, StepOptions, build_step, neuron_name

DT = 1e-4
MODELS = {name: registry.load("receptors", name) for name in registry.names("receptors")}
EXPONENTIAL, ALPHA, DELTA = MODELS["exponential_current"], MODELS["alpha_current"], MODELS["delta"]
CONDUCTANCE, ALPHA_CONDUCTANCE = MODELS["exponential_conductance"], MODELS["alpha_conductance"]


class Stepper:
    """Runs a step's lines as plain Python, one neuron, arrivals included."""

    def __init__(self, spec: NeuronSpec, dt: float = DT, refractory: float = 0.0, **choices):
        parameters = {k: choices.pop(k) for k in list(choices) if k in spec.parameter_names}
        options = StepOptions(neuron_name(spec), refractory=refractory > 0, arrivals=True, **choices)
        self.step: Step = build_step(options)
        tensors = {
            p.name: torch.tensor(parameters.get(p.name, p.default), dtype=torch.float64) for p in spec.parameters
        }
        found = coefficients.coefficients(self.step, tensors, dt, refractory)
        self.constants = {name: float(value) for name, value in found.items()}
        start = coefficients.initial_state(self.step, tensors, torch.Size([1]), torch.zeros(1, dtype=torch.float64))
        self.state = {name: float(value) for name, value in zip(self.step.states, start, strict=True)}
        printer = Printer()
        self.code = [(name, compile(printer(value), f"<{name}>", "eval")) for name, value in self.step.lines]

    def __call__(self, x: float = 0.0, **arrivals: float) -> float:
        """One step; returns its output."""
        space = {**self.constants, **self.state, "x": x, "exp": math.exp, "tanh": math.tanh}
        space |= {name: arrivals.pop(name[len("arrival_") : -1], 0.0) for name in self.step.arrivals}
        assert not arrivals, f"no such receptor: {arrivals}"
        for name, code in self.code:
            space[name] = eval(code, space)
        self.state = {name: space[self.step.next_states[name]] for name in self.step.states}
        return space[self.step.outputs[0]]


def alpha_shape(t, tau):
    return math.e * t / tau * np.exp(-t / tau)


def test_an_exponential_current_jumps_and_decays():
    run = Stepper(with_receptors(LIF, {"fast": EXPONENTIAL}), tau_syn_fast=3e-3)
    run(fast=2.0)
    for k in range(200):
        assert run.state["i_fast"] == pytest.approx(2.0 * math.exp(-k * DT / 3e-3), rel=1e-12)
        run()


@pytest.mark.parametrize(("model", "state"), [(ALPHA, "i_slow"), (ALPHA_CONDUCTANCE, "g_slow")])
def test_an_alpha_shape_peaks_at_tau_syn_with_the_weight(model, state):
    run = Stepper(with_receptors(LIF, {"slow": model}), tau_syn_slow=50 * DT)
    exact = model is ALPHA
    run(slow=0.7)
    trace = []
    for k in range(400):
        trace.append(run.state[state])
        if exact:
            assert trace[-1] == pytest.approx(0.7 * alpha_shape(k * DT, 50 * DT), rel=1e-12, abs=1e-15)
        run()
    assert np.argmax(trace) == 50
    assert max(trace) == pytest.approx(0.7, rel=1e-12 if exact else 1e-6)


def response(kind: str, t: np.ndarray, tau_mem: float, tau_syn: float) -> np.ndarray:
    """Membrane of a leaky integrator of resistance 1 after one spike of weight 1, worked out by hand."""
    rate = 1 / tau_mem - 1 / tau_syn
    if kind == "exponential_current":
        shape = (np.exp(-t / tau_syn) - np.exp(-t / tau_mem)) / rate / tau_mem
    else:
        grown = (t / rate - 1 / rate**2) * np.exp(-t / tau_syn) + np.exp(-t / tau_mem) / rate**2
        shape = math.e / tau_syn / tau_mem * grown
    return np.where(t > 0, shape, 0.0)


@pytest.mark.parametrize("kind", ["exponential_current", "alpha_current"])
def test_exact_over_many_steps(kind):
    """Thousands of steps and many spikes, against the sum of the single responses."""
    spec = with_receptors(replace(LIF, gate=None, resets={}), {"fast": MODELS[kind], "slow": MODELS[kind]})
    assert spec.default_method == "exact"
    taus = {"fast": 2e-3, "slow": 7e-3}
    run = Stepper(spec, tau_mem=20e-3, v_leak=0.3, **{f"tau_syn_{k}": tau for k, tau in taus.items()})
    random = np.random.default_rng(0)
    steps = 5000
    weights = {k: random.normal(size=steps) * (random.random(steps) < 0.02) for k in taus}
    trace = []
    for k in range(steps):
        run(x=0.5, **{name: weights[name][k] for name in taus})
        trace.append(run.state["v"])
    # what is delivered at the end of step k acts from then on
    t = (np.arange(steps)[:, None] - np.arange(steps)[None, :]) * DT
    expected = 0.3 + 0.5 * (1 - np.exp(-(np.arange(steps) + 1) * DT / 20e-3))
    for name, tau in taus.items():
        sent = np.flatnonzero(weights[name])
        assert len(sent) > 50
        expected = expected + response(kind, t[:, sent], 20e-3, tau) @ weights[name][sent]
    np.testing.assert_allclose(trace, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def test_a_delta_receptor_moves_the_membrane_by_the_weight_before_the_threshold_test():
    run = Stepper(with_receptors(LIF, {"push": DELTA}))
    assert run(push=0.999) == 0
    assert run.state["v"] == 0.999
    v = 0.999 * math.exp(-DT / 20e-3)
    # just over the threshold within this very step
    assert run(push=1.0 - v + 1e-9) == 1
    assert run.state["v"] == 0


def test_arrivals_add_up_and_act_on_the_next_step():
    spec = with_receptors(LIF, {"a": EXPONENTIAL, "b": DELTA, "c": DELTA})
    run = Stepper(spec)
    assert run.step.arrivals == ("arrival_a_", "arrival_b_", "arrival_c_")
    run(a=3.0, b=0.25, c=0.5)
    # the current has not moved the membrane yet, the two deltas have
    assert run.state == {"v": 0.75, "i_a": 3.0}
    run()
    assert run.state["v"] > 0.75 * math.exp(-DT / 20e-3)


def test_while_refractory_a_delta_is_dropped_and_a_current_is_not():
    spec = with_receptors(LIF, {"fast": EXPONENTIAL, "push": DELTA})
    run = Stepper(spec, refractory=3 * DT)
    assert run(push=2.0) == 1
    assert run.state["refractory_left"] == 2
    for left in (1, 0):
        assert run(push=0.5, fast=1.0) == 0
        assert run.state["v"] == 0
        assert run.state["refractory_left"] == left
    assert run.state["i_fast"] == pytest.approx(1 + math.exp(-DT / 5e-3), rel=1e-12)
    run(push=0.5)
    assert run.state["v"] > 0.5


@pytest.mark.parametrize("method", ["euler", "semi_implicit_euler", "exponential_euler"])
@pytest.mark.parametrize("neuron", [AdaptiveLIF, Izhikevich, CubaLIF])
def test_no_state_sees_an_arrival_within_its_own_step(neuron, method):
    """Also where states are updated in order."""
    spec = with_receptors(neuron, {"push": DELTA, "fast": EXPONENTIAL})
    with_spike, without = Stepper(spec, method=method), Stepper(spec, method=method)
    with_spike(x=0.1, push=0.25, fast=2.0)
    without(x=0.1)
    moved = {name: with_spike.state[name] - without.state[name] for name in spec.state_names}
    expected = {**dict.fromkeys(spec.state_names, 0.0), "v": 0.25, "i_fast": 2.0}
    assert moved == pytest.approx(expected, abs=1e-12)


def rhs_conductance(y, parameters):
    v, g_e, g_i = y
    current = g_e * (parameters["reversal_e"] - v) + g_i * (parameters["reversal_i"] - v)
    return np.array(
        [
            (-v + current) / parameters["tau_mem"],
            -g_e / parameters["tau_syn_e"],
            -g_i / parameters["tau_syn_i"],
        ],
        dtype=np.longdouble,
    )


def test_conductances_against_fine_integration():
    spec = with_receptors(replace(LIF, gate=None, resets={}), {"e": CONDUCTANCE, "i": CONDUCTANCE})
    parameters = {"tau_mem": 20e-3, "reversal_e": 4.0, "reversal_i": -0.5, "tau_syn_e": 5e-3, "tau_syn_i": 10e-3}
    random = np.random.default_rng(1)
    steps, fine = 1000, 20
    sent = {k: 0.3 * random.random(steps) * (random.random(steps) < 0.05) for k in "ei"}
    y, truth = np.zeros(3, dtype=np.longdouble), []
    h = np.longdouble(DT) / fine
    for k in range(steps):
        for _ in range(fine):
            a = rhs_conductance(y, parameters)
            b = rhs_conductance(y + h / 2 * a, parameters)
            c = rhs_conductance(y + h / 2 * b, parameters)
            d = rhs_conductance(y + h * c, parameters)
            y = y + h / 6 * (a + 2 * b + 2 * c + d)
        y = y + np.array([0, sent["e"][k], sent["i"][k]])
        truth.append(float(y[0]))
    assert np.ptp(truth) > 0.2
    for method, first, order in (("runge_kutta_4", 1e-9, 4), ("exponential_euler", 1e-2, 1), ("euler", 1e-2, 1)):
        errors = []
        for times in (1, 2, 4):
            run = Stepper(spec, dt=DT / times, method=method, **parameters)
            trace = []
            for k in range(steps):
                for _ in range(times - 1):
                    run()
                run(e=sent["e"][k], i=sent["i"][k])
                trace.append(run.state["v"])
            errors.append(np.abs(np.array(trace) - truth).max() / np.ptp(truth))
        assert errors[0] < first, method
        assert math.log2(errors[0] / errors[2]) / 2 == pytest.approx(order, abs=0.1), method


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("neuron", registry.names("neurons"))
def test_every_model_on_every_neuron_runs_as_a_layer(name, neuron):
    """Where its units fit; a layer sends no arrivals, so it must behave as without receptors."""
    spec = registry.load("neurons", neuron)
    receptors = {"first": MODELS[name], "second": MODELS[name]}
    membrane = next(s.unit for s in spec.states if s.name == spec.membrane)
    if "conductance" in MODELS[name].units and (spec.input_unit, membrane) not in {("A", "V"), ("1", "1")}:
        with pytest.raises(ValueError, match="conductance, which needs a membrane in V and an input in A"):
            with_receptors(spec, receptors)
        return
    composed = with_receptors(spec, receptors)
    x = 3 * torch.rand(20, 1, 4, dtype=torch.float64) * (1e-9 if spec.input_unit == "A" else 1)
    layer = nn.Neuron(composed, backend="reference")
    out, state = layer(x)
    true, true_state = nn.Neuron(spec, method=layer.options.method, backend="reference")(x)
    torch.testing.assert_close(out, true, rtol=1e-12, atol=1e-14)
    for key, value in true_state.items():
        torch.testing.assert_close(state[key], value, rtol=1e-12, atol=1e-14)
    assert f"first: a spike of weight 1 {composed.receptors[0].unit} raises" in composed.describe()
    assert composed.latex().count("&=") == len(composed.states)
    assert composed.nir is None


def test_composition_is_what_is_declared():
    spec = with_receptors(AdEx, {"excitatory": EXPONENTIAL, "inhibitory": ALPHA_CONDUCTANCE})
    assert spec.name == "adex_with_excitatory_inhibitory"
    assert spec.receptors == (
        Receptor("excitatory", "i_excitatory", "1", "A"),
        Receptor("inhibitory", "rise_inhibitory", "exp(1)", "S"),
    )
    assert spec.state_names == ("v", "w", "i_excitatory", "g_inhibitory", "rise_inhibitory")
    assert spec.parameter("reversal_inhibitory").unit == "V"
    assert spec.parameter("tau_syn_excitatory").default == EXPONENTIAL.parameters[0].default
    assert "(x + i_excitatory + g_inhibitory * (reversal_inhibitory - v))" in spec.states[0].derivative
    # the exponential's name holds an x that is no input
    assert "exp((v - v_threshold) / slope_factor)" in spec.states[0].derivative
    assert with_receptors(AdEx, {}) is AdEx
    # one after the other is the same as both at once, but for the order of the sum
    twice = with_receptors(with_receptors(AdEx, {"excitatory": EXPONENTIAL}), {"inhibitory": ALPHA_CONDUCTANCE})
    assert twice.receptors == spec.receptors
    assert (twice.name, twice.state_names) == (spec.name, spec.state_names)


def test_the_default_method_is_one_that_applies():
    assert with_receptors(LIF, {"e": EXPONENTIAL, "i": ALPHA, "d": DELTA}).default_method == "exact"
    assert with_receptors(LIF, {"e": EXPONENTIAL, "i": CONDUCTANCE}).default_method == "runge_kutta_4"
    for neuron in (AdEx, Izhikevich):
        assert with_receptors(neuron, {"e": CONDUCTANCE}).default_method == neuron.default_method


def test_names_that_cannot_be_used():
    for bad in ("", "1st", "a_", "_a", "a b", "x", "dt", "lambda", "refractory"):
        with pytest.raises(ValueError, match=f"lif: '{bad}' cannot name a receptor"):
            with_receptors(LIF, {bad: DELTA})
    with pytest.raises(ValueError, match="lif: the receptor 'current' is built in"):
        with_receptors(LIF, {"current": DELTA})
    once = with_receptors(LIF, {"e": DELTA})
    with pytest.raises(ValueError, match="lif_with_e has a receptor 'e' already"):
        with_receptors(once, {"e": EXPONENTIAL})
    own = replace(
        LIF, name="own", nir=None, parameters=(*LIF.parameters, Parameter("tau_syn_e", 1e-3, "s", "of its own"))
    )
    with pytest.raises(ValueError, match=r"own: receptor 'e' .* would declare tau_syn_e a second time"):
        with_receptors(own, {"e": EXPONENTIAL})


def test_units_that_do_not_fit():
    volts = replace(AdEx, name="volts", input_unit="1", states=AdEx.states)
    with pytest.raises(
        ValueError,
        match=r"volts: receptor 'e' \(Exponential conductance receptor\) .* membrane v is in 'V' and the inp",
    ):
        with_receptors(volts, {"e": CONDUCTANCE})
    assert with_receptors(volts, {"e": EXPONENTIAL}).receptors[0].unit == "1"
    assert with_receptors(volts, {"e": DELTA}).receptors[0].unit == "V"


def test_a_current_needs_an_input_to_join():
    silent = replace(LIF, name="silent", nir=None, states=(replace(LIF.states[0], derivative="-v / tau_mem"),))
    with pytest.raises(ValueError, match="silent: no equation uses the input 'x'"):
        with_receptors(silent, {"e": EXPONENTIAL})
    assert with_receptors(silent, {"e": DELTA}).receptors[0].state == "v"


def test_a_wrong_model_or_record_says_what_is_wrong():
    def model(**changes):
        declared = {"name": "own", "title": "Own", "arrival": "s", "unit": "input", "source": "this test"}
        declared |= {"states": (State("s", "input", "-s / tau", "trace"),), "current": "s"}
        declared["parameters"] = (Parameter("tau", 1e-3, "s", "time constant", positive=True),)
        return ReceptorModel(**{**declared, **changes})

    assert with_receptors(LIF, {"e": model()}).state_names == ("v", "s_e")
    for changes, message in (
        ({"arrival": "i"}, "receptor own: arrival = 'i' must be 'membrane' or one of its states"),
        ({"current": "s * x"}, "receptor own: current: unknown name 'x'"),
        ({"jump": "s"}, "receptor own: jump: unknown name 's'"),
        ({"states": (State("exp", "1", "0", "s"),), "arrival": "exp"}, "receptor own: 'exp' cannot name a state"),
        ({"states": (State("s", "1", "-s / tua", "s"),)}, "receptor own: ds/dt: unknown name 'tua'"),
        ({"states": (State("tau", "1", "0", "s"),), "arrival": "tau"}, "receptor own: 'tau' cannot name a state"),
    ):
        with pytest.raises(ValueError, match=message):
            model(**changes)
    with pytest.raises(ValueError, match="lif: receptor 'e' raises 'w', which is not one of its states: v"):
        replace(LIF, receptors=(Receptor("e", "w", "1", "1"),))
    with pytest.raises(ValueError, match="lif: jump of receptor e: unknown name 'v'"):
        replace(LIF, receptors=(Receptor("e", "v", "v", "1"),))
    with pytest.raises(ValueError, match="lif: its receptors e, e must have different names"):
        replace(LIF, receptors=(Receptor("e", "v", "1", "1"), Receptor("e", "v", "1", "1")))


def test_options_without_arrivals_have_none():
    spec = with_receptors(LIF, {"e": DELTA})
    options = StepOptions(neuron_name(spec))
    assert build_step(options).arrivals == ()
    assert StepOptions.from_key(replace(options, arrivals=True).key()).arrivals
    # a neuron without receptors takes the option and has nowhere for anything to arrive
    assert build_step(StepOptions("lif", arrivals=True)).lines == build_step(StepOptions("lif")).lines
