"""Pictures of rates over time, as ``RateMonitor`` records them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikelab.report.activity.style import colour_of, new_figure, say_nothing_there, shortened, tidy, write_figure


def draw_rates(
    rates: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]], path: str | Path | None = None, *, title: str = ""
) -> Any:
    """Draws the mean rates of groups over time.

    Args:
        rates: group -> (beginnings of the bins in seconds [bins], rates in Hz [bins]), such as ``(monitor.times,
            monitor.rates)``.
        path: picture file, or None to only return it.
        title: of the picture.

    Returns:
        the ``matplotlib.figure.Figure``.

    Raises:
        ValueError: if there are not as many rates as bins.
    """
    figure = new_figure(10, 2.8)
    axes = tidy(figure.subplots(), xlabel="time, s", ylabel="rate, Hz", title=title)
    for place, (name, (times, values)) in enumerate(rates.items()):
        begins, heights = np.asarray(times, np.float64), np.asarray(values, np.float64)
        if begins.shape != heights.shape or begins.ndim != 1:
            raise ValueError(f"rates of {name}: {begins.shape} times but {heights.shape} rates; one for each bin")
        if begins.size > 1:
            edges = np.append(begins, 2 * begins[-1] - begins[-2])
            axes.stairs(heights, edges, color=colour_of(place), linewidth=0.9, baseline=None, label=shortened(name))
    if not axes.patches:
        say_nothing_there(axes, "fewer than two bins")
    else:
        axes.legend(frameon=False, fontsize=9)
    axes.margins(x=0)
    axes.set_ylim(bottom=0)
    return write_figure(figure, path)
