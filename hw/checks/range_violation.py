"""A limit of a chip that is not kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RangeViolation:
    """One limit that is not kept, or one thing that data show.

    Attributes:
        where: the population or connection.
        what: kind of limit: "weights", "delay", "exponent", "parameter", "input range" of the graph; "sum", "state",
            "saturation", "wrap", "message", "dead", "always active" and "at limit" in a run.
        found: what there is, in words and numbers.
        allowed: what the chip has.
        remedy: what to do.
        breaks: whether the chip would compute something else than the simulator; else it is a sign of bad scales.
        values: how many numbers (weights, or neurons times steps) are concerned.
        neurons: how many neurons are concerned.
    """

    where: str
    what: str
    found: str
    allowed: str
    remedy: str
    breaks: bool
    values: int = 0
    neurons: int = 0

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.found}; {self.allowed}. {self.remedy}"
