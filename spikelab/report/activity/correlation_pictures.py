"""Pictures of correlograms, of pair correlations and of the spectrum of the rate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.report.activity.correlograms import Correlogram
from spikelab.report.activity.spectrum import RateSpectrum
from spikelab.report.activity.style import (
    FAINT,
    caption,
    colour_of,
    draw_shares,
    milliseconds,
    new_figure,
    say_nothing_there,
    shortened,
    tidy,
    whole,
    write_figure,
)
from spikelab.report.activity.variability import PairCorrelations

#: Bins of the correlations of all but the outermost thousandths of the pairs.
_CORRELATION_BINS = 80


def draw_correlograms(
    auto: Mapping[str, Correlogram], cross: Mapping[str, Correlogram], path: str | Path | None = None
) -> Any:
    """Draws correlograms: of neurons with themselves, and of pairs of neurons.

    Args:
        auto: group -> ``auto_correlogram``.
        cross: groups -> ``cross_correlogram``; a name such as "excitatory" or "excitatory to inhibitory".
        path: picture file, or None to only return it.

    Returns:
        the ``matplotlib.figure.Figure``.
    """
    figure = new_figure(10, 3.6)
    left, right = figure.subplots(1, 2)
    for axes, found in ((left, auto), (right, cross)):
        drawn = {name: each for name, each in found.items() if np.isfinite(each.rates).any() and each.expected > 0}
        for place, (name, each) in enumerate(drawn.items()):
            # lines of pairs of groups may lie on each other
            style = "-" if name in auto else (0, (4, 2 + place))
            rates, colour = each.rates / each.expected, colour_of(list(found).index(name))
            axes.plot(1e3 * each.lags, rates, color=colour, linewidth=1.1, linestyle=style, label=shortened(name, 36))
        tidy(axes, xlabel="lag, ms", ylabel="rate over chance")
        axes.axhline(1, color=FAINT, linewidth=0.9, linestyle=":")
        if not drawn:
            say_nothing_there(axes, "too few spikes")
        elif len(found) > 1:
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + 0.07 * (2 + len(drawn)) * (high - low))
            axes.legend(frameon=False, fontsize=8, loc="upper right")
    left.set_title("A neuron around its own spikes")
    right.set_title("Pairs of different neurons")
    any_bin = next(iter([*auto.values(), *cross.values()]), None)
    bins = "" if any_bin is None else f"Bins of {milliseconds(any_bin.bin)}."
    caption(figure, ["1: independent neurons with steady rates. Lag: after a spike of the first neuron.", bins])
    return write_figure(figure, path)


def draw_spectrum(spectra: Mapping[str, RateSpectrum], path: str | Path | None = None) -> Any:
    """Draws power spectra of population rates, each over that of independent Poisson neurons.

    Args:
        spectra: group -> ``rate_spectrum``.
        path: picture file, or None to only return it.

    Returns:
        the ``matplotlib.figure.Figure``.
    """
    figure = new_figure(6.5, 3.6)
    axes = figure.subplots()
    known = {name: each for name, each in spectra.items() if each.poisson > 0}
    for place, (name, each) in enumerate(spectra.items()):
        if name in known:
            axes.plot(
                each.frequencies,
                each.density / each.poisson,
                color=colour_of(place),
                linewidth=1.1,
                label=shortened(name),
            )
    tidy(axes, xlabel="frequency, Hz", ylabel="power over Poisson's", title="Spectrum of the population rate")
    if not known:
        say_nothing_there(axes, "no spikes")
        return write_figure(figure, path)
    axes.axhline(1, color=FAINT, linewidth=0.9, linestyle=":")
    axes.set(xscale="log", yscale="log")
    if len(known) > 1:
        axes.legend(frameon=False, fontsize=8)
    beyond = {name: each.peak[0] for name, each in known.items() if np.isfinite(each.peak[0])}
    peaks = ", ".join(f"{shortened(name)} {frequency:.4g} Hz" for name, frequency in beyond.items())
    least = min(each.segments for each in known.values())
    resolution = max(each.resolution for each in known.values())
    caption(figure, [
        "Dotted: independent Poisson neurons of the same rate.",
        f"Strongest rhythm beyond chance: {peaks or 'none'}.",
        f"Welch's method, {resolution:.3g} Hz apart, {least} {'segment' if least == 1 else 'segments'}.",
    ])  # fmt: skip
    return write_figure(figure, path)


def draw_pair_correlations(found: Mapping[str, PairCorrelations], bin: float, path: str | Path | None = None) -> Any:
    """Draws how the correlations of pairs of neurons are spread.

    Args:
        found: group -> ``pair_correlations``.
        bin: in which spikes were counted, seconds.
        path: picture file, or None to only return it.

    Returns:
        the ``matplotlib.figure.Figure``.
    """
    figure = new_figure(6.5, 3.6)
    axes = figure.subplots()
    known = {name: each.coefficients for name, each in found.items() if each.coefficients.size}
    together = np.concatenate([np.empty(0), *known.values()])
    tidy(axes, xlabel=f"correlation of counts in {milliseconds(bin)}", ylabel="% of pairs", title="Pairs of neurons")
    if not together.size:
        say_nothing_there(axes, "fewer than two neurons whose count varies")
        return write_figure(figure, path)
    edges = _correlation_edges(together, max(found[name].coincidence_step for name in known))
    said = []
    for place, (name, each) in enumerate(found.items()):
        if name in known:
            draw_shares(axes, place, name, each.coefficients, edges)
            axes.axvline(each.coefficients.mean(), color=colour_of(place), linewidth=1, linestyle=":")
            of = f"{whole(each.neurons.size)} of {whole(each.of)} neurons"
            said.append(f"{shortened(name)} {each.coefficients.mean():.3g} ({of})")
    if len(known) > 1:
        axes.legend(frameon=False, fontsize=8)
    caption(figure, [f"Means, dotted: {', '.join(said)}."])
    return write_figure(figure, path)


def _correlation_edges(values: np.ndarray, step: float) -> np.ndarray:
    """Edges around all values, as fine as the bulk of them needs.

    Where values lie in heaps a step apart, bins are whole steps wide: others would hold now more, now fewer heaps.
    """
    low, high = np.quantile(values, (0.001, 0.999))
    width = max(high - low, 1e-3) / _CORRELATION_BINS
    if step:
        width = step * np.ceil(width / step - 1e-9)
    # no heap lies on an edge
    begin = float(values.min()) - width - step / 2
    return begin + width * np.arange(int((values.max() - begin) / width) + 3)
