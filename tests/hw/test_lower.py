"""Lowering: what the integers do is what the network does, on every profile; what has no integer form is named."""

from __future__ import annotations

import nir
import numpy as np
import pytest
import torch

from spikelab import registry
from spikelab.hw.agreement import both_runs, compare_layers, first_disagreement
from spikelab.hw.calibrate import membranes_reached
from spikelab.hw.integer import simulate
from spikelab.hw.lower import Quantisation, dequantised, lower
from spikelab.hw.lowering.real_graph import LoweringError, real_graph
from spikelab.hw.lowering.retime import CannotRetime, lags
from spikelab.hw.lowering.step_form import CannotLower, step_form
from spikelab.io.nir_write import to_nir
from spikelab.nn import (
    IF,
    LI,
    LIF,
    AdEx,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    CubaLI,
    CubaLIF,
    Delay,
    Dense,
    Flatten,
    MaxPool2d,
    Network,
    SumPool2d,
)

FAST = {"tau_mem": 5e-3, "backend": "reference"}
PER_NEURON = torch.tensor([0.01, 0.02])

LAYERS = {
    "lif": LIF(backend="reference"),
    "lif leak and reset": LIF(v_leak=0.3, v_reset=0.1, backend="reference"),
    "lif impulse": LIF(input_form="impulse", v_threshold=30.0, backend="reference"),
    "lif euler subtract": LIF(method="euler", reset="subtract", backend="reference"),
    "lif leak and subtract": LIF(v_leak=0.2, reset="subtract", backend="reference"),
    "if": IF(backend="reference"),
    "cuba exact": CubaLIF(backend="reference"),
    "cuba semi-implicit": CubaLIF(method="semi_implicit_euler", tau_mem=PER_NEURON, backend="reference"),
    "cuba leak": CubaLIF(method="semi_implicit_euler", v_leak=0.2, backend="reference"),
    "cuba readout": CubaLI(backend="reference"),
    "li": LI(v_leak=-0.1, backend="reference"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_form_read_off_a_layer_makes_its_steps(name):
    layer = LAYERS[name]
    form = step_form(layer)
    x = torch.rand((60, 1, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    trace = layer.trace(x)
    u = v = torch.zeros(2, dtype=torch.float64)
    for t in range(60):
        a = form.gain * x[t, 0]
        u = a if form.keep_syn is None else form.keep_syn * u + a + form.bias_syn
        v = form.keep_mem * v + u + form.direct * a + form.bias
        if form.v_threshold is not None:
            fires = v > form.v_threshold
            assert torch.equal(fires.double(), trace["spike"][t, 0])
            v = torch.where(fires, v - form.v_subtract if form.v_reset is None else form.v_reset.expand(2), v)
        torch.testing.assert_close(v + form.rest, trace["v"][t, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("late", [CubaLIF(method="euler"), CubaLIF(input_form="impulse")])
def test_a_membrane_that_sees_the_old_current_is_a_late_input(late):
    assert step_form(late).late == 1
    assert not step_form(late).direct.any()


def _trained_norm(channels):
    norm = BatchNorm2d(channels)
    with torch.no_grad():
        for tensor, low, high in ((norm.weight, 0.5, 2), (norm.bias, -0.2, 0.2), (norm.running_mean, -0.1, 0.1)):
            tensor.uniform_(low, high)
        norm.running_var.uniform_(0.5, 2)
    return norm


def _networks():
    torch.manual_seed(3)
    loop = [("input", "w"), ("w", "h"), ("h", "d"), ("d", "r"), ("r", "h"), ("h", "o"), ("o", "end"), ("end", "output")]
    return {
        "dense": (
            Network.sequential(Dense(24, 32), LIF(v_threshold=0.1, **FAST), Dense(32, 4), LI(tau_mem=0.01)), (24,),
        ),
        "conv, norm, pool": (
            Network.sequential(
                Conv2d(2, 6, 3, padding=1), _trained_norm(6), LIF(v_threshold=0.2, **FAST), SumPool2d(2),
                Conv2d(6, 5, 3, 2, 1), LIF(v_threshold=0.1, **FAST), Flatten(), Dense(5 * 3 * 3, 4), LI(),
            ),
            (2, 12, 12),
        ),
        "pool after weights": (
            Network.sequential(Conv2d(2, 6, 3, 2, 1), AvgPool2d(3), LIF(v_threshold=0.05, **FAST), Flatten(),
                               Dense(24, 3), Dense(3, 3), LI()),
            (2, 12, 12),
        ),
        "recurrent with delays": (
            Network({"w": Dense(7, 12), "h": LIF(v_threshold=0.1, **FAST), "r": Dense(12, 12, bias=False),
                     "d": Delay(2), "o": Dense(12, 3), "end": LI()}, loop),
            (7,),
        ),
        "a delay for each": (
            Network.sequential(Delay(torch.arange(9) % 4), Dense(9, 20, bias=False), LIF(v_threshold=0.1, **FAST),
                               Dense(20, 3, bias=False), LI()),
            (9,),
        ),
    }  # fmt: skip


NETWORKS = _networks()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("profile", ["generic", "generic16", "loihi", "loihi_netx"])
def test_integers_do_what_the_network_does(name, profile):
    network, shape = NETWORKS[name]
    network.eval()
    x = (torch.rand((50, 8, *shape), generator=torch.Generator().manual_seed(2)) < 0.3).float()
    with torch.no_grad():
        real, _ = network.run(x)
    quantisation = Quantisation(bits=8)
    lowered = lower(network, profile, quantisation, shape)
    run = simulate(lowered.graph, {"input": quantisation.messages(x)}, record=True)
    (output,) = lowered.graph.outputs
    found = dequantised(lowered, output.population, run.states[output.population]["v"])[output.lag :]
    wanted = real[output.population][: 50 - output.lag]
    assert found.shape == wanted.shape
    correlation = torch.corrcoef(torch.stack([found.flatten(), wanted.flatten().double()]))[0, 1]
    assert correlation > 0.98, (name, profile, correlation)
    relative = (found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
    assert relative < 0.2, (name, profile, relative)


def test_more_bits_lose_less():
    network, shape = NETWORKS["dense"]
    x = (torch.rand((50, 16, *shape), generator=torch.Generator().manual_seed(2)) < 0.3).float()
    with torch.no_grad():
        hidden = network.eval().run(x)[0]["1_lif"]
    errors = []
    for bits in (2, 3, 4, 6, 8):
        lowered = lower(network, "generic", Quantisation(bits=bits), shape)
        spikes = simulate(lowered.graph, {"input": lowered.quantisation.messages(x)}).messages["1_lif"]
        errors.append(float((torch.as_tensor(spikes) != hidden).double().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.005


def test_data_tell_how_far_a_readout_reaches():
    torch.manual_seed(6)
    network = Network.sequential(Dense(300, 4), LI(v_leak=0.5, tau_mem=0.05))
    x = (torch.rand((40, 8, 300), generator=torch.Generator().manual_seed(2)) < 0.05).float()
    with torch.no_grad():
        real = network.eval()(x)[0]
    reached = membranes_reached(network, x)
    assert reached == {"1_li": pytest.approx(float((real - 0.5).abs().max()))}
    errors = []
    for membranes in ({}, reached):
        lowered = lower(network, "generic16", Quantisation(8), (300,), membranes=membranes)
        run = simulate(lowered.graph, {"input": lowered.quantisation.messages(x)}, record=True)
        states = run.states["1_li"]["v"]
        assert np.abs(states).max() < 2**15 - 1
        errors.append(float((dequantised(lowered, "1_li", states) - real).abs().max()))
    assert errors[1] < errors[0] / 4


def test_agreement_names_the_first_spike_that_differs():
    network, shape = NETWORKS["dense"]
    x = (torch.rand((50, 8, *shape), generator=torch.Generator().manual_seed(2)) < 0.3).float()
    lowered = lower(network, "loihi", Quantisation(3), shape)
    real, integer = both_runs(lowered, network, x)
    layers = {layer.layer: layer for layer in compare_layers(lowered, real, integer)}
    spikes, differs = layers["1_lif"], real["1_lif"] != integer["1_lif"]
    assert spikes.equal == 1 - float(differs.double().mean())
    assert spikes.rate == pytest.approx(float(real["1_lif"].double().mean()))
    assert 0 <= spikes.newly_dead <= spikes.dead <= 1
    said = first_disagreement(real, integer)
    step = int(differs.flatten(1).any(1).nonzero()[0])
    assert "1_lif" in said
    assert f"step {step}" in said
    assert first_disagreement(real, real) == ""
    flipped = {**integer, "1_lif": torch.zeros_like(integer["1_lif"])}
    quiet = compare_layers(lowered, real, flipped)[0]
    assert quiet.dead == 1
    assert quiet.integer_rate == 0
    assert quiet.rate_distance == pytest.approx(quiet.rate)


def test_two_connections_into_one_population_share_its_unit():
    torch.manual_seed(1)
    network = Network(
        {"a": Dense(6, 8, bias=False), "b": Dense(6, 8, bias=False), "n": LIF(**FAST), "o": Dense(8, 2), "end": LI()},
        [("input", "a"), ("input", "b"), ("a", "n"), ("b", "n"), ("n", "o"), ("o", "end"), ("end", "output")],
    )
    with torch.no_grad():
        network.nodes["b"].weight.mul_(1 / 64)
    for per_neuron in (False, True):
        lowered = lower(network, "generic", Quantisation(per_neuron=per_neuron), (6,))
        for c, name in zip([c for c in lowered.graph.connections if c.target == "n"], "ab", strict=True):
            unit = lowered.units["n"].reshape(-1, 1)
            gain = step_form(network.nodes["n"]).gain
            back = c.weights.weight * 2.0**c.exponent * unit / float(gain)
            true = network.nodes[name].weight.detach().numpy()
            # without an exponent of its own, the small one would be rounded to a few levels
            assert np.abs(back - true).mean() < 0.01 * np.abs(true).max(), (name, per_neuron)


def test_nir_graph_and_network_lower_to_the_same_integers():
    network, shape = NETWORKS["dense"]
    direct = lower(network, "generic", None, shape).graph
    through = lower(to_nir(network.eval(), shape), "generic").graph
    for a, b in zip(direct.connections, through.connections, strict=True):
        # NIR holds float32, so a weight at the border between two levels may fall to the other side
        assert np.abs(a.weights.weight - b.weights.weight).max() <= 1


def test_real_inputs_are_rounded_to_messages():
    quantisation = Quantisation(input_bits=8, input_low=-2.0, input_high=1.0)
    assert quantisation.input_range == (-127, 64)
    assert quantisation.messages(np.array([-2.0, 0.0, 1.0, 9.0])).tolist() == [-127, 0, 64, 64]
    with pytest.raises(ValueError, match="not whole numbers"):
        Quantisation().messages(np.array([0.5]))
    network, shape = NETWORKS["dense"]
    x = torch.rand((30, 4, *shape), generator=torch.Generator().manual_seed(5))
    lowered = lower(network, "generic", Quantisation(input_bits=8), shape)
    run = simulate(lowered.graph, {"input": lowered.quantisation.messages(x)}, record=True)
    with torch.no_grad():
        real = network.eval()(x)[0]
    found = dequantised(lowered, "3_li", run.states["3_li"]["v"])
    assert (found - real).square().mean() < 0.02 * real.square().mean()


def test_everything_that_cannot_be_lowered_is_listed_at_once():
    network = Network.sequential(Dense(7, 3), AdEx(), MaxPool2d(2), LIF(dt=0.1, refractory=0.5), Dense(3, 2))
    with pytest.raises(LoweringError) as error:
        real_graph(network, (7,))
    for part in ("1_adex: an adex has more than", "2_maxpool2d: takes a maximum", "3_lif: has a refractory time",
                 "4_dense: is given out but", r"time steps of [0.001, 0.1] s"):  # fmt: skip
        assert part in str(error.value), part


@pytest.mark.parametrize(
    ("profile", "layer", "message"),
    [
        ("loihi", LIF(reset="subtract"), "n: subtracts its threshold; Loihi resets to the resting potential"),
        ("loihi", LIF(v_reset=-1.0), "n: resets to another value"),
        ("loihi", LIF(tau_mem=torch.tensor([0.01, 0.02])), "n: has membrane time constants that differ"),
        ("speck", LIF(), "n: leaks; Speck's neurons do not"),
        ("speck", IF(reset="value", v_reset=-0.5), "n: resets to another value"),
        ("speck", LI(), "n: is a readout of a membrane; Speck gives out spikes only"),
        ("speck", IF(reset="subtract", v_threshold=PER_NEURON), "n: has thresholds that differ"),
        ("xylo", LIF(reset="subtract"), "n: has no synaptic current"),
        ("xylo", CubaLIF(reset="subtract", v_leak=0.1, method="semi_implicit_euler"), "n: takes off another amount"),
        ("xylo", CubaLIF(method="semi_implicit_euler"), "n: resets to a value; Xylo"),
        ("xylo", LI(), "n: is a readout"),
    ],
)
def test_what_a_chip_has_not_is_refused_by_name(profile, layer, message):
    network = Network({"w": Dense(3, 2), "n": layer}, [("input", "w"), ("w", "n"), ("n", "output")])
    with pytest.raises(LoweringError, match=message.replace("(", r"\(")):
        lower(network, profile, None, (3,))


def test_bits_and_options_out_of_range_are_refused():
    network, shape = NETWORKS["dense"]
    with pytest.raises(LoweringError, match=r"bits = 9: .* weights of 2 to 8 bits"):
        lower(network, "generic", Quantisation(bits=9), shape)
    with pytest.raises(LoweringError, match="per_neuron: Loihi has one threshold"):
        lower(network, "loihi", Quantisation(per_neuron=True), shape)
    with pytest.raises(LoweringError, match="input: messages of -255 to 255, but Speck takes 0 to 1"):
        lower(
            Network.sequential(Dense(3, 2), IF()), "speck", Quantisation(input_bits=9, input_low=-1.0), (3,)
        )  # fmt: skip
    for wrong in ({"scale": "best"}, {"percentile": 0.0}, {"input_bits": 17}, {"input_low": 1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
            Quantisation(**wrong)


def test_a_network_with_another_pool_than_its_windows_fill():
    torch.manual_seed(2)
    network = Network.sequential(Conv2d(1, 2, 3), IF(), SumPool2d(2), Conv2d(2, 2, 3, padding=1), IF())
    x = (torch.rand((20, 3, 1, 9, 9), generator=torch.Generator().manual_seed(0)) < 0.3).float()
    with torch.no_grad():
        real, _ = network.eval().run(x)
    # Loihi cannot pool: the windows become part of a larger kernel, or of a matrix where they leave a border
    lowered = lower(network, "loihi", None, (1, 9, 9))
    assert all(c.pool == (1, 1) for c in lowered.graph.connections)
    run = simulate(lowered.graph, {"input": lowered.quantisation.messages(x)})
    (output,) = lowered.graph.outputs
    agree = (torch.as_tensor(run.messages["4_if"])[output.lag :] == real["4_if"][: 20 - output.lag]).double().mean()
    assert agree > 0.97


def test_a_bias_starts_when_the_population_does():
    torch.manual_seed(4)
    network = Network.sequential(Dense(5, 6), LIF(v_threshold=0.1, **FAST), Dense(6, 4), IF(v_threshold=3.0))
    with torch.no_grad():
        network.nodes["2_dense"].bias.fill_(0.7)
    x = (torch.rand((40, 3, 5), generator=torch.Generator().manual_seed(0)) < 0.3).float()
    with torch.no_grad():
        real = network.eval()(x)[0]
    for profile, noted in (("loihi", False), ("loihi_netx", True)):
        lowered = lower(network, profile, None, (5,))
        assert lowered.lag["3_if"] == 2
        spikes = torch.as_tensor(simulate(lowered.graph, {"input": lowered.quantisation.messages(x)}).messages["3_if"])
        equal = float((spikes[2:] == real[:-2]).double().mean())
        assert (equal < 0.9) == noted, (profile, equal)
        assert any("its bias acts from the first" in note for note in lowered.notes) == noted


def test_what_loihi_computes_otherwise_is_noted_with_its_size():
    layer = CubaLIF(tau_syn=5e-3, tau_mem=20e-3)
    network = Network.sequential(Dense(3, 2, bias=False), layer)
    (note,) = lower(network, "loihi", None, (3,)).notes
    # of an impulse of current, the exact step passes on what is left after decaying within the step
    trace = layer.trace(torch.tensor([[[1.0]], [[0.0]]], dtype=torch.float64))
    form = step_form(layer)
    moved = float(trace["v"][0]) / float(form.gain)
    assert f"moves by {moved:.0%} of what Loihi's does" in note
    assert lower(network, "generic", None, (3,)).notes == []
    semi = Network.sequential(Dense(3, 2, bias=False), CubaLIF(method="semi_implicit_euler"))
    assert lower(semi, "loihi", None, (3,)).notes == []


def test_lags_are_as_small_as_can_be():
    assert lags("ab", ["x"], [("x", "a", 0, 1), ("a", "b", 0, 1), ("x", "b", 0, 1)]) == {"a": 1, "b": 2, "x": 0}
    assert lags("ab", ["x"], [("x", "a", 0, 0), ("a", "b", 0, 0), ("b", "a", 1, 0)]) == {"a": 0, "b": 0, "x": 0}
    assert lags("ab", ["x"], [("x", "a", 0, 1), ("a", "b", 0, 1), ("b", "a", 2, 1)])["b"] == 2
    with pytest.raises(CannotRetime, match=r"the loop .* has fewer steps of delay"):
        lags("ab", ["x"], [("x", "a", 0, 1), ("a", "b", 0, 1), ("b", "a", 1, 1)])


def test_a_nir_graph_without_time_step_is_refused():
    graph = nir.NIRGraph.from_list(nir.Linear(np.eye(2)), nir.IF(np.ones(2), np.ones(2)))
    with pytest.raises(ValueError, match="dt"):
        lower(graph, "generic")
    assert lower(graph, "generic", dt=1e-3).graph.dt == 1e-3


def test_a_state_that_is_emptied_has_no_current():
    with pytest.raises(CannotLower, match="emptied within a step"):
        step_form(CubaLIF(method="euler", dt=1e-3, tau_syn=1e-3))


@pytest.mark.parametrize("name", registry.names("profiles"))
def test_every_profile_says_what_it_is(name):
    profile = registry.load("profiles", name)
    assert profile.name == name
    low, high = profile.bits
    for weights in (np.array([-1.0, 2.0]), np.array([1.0]), np.array([-1.0])):
        for bits in range(low, high + 1):
            grid = profile.grid(weights, bits)
            assert grid.high - grid.low < 2**bits


@pytest.mark.parametrize("profile", ["loihi", "loihi_netx", "generic"])
@pytest.mark.parametrize("layer", [LI(), CubaLI(method="semi_implicit_euler")])
def test_no_current_wraps_even_if_everything_fires_at_once(profile, layer):
    torch.manual_seed(5)
    network = Network.sequential(Dense(800, 6), layer)
    with torch.no_grad():
        network.nodes["0_dense"].weight.uniform_(-0.01, 0.3)
    x = torch.ones((60, 1, 800))
    with torch.no_grad():
        real = network.eval()(x)[0]
    lowered = lower(network, profile, None, (800,))
    (output,) = lowered.graph.outputs
    run = simulate(lowered.graph, {"input": lowered.quantisation.messages(x)}, record=True)
    found = dequantised(lowered, output.population, run.states[output.population]["v"])
    torch.testing.assert_close(found[output.lag :].float(), real[: 60 - output.lag], rtol=0.1, atol=0.5)
