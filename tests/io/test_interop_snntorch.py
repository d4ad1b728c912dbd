"""snnTorch in and out: the same spikes for every neuron and reset, and refusals that name the layer and the remedy."""

import itertools

import pytest
import torch
from torch import nn as torch_nn

from spikelab import nn
from spikelab.io import interop_snntorch_read
from spikelab.io.follow import CannotTranslate
from spikelab.io.interop_compare import SpikesDiffer
from spikelab.io.interop_snntorch import from_snntorch, to_snntorch

snntorch = pytest.importorskip("snntorch")
STEPS, N = 200, 12


def spike_input(batch=2, shape=(10,), steps=STEPS, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand((steps, batch, *shape), generator=generator) < 0.4).float()


def linear(inputs, outputs, gain=2.0, positive=False):
    layer = torch_nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.mul_(gain)
        if positive:
            layer.weight.abs_()
    return layer


def neuron(kind, **options):
    options = {"beta": 0.85, "init_hidden": True, **options}
    if "Synaptic" in kind:
        options.setdefault("alpha", 0.6)
    if kind.startswith("R"):
        options.setdefault("linear_features", N) if options.get("all_to_all", True) else None
    return getattr(snntorch, kind)(**options)


def theirs(module, x):
    """Runs a module of layers with hidden states step by step from rest; spikes [T, B, ...]."""
    for layer in module.modules():
        if isinstance(layer, snntorch.SpikingNeuron):
            for state in ("spk", "syn", "mem"):
                if hasattr(layer, state):
                    setattr(layer, state, torch.zeros(0))
    steps = []
    with torch.no_grad():
        for now in x:
            out = module(now)
            steps.append(out[0] if isinstance(out, tuple) else out)
    return torch.stack(steps)


def ours(network, x):
    with torch.no_grad():
        return network(x)[0]


def assert_same_spikes(network, module, x=None, at_least=50):
    x = spike_input() if x is None else x
    expected = theirs(module, x)
    assert at_least < expected.sum() < 0.95 * expected.numel()
    assert torch.equal(ours(network, x), expected)


TRANSLATED = [
    *itertools.product(["Leaky", "Synaptic", "RLeaky", "RSynaptic"], ["subtract", "zero"], [True]),
    *itertools.product(["Leaky", "Synaptic", "RLeaky"], ["zero"], [False]),
]


@pytest.mark.parametrize("beta", [0.85, 0.3, 1.0, "each"])
@pytest.mark.parametrize(("kind", "reset", "delay"), TRANSLATED)
def test_every_neuron_and_reset_spikes_alike(kind, reset, delay, beta):
    torch.manual_seed(0)
    own = torch.linspace(0.2, 1.0, N) if beta == "each" else beta
    threshold = torch.linspace(0.5, 1.5, N) if beta == "each" else 0.8
    layer = neuron(kind, beta=own, threshold=threshold, reset_mechanism=reset, reset_delay=delay)
    module = torch_nn.Sequential(linear(10, N), layer)
    assert_same_spikes(from_snntorch(module, (10,)), module)


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky", "RSynaptic"])
def test_beta_zero(kind):
    module = torch_nn.Sequential(linear(10, N), neuron(kind, beta=0.0, threshold=0.5, reset_mechanism="zero"))
    assert_same_spikes(from_snntorch(module, (10,)), module)
    module = torch_nn.Sequential(linear(10, N), neuron(kind, beta=0.0, threshold=0.5))
    with pytest.raises(CannotTranslate, match="late_subtraction='neuron'"):
        from_snntorch(module, (10,))
    assert_same_spikes(from_snntorch(module, (10,), late_subtraction="neuron"), module)


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic", "RLeaky", "RSynaptic"])
@pytest.mark.parametrize("beta", [0.9, 0.1])
def test_late_subtraction_as_a_neuron_of_its_own_has_the_same_terms(kind, beta):
    # weights of one and a threshold of one: membranes lie on the threshold all the time
    options = {"all_to_all": False, "V": 0.25} if kind.startswith("R") else {}
    module = torch_nn.Sequential(neuron(kind, beta=beta, output=False, **options))
    network = from_snntorch(module, (10,), late_subtraction="neuron")
    expected = theirs(module, spike_input())
    assert expected.sum() > 500
    assert torch.equal(ours(network, spike_input()), expected)
    again = to_snntorch(network, (10,))
    assert torch.equal(theirs(again, spike_input()), theirs(module, spike_input()))


