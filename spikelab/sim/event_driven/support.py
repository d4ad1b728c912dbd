"""What the event-driven engine can run; anything else is refused before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikelab.sim.inputs import NoiseCurrent, PoissonInput

if TYPE_CHECKING:
    from spikelab.sim.network import Network


class NotSupported(ValueError):
    """A network that the event-driven engine cannot run; the message says why and what can."""


def check(network: Network) -> None:
    """Raises NotSupported unless every part of the network has an exact meaning without a time grid."""
    if network.dtype != "float64":
        raise NotSupported(
            f"the event-driven engine works in double precision; got dtype={network.dtype!r}: leave it out"
        )
    for name, population in network.populations.items():
        if population.neuron is not None and population.method not in ("", "exact"):
            raise NotSupported(
                f"population {name}: method={population.method!r} is one of time steps, which the event-driven engine "
                f"does not take: leave it out, or run it with engine='numba'"
            )
    for projection in network.projections:
        if projection.plasticity is not None:
            raise NotSupported(
                f"{projection}: the event-driven engine has no plasticity: leave it out, or run it with engine='numba'"
            )
        _check_receptor(str(projection), projection.receptor)
    for record in network.inputs:
        if isinstance(record.input, NoiseCurrent):
            raise NotSupported(
                f"{record}: noise that is drawn anew in each time step has no meaning without one: take a "
                f"PoissonInput, or run it with engine='numba'"
            )
        if isinstance(record.input, PoissonInput):
            _check_receptor(str(record), record.receptor)


def _check_receptor(what: str, receptor: str) -> None:
    if receptor == "current":
        raise NotSupported(
            f"{what}: a spike that arrives at the receptor 'current' acts for one time step, and the event-driven "
            f"engine has none: use a receptor such as delta or exponential_current, or run it with engine='numba'"
        )
