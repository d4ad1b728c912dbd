"""Groups of neurons by name: what the pictures take."""

from __future__ import annotations

from collections.abc import Mapping

from spikelab.report.activity.spike_trains import SpikeTrains

#: Spikes of several groups by name, or of one.
Groups = Mapping[str, SpikeTrains] | SpikeTrains


def named_groups(groups: Groups) -> dict[str, SpikeTrains]:
    """Groups by name; a single one is called "neurons".

    Raises:
        TypeError: for anything but spike trains.
        ValueError: for no group, or groups that were not watched over the same time.
    """
    named = dict(groups) if isinstance(groups, Mapping) else {"neurons": groups}
    if not named:
        raise ValueError("no group of neurons is given; pass spike trains, or name -> spike trains")
    for name, trains in named.items():
        if not isinstance(trains, SpikeTrains):
            raise TypeError(
                f"{name}: takes SpikeTrains, such as SpikeTrains.from_monitor(...); got {type(trains).__name__}"
            )
    spans = {name: (trains.start, trains.stop) for name, trains in named.items()}
    if len(set(spans.values())) > 1:
        said = ", ".join(f"{name} {start:g} to {stop:g} s" for name, (start, stop) in spans.items())
        raise ValueError(f"groups were not watched over the same time ({said}); take the common span with .between")
    return named
