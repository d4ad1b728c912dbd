"""Parameters that several neurons share, declared once so that units and bounds agree."""

from __future__ import annotations

from spikelab.neurons.spec import Parameter

TAU_MEM = Parameter("tau_mem", 20e-3, "s", "membrane time constant", positive=True)
TAU_SYN = Parameter("tau_syn", 5e-3, "s", "synaptic time constant", positive=True)
RESISTANCE = Parameter("r", 1.0, "1", "membrane resistance: gain from input to membrane")
INPUT_WEIGHT = Parameter("w_in", 1.0, "1", "input weight: gain from input to synaptic current")
V_LEAK = Parameter("v_leak", 0.0, "1", "potential to which the membrane leaks")
V_THRESHOLD = Parameter("v_threshold", 1.0, "1", "spike threshold")
V_RESET = Parameter("v_reset", 0.0, "1", "membrane potential after a spike, for the reset to a value")
