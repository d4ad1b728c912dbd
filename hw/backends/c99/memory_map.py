"""What a network takes of a microcontroller: flash, RAM and operations, and why the types are what they are."""

from __future__ import annotations

from typing import Any

from spikelab.hw.backends.c99.fields import state_bytes, structs
from spikelab.hw.backends.c99.layout import Plan, PopulationPlan
from spikelab.hw.backends.c99.print_source import PrintedNetwork
from spikelab.hw.neuron import MESSAGE
from spikelab.hw.ranges import declared_messages


def memory_map(plan: Plan, printed: PrintedNetwork) -> dict[str, Any]:
    """Bytes and operations, for a machine that aligns each type to its own size. Code is not counted."""
    connections = []
    for link, text in printed.links:
        c = link.connection
        connections.append(
            {
                "source": c.source,
                "target": c.target,
                "port": c.port,
                "function": link.name,
                "storage": text.storage,
                "flash_bytes": text.flash,
                "delay": link.why,
                "sums": f"{link.sums.ctype}: {link.sums.extent[0]} to {link.sums.extent[1]}"
                + (f", each counts {1 << link.sums.scale}" if link.sums.scale else ""),
                "fan_out_at_most": text.largest_fan_out,
                "additions_at_most": text.operations,
            }
        )
    silent = [
        {"source": c.source, "target": c.target, "why": "its weights or its source make it deliver nothing but 0"}
        for c in plan.graph.connections
        if not any(link.connection is c for link in plan.links)
    ]
    weights = sum(p.flash for _, p in printed.links)
    parameters = sum(n.flash for n in printed.neurons.values())
    return {
        "flash": {"weights_bytes": weights, "parameters_bytes": parameters, "bytes": weights + parameters},
        "ram": {"bytes": state_bytes(plan), "parts": _ram(plan)},
        "operations_at_most": {
            "additions": sum(p.operations for _, p in printed.links),
            "neuron_updates": sum(p.population.size for p in plan.populations.values()),
        },
        "connections": connections,
        "left_out": silent,
        "populations": {name: _population(p) for name, p in plan.populations.items()},
        "checked_at_run_time": [f"{n}: {what}" for n, p in plan.populations.items() for what in p.checked],
    }


def _ram(plan: Plan) -> dict[str, dict[str, int]]:
    found = {}
    for name, fields in structs(plan).items():
        parts = dict.fromkeys(("state", "sums", "events", "awake"), 0)
        for f in fields:
            parts[f.purpose] += f.bytes
        found[name] = parts
    return found


def _population(p: PopulationPlan) -> dict[str, Any]:
    states = {}
    for name, ctype in p.states.items():
        low, high = p.ranges.states[name]
        why = "assumed, looked after in every step: no equation bounds it" if name in p.ranges.unbounded else "proven"
        states[name] = {"type": ctype, "low": low, "high": high, "why": why}
    low, high = p.source.message
    why = "declared, looked after in every step" if MESSAGE in p.checked else "proven"
    if MESSAGE not in p.checked and (low, high) == declared_messages(p.population.neuron):
        why = "proven, as declared"
    return {
        "neuron": p.population.neuron.name,
        "size": p.population.size,
        "states": states,
        "message": {"type": p.source.value_type or "none: a spike is one", "low": low, "high": high, "why": why},
        "skips": "all neurons: nothing ever happens"
        if p.ranges.idle
        else "neurons that rest"
        if p.sleeps
        else "none: its equations depend on the number of the step",
    }
