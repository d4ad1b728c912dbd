"""Norse in and out: the same spikes for every neuron and reset, and refusals that name the layer and the remedy."""

import pytest
import torch
from torch import nn as torch_nn

from spikelab import nn
from spikelab.io import interop_norse_read
from spikelab.io.follow import CannotTranslate
from spikelab.io.interop_compare import SpikesDiffer
from spikelab.io.interop_norse import from_norse, to_norse

norse = pytest.importorskip("norse.torch")
from norse.torch.functional.reset import reset_subtract  # noqa: E402

STEPS, N = 200, 12
number = torch.as_tensor


def spike_input(batch=2, shape=(10,)):
    generator = torch.Generator().manual_seed(3)
    return (torch.rand((STEPS, batch, *shape), generator=generator) < 0.4).float()


def linear(inputs, outputs):
    layer = torch_nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.mul_(2)
    return layer


def theirs(module, x, whole=False):
    with torch.no_grad():
        if whole:
            return module(x)[0]
        steps, state = [], None
        for now in x:
            out, state = module(now, state)
            steps.append(out)
        return torch.stack(steps)


def ours(network, x):
    with torch.no_grad():
        return network(x)[0]


LIF = norse.LIFParameters(v_th=number(0.3), tau_mem_inv=number(130.0), tau_syn_inv=number(310.0))
RESET = LIF._replace(v_reset=number(-0.2), v_leak=number(0.05))
BOX = norse.LIFBoxParameters(v_th=number(0.1), tau_mem_inv=number(77.0))
SUBTRACT = BOX._replace(reset_method=reset_subtract, v_leak=number(0.02))
LEAKING = {"v_leak": number(0.02), "v_reset": number(-0.05)}
IAF = norse.IAFParameters(v_th=number(0.8))

