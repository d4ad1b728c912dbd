"""A limit that a network does not keep, and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spikelab.hw.target import ESTIMATE


@dataclass(frozen=True)
class Violation:
    """One reason why a network does not fit.

    Attributes:
        where: population, connection or input.
        limit: name of the resource or limit in the target's file.
        message: what is needed and what there is, in words.
        used: as a number, where it is one.
        capacity: likewise.
        remedy: what would make it fit.
        status: "documented", or "estimate" where one of the numbers is one.
        source: of the limit.
    """

    where: str
    limit: str
    message: str
    used: int | float | str
    capacity: int | str
    remedy: str
    status: str
    source: str = ""

    @property
    def text(self) -> str:
        """In one line."""
        mark = f" ({ESTIMATE})" if self.status == ESTIMATE else ""
        return f"{self.where}: {self.message}{mark}: {self.remedy}"

    def report(self) -> Mapping[str, Any]:
        """As JSON holds it."""
        return {**asdict(self), "text": self.text}
