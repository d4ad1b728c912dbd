"""C's integer types, constants and names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spikelab.hw.intervals import Range

WIDTHS = (8, 16, 32, 64)
_WORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true "
    "false main NULL".split()
)


def fits(r: Range, bits: int, signed: bool = True) -> bool:
    """Whether a range fits an integer type."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return low <= r[0] and r[1] <= high


def signed_bits(r: Range) -> int:
    """Width of the narrowest signed type that holds a range.

    Raises:
        OverflowError: if none does.
    """
    for bits in WIDTHS:
        if fits(r, bits):
            return bits
    raise OverflowError(f"{r[0]} to {r[1]} does not fit 64 bits")


def signed_type(r: Range) -> str:
    """The narrowest signed type that holds a range."""
    return f"int{signed_bits(r)}_t"


def index_type(count: int) -> str:
    """The narrowest unsigned type that counts from 0 to ``count`` - 1."""
    return next(f"uint{bits}_t" for bits in WIDTHS if count <= 1 << bits)


def size_of(ctype: str) -> int:
    """Bytes of an integer type."""
    return int(re.sub(r"\D", "", ctype)) // 8


def constant(value: int) -> str:
    """A number as C source of at least 32 bits; the smallest ones have no literal of their own."""
    if value == -(2**63):
        return f"({constant(value + 1)} - 1)"
    if value == -(2**31):
        return "(-2147483647 - 1)"
    text = str(abs(value)) if fits((value, value), 32) else f"INT64_C({abs(value)})"
    return text if value >= 0 else f"(-{text})"


def identifiers(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Name -> an identifier of C that no other has."""
    used, found = {*taken}, {}
    for name in names:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "unnamed"
        plain = f"n{plain}" if plain[0].isdigit() else plain
        fresh, count = plain, 1
        while fresh in used or fresh in _WORDS:
            count += 1
            fresh = f"{plain}_{count}"
        used.add(fresh)
        found[name] = fresh
    return found


def table(ctype: str, name: str, values: Iterable[int], static: bool = True) -> str:
    """A constant array, wrapped to lines that can be read."""
    lines, line = [], "   "
    given = list(values)
    for v in given:
        text = f"{v}u" if v >= 2**31 and ctype == "uint32_t" else constant(v)
        text = text if "-" in text[2:] or "(" in text[1:] else text.strip("()")
        if len(line) + len(text) > 116:
            lines.append(line)
            line = "   "
        line += f" {text},"
    head = f"{'static ' if static else ''}const {ctype} {name}[{len(given)}]"
    return "\n".join([f"{head} = {{", *lines, line.rstrip(","), "};"])
