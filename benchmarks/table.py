"""Rows, files and tables of a run."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import Case
from benchmarks.interleave import Times


def row(
    report: Mapping[str, Any],
    case: Case,
    threads: int,
    peer: str,
    times: Times,
    checked: Mapping[str, Any],
    peak: int | None,
    load: float | None,
) -> dict[str, Any]:
    """The figures of one case, thread count and peer; times in milliseconds, memory in MiB."""
    machine, versions = report["machine"], report["peers"][peer]
    return {
        "case": case.name,
        "peer": peer,
        "threads": threads,
        "wall_ms": _milliseconds(median(times.wall)),
        "wall_ms_best": _milliseconds(min(times.wall)),
        "cpu_ms": _milliseconds(median(times.cpu)),
        "cpu_ms_best": _milliseconds(min(times.cpu)),
        "times_ours_wall": round(median(times.ratio_wall), 3),
        "times_ours_cpu": round(median(times.ratio_cpu), 3),
        "rounds": len(set(times.rounds)),
        "peak_extra_mib": None if peak is None else round(peak / 2**20, 1),
        "mean_output": round(checked["rate"], 5),
        "output_differs": checked["differing"],
        "gradient_error": checked["gradient_error"],
        "version": versions["version"],
        "torch": versions["torch"],
        "python": versions["python"],
        "cpu": machine["cpu"],
        "cores": machine["cores"],
        "commit": machine["commit"],
        "date": machine["date"],
        "load_average_before": load,
    }


def _milliseconds(seconds: float) -> float:
    return float(f"{seconds * 1e3:.4g}")


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Writes the report as JSON to ``path`` and its rows as CSV beside it, each at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, json.dumps(report, indent=1) + "\n")
    _replace(path.with_suffix(".csv"), as_csv(report["rows"]))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows that have the same fields, with these at the top."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, suffix=".tmp", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def rows_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one case for a terminal."""
    lines = [f"  {'peer':16}{'wall ms':>10}{'cpu ms':>10}{'x ours':>9}{'peak MiB':>10}{'output':>9}{'differs':>10}"]
    for r in rows:
        peak = "-" if r["peak_extra_mib"] is None else f"{r['peak_extra_mib']:.1f}"
        lines.append(
            f"  {r['peer']:16}{r['wall_ms']:10.4g}{r['cpu_ms']:10.4g}{r['times_ours_wall']:9.2f}{peak:>10}"
            f"{r['mean_output']:9.4f}{r['output_differs']:10.1e}"
        )
    return "\n".join(lines)


def floors_table(floors: Sequence[Mapping[str, Any]]) -> str:
    """Measured against floor for a terminal."""
    if not floors:
        return "no floor was measured"
    width = max(len(f["what"]) for f in floors) + 1
    lines = [f"{'':{width}}{'threads':>8}{'measured':>10}  floor"]
    for f in floors:
        lines.append(
            f"{f['what']:{width}}{f['threads']:8}{f['measured']:10.3f}  {f['bound']} {f['floor']:g}"
            f"{'' if f['kept'] else '   MISSED'}"
        )
    return "\n".join(lines)
