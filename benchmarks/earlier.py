"""What an earlier run measured, for a run that goes on with its file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SAME_MACHINE = ("cpu", "cores")
_SAME_SETTINGS = ("rounds", "turn_seconds", "memory")
_LISTS = ("rows", "summaries", "failures")


class Earlier:
    """The report of an earlier run; without one there is nothing in it.

    Args:
        path: its file, or None.
        machine: the one that goes on.
        settings: those of the run that goes on.

    Raises:
        ValueError: if the file is no such report, or figures of another machine or other settings are in it.
    """

    def __init__(self, path: Path | None, machine: Mapping[str, Any], settings: Mapping[str, Any]):
        self.found: dict[str, list[dict[str, Any]]] = {name: [] for name in _LISTS}
        self.peers: dict[str, Any] = {}
        if path is None or not path.exists():
            return
        try:
            report = json.loads(path.read_text())
            self.found = {name: report[name] for name in _LISTS}
            self.peers = dict(report["peers"])
            before = report["machine"] | report["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not a report that can be gone on with ({error!r}); name another file") from error
        now = {**machine, **settings}
        for name in (*_SAME_MACHINE, *_SAME_SETTINGS):
            if before.get(name) != now.get(name):
                raise ValueError(
                    f"{path}: measured with {name} = {before.get(name)!r}, this run has {now.get(name)!r}; figures of "
                    "both in one file would mislead: name another file"
                )

    def has(self, case: str, threads: int, peers: Sequence[str]) -> bool:
        """Whether all of these were measured in the case with so many threads, or failed in it."""
        done = {row["peer"] for row in self.found["rows"] if (row["case"], row["threads"]) == (case, threads)}
        return done | {failure["peer"] for failure in self.found["failures"] if failure["case"] == case} >= set(peers)


def forget(report: dict[str, Any], case: str, threads: int) -> None:
    """Takes what a report holds of a case out of it: it has been measured again."""
    for name in ("rows", "summaries"):
        report[name] = [entry for entry in report[name] if (entry["case"], entry["threads"]) != (case, threads)]
