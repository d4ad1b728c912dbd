"""How far a network in integers does what the network in real numbers does, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from spikelab.hw.lower import Lowered
from spikelab.hw.training import simulated_outputs
from spikelab.io.difference import first_difference
from spikelab.nn import Network


@dataclass(frozen=True)
class LayerAgreement:
    """One layer, real against integer, over the same input.

    Attributes:
        layer: its name.
        spikes: whether it spikes; a readout gives its membrane.
        equal: share of equal spikes, over all steps, samples and neurons; None for a readout.
        rate: mean spikes a step in the network; of a readout the root mean square of its membrane.
        integer_rate: likewise in integers.
        rate_distance: mean distance between the sorted rates of the neurons (earth mover's distance), in spikes a step;
            of a readout the root mean square error relative to ``rate``.
        dead: share of neurons that never spike in integers.
        newly_dead: share that never spike in integers, but do in the network.
        saturated: share of neurons that spike at every step in integers.
    """

    layer: str
    spikes: bool
    equal: float | None
    rate: float
    integer_rate: float
    rate_distance: float
    dead: float | None = None
    newly_dead: float | None = None
    saturated: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def agreement(lowered: Lowered, network: Network, x: Tensor) -> list[LayerAgreement]:
    """Compares every layer of neurons.

    Args:
        lowered: the network in integers.
        network: the network itself.
        x: real input [T, B, ...].
    """
    return compare_layers(lowered, *both_runs(lowered, network, x))


def silent_layers(layers: Sequence[LayerAgreement]) -> list[str]:
    """Warnings of layers that never spike: nearly all of a silent layer's steps are equal, whatever it should do."""
    found = []
    for layer in layers:
        if not layer.spikes or layer.integer_rate > 0:
            continue
        if layer.rate > 0:
            found.append(
                f"{layer.layer}: never spikes in integers, and {layer.rate:.3g} times a step and neuron in real "
                "numbers: its equal spikes are silence"
            )
        else:
            found.append(f"{layer.layer}: never spikes, neither in integers nor in real numbers: nothing is compared")
    return found


def both_runs(lowered: Lowered, network: Network, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the layers of neurons give out, name -> [T, B, ...]: in real numbers and in integers, in the same steps.

    Populations that lag in integers have fewer steps; both runs are cut to those.
    """
    outputs = network.evaluate(x)
    integer = simulated_outputs(lowered, x)
    names = [population.name for population in lowered.real.populations]
    steps = {name: min(len(outputs[name]), len(integer[name])) for name in names}
    return (
        {name: outputs[name][: steps[name]] for name in names},
        {name: integer[name][: steps[name]] for name in names},
    )


def first_disagreement(real: Mapping[str, Tensor], integer: Mapping[str, Tensor], tolerance: float = 0.05) -> str:
    """The first spike that differs, where it is and the likely cause; "" where none does.

    Args:
        real: layer -> [T, B, ...], from ``both_runs``.
        integer: likewise.
        tolerance: differences of readouts up to this share of their largest value are rounding, and are passed over.
    """
    scale = {name: max(1e-30, float(value.abs().max())) if value.numel() else 1.0 for name, value in real.items()}
    spikes = {name: bool(((value == 0) | (value == 1)).all()) for name, value in real.items()}
    per = {name: 1.0 if spikes[name] else scale[name] for name in real}
    left, right = ({name: value / per[name] for name, value in run.items()} for run in (real, integer))
    found = first_difference(left, right, tolerance=tolerance, names=("real numbers", "integers"))
    return "" if found is None else str(found)


def compare_layers(lowered: Lowered, real: Mapping[str, Tensor], integer: Mapping[str, Tensor]) -> list[LayerAgreement]:
    """Compares what layers gave out, name -> [T, B, ...]; steps that the integers lack (lags) are left out."""
    found = []
    for population in lowered.real.populations:
        name = population.name
        integers = integer[name].double()
        reals = real[name][: len(integers)].double()
        if not population.form.spikes:
            size = reals.square().mean().sqrt()
            error = (integers - reals).square().mean().sqrt() / size.clamp(min=1e-30)
            own = integers.square().mean().sqrt()
            found.append(LayerAgreement(name, False, None, float(size), float(own), float(error)))
            continue
        rates, integer_rates = reals.mean((0, 1)).flatten(), integers.mean((0, 1)).flatten()
        distance = (rates.sort().values - integer_rates.sort().values).abs().mean()
        found.append(
            LayerAgreement(
                name,
                True,
                float((reals == integers).double().mean()),
                float(rates.mean()),
                float(integer_rates.mean()),
                float(distance),
                float((integer_rates == 0).double().mean()),
                float(((integer_rates == 0) & (rates > 0)).double().mean()),
                float((integer_rates >= 1).double().mean()),
            )
        )
    return found
