"""Where sums wait for the step in which they arrive.

A sum that arrives later waits in the target, one slot a step ahead; or the source remembers what it sent, where that
takes less memory. A delay of one step takes no memory at all: it is delivered after all populations have stepped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spikelab.hw.backends.c99.integer_types import size_of
from spikelab.hw.backends.c99.layout import Link, Source, Sums
from spikelab.hw.backends.c99.stored import halvings
from spikelab.hw.connections import Connection, Dense
from spikelab.hw.intervals import Range
from spikelab.hw.ranges import delivered_range, sum_range


def make_sums(incoming: Sequence[Connection], messages: Mapping[str, Range]) -> list[Sums]:
    """One for all plain connections of a port, one for each whose whole sum is rounded or wrapped."""
    together: dict[str, list[tuple[int, Range]]] = {}
    found: list[Sums] = []
    for c in incoming:
        raw = sum_range(c, messages[c.source])
        delivered = delivered_range(c, raw)
        halved = halvings(c.weights.weight)
        rounds = halved + c.exponent < 0
        wraps = delivered != delivered_range(replace(c, wrap_bits=0), raw)
        if rounds or wraps:
            extent = (raw[0] >> halved, raw[1] >> halved)
            found.append(Sums(f"sum{len(found) + 1}_{c.port}", c.port, extent, halved, c, delivered))
        else:
            together.setdefault(c.port, []).append((halved + c.exponent, delivered))
    for port, given in together.items():
        scale = min(s for s, _ in given)
        low, high = sum(d[0] for _, d in given), sum(d[1] for _, d in given)
        found.append(Sums(f"sum_{port}", port, (low >> scale, high >> scale), scale, None, (low, high)))
    return found


@dataclass
class _Path:
    """A connection on its way to becoming a link."""

    connection: Connection
    sums: Sums
    delay: int
    each: np.ndarray | None
    remembers: bool

    @property
    def early(self) -> bool:
        """Whether some of it arrives in the step in which it is sent."""
        return self.delay == 0

    @property
    def ahead(self) -> int:
        """Slots that it needs, where sums wait in the target."""
        longest = self.delay + (0 if self.each is None else int(self.each.max()))
        return longest + 1 if self.early else longest


def make_links(
    incoming: Sequence[Connection], size: int, sums: Sequence[Sums], sources: Mapping[str, Source], first: int
) -> tuple[list[Link], int]:
    """How each connection into a population of ``size`` is delivered, and the number of slots that sums need.

    Args:
        incoming: connections with weights that are not all zero.
        size: neurons that receive.
        sums: from :func:`make_sums`.
        sources: name -> who sends; told how many steps to remember.
        first: number of the first link.
    """
    paths = []
    for c in incoming:
        own = [s for s in sums if s.connection is c]
        target = next(iter(own or [s for s in sums if s.port == c.port and s.connection is None]))
        path = _Path(c, target, *_delays(c), remembers=False)
        waiting = (path.ahead - 1) * size * size_of(target.ctype)
        remembered = path.delay * sources[c.source].size * sources[c.source].event_bytes
        path.remembers = path.each is None and path.delay > 1 and remembered < waiting
        paths.append(path)
    for path in paths:
        # another connection may keep slots that far ahead anyway
        others = [o.ahead for o in paths if o.sums is path.sums and not o.remembers]
        path.remembers = path.remembers and path.ahead > max(others, default=1)
    slots = max((p.ahead for p in paths if not p.remembers), default=1)
    for path in paths:
        path.sums.ring |= not path.remembers and path.ahead > 1
    return [_link(path, f"deliver_{first + k}", slots, sources) for k, path in enumerate(paths)], slots


def _link(path: _Path, name: str, slots: int, sources: Mapping[str, Source]) -> Link:
    c, sums, delay = path.connection, path.sums, path.delay
    if path.remembers:
        source = sources[c.source]
        source.history = max(source.history, delay)
        why = f"its source remembers {source.history} steps, which takes less than sums {delay} steps ahead"
    elif path.ahead > 1:
        why = f"sums wait in the target, in {slots} slots"
    else:
        why = "arrives in the same step" if path.early else "delivered when all have stepped, for the next step"
    halved = halvings(c.weights.weight)
    return Link(
        name=name,
        connection=c,
        weight=c.weights.weight.astype(np.int64) >> halved,
        delay=path.each,
        sums=sums,
        factor=1 if sums.connection is c else 1 << (halved + c.exponent - sums.scale),
        offset=0 if path.early or path.remembers else delay - 1,
        history=delay if path.remembers else 0,
        early=path.early or path.remembers,
        why=why,
    )


def _delays(c: Connection) -> tuple[int, np.ndarray | None]:
    """The shortest delay, and what each weight has beyond it; None where all are alike."""
    if not isinstance(c.weights, Dense) or c.weights.delay is None:
        return c.delay, None
    present = c.weights.weight != 0
    shortest = int(c.weights.delay[present].min())
    further = np.where(present, c.weights.delay.astype(np.int64) - shortest, 0)
    return c.delay + shortest, further if further.any() else None
