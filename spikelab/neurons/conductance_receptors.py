"""A spike opens channels: the current depends on how far the membrane is from their reversal potential.

Weights are conductances, in siemens for a neuron in volts and amperes; they are never negative, the reversal potential
decides whether the receptor excites or inhibits.
"""

from spikelab.neurons.parameters import TAU_SYN
from spikelab.neurons.receptor import ReceptorModel
from spikelab.neurons.spec import Parameter, State

REVERSAL = Parameter("reversal", 0.0, "membrane", "reversal potential")

ExponentialConductance = ReceptorModel(
    name="exponential_conductance",
    title="Exponential conductance receptor",
    arrival="g",
    unit="conductance",
    source="Destexhe, Mainen and Sejnowski 1998, Kinetic models of synaptic transmission; NEST's iaf_cond_exp",
    states=(State("g", "conductance", "-g / tau_syn", "conductance"),),
    parameters=(TAU_SYN, REVERSAL),
    current="g * (reversal - membrane)",
)

AlphaConductance = ReceptorModel(
    name="alpha_conductance",
    title="Alpha-shaped conductance receptor",
    arrival="rise",
    unit="conductance",
    source="Rall 1967, Journal of Neurophysiology 30, 1138 to 1168; NEST's iaf_cond_alpha",
    states=(
        State("g", "conductance", "(rise - g) / tau_syn", "conductance"),
        State("rise", "conductance", "-rise / tau_syn", "drive of the conductance"),
    ),
    parameters=(TAU_SYN, REVERSAL),
    current="g * (reversal - membrane)",
    # as for a current: the peak, at tau_syn, is the weight
    jump="exp(1)",
)
