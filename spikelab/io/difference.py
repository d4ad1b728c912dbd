"""Where two runs of the same network first part, and the likely cause.

Used wherever two things should compute the same: float against integer, ours against another framework's, Python
against C. The cause is not guessed from the place alone: each hypothesis of ``difference_causes`` is tried on the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikelab.io.difference_causes import Evidence, likely_cause

#: A run: layer -> [T, B, ...], or layer -> {state: [T, B, ...]}; arrays or tensors, of integers or floats.
Run = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """The first place where two runs differ.

    ``str(difference)`` is a text for people.

    Attributes:
        layer: the first layer in the graph's order among those that differ at the earliest step.
        state: which of its states, "" where the run has one array a layer.
        step: the earliest step at which anything differs.
        sample: within the batch.
        neuron: index within the sample, such as (channel, row, column).
        left: the left run's value there.
        right: the right run's value there.
        count: how many values differ in all layers and steps.
        compared: how many were compared.
        by_layer: layer -> how many of its values differ; layers without a difference are left out.
        cause: the kind of the likely cause: one of ``difference_causes.CAUSES``, or "unknown".
        explanation: what was found when that cause was tested, in words.
        names: what the two runs are called.
    """

    layer: str
    state: str
    step: int
    sample: int
    neuron: tuple[int, ...]
    left: float
    right: float
    count: int
    compared: int
    by_layer: Mapping[str, int]
    cause: str
    explanation: str
    names: tuple[str, str] = ("left", "right")

    def __str__(self) -> str:
        what = f"layer {self.layer!r}" + (f", state {self.state!r}" if self.state else "")
        neuron = str(self.neuron[0]) if len(self.neuron) == 1 else str(self.neuron)
        first, second = self.names
        others = ", ".join(f"{layer} {number}" for layer, number in self.by_layer.items())
        return (
            f"first difference: {what}, step {self.step}, sample {self.sample}, neuron {neuron}: "
            f"{first} {self.left:.9g}, {second} {self.right:.9g}\n"
            f"{self.count} of {self.compared} values differ ({others})\n"
            f"likely cause: {self.explanation}"
        )


def first_difference(
    left: Run,
    right: Run,
    order: Sequence[str] | None = None,
    tolerance: float = 0.0,
    thresholds: Mapping[str, Any] | None = None,
    names: tuple[str, str] = ("left", "right"),
) -> Difference | None:
    """Finds the first value that differs between two runs, and tests what may have caused it.

    Args:
        left: layer -> [T, B, ...] or {state: [T, B, ...]}. Among a layer's states, "spike" (or "spikes") is the spike
            train; the others are membranes and currents, as they stand at the end of a step.
        right: the same layers and states in the same shapes.
        order: layers in the graph's order, each before those that it feeds; None takes the left run's.
        tolerance: largest difference that counts as none.
        thresholds: layer -> spike threshold (a number, or an array that broadcasts to the neurons), so that a value
            equal to the threshold can be told from other causes.
        names: what the runs are called in the text.

    Returns:
        None where all values agree. Two NaN agree; a NaN and a number do not.

    Raises:
        ValueError: if the runs have other layers, states or shapes, or an array lacks time and batch.
    """
    if not tolerance >= 0:
        raise ValueError(f"first_difference: tolerance = {tolerance!r} must be >= 0")
    pairs = _aligned(left, right, order, names)
    found: dict[str, int] = {}
    compared, first = 0, None
    for place, (layer, states) in enumerate(pairs.items()):
        for state, (a, b) in states.items():
            differs = _differs(a, b, tolerance)
            compared += a.size
            number = int(np.count_nonzero(differs))
            if not number:
                continue
            found[layer] = found.get(layer, 0) + number
            step = int(differs.reshape(len(a), -1).any(1).argmax())
            if first is None or step < first[0]:
                first = (step, place, layer, state, differs)
    if first is None:
        return None
    step, _, layer, state, differs = first
    sample, *neuron = (int(i) for i in np.argwhere(differs[step])[0])
    a, b = pairs[layer][state]
    threshold = None if thresholds is None or layer not in thresholds else _array(thresholds[layer])
    evidence = Evidence(pairs[layer], state, step, (sample, *neuron), tolerance, threshold, names)
    cause, explanation = likely_cause(evidence)
    where = (step, sample, *neuron)
    values = a[where].item(), b[where].item()
    number = sum(found.values())
    return Difference(
        layer, state, step, sample, tuple(neuron), *values, number, compared, found, cause, explanation, names
    )


def _differs(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    if a.dtype.kind == "i" and tolerance == 0:
        return a != b
    with np.errstate(invalid="ignore"):
        # written so that a NaN on one side, whose distance is NaN, counts as different
        near = (a == b) | (np.abs(a - b) <= tolerance)
    return ~(near | (np.isnan(a) & np.isnan(b)))


def _array(value: Any) -> NDArray[Any]:
    """As float64, or int64 for whole numbers and truth values."""
    value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    return value.astype(np.int64) if value.dtype.kind in "biu" else value.astype(np.float64)


def _states(value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    items = value.items() if isinstance(value, Mapping) else [("", value)]
    for state, array in items:
        yield str(state), _array(array)


def _aligned(
    left: Run, right: Run, order: Sequence[str] | None, names: tuple[str, str]
) -> dict[str, dict[str, tuple[NDArray[Any], NDArray[Any]]]]:
    """Layer -> state -> both arrays, in order."""
    problems = []
    for (mine, run), (other, against) in (((names[0], left), (names[1], right)), ((names[1], right), (names[0], left))):
        if missing := [layer for layer in run if layer not in against]:
            problems.append(f"{other} lacks the layers {', '.join(missing)} that {mine} has")
    chosen = list(left) if order is None else list(order)
    if unknown := [layer for layer in chosen if layer not in left]:
        problems.append(f"order names {', '.join(unknown)}; {names[0]} has {', '.join(left)}")
    pairs: dict[str, dict[str, tuple[NDArray[Any], NDArray[Any]]]] = {}
    for layer in chosen:
        if layer not in left or layer not in right:
            continue
        a, b = dict(_states(left[layer])), dict(_states(right[layer]))
        if set(a) != set(b):
            problems.append(f"layer {layer!r}: {names[0]} has the states {sorted(a)}, {names[1]} {sorted(b)}")
            continue
        for state, array in a.items():
            what = f"layer {layer!r}" + (f", state {state!r}" if state else "")
            if array.shape != b[state].shape:
                problems.append(f"{what}: shapes {list(array.shape)} and {list(b[state].shape)} differ")
            elif array.ndim < 2:
                problems.append(f"{what}: shape {list(array.shape)} must be [T, B, ...], time first")
            else:
                pairs.setdefault(layer, {})[state] = _same_kind(array, b[state])
    if problems:
        raise ValueError("first_difference: the runs cannot be compared:\n  " + "\n  ".join(problems))
    return pairs


def _same_kind(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return (a, b) if a.dtype == b.dtype else (a.astype(np.float64), b.astype(np.float64))
