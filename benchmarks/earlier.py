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

    def has(self, case: str, threads: int) -> bool:
        """Whether the case was measured with so many threads."""
        return any((s["case"], s["threads"]) == (case, threads) for s in self.found["summaries"])

    def without(self, cases: Sequence[str], threads: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
        """Its rows, summaries and failures, but for cases that are measured again."""

        def kept(entry: Mapping[str, Any]) -> bool:
            return entry["case"] not in cases or entry.get("threads", threads[0]) not in threads

        return {name: [entry for entry in entries if kept(entry)] for name, entries in self.found.items()}
