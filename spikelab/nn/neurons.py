"""The registered neurons as layers: ``nn.LIF(tau_mem=10e-3)`` is ``nn.Neuron("lif", tau_mem=10e-3)``."""

from __future__ import annotations

from typing import Any

from spikelab import neurons
from spikelab.neurons.spec import NeuronSpec
from spikelab.nn.neuron import Neuron


def _layer(spec: NeuronSpec, class_name: str) -> type[Neuron]:
    def __init__(self: Neuron, **options: Any) -> None:
        Neuron.__init__(self, spec, **options)

    described = f"{spec.describe()}\n\nTakes the options of ``Neuron``; parameters as keyword arguments, in SI units."
    return type(class_name, (Neuron,), {"__init__": __init__, "__doc__": described, "__module__": __name__})


IF = _layer(neurons.IF, "IF")
LIF = _layer(neurons.LIF, "LIF")
CubaLIF = _layer(neurons.CubaLIF, "CubaLIF")
LI = _layer(neurons.LI, "LI")
CubaLI = _layer(neurons.CubaLI, "CubaLI")
AdaptiveLIF = _layer(neurons.AdaptiveLIF, "AdaptiveLIF")
AdEx = _layer(neurons.AdEx, "AdEx")
Izhikevich = _layer(neurons.Izhikevich, "Izhikevich")
