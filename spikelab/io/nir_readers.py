"""Which programs are known to read a NIR graph, and to make the same spikes of it.

Two sources: the table of supported primitives in NIR's documentation (read direction; January 2026, with Norse 1.1.0
and snnTorch 1.0.0 looked up in their source), and our own comparison of 21 November 2026: 8 neurons over 200 steps of
0.1 ms against forward Euler, for each reader and each form of neuron. What was not compared is called so, never "ok".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from spikelab.io.nir_graph import Graph, Node, flat_graph, tree_of

#: When the comparison was made, and when the table of primitives was current.
MEASURED_ON, PRIMITIVES_ON = "2026-11-21", "2026-01"
#: Versions that were compared. The others' spikes were not.
MEASURED = {
    "snnTorch": "1.0.0", "Norse": "1.1.0", "SpikingJelly": "2.0.0", "Sinabs": "3.1.3", "Rockpool": "3.1.0"
}  # fmt: skip

_ALL = ("hxtorch", "jaxsnn", "Lava", "Nengo", "Norse", "Rockpool", "Sinabs", "snnTorch", "SpiNNaker2", "Spyx")
_CONVOLVING = {"Lava", "Norse", "Sinabs", "snnTorch", "SpiNNaker2", "Spyx"}
#: Primitive -> who reads it. SpikingJelly stands in no table: what was compared is what is known.
PRIMITIVES: dict[str, set[str]] = {
    "Conv1d": {"Sinabs", "SpiNNaker2"},
    "Conv2d": _CONVOLVING,
    "Flatten": _CONVOLVING,
    "Affine": {*_ALL, "SpikingJelly"} - {"hxtorch", "jaxsnn"},
    "Linear": {*_ALL, "SpikingJelly"} - {"Nengo", "Sinabs"},
    "CubaLI": {"hxtorch"},
    "CubaLIF": {*_ALL, "SpikingJelly"} - {"Nengo", "Sinabs"},
    "IF": {*_CONVOLVING, "SpikingJelly"},
    "LI": {"Nengo", "Norse", "Rockpool", "Sinabs"},
    "LIF": {*_ALL, "SpikingJelly"} - {"hxtorch", "jaxsnn"},
    "AvgPool2d": {"snnTorch"},
    "SumPool2d": {"Lava", "Norse", "Sinabs", "SpiNNaker2", "Spyx"},
    **{kind: {"Spyx"} for kind in ("Delay", "Scale", "I", "Threshold")},
}

_OK = "ok"
_ROCKPOOL_LIF = "stops with an AttributeError: it asks a LIF for tau_mem"
_NORSE_R = "ignores r of a LIF and says so only in its log (3 spikes for 352)"
#: Form of a neuron -> reader -> "ok" where all spikes were equal, else what happened.
FORMS: dict[str, dict[str, str]] = {
    "LIF, r = tau/dt": {
        "snnTorch": _OK, "SpikingJelly": _OK, "Norse": _NORSE_R, "Rockpool": _ROCKPOOL_LIF,
        "Sinabs": "subtracts at a reset, takes tau in steps and ignores r (83 to 87 % of the steps equal)",
    },
    "LIF, r = 1": {
        "snnTorch": _OK, "SpikingJelly": _OK, "Norse": _OK, "Rockpool": _ROCKPOOL_LIF,
        "Sinabs": "subtracts at a reset, takes tau in steps and ignores r (5553 spikes)",
    },
    "LIF, v_leak not 0": {
        "snnTorch": "refuses it", "SpikingJelly": "refuses it unless v_leak = v_reset", "Sinabs": "refuses it",
        "Norse": "makes other spikes (77 % of the steps equal)", "Rockpool": _ROCKPOOL_LIF,
    },
    "LIF, v_reset not 0": {
        "snnTorch": "resets to 0 all the same, silently (352 spikes for 276)", "Norse": "makes other spikes",
        "SpikingJelly": "refuses it", "Sinabs": "ignores v_reset", "Rockpool": _ROCKPOOL_LIF,
    },
    "LIF, neurons that differ, r / tau alike": {
        "snnTorch": _OK, "Norse": "makes other spikes", "SpikingJelly": "refuses it", "Sinabs": "makes other spikes",
        "Rockpool": _ROCKPOOL_LIF,
    },
    "IF, r = 1/dt": {
        "Norse": _OK, "SpikingJelly": _OK, "snnTorch": "refuses an IF whose r is not 1", "Rockpool": "has no IF",
        "Sinabs": "makes other spikes (a lowest membrane potential, several spikes a step)",
    },
    "IF, r = 1": {
        "Norse": "makes other spikes (368 for none)", "SpikingJelly": "refuses it", "Sinabs": "makes other spikes",
        "snnTorch": "turns it into a leaky neuron (beta 0.9)", "Rockpool": "has no IF",
    },
    "CubaLIF, r = tau_mem/dt, w_in = tau_syn/dt": {
        "snnTorch": _OK, "Norse": _OK, "SpikingJelly": _OK, "Rockpool": "makes other spikes (2669 for 1166)",
        "Sinabs": "passes the input through: it does not know the neuron",
    },
    "CubaLIF, r = tau_mem/dt, w_in = 1": {
        "snnTorch": _OK, "Norse": _OK, "SpikingJelly": "refuses it", "Rockpool": "makes other spikes",
        "Sinabs": "passes the input through: it does not know the neuron",
    },
}  # fmt: skip


def known_readers(graph: nir.NIRGraph, dt: float | None = None) -> dict[str, str]:
    """What each reader is known to do with a graph.

    Args:
        graph: such as ``to_nir`` makes.
        dt: length of a step in seconds; None takes the graph's own note.

    Returns:
        reader -> "ok" if it reads every primitive and its spikes were equal to ours for each form of neuron here on
        ``MEASURED_ON``; else the reason that it is not known to, with the first node concerned.

    Raises:
        ValueError: for a graph that is none, with every problem.
    """
    flat, problems = flat_graph(tree_of(graph))
    if problems:
        raise ValueError("no sound NIR graph:\n  " + "\n  ".join(problems))
    step = dt if dt is not None else _noted_step(graph.metadata)
    return {reader: _reason(reader, flat, step) for reader in (*_ALL, "SpikingJelly")}


def _noted_step(metadata: Mapping[str, Any]) -> float | None:
    try:
        return float(json.loads(metadata["spikelab"])["dt"])
    except (KeyError, TypeError, ValueError):
        return None


def _reason(reader: str, graph: Graph, dt: float | None) -> str:
    unknown = ""
    for name, node in graph.nodes.items():
        if node.kind in ("Input", "Output"):
            continue
        if reader not in PRIMITIVES[node.kind]:
            told = "was not compared" if reader == "SpikingJelly" else f"is not read ({PRIMITIVES_ON})"
            return f"{name}: {node.kind} {told}"
        form = _form(node, dt)
        found = FORMS.get(form, {}).get(reader, f"{form}: was not compared")
        if node.metadata.get("reset") == "subtract":
            found = "is reset by subtraction, which only its metadata says"
        if form and found != _OK:
            if "not compared" not in found:
                return f"{name}: {found}"
            unknown = unknown or f"{name}: {found}"
    return unknown or _OK


def _form(node: Node, dt: float | None) -> str:
    """The row of ``FORMS`` that a neuron belongs to; "" for what is no neuron."""
    values = {name: np.asarray(value) for name, value in node.fields.items() if value is not None}
    if node.kind in ("I", "LI", "CubaLI"):
        return f"{node.kind}, any values"
    if node.kind not in ("IF", "LIF", "CubaLIF"):
        return ""
    for name in ("v_leak", "v_reset"):
        if np.any(values.get(name, 0) != 0):
            return f"{node.kind}, {name} not 0"
    if any(value.size > 1 and np.any(value != value.flat[0]) for value in values.values()):
        steady = node.kind == "LIF" and np.allclose(values["r"] / values["tau"], (values["r"] / values["tau"]).flat[0])
        return f"{node.kind}, neurons that differ" + (", r / tau alike" if steady else "")
    return f"{node.kind}, " + _gains(node.kind, {name: float(value.flat[0]) for name, value in values.items()}, dt)


def _gains(kind: str, values: Mapping[str, float], dt: float | None) -> str:
    def is_unit(name: str, tau: str) -> bool:
        return dt is not None and bool(np.isclose(values[name], values.get(tau, 1.0) / dt, rtol=1e-5))

    if kind == "CubaLIF":
        gain = "r = tau_mem/dt" if is_unit("r", "tau_mem") else "another r"
        other = "w_in = 1" if values["w_in"] == 1 else "another w_in"
        return f"{gain}, " + ("w_in = tau_syn/dt" if is_unit("w_in", "tau_syn") else other)
    unit = "r = 1/dt" if kind == "IF" else "r = tau/dt"
    if is_unit("r", "tau"):
        return unit
    return "r = 1" if values["r"] == 1 else "another r"
