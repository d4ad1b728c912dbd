"""A layer of neurons: state in and out, parameters, checks, copies."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import subprocess
import sys
import textwrap

import pytest
import torch

from spikelab import nn, registry
from spikelab.neurons import NeuronSpec, Parameter, State
from spikelab.neurons.surrogate import Surrogate
from spikelab.nn.checks import NonFiniteError, check_finite

NAMES = registry.names("neurons")
#: An input that makes every neuron of default parameters do something, in its own unit, found by doubling.
STEPS, BATCH, NEURONS = 60, 2, 5


def layer_and_input(name: str, **options):
    spec = registry.load("neurons", name)
    layer = nn.Neuron(name, dt=0.5e-3, **options)
    random = torch.Generator().manual_seed(0)
    shape = 1 + 0.5 * torch.randn(STEPS, BATCH, NEURONS, generator=random, dtype=torch.float64)
    size = 1e-12
    while size < 1e6:
        size *= 2
        with torch.no_grad():
            outputs, _ = nn.Neuron(name, dt=0.5e-3, backend="reference")(size * shape)
        if outputs.mean() > 0.03 if spec.spikes else size > 1:
            break
    return layer, size * shape


def all_equal(a, b):
    return set(a) == set(b) and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("name", NAMES)
def test_streaming_equals_the_whole(name, backend):
    """Split at odd places, down to single steps and an empty piece, bit for bit."""
    layer, x = layer_and_input(name, backend=backend, refractory=1e-3 if registry.load("neurons", name).spikes else 0.0)
    with torch.no_grad():
        whole, final = layer(x)
        assert 0 < whole.abs().mean()
        for cuts in ([1], [7, 8, 8, 9, 31], list(range(1, STEPS))):
            pieces, state = [], None
            for piece in x.tensor_split(cuts):
                out, state = layer(piece, state)
                pieces.append(out)
            assert torch.equal(torch.cat(pieces), whole)
            assert all_equal(state, final)


def test_gradients_pass_through_a_split():
    layer, x = layer_and_input("cuba_lif", backend="numba")
    weight = torch.randn(STEPS, BATCH, NEURONS, dtype=torch.float64)
    gradients = []
    for cuts in ([], [7, 33]):
        leaf = x.clone().requires_grad_()
        state, loss = None, 0.0
        for piece, w in zip(leaf.tensor_split(cuts), weight.tensor_split(cuts), strict=True):
            out, state = layer(piece, state)
            loss = loss + (w * out).sum()
        (loss + state["v"].sum()).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_trace_shows_every_state_at_the_end_of_each_step(name):
    layer, x = layer_and_input(name, backend="reference")
    trace = layer.trace(x)
    first = "spike" if layer.spec.spikes else "output"
    assert list(trace) == [first, *layer.spec.state_names]
    out, _ = layer(x)
    assert torch.equal(trace[first], out)
    state = None
    for t in range(0, STEPS, 9):
        _, state = layer(x[: t + 1])
        for key in layer.spec.state_names:
            assert torch.equal(trace[key][t], state[key])


def test_shapes_beyond_one_axis_and_parameters_that_broadcast():
    x = 30 * torch.rand(12, 2, 3, 4, 5)
    tau = torch.linspace(5e-3, 30e-3, 3).view(3, 1, 1)
    layer = nn.LIF(tau_mem=tau)
    out, state = layer(x)
    assert out.shape == x.shape
    assert state["v"].shape == x.shape[1:]
    for channel in range(3):
        alone, _ = nn.LIF(tau_mem=float(tau[channel]))(x[:, :, channel])
        assert (out[:, :, channel] != alone).float().mean() < 1e-3


def test_wrong_input_and_state_say_what_is_wrong():
    layer = nn.CubaLIF(refractory=2e-3)
    x = torch.rand(4, 2, 3)
    _, state = layer(x)
    with pytest.raises(ValueError, match=r"cuba_lif: input has shape \[4\], but must be \[T, B, ...\], time first"):
        layer(x[:, 0, 0])
    with pytest.raises(TypeError, match=r"cuba_lif: input is torch.int64; convert it to float32"):
        layer(torch.ones(4, 2, 3, dtype=torch.int64))
    with pytest.raises(
        ValueError, match=r"cuba_lif: state 'i' has shape \[2, 3\], the input's steps have \[5, 3\]; pass None"
    ):
        layer(torch.rand(4, 5, 3), state)
    with pytest.raises(ValueError, match="cuba_lif: the state lacks refractory_left, v"):
        layer(x, {"i": state["i"]})
    with pytest.raises(ValueError, match=r"cuba_lif: the state has .*'w'"):
        layer(x, {**state, "w": state["v"]})
    with pytest.raises(ValueError, match=r"lif: .*tau_mem.*\[7\].*\[2, 3\]"):
        nn.LIF(tau_mem=torch.full((7,), 1e-2))(x)
    with pytest.raises(ValueError, match=r"lif: v_leak has shape \[7\].*\[2, 3\]"):
        nn.LIF(v_leak=torch.zeros(7))(x)


def test_wrong_options_say_what_is_wrong():
    for options, message in (
        ({"tau_membrane": 1e-2}, "lif has no parameter tau_membrane; it has tau_mem, r, v_leak"),
        ({"learnable": ["tau"]}, "lif has no learnable parameter tau; it has"),
        ({"tau_mem": -1e-3}, r"lif: tau_mem = -0.001 s \(membrane time constant\) must be finite and > 0"),
        ({"tau_mem": torch.tensor([1e-2, 0.0])}, r"lif: tau_mem = 0.0 s"),
        ({"v_threshold": math.nan}, r"lif: v_threshold = nan"),
        ({"dt": 0.0}, r"lif: dt = 0.0 s must be a positive"),
        ({"dt": math.inf}, r"lif: dt = inf s"),
        ({"refractory": -1e-3}, r"lif: refractory = -0.001 s must be zero or a positive time"),
        ({"backend": "cuda"}, r"lif: unknown backend 'cuda'; known are auto, reference, numba"),
        ({"reset": "soft"}, r"lif has no reset 'soft'"),
        ({"surrogate": "atan"}, r"unknown surrogate 'atan'"),
    ):
        with pytest.raises(ValueError, match=message):
            nn.LIF(**options)
    with pytest.raises(ValueError, match="izhikevich: time_unit cannot be learned"):
        nn.Izhikevich(learnable=["time_unit"])
    with pytest.raises(ValueError, match="li does not spike, so it has no refractory time"):
        nn.LI(refractory=1e-3)
    with pytest.raises(ValueError, match="li does not spike, so it has no reset 'zero'"):
        nn.LI(reset="zero")


def test_learnable_takes_one_name_or_several():
    assert len(list(nn.LIF(learnable=("tau_mem", "v_threshold")).parameters())) == 2
    # a string is one name and not a set of letters
    assert len(list(nn.LIF(learnable="tau_mem").parameters())) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_input_is_integrated_in_single(dtype):
    layer = nn.LIF(learnable=("tau_mem",))
    x = (30 * torch.rand(20, 2, 8)).to(dtype).requires_grad_()
    out, state = layer(x)
    assert out.dtype == dtype
    assert state["v"].dtype == torch.float32
    true, _ = layer(x.detach().float())
    assert torch.equal(out.float(), true)
    out.float().sum().backward()
    assert x.grad.dtype == dtype
    assert layer.log_tau_mem.grad.isfinite().all()
    again, _ = layer(x, state)
    assert again.shape == out.shape


def test_check_finite_names_layer_step_and_index():
    layer = nn.LIF()
    x = torch.zeros(10, 2, 3)
    x[4, 1, 2] = math.nan
    x[7, 0, 0] = math.inf
    layer(x)
    with check_finite(), pytest.raises(NonFiniteError, match=r"LIF: input is nan at step 4, index \[1, 2\]"):
        layer(x)
    with check_finite(), pytest.raises(NonFiniteError, match=r"input is inf at step 7, index \[0, 0\]"):
        layer(torch.nan_to_num(x, nan=0.0, posinf=math.inf))
    with check_finite(), check_finite(False):
        layer(x)
    layer(x)
    readout = nn.LI(r=1e38)
    with check_finite(), pytest.raises(NonFiniteError, match=r"LI: output is inf at step \d+, index \[0, 0\]"):
        readout(torch.full((40, 1, 1), 1e4))
    # inside a compiled model too
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="eager")
    compiled(x)
    with check_finite(), pytest.raises(NonFiniteError, match="step 4"):
        compiled(x)


def test_positive_parameters_stay_positive():
    layer = nn.AdaptiveLIF(learnable=("tau_mem", "tau_adaptation", "v_threshold"))
    assert float(layer.tau_mem) == pytest.approx(20e-3)
    optimiser = torch.optim.Adam(layer.parameters(), lr=3.0)
    x = 3 * torch.rand(50, 2, 8)
    # each step changes a logarithm by about 3: plain values would pass through zero at once
    for sign in (1, -1, 1, -1):
        optimiser.zero_grad()
        _, state = layer(x)
        (sign * state["v"].sum()).backward()
        optimiser.step()
        assert layer.tau_mem > 0
        assert layer.tau_adaptation > 0
    assert float(layer.tau_mem) != pytest.approx(20e-3)


def test_learnable_per_neuron_parameters_get_gradients_of_their_shape():
    layer = nn.LIF(tau_mem=torch.full((8,), 1e-2), v_threshold=0.5, learnable=("tau_mem", "v_threshold"))
    out, _ = layer(3 * torch.rand(50, 4, 8))
    out.sum().backward()
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    assert sorted(tuple(g.shape) for g in gradients.values()) == [(), (8,)]
    assert all(g.abs().sum() > 0 for g in gradients.values())


@pytest.mark.parametrize("learnable", [(), ("tau_mem",)])
def test_state_dict_round_trip(learnable):
    x = 3 * torch.rand(50, 2, 8)
    first = nn.LIF(tau_mem=7e-3, v_threshold=0.3, learnable=learnable)
    second = nn.LIF(learnable=learnable)
    before, _ = second(x)
    second.load_state_dict(first.state_dict())
    with torch.no_grad():
        out, truth = second(x)[0], first(x)[0]
    assert torch.equal(out, truth)
    assert not torch.equal(out, before)


def test_coefficients_follow_every_way_of_changing_a_parameter():
    x = 3 * torch.rand(50, 2, 8)
    layer = nn.LIF()

    def same(tau: float, **options) -> bool:
        fresh = nn.LIF(tau_mem=tau, **options)
        return torch.allclose(layer(x)[1]["v"], fresh(x)[1]["v"], rtol=1e-6, atol=1e-7)

    assert same(20e-3)
    layer.tau_mem.fill_(10e-3)
    assert same(10e-3)
    layer.tau_mem = torch.tensor(5e-3, dtype=torch.float64)
    assert same(5e-3)
    layer.tau_mem.data = torch.tensor(7e-3, dtype=torch.float64)
    assert same(7e-3)
    layer.load_state_dict(nn.LIF(tau_mem=3e-3).state_dict())
    assert same(3e-3)
    # a new tensor at the address of the old one
    for tau in (11e-3, 12e-3, 13e-3, 14e-3):
        del layer.tau_mem
        layer.register_buffer("tau_mem", torch.tensor(tau, dtype=torch.float64))
        assert same(tau)
    layer.float()
    assert same(14e-3)
    assert layer(x.double())[0].dtype == torch.float64
    assert same(14e-3)
    with torch.inference_mode():
        assert same(14e-3)
    wide = torch.rand(50, 3, 4)
    assert layer(wide)[0].shape == wide.shape


def test_a_learned_parameter_is_seen_without_gradients_too():
    layer = nn.LIF(learnable=("tau_mem",))
    x = torch.rand(50, 2, 8)
    with torch.no_grad():
        before = layer(x)[1]["v"]
        layer.tau_mem = torch.tensor(5e-3)
        after = layer(x)[1]["v"]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, nn.LIF(tau_mem=5e-3)(x)[1]["v"])


def test_a_parameter_that_another_module_computes_gets_its_gradient():
    layer = nn.LIF()
    source = torch.tensor(20e-3, dtype=torch.float64, requires_grad=True)
    layer.tau_mem = 0.5 * source
    layer(3 * torch.rand(50, 2, 8))[1]["v"].sum().backward()
    assert source.grad is not None
    assert source.grad != 0


def test_training_after_inference_mode():
    layer = nn.LIF()
    x = 30 * torch.rand(20, 2, 8)
    with torch.inference_mode():
        layer(x)
    leaf = x.clone().requires_grad_()
    layer(leaf)[0].sum().backward()
    assert leaf.grad.abs().sum() > 0
    with torch.inference_mode():
        made_inside = nn.LIF()
        assert torch.equal(made_inside(x)[0], made_inside(x)[0])


@pytest.mark.parametrize("learnable", [(), ("tau_mem",)])
def test_copies_are_independent(learnable):
    x = 3 * torch.rand(50, 2, 8)
    layer = nn.LIF(learnable=learnable)
    with torch.no_grad():
        truth = layer(x)[1]["v"]
        twin = copy.deepcopy(layer)
        assert torch.equal(twin(x)[1]["v"], truth)
        twin.tau_mem = torch.tensor(5e-3)
        assert not torch.allclose(twin(x)[1]["v"], truth)
        assert torch.equal(layer(x)[1]["v"], truth)


OWN = """
from spikelab.neurons import NeuronSpec, Parameter, State
OWN = NeuronSpec(
    name="theta_like", title="A neuron of one's own",
    states=(
        State("v", "1", "(tanh(v) - v + gain * x + s) / tau", "membrane", "0.1", held_while_refractory=True),
        State("s", "1", "-s / tau_s + kick * v**3", "second state", after_spike="0.5 * s + kick"),
    ),
    parameters=(
        Parameter("tau", 10e-3, "s", "time constant", positive=True),
        Parameter("tau_s", 30e-3, "s", "second time constant", positive=True),
        Parameter("gain", 1.0, "1", "gain"), Parameter("kick", -0.2, "1", "kick"),
        Parameter("top", 1.0, "1", "threshold"),
    ),
    gate="v - top * sqrt(1 + s**2)", gate_scale="top",
    resets={"fold": "v - top * cos(v)"}, default_reset="fold", default_method="exponential_euler",
    input_unit="1", source="this test",
)
"""


def own_neuron() -> NeuronSpec:
    space: dict[str, NeuronSpec] = {}
    exec(OWN, space)
    return space["OWN"]


@pytest.mark.parametrize("method", ["exponential_euler", "semi_implicit_euler"])
def test_a_neuron_of_ones_own_runs_on_both_back_ends(method):
    found = {}
    for backend in ("reference", "numba"):
        torch.manual_seed(1)
        layer = nn.Neuron(
            own_neuron(),
            method=method,
            refractory=2e-3,
            surrogate="1 / (1 + abs(k * x))**2",
            surrogate_parameters={"k": 3.0},
            learnable=("tau", "tau_s", "gain", "kick", "top"),
            tau=torch.linspace(5e-3, 20e-3, 6),
            backend=backend,
        ).double()
        x = (3 * torch.rand(40, 3, 6, dtype=torch.float64)).requires_grad_()
        out, state = layer(x)
        loss = (torch.rand_like(out) * out).sum() + state["v"].sum() + state["s"].square().sum()
        found[backend] = [out, *state.values(), *torch.autograd.grad(loss, [x, *layer.parameters()])]
    assert 0 < found["reference"][0].mean() < 0.5
    assert torch.equal(found["numba"][0], found["reference"][0])
    for value, true in zip(found["numba"], found["reference"], strict=True):
        torch.testing.assert_close(value, true, rtol=1e-10, atol=1e-12 * float(true.detach().abs().max()))


def test_two_versions_of_ones_own_neuron_do_not_mix():
    def version(power: int) -> NeuronSpec:
        return NeuronSpec(
            name="mine",
            title="Mine",
            states=(State("v", "1", f"(x**{power} - v) / tau", "membrane"),),
            parameters=(Parameter("tau", 10e-3, "s", "time constant"),),
            source="this test",
            input_unit="1",
        )

    x = 2 * torch.ones(5, 1, 1)
    first, second = nn.Neuron(version(1), method="exact"), nn.Neuron(version(2), method="exponential_euler")
    for backend in ("reference", "numba"):
        first.backend = second.backend = backend
        one, two = first(x)[0], second(x)[0]
        torch.testing.assert_close(two, 2 * one)


def test_pickled_to_another_process(tmp_path):
    """Workers that are started afresh get their layers by pickle, neurons of one's own included."""
    layers = [nn.LIF(tau_mem=5e-3), nn.Neuron(own_neuron())]
    x = 3 * torch.rand(20, 2, 4)
    path = tmp_path / "layers"
    path.write_bytes(pickle.dumps((layers, x, [layer(x)[0] for layer in layers])))
    code = f"""
        import pickle, torch
        layers, x, truth = pickle.loads(open({str(path)!r}, "rb").read())
        assert all(torch.equal(layer(x)[0], out) for layer, out in zip(layers, truth))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_the_representation_shows_what_matters():
    text = repr(nn.LIF(tau_mem=5e-3, reset="zero"))
    assert text == (
        "LIF(lif, dt=0.001, method=exact, reset=zero, surrogate=arctan, "
        "tau_mem=0.005, r=1, v_leak=0, v_threshold=1, v_reset=0)"
    )
    assert "tau_mem=[4]" in repr(nn.LIF(tau_mem=torch.full((4,), 1e-2)))


@pytest.mark.parametrize("name", NAMES)
def test_every_neuron_is_a_layer_with_its_equations_as_documentation(name):
    (layer,) = [
        value
        for value in vars(nn).values()
        if isinstance(value, type)
        and issubclass(value, nn.Neuron)
        and value is not nn.Neuron
        and value().spec.name == name
    ]
    assert registry.load("neurons", name).describe() in layer.__doc__


def test_surrogates_reach_the_gradient():
    x = 30 * torch.rand(20, 2, 8)
    found = []
    for choice in ("arctan", "1 / (1 + (pi * x)**2)", Surrogate("mine", "a / (1 + (pi * x)**2)", {"a": 1.0})):
        leaf = x.clone().requires_grad_()
        nn.LIF(surrogate=choice)(leaf)[0].sum().backward()
        found.append(leaf.grad)
    assert found[0].abs().sum() > 0
    # arctan of alpha 2 is that expression
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_a_learned_layer_keeps_its_name_and_can_be_pickled():
    layer = nn.LIF(learnable=["tau_mem", "v_threshold"], tau_mem=torch.tensor([5e-3, 20e-3]))
    assert list(nn.Network.sequential(nn.Dense(3, 2), layer).nodes) == ["0_dense", "1_lif"]
    again = pickle.loads(pickle.dumps(layer))
    x = 30 * torch.rand(20, 2, 2)
    assert torch.equal(again(x)[0], layer(x)[0])
    assert torch.equal(again.tau_mem, layer.tau_mem)


def test_weights_go_from_fixed_to_learned_parameters_and_back():
    fixed, learned = nn.LIF(tau_mem=7e-3, v_threshold=0.4), nn.LIF(learnable=["tau_mem", "v_threshold"])
    learned.load_state_dict(fixed.state_dict())
    assert float(learned.tau_mem.detach()) == pytest.approx(7e-3)
    assert float(learned.v_threshold.detach()) == pytest.approx(0.4)
    with torch.no_grad():
        learned.log_tau_mem.add_(1.0)
    fixed.load_state_dict(learned.state_dict())
    assert float(fixed.tau_mem) == pytest.approx(7e-3 * math.e)


@pytest.mark.parametrize("learnable", [[], ["tau_mem", "v_threshold"]])
def test_a_parameter_is_given_another_value_within_its_bounds(learnable):
    layer = nn.LIF(learnable=learnable)
    x = 3 * torch.rand(50, 2, 4)
    before = layer(x)[0]
    layer.tau_mem, layer.v_threshold = 5e-3, torch.tensor(0.5)
    assert float(layer.tau_mem.detach()) == pytest.approx(5e-3)
    assert float(layer.v_threshold.detach()) == pytest.approx(0.5)
    assert layer(x)[0].sum() > before.sum()
    assert len(list(layer.parameters())) == len(learnable)
    for wrong in (-1.0, float("nan"), torch.tensor([5e-3, 0.0])):
        with pytest.raises(ValueError, match=r"lif: tau_mem = .* must be finite and > 0"):
            layer.tau_mem = wrong
    with pytest.raises(TypeError, match="lif: tau_mem = '5 ms' is neither a number nor a tensor"):
        layer.tau_mem = "5 ms"
    assert float(layer.tau_mem.detach()) == pytest.approx(5e-3)


def test_values_that_are_no_tensors_are_named():
    with pytest.raises(TypeError, match="lif: tau_mem = '20ms' is neither a number nor a tensor"):
        nn.LIF(tau_mem="20ms")
    with pytest.raises(TypeError, match="lif: input is a list; give a torch tensor"):
        nn.LIF()([[1.0]])
    with pytest.raises(TypeError, match="lif: the state is a Tensor; pass on what the layer gave out"):
        nn.LIF()(torch.zeros(3, 1, 2), torch.zeros(1, 2))


def test_repr_shows_the_choices_that_differ():
    text = repr(nn.LIF(refractory=5e-3, surrogate="sigmoid", detach_reset=True))
    for part in ("refractory=0.005", "surrogate=sigmoid", "detach_reset", "reset=", "tau_mem=0.02"):
        assert part in text


def test_a_network_says_which_node_met_the_first_nan():
    network = nn.Network.sequential(nn.Dense(3, 3), nn.LIF(), nn.Dense(3, 2), nn.LIF())
    with torch.no_grad():
        network.nodes["2_dense"].bias[1] = math.nan
    with (
        check_finite(),
        pytest.raises(NonFiniteError, match=r"node '3_lif': LIF: input is nan at step 0, index \[0, 1\]"),
    ):
        network(torch.rand(4, 2, 3))


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        (["a"], ["input", "a"], "'input' is not an edge; give pairs"),
        (["a"], [("input", "a", "output")], "is not an edge; give pairs"),
        (["a.b"], [("input", "a.b"), ("a.b", "output")], "'a.b' has a dot; use an underscore"),
    ],
)
def test_a_network_that_is_none_is_refused(nodes, edges, message):
    with pytest.raises(ValueError, match=f"Network: .*{message}"):
        nn.Network({name: nn.LIF() for name in nodes}, edges)


def test_the_signature_shows_parameters_options_and_defaults():
    shown = inspect.signature(nn.LIF).parameters
    assert shown["tau_mem"].default == 20e-3
    assert shown["dt"].default == 1e-3
    assert {"surrogate", "learnable", "reset", "refractory"} <= set(shown)
    assert "The default method is exact, the default reset" in nn.LIF.__doc__
