"""Pictures of weights: how they are spread before and after, and how they went."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikelab.report.activity.states import shown_unit
from spikelab.report.activity.style import (
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

_BINS = 60


def draw_weights(
    weights: Mapping[str, npt.ArrayLike],
    path: str | Path | None = None,
    *,
    course: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    unit: str = "",
    title: str = "Weights",
) -> Any:
    """Draws distributions of weights, such as before and after learning, and their course in time.

    Args:
        weights: name -> values; of synapses that are alike, one number, or [synapses].
        path: picture file, or None to only return it.
        course: times in seconds [samples], and weights [samples, synapses], as a ``WeightMonitor`` has them.
        unit: SI unit of a weight.
        title: of the picture.

    Returns:
        the ``matplotlib.figure.Figure``.

    Raises:
        ValueError: for weights that are not finite, or a course whose shapes do not fit.
    """
    factor, shown = shown_unit(unit)
    values = {name: factor * np.atleast_1d(np.asarray(each, np.float64)).ravel() for name, each in weights.items()}
    for name, each in values.items():
        if not np.isfinite(each).all():
            raise ValueError(f"weights {name!r}: {int((~np.isfinite(each)).sum())} of {each.size} are not finite")
    figure = new_figure(6.5 if course is None else 10, 3.6)
    panels = figure.subplots(1, 1 if course is None else 2, squeeze=False)[0]
    axes = tidy(panels[0], xlabel=f"weight, {shown}" if shown else "weight", ylabel="% of synapses", title=title)
    together = np.concatenate([np.empty(0), *values.values()])
    said = []
    if together.size:
        low, high = float(together.min()), float(together.max())
        room = 0.02 * (high - low) or 0.05 * abs(high) or 0.05
        edges = np.linspace(low - room, high + room, _BINS + 1)
        for place, (name, each) in enumerate(values.items()):
            if each.size and each.min() == each.max():
                # all in one bin would leave no height for the others
                axes.axvline(each[0], color=colour_of(place), linewidth=1.5, linestyle="--", label=shortened(name))
            else:
                draw_shares(axes, place, name, each, edges)
            if each.size:
                said.append(f"{name} {each.mean():.4g}{' ' + shown if shown else ''} ({whole(each.size)} synapses)")
        axes.set_ylim(bottom=0)
        if len(values) > 1:
            axes.legend(frameon=False, fontsize=9)
    else:
        say_nothing_there(axes, "no synapses")
    if course is not None:
        _draw_course(panels[1], np.asarray(course[0], np.float64), factor * np.asarray(course[1], np.float64), shown)
    caption(figure, [f"Means: {', '.join(said)}." if said else ""])
    return write_figure(figure, path)


def _draw_course(axes: Any, times: np.ndarray, weights: np.ndarray, unit: str) -> None:
    if weights.ndim != 2 or weights.shape[0] != times.size:
        raise ValueError(f"course of weights: {times.size} times and weights of shape {weights.shape}")
    tidy(axes, xlabel="time, s", ylabel=f"weight, {unit}" if unit else "weight", title="Course")
    if not weights.size:
        say_nothing_there(axes, "no samples")
        return
    low, quarter, median, three, high = np.quantile(weights, (0.05, 0.25, 0.5, 0.75, 0.95), axis=1)
    axes.fill_between(times, low, high, color=colour_of(0), alpha=0.15, linewidth=0, label="90 % of the synapses")
    axes.fill_between(times, quarter, three, color=colour_of(0), alpha=0.3, linewidth=0, label="half of them")
    axes.plot(times, median, color=colour_of(0), linewidth=1.2, label="median")
    axes.plot(times, weights.mean(axis=1), color=colour_of(1), linewidth=1.2, linestyle="--", label="mean")
    axes.legend(frameon=False, fontsize=8)
