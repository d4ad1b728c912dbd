"""Networks, connections and codes: scheduling, recurrence, delays and state."""

import weakref

import pytest
import torch

from spikelab import nn


def recurrent_network():
    torch.manual_seed(3)
    nodes = {
        "weights": nn.Dense(6, 9),
        "hidden": nn.LIF(tau_mem=10e-3, r=20.0, reset="subtract"),
        "loop": nn.Dense(9, 9, bias=False),
        "delay": nn.Delay(3),
        "readout": nn.Dense(9, 4),
        "out": nn.CubaLI(),
    }
    edges = [
        ("input", "weights"),
        ("weights", "hidden"),
        ("hidden", "loop"),
        ("loop", "hidden"),
        ("hidden", "delay"),
        ("delay", "readout"),
        ("readout", "out"),
        ("out", "output"),
    ]
    return nn.Network(nodes, edges)


def test_recurrence_equals_a_loop_written_by_hand():
    network, x = recurrent_network().double(), torch.rand(20, 3, 6, dtype=torch.float64) * 4
    outputs, _ = network.run(x)
    hidden, state, spikes = network.nodes["hidden"], None, torch.zeros(3, 9, dtype=torch.float64)
    by_hand = []
    for t in range(20):
        current = network.nodes["weights"](x[t : t + 1]) + (network.nodes["loop"](spikes[None]) if t else 0)
        step, state = hidden(current, state)
        spikes = step[0]
        by_hand.append(spikes)
    assert 0.02 < outputs["hidden"].mean() < 0.9
    assert torch.equal(outputs["hidden"], torch.stack(by_hand))
    assert torch.equal(outputs["delay"][3:], outputs["hidden"][:-3])
    assert not outputs["delay"][:3].any()


@pytest.mark.parametrize("cuts", [(1,), (7,), (2, 3, 15)])
def test_streaming_equals_the_whole_sequence(cuts):
    network, x = recurrent_network(), torch.rand(20, 2, 6) * 4
    whole, final = network(x)
    parts, state = [], None
    for part in x.tensor_split(list(cuts)):
        out, state = network(part, state)
        parts.append(out)
    # a matrix product may round differently for another number of rows
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-5, atol=1e-6)
    assert set(state["nodes"]) == set(final["nodes"]) == {"hidden", "delay", "out"}
    assert torch.equal(state["nodes"]["delay"]["under_way"], final["nodes"]["delay"]["under_way"])
    assert set(state["previous"]) == {"loop"}


def test_gradients_pass_through_a_cycle():
    network, x = recurrent_network(), (torch.rand(10, 2, 6) * 4).requires_grad_()
    network(x)[0].sum().backward()
    assert x.grad.abs().sum() > 0
    assert network.nodes["loop"].weight.grad.abs().sum() > 0


def test_self_loop_and_summed_edges():
    class Double(torch.nn.Module):
        def forward(self, x):
            return 2 * x

    edges = [("input", "a"), ("a", "a"), ("a", "b"), ("input", "b"), ("b", "output"), ("input", "output")]
    network = nn.Network({"a": Double(), "b": Double()}, edges)
    x = torch.tensor([1.0, 1.0, 1.0]).reshape(3, 1, 1)
    # a: 2, 2(1+2)=6, 2(1+6)=14;  b: 2(a+x);  output: b + x
    assert network(x)[0].flatten().tolist() == [7.0, 15.0, 31.0]


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ({"a": nn.Dense(2, 2)}, [("input", "a"), ("a", "b")], "names 'b'"),
        ({"a": nn.Dense(2, 2)}, [("input", "output")], "no edge leads to a"),
        ({"a": nn.Dense(2, 2)}, [("input", "a")], "no edge leads to 'output'"),
        ({"a": nn.Dense(2, 2)}, [("input", "a"), ("input", "a"), ("a", "output")], "given twice"),
        ({"input": nn.Dense(2, 2)}, [("input", "output")], "names an end"),
    ],
)
def test_a_wrong_graph_is_refused_by_name(nodes, edges, message):
    with pytest.raises(ValueError, match=message):
        nn.Network(nodes, edges)


def test_shapes_that_cannot_be_added_are_named():
    network = nn.Network(
        {"a": nn.Dense(4, 3), "b": nn.Dense(4, 5)},
        [("input", "a"), ("input", "b"), ("a", "output"), ("b", "output")],
    )
    with pytest.raises(ValueError, match=r"\[2, 1, 3\] and \[2, 1, 5\]"):
        network(torch.zeros(2, 1, 4))


def test_convolution_and_pooling_fold_time():
    x = torch.rand(4, 2, 3, 8, 10)
    convolution = nn.Conv2d(3, 5, 3, stride=2, padding=1)
    out = convolution(x)
    assert out.shape == (4, 2, 5, 4, 5)
    torch.testing.assert_close(out[3], torch.nn.functional.conv2d(x[3], convolution.weight, convolution.bias, 2, 1))
    torch.testing.assert_close(nn.SumPool2d(2)(x), nn.AvgPool2d(2)(x) * 4)
    with pytest.raises(ValueError, match="time first"):
        convolution(x[0])


