"""How the pictures of activity look: colours, sizes, captions."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.io.atomic import write_bytes_atomically

#: Okabe and Ito's colours but for yellow, which is too pale for dots on white; then three of Tol's muted scheme.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555"),
    *("#882255", "#999933", "#332288"),
)
INK, FAINT = "#222222", "#777777"
_DPI = 130
#: Letters of a caption's line for each inch of a figure's width.
_LETTERS = 17


def new_figure(width: float, height: float) -> Any:
    """An empty ``matplotlib.figure.Figure``, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")


def colour_of(place: int) -> str:
    """The colour of the group at a place; they come again after ten."""
    return COLOURS[place % len(COLOURS)]


def tidy(axes: Any, **settings: Any) -> Any:
    """Sets labels and limits, and takes away the frame at the top and to the right."""
    axes.set(**settings)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def draw_shares(axes: Any, place: int, name: str, values: np.ndarray, edges: np.ndarray) -> None:
    """Draws percent of the values of the group at a place in each bin, as a line of steps; nothing without values."""
    if values.size:
        share = 100 * np.histogram(values, edges)[0] / values.size
        axes.stairs(share, edges, color=colour_of(place), linewidth=1.2, label=shortened(name))


def say_nothing_there(axes: Any, text: str) -> None:
    """Writes into empty axes why they are empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", size=9, color=FAINT)


def plain_logarithms(axis: Any, ratio: float) -> None:
    """Labels a logarithmic axis that spans a ratio with numbers such as 20 and 500, and no more than have room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 60 else (1,), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def caption(figure: Any, sentences: Sequence[str]) -> None:
    """Writes what a reader has to know below the figure."""
    text = " ".join(sentence for sentence in sentences if sentence)
    if text:
        lines = textwrap.wrap(text, int(figure.get_figwidth() * _LETTERS))
        figure.supxlabel("\n".join(lines), fontsize=8, color=FAINT, x=0.01, ha="left")


def write_figure(figure: Any, path: str | Path | None) -> Any:
    """Writes a figure, if there is a path, and gives it back.

    Raises:
        ValueError: for an ending that matplotlib does not know.
        OSError: as the operating system reports it.
    """
    if path is None:
        return figure
    path = Path(path)
    kind = path.suffix[1:] or "png"
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise ValueError(f"{path}: unknown picture format {kind!r}; use one of {', '.join(sorted(known))}")
    buffer = BytesIO()
    figure.savefig(buffer, format=kind)
    write_bytes_atomically(path, buffer.getvalue())
    return figure


def shortened(name: str, longest: int = 24) -> str:
    """A name for a legend or an axis."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def whole(number: int) -> str:
    """A whole number with thin groups of three digits, as 10 000."""
    return f"{number:,}".replace(",", " ")


def milliseconds(seconds: float) -> str:
    """A duration for a label, in ms below a second."""
    return f"{seconds:g} s" if seconds >= 1 else f"{1e3 * seconds:g} ms"
