"""The `spikelab bench video` command: what it is worth to read a video compressed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import reduce
from operator import getitem
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from spikelab.datasets.videos.samples import VideoDataset
from spikelab.learn.build import build_model
from spikelab.learn.distributed import pick_device
from spikelab.learn.environment import set_threads
from spikelab.learn.loading import to_device
from spikelab.learn.restore import TrainedRun, load_run, open_evaluation_data
from spikelab.models.hybrid_energy import judging
from spikelab.models.measured_energy import measure
from spikelab.models.video import CompressedVideo
from spikelab.models.video_energy import energy
from spikelab.report.tables import render
from spikelab.settings import EvaluationData
from spikelab.settings_video import BenchVideo

WAYS = ("compressed", "decoded")


def bench_video(settings: BenchVideo) -> dict[str, Any]:
    """Measure a trained model on compressed video, and the same model fed with all pictures decoded.

    The other model is `CompressedVideo` with the same size and options, which takes every picture of the same groups as
    an I-frame: it has the encoder of I-frames, the transformer and the mixer, and as many tokens as there are pictures.
    It has random weights, on which neither its speed nor its operations depend. Both have their turn in every round, so
    that changes of the machine's speed meet both.

    Returns:
        ``compressed`` and ``decoded``: `seconds` a video of `reading` (file to tensors) and of the `model` (tensors to
        answer), medians over rounds; `videos_per_second` of the model and of both together; `ordinary_macs`,
        `synaptic_operations` and `estimated_joule` a video; `measured_joule` a video of the model (meter -> joules,
        empty without a meter); `parameters`. ``ratios``: of speed with and without reading (medians over the rounds),
        and of estimated energy, compressed over decoded and decoded over compressed, so that more than 1 is better.

    Raises:
        RunError: If the run is not there.
        ValueError: If its model is another one, or sees no P-frames or decoded pictures already.
        VideoError: If a video cannot be read as it is.
    """
    set_threads(settings.threads)
    device = pick_device(settings.device)
    run = load_run(settings.run, device=device)
    models = {"compressed": _compressed(run), "decoded": _decoded(run).to(device).eval()}
    name, dataset = open_evaluation_data(run, EvaluationData(split=settings.split))
    if not isinstance(dataset, VideoDataset):
        raise ValueError(f"{name}: is no data set of video files, so that reading cannot be measured")
    places = np.unique(np.linspace(0, len(dataset) - 1, settings.videos).round().astype(int)).tolist()
    rounds: list[dict[str, tuple[float, float]]] = []
    batches: dict[str, list[dict[str, Tensor]]] = {}
    for number in range(settings.rounds + 1):
        seconds = {}
        for way in WAYS:
            read, batches[way] = _read(dataset, places, way, settings.batch_size, device)
            seconds[way] = (read / len(places), _run(models[way], batches[way]) / len(places))
        if number:  # the first round loads what is compiled
            rounds.append(seconds)
    figures: dict[str, Any] = {
        "run": settings.run, "dataset": name, "split": settings.split, "videos": len(places), "table": settings.table,
        "rounds": settings.rounds, "device": str(device), "threads": torch.get_num_threads(),
        "batch_size": settings.batch_size,
    }  # fmt: skip
    for way in WAYS:
        timed = [each[way] for each in rounds]
        figures[way] = _figures(models[way], batches[way], timed, settings.table)
    figures["ratios"] = _ratios(rounds, figures)
    return figures


def measured(figures: dict[str, Any]) -> str:
    """The table, and what it does not say."""
    ratios = figures["ratios"]
    rows: list[list[object]] = []

    def row(title: str, keys: Sequence[str], scale: float, digits: int, ratio: float | None = None) -> None:
        values = [reduce(getitem, keys, figures[way]) * scale for way in WAYS]
        rows.append([title, *(f"{value:,.{digits}f}" for value in values), None if ratio is None else f"{ratio:.2f}"])

    row("reading, ms a video", ("seconds", "reading"), 1e3, 2, ratios["reading"])
    row("model, ms a video", ("seconds", "model"), 1e3, 2, ratios["model"])
    row("videos per second, model alone", ("videos_per_second", "model"), 1, 1, ratios["model"])
    row("videos per second, with reading", ("videos_per_second", "with_reading"), 1, 1, ratios["both"])
    row("ordinary operations, MMAC a video", ("ordinary_macs",), 1e-6, 1)
    row("synaptic operations, millions a video", ("synaptic_operations",), 1e-6, 1)
    for kind, title in (("usual", "formula, usual"), ("conservative", "formula, conservative"), ("by_counting",) * 2):
        row(f"estimated mJ a video, {title.replace('_', ' ')}", ("estimated_joule", kind), 1e3, 3, ratios[kind])
    for meter in figures["compressed"]["measured_joule"]:
        row(f"measured mJ a video, {meter}", ("measured_joule", meter), 1e3, 2)
    row("parameters, thousands", ("parameters",), 1e-3, 1)
    where = f"{figures['device']}, {figures['threads']} thread(s), batches of {figures['batch_size']}"
    title = f"{figures['run']} on {figures['videos']} videos of {figures['dataset']}/{figures['split']}, {where}"
    notes = [
        "times better: medians over the rounds, both in turn; estimates are operations times the table "
        f"{figures['table']}, without memory, decoding or idle power"
    ]
    if not figures["compressed"]["measured_joule"]:
        notes.append("this machine has no meter of energy that can be read (RAPL, NVML): nothing measured in joules")
    return "\n".join([title, render(["", *WAYS, "times better"], rows), *notes])


def _compressed(run: TrainedRun) -> CompressedVideo:
    model = run.model
    if not isinstance(model, CompressedVideo):
        raise ValueError(
            f"{run.folder.path}: its model is {run.settings.model.name}; `spikelab bench video` takes a run of "
            "compressed_video"
        )
    if model.motion is None:
        raise ValueError(
            f"{run.folder.path}: its model sees I-frames only (modality image); take one with modality both or motion"
        )
    return model


def _decoded(run: TrainedRun) -> CompressedVideo:
    options = dict(run.settings.model.options)
    pictures = int(options["groups"]) * (1 + int(options["frames"]))  # type: ignore[arg-type]
    changed = {"modality": "image", "groups": pictures, "frames": 0, "steps": 0}
    model = build_model(run.settings.model.name, {**options, **changed})
    assert isinstance(model, CompressedVideo)
    return model


def _read(
    dataset: VideoDataset, places: Sequence[int], way: str, batch_size: int, device: torch.device
) -> tuple[float, list[dict[str, Tensor]]]:
    """Seconds that reading took, and the batches."""
    begun = time.perf_counter()
    samples = [dataset.decode(place, way == "decoded") for place in places]
    took = time.perf_counter() - begun
    parts = (samples[start : start + batch_size] for start in range(0, len(samples), batch_size))
    return took, [to_device(default_collate(part), device) for part in parts]


def _run(model: CompressedVideo, batches: Sequence[dict[str, Tensor]]) -> float:
    """Seconds that the answers took."""
    begun = time.perf_counter()
    with judging(model):
        for batch in batches:
            # a transfer to the host waits for a GPU
            model(*(batch[name] for name in model.inputs)).cpu()
    return time.perf_counter() - begun


def _figures(
    model: CompressedVideo, batches: Sequence[dict[str, Tensor]], timed: Sequence[tuple[float, float]], table: str
) -> dict[str, Any]:
    reading, running = (median(each) for each in zip(*timed, strict=True))
    counted = energy(model, batches[0], table)
    joule = counted[f"estimated_joule_{table}"]
    operations = sum(layer["synaptic_operations"] for layer in counted.get("layers", {}).values())
    found = measure(lambda: _run(model, batches), sum(len(batch["valid"]) for batch in batches))
    return {
        "seconds": {"reading": reading, "model": running},
        "videos_per_second": {
            "model": 1 / running, "with_reading": median(1 / (read + ran) for read, ran in timed),
        },
        "ordinary_macs": counted["ordinary_macs"],
        "synaptic_operations": operations,
        "spike_rates": counted.get("spike_rates", {}),
        "estimated_joule": {**joule["by_formula"], "by_counting": joule["by_counting"]},
        "measured_joule": found.get("joule_per_sample", {}),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }  # fmt: skip


def _ratios(rounds: Sequence[dict[str, tuple[float, float]]], figures: dict[str, Any]) -> dict[str, float]:
    pairs = [(each["decoded"], each["compressed"]) for each in rounds]
    joules = {way: figures[way]["estimated_joule"] for way in WAYS}
    return {
        "reading": median(slow[0] / fast[0] for slow, fast in pairs),
        "model": median(slow[1] / fast[1] for slow, fast in pairs),
        "both": median(sum(slow) / sum(fast) for slow, fast in pairs),
        **{kind: joules["decoded"][kind] / joules["compressed"][kind] for kind in joules["decoded"]},
    }
