"""A spike starts a current of fixed shape into the neuron, whatever its membrane."""

from spikelab.neurons.parameters import TAU_SYN
from spikelab.neurons.receptor import ReceptorModel
from spikelab.neurons.spec import State

ExponentialCurrent = ReceptorModel(
    name="exponential_current",
    title="Exponential current receptor",
    arrival="i",
    unit="input",
    source="Rotter and Diesmann 1999, Biological Cybernetics 81; NEST's iaf_psc_exp",
    states=(State("i", "input", "-i / tau_syn", "synaptic current"),),
    parameters=(TAU_SYN,),
    current="i",
)

AlphaCurrent = ReceptorModel(
    name="alpha_current",
    title="Alpha-shaped current receptor",
    arrival="rise",
    unit="input",
    source="Rotter and Diesmann 1999, Biological Cybernetics 81; NEST's iaf_psc_alpha",
    states=(
        State("i", "input", "(rise - i) / tau_syn", "synaptic current"),
        State("rise", "input", "-rise / tau_syn", "drive of the synaptic current"),
    ),
    parameters=(TAU_SYN,),
    current="i",
    # i(t) = e · t / tau_syn · exp(-t / tau_syn): its peak, at tau_syn, is the weight
    jump="exp(1)",
)
