"""The report of a network's activity: pictures, figures, and one page that shows them all."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.io.atomic import write_json_atomically
from spikelab.report.activity.correlation_pictures import draw_correlograms, draw_pair_correlations, draw_spectrum
from spikelab.report.activity.correlograms import cross_correlogram
from spikelab.report.activity.histograms import draw_histograms
from spikelab.report.activity.measured import COUNT_BIN, DEFINITIONS, LAG_BIN, LONGEST_LAG, Measured, measure
from spikelab.report.activity.raster import draw_raster
from spikelab.report.activity.rate_course import draw_rates
from spikelab.report.activity.source import Recorded, recorded
from spikelab.report.activity.spike_trains import SpikeTrains
from spikelab.report.activity.states import draw_states
from spikelab.report.activity.style import milliseconds
from spikelab.report.activity.synapse_counts import count_synapses, weight_matrix
from spikelab.report.activity.synapse_pictures import draw_synapses, draw_weight_matrix
from spikelab.report.activity.weights import draw_weights
from spikelab.report.page import Page

if TYPE_CHECKING:
    from spikelab.sim.monitors import WeightMonitor
    from spikelab.sim.network import Network
    from spikelab.sim.population import Group, Population

#: Seconds of the second, enlarged raster, and of state traces.
_ENLARGED = 0.5
#: Groups of which all pairs are correlated; neurons whose weights are drawn as a matrix; states of a picture.
_PAIRED, _DRAWN_AS_MATRIX, _MOST_STATES = 3, 200, 3


def activity_report(
    source: Any,
    folder: str | Path,
    *,
    start: float | None = None,
    stop: float | None = None,
    groups: Mapping[str, Group | Population] | None = None,
    title: str = "Activity",
    seed: int = 0,
) -> dict[str, Any]:
    """Measures and draws what was recorded, into PNGs, ``activity.json`` and the page ``activity.html``.

    Args:
        source: a network that has run; a list of monitors; spike trains, or name -> spike trains.
        folder: where the files go; made if missing, files of the same names are replaced.
        start: seconds from which on spikes count, to leave out a warm-up; the beginning by default.
        stop: seconds up to which; the end by default. Monitors without their network need it.
        groups: of a network or its monitors: name -> population or range of one. By default a population is divided
            where projections begin or end, and a part that only excites is called "excitatory cells".
        title: of the page.
        seed: of the draw of neurons whose pairs are correlated.

    Returns:
        ``groups``: name -> figures (see ``DEFINITIONS``), ``start``, ``stop``, ``files``.

    Raises:
        ImportError: if scipy or elephant is not installed (``pip install 'spikelab[analysis]'``).
        ValueError: if nothing was recorded, or no time has passed.
        OSError: if the files cannot be written.
    """
    found = recorded(source, start, stop, groups)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    page = Page(title)
    pictures = _Pictures(page, folder)
    result: dict[str, Any] = {"groups": {}}
    if found.spikes:
        result = _report_spikes(page, pictures, found.spikes, seed)
    _report_rates(page, pictures, found)
    _report_states(page, pictures, found)
    _report_weights(page, pictures, found)
    if found.network is not None and found.network.projections:
        _report_synapses(page, pictures, found.network, {str(group): name for name, group in (groups or {}).items()})
    page.write(folder / "activity.html")
    files = [str(folder / name) for name in ("activity.html", "activity.json")] + pictures.files
    write_json_atomically(folder / "activity.json", {**result, "files": files})
    return {**result, "files": files}


class _Pictures:
    """Pictures in files, and on the page."""

    def __init__(self, page: Page, folder: Path):
        self._page, self._folder = page, folder
        self.files: list[str] = []

    def path(self, name: str) -> Path:
        self.files.append(str(self._folder / f"{name}.png"))
        return self._folder / f"{name}.png"

    def show(self, description: str) -> None:
        """Puts the picture that was written last onto the page."""
        self._page.picture(self.files[-1], description)


def _report_spikes(page: Page, pictures: _Pictures, spikes: Mapping[str, SpikeTrains], seed: int) -> dict[str, Any]:
    measured = {name: measure(trains, seed) for name, trains in spikes.items()}
    first = next(iter(spikes.values()))
    page.text(f"From {first.start:g} to {first.stop:g} s.")
    page.section("Figures").table(_table(measured))
    page.section("Spikes")
    draw_raster(spikes, pictures.path("raster"))
    pictures.show("raster of spikes, and rates of the groups")
    if first.duration > 2 * _ENLARGED:
        enlarged = {name: trains.between(first.stop - _ENLARGED, first.stop) for name, trains in spikes.items()}
        draw_raster(enlarged, pictures.path("raster_enlarged"), title=f"The last {milliseconds(_ENLARGED)}")
        pictures.show("the end of the recording, enlarged")
    page.section("Rates and intervals")
    draw_histograms(
        spikes, pictures.path("histograms"), measured={n: each.irregularity for n, each in measured.items()}
    )
    pictures.show("distributions of rates, intervals, CV and LV")
    page.section("How neurons act together")
    auto = {name: each.auto for name, each in measured.items() if each.auto is not None}
    if auto:
        draw_correlograms(auto, _cross(spikes, measured), pictures.path("correlograms"))
        pictures.show("correlograms")
    pairs = {name: each.pairs for name, each in measured.items() if each.pairs is not None}
    if pairs:
        draw_pair_correlations(pairs, COUNT_BIN, pictures.path("pair_correlations"))
        pictures.show("distribution of correlations of pairs of neurons")
    spectra = {name: each.spectrum for name, each in measured.items() if each.spectrum is not None}
    if spectra:
        draw_spectrum(spectra, pictures.path("spectrum"))
        pictures.show("power spectrum of the population rate")
    if not (auto and pairs and spectra):
        page.text(f"Some measures are left out: {first.duration:g} s is too short for them.")
    page.section("What the figures are").items(DEFINITIONS)
    return {
        "groups": {name: each.figures for name, each in measured.items()},
        "start": first.start,
        "stop": first.stop,
    }


def _cross(spikes: Mapping[str, SpikeTrains], measured: Mapping[str, Measured]) -> dict[str, Any]:
    """Correlograms within each group, and between groups where these are few."""
    cross = {name: each.cross for name, each in measured.items() if each.cross is not None}
    if len(spikes) <= _PAIRED:
        for one, other in combinations(spikes, 2):
            found = cross_correlogram(spikes[one], spikes[other], LAG_BIN, LONGEST_LAG)
            cross[f"{one} to {other}"] = found
    return cross


#: Line of the table -> figure, and the factor to the unit in which it is shown.
_LINES = {
    "neurons": ("neurons", 1),
    "spikes": ("spikes", 1),
    "mean rate, Hz": ("mean_rate_hz", 1),
    "silent, %": ("silent_share", 100),
    "CV of intervals": ("cv", 1),
    "CV2": ("cv2", 1),
    "LV": ("lv", 1),
    "neurons with enough intervals": ("neurons_with_enough_intervals", 1),
    "Fano factor": ("fano_factor", 1),
    "correlation of pairs": ("pair_correlation", 1),
    "synchrony, chi squared": ("synchrony_chi_squared", 1),
    "population variance over Poisson's": ("population_variance_over_poisson", 1),
    "strongest rhythm, Hz": ("peak_frequency_hz", 1),
    "power there over Poisson's": ("peak_power_over_poisson", 1),
    "spikes in bursts, %": ("share_in_bursts", 100),
    "first spike, ms": ("first_spike_median_s", 1e3),
}


def _table(measured: Mapping[str, Measured]) -> list[dict[str, Any]]:
    """One row a figure, one column a group."""
    rows = []
    for line, (figure, factor) in _LINES.items():
        values = {name: each.figures[figure] for name, each in measured.items()}
        rows.append({"": line, **{name: None if value is None else factor * value for name, value in values.items()}})
    return rows


def _report_rates(page: Page, pictures: _Pictures, found: Recorded) -> None:
    if found.rates:
        page.section("Recorded rates")
        draw_rates({str(each.group): (each.times, each.rates) for each in found.rates}, pictures.path("rates"))
        pictures.show("rates over time")


def _report_states(page: Page, pictures: _Pictures, found: Recorded) -> None:
    if found.states:
        page.section("States")
    for number, (monitor, spikes) in enumerate(found.states):
        times = monitor.times
        if not times.size or not monitor.group.size:
            page.text(f"{monitor.group}: no samples.")
            continue
        late = times >= times[-1] - _ENLARGED
        names = monitor.names[:_MOST_STATES]
        neuron = monitor.group.population.neuron
        units = {} if neuron is None else {state.name: state.unit for state in neuron.states}
        draw_states(
            times[late],
            {name: monitor[name][late] for name in names},
            pictures.path(f"states_{number}"),
            neurons=range(min(3, monitor.group.size)),
            spikes=spikes,
            units=units,
            title=f"{monitor.group}, the last {milliseconds(_ENLARGED)}" if not late.all() else str(monitor.group),
        )
        pictures.show(f"states of {monitor.group}")
        if len(names) < len(monitor.names):
            page.text(f"Not drawn: {', '.join(monitor.names[_MOST_STATES:])}.")


def _report_weights(page: Page, pictures: _Pictures, found: Recorded) -> None:
    if found.weights:
        page.section("Weights")
    for number, monitor in enumerate(found.weights):
        weights, times = monitor.weights, monitor.times
        if not weights.size:
            page.text(f"{monitor.projection}: no samples.")
            continue
        draw_weights(
            {**_first_weights(monitor, found.network), f"at {milliseconds(times[-1])}": weights[-1]},
            pictures.path(f"weights_{number}"),
            course=(times, weights),
            unit=monitor.projection.target.population.receptors.get(monitor.projection.receptor, ""),
            title=str(monitor.projection),
        )
        pictures.show(f"weights of {monitor.projection}")


def _first_weights(monitor: WeightMonitor, network: Network | None) -> dict[str, np.ndarray]:
    """Those at the beginning, which only the network knows; else the first that were recorded."""
    if network is None:
        return {f"at {milliseconds(monitor.times[0])}": monitor.weights[0]}
    synapses = network.synapses(monitor.projection)
    return {"at the beginning": np.broadcast_to(synapses.weights, synapses.count)[monitor.synapses]}


def _report_synapses(page: Page, pictures: _Pictures, network: Network, titles: Mapping[str, str]) -> None:
    page.section("Synapses, as the network was built")
    found = count_synapses(network, titles)
    draw_synapses(found, pictures.path("synapses"))
    pictures.show("densities between groups, in- and out-degrees")
    if int(found.sizes.sum()) <= _DRAWN_AS_MATRIX:
        borders = tuple(np.cumsum(found.sizes)[:-1].tolist())
        draw_weight_matrix(weight_matrix(network), pictures.path("weight_matrix"), borders=borders)
        pictures.show("weights between all pairs of neurons")
