"""Ways in which the bytes of a file go wrong: what a disk, a download, a cable or a wrong program does to them."""

import dataclasses
import re

from hypothesis import strategies

KINDS = (
    "flip", "overwrite", "insert", "delete", "repeat", "zero", "ones", "swap", "truncate", "number", "digits", "append",
)  # fmt: skip

NUMBERS = (
    0, 1, 2, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**60, 2**63 - 1, 2**63,
    2**64 - 1,
)  # fmt: skip
"""What a count or a length in a header may become; -1 is among them as the largest without a sign."""

HEADER = 512
"""Half of all faults begin within this many bytes, where formats keep what they say of themselves."""

LARGEST_PLACE = 2**32


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: one of `KINDS`.
        place: where, as a part of `LARGEST_PLACE`.
        in_header: whether the place lies within the first `HEADER` bytes.
        length: of the bytes that are concerned.
        value: what they become.
    """

    kind: str
    place: int
    in_header: bool
    length: int
    value: int

    def of(self, content, other):
        """The content with the fault, and the first byte that differs; `other` is another file of the format."""
        room = max(1, min(HEADER, len(content)) if self.in_header else len(content))
        at = self.place * room // LARGEST_PLACE
        length = min(self.length, len(content) - at)
        part, rest = content[at : at + length], content[at + length :]
        before = content[:at]
        match self.kind:
            case "flip":
                return before + bytes([content[at] ^ 1 << self.value % 8 if content else 0]) + content[at + 1 :], at
            case "overwrite":
                return before + _noise(self.value, length) + rest, at
            case "insert":
                return before + _noise(self.value, self.length) + content[at:], at
            case "delete":
                return before + rest, at
            case "repeat":
                return before + part + part + rest, at + length
            case "zero":
                return before + bytes(length) + rest, at
            case "ones":
                return before + b"\xff" * length + rest, at
            case "swap":
                return before + rest[:length] + part + rest[length:], at
            case "truncate":
                return before, at
            case "number":
                size = (1, 2, 4, 8)[self.length % 4]
                number = NUMBERS[self.value % len(NUMBERS)] % 256**size
                order = "little" if self.place % 2 else "big"
                return before + number.to_bytes(size, order) + content[at + size :], at
            case "digits":  # a number that is written out
                found = re.search(rb"\d+", content[at:])
                if found is None:
                    return content, len(content)
                number = str(NUMBERS[self.value % len(NUMBERS)] * (-1) ** self.length).encode()
                return content[: at + found.start()] + number + content[at + found.end() :], at + found.start()
            case "append":
                return content + other, len(content)
        raise ValueError(self.kind)


def _noise(seed, length):
    """Bytes that follow from a number: a linear congruential generator of 64 bits."""
    made = bytearray()
    for _ in range(length):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        made.append(seed >> 56)
    return bytes(made)


def broken(content, faults, other):
    """The content with all faults, one after the other, and the first byte that any of them changed."""
    unchanged = len(content)
    for fault in faults:
        content, first = fault.of(content, other)
        unchanged = min(unchanged, first)
    return content, unchanged


faults = strategies.lists(
    strategies.builds(
        Fault,
        strategies.sampled_from(KINDS),
        strategies.integers(0, LARGEST_PLACE - 1),
        strategies.booleans(),
        strategies.one_of(strategies.integers(1, 16), strategies.integers(1, 4096)),
        strategies.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=4,
)
"""Up to four faults."""


def random_faults(rng):
    """As the strategy, drawn by a generator of numpy: for long runs, where drawing should cost nothing."""
    return [
        Fault(
            KINDS[int(rng.integers(len(KINDS)))],
            int(rng.integers(LARGEST_PLACE)),
            bool(rng.integers(2)),
            int(rng.integers(1, 17 if rng.integers(2) else 4097)),
            int(rng.integers(2**32)),
        )
        for _ in range(int(rng.choice([1, 1, 1, 2, 3, 4])))
    ]
