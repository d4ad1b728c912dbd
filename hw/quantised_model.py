"""Models whose spiking part runs in the integers of a chip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from spikelab import registry
from spikelab.hw.lower import Quantisation
from spikelab.hw.training import IntegerSteps
from spikelab.nn.part import SpikingPart
from spikelab.settings import Quantise


def spiking_part(model: nn.Module, sample_shapes: Mapping[str, Sequence[int]]) -> SpikingPart:
    """The part of a model that event hardware runs.

    Raises:
        ValueError: if the model has none.
        TypeError: if the model calls something else its spiking part.
    """
    if not hasattr(model, "spiking_part"):
        raise ValueError(
            f"{type(model).__name__} does not say which part of it spikes; give it a method "
            f"spiking_part(sample_shapes) that returns a spikelab.nn.part.SpikingPart"
        )
    part = getattr(model, "spiking_part")(sample_shapes)  # noqa: B009 - a module's attribute may be anything
    if not isinstance(part, SpikingPart):
        raise TypeError(f"{type(model).__name__}.spiking_part gave a {type(part).__name__}, not a SpikingPart")
    return part


def quantisation_of(settings: Quantise, part: SpikingPart | None = None) -> Quantisation:
    """The choices that the settings stand for.

    Args:
        settings: with ``bits`` of 2 to 8.
        part: says what its inputs are like, where the settings leave that at their defaults.
    """
    given = (settings.input_bits, settings.input_low, settings.input_high)
    if part is not None and part.input_bits and given == (0, 0.0, 1.0):
        given = (part.input_bits, part.input_low, part.input_high)
    bits, low, high = given
    return Quantisation(
        settings.bits, settings.scale, settings.percentile, None if settings.per_neuron else False, low, high, bits
    )


def quantise_model(model: nn.Module, settings: Quantise, sample_shapes: Mapping[str, Sequence[int]]) -> None:
    """Makes a model's spiking part run in integers, in training and in evaluation.

    Args:
        model: changed in place; its parameters and checkpoints stay as they are.
        settings: bits, arithmetic, scales.
        sample_shapes: name -> shape of each tensor of a sample.

    Raises:
        ValueError: if the model has no spiking part, or it cannot be lowered: the message lists every reason.
    """
    part = spiking_part(model, sample_shapes)
    profile = registry.load("profiles", settings.profile)
    steps = IntegerSteps(profile, quantisation_of(settings, part), part.input_shape, part.outputs)
    # what cannot be lowered is said now, not at the first batch
    with part.with_remedy():
        steps.lower(part.network)
    part.network.runner = steps


def real_model(model: nn.Module, sample_shapes: Mapping[str, Sequence[int]]) -> Any:
    """Takes the integers out of a model again."""
    part = spiking_part(model, sample_shapes)
    part.network.runner = None
    return model
