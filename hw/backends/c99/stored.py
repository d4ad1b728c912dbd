"""How weights lie in flash: as few bits as hold them exactly, the fan-out of a source in one piece."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab.hw.backends.c99.integer_types import index_type, size_of

#: Below this share of weights that are not zero, only those are stored.
SPARSE_BELOW = 0.35
_TYPES = ((0, 8, "int8_t"), (0, 8, "uint8_t"), (0, 16, "int16_t"), (0, 32, "int32_t"), (0, 64, "int64_t"))


@dataclass(frozen=True)
class Stored:
    """Whole numbers in flash: each is ``field + offset``.

    Attributes:
        bits: of a field: 2 and 4 lie packed in bytes, the first in the lowest bits.
        ctype: of an element of the array.
        offset: added to what is read.
        values: elements of the array.
    """

    bits: int
    ctype: str
    offset: int
    values: np.ndarray

    @property
    def bytes(self) -> int:
        """What they take."""
        return len(self.values) * size_of(self.ctype)

    @property
    def per_byte(self) -> int:
        """Fields in one element."""
        return 8 // self.bits if self.bits < 8 else 1


@dataclass(frozen=True)
class Sparse:
    """Weights that are not zero.

    Attributes:
        start: [sources + 1] where each source's entries begin.
        target: index of the target, an entry each.
        weight: an entry each.
        delay: further steps, an entry each; None for none.
    """

    start: Stored
    target: Stored
    weight: Stored
    delay: Stored | None

    @property
    def bytes(self) -> int:
        """What they take."""
        parts = [self.start, self.target, self.weight, *([self.delay] if self.delay else [])]
        return sum(part.bytes for part in parts)


def halvings(weight: np.ndarray) -> int:
    """How often all weights can be halved without a rest: Loihi's mixed weights, once."""
    found = int(np.bitwise_or.reduce(weight.ravel().astype(np.int64))) if weight.size else 0
    return (found & -found).bit_length() - 1 if found else 0


def stored(rows: np.ndarray, pack: bool = True) -> Stored:
    """Rows [sources, width] in the fewest bits; each row begins with a new byte.

    Args:
        rows: whole numbers.
        pack: whether less than a byte may be used for each.
    """
    low, high = (int(rows.min()), int(rows.max())) if rows.size else (0, 0)
    if pack:
        for bits in (2, 4):
            offset = -(1 << (bits - 1)) if -(1 << (bits - 1)) <= low and high < 1 << (bits - 1) else low
            if high - offset < 1 << bits:
                return Stored(bits, "uint8_t", offset, _packed(rows - offset, bits))
    for offset, bits, ctype in (*_TYPES[:2], (low, 8, "uint8_t"), *_TYPES[2:]):
        info = np.iinfo(ctype[:-2])
        if info.min <= low - offset and high - offset <= info.max:
            return Stored(bits, ctype, offset, (rows - offset).ravel())
    raise OverflowError(f"weights from {low} to {high} do not fit 64 bits")


def counts(values: np.ndarray) -> Stored:
    """Numbers from 0 on, such as indices and delays."""
    ctype = index_type(int(values.max(initial=0)) + 1)
    return Stored(8 * size_of(ctype), ctype, 0, values.ravel())


def sparse(rows: np.ndarray, delays: np.ndarray | None) -> Sparse:
    """What is not zero of rows [sources, targets]."""
    kept = rows != 0
    start = np.concatenate([[0], np.cumsum(kept.sum(1))])
    target = np.nonzero(kept)[1]
    delay = None if delays is None else counts(delays[kept])
    return Sparse(counts(start), counts(target), stored(rows[kept].reshape(1, -1), pack=False), delay)


def _packed(fields: np.ndarray, bits: int) -> np.ndarray:
    each = 8 // bits
    width = -(-fields.shape[1] // each) * each
    padded = np.zeros((len(fields), width), np.int64)
    padded[:, : fields.shape[1]] = fields
    shifts = np.arange(each) * bits
    packed: np.ndarray = (padded.reshape(len(fields), -1, each) << shifts).sum(-1).ravel()
    return packed
