"""Hebbian coincidence as an eligibility, which a third factor turns into weight."""

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.hebbian import TAU
from spikelab.sim.plasticity.parameters import INTERVAL, TAU_ELIGIBILITY, W_MAX
from spikelab.sim.plasticity.spec import PlasticitySpec, SynapseVariable, Trace

ThreeFactorHebbian = PlasticitySpec(
    name="three_factor_hebbian",
    title="Three-factor Hebbian rule",
    source="Gerstner et al. 2018, Frontiers in Neural Circuits 12",
    parameters=(
        *(TAU, TAU_ELIGIBILITY),
        Parameter(
            "learning_rate", 0.01, "1/s", "growth by a modulator of 1 and an eligibility of 1, in w_max a second"
        ),
        *(INTERVAL, W_MAX),
    ),
    pre=(Trace("x_pre", "tau", "recent spikes of the sender"),),
    post=(Trace("y_post", "tau", "recent spikes of the target"),),
    synapse=(SynapseVariable("eligibility", "recent coincidences of spikes", "tau_eligibility"),),
    on_pre=("eligibility = eligibility + y_post", "x_pre = x_pre + 1"),
    on_post=("eligibility = eligibility + x_pre", "y_post = y_post + 1"),
    continuous=("dw/dt = learning_rate * w_max * modulator * eligibility",),
    interval="interval",
    w_min="0",
    w_max="w_max",
)
