"""A picture of a placement: which population lies on which core, how full each is, how much of all is in use."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikelab.hw.placement.report import spans
from spikelab.hw.target import ESTIMATE
from spikelab.io.atomic import write_bytes_atomically

if TYPE_CHECKING:
    from spikelab.hw.place import PlacedCore, Placement

#: Okabe and Ito's colours, told apart by colour-blind people; then again with a pattern.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
PATTERNS = ("", "///", "...", "xx", "\\\\\\", "oo")
_EMPTY, _LINE, _TEXT = "#F4F4F4", "#555555", "#222222"
#: Up to so many cores have the names of their populations written into them.
_NAMED = 16
#: Longest name in a core, and in the legend, in letters.
_LETTERS, _LEGEND_LETTERS = 18, 40
#: Longest list of cores in the legend, in letters; longer ones are counted.
_SPAN = 16
#: Width of a letter of the legend in inches.
_LETTER = 0.068


def draw_chip_map(placement: Placement, path: str | Path) -> Path:
    """Draws a placement.

    A core is filled from below as far as the resource of which it uses most, with the colours of its populations.

    Args:
        placement: from ``spikelab.hw.place.place``.
        path: picture file; its ending says the format, such as .png, .svg or .pdf.

    Returns:
        the path.

    Raises:
        ValueError: for an ending that matplotlib does not know.
    """
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    path = Path(path)
    columns, rows = _grid(placement)
    resources = list(placement.target.resources)
    names = [p.name for p in placement.graph.populations]
    side = 0.62 if rows * columns > _NAMED else 1.35
    labels = _labels(placement)
    beside = 1.0 + _LETTER * max((len(label) for label in labels), default=0)
    width = max(7.5, columns * side + beside + 0.6)
    chip, bars = max(2.2, rows * side), 0.34 * len(resources) + 0.5
    chip = max(chip, 0.24 * len(names) + 0.4)
    height = 0.95 + chip + 0.55 + bars
    figure = Figure(figsize=(width, height), dpi=130, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.3 / width, 1 - 0.32 / height, _title(placement), size=13, weight="bold", color=_TEXT)
    figure.text(0.3 / width, 1 - 0.62 / height, _subtitle(placement), size=9, color=_TEXT)
    axes = figure.add_axes(
        (0.3 / width, (bars + 0.45) / height, (width - beside - 0.6) / width, chip / height),
        aspect="equal",
        anchor="NW",
    )
    styles = {name: (COLOURS[k % len(COLOURS)], PATTERNS[k // len(COLOURS) % len(PATTERNS)])
              for k, name in enumerate(names)}  # fmt: skip
    _draw_cores(axes, placement, columns, rows, styles)
    handles = [Patch(facecolor=colour, hatch=pattern, edgecolor="white") for colour, pattern in styles.values()]
    right = min(width - beside, 0.6 + chip * columns / rows)
    figure.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(right / width, 1 - 1.0 / height), fontsize=8,
        frameon=False, handlelength=1.6, handleheight=1.1, labelspacing=0.45, borderaxespad=0,
    )  # fmt: skip
    below = figure.add_axes((2.5 / width, 0.42 / height, (width - 5.0) / width, (bars - 0.5) / height))
    _draw_resources(below, placement)
    kind = path.suffix[1:] or "png"
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise ValueError(f"{path}: unknown picture format {kind!r}; use one of {', '.join(sorted(known))}")
    buffer = BytesIO()
    figure.savefig(buffer, format=kind)
    write_bytes_atomically(path, buffer.getvalue())
    return path


def _grid(placement: Placement) -> tuple[int, int]:
    """Columns and rows of the drawing."""
    count = len(placement.target.capacities)
    if placement.target.mesh is not None:
        columns = placement.target.mesh.allowed[0]
    else:
        columns = math.ceil(math.sqrt(count))
    return columns, math.ceil(count / columns)


def _title(placement: Placement) -> str:
    target = placement.target
    return f"{target.title} ({ESTIMATE})" if target.status == ESTIMATE else target.title


def _subtitle(placement: Placement) -> str:
    count = len(placement.violations)
    known = " as far as is known" if placement.estimate else ""
    verdict = f"fits{known}" if placement.fits else f"does not fit ({count} {'reason' if count == 1 else 'reasons'})"
    count = len(placement.target.capacities)
    found = verdict if count == 1 else f"{verdict}; {len(placement.cores)} of {count} cores hold something"
    if placement.unplaced:
        found += f"; {len(placement.unplaced)} pieces found no place"
    return found


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def _draw_cores(axes: Any, placement: Placement, columns: int, rows: int, styles: dict[str, tuple[str, str]]) -> None:
    from matplotlib.patches import Rectangle

    count = len(placement.target.capacities)
    axes.set_xlim(-0.02, columns + 0.02)
    axes.set_ylim(rows + 0.02, -0.02)
    axes.axis("off")
    held = {core.number: core for core in placement.cores}
    named = count <= _NAMED
    for number in range(count):
        left, top = number % columns + 0.06, number // columns + 0.06
        axes.add_patch(Rectangle((left, top), 0.88, 0.88, facecolor=_EMPTY, edgecolor="none"))
        core = held.get(number)
        if core is not None:
            _fill(axes, core, left, top, styles)
        axes.add_patch(Rectangle((left, top), 0.88, 0.88, facecolor="none", edgecolor=_LINE, linewidth=0.6))
        if named:
            _name_core(axes, number, core, left, top)
        elif core is None or core.share < 0.62:
            axes.text(left + 0.05, top + 0.06, str(number), size=6, color=_LINE, ha="left", va="top")
        else:
            axes.text(
                left + 0.05, top + 0.06, str(number), size=6, color=_TEXT, ha="left", va="top",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            )  # fmt: skip


def _fill(axes: Any, core: PlacedCore, left: float, top: float, styles: dict[str, tuple[str, str]]) -> None:
    from matplotlib.patches import Rectangle

    fullest = max(core.used, key=lambda name: core.used[name] / max(1, core.capacity[name]))
    bottom = top + 0.88
    scale = 0.88 / max(1, core.capacity[fullest], core.used[fullest])
    for placed in core.pieces:
        height = placed.used[fullest] * scale
        colour, pattern = styles[placed.piece.population]
        axes.add_patch(
            Rectangle((left, bottom - height), 0.88, height, facecolor=colour, hatch=pattern, edgecolor="white",
                      linewidth=0.5)
        )  # fmt: skip
        bottom -= height


def _name_core(axes: Any, number: int, core: PlacedCore | None, left: float, top: float) -> None:
    white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.2}
    share = "empty" if core is None else f"{100 * core.share:.0f} %"
    axes.text(left + 0.05, top + 0.06, f"core {number}", size=7, color=_TEXT, ha="left", va="top", bbox=white)
    axes.text(left + 0.83, top + 0.06, share, size=7, color=_TEXT, ha="right", va="top", bbox=white)
    if core is None:
        return
    titles = list(dict.fromkeys(_short(placed.piece.population) for placed in core.pieces))
    shown = titles if len(titles) <= 4 else [*titles[:3], f"and {len(titles) - 3} more"]
    if len(core.pieces) == 1 and not core.pieces[0].piece.whole:
        shown += core.pieces[0].piece.title.split(", ")[1:2]
    axes.text(left + 0.44, top + 0.54, "\n".join(shown), size=7.5, color=_TEXT, ha="center", va="center", bbox=white)


def _labels(placement: Placement) -> list[str]:
    """Of each population: name, shape and where it lies, or, on a single core, how much of it it takes."""
    cores: dict[str, set[int]] = {p.name: set() for p in placement.graph.populations}
    for core in placement.cores:
        for placed in core.pieces:
            cores[placed.piece.population].add(core.number)
    labels = []
    for p in placement.graph.populations:
        count = len(cores[p.name])
        where = spans(sorted(cores[p.name]))
        where = f"{count} cores" if len(where) > _SPAN else f"{'core' if count == 1 else 'cores'} {where}"
        where = where if count else "not placed"
        if count and len(placement.target.capacities) == 1:
            where = _share(placement, p.name)
        name = p.name if len(p.name) <= _LEGEND_LETTERS else f"{p.name[: _LEGEND_LETTERS - 1]}…"
        labels.append(f"{name}:  {'x'.join(map(str, p.shape))},  {where}")
    return labels


def _share(placement: Placement, name: str) -> str:
    core = placement.cores[0]
    fullest = max(core.used, key=lambda resource: core.used[resource] / max(1, core.capacity[resource]))
    used = sum(placed.used[fullest] for placed in core.pieces if placed.piece.population == name)
    share = 100 * used / max(1, core.capacity[fullest])
    return f"{share:.{0 if share >= 10 else 1}f} % of {placement.target.resources[fullest].title}"


def _draw_resources(axes: Any, placement: Placement) -> None:
    """Bars: what all cores together use, with a mark for the fullest core."""
    target = placement.target
    names = list(target.resources)
    several = len(target.capacities) > 1
    for place, name in enumerate(names):
        used = sum(core.used[name] for core in placement.cores)
        capacity = sum(number[name].most for number in target.capacities)
        fullest = max((core.used[name] / max(1, core.capacity[name]) for core in placement.cores), default=0.0)
        share = used / max(1, capacity)
        over = share > 1
        axes.barh(place, 1, height=0.62, color=_EMPTY, edgecolor=_LINE, linewidth=0.5)
        axes.barh(place, min(1, share), height=0.62, color="#D55E00" if over else "#0072B2", linewidth=0)
        if several:
            axes.plot([min(1, fullest)] * 2, [place - 0.42, place + 0.42], color=_TEXT, linewidth=1.6,
                      clip_on=False)  # fmt: skip
        mark = f" ({ESTIMATE})" if target.status_of(name) == ESTIMATE else ""
        label = f"{100 * share:.0f} % of {_amount(capacity)}"
        axes.text(1.02, place, label, va="center", ha="left", size=8, color=_TEXT)
        axes.text(-0.02, place, f"{target.resources[name].title}{mark}", va="center", ha="right", size=8, color=_TEXT)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.axis("off")
    said = (
        "bars: share of all cores together in use; black marks: the fullest core" if several else "bars: share in use"
    )
    axes.text(0.5, -0.16 / max(1, 0.34 * len(names)), said, transform=axes.transAxes, ha="center", va="top", size=7.5,
              color=_LINE)  # fmt: skip


def _amount(number: int) -> str:
    for factor, letter in ((2**20, "Mi"), (2**10, "Ki")):
        if number >= factor and number % factor == 0:
            return f"{number // factor} {letter}"
    return f"{number:,}".replace(",", " ")
