"""What a neuron is: symbolic equations, units and sources. Nothing here needs torch or numba."""

from spikelab.neurons.adaptive_lif import AdaptiveLIF as AdaptiveLIF
from spikelab.neurons.adex import AdEx as AdEx
from spikelab.neurons.cuba_li import CubaLI as CubaLI
from spikelab.neurons.cuba_lif import CubaLIF as CubaLIF
from spikelab.neurons.exponential_lif import ExponentialLIF as ExponentialLIF
from spikelab.neurons.hodgkin_huxley import HodgkinHuxley as HodgkinHuxley
from spikelab.neurons.integrate_and_fire import IF as IF
from spikelab.neurons.integrator import Integrator as Integrator
from spikelab.neurons.izhikevich import Izhikevich as Izhikevich
from spikelab.neurons.li import LI as LI
from spikelab.neurons.lif import LIF as LIF
from spikelab.neurons.lif_membrane import LIFMembrane as LIFMembrane
from spikelab.neurons.quadratic_lif import QuadraticLIF as QuadraticLIF
from spikelab.neurons.receptor import ReceptorModel as ReceptorModel
from spikelab.neurons.receptor import with_receptors as with_receptors
from spikelab.neurons.resonate_and_fire import ResonateAndFire as ResonateAndFire
from spikelab.neurons.spec import NeuronSpec as NeuronSpec
from spikelab.neurons.spec import Parameter as Parameter
from spikelab.neurons.spec import Receptor as Receptor
from spikelab.neurons.spec import State as State
from spikelab.neurons.surrogate import SURROGATES as SURROGATES
from spikelab.neurons.surrogate import Surrogate as Surrogate
from spikelab.neurons.surrogate import surrogate as surrogate
