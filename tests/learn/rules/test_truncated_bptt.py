"""Truncated backpropagation through time: against the whole, and against a truncation written out."""

import pytest
import torch
from torch import nn

from spikelab.nn import BatchNorm1d
from spikelab.nn.state import detach_state


def gradients(rule, model, batch):
    total, _ = rule.measure(model, batch)
    rule.write(1.0)
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return total, found


@pytest.mark.parametrize("kind", ["dense", "convolutional", "ordinary"])
@pytest.mark.parametrize("window", [6, 100])
def test_a_window_of_all_steps_is_backpropagation_through_time(kind, window, make_model, make_rule, batch):
    model = make_model(kind).eval()
    total, found = gradients(make_rule("truncated_bptt", model, window=window), model, batch)
    expected_total, expected = gradients(make_rule("bptt", model), model, batch)
    assert total == expected_total
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("decision", ["mean", "max", "last"])
@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_shorter_window_is_a_graph_that_is_cut_between_windows(window, decision, make_model, make_rule, batch):
    model = make_model("dense", decision=decision)
    total, found = gradients(make_rule("truncated_bptt", model, window=window), model, batch)
    outputs, state = [], None
    for part in model.encode(batch).split(window):
        out, state = model.network(part, state)
        state = detach_state(state)
        outputs.append(out)
    loss = nn.functional.cross_entropy(model.decode(torch.cat(outputs)), batch["label"], reduction="sum")
    loss.backward()
    torch.testing.assert_close(total, loss.detach())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-5, atol=1e-6)
    model.zero_grad()
    _, whole = gradients(make_rule("bptt", model), model, batch)
    # where every maximum lies within the first window nothing is cut off
    assert decision == "max" or not torch.allclose(
        found["network.nodes.hidden1_weights.weight"], whole["network.nodes.hidden1_weights.weight"]
    )


def test_the_first_run_leaves_no_trace(make_model, make_rule, batch):
    """Dropout draws once, and normalisation counts each window once."""
    model = make_model("dense")
    model.network.nodes["hidden1_weights"] = nn.Sequential(
        model.network.nodes["hidden1_weights"], BatchNorm1d(20), nn.Dropout(0.5)
    )
    model.train()
    torch.manual_seed(7)
    total, found = gradients(make_rule("truncated_bptt", model, window=2), model, batch)
    norm = model.network.nodes["hidden1_weights"][1]
    assert norm.num_batches_tracked == 3
    after = torch.rand(3)
    norm.reset_running_stats()
    torch.manual_seed(7)
    outputs, state = [], None
    for part in model.encode(batch).split(2):
        out, state = model.network(part, state)
        state = detach_state(state)
        outputs.append(out)
    assert torch.equal(torch.rand(3), after)
    loss = nn.functional.cross_entropy(model.decode(torch.cat(outputs)), batch["label"], reduction="sum")
    loss.backward()
    assert torch.equal(total, loss.detach())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-5, atol=1e-6)


def test_a_window_without_steps(make_model, make_rule):
    with pytest.raises(ValueError, match="rule 'truncated_bptt': window = 0 must be at least 1 step"):
        make_rule("truncated_bptt", make_model("dense"), window=0)
