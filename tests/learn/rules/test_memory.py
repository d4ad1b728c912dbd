"""What autograd keeps: the measurement against counts by hand, and each rule's claim about it."""

import pytest
import torch

from spikelab.learn.rules.memory import peak_kept, peak_kept_by


def test_a_product_keeps_its_factors_until_the_backward_pass():
    x, y = torch.randn(10, 4, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    held = {}

    def forward():
        held["out"] = x @ y

    assert peak_kept(forward) == 4 * (40 + 24)
    assert peak_kept(lambda: (x @ y).sum().backward(), existing=[y]) == 4 * 40


def test_memory_that_two_nodes_keep_counts_once_and_what_is_let_go_does_not_add_up():
    x = torch.randn(100, requires_grad=True)

    def work():
        for _ in range(3):
            y = x.exp()  # keeps its result
            (y * y).sum().backward()  # keeps the same twice

    assert peak_kept(work) == 400
    assert peak_kept(lambda: x.detach().exp()) == 0
    # a view that repeats its numbers is no larger than they are
    assert peak_kept(lambda: x[:1].expand(50).exp().sum().backward()) == 4 * 50
    assert peak_kept(lambda: (x[:1].expand(50) * torch.ones(())).sum().backward()) <= 4 + 4


def test_nothing_is_held_for_ever():
    x = torch.randn(100, requires_grad=True)
    from spikelab.learn.rules.memory import _Kept, _Ledger

    ledger = _Ledger(())
    with torch.autograd.graph.saved_tensors_hooks(ledger.keep, _Kept.give):
        for _ in range(2):
            out = x.sigmoid().tanh().sum()
            out.backward()
            del out
    assert ledger.bytes == 0
    assert not ledger.holders
    assert ledger.peak == 800


def test_memory_grows_with_the_number_of_steps_only_where_the_rule_says_so(rule_name, make_model, make_rule, batch):
    peaks = {}
    for steps in (12, 48):
        model = make_model("dense", steps=steps)
        peaks[steps] = peak_kept_by(make_rule(rule_name, model), batch)
        assert all(parameter.grad is None for parameter in model.parameters())
    growth = peaks[48] / peaks[12]
    if make_rule(rule_name, make_model("dense")).memory_grows_with_time:
        assert growth > 3, peaks
    else:
        # what is kept of each step's logits at most
        assert growth < 1.1, peaks


@pytest.mark.parametrize(("window", "part"), [(6, 1 / 8), (12, 1 / 4), (48, 1)])
def test_truncation_keeps_its_window(window, part, make_model, make_rule, batch):
    model = make_model("dense", steps=48)
    whole = peak_kept_by(make_rule("bptt", model), batch)
    assert peak_kept_by(make_rule("truncated_bptt", model, window=window), batch) == pytest.approx(
        part * whole, rel=0.1
    )


def test_local_rules_keep_a_layer_at_a_time(make_model, make_rule, batch):
    wide = {"hidden": (40, 40, 40, 40)}
    peaks = {
        name: peak_kept_by(make_rule(name, make_model("dense", **wide)), batch)
        for name in ("bptt", "lls", "target_projection", "direct_feedback")
    }
    assert peaks["direct_feedback"] > 0.9 * peaks["bptt"]
    assert max(peaks["lls"], peaks["target_projection"]) < peaks["bptt"] / 2.5
