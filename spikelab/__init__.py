"""Spiking neural networks: simulate, train and deploy, from one set of neuron equations."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikelab.events import EventArray as EventArray
    from spikelab.events import EventCamera as EventCamera
    from spikelab.freed_memory import keep_freed_memory as keep_freed_memory
    from spikelab.io.nir_read import from_nir as from_nir
    from spikelab.io.nir_write import to_nir as to_nir
    from spikelab.neurons import NeuronSpec as NeuronSpec
    from spikelab.nn import LIF as LIF
    from spikelab.nn import Network as Network
    from spikelab.nn import Neuron as Neuron

__version__ = "0.1.0"

# The names that users meet first, imported when they are asked for: `spikelab --help` must not wait for torch.
_PUBLIC = {
    "EventArray": "spikelab.events",
    "EventCamera": "spikelab.events",
    "LIF": "spikelab.nn",
    "Network": "spikelab.nn",
    "Neuron": "spikelab.nn",
    "NeuronSpec": "spikelab.neurons",
    "from_nir": "spikelab.io.nir_read",
    "keep_freed_memory": "spikelab.freed_memory",
    "to_nir": "spikelab.io.nir_write",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'spikelab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
