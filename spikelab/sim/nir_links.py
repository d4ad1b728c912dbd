"""What NIR's connections stand for: which element of a signal reaches which, with which weight, how many steps later.

Elements are counted in the order of their array (C order), so a flatten changes nothing. A convolution or a pooling is
found by index arithmetic along each axis; no dense matrix is ever made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.io.nir_graph import Node
from spikelab.sim.wiring.limits import MOST_SYNAPSES, free_memory

#: Most bytes of a link while maps are joined and sorted.
_BYTES_A_LINK = 96


@dataclass(frozen=True, eq=False)
class Links:
    """A linear map with delays, as its entries.

    Attributes:
        sources: element that sends, int64 [links].
        targets: element that is reached, int64 [links].
        weights: float64 [links].
        steps: delay in time steps, int64 [links], or one for all, [].
        plain: whether each element only reaches the same element of the other side, unchanged and at once.
    """

    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    steps: np.ndarray
    plain: bool = False

    def __len__(self) -> int:
        return int(self.sources.size)

    def later(self, steps: np.ndarray | int) -> Links:
        """The same, so many steps later: one number, or one for each target element."""
        more = np.asarray(steps, np.int64)
        if not more.any():
            return self
        return Links(self.sources, self.targets, self.weights, self.steps + _at(more, self.targets))

    def scaled(self, factors: np.ndarray) -> Links:
        """The same, multiplied by a factor for each target element, or one for all; a factor of zero cuts it."""
        weights = self.weights * _at(factors, self.targets)
        kept = np.flatnonzero(weights)
        return Links(self.sources[kept], self.targets[kept], weights[kept], _at(self.steps, kept))

    def applied(self, values: np.ndarray, size: int) -> np.ndarray:
        """What constant values become, float64 [size]; delays are left out of account."""
        return np.bincount(self.targets, self.weights * values[self.sources], minlength=size)

    def merged(self) -> Links:
        """Links between the same two elements with the same delay as one, and none of weight zero."""
        if not len(self):
            return self
        # one number for the two ends and the delay sorts much faster than three; stable, so sums never change
        sizes = [int(each.max()) + 1 for each in (self.sources, self.targets, self.steps)]
        if math.prod(sizes) < 1 << 63:
            key = (self.sources * sizes[1] + self.targets) * sizes[2] + self.steps
            order = np.argsort(key, kind="stable")
            fresh = np.diff(key[order]) != 0
        else:
            ends = [np.broadcast_to(each, self.sources.shape) for each in (self.steps, self.targets, self.sources)]
            order = np.lexsort(ends)
            fresh = np.any([np.diff(each[order]) != 0 for each in ends], axis=0)
        first = np.flatnonzero(np.concatenate([[True], fresh]))
        weights = np.add.reduceat(self.weights[order], first)
        kept = order[first[weights != 0]]
        return Links(self.sources[kept], self.targets[kept], weights[weights != 0], _at(self.steps, kept))

    def followed_by(self, other: Links) -> Links:
        """First this, then the other: every way through the elements between.

        Raises:
            ValueError: for more links than can be held.
        """
        if self.plain:
            return other
        if not len(self):
            return self
        counts = np.bincount(other.sources, minlength=int(self.targets.max()) + 1)
        starts = np.cumsum(counts) - counts
        fan = counts[self.targets]
        total = int(fan.sum())
        check_count(total)
        before = np.repeat(np.arange(len(self)), fan)
        within = np.arange(total) - np.repeat(np.cumsum(fan) - fan, fan)
        after = np.argsort(other.sources, kind="stable")[starts[self.targets[before]] + within]
        weights = self.weights[before] * other.weights[after]
        steps = _at(self.steps, before) + _at(other.steps, after)
        found = Links(self.sources[before], other.targets[after], weights, steps)
        # where each element goes one way only, as in a pooling whose windows do not overlap, no two ways can meet
        return found if int(np.bincount(self.sources).max()) == 1 else found.merged()


def _at(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    return values if values.ndim == 0 else values[places]


def check_count(links: int, what: str = "synapses") -> None:
    """Refuses more links than one projection (or neurons than one population), or the memory, can hold.

    Raises:
        ValueError: with the number and the limit.
    """
    if links > MOST_SYNAPSES:
        raise ValueError(
            f"it stands for {links:.4g} {what}, more than the {MOST_SYNAPSES} that can be together; split it"
        )
    free = free_memory() if links > 1 << 20 else None
    if free is not None and links * _BYTES_A_LINK > free:
        raise ValueError(
            f"it stands for {links:.4g} {what}, which take {links * _BYTES_A_LINK / 1e9:.3g} GB to find, and "
            f"{free / 1e9:.3g} GB of memory are free"
        )


def identity(size: int) -> Links:
    """Each element reaches itself."""
    check_count(size, "neurons")
    places = np.arange(size, dtype=np.int64)
    return Links(places, places, np.ones(size), np.zeros((), np.int64), plain=True)


def joined(first: Links, second: Links) -> Links:
    """Both at once: what arrives is summed."""
    steps = first.steps
    if first.steps.ndim or second.steps.ndim or first.steps != second.steps:
        steps = np.concatenate([np.broadcast_to(each.steps, len(each)) for each in (first, second)])
    return Links(
        np.concatenate([first.sources, second.sources]),
        np.concatenate([first.targets, second.targets]),
        np.concatenate([first.weights, second.weights]),
        steps,
    ).merged()


def links_of(node: Node, arriving: tuple[int, ...], leaving: tuple[int, ...]) -> Links:
    """The links of a Linear, Affine, Conv1d, Conv2d, SumPool2d or AvgPool2d.

    Args:
        node: the node.
        arriving: shape of what it gets.
        leaving: shape of what it gives.

    Raises:
        ValueError: for more links than can be held.
    """
    fields = node.fields
    match node.kind:
        case "Linear" | "Affine":
            targets, sources = np.nonzero(fields["weight"])
            weights = fields["weight"][targets, sources].astype(np.float64)
            return Links(sources, targets, weights, np.zeros((), np.int64))
        case "SumPool2d" | "AvgPool2d":
            kernel = fields["kernel_size"]
            # padding counts as pixels of value zero
            one = 1.0 if node.kind == "SumPool2d" else 1.0 / math.prod(kernel)
            weight = np.broadcast_to(np.array(one), (arriving[0], 1, *kernel))
            return _windows(weight, arriving, leaving, fields, (1, 1), arriving[0])
    return _windows(fields["weight"], arriving, leaving, fields, fields["dilation"], fields["groups"])


def _windows(
    weight: np.ndarray,
    arriving: tuple[int, ...],
    leaving: tuple[int, ...],
    fields: dict[str, Any],
    dilation: tuple[int, ...],
    groups: int,
) -> Links:
    """Every tap of a window at every place where it lies on the signal and not on padding."""
    outputs, per_group = weight.shape[:2]
    axes = [
        _taps(*sizes, _before(fields["padding"], axis, sizes[1], dilation[axis]))
        for axis, sizes in enumerate(
            zip(arriving[1:], weight.shape[2:], leaving[1:], fields["stride"], dilation, strict=True)
        )
    ]
    check_count(outputs * per_group * math.prod(taps[0].size for taps in axes))
    # a line is an image of one row
    rows, columns = axes if len(axes) == 2 else ((np.zeros(1, np.int64),) * 3, axes[0])
    image = weight if len(axes) == 2 else weight[:, :, None]
    values = image[:, :, rows[0][:, None], columns[0][None, :]]
    out, channel, row, column = np.nonzero(values)
    wide_in, wide_out = arriving[-1], leaving[-1]
    high_in, high_out = math.prod(arriving[1:-1]), math.prod(leaving[1:-1])
    sender = out // (outputs // groups) * per_group + channel
    return Links(
        (sender * high_in + rows[2][row]) * wide_in + columns[2][column],
        (out * high_out + rows[1][row]) * wide_out + columns[1][column],
        values[out, channel, row, column].astype(np.float64),
        np.zeros((), np.int64),
    )


def _before(padding: Any, axis: int, window: int, dilation: int) -> int:
    """Padding before the first pixel."""
    if padding == "same":
        return dilation * (window - 1) // 2
    return 0 if padding == "valid" else int(padding[axis])


def _taps(
    size: int, window: int, places: int, stride: int, dilation: int, before: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(tap, place of the window, pixel that lies under it) along one axis, wherever there is a pixel."""
    check_count(window * places)
    tap = np.repeat(np.arange(window, dtype=np.int64), places)
    place = np.tile(np.arange(places, dtype=np.int64), window)
    pixel = place * stride + tap * dilation - before
    inside = (pixel >= 0) & (pixel < size)
    return tap[inside], place[inside], pixel[inside]
