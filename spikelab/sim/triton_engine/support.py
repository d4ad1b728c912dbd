"""What this engine can run; anything else is refused by name before it begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spikelab.sim.inputs import NoiseCurrent, PoissonInput, StepCurrent
from spikelab.sim.monitors import RateMonitor, SpikeMonitor, StateMonitor, WeightMonitor
from spikelab.sim.sources import PoissonSource, SpikeArray

if TYPE_CHECKING:
    from spikelab.sim.network import Network

_SOURCES = PoissonSource, SpikeArray
_INPUTS = StepCurrent, NoiseCurrent, PoissonInput
_MONITORS = SpikeMonitor, StateMonitor, RateMonitor, WeightMonitor


class NotSupported(ValueError):
    """A network that this engine cannot run; the message says what, and what can."""


def check(network: Network) -> None:
    """Raises NotSupported for what there is no kernel for; equations are checked where their kernel is made."""
    for projection in network.projections:
        if projection.plasticity is not None:
            raise NotSupported(
                f"{projection}: the engine 'triton' has no plasticity: leave it out, or run it with engine='numba'"
            )
    for name, population in network.populations.items():
        if population.source is not None:
            _check_kind(f"population {name}", population.source, _SOURCES)
    for each in network.inputs:
        _check_kind(f"input {each.number} into {each.target}", each.input, _INPUTS)


def check_monitors(monitors: Iterable[Any]) -> None:
    """Raises NotSupported for a kind of monitor that this engine does not feed."""
    for monitor in monitors:
        _check_kind("a monitor", monitor, _MONITORS)


def _check_kind(what: str, choice: Any, known: tuple[type, ...]) -> None:
    if type(choice) not in known:
        names = ", ".join(each.__name__ for each in known)
        raise NotSupported(
            f"{what}: the engine 'triton' has no {type(choice).__name__}, only {names}; run it with engine='numba'"
        )


def check_threads(threads: int | None) -> None:
    """Raises ValueError for a number of threads."""
    if threads not in (None, 1):
        raise ValueError(f"threads = {threads}: the engine 'triton' runs on a device, not on threads; leave it out")