def test_normalisation_runs_over_time_and_batch():
    x = torch.randn(6, 4, 3, 5, 5) * 7 + 2
    out = nn.BatchNorm2d(3)(x)
    torch.testing.assert_close(out.mean((0, 1, 3, 4)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var((0, 1, 3, 4), unbiased=False), torch.ones(3), atol=1e-3, rtol=0)


def test_delays_for_each_element():
    x = torch.arange(1.0, 13).reshape(6, 1, 2)
    delay = nn.Delay(torch.tensor([0, 2]))
    out, state = delay(x)
    assert out[:, 0, 0].tolist() == [1, 3, 5, 7, 9, 11]
    assert out[:, 0, 1].tolist() == [0, 0, 2, 4, 6, 8]
    again, _ = delay(torch.zeros(2, 1, 2), state)
    assert again[:, 0, 1].tolist() == [10, 12]
    for wrong in (-1, 1.5, torch.tensor([1.0])):
        with pytest.raises(ValueError, match="whole numbers"):
            nn.Delay(wrong)


def test_codes():
    generator = torch.Generator().manual_seed(0)
    values = torch.tensor([[0.0, 0.25, 1.0]])
    rates = nn.spike_count(nn.rate_code(values, 4000, generator))[0] / 4000
    torch.testing.assert_close(rates, values[0], atol=0.03, rtol=0)
    train = nn.latency_code(values, 5)
    assert nn.first_spike_time(train, 1e-3)[0].tolist() == pytest.approx([float("inf"), 3e-3, 0.0])
    assert nn.spike_rate(train, 1e-3)[0].tolist() == pytest.approx([0.0, 200.0, 200.0])
    ramp = torch.tensor([0.0, 0.6, 1.2, 0.1, -1.0]).reshape(5, 1, 1)
    assert nn.delta_code(ramp, 0.5)[:, 0, :, 0].tolist() == [[0, 0], [0, 1], [0, 1], [1, 0], [1, 0]]
    with pytest.raises(ValueError, match="scale them"):
        nn.rate_code(values * 3, 2)


def test_detached_state_cuts_the_gradient():
    layer, x = nn.LIF(), (torch.rand(3, 1, 4) * 30).requires_grad_()
    _, state = layer(x)
    out, _ = layer(torch.rand(3, 1, 4) * 30, nn.detach_state(state))
    assert not out.requires_grad
    out, _ = layer(torch.rand(3, 1, 4) * 30, state)
    assert out.requires_grad


@pytest.mark.parametrize("window", [2, 3, (3, 2), (1, 4)])
@pytest.mark.parametrize("kind", [nn.AvgPool2d, nn.SumPool2d])
def test_own_pooling_equals_torch(kind, window):
    x = torch.rand(2, 3, 2, 13, 11, dtype=torch.float64)[..., :-1].requires_grad_()
    pooled = kind(window)(x)
    divisor = 1 if kind is nn.SumPool2d else None
    expected = torch.nn.functional.avg_pool2d(x.flatten(0, 1), window, divisor_override=divisor).unflatten(0, (2, 3))
    assert torch.equal(pooled, expected)
    weights = torch.rand_like(expected)
    (ours,) = torch.autograd.grad(pooled, x, weights)
    (theirs,) = torch.autograd.grad(expected, x, weights)
    assert torch.equal(ours, theirs)


def test_pooling_falls_back_where_windows_overlap_or_do_not_fit():
    x = torch.rand(2, 1, 1, 6, 6)
    assert nn.AvgPool2d(3, stride=2)(x).shape == (2, 1, 1, 2, 2)
    assert nn.AvgPool2d(2, padding=1)(x).shape == (2, 1, 1, 4, 4)
    assert nn.AvgPool2d(2)(x[:, :0]).shape == (2, 0, 1, 3, 3)
    assert nn.AvgPool2d(2)(x.half()).dtype == torch.float16


def test_evaluate_asks_the_network_itself():
    class Other:
        def run(self, network, x, state):
            raise AssertionError("something else ran")

    network = nn.Network.sequential(nn.Dense(3, 4), torch.nn.Dropout(0.5), nn.LIF(backend="reference"))
    network.train()
    network.runner = Other()
    x = torch.rand(5, 2, 3)
    first, again = network.evaluate(x), network.evaluate(x)
    assert all(torch.equal(first[name], again[name]) and not first[name].requires_grad for name in first)
    assert network.shapes((3,)) == {"input": (3,), "0_dense": (4,), "1_dropout": (4,), "2_lif": (4,)}
    assert network.training
    assert isinstance(network.runner, Other)


def two_recurrent_layers(checkpoint_steps: int = 0) -> nn.Network:
    torch.manual_seed(3)
    return nn.Network(
        {
            "first_weights": nn.Dense(6, 9), "first": nn.LIF(tau_mem=10e-3, r=20.0), "first_back": nn.Dense(9, 9),
            "second_weights": nn.Dense(9, 7),
            "second": nn.LIF(tau_mem=10e-3, r=20.0), "second_back": nn.Dense(7, 7), "readout": nn.Dense(7, 4),
        },
        [
            ("input", "first_weights"), ("first_weights", "first"), ("first", "first_back"), ("first_back", "first"),
            ("first", "second_weights"), ("second_weights", "second"), ("second", "second_back"),
            ("second_back", "second"), ("second", "readout"), ("readout", "output"),
        ],
        checkpoint_steps=checkpoint_steps,
    ).double()  # fmt: skip


@pytest.mark.parametrize("steps", [1, 4, 12, 13, 100])
def test_checkpoints_change_nothing_but_memory(steps):
    x = 300 * torch.rand(13, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    x.requires_grad_()
    found = []
    for network in (two_recurrent_layers(), two_recurrent_layers(steps)):
        start = nn.map_state(lambda tensor: tensor.detach().requires_grad_(), network(x[:2].detach())[1])
        out, state = network(x, start)
        loss = out.square().sum() + state["nodes"]["second"]["v"].sum()
        leaves = [x, start["nodes"]["first"]["v"], start["previous"]["second_back"], *network.parameters()]
        found.append([out, *torch.autograd.grad(loss, leaves)])
        assert out.abs().sum() > 0
    for value, true in zip(found[1], found[0], strict=True):
        assert torch.allclose(value, true, rtol=1e-12, atol=1e-12)


def test_checkpoints_repeat_what_was_random():
    network = nn.Network(
        {"dropout": torch.nn.Dropout(0.5), "leak": nn.LI()},
        [("input", "dropout"), ("dropout", "leak"), ("leak", "output")],
        checkpoint_steps=4,
    )
    x = torch.ones(16, 2, 5, requires_grad=True)
    out, _ = network(x)
    # an input that was dropped gets no gradient, and the others one
    dropped = torch.cat([torch.zeros(1, 2, 5), out.detach()]).diff(dim=0) < 0
    out.sum().backward()
    assert 0.2 < float((x.grad == 0).float().mean()) < 0.8
    assert torch.equal(x.grad == 0, dropped | (out.detach() == 0))


def test_checkpoints_where_a_weight_or_the_input_is_fixed():
    network = two_recurrent_layers(5)
    network.nodes["first_back"].requires_grad_(False)
    network(torch.rand(11, 2, 6, dtype=torch.float64) * 300)[0].sum().backward()
    assert network.nodes["first_back"].weight.grad is None
    assert network.nodes["first_weights"].weight.grad.abs().max() > 0
    with torch.no_grad():
        assert network(torch.rand(11, 2, 6, dtype=torch.float64))[0].shape == (11, 2, 4)


def test_checkpoints_keep_the_state_of_a_segment_and_not_its_steps():
    kept = {}
    for steps in (0, 20):
        network, sizes = two_recurrent_layers(steps), {}

        def pack(tensor, sizes=sizes):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            network(torch.rand(400, 3, 6, dtype=torch.float64))
        kept[steps] = sum(sizes.values())
    assert kept[20] < kept[0] / 10


def test_checkpoints_refuse_what_looks_at_all_of_time():
    network = nn.Network(
        {"weights": nn.Dense(3, 4), "norm": nn.BatchNorm1d(4), "neurons": nn.LIF()},
        [("input", "weights"), ("weights", "norm"), ("norm", "neurons"), ("neurons", "output")],
        checkpoint_steps=2,
    )
    with pytest.raises(ValueError, match="'norm' normalises over all of time, which checkpoint_steps = 2"):
        network(torch.rand(5, 2, 3))
    network.eval()
    assert network(torch.rand(5, 2, 3))[0].shape == (5, 2, 4)
    for wrong in (2.5, "50", None, True, float("nan")):
        with pytest.raises(TypeError, match=r"checkpoint_steps = .* must be a whole number of steps"):
            nn.Network.sequential(nn.LIF(), checkpoint_steps=wrong)
    with pytest.raises(ValueError, match="checkpoint_steps = -1"):
        two_recurrent_layers(-1)


def test_forward_lets_go_of_what_is_used_up():
    alive = []

    class Watch(torch.nn.Module):
        def forward(self, x):
            alive.append(sum(reference() is not None for reference in given))
            out = x + 1
            given.append(weakref.ref(out))
            return out

    given: list[weakref.ref] = []
    network = nn.Network.sequential(*(Watch() for _ in range(6)))
    with torch.no_grad():
        network(torch.zeros(2, 2, 3))
        # the one that is read, whatever the depth
        assert max(alive) == 1
        outputs, _ = network.run(torch.zeros(2, 2, 3))
    assert set(outputs) == {"input", *network.nodes}
