"""The registered neurons as layers: ``nn.LIF(tau_mem=10e-3)`` is ``nn.Neuron("lif", tau_mem=10e-3)``.

A class's documentation is its neuron's own description: equations, parameters with units, source.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from spikelab import neurons
from spikelab.neurons.spec import NeuronSpec
from spikelab.nn.neuron import Neuron


def _documented(spec: NeuronSpec) -> Callable[[type[Neuron]], Any]:
    def decorate(layer: type[Neuron]) -> type[Neuron]:
        layer.__doc__ = (
            f"{spec.describe()}\n\nTakes the options of ``Neuron``, which explains them, and parameters in SI units, "
            f"by keyword. The default method is {spec.default_method}"
            + (f", the default reset {spec.default_reset}." if spec.spikes else ".")
        )
        layer.__signature__ = _signature(spec)  # type: ignore[attr-defined]
        return layer

    return decorate


def _signature(spec: NeuronSpec) -> inspect.Signature:
    """What the layer takes: the neuron's parameters, then the options that all neurons share."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [inspect.Parameter(p.name, keyword, default=p.default) for p in spec.parameters]
    shared = inspect.signature(Neuron).parameters.values()
    return inspect.Signature([*own, *(p for p in shared if p.kind == keyword)])


@_documented(neurons.IF)
class IF(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.IF, **options)


@_documented(neurons.LIF)
class LIF(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.LIF, **options)


@_documented(neurons.CubaLIF)
class CubaLIF(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.CubaLIF, **options)


@_documented(neurons.LI)
class LI(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.LI, **options)


@_documented(neurons.CubaLI)
class CubaLI(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.CubaLI, **options)


@_documented(neurons.Integrator)
class Integrator(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.Integrator, **options)


@_documented(neurons.AdaptiveLIF)
class AdaptiveLIF(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.AdaptiveLIF, **options)


@_documented(neurons.AdEx)
class AdEx(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.AdEx, **options)


@_documented(neurons.Izhikevich)
class Izhikevich(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.Izhikevich, **options)


@_documented(neurons.LIFMembrane)
class LIFMembrane(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.LIFMembrane, **options)


@_documented(neurons.ExponentialLIF)
class ExponentialLIF(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.ExponentialLIF, **options)


@_documented(neurons.QuadraticLIF)
class QuadraticLIF(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.QuadraticLIF, **options)


@_documented(neurons.HodgkinHuxley)
class HodgkinHuxley(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.HodgkinHuxley, **options)


@_documented(neurons.ResonateAndFire)
class ResonateAndFire(Neuron):  # noqa: D101
    def __init__(self, **options: Any):
        super().__init__(neurons.ResonateAndFire, **options)
