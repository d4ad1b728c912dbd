"""What a NIR graph leaves open: as the caller wants it, and as spikelab noted it when it wrote the graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikelab.io.nir_graph import Node

#: How far a delay may be from whole steps: single precision rounds, but no more than this.
_STEP_ERROR = 1e-3


@dataclass
class Notes:
    """What spikelab noted when it wrote the graph."""

    neurons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    order: list[str] | None = None
    dt: float | None = None


def notes_of(metadata: Mapping[str, Any], problems: list[str]) -> Notes:
    """What a graph's metadata hold of it; adds to the problems what is damaged."""
    text = metadata.get("spikelab")
    if text is None:
        return Notes()
    try:
        noted = json.loads(text)
        neurons, order, dt = noted["neurons"], noted.get("order"), noted.get("dt")
        sound = isinstance(neurons, dict) and all(map(_is_neuron, neurons.values()))
        if not sound or not (order is None or all(isinstance(name, str) for name in order)):
            raise TypeError("not what spikelab writes")
        return Notes(neurons, order, None if dt is None else float(dt))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problems.append(f"metadata 'spikelab' is damaged ({error}); delete it and pass dt")
        return Notes()


def _is_neuron(entry: Any) -> bool:
    kinds = {"dt": int | float, "method": str, "input_form": str, "reset": str}
    return isinstance(entry, dict) and all(isinstance(entry[name], kinds[name]) for name in set(kinds) & set(entry))


@dataclass(frozen=True)
class Reading:
    """What a NIR graph leaves open, as the caller wants it, and as spikelab noted it for each node."""

    dt: float | None = None
    method: str | None = None
    reset: str = "value"
    input_form: str | None = None
    neurons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    noted_dt: float | None = None


def delay_steps(delay: np.ndarray, dt: float) -> np.ndarray:
    """Delays in seconds as whole steps, float64.

    Raises:
        ValueError: for a delay that is none.
    """
    steps = delay.astype(np.float64) / dt
    whole = np.round(steps)
    wrong = np.abs(steps - whole) > _STEP_ERROR
    if wrong.any():
        first = float(delay[wrong].flat[0])
        raise ValueError(
            f"delay = {first:g} s is {first / dt:g} steps of dt = {dt:g} s, but must be whole steps; the nearest is "
            f"{round(first / dt) * dt:g} s"
        )
    return whole


def reset_of(node: Node, noted: Mapping[str, Any], reading: Reading) -> str:
    """How a spiking node is reset: "value", "subtract" or whatever its file says.

    Raises:
        ValueError: for a reset by subtraction of neurons that are to be reset to a value.
    """
    said = noted.get("reset") or node.metadata.get("reset")
    reset = said if isinstance(said, str) else reading.reset
    v_reset = node.fields["v_reset"]
    if reset == "subtract" and v_reset is not None and np.any(v_reset != 0):
        raise ValueError(
            f"v_reset = {v_reset[v_reset != 0].flat[0]:g} has no meaning for a reset by subtraction; set it to 0"
        )
    return reset
