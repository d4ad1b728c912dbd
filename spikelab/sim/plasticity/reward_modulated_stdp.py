"""STDP that writes into an eligibility, which a reward signal turns into weight."""

from spikelab.neurons.spec import Parameter
from spikelab.sim.plasticity.parameters import A_MINUS, A_PLUS, INTERVAL, TAU_ELIGIBILITY, TAU_MINUS, TAU_PLUS, W_MAX
from spikelab.sim.plasticity.spec import PlasticitySpec, SynapseVariable, Trace

RewardModulatedSTDP = PlasticitySpec(
    name="reward_modulated_stdp",
    title="Reward-modulated STDP with eligibility traces",
    source="Izhikevich 2007, Cerebral Cortex 17",
    parameters=(
        *(TAU_PLUS, TAU_MINUS, TAU_ELIGIBILITY, A_PLUS, A_MINUS),
        Parameter("learning_rate", 1.0, "1/s", "growth by a modulator of 1 and an eligibility of 1, in w_max a second"),
        *(INTERVAL, W_MAX),
    ),
    pre=(Trace("x_pre", "tau_plus", "recent spikes of the sender"),),
    post=(Trace("y_post", "tau_minus", "recent spikes of the target"),),
    synapse=(SynapseVariable("eligibility", "pairs of spikes that a reward would credit", "tau_eligibility"),),
    on_pre=("eligibility = eligibility - a_minus * y_post", "x_pre = x_pre + 1"),
    on_post=("eligibility = eligibility + a_plus * x_pre", "y_post = y_post + 1"),
    continuous=("dw/dt = learning_rate * w_max * modulator * eligibility",),
    interval="interval",
    w_min="0",
    w_max="w_max",
)
