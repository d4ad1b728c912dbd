"""Hypotheses about why two runs differ, each tested on the values themselves.

A test gets the layer in which the runs first part, so its input is still the same on both sides. It answers with an
explanation that holds the figures found, or with None. The first that fits wins; the order is from the most to the
least specific.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_SPIKES = ("spike", "spikes")
#: A hypothesis must leave at most this share of the differences unexplained.
_LEFT_OVER = 0.05


@dataclass(frozen=True)
class Evidence:
    """What a hypothesis can look at.

    Attributes:
        states: state -> the left and right values [T, B, ...] of the layer; "" for a run with one array a layer.
        state: the one that differs first.
        step: the first step that differs.
        index: (sample, neuron ...) of the first value that differs.
        tolerance: largest difference that counts as none.
        threshold: the layer's, if known.
        names: what the runs are called.
    """

    states: Mapping[str, tuple[Array, Array]]
    state: str
    step: int
    index: tuple[int, ...]
    tolerance: float
    threshold: Array | None
    names: tuple[str, str]

    @property
    def values(self) -> tuple[Array, Array]:
        """Both sides of the state that differs first, [T, neurons] (the batch counts as neurons)."""
        return _flat(self.states[self.state])

    @property
    def spikes(self) -> tuple[Array, Array] | None:
        """Both spike trains [T, neurons]: the state "spike", or else the only array if it holds just 0 and 1."""
        for name in _SPIKES:
            if name in self.states:
                return _flat(self.states[name])
        return self.values if self.differs_in_spikes else None

    @property
    def differs_in_spikes(self) -> bool:
        """Whether what differs first is a spike train."""
        return self.state in _SPIKES or (len(self.states) == 1 and all(_is_train(v) for v in self.values))

    @property
    def column(self) -> int:
        """The place of the first difference among [neurons]."""
        return int(np.ravel_multi_index(self.index, self.states[self.state][0].shape[1:]))

    def differing(self, a: Array, b: Array) -> Array:
        """Where two arrays differ by more than the tolerance."""
        return ~(np.abs(a - b) <= self.tolerance) & ~(np.isnan(a) & np.isnan(b))


def likely_cause(evidence: Evidence) -> tuple[str, str]:
    """The kind and the explanation of the first hypothesis that fits; ("unknown", ...) if none does."""
    for kind, test in CAUSES.items():
        explanation = test(evidence)
        if explanation is not None:
            return kind, explanation
    return "unknown", f"none of those tested fits ({', '.join(CAUSES)})"


def _flat(pair: tuple[Array, Array]) -> tuple[Array, Array]:
    return pair[0].reshape(len(pair[0]), -1), pair[1].reshape(len(pair[1]), -1)


def _is_train(values: Array) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _not_finite(e: Evidence) -> str | None:
    for name, side in zip(e.names, e.values, strict=True):
        if not np.isfinite(side[e.step, e.column]):
            return f"{name} is not finite ({side[e.step, e.column]}): an overflow or a division by zero before it"
    return None


def _silent(e: Evidence) -> str | None:
    a, b = e.values
    for name, mine, other in ((e.names[0], a, b), (e.names[1], b, a)):
        if not mine.any() and other.any():
            return f"the layer is silent in {name}: all {mine.size} values are 0; its input or its weights are lost"
    return None


def _rounding(e: Evidence) -> str | None:
    a, b = e.values
    if a.dtype.kind == "i" or e.differs_in_spikes:
        return None
    scale = max(float(np.nanmax(np.abs(a))), float(np.nanmax(np.abs(b))))
    largest = float(np.nanmax(np.abs(a - b)))
    if largest > 1e-5 * scale:
        return None
    return (
        f"rounding: the largest difference is {largest / scale:.1e} of the largest value; run both in float64, or pass "
        f"tolerance={2 * largest:.1e}"
    )


def _shift(e: Evidence) -> str | None:
    a, b = e.values
    now = np.count_nonzero(e.differing(a, b))
    for steps in (1, -1, 2, -2, 3, -3):
        early, late = (a, b) if steps > 0 else (b, a)
        k = abs(steps)
        if len(a) <= k + 1 or not early[:-k].any():
            continue
        left_over = np.count_nonzero(e.differing(early[:-k], late[k:]))
        if left_over <= _LEFT_OVER * now:
            later, other = (e.names[1], e.names[0]) if steps > 0 else e.names
            rest = "all values" if not left_over else f"all but {left_over} values"
            return f"{later} runs {k} step{'s' if k > 1 else ''} later than {other}: so shifted, {rest} agree"
    return None


def _scale(e: Evidence) -> str | None:
    a, b = (side.astype(np.float64) for side in e.values)
    if e.differs_in_spikes:
        return None
    spikes = e.spikes
    kept = np.ones(a.shape, bool)
    if spikes is not None:
        # after its first spike a neuron with another scale but the same threshold goes its own way
        kept = np.cumsum((spikes[0] != 0) | (spikes[1] != 0), 0) == 0
    a, b = a[kept], b[kept]
    used = (a != 0) & np.isfinite(a) & np.isfinite(b)
    if np.count_nonzero(used) < 3 or len(np.unique(np.abs(a[used]))) < 3:
        return None
    factor = float(a[used] @ b[used] / (a[used] @ a[used]))
    # whole numbers were rounded at each step on the way; some roundings are no evidence against a scale
    rounded = [1.5 * size if bool((v == np.round(v)).all()) else 0.0 for v, size in ((a, abs(factor)), (b, 1.0))]
    spread = float(np.abs(b).max())
    slack = sum(rounded) + (0.01 if any(rounded) else 1e-5) * spread
    if abs(factor - 1) < 1e-4 or spread <= 4 * slack or float(np.abs(b - factor * a).max()) > slack:
        return None
    power = np.log2(abs(factor)) if factor else 0.5
    named = f" (2^{round(power)})" if abs(power - round(power)) < 1e-4 and round(power) else ""
    return f"a constant scale: {e.names[1]} = {factor:.6g}{named} x {e.names[0]} on {np.count_nonzero(used)} values"


def _integer_range(e: Evidence) -> str | None:
    a, b = e.values
    if not all(np.isfinite(v).all() and bool((v == np.round(v)).all()) for v in (a, b)) or e.differs_in_spikes:
        return None
    wrong = e.differing(a, b)[e.step]
    many = np.count_nonzero(wrong)
    agreeing = (f"the {many} values that differ" if many > 1 else "the value") + f" at step {e.step} would agree"
    for free, bounded, name in ((a, b, e.names[1]), (b, a, e.names[0])):
        wide, narrow = free[e.step][wrong], bounded[e.step][wrong]
        for bits in range(4, 54):
            low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
            if not ((wide < low) | (wide > high)).all() or bounded.min() < low or bounded.max() > high:
                continue
            if (((wide - low) % 2**bits) + low == narrow).all():
                return f"{name} wraps around at {bits} bits ({low} to {high}): wrapped like it, {agreeing}"
            if (np.clip(wide, low, high) == narrow).all() or (np.clip(wide, -high, high) == narrow).all():
                return f"{name} saturates at {bits} bits ({low} to {high}): clipped like it, {agreeing}"
    return None


def _threshold_equality(e: Evidence) -> str | None:
    spikes = e.spikes
    membrane = next((s for s in e.states if s not in _SPIKES and s != ""), None)
    if spikes is None or membrane is None or e.threshold is None:
        return None
    fired = [bool(side[e.step, e.column]) for side in spikes]
    if fired[0] == fired[1]:
        return None
    # only the side that did not spike still shows the value that was tested
    quiet = fired.index(False)
    value = float(_flat(e.states[membrane])[quiet][e.step, e.column])
    shape = e.states[membrane][0].shape[1:]
    threshold = float(np.broadcast_to(e.threshold, shape).reshape(-1)[e.column])
    if value == threshold:
        return (
            f"the membrane equals the threshold {threshold:.9g}: {e.names[1 - quiet]} spikes at it (>=, or its "
            f"value was rounded up), {e.names[quiet]} only above it (>)"
        )
    if abs(value - threshold) <= 1e-5 * max(abs(threshold), 1e-30):
        return (
            f"the membrane lies within rounding of the threshold ({value:.9g} against {threshold:.9g}); "
            f"run both in float64"
        )
    return None


def _reset(e: Evidence) -> str | None:
    spikes = e.spikes
    if spikes is None:
        return None
    a, b = e.values
    wrong = e.differing(a, b)
    columns = np.flatnonzero(wrong.any(0))
    first = wrong[:, columns].argmax(0)
    both = (spikes[0] != 0) & (spikes[1] != 0)
    if e.differs_in_spikes:
        # spikes alone: each neuron agrees up to and with its first spike and differs some time after it
        before = np.array([both[:t, c].any() for t, c in zip(first, columns, strict=True)])
        # a wrong decay or gain moves first spikes too, if there are enough of them to see it
        if not before.all() or (len(columns) < 3 and _spike_drift(e) is not None):
            return None
        return (
            f"the reset: all {len(columns)} neurons that differ agree up to and with their first spike and part after "
            f"it; look at its kind (zero, subtract, value), a reset one step late, or a refractory time"
        )
    after = np.array([both[max(t - 1, 0) : t + 1, c].any() for t, c in zip(first, columns, strict=True)])
    if after.mean() < 1 - _LEFT_OVER or both[:, columns].mean() > 0.4:
        return None
    x, y = a[e.step, e.column], b[e.step, e.column]
    kind = _reset_kinds(float(x), float(y), e)
    return f"the reset: all {len(columns)} neurons that differ do so right after a spike of their own; {kind}"


def _reset_kinds(x: float, y: float, e: Evidence) -> str:
    if e.threshold is not None:
        shape = e.states[e.state][0].shape[1:]
        threshold = float(np.broadcast_to(e.threshold, shape).reshape(-1)[e.column])
        for zero, other, name, against in ((x, y, *e.names), (y, x, e.names[1], e.names[0])):
            if zero == 0 and other > threshold:
                return f"{name} is reset to zero in the step of the spike, {against} ({other:.6g}) not yet"
    for zero, other, name, against in ((x, y, *e.names), (y, x, e.names[1], e.names[0])):
        if zero == 0 and other != 0:
            return f"{name} is reset to zero, {against} keeps {other:.6g} (a subtraction, or another value)"
    return f"it leaves {x:.6g} in {e.names[0]} and {y:.6g} in {e.names[1]} (zero, subtract, value, or one step late)"


def _drift(e: Evidence) -> str | None:
    return _spike_drift(e) if e.differs_in_spikes else _membrane_drift(e)


def _membrane_drift(e: Evidence) -> str | None:
    a, b = (side.astype(np.float64) for side in e.values)
    spikes = e.spikes
    fired = np.zeros(a.shape, bool) if spikes is None else (spikes[0] != 0) | (spikes[1] != 0)
    wrong = e.differing(a, b)
    scale = float(np.nanmax(np.abs(a)))
    growth, longest, judged = [], 0, 0
    for column in np.flatnonzero(wrong.any(0)):
        first = int(wrong[:, column].argmax())
        later = np.flatnonzero(fired[first:, column])
        end = first + int(later[0]) if len(later) else len(a)
        gap = np.abs(a - b)[first:end, column]
        if len(gap) < 3:
            continue
        judged += 1
        if gap[0] <= 0.1 * scale and (gap > 0).all() and gap.max() > 1.5 * gap[0]:
            growth.append(gap.max() / gap[0])
            longest = max(longest, len(gap))
    if not growth or len(growth) < 0.8 * judged:
        return None
    return (
        f"slow drift: the membranes part a little and {np.median(growth):.2g} times as far within at most {longest} "
        f"steps without a spike; look at the decay (exp(-dt/tau) against 1 - dt/tau, dt), the gain or the rounding"
    )


def _spike_drift(e: Evidence) -> str | None:
    spikes = e.spikes
    assert spikes is not None
    apart, judged = 0, 0
    for left, right in zip(spikes[0].T, spikes[1].T, strict=True):
        times = [np.flatnonzero(train)[:50] for train in (left, right)]
        number = min(map(len, times))
        if number < 4:
            continue
        gaps = times[1][:number] - times[0][:number]
        judged += bool(gaps.any())
        steps = np.diff(np.abs(gaps))
        apart += bool(gaps.any() and abs(gaps[-1]) > abs(gaps[0]) and (steps >= -1).mean() > 0.9)
    if judged and apart >= 0.8 * judged:
        return (
            f"slow drift: the spike times of {apart} of {judged} neurons move ever further apart; look at the decay "
            f"(exp(-dt/tau) against 1 - dt/tau, dt), the gain or the threshold"
        )
    lead = np.cumsum(spikes[0] != 0, 0) - np.cumsum(spikes[1] != 0, 0)
    ahead, behind = np.count_nonzero(lead > 0), np.count_nonzero(lead < 0)
    if max(ahead, behind) < 0.95 * (ahead + behind) or np.count_nonzero((lead != 0).any(0)) < 3:
        return None
    first, counts = e.names[0 if ahead > behind else 1], [int(np.count_nonzero(s)) for s in spikes]
    return (
        f"slow drift: {first} is ahead in nearly every neuron that differs ({counts[0]} against {counts[1]} spikes); "
        f"look at the decay (exp(-dt/tau) against 1 - dt/tau, dt), the gain or the threshold"
    )


#: Kind of cause -> its test, from the most to the least specific.
CAUSES: dict[str, Callable[[Evidence], str | None]] = {
    "not finite": _not_finite,
    "silent layer": _silent,
    "rounding": _rounding,
    "shift": _shift,
    "integer range": _integer_range,
    "scale": _scale,
    "threshold equality": _threshold_equality,
    "reset": _reset,
    "drift": _drift,
}
