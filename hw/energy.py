"""Energy of an integer graph, modelled from counted operations and published costs. Modelled is not measured."""

from __future__ import annotations

from typing import Any

from spikelab.hw.operation_counts import Counts, LayerCounts, operation_counts
from spikelab.nn.operation_costs import TABLES, Cost, CostTable, cost_table, sources

__all__ = ["TABLES", "Counts", "LayerCounts", "cost_table", "modelled_energy", "operation_counts"]

_RANGE = ("low", "typical", "high")


def modelled_energy(counts: Counts, table: str | CostTable, event_driven: bool = True) -> dict[str, Any]:
    """What the counted operations of one sample would cost.

    Args:
        counts: from ``operation_counts``.
        table: name of a cost table, or one of one's own.
        event_driven: whether only awake neurons are updated and have their state moved; else all are, at each step. A
            table with a cost of neurons at rest is of hardware that visits them all, and charges them for it.

    Returns:
        ``kind`` ("modelled"), the table's ``name`` and ``title``, ``sources`` of each cost, ``left_out``, ``notes``;
        ``joule_per_sample`` and ``layers`` (population -> operation -> joule per sample), each with low, typical, high.

    Raises:
        ValueError: for an unknown table; lists the known ones.
    """
    costs = cost_table(table) if isinstance(table, str) else table
    layers = {
        name: {
            what: _joules(cost, number / max(counts.samples, 1))
            for what, cost, number in _priced(layer, costs, event_driven)
        }
        for name, layer in counts.layers.items()
    }
    total = {end: sum(joule[end] for layer in layers.values() for joule in layer.values()) for end in _RANGE}
    notes = []
    if counts.total("graded_operations") and costs.multiply_accumulate is None:
        notes.append(
            "no cost of a graded message is published; they are taken for plain accumulates, which is too little"
        )
    return {
        "kind": "modelled",
        "table": costs.name,
        "title": costs.title,
        "steps_per_sample": counts.steps,
        "event_driven": event_driven,
        "joule_per_sample": total,
        "layers": layers,
        "sources": sources(costs),
        "left_out": costs.left_out,
        "notes": notes,
    }


def _priced(layer: LayerCounts, costs: CostTable, event_driven: bool) -> list[tuple[str, Cost, int]]:
    """(operation, its cost, how many over all samples)."""
    # hardware that visits neurons at rest does so whoever asks
    some = event_driven or costs.resting_update is not None
    found = [
        ("synaptic_operations", costs.accumulate, layer.synaptic_operations),
        ("graded_operations", costs.multiply_accumulate or costs.accumulate, layer.graded_operations),
        (
            "awake_updates" if some else "membrane_updates",
            costs.awake_update,
            layer.awake_updates if some else layer.membrane_updates,
        ),
        ("resting_updates", costs.resting_update, layer.membrane_updates - layer.awake_updates),
        ("weight_bytes", costs.weight_byte, layer.weight_bytes),
        ("state_bytes", costs.state_byte, layer.awake_state_bytes if event_driven else layer.state_bytes),
    ]
    return [(what, cost, number) for what, cost, number in found if cost is not None]


def _joules(cost: Cost, number: float) -> dict[str, float]:
    return {end: getattr(cost, end) * number for end in _RANGE}
