"""OTTT, SLTT and S-TLLR against autograd with paths cut, TESS and DECOLLE against plain loops of their equations."""

import pytest
import torch
from time_local_parts import (
    CLASSES,
    STEPS,
    Chain,
    assert_same,
    gradients,
    leaky,
    mean_loss,
    rule_for,
    spike_trains,
)
from torch.nn import functional

from spikelab.learn.rules.rule import UnsupportedError
from spikelab.learn.rules.traces import exponential, membrane_filter
from spikelab.nn import (
    IF,
    LI,
    LIF,
    AdaptiveLIF,
    AvgPool2d,
    BatchNorm1d,
    Conv2d,
    CubaLI,
    CubaLIF,
    Dense,
    Flatten,
    Network,
    Neuron,
)
from spikelab.nn.state import detach_state, map_state

DECAY, THRESHOLD = 0.7, 0.5


def lif(**options):
    return leaky(LIF, DECAY, v_threshold=THRESHOLD, reset="subtract", surrogate="triangular", **options)


def psi(v):
    return (1 - (v - THRESHOLD).abs()).clamp(min=0)


class Spike(torch.autograd.Function):
    """A spike with the triangular surrogate derivative, written apart from the library."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > THRESHOLD).to(v.dtype)

    @staticmethod
    def backward(ctx, incoming):
        (v,) = ctx.saved_tensors
        return incoming * psi(v)


def cut_gradients(model, batch, remember):
    """Gradients of each layer's parameters, with no path through time but the membranes of that layer (`remember`)."""
    nodes = model.network.nodes
    chain = [nodes["weights0"], nodes["weights1"], nodes["readout_weights"]]
    x, found = model.encode(batch), {}
    for learning in range(3):
        v, outputs = [0.0, 0.0, 0.0], []
        for now in x:
            for place, weights in enumerate(chain):
                before = v[place]
                if isinstance(before, torch.Tensor) and not (remember and place == learning):
                    before = before.detach()
                charged = DECAY * before + functional.linear(now, weights.weight, weights.bias)
                if place < 2:
                    now = Spike.apply(charged)
                    v[place] = charged - THRESHOLD * now.detach()
                else:
                    now = v[place] = charged
            outputs.append(now)
        loss = mean_loss(outputs, batch["label"])
        for name, parameter in chain[learning].named_parameters():
            node = "readout_weights" if learning == 2 else f"weights{learning}"
            found[f"network.nodes.{node}.{name}"] = torch.autograd.grad(loss, parameter, retain_graph=True)[0]
    return loss.detach(), found


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = Chain(lif(), lif())
    rates = model.network.run(model.encode(spike_trains()))[0]
    assert all(0.05 < rates[name].mean() < 0.9 for name in ("neurons0", "neurons1"))
    return model


@pytest.mark.parametrize(("name", "remember"), [("ottt", True), ("sltt", False)])
def test_ottt_and_sltt_are_autograd_with_the_paths_of_errors_through_time_cut(name, remember, model):
    batch = spike_trains()
    loss, expected = cut_gradients(model, batch, remember)
    total, found = gradients(rule_for(model, name), batch)
    torch.testing.assert_close(total, loss)
    assert_same(found, expected)
    other = cut_gradients(model, batch, not remember)[1]["network.nodes.weights0.weight"]
    assert not torch.allclose(other, expected["network.nodes.weights0.weight"], rtol=0.1)


class Convolutional(Chain):
    """Two convolutions with pooling between them, and a dense readout; pictures of 7 x 1 become 3 x 1."""

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.network = Network.sequential(
            Conv2d(1, 4, 3, padding=1),
            lif(detach_reset=True),
            AvgPool2d((2, 1)),
            Conv2d(4, 5, 3, padding=1),
            lif(detach_reset=True),
            Flatten(),
            Dense(15, CLASSES),
            leaky(LI),
        )
        with torch.no_grad():
            for parameter in self.parameters():
                parameter *= 2
        self.double()

    def encode(self, batch):
        return super().encode(batch)[:, :, None, :, None]


