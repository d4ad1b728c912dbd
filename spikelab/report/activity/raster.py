"""Raster of spikes, with the rates of the populations below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spikelab.report.activity.binning import bin_edges, population_rate
from spikelab.report.activity.groups import Groups, named_groups
from spikelab.report.activity.rates import first_spike_latencies
from spikelab.report.activity.spike_trains import SpikeTrains
from spikelab.report.activity.style import (
    FAINT,
    caption,
    colour_of,
    milliseconds,
    new_figure,
    say_nothing_there,
    shortened,
    tidy,
    whole,
    write_figure,
)

Order = Literal["number", "rate", "first spike"]
#: More rows than pixels, or more dots than paper, show nothing: neurons are left out until both fit.
_MOST_ROWS, _MOST_SPIKES = 400, 20_000
#: Height of the spikes' axes in points.
_HEIGHT = 230
#: Rows that a small group keeps beside a large one.
_FEWEST_ROWS = 20
#: Bins of the rates over the width of the picture, and spikes that a group should have in each if it can.
_FEWEST_BINS, _MOST_BINS, _SPIKES_OF_BIN = 60, 600, 8


def draw_raster(
    groups: Groups,
    path: str | Path | None = None,
    *,
    order: Order = "number",
    bin: float | None = None,
    title: str = "",
    most_rows: int = _MOST_ROWS,
    most_spikes: int = _MOST_SPIKES,
) -> Any:
    """Draws the spikes of groups of neurons one above the other, and the rate of each group below.

    Where there are more neurons or spikes than can be seen, evenly spaced neurons are shown with all their spikes, and
    the caption says so; rates are always those of all neurons.

    Args:
        groups: name -> spikes, from the top down, or the spikes of one; all watched over the same time.
        path: picture file, or None to only return it.
        order: of a group's neurons, from the top down: by number, by rate (highest first) or by their first spike.
        bin: of the rates, seconds; by default a round number, 60 to 600 of them, the more the more spikes there are.
        title: of the picture.
        most_rows: neurons that are shown.
        most_spikes: spikes that are shown.

    Returns:
        the ``matplotlib.figure.Figure``.

    Raises:
        ValueError: for groups that were not watched over the same time, or an unknown order.
    """
    named = named_groups(groups)
    first = next(iter(named.values()))
    width = _rate_bin(named) if bin is None else bin
    shown = _thinned(named, order, most_rows, most_spikes)
    rows = sum(len(neurons) for neurons in shown.values())
    spikes = sum(int(trains.counts[shown[name]].sum()) for name, trains in named.items())
    figure = new_figure(10, 5.6)
    raster, rates = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, 1))
    top, ticks = 0, []
    for place, (name, trains) in enumerate(named.items()):
        neurons = shown[name]
        row = np.full(trains.size, -1)
        row[neurons] = top + np.arange(neurons.size)
        mine = row[trains.neurons] >= 0
        _draw_spikes(raster, trains.times[mine], row[trains.neurons[mine]], rows, spikes, colour_of(place))
        if place:
            raster.axhline(top - 0.5, color=FAINT, linewidth=0.4)
        lines = "\n" if _HEIGHT * neurons.size / max(1, rows) > 28 else " "
        ticks.append((top + (neurons.size - 1) / 2, f"{shortened(name)}{lines}({whole(trains.size)})"))
        top += neurons.size
        _draw_rate(rates, trains, width, colour_of(place), shortened(name))
    if not any(len(trains) for trains in named.values()):
        say_nothing_there(raster, "no spikes")
    tidy(raster, ylim=(max(rows, 1) - 0.5, -0.5), title=title)
    raster.set_yticks([y for y, _ in ticks], [text for _, text in ticks], size=9 if len(named) < 7 else 8)
    raster.tick_params(axis="y", length=0)
    tidy(rates, xlabel="time, s", ylabel="rate, Hz", xlim=(first.start, first.stop))
    rates.set_ylim(bottom=0)
    caption(
        figure, [*_said(named, shown, spikes, order), f"Rates: mean over neurons in bins of {milliseconds(width)}."]
    )
    return write_figure(figure, path)


def round_width(seconds: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... times a power of ten, not below a tenth of a millisecond."""
    exponent = np.floor(np.log10(max(seconds, 1e-4)) + 1e-9)
    power = 10.0**exponent
    factor = next(each for each in (1, 2, 5, 10) if each * power >= seconds * (1 - 1e-9) or each == 10)
    return float(np.round(factor * power, 12))


def _rate_bin(named: Mapping[str, SpikeTrains]) -> float:
    """As fine as the group with the fewest spikes allows."""
    fewest = min((len(trains) for trains in named.values() if len(trains)), default=0)
    bins = min(max(fewest // _SPIKES_OF_BIN, _FEWEST_BINS), _MOST_BINS)
    return round_width(next(iter(named.values())).duration / bins)


def _thinned(named: Mapping[str, SpikeTrains], order: Order, rows: int, spikes: int) -> dict[str, np.ndarray]:
    """The neurons of each group that are shown, from the top down."""
    neurons, total = sum(trains.size for trains in named.values()), sum(map(len, named.values()))
    share = min(1.0, rows / max(1, neurons), spikes / max(1, total))
    shown = {}
    for name, trains in named.items():
        count = trains.size if share == 1 else min(trains.size, max(_FEWEST_ROWS, round(share * trains.size)))
        chosen = _ordered(trains, order)
        shown[name] = chosen[np.linspace(0, trains.size - 1, count).round().astype(int)] if count else chosen
    return shown


def _ordered(trains: SpikeTrains, order: Order) -> np.ndarray:
    if order == "number":
        return np.arange(trains.size)
    if order == "rate":
        return np.argsort(-trains.counts, kind="stable")
    if order == "first spike":
        return np.argsort(first_spike_latencies(trains), kind="stable")
    raise ValueError(f"order = {order!r}: takes 'number', 'rate' or 'first spike'")


def _draw_spikes(axes: Any, times: np.ndarray, places: np.ndarray, rows: int, spikes: int, colour: str) -> None:
    # a stroke as high as its row while rows are higher than a dot; dots the larger the fewer there are
    height = _HEIGHT / max(1, rows)
    if height > 4:
        look = {"marker": "|", "markersize": min(height, 14), "markeredgewidth": 0.9}
    else:
        look = {
            "marker": "o",
            "markersize": float(np.clip(np.sqrt(30_000 / max(1, spikes)), 0.8, 2.4)),
            "markeredgewidth": 0,
        }
    axes.plot(times, places, linestyle="none", color=colour, rasterized=True, **look)


def _draw_rate(axes: Any, trains: SpikeTrains, bin: float, colour: str, name: str) -> None:
    if trains.duration < bin or not trains.size:
        return
    axes.stairs(
        population_rate(trains, bin), bin_edges(trains, bin), color=colour, linewidth=0.9, baseline=None, label=name
    )


def _said(named: Mapping[str, SpikeTrains], shown: Mapping[str, np.ndarray], spikes: int, order: Order) -> list[str]:
    total, drawn = sum(trains.size for trains in named.values()), sum(len(neurons) for neurons in shown.values())
    sentences = []
    if drawn < total:
        of = ", ".join(f"{whole(len(shown[name]))} of {whole(named[name].size)} {name}" for name in named)
        every = whole(sum(map(len, named.values())))
        sentences.append(
            f"Shown are evenly spaced neurons with all their spikes: {of}; {whole(spikes)} of {every} spikes."
        )
    if order != "number":
        sentences.append(f"Neurons by {order}, from the top down.")
    return sentences
