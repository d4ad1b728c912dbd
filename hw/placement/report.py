"""A placement as data and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikelab.hw.placement.pack import distance
from spikelab.hw.placement.pieces import Piece
from spikelab.hw.target import ESTIMATE, Number, Target

if TYPE_CHECKING:
    from spikelab.hw.place import PlacedCore, Placement

#: So many cores are listed one by one in the text; the data always has all.
_LISTED = 16


def as_data(placement: Placement) -> dict[str, Any]:
    """Everything, as JSON holds it."""
    target = placement.target
    return {
        "target": {
            "name": target.name,
            "title": target.title,
            "status": target.status,
            "profile": target.profile,
            "steps": target.steps,
            "file": str(target.path) if target.path else None,
            "notes": list(target.notes),
        },
        "fits": placement.fits,
        "estimate": placement.estimate,
        "violations": [dict(violation.report()) for violation in placement.violations],
        "cores_used": len(placement.cores),
        "cores_wanted": placement.cores_wanted,
        "cores_available": len(target.capacities),
        "mean_distance": placement.mean_distance,
        "resources": {name: _resource(placement, name) for name in target.resources},
        "populations": [_population(placement, p.name) for p in placement.graph.populations],
        "cores": [_core(core) for core in placement.cores],
        "unplaced": [_piece(piece) for piece in placement.unplaced],
        "limits": {name: _number(number) for name, number in target.limits.items()},
    }


def _number(number: Number) -> dict[str, Any]:
    value = number.value if isinstance(number.value, int) else list(number.value)
    return {"value": value, "unit": number.unit, "status": number.status, "source": number.source}


def _resource(placement: Placement, name: str) -> dict[str, Any]:
    target = placement.target
    resource = target.resources[name]
    sources = {resource.source, *(kind.capacity[name].source for kind in target.cores)}
    return {
        "title": resource.title,
        "unit": resource.unit,
        "status": target.status_of(name),
        "used": sum(core.used[name] for core in placement.cores),
        "capacity": sum(capacity[name].most for capacity in target.capacities),
        "fullest_core": max((core.used[name] / max(1, core.capacity[name]) for core in placement.cores), default=0.0),
        "sources": sorted(sources),
    }


def _piece(piece: Piece) -> dict[str, Any]:
    return {"population": piece.population, "ranges": [list(r) for r in piece.ranges], "neurons": piece.size}


def _population(placement: Placement, name: str) -> dict[str, Any]:
    shape = placement.graph.population(name).shape
    every = [(core.number, placed) for core in placement.cores for placed in core.pieces]
    found = [(number, placed) for number, placed in every if placed.piece.population == name]
    used = {r: sum(placed.used[r] for _, placed in found) for r in placement.target.resources}
    return {
        "name": name,
        "shape": list(shape),
        "pieces": len(found) + sum(piece.population == name for piece in placement.unplaced),
        "cores": sorted({number for number, _ in found}),
        "used": used,
    }


def _core(core: PlacedCore) -> dict[str, Any]:
    return {
        "number": core.number,
        "share": core.share,
        "pieces": [{**_piece(placed.piece), "used": dict(placed.used)} for placed in core.pieces],
        "used": dict(core.used),
        "capacity": dict(core.capacity),
    }


def mean_distance(placement: Placement) -> float | None:
    """Steps through the mesh between cores that hold connected populations, on average; None without a mesh."""
    if placement.target.mesh is None:
        return None
    cores: dict[str, set[int]] = {}
    for core in placement.cores:
        for placed in core.pieces:
            cores.setdefault(placed.piece.population, set()).add(core.number)
    found = [
        distance(placement.target, a, b)
        for c in placement.graph.connections
        for a in sorted(cores.get(c.source, ()))
        for b in sorted(cores.get(c.target, ()))
    ]
    return sum(found) / len(found) if found else None


def as_text(placement: Placement) -> str:
    """Everything that a reader in a terminal needs."""
    target = placement.target
    lines = [f"{_name(target)}: {'fits' if placement.fits else 'does not fit'}{_estimated(placement)}"]
    if placement.violations:
        count = len(placement.violations)
        lines += ["", f"{count} {'reason' if count == 1 else 'reasons'}:"]
        lines += [f"- {violation.text}" for violation in placement.violations]
    lines += ["", f"{len(placement.cores)} of {len(target.capacities)} cores in use", ""]
    lines += _resource_table(placement)
    lines += ["", *_population_table(placement)]
    if 1 < len(placement.cores) <= _LISTED:
        lines += ["", *_core_table(placement)]
    lines += ["", f"steps: {target.steps}"]
    lines += [f"note: {note}" for note in target.notes]
    return "\n".join(lines)


def _name(target: Target) -> str:
    return f"{target.title} ({ESTIMATE})" if target.status == ESTIMATE else target.title


def _estimated(placement: Placement) -> str:
    target = placement.target
    found = [r.title for name, r in target.resources.items() if target.status_of(name) == ESTIMATE]
    if not found:
        return ""
    return f" as far as is known ({ESTIMATE}: {', '.join(found)})"


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    return lines


def _resource_table(placement: Placement) -> list[str]:
    rows = [["resource", "used", "of all", "fullest core", ""]]
    for name in placement.target.resources:
        found = _resource(placement, name)
        mark = ESTIMATE if found["status"] == ESTIMATE else ""
        share = f"{100 * found['fullest_core']:.0f} %"
        unit = found["unit"].removesuffix(found["title"]).removesuffix(" of ")
        title = f"{found['title']} ({unit})" if unit else found["title"]
        rows.append([title, str(found["used"]), str(found["capacity"]), share, mark])
    return _table(rows)


def _population_table(placement: Placement) -> list[str]:
    rows = [["population", "shape", "pieces", "cores"]]
    for p in placement.graph.populations:
        found = _population(placement, p.name)
        cores = spans(found["cores"]) or "none"
        rows.append([p.name, "x".join(map(str, p.shape)), str(found["pieces"]), cores])
    return _table(rows)


def _core_table(placement: Placement) -> list[str]:
    names = list(placement.target.resources)
    rows = [["core", *(placement.target.resources[name].title for name in names), "holds"]]
    for core in placement.cores:
        shares = [f"{core.used[name]}/{core.capacity[name]}" for name in names]
        rows.append([str(core.number), *shares, "; ".join(placed.piece.title for placed in core.pieces)])
    return _table(rows)


def spans(numbers: list[int]) -> str:
    """Numbers as spans: 0-3, 7."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
