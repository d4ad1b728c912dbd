"""Spike-timing dependent plasticity of pairs and triplets of spikes."""

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.parameters import W_MAX
from spikelab.sim.plasticity.spec import PlasticitySpec, Trace

_SOURCE = "Pfister and Gerstner 2006, Journal of Neuroscience 26, table 4: visual cortex, full model, "


def _parameters(tau_x: float, tau_y: float, a: tuple[float, float, float, float]) -> tuple[Parameter, ...]:
    part = "as a part of w_max"
    return (
        Parameter("tau_plus", 16.8e-3, "s", "time constant of the sender's fast trace", positive=True),
        Parameter("tau_minus", 33.7e-3, "s", "time constant of the target's fast trace", positive=True),
        Parameter("tau_x", tau_x, "s", "time constant of the sender's slow trace", positive=True),
        Parameter("tau_y", tau_y, "s", "time constant of the target's slow trace", positive=True),
        Parameter("a2_plus", a[0], "1", f"potentiation by a pair, {part}", lower=0.0),
        Parameter(
            "a3_plus",
            a[1],
            "1",
            f"potentiation by a triplet of one sender's and two target's spikes, {part}",
            lower=0.0,
        ),
        Parameter("a2_minus", a[2], "1", f"depression by a pair, {part}", lower=0.0),
        Parameter(
            "a3_minus", a[3], "1", f"depression by a triplet of two sender's and one target's spikes, {part}", lower=0.0
        ),
        W_MAX,
    )


_PRE = (
    Trace("r1", "tau_plus", "fast memory of the sender's spikes"),
    Trace("r2", "tau_x", "slow memory of the sender's spikes"),
)
_POST = (
    Trace("o1", "tau_minus", "fast memory of the target's spikes"),
    Trace("o2", "tau_y", "slow memory of the target's spikes"),
)
# the slow traces are read before the spike itself enters them
_DEPRESSION = "w = w - w_max * o1 * (a2_minus + a3_minus * r2)"
_POTENTIATION = "w = w + w_max * r1 * (a2_plus + a3_plus * o2)"

TripletSTDP = PlasticitySpec(
    name="triplet_stdp",
    title="Triplet STDP",
    source=_SOURCE + "all spikes",
    parameters=_parameters(101e-3, 125e-3, (5e-10, 6.2e-3, 7e-3, 2.3e-4)),
    pre=_PRE,
    post=_POST,
    on_pre=(_DEPRESSION, "r1 = r1 + 1", "r2 = r2 + 1"),
    on_post=(_POTENTIATION, "o1 = o1 + 1", "o2 = o2 + 1"),
    w_min="0",
    w_max="w_max",
)

NearestTripletSTDP = PlasticitySpec(
    name="nearest_triplet_stdp",
    title="Triplet STDP of nearest spikes",
    source=_SOURCE + "nearest spikes",
    parameters=_parameters(714e-3, 40e-3, (8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3)),
    pre=_PRE,
    post=_POST,
    on_pre=(_DEPRESSION, "r1 = 1", "r2 = 1"),
    on_post=(_POTENTIATION, "o1 = 1", "o2 = 1"),
    w_min="0",
    w_max="w_max",
)
