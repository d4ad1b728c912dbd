"""From a run or a NIR file to a network in the integers of a chip, with data to try it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from spikelab import registry
from spikelab.hw.calibrate import membranes_reached
from spikelab.hw.lower import Lowered, Quantisation, lower, nir_input_shape
from spikelab.hw.quantised_model import quantisation_of, real_model, spiking_part
from spikelab.hw.targets import Target, load_target
from spikelab.io.nir_read import from_nir
from spikelab.learn.restore import TrainedRun, load_run, open_evaluation_data
from spikelab.nn import Network, rate_code
from spikelab.settings import EvaluationData, Quantise
from spikelab.settings_hardware import Deployment


@dataclass(frozen=True)
class Deployed:
    """A network on its way to hardware.

    Attributes:
        name: of the run or file.
        run: the trained run, if it is one.
        network: its spiking part, in real numbers.
        input_shape: of one step.
        outputs: nodes that are given out beside the network's own output.
        lowered: the network in integers.
        target: the chip, if one was named.
        x: real input [T, B, ...], data of the run's or random spikes.
        profile: registered name of the arithmetic.
        encoding: in words, how a sample becomes the input; "" where nobody says.
        decoding: in words, how outputs become an answer.
        membranes: readout -> how far its membrane was seen to reach; empty where that was not asked for.
    """

    name: str
    run: TrainedRun | None
    network: Network
    input_shape: tuple[int, ...]
    outputs: tuple[str, ...]
    lowered: Lowered
    target: Target | None
    x: Tensor
    profile: str
    encoding: str = ""
    decoding: str = ""
    membranes: Mapping[str, float] = field(default_factory=dict)


def deploy(settings: Deployment, profile: str = "") -> Deployed:
    """Lowers what the settings name.

    Args:
        settings: of any of the hardware commands.
        profile: arithmetic to use, whatever the settings say.

    Raises:
        LoweringError: lists everything that has no integer form.
        ValueError: if there is no such target, or the model has no spiking part.
    """
    target = load_target(settings.target) if settings.target else None
    run, words = None, ("", "")
    explained: Callable[[], AbstractContextManager[None]] = nullcontext
    if Path(settings.run).suffix == ".nir":
        network = from_nir(
            settings.run, settings.dt, settings.method, reset=settings.reset, input_form=settings.input_form
        )
        shape, outputs = nir_input_shape(settings.run), tuple[str, ...]()
        x = _random_spikes(settings, shape)
        quantise = _quantise(settings, Quantise())
        quantisation = quantisation_of(quantise)
    else:
        run = load_run(settings.run, settings.checkpoint)
        part = spiking_part(real_model(run.model, run.sample_shapes), run.sample_shapes)
        network, shape, outputs = part.network, part.input_shape, part.outputs
        words = (part.encoding, part.decoding)
        explained = part.with_remedy
        x = part.encode(samples(run, settings, settings.samples))
        # a convolutional part takes pictures of any size
        shape = tuple(x.shape[2:])
        quantise = _quantise(settings, run.settings.quantise)
        quantisation = quantisation_of(quantise, part)
    trained = run.settings.quantise.profile if run and run.settings.quantise.bits else ""
    chosen = profile or settings.profile or trained or (target.profile if target else "generic")
    quantisation = _covering(quantisation, x)
    reached = membranes_reached(network, x) if settings.calibrate else {}

    def lowered_to(name: str) -> Lowered:
        return lower(network, registry.load("profiles", name), quantisation, shape, outputs, membranes=reached)

    with explained():
        lowered = lowered_to(chosen)
    if chosen == trained != settings.profile and not _runs_on(lowered, target):
        assert target is not None
        chosen = target.profile
        lowered = lowered_to(chosen)
        lowered.notes.append(f"the run was trained in the arithmetic {trained}, which {target.title} does not have")
    return Deployed(settings.run, run, network, shape, outputs, lowered, target, x, chosen, *words, reached)


def _runs_on(lowered: Lowered, target: Target | None) -> bool:
    return target is None or all(p.neuron.name in target.neurons for p in lowered.graph.populations)


def _quantise(settings: Deployment, trained: Quantise) -> Quantise:
    """What the command says, and else how the run was trained."""
    if trained.bits and settings.bits in (None, trained.bits):
        return trained
    return Quantise(
        settings.bits or 8, "generic", settings.scale, settings.percentile, settings.per_neuron, settings.input_bits,
        settings.input_low, settings.input_high,
    )  # fmt: skip


def _covering(quantisation: Quantisation, x: Tensor) -> Quantisation:
    """Whole inputs keep their values: counts above the declared range widen it."""
    if quantisation.input_bits or not x.numel():
        return quantisation
    low, high = min(quantisation.input_low, float(x.min())), max(quantisation.input_high, float(x.max()))
    return replace(quantisation, input_low=low, input_high=high)


def samples(run: TrainedRun, settings: Deployment, count: int) -> dict[str, Any]:
    """A batch of evenly spaced samples of the split."""
    _, dataset = open_evaluation_data(run, EvaluationData(split=settings.split, options=settings.data_options))
    count = min(count, len(dataset))
    places = [round(k * (len(dataset) - 1) / max(1, count - 1)) for k in range(count)]
    batch: dict[str, Any] = default_collate([dataset[place] for place in places])
    return batch


def _random_spikes(settings: Deployment, shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return rate_code(torch.full((settings.samples, *shape), settings.input_rate), settings.steps, generator)


def default_folder(settings: Deployment, name: str) -> Path:
    """Beside the NIR file, or within the run's folder."""
    path = Path(settings.run)
    return path.with_name(f"{path.stem}-{name}") if path.suffix == ".nir" else path / name
