"""Trainable modules: neurons, connections and networks."""

from spikelab.nn.checks import NonFiniteError as NonFiniteError
from spikelab.nn.checks import check_finite as check_finite
from spikelab.nn.neuron import Neuron as Neuron
from spikelab.nn.neuron import NeuronState as NeuronState
from spikelab.nn.neurons import IF as IF
from spikelab.nn.neurons import LI as LI
from spikelab.nn.neurons import LIF as LIF
from spikelab.nn.neurons import AdaptiveLIF as AdaptiveLIF
from spikelab.nn.neurons import AdEx as AdEx
from spikelab.nn.neurons import CubaLI as CubaLI
from spikelab.nn.neurons import CubaLIF as CubaLIF
from spikelab.nn.neurons import Izhikevich as Izhikevich