def test_the_usual_late_subtraction_becomes_an_ordinary_lif():
    network = from_snntorch(
        torch_nn.Sequential(snntorch.Leaky(beta=0.8, threshold=1.5, init_hidden=True)), (4,), dt=2e-3
    )
    (layer,) = network.nodes.values()
    assert layer.spec.name == "lif"
    assert (layer.options.reset, layer.dt) == ("subtract", 2e-3)
    torch.testing.assert_close(1 - 2e-3 / float(layer.tau_mem), float(torch.tensor(0.8)), rtol=0, atol=0)
    torch.testing.assert_close(float(layer.v_leak), 1.5 * 0.25, rtol=1e-6, atol=0)
    torch.testing.assert_close(float(layer.v_threshold), 1.5 / 0.8, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("options", "shape"), [({"all_to_all": False, "V": 0.7}, (N,)), ({"linear_features": N}, (N,))]
)
@pytest.mark.parametrize("kind", ["RLeaky", "RSynaptic"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_recurrent_weights_with_their_bias(kind, reset, options, shape):
    torch.manual_seed(1)
    layer = neuron(kind, reset_mechanism=reset, **options)
    if "linear_features" in options:
        with torch.no_grad():
            layer.recurrent.bias.fill_(0.3)
    module = torch_nn.Sequential(linear(10, N), layer)
    network = from_snntorch(module, (10,))
    assert network.edges[1:3] == (
        ("0_linear", f"1_{kind.lower()}"),
        (f"1_{kind.lower()}", f"1_{kind.lower()}_recurrent"),
    )
    assert_same_spikes(network, module, at_least=20)
    assert_same_spikes(network, module, spike_input(batch=1), at_least=10)


@pytest.mark.parametrize(
    "options", [{"conv2d_channels": 3, "kernel_size": 3}, {"all_to_all": False, "V": torch.rand(3, 1, 1)}]
)
def test_recurrent_convolution(options):
    torch.manual_seed(0)
    layer = snntorch.RLeaky(beta=0.8, init_hidden=True, threshold=0.4, **options)
    convolution = torch_nn.Conv2d(2, 3, 3)
    readout = [linear(27, 4, 0.8, positive=True), snntorch.Leaky(beta=0.9, init_hidden=True, output=True)]
    module = torch_nn.Sequential(convolution, layer, torch_nn.AvgPool2d(2), torch_nn.Flatten(), *readout)
    network = from_snntorch(module, (2, 8, 8))
    assert_same_spikes(network, module, spike_input(shape=(2, 8, 8)))
    again = to_snntorch(network, (2, 8, 8))
    assert torch.equal(theirs(again, spike_input(shape=(2, 8, 8))), theirs(module, spike_input(shape=(2, 8, 8))))


def test_a_bias_of_the_recurrent_weights_without_a_place_is_refused():
    module = torch_nn.Sequential(neuron("RLeaky"))
    with pytest.raises(CannotTranslate, match="0: its recurrent weights have a bias"):
        from_snntorch(module, (N,))
    torch_nn.init.zeros_(module[0].recurrent.bias)
    assert_same_spikes(from_snntorch(module, (N,)), module, spike_input(shape=(N,)))


@pytest.mark.parametrize("kind", ["Leaky", "Synaptic"])
def test_a_readout_without_reset_gives_its_membrane(kind):
    torch.manual_seed(0)
    module = torch_nn.Sequential(
        linear(10, N), neuron("Leaky"), linear(N, 3), neuron(kind, reset_mechanism="none", output=True)
    )
    network, x = from_snntorch(module, (10,)), spike_input()
    theirs(module, x)
    torch.testing.assert_close(ours(network, x)[-1], module[3].mem, rtol=1e-5, atol=1e-5)
    assert to_snntorch(network, (10,))[3].reset_mechanism == "none"


def test_layers_between_and_learned_parameters():
    torch.manual_seed(0)
    module = torch_nn.Sequential(
        torch_nn.Conv2d(1, 4, 3, padding=1),
        torch_nn.BatchNorm2d(4),
        neuron("Leaky", learn_beta=True, learn_threshold=True, threshold=0.4),
        torch_nn.MaxPool2d(2),
        torch_nn.Dropout(0.5),
        torch_nn.Flatten(),
        linear(4 * 9, 5),
        torch_nn.BatchNorm1d(5),
        neuron("Synaptic", learn_alpha=True, learn_beta=True, reset_mechanism="zero"),
    )
    x = spike_input(shape=(1, 6, 6))
    for now in x[:20]:
        module(now)  # running statistics, and hidden states that hang on a gradient
    assert module[2].mem.grad_fn is not None
    before = module[2].mem.clone()
    network = from_snntorch(module, (1, 6, 6))
    assert module.training
    assert torch.equal(module[2].mem, before)
    assert "4_dropout" not in network.nodes
    assert_same_spikes(network, module.eval(), x)


class Looped(torch_nn.Module):
    """snnTorch's tutorials: a loop over time inside, states passed by hand."""

    def __init__(self, time, steps=STEPS):
        super().__init__()
        self.time, self.steps = time, steps
        self.fc1, self.lif1 = linear(10, N), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = linear(N, N), snntorch.Synaptic(alpha=0.5, beta=0.8)
        self.fc3, self.lif3 = linear(N, 4), snntorch.Leaky(beta=0.9, reset_mechanism="zero")

    def forward(self, x):
        mem1, (syn2, mem2), mem3 = self.lif1.reset_mem(), self.lif2.reset_mem(), self.lif3.reset_mem()
        recorded = []
        for step in range(self.steps if self.time is None else x.size(self.time)):
            now = x if self.time is None else (x[step] if self.time == 0 else x[:, step])
            spk1, mem1 = self.lif1(self.fc1(now.view(now.size(0), -1)), mem1)
            spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
            spk3, mem3 = self.lif3(self.fc3(spk1 + spk2), mem3)
            recorded.append(spk3)
        return torch.stack(recorded)


@pytest.mark.parametrize("time", [0, 1, None])
def test_a_module_that_loops_over_time_itself(time):
    torch.manual_seed(0)
    module, x = Looped(time), spike_input(shape=(2, 5))
    if time is None:
        x = x[:1].expand(x.shape)
    inside = x[0] if time is None else x.movedim(0, time)
    network = from_snntorch(module, example_input=inside[:5] if time == 0 else inside)
    assert set(network.edges) >= {("input", "flatten"), ("lif1", "fc3"), ("lif2", "fc3"), ("lif3", "output")}
    with torch.no_grad():
        expected = module(inside)
    assert expected.sum() > 20
    assert torch.equal(ours(network, x), expected)


def test_a_module_that_is_called_step_by_step_with_states():
    class Stepped(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.lif1 = linear(10, N), snntorch.RLeaky(beta=0.9, linear_features=N)

        def forward(self, x, spk1, mem1):
            return self.lif1(self.fc1(x), spk1, mem1)

    torch.manual_seed(0)
    module, x = Stepped(), spike_input()
    network = from_snntorch(module, (10,))
    (spk, mem), steps = module.lif1.reset_mem(), []
    with torch.no_grad():
        for now in x:
            spk, mem = module(now, spk, mem)
            steps.append(spk)
    assert torch.equal(ours(network, x), torch.stack(steps))


def test_float64_weights_stay_float64():
    torch.manual_seed(0)
    module = torch_nn.Sequential(linear(10, N), neuron("Leaky")).double()
    network = from_snntorch(module, (10,))
    assert network.nodes["0_linear"].weight.dtype == torch.float64
    assert torch.equal(network.nodes["0_linear"].weight, module[0].weight)


REFUSED = {
    "inhibition": (lambda: neuron("Leaky", inhibition=True), "inhibition=True"),
    "graded": (lambda: neuron("Leaky", graded_spikes_factor=2.0), "graded_spikes_factor is not 1"),
    "quantised": (lambda: neuron("Leaky", state_quant=torch.round), "state_quant"),
    "surrogate": (lambda: neuron("Leaky", spike_grad=torch.sigmoid), "does not give 1 above the threshold"),
    "double reset": (lambda: neuron("Leaky", reset_delay=False), "passed twice its threshold"),
    "double reset, synaptic": (lambda: neuron("Synaptic", reset_delay=False), "use reset_delay=True"),
    "broken reset": (lambda: neuron("RSynaptic", reset_delay=False), "RSynaptic with reset_delay=False"),
    "no reset": (lambda: neuron("RLeaky", reset_mechanism="none"), "'none' in a recurrent layer"),
    "negative": (lambda: neuron("Leaky", threshold=-1.0, reset_mechanism="zero"), "threshold below zero"),
    "another kind": (lambda: snntorch.Lapicque(beta=0.9, init_hidden=True), "Lapicque is not translated"),
    "another layer": (lambda: torch_nn.ReLU(), "ReLU has no counterpart"),
}


@pytest.mark.parametrize("what", list(REFUSED))
@pytest.mark.filterwarnings("ignore:Inhibition")
def test_what_has_no_exact_translation_is_refused_by_name(what):
    make, reason = REFUSED[what]
    module = torch_nn.Sequential(linear(10, N), make())
    with pytest.raises(CannotTranslate, match=reason) as error:
        from_snntorch(module, (10,))
    assert "1: " in str(error.value)


def test_all_problems_are_named_at_once():
    module = torch_nn.Sequential(
        linear(10, N), neuron("Leaky", reset_delay=False), torch_nn.ReLU(), linear(N, 3), torch_nn.Tanh()
    )
    with pytest.raises(CannotTranslate) as error:
        from_snntorch(module, (10,))
    assert all(f"\n  {place}: " in str(error.value) for place in (1, 2, 4))


def test_an_unknown_surrogate_asks_for_one():
    module = torch_nn.Sequential(linear(10, N), neuron("Leaky", spike_grad=snntorch.surrogate.spike_rate_escape()))
    with pytest.raises(CannotTranslate, match="surrogate='arctan'"):
        from_snntorch(module, (10,))
    assert from_snntorch(module, (10,), surrogate="arctan").nodes["1_leaky"].options.surrogate == "arctan"


@pytest.mark.parametrize("make", ["atan", "fast_sigmoid", "sigmoid", "straight_through_estimator"])
def test_surrogates_have_the_same_derivative(make):
    spike = getattr(snntorch.surrogate, make)()
    layer = snntorch.Leaky(beta=0.9, spike_grad=spike, init_hidden=True, reset_mechanism="zero")
    network = from_snntorch(torch_nn.Sequential(layer), (7,))
    x = torch.linspace(0.7, 1.3, 7).reshape(1, 1, 7).requires_grad_()
    network(x)[0].sum().backward()
    y = x.detach()[0].clone().requires_grad_()
    layer.mem = torch.zeros(0)
    layer(y).sum().backward()
    torch.testing.assert_close(x.grad[0], y.grad, rtol=1e-4, atol=1e-6)


def test_a_hidden_membrane_that_is_passed_on_is_refused():
    class Membrane(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.lif, self.fc = snntorch.Leaky(beta=0.9), torch_nn.Linear(10, 3)

        def forward(self, x):
            return self.fc(self.lif(x)[1])

    with pytest.raises(CannotTranslate, match="fc: reads another output of lif than its spikes"):
        from_snntorch(Membrane(), (10,))


def test_ignoring_the_double_reset_is_checked():
    torch.manual_seed(0)
    weak = torch_nn.Sequential(linear(10, N, 0.2), neuron("Leaky", reset_delay=False))
    network = from_snntorch(weak, (10,), double_reset="ignore", verify=spike_input())
    assert torch.equal(ours(network, spike_input()), theirs(weak, spike_input()))
    strong = torch_nn.Sequential(linear(10, N, 8.0), neuron("Leaky", reset_delay=False))
    with pytest.raises(SpikesDiffer, match="first difference: layer '1_leaky', step") as error:
        from_snntorch(strong, (10,), double_reset="ignore")
    assert error.value.difference.cause == "reset"
    assert (error.value.difference.left, error.value.difference.right) == (1, 0)


def test_a_wrong_translation_is_caught(monkeypatch):
    right = interop_snntorch_read.time_constant
    monkeypatch.setattr(interop_snntorch_read, "time_constant", lambda keep, dt: right(keep * 0.97, dt))
    module = torch_nn.Sequential(linear(10, N, 0.5, positive=True), neuron("Leaky", reset_mechanism="zero"))
    with pytest.raises(SpikesDiffer, match="first difference: layer '1_leaky', step") as error:
        from_snntorch(module, (10,))
    assert error.value.difference.cause == "drift"
    assert "snntorch is ahead" in str(error.value)
    assert from_snntorch(module, (10,), verify=False)


def test_a_layer_that_never_spikes_is_said_to_be_untested():
    module = torch_nn.Sequential(neuron("Leaky", threshold=1e9))
    with pytest.warns(UserWarning, match="0_leaky: silent on all test inputs"):
        from_snntorch(module, (4,))


def test_wrong_arguments_are_named():
    module = torch_nn.Sequential(neuron("Leaky"))
    with pytest.raises(TypeError, match="give either input_shape"):
        from_snntorch(module)
    with pytest.raises(TypeError, match="got a int"):
        from_snntorch(3, (4,))
    with pytest.raises(ValueError, match="double_reset = 'maybe'"):
        from_snntorch(module, (4,), double_reset="maybe")
    with pytest.raises(CannotTranslate, match=r"does not run on an input of shape \[2, 4\]"):
        from_snntorch(torch_nn.Sequential(linear(10, N), neuron("Leaky")), (4,))


# --- out -------------------------------------------------------------------------------------------------------------


def dense(inputs, outputs, bias=True):
    layer = nn.Dense(inputs, outputs, bias=bias)
    with torch.no_grad():
        layer.weight.mul_(2.0)
    return layer


def recurrent(layer):
    edges = [("input", "w"), ("w", "n"), ("n", "r"), ("r", "n"), ("n", "output")]
    return nn.Network({"w": dense(10, N), "n": layer, "r": nn.Dense(N, N, bias=False)}, edges)


SEMI = {"method": "semi_implicit_euler", "r": 20.0}
EXPORTED = {
    "lif zero": lambda: nn.Network.sequential(dense(10, N), nn.LIF(reset="zero", v_threshold=0.2)),
    "lif value": lambda: nn.Network.sequential(dense(10, N), nn.LIF(v_leak=0.1, v_reset=0.1, v_threshold=0.3)),
    "lif impulse": lambda: nn.Network.sequential(dense(10, N), nn.LIF(input_form="impulse", r=0.02, reset="zero")),
    "lif each": lambda: nn.Network.sequential(
        dense(10, N),
        nn.LIF(tau_mem=torch.linspace(2e-3, 30e-3, N), reset="zero", v_threshold=torch.linspace(0.1, 0.5, N)),
    ),
    "lif late subtract": lambda: nn.Network.sequential(
        dense(10, N), nn.LIF(method="euler", tau_mem=10e-3, v_leak=0.03, v_threshold=0.3, reset="subtract")
    ),
    "if zero": lambda: nn.Network.sequential(dense(10, N), nn.IF(reset="zero")),
    "if subtract": lambda: nn.Network.sequential(dense(10, N), nn.IF(reset="subtract")),
    "cuba": lambda: nn.Network.sequential(dense(10, N), nn.CubaLIF(reset="zero", **SEMI)),
    "recurrent lif": lambda: recurrent(nn.LIF(reset="zero", v_threshold=0.2)),
    "recurrent lif, refractory": lambda: recurrent(nn.LIF(reset="zero", v_threshold=0.2, refractory=2e-3)),
    "recurrent cuba": lambda: recurrent(nn.CubaLIF(reset="zero", refractory=2e-3, **SEMI)),
}


@pytest.mark.parametrize("what", list(EXPORTED))
def test_ours_run_alike_in_snntorch(what):
    torch.manual_seed(0)
    network, x = EXPORTED[what]().double(), spike_input().double()
    module = to_snntorch(network, (10,))
    interop_snntorch_read.in_float64(module)
    expected = ours(network, x)
    assert 50 < expected.sum() < 0.95 * expected.numel()
    assert torch.equal(theirs_in_float64(module, x), expected)


def theirs_in_float64(module, x):
    steps = []
    with torch.no_grad():
        for now in x:
            steps.append(module(now))
    return torch.stack(steps)


@pytest.mark.parametrize(("kind", "reset", "delay"), TRANSLATED)
def test_there_and_back_and_there_gives_equal_parameters(kind, reset, delay):
    torch.manual_seed(0)
    layer = neuron(kind, reset_mechanism=reset, reset_delay=delay, beta=torch.linspace(0.3, 0.95, N), threshold=0.7)
    first = from_snntorch(torch_nn.Sequential(linear(10, N), layer), (10,))
    module = to_snntorch(first, (10,))
    assert type(module[1]) is type(layer)
    assert (module[1].reset_mechanism, module[1].reset_delay) == (reset, delay)
    torch.testing.assert_close(module[1].beta, layer.beta.double(), rtol=1e-15, atol=0)
    torch.testing.assert_close(module[1].threshold.max(), torch.tensor(0.7).double(), rtol=1e-12, atol=0)
    second = from_snntorch(module, (10,))
    assert second.edges == first.edges
    for (name, a), (_, b) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=0, msg=name)


def test_a_readouts_gain_goes_into_the_weights():
    torch.manual_seed(0)
    network = nn.Network.sequential(dense(10, N), nn.LIF(reset="zero", v_threshold=0.2), dense(N, 3), nn.LI())
    module, x = to_snntorch(network, (10,)), spike_input()
    torch.testing.assert_close(
        torch.stack([module(now)[1].detach() for now in x]).float(), ours(network, x), rtol=1e-4, atol=1e-5
    )


NOT_EXPORTED = {
    "adaptive": (lambda: nn.AdaptiveLIF(), "snnTorch has no adaptive"),
    "subtract": (lambda: nn.LIF(reset="subtract"), "double_reset='ignore'"),
    "value": (lambda: nn.LIF(v_reset=-0.3), "resets to where the membrane leaks"),
    "leaking subtract": (lambda: nn.LIF(v_leak=0.3, reset="subtract"), "no leak to another value"),
    "refractory": (lambda: nn.LIF(reset="zero", refractory=5e-3), "no refractory time"),
    "exact current": (lambda: nn.CubaLIF(reset="zero"), "method='semi_implicit_euler'"),
    "short": (lambda: nn.LIF(tau_mem=0.5e-3, method="euler", reset="zero"), "shorter than the step"),
    "surrogate": (lambda: nn.LIF(reset="zero", surrogate="gaussian"), "spike_grad=snntorch.surrogate.atan"),
    "delay": (lambda: nn.Delay(2), "Delay has no counterpart"),
}


@pytest.mark.parametrize("what", list(NOT_EXPORTED))
def test_what_snntorch_lacks_is_refused_by_name(what):
    make, reason = NOT_EXPORTED[what]
    with pytest.raises(CannotTranslate, match=reason) as error:
        to_snntorch(nn.Network.sequential(dense(10, N), make()), (10,))
    assert "  1_" in str(error.value)


def test_branches_and_recurrent_biases_are_refused():
    nodes = {"a": dense(10, 4), "b": dense(10, 4), "n": nn.LIF(reset="zero")}
    branches = nn.Network(nodes, [("input", "a"), ("input", "b"), ("a", "n"), ("b", "n"), ("n", "output")])
    with pytest.raises(CannotTranslate, match="input: feeds a, b; only a chain"):
        to_snntorch(branches, (10,))
    edges = [("input", "n"), ("n", "r"), ("r", "n"), ("n", "output")]
    biased = nn.Network({"n": nn.LIF(reset="zero"), "r": nn.Dense(4, 4)}, edges)
    with pytest.raises(CannotTranslate, match="n: its recurrent weights have a bias"):
        to_snntorch(biased, (4,))
    with pytest.raises(TypeError, match="put it into a Network"):
        to_snntorch(nn.LIF(), (4,))
