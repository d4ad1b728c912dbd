"""Pictures of a network's synapses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikelab.report.activity.style import (
    FAINT,
    INK,
    caption,
    colour_of,
    draw_shares,
    new_figure,
    say_nothing_there,
    shortened,
    tidy,
    whole,
    write_figure,
)
from spikelab.report.activity.synapse_counts import SynapseCounts

#: Groups up to which the density is written into each block.
_WRITTEN = 12
_BINS = 50


def draw_synapses(counts: SynapseCounts, path: str | Path | None = None) -> Any:
    """Draws the density of synapses between groups, and the in- and out-degrees of their neurons.

    Args:
        counts: from ``count_synapses(network)``.
        path: picture file, or None to only return it.

    Returns:
        the ``matplotlib.figure.Figure``.
    """
    figure = new_figure(12, 4.0)
    blocks, into, out = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
    _draw_blocks(figure, blocks, counts)
    _draw_degrees(into, counts.in_degrees, counts.names, "In-degree")
    _draw_degrees(out, counts.out_degrees, counts.names, "Out-degree")
    into.set_ylabel("% of neurons")
    if len(counts.names) > 1:
        out.legend(frameon=False, fontsize=8)
    total = int(counts.counts.sum())
    caption(figure, [
        f"{whole(total)} synapses among {whole(int(counts.sizes.sum()))} neurons.",
        "Density: synapses over pairs of neurons. Blue: most of them excite, orange: inhibit." if total else "",
    ])  # fmt: skip
    return write_figure(figure, path)


def draw_weight_matrix(
    matrix: npt.ArrayLike, path: str | Path | None = None, *, borders: tuple[int, ...] = (), unit: str = ""
) -> Any:
    """Draws the weights between all pairs of neurons; for small networks.

    Args:
        matrix: from ``weight_matrix(network)``, [neurons, neurons], sender by target, NaN for none.
        path: picture file, or None to only return it.
        borders: first neurons of groups, for lines between them.
        unit: of the weights.

    Returns:
        the ``matplotlib.figure.Figure``.
    """
    weights = np.asarray(matrix, np.float64)
    if weights.ndim != 2:
        raise ValueError(f"weight matrix: takes [senders, targets], not shape {weights.shape}")
    figure = new_figure(6.5, 5.4)
    axes = figure.subplots()
    known = weights[np.isfinite(weights)]
    if known.size:
        strongest = float(np.abs(known).max()) or 1.0
        drawn = axes.imshow(
            weights, cmap=_diverging(), vmin=-strongest, vmax=strongest, interpolation="nearest", aspect="auto"
        )
        bar = figure.colorbar(drawn, ax=axes, shrink=0.85)
        bar.set_label(f"weight, {unit}" if unit else "weight")
        bar.outline.set_visible(False)
    else:
        say_nothing_there(axes, "no synapses")
    for border in borders:
        axes.axhline(border - 0.5, color=FAINT, linewidth=0.6)
        axes.axvline(border - 0.5, color=FAINT, linewidth=0.6)
    axes.set(xlabel="to neuron", ylabel="from neuron", title="Weights")
    return write_figure(figure, path)


def _diverging() -> Any:
    """Orange below, pale grey at, blue above 0; white where there is no synapse."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("weights", [colour_of(1), "#E4E4E4", colour_of(0)])
    return colours.with_extremes(bad="white")


def _draw_blocks(figure: Any, axes: Any, counts: SynapseCounts) -> None:
    densities, groups = counts.densities, len(counts.names)
    axes.set_title("Density of synapses")
    top = float(densities.max()) if densities.size else 0.0
    if not top > 0:
        say_nothing_there(axes, "no synapses")
        axes.set(xticks=[], yticks=[])
        return
    signed = np.where(2 * counts.excitatory < counts.counts, -densities, densities)
    axes.imshow(
        np.where(counts.counts > 0, signed / top, np.nan), cmap=_diverging(), vmin=-1.15, vmax=1.15, aspect="auto"
    )
    names = [shortened(name, 18) for name in counts.names]
    axes.set_xticks(
        range(groups), names, rotation=30 if groups > 2 else 0, ha="right" if groups > 2 else "center", size=8
    )
    axes.set_yticks(range(groups), names, size=8)
    axes.set(xlabel="to", ylabel="from")
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(groups + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(groups + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    if groups <= _WRITTEN:
        for (row, column), density in np.ndenumerate(densities):
            colour = "white" if density > 0.6 * top else INK
            text = f"{density:.2g}" if density else "-"
            axes.text(column, row, text, ha="center", va="center", size=9 if groups < 7 else 7, color=colour)


def _draw_degrees(axes: Any, degrees: tuple[np.ndarray, ...], names: tuple[str, ...], title: str) -> None:
    tidy(axes, xlabel="synapses of a neuron", title=title)
    together = np.concatenate([np.empty(0, np.int64), *degrees])
    if not together.size or not together.any():
        say_nothing_there(axes, "no synapses")
        return
    low, high = int(together.min()), int(together.max())
    each = max(1, int(np.ceil((high - low + 1) / _BINS)))
    edges = np.arange(low - each - 0.5, high + 2 * each, each)
    for place, (name, found) in enumerate(zip(names, degrees, strict=True)):
        draw_shares(axes, place, name, found, edges)
    axes.xaxis.get_major_locator().set_params(integer=True)
