"""How rates, intervals and their irregularity are spread over the neurons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.report.activity.groups import Groups, named_groups
from spikelab.report.activity.rates import mean_rates, silent_share
from spikelab.report.activity.spike_intervals import FEWEST_INTERVALS, Irregularity, intervals, irregularity
from spikelab.report.activity.style import (
    caption,
    draw_shares,
    new_figure,
    plain_logarithms,
    say_nothing_there,
    tidy,
    whole,
    write_figure,
)

_BINS = 50
#: Bins are as fine as all but this share of the neurons need; the highest of all have bins of that width too.
_TAIL = 0.001


def draw_histograms(
    groups: Groups, path: str | Path | None = None, *, measured: Mapping[str, Irregularity] | None = None
) -> Any:
    """Draws the distributions of mean rates, inter-spike intervals, CV and local variation, one line a group.

    Args:
        groups: name -> spikes, or the spikes of one.
        path: picture file, or None to only return it.
        measured: ``irregularity`` of each group, where it is known already.

    Returns:
        the ``matplotlib.figure.Figure``.

    Raises:
        ImportError: if elephant is not installed.
    """
    named = named_groups(groups)
    if measured is None:
        measured = {name: irregularity(trains) for name, trains in named.items()}
    figure = new_figure(11, 3.5)
    rate, interval, cv, lv = figure.subplots(1, 4)
    duration = next(iter(named.values())).duration
    rates = {name: mean_rates(trains) for name, trains in named.items()}
    _draw_neurons(rate, rates, "no neurons", 1 / duration)
    tidy(rate, xlabel="mean rate, Hz", ylabel="% of neurons", title="Rates")
    _draw_intervals(interval, {name: intervals(trains).values for name, trains in named.items()})
    fewest = next(iter(measured.values())).fewest_intervals if measured else FEWEST_INTERVALS
    empty = f"no neuron has\n{fewest} intervals"
    for axes, title, xlabel in ((cv, "Irregularity", "CV of intervals"), (lv, "Local variation", "LV of intervals")):
        values = {name: each.cv if axes is cv else each.lv for name, each in measured.items()}
        _draw_neurons(axes, values, empty)
        axes.axvline(1, color="0.6", linewidth=0.8, linestyle=":")
        tidy(axes, xlabel=xlabel, title=title)
    if len(named) > 1:
        handles, labels = rate.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    judged = ", ".join(f"{whole(measured[name].judged)} of {whole(named[name].size)} {name}" for name in named)
    silent = ", ".join(f"{100 * silent_share(trains):.1f} % of {name}" for name, trains in named.items())
    caption(figure, [
        f"CV and LV: neurons with at least {fewest} intervals ({judged}); 1 is a Poisson process, 0 a clock.",
        f"Silent: {silent}." if any(trains.size for trains in named.values()) else "",
    ])  # fmt: skip
    return write_figure(figure, path)


def _draw_neurons(axes: Any, values: Mapping[str, np.ndarray], empty: str, unit: float | None = None) -> None:
    """Percent of the neurons in each bin; values are whole multiples of ``unit`` where there is one."""
    known = {name: each[np.isfinite(each)] for name, each in values.items()}
    together = np.concatenate([np.empty(0), *known.values()])
    if not together.size:
        say_nothing_there(axes, empty)
        axes.set(xticks=[], yticks=[])
        return
    edges = _edges(float(np.quantile(together, 1 - _TAIL, method="higher")), float(together.max()), unit)
    for place, (name, each) in enumerate(known.items()):
        draw_shares(axes, place, name, each, edges)
    axes.set_xlim(left=min(0.0, edges[0]))


def _edges(bulk: float, highest: float, unit: float | None) -> np.ndarray:
    """Edges from 0 to beyond the highest value, with ``_BINS`` up to ``bulk``.

    Multiples of a unit lie between edges, as many in each bin: other bins would hold now more, now fewer of them.
    """
    if unit is None:
        begin, width = 0.0, max(bulk, 0.1) / _BINS
    else:
        begin, width = -0.5 * unit, unit * max(1, int(np.ceil((bulk / unit + 1) / _BINS)))
    return begin + width * np.arange(int((highest - begin) / width) + 2)


def _draw_intervals(axes: Any, values: Mapping[str, np.ndarray]) -> None:
    """Share of the intervals in each bin of a logarithmic axis."""
    tidy(axes, xlabel="interval, ms", ylabel="% of intervals", title="Intervals")
    # two spikes at one time have no place on the axis
    known = {name: 1e3 * each[each > 0] for name, each in values.items()}
    together = np.concatenate([np.empty(0), *known.values()])
    if not together.size:
        say_nothing_there(axes, "no neuron has\ntwo spikes")
        axes.set(xticks=[], yticks=[])
        return
    low, high = float(together.min()) / 1.05, float(together.max()) * 1.05
    # at least a decade, lest all differ in the last digits only
    widen = max(1.0, (10 * low / high) ** 0.5)
    low, high = low / widen, high * widen
    edges = np.geomspace(low, high, _BINS + 1)
    for place, (name, each) in enumerate(known.items()):
        draw_shares(axes, place, name, each, edges)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    plain_logarithms(axes.xaxis, high / low)