#: name -> (layers of neurons, whether they take whole sequences)
SPIKING = {
    "LIFCell": (lambda: [norse.LIFCell(LIF)], False),
    "LIFCell to a value": (lambda: [norse.LIFCell(RESET, dt=5e-4)], False),
    "LIF": (lambda: [norse.LIF(RESET)], True),
    "LIFRecurrentCell": (lambda: [norse.LIFRecurrentCell(N, N, LIF)], False),
    "LIFRecurrentCell with autapses": (lambda: [norse.LIFRecurrentCell(N, N, RESET, autapses=True)], False),
    "LIFRecurrent": (lambda: [norse.LIFRecurrent(N, N, LIF)], True),
    "LIFBoxCell": (lambda: [norse.LIFBoxCell(BOX)], False),
    "LIFBoxCell to a value": (lambda: [norse.LIFBoxCell(BOX._replace(**LEAKING))], False),
    "LIFBoxCell by subtraction": (lambda: [norse.LIFBoxCell(BOX._replace(reset_method=reset_subtract))], False),
    "LIFBoxCell by subtraction, leaking": (lambda: [norse.LIFBoxCell(SUBTRACT)], False),
    "LIFBoxCell each": (lambda: [norse.LIFBoxCell(BOX._replace(tau_mem_inv=torch.linspace(50, 500, N)))], False),
    "IAFCell": (lambda: [norse.IAFCell(IAF)], False),
    "IAFCell to a value": (lambda: [norse.IAFCell(IAF._replace(v_reset=number(-0.3)))], False),
    "IAF": (lambda: [norse.IAF(IAF)], True),
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("what", list(SPIKING))
def test_every_neuron_and_reset_spikes_alike(what, batch):
    torch.manual_seed(0)
    make, whole = SPIKING[what]
    module, x = norse.SequentialState(linear(10, N), *make()), spike_input(batch)
    network = from_norse(module, (10,))
    expected = theirs(module, x, whole)
    assert 20 < expected.sum() < 0.95 * expected.numel()
    assert torch.equal(ours(network, x), expected)


READOUTS = {
    "LICell": (lambda: [torch_nn.Linear(N, 3), norse.LICell()], False),
    "LI": (lambda: [torch_nn.Linear(N, 3), norse.LI()], True),
    "LIBoxCell": (lambda: [torch_nn.Linear(N, 3), norse.LIBoxCell()], False),
    "LILinearCell": (lambda: [norse.LILinearCell(N, 3)], False),
    "Linear": (lambda: [torch_nn.Linear(N, 3)], False),
}


@pytest.mark.parametrize("what", list(READOUTS))
def test_readouts_give_the_same_values(what):
    torch.manual_seed(0)
    make, whole = READOUTS[what]
    hidden = norse.LIF(LIF) if whole else norse.LIFCell(LIF)
    module, x = norse.SequentialState(linear(10, N), hidden, *make()), spike_input()
    torch.testing.assert_close(ours(from_norse(module, (10,)), x), theirs(module, x, whole), rtol=1e-4, atol=1e-5)


def test_convolutions_over_whole_sequences():
    torch.manual_seed(0)
    module = norse.SequentialState(
        norse.Lift(torch_nn.Conv2d(2, 3, 3)),
        norse.LIF(LIF),
        norse.Lift(torch_nn.AvgPool2d(2)),
        torch_nn.Flatten(2),
        linear(27, N),
        norse.LIFRecurrent(N, N, LIF),
    )
    network, x = from_norse(module, (2, 8, 8)), spike_input(shape=(2, 8, 8))
    expected = theirs(module, x, whole=True)
    assert expected.sum() > 100
    assert torch.equal(ours(network, x), expected)


def test_a_module_of_ones_own_with_states():
    class Own(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.lif1 = linear(10, N), norse.LIFCell(LIF)
            self.fc2, self.lif2 = linear(N, N), norse.LIFBoxCell(BOX)

        def forward(self, x, s1=None, s2=None):
            z1, s1 = self.lif1(self.fc1(x), s1)
            z2, s2 = self.lif2(self.fc2(z1) + self.fc1(x), s2)
            return z2, s1, s2

    torch.manual_seed(0)
    module, x = Own(), spike_input()
    network = from_norse(module, (10,))
    assert set(network.sources("lif2")) == {"fc1", "fc2"}
    steps, states = [], (None, None)
    with torch.no_grad():
        for now in x:
            out, *states = module(now, *states)
            steps.append(out)
    assert torch.equal(ours(network, x), torch.stack(steps))


REFUSED = {
    "another kind": (lambda: norse.LSNNCell(), "LSNNCell is not translated"),
    "adjoint": (lambda: norse.LIFCell(LIF._replace(method="adjoint")), "LIFCell with method 'adjoint'"),
    "own reset": (lambda: norse.LIFBoxCell(BOX._replace(reset_method=lambda z, v, r, t: v)), "use reset_value"),
    "surrogate": (lambda: norse.LIFCell(LIF._replace(method="tanh")), "surrogate='arctan'"),
    "no decay": (lambda: norse.LIFBoxCell(BOX._replace(tau_mem_inv=number(0.0))), "must be > 0"),
    "layer": (lambda: torch_nn.ReLU(), "ReLU has no counterpart"),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_has_no_exact_translation_is_refused_by_name(what):
    make, reason = REFUSED[what]
    with pytest.raises(CannotTranslate, match=reason) as error:
        from_norse(norse.SequentialState(linear(10, N), make()), (10,))
    assert "  1: " in str(error.value)


def test_surrogates():
    for method, ours_name in (("super", "fast_sigmoid"), ("triangle", "triangular")):
        cell = norse.LIFBoxCell(BOX._replace(method=method, tau_mem_inv=number(1000.0), alpha=number(0.3)))
        network = from_norse(norse.SequentialState(cell), (7,))
        assert network.nodes["0_lifboxcell"].options.surrogate == ours_name
        x = torch.linspace(-0.5, 0.7, 7).reshape(1, 1, 7).requires_grad_()
        network(x)[0].sum().backward()
        y = x.detach()[0].clone().requires_grad_()
        cell(y)[0].sum().backward()
        torch.testing.assert_close(x.grad[0], y.grad, rtol=1e-4, atol=1e-6)


def test_a_wrong_translation_is_caught(monkeypatch):
    monkeypatch.setattr(interop_norse_read, "_number", lambda value: torch.as_tensor(value).detach().double() * 1.01)
    with pytest.raises(SpikesDiffer, match="first difference: layer '1_lifcell', step"):
        from_norse(norse.SequentialState(linear(10, N), norse.LIFCell(LIF)), (10,))


# --- out -------------------------------------------------------------------------------------------------------------


def dense(inputs, outputs, bias=True):
    layer = nn.Dense(inputs, outputs, bias=bias)
    with torch.no_grad():
        layer.weight.mul_(2.0)
    return layer


def recurrent(layer, bias):
    edges = [("input", "w"), ("w", "n"), ("n", "r"), ("r", "n"), ("n", "output")]
    return nn.Network({"w": dense(10, N, bias), "n": layer, "r": nn.Dense(N, N, bias=False)}, edges)


SEMI = {"method": "semi_implicit_euler", "r": 20.0}
EXPORTED = {
    "lif zero": lambda: nn.Network.sequential(dense(10, N), nn.LIF(reset="zero", v_threshold=0.2)),
    "lif value": lambda: nn.Network.sequential(dense(10, N), nn.LIF(v_leak=0.1, v_reset=-0.1, v_threshold=0.2)),
    "lif subtract": lambda: nn.Network.sequential(dense(10, N), nn.LIF(reset="subtract", v_threshold=0.2)),
    "lif impulse": lambda: nn.Network.sequential(dense(10, N), nn.LIF(input_form="impulse", r=0.02)),
    "if zero": lambda: nn.Network.sequential(dense(10, N), nn.IF(reset="zero", r=700.0)),
    "cuba": lambda: nn.Network.sequential(dense(10, N), nn.CubaLIF(v_reset=-0.1, **SEMI)),
    "recurrent cuba": lambda: recurrent(nn.CubaLIF(v_reset=-0.1, **SEMI), False),
    "recurrent cuba, biased": lambda: recurrent(nn.CubaLIF(v_reset=-0.1, **SEMI), True),
}


@pytest.mark.parametrize("what", list(EXPORTED))
def test_ours_run_alike_in_norse(what):
    torch.manual_seed(0)
    network, x = EXPORTED[what]().double(), spike_input().double()
    module = to_norse(network, (10,))
    interop_norse_read.in_float64(module)
    expected = ours(network, x)
    assert 50 < expected.sum() < 0.95 * expected.numel()
    assert torch.equal(theirs(module, x), expected)


@pytest.mark.parametrize("what", [name for name, (_, whole) in SPIKING.items() if not whole])
def test_there_and_back_gives_equal_parameters(what):
    torch.manual_seed(0)
    first = from_norse(norse.SequentialState(linear(10, N), *SPIKING[what][0]()), (10,))
    module = to_norse(first, (10,))
    second = from_norse(module, (10,))
    for (name, a), (_, b) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
        if "_input.weight" in name and a.shape != b.shape:
            continue
        torch.testing.assert_close(b, a, rtol=1e-12, atol=1e-15, msg=name)


def test_a_readouts_gain_goes_into_the_weights():
    torch.manual_seed(0)
    network = nn.Network.sequential(dense(10, N), nn.LIF(v_threshold=0.2), dense(N, 3), nn.LI(r=3.0))
    module, x = to_norse(network, (10,)), spike_input()
    torch.testing.assert_close(theirs(module, x).float(), ours(network, x), rtol=1e-4, atol=1e-5)


NOT_EXPORTED = {
    "adaptive": (lambda: nn.AdaptiveLIF(), "adaptive"),
    "refractory": (lambda: nn.LIF(refractory=5e-3), "no refractory time"),
    "exact current": (lambda: nn.CubaLIF(), "method='semi_implicit_euler'"),
    "cuba subtract": (lambda: nn.CubaLIF(reset="subtract", **SEMI), "resets to a value only"),
    "if subtract": (lambda: nn.IF(reset="subtract"), "resets to a value only"),
    "if value": (lambda: nn.IF(v_reset=-0.2), "starts where it resets to"),
    "delay": (lambda: nn.Delay(2), "Delay has no counterpart"),
}


@pytest.mark.parametrize("what", list(NOT_EXPORTED))
def test_what_norse_lacks_is_refused_by_name(what):
    make, reason = NOT_EXPORTED[what]
    with pytest.raises(CannotTranslate, match=reason) as error:
        to_norse(nn.Network.sequential(dense(10, N), make()), (10,))
    assert "  1_" in str(error.value)


def test_a_recurrent_lif_without_current_is_refused():
    with pytest.raises(CannotTranslate, match="n: Norse's recurrent cell is current-based"):
        to_norse(recurrent(nn.LIF(), True), (10,))
