"""Pictures of states over time, with the neuron's spikes marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikelab.report.activity.spike_trains import SpikeTrains
from spikelab.report.activity.style import COLOURS, INK, caption, new_figure, say_nothing_there, tidy, write_figure

#: What a unit is shown in, and the factor to it.
_SHOWN_IN = {"V": (1e3, "mV"), "A": (1e12, "pA"), "S": (1e9, "nS"), "s": (1e3, "ms")}


def shown_unit(unit: str) -> tuple[float, str]:
    """(factor, unit) in which values of an SI unit are shown: mV for V, and so on."""
    return _SHOWN_IN.get(unit, (1.0, "" if unit in ("1", "dimensionless") else unit))


def draw_states(
    times: npt.ArrayLike,
    states: Mapping[str, npt.ArrayLike],
    path: str | Path | None = None,
    *,
    neurons: Sequence[int] = (0, 1, 2),
    spikes: SpikeTrains | None = None,
    units: Mapping[str, str] | None = None,
    title: str = "",
) -> Any:
    """Draws states of some neurons: one row a neuron, one column a state; a triangle and a line mark each spike.

    Args:
        times: of the samples, seconds, [samples].
        states: name -> values, [samples, neurons], such as ``{"v": monitor["v"]}``.
        path: picture file, or None to only return it.
        neurons: which ones.
        spikes: of the same group, if recorded.
        units: state -> SI unit; volts are shown as mV, amperes as pA.
        title: of the picture.

    Returns:
        the ``matplotlib.figure.Figure``.

    Raises:
        ValueError: if shapes do not fit, or a neuron does not exist.
    """
    when = np.asarray(times, np.float64)
    values = {name: np.asarray(each, np.float64) for name, each in states.items()}
    for name, each in values.items():
        if each.ndim != 2 or each.shape[0] != when.size:
            raise ValueError(f"state {name!r} of shape {each.shape}; takes [{when.size} samples, neurons]")
        if len(neurons) and not 0 <= min(neurons) <= max(neurons) < each.shape[1]:
            raise ValueError(f"state {name!r}: neurons {list(neurons)}; {each.shape[1]} were recorded, from 0 on")
    if not values or not len(neurons):
        raise ValueError("draw_states: takes at least one state and one neuron")
    figure = new_figure(10, 0.8 + 1.25 * len(neurons))
    table = figure.subplots(len(neurons), len(values), sharex=True, sharey="col", squeeze=False)
    for row, neuron in enumerate(neurons):
        mine = np.empty(0) if spikes is None else spikes.times[spikes.neurons == neuron]
        mine = mine[(mine >= when.min()) & (mine <= when.max())] if when.size else mine
        for column, (name, each) in enumerate(values.items()):
            axes = table[row, column]
            factor, unit = shown_unit((units or {}).get(name, ""))
            if mine.size:
                _mark_spikes(axes, mine)
            axes.plot(when, factor * each[:, neuron], color=COLOURS[0], linewidth=0.9)
            tidy(axes)
            if when.size > 1:
                axes.set_xlim(when[0], when[-1])
            if row == 0:
                axes.set_title(f"{name}, {unit}" if unit else name, size=10, pad=9)
            if column == 0:
                axes.set_ylabel(f"neuron {neuron}", size=9, color=INK)
            if row == len(neurons) - 1:
                axes.set_xlabel("time, s")
            if not when.size:
                say_nothing_there(axes, "no samples")
    if title:
        figure.suptitle(title, fontsize=11)
    caption(figure, ["Triangles: spikes of the neuron."] if spikes is not None else [])
    return write_figure(figure, path)


def _mark_spikes(axes: Any, times: np.ndarray) -> None:
    across = axes.get_xaxis_transform()
    axes.vlines(times, 0, 1, transform=across, color=COLOURS[1], linewidth=0.6, alpha=0.45)
    axes.plot(times, np.ones(times.size), "v", transform=across, color=COLOURS[1], markersize=4.5, clip_on=False)
