"""Parameters that several rules share, declared once so that units and bounds agree."""

import math

from spikelab.neurons.spec import Parameter

TAU_PLUS = Parameter("tau_plus", 20e-3, "s", "time constant of potentiation", positive=True)
TAU_MINUS = Parameter("tau_minus", 20e-3, "s", "time constant of depression", positive=True)
A_PLUS = Parameter("a_plus", 0.01, "1", "potentiation by a pair of spikes at no distance, as a part of w_max")
A_MINUS = Parameter("a_minus", 0.0105, "1", "depression by a pair of spikes at no distance, as a part of w_max")
W_MAX = Parameter("w_max", math.nan, "weight", "largest weight", positive=True)
TAU_ELIGIBILITY = Parameter("tau_eligibility", 1.0, "s", "time constant of the eligibility", positive=True)
INTERVAL = Parameter("interval", 1e-3, "s", "time between two actions of the continuous terms", positive=True)