def test_ottt_of_convolutions_is_autograd_with_the_paths_of_errors_through_time_cut():
    torch.manual_seed(0)
    model, batch = Convolutional(), spike_trains()
    nodes = model.network.nodes
    _, found = gradients(rule_for(model, "ottt"), batch)
    for learning, neurons in (("0_conv2d", "1_lif"), ("3_conv2d", "4_lif"), ("6_dense", "7_li")):
        states, outputs = {}, []
        for now in model.encode(batch).split(1):
            for name, node in nodes.items():
                if not isinstance(node, Neuron):
                    now = node(now)
                    continue
                before = states.get(name)
                if before is not None and name != neurons:
                    before = detach_state(before)
                now, states[name] = node(now, before)
            outputs.append(now[0])
        loss = mean_loss(outputs, batch["label"])
        names, parameters = zip(*nodes[learning].named_parameters(prefix=f"network.nodes.{learning}"), strict=True)
        expected = dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))
        assert all(gradient.abs().sum() > 0 for gradient in expected.values())
        assert_same({name: found[name] for name in names}, expected)


def test_s_tllr_with_the_membranes_trace_alone_is_ottt(model):
    batch = spike_trains()
    _, expected = gradients(rule_for(model, "ottt"), batch)
    assert_same(gradients(rule_for(model, "s_tllr", pre_decay=DECAY, post_factor=0.0), batch)[1], expected)
    _, other = gradients(rule_for(model, "s_tllr", pre_decay=DECAY, post_factor=1.0), batch)
    assert not torch.allclose(other["network.nodes.weights0.weight"], expected["network.nodes.weights0.weight"])


def test_sltt_is_s_tllr_that_remembers_nothing(model):
    batch = spike_trains()
    _, expected = gradients(rule_for(model, "sltt"), batch)
    _, found = gradients(rule_for(model, "s_tllr", pre_decay=0.0, post_factor=0.0), batch)
    for name in ("weights0.weight", "weights0.bias", "weights1.weight", "weights1.bias"):
        torch.testing.assert_close(found[f"network.nodes.{name}"], expected[f"network.nodes.{name}"])


def plain_loop(model, batch, signal, pre_decay, post_decay, pre_factor, post_factor, first_step=0):
    """dW = sum over t of (m a_pre psi[t]) q[t] + (m a_post h[t]) o_pre[t], and the same of biases; hidden layers."""
    x, label = model.encode(batch), batch["label"]
    found = {}
    for place in range(2):
        weights = model.network.nodes[f"weights{place}"]
        v = torch.zeros(len(label), weights.out_features, dtype=torch.float64)
        h, before = torch.zeros_like(v), torch.zeros_like(v)
        q, one, total, bias, out = 0.0, 0.0, 0.0, 0.0, []
        for step, now in enumerate(x):
            v = DECAY * v + functional.linear(now, weights.weight, weights.bias).detach()
            o, slope = (v > THRESHOLD).double(), psi(v)
            v = v - THRESHOLD * o
            q, one = pre_decay * q + now, pre_decay * one + 1
            h, before = post_decay * h + before, slope
            if step >= first_step:
                m = signal(place, o, label) / (len(x) - first_step)
                total = total + (pre_factor * m * slope).T @ q + (post_factor * m * h).T @ now
                bias = bias + (pre_factor * m * slope).sum(0) * one + (post_factor * m * h).sum(0)
            out.append(o)
        found[f"network.nodes.weights{place}.weight"] = total
        found[f"network.nodes.weights{place}.bias"] = bias
        x = torch.stack(out)
    return found


