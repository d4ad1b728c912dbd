"""What a report is made of: spikes, states, rates and weights, from a network, its monitors, or plain spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spikelab.report.activity.groups import named_groups
from spikelab.report.activity.network_groups import covers, divided_groups, group_names
from spikelab.report.activity.spike_trains import SpikeTrains

if TYPE_CHECKING:
    from spikelab.sim.monitors import Monitor, RateMonitor, SpikeMonitor, StateMonitor, WeightMonitor
    from spikelab.sim.network import Network
    from spikelab.sim.population import Group


@dataclass(frozen=True, eq=False)
class Recorded:
    """What there is to report.

    Attributes:
        spikes: name -> spikes; all over the same time.
        states: monitors of states, and the spikes of the same neurons where these were recorded.
        rates: monitors of rates.
        weights: monitors of weights.
        network: for its synapses, or None.
    """

    spikes: dict[str, SpikeTrains]
    states: list[tuple[StateMonitor, SpikeTrains | None]] = field(default_factory=list)
    rates: list[RateMonitor] = field(default_factory=list)
    weights: list[WeightMonitor] = field(default_factory=list)
    network: Network | None = None


def recorded(
    source: Any, start: float | None = None, stop: float | None = None, groups: Mapping[str, Any] | None = None
) -> Recorded:
    """Brings everything that a report may be made of into one form.

    The monitor of a population whose projections leave from, or reach, parts of it is divided into these parts: such as
    its excitatory and its inhibitory neurons, which are then called so (``group_names``).

    Args:
        source: a network, a sequence of monitors, spike trains, or name -> spike trains.
        start: seconds from which on; the beginning by default.
        stop: seconds up to which; all by default, which monitors on their own do not know.
        groups: name -> population or range of one, to divide in another way, or give other names.

    Raises:
        TypeError: for anything else.
        ValueError: if there is nothing, the time is not known, or the spikes of a group were not recorded.
    """
    if isinstance(source, SpikeTrains | Mapping):
        if groups is not None:
            raise ValueError("groups are parts of a network; of spike trains, pass name -> trains.select(...) instead")
        return Recorded(_cut(named_groups(source), start, stop))
    from spikelab.sim.monitors import RateMonitor, SpikeMonitor, StateMonitor, WeightMonitor
    from spikelab.sim.network import Network
    from spikelab.sim.population import as_group

    network = source if isinstance(source, Network) else None
    monitors: Sequence[Monitor] = source.monitors if network is not None else source
    known = (SpikeMonitor, StateMonitor, RateMonitor, WeightMonitor)
    if not isinstance(monitors, Sequence) or not all(isinstance(each, known) for each in monitors):
        raise TypeError(
            f"activity_report: takes a network, a list of its monitors, or spike trains; got {type(source).__name__}"
        )
    if not monitors:
        raise ValueError("nothing was recorded: call network.record_spikes(population) before network.run(...)")
    if stop is None and network is None:
        raise ValueError("monitors do not know how long the network ran: give stop=network.time")
    end = network.time if stop is None and network is not None else float(stop or 0.0)
    begin = 0.0 if start is None else float(start)
    spiking = [each for each in monitors if isinstance(each, SpikeMonitor)]
    if groups is None:
        names = {} if network is None else group_names(network)
        parts = [part for each in spiking for part in _parts(each.group, network)]
        groups = {names.get(str(part), str(part)): part for part in parts}
    spikes = {}
    for name, choice in groups.items():
        group = as_group(choice, f"groups: {name}")
        trains = _spikes_of(group, spiking, begin, end)
        if trains is None:
            raise ValueError(f"{name}: no monitor recorded the spikes of all of {group}; record_spikes({group}) first")
        spikes[name] = trains
    return Recorded(
        spikes,
        [(each, _spikes_of(each.group, spiking, begin, end)) for each in monitors if isinstance(each, StateMonitor)],
        [each for each in monitors if isinstance(each, RateMonitor)],
        [each for each in monitors if isinstance(each, WeightMonitor)],
        network,
    )


def _cut(spikes: dict[str, SpikeTrains], start: float | None, stop: float | None) -> dict[str, SpikeTrains]:
    if start is None and stop is None:
        return spikes
    first = next(iter(spikes.values()))
    begin, end = first.start if start is None else start, first.stop if stop is None else stop
    return {name: trains.between(begin, end) for name, trains in spikes.items()}


def _parts(group: Group, network: Network | None) -> list[Group]:
    """What projections divide a group into, or the group itself."""
    if network is None:
        return [group]
    inside = [each for each in divided_groups(network) if each.size and covers(group, each)]
    return inside if sum(each.size for each in inside) == group.size and inside else [group]


def _spikes_of(group: Group, monitors: Sequence[SpikeMonitor], start: float, stop: float) -> SpikeTrains | None:
    """The spikes of a group, from the first monitor that has them all."""
    for monitor in monitors:
        if covers(monitor.group, group):
            first = group.first - monitor.group.first
            return SpikeTrains.from_monitor(monitor, stop, start).select(slice(first, first + group.size))
    return None