@pytest.mark.parametrize("post_factor", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("first_step", [0, 4])
def test_tess_is_its_equations(post_factor, first_step, model):
    batch = spike_trains()
    options = {"pre_decay": 0.6, "post_decay": 0.3, "pre_factor": 0.8, "post_factor": post_factor}
    rule = rule_for(model, "tess", first_step=first_step, **options)

    def signal(place, o, label):
        basis = rule.get_buffer(f"basis_{place}")
        torch.testing.assert_close(basis.abs(), torch.full_like(basis, basis.shape[1] ** -0.5), rtol=1e-6, atol=0)
        return (torch.softmax(o @ basis.T, 1) - functional.one_hot(label, CLASSES)) @ basis

    _, found = gradients(rule, batch)
    _, exact = cut_gradients(model, batch, True)
    expected = plain_loop(model, batch, signal, first_step=first_step, **options)
    if first_step == 0:
        # the readout learns the gradient of its loss
        expected |= {name: value for name, value in exact.items() if "readout" in name}
    assert_same({name: found[name] for name in expected}, expected)


@pytest.mark.parametrize("loss", ["cross_entropy", "smooth_l1"])
def test_decolle_is_its_equations(loss, model):
    batch = spike_trains()
    rule = rule_for(model, "decolle", loss=loss)

    def signal(place, o, label):
        readout, target = rule.get_buffer(f"readout_{place}"), functional.one_hot(label, CLASSES)
        answer = o @ readout.T
        error = torch.softmax(answer, 1) - target if loss == "cross_entropy" else (answer - target).clamp(-1, 1)
        return error @ readout

    expected = plain_loop(model, batch, signal, DECAY, 0.0, 1.0, 0.0)
    found = gradients(rule, batch)[1]
    assert_same({name: found[name] for name in expected}, expected)


RULES = ["ottt", "sltt", "s_tllr", "tess", "decolle", "e_prop"]


@pytest.mark.parametrize("recurrent", [0.0, 0.5], ids=["feedforward", "recurrent"])
@pytest.mark.parametrize("name", RULES)
def test_two_parts_with_the_state_passed_on_are_one_sequence(name, recurrent):
    torch.manual_seed(0)
    model, batch = Chain(lif(), leaky(CubaLIF, tau_syn=2e-3, v_threshold=0.4), recurrent=recurrent), spike_trains(12)
    options = {"feedback": "adaptive"} if name == "e_prop" else {}
    rule = rule_for(model, name, 12, **options)
    total, expected = gradients(rule, batch)
    own = [p.grad.clone() for p in rule.parameters()]
    x = rule.encode(batch)
    first, _, state = rule.advance(x[:5], batch, {}, 1 / 12)
    kept = map_state(torch.clone, state)
    second, _, _ = rule.advance(x[5:], batch, state, 1 / 12)
    unchanged = []
    map_state(lambda value: unchanged.append(value), state)
    map_state(lambda value: torch.testing.assert_close(unchanged.pop(0), value), kept)
    for parameter in model.parameters():
        parameter.grad = None
    rule.write(1.0)
    torch.testing.assert_close(first + second, total)
    assert_same({key: p.grad for key, p in model.named_parameters()}, expected)
    for parameter, gradient in zip(rule.parameters(), own, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("name", RULES)
def test_recurrent_weights_learn_and_outputs_are_those_of_the_network(name):
    torch.manual_seed(0)
    model, batch = Chain(lif(), recurrent=0.5), spike_trains()
    outputs, _ = model.network(model.encode(batch))
    total, found = gradients(rule_for(model, name), batch)
    torch.testing.assert_close(total, mean_loss(outputs, batch["label"]).detach())
    assert found["network.nodes.recurrent.weight"].abs().sum() > 0
    assert found["network.nodes.recurrent.bias"].abs().sum() > 0


@pytest.mark.parametrize("name", RULES)
def test_a_network_in_half_precision_learns_nearly_the_same_in_single_precision(name, make_model, make_rule, batch):
    model, found = make_model("dense"), []
    rule = make_rule(name, model, **({"feedback": "adaptive"} if name == "e_prop" else {}))
    for half in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            rule.measure(model, batch)
        rule.write(1.0)
        assert all(p.grad.dtype == torch.float32 for p in [*model.parameters(), *rule.parameters()])
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert functional.cosine_similarity(*found, dim=0) > 0.95


def test_ottt_of_recurrent_weights_follows_the_spikes_of_the_step_before(model):
    torch.manual_seed(0)
    model, batch = Chain(lif(), recurrent=0.5), spike_trains()
    _, found = gradients(rule_for(model, "ottt"), batch)
    outputs = model.network.run(model.encode(batch))[0]
    spikes, weights = outputs["neurons0"].detach(), model.network.nodes
    charge, v, q, expected = outputs["weights0"].detach(), 0.0, 0.0, 0.0
    for step, (now, out) in enumerate(zip(charge, outputs["readout"].detach(), strict=True)):
        before = spikes[step - 1] if step else torch.zeros_like(spikes[0])
        v = DECAY * v + now + (weights["recurrent"](before[None])[0] if step else 0.0)
        q = DECAY * q + before
        error = (torch.softmax(out, 1) - functional.one_hot(batch["label"], CLASSES)) / STEPS
        expected = expected + (error @ weights["readout_weights"].weight * psi(v)).T @ q
        v = v - THRESHOLD * spikes[step]
    torch.testing.assert_close(found["network.nodes.recurrent.weight"], expected.detach())


@pytest.mark.parametrize(
    "neuron",
    [
        leaky(LIF),
        leaky(LIF, v_leak=0.3),
        leaky(CubaLIF, tau_syn=3e-3),
        CubaLIF(method="semi_implicit_euler"),
        AdaptiveLIF(),
        IF(dt=1e-3, r=1e3),
        leaky(LI),
        leaky(CubaLI),
    ],
    ids=lambda neuron: f"{neuron.spec.name} {neuron.options.method}",
)
def test_the_trace_is_how_the_membrane_answers_to_a_single_input(neuron):
    x = torch.zeros(20, 1, 1, dtype=torch.float64)
    silent = x.clone()
    x[3] = 1e-3
    answer = neuron.trace(x)["v"] - neuron.trace(silent)["v"]
    state, traces, filter = None, [], membrane_filter("a", neuron)
    for now in x:
        trace, state = filter.advance(now, state)
        traces.append(trace)
    traces = torch.stack(traces)
    assert float(traces[3]) == pytest.approx(1e-3)
    torch.testing.assert_close(traces * answer[3] / 1e-3, answer, rtol=1e-9, atol=1e-15)


def test_an_exponential_trace():
    trace, state = exponential(0.5).advance(torch.ones(3))
    trace, _ = exponential(0.5).advance(torch.zeros(3), state)
    torch.testing.assert_close(trace, torch.full((3,), 0.5))


def test_what_the_rules_do_not_take_is_named():
    torch.manual_seed(0)
    with pytest.raises(UnsupportedError, match=r"'weights0': lif has a refractory time.*e_prop and bptt"):
        rule_for(Chain(leaky(LIF, refractory=5e-3)), "ottt")
    with pytest.raises(UnsupportedError, match=r"'weights0': its neurons differ \(v_from_v_ has shape \[11\]\)"):
        rule_for(Chain(LIF(tau_mem=torch.linspace(1e-3, 2e-3, 11))), "decolle")
    with pytest.raises(UnsupportedError, match=r"'weights0': its neurons' log_tau_mem would be learned"):
        rule_for(Chain(LIF(learnable="tau_mem")), "tess")
    with pytest.raises(ValueError, match=r"first_step = 9: a sample has steps 0 to 8"):
        rule_for(Chain(lif()), "s_tllr", first_step=9)
    with pytest.raises(ValueError, match=r"pre_decay = 1.5 must be between 0 and 1"):
        rule_for(Chain(lif()), "tess", pre_decay=1.5)
    with pytest.raises(ValueError, match=r"loss = 'hinge': takes"):
        rule_for(Chain(lif()), "decolle", loss="hinge")
    model = Chain(lif())
    model.network = Network.sequential(Dense(7, 4), BatchNorm1d(4), LIF(), Dense(4, CLASSES), LI())
    with pytest.raises(UnsupportedError, match=r"'0_dense' has batch normalisation, whose statistics.*lls or bptt"):
        rule_for(model.double(), "sltt")


def test_signals_cost_what_the_sizes_say(model):
    # sizes 7 -> 11 -> 8 -> 3, nine steps
    down = 8 * 11 + 3 * 8
    costs = {name: rule_for(model, name).signal_operations() for name in RULES}
    assert costs == {
        "ottt": 9 * down,
        "sltt": 9 * down,
        "s_tllr": 9 * down,
        "e_prop": 9 * down,
        "tess": 9 * 2 * 3 * (11 + 8),
        "decolle": 9 * 2 * 3 * (11 + 8),
    }
    assert rule_for(model, "tess", first_step=4).signal_operations() == 5 * 2 * 3 * (11 + 8)
    assert rule_for(model, "e_prop", feedback="random").signal_operations() == 9 * 3 * (11 + 8)
