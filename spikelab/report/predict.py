"""The `spikelab predict` command: pictures of what a trained model sees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import default_collate

from spikelab.learn.distributed import pick_device
from spikelab.learn.environment import set_threads
from spikelab.learn.loading import to_device
from spikelab.learn.metrics import figures_of
from spikelab.learn.options import checked_options
from spikelab.learn.restore import TrainedRun, load_run, open_evaluation_data
from spikelab.registry import load
from spikelab.report.class_prediction import predict_class
from spikelab.report.overlay import class_picture, events_picture, frame_picture, side_by_side
from spikelab.report.text import files as files_written
from spikelab.settings import Predict


def predict(settings: Predict) -> dict[str, Any]:
    """Write one overlay per sample.

    Args:
        settings: The run, the data, which samples.

    Returns:
        `files`, and for each sample its mean IoU and pixel accuracy (of the classes that it shows), or what
        `spikelab.report.class_prediction.predict_class` says of it.

    Raises:
        RunError: If the run is not there.
        CheckpointError: If its checkpoint is damaged or does not fit.
        ValueError: If the data has other classes, or has no such sample; or `maps` of samples with one class each; or
            `files` for a model that does not look at video, or together with other data.
    """
    if settings.files and (settings.data.name or settings.data.options):
        raise ValueError("files: are read as the run's data was; leave out data.name and data.options")
    device = pick_device(settings.device)
    set_threads(settings.threads)
    run = load_run(settings.run, settings.checkpoint, device)
    name, dataset = _own_files(run, settings.files) if settings.files else open_evaluation_data(run, settings.data)
    folder = Path(settings.folder or run.folder.path / "predictions")
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    samples: list[dict[str, Any]] = []
    one_class = run.settings.task == "classification"
    if one_class and settings.maps:
        raise ValueError("maps: a sample of a classification has one class, and so no map of classes; leave maps out")
    for index in range(len(dataset)) if settings.files else _choose(settings, len(dataset)):
        if one_class:
            label = Path(settings.files[index]).stem if settings.files else settings.data.split
            files.append(folder / f"{name}-{label}-{index:05d}.png")
            told = predict_class(run, dataset, index, files[-1], settings.scale, device)
            samples.append(told | ({"file": settings.files[index]} if settings.files else {}))
            continue
        sample = dataset[index]
        with torch.no_grad():
            output = run.task.forward(run.model, to_device(default_collate([sample]), device))
        classes = output[0].argmax(0).cpu()
        meter = run.task.meter([])
        meter.update(output, {"label": sample["label"][None].to(device)}, [0])
        figures = figures_of(meter.counts()[0][0], dataset.class_names)
        conditions = _conditions(dataset, index)
        samples.append({"index": index, "conditions": conditions} | _scores(figures))
        stem = f"{name}-{settings.data.split}-{index:05d}"
        files.append(folder / f"{stem}.png")
        frame = frame_picture(sample["frame"].numpy())
        accuracy = figures["pixel_accuracy"]
        panels = [
            (f"frame{' (' + ', '.join(conditions) + ')' if conditions else ''}", frame),
            ("events: ON red, OFF blue", events_picture(sample["events"].numpy())),
            ("label", class_picture(sample["label"].numpy(), dataset.palette, frame)),
            (
                "prediction" if accuracy is None else f"prediction: {100 * accuracy:.1f} % of pixels right",
                class_picture(classes.numpy(), dataset.palette, frame),
            ),
        ]
        side_by_side(panels, dataset.class_names, dataset.palette, settings.scale).save(files[-1])
        if settings.maps:
            files.append(folder / f"{stem}-classes.png")
            Image.fromarray(classes.numpy().astype(np.uint8)).save(files[-1])
    return {"files": [str(path) for path in files], "samples": samples}


def _own_files(run: TrainedRun, paths: Sequence[str]) -> tuple[str, Any]:
    # only these need PyAV
    from spikelab.datasets.videos.video_files import files_for

    classes = run.task.description().get("class_names", [])
    data = run.settings.data
    options = checked_options(load("datasets", data.name), data.options, f"data set {data.name!r}")
    return "file", files_for(paths, classes, run.sample_shapes, data.name, options)


def predicted(figures: Mapping[str, Any]) -> str:
    """What the files of one's own were taken for, and the files that were written."""
    told = [
        f"{sample['file']}: {sample['prediction']}, {100 * sample['probability']:.1f} %"
        for sample in figures["samples"]
        if "file" in sample
    ]
    return "\n".join([*told, files_written(figures)])


def _choose(settings: Predict, length: int) -> list[int]:
    for index in settings.indices:
        if index >= length:
            raise ValueError(f"indices: there is no sample {index}: {settings.data.split!r} has {length}, from 0")
    if settings.indices:
        return list(settings.indices)
    count = min(settings.count or length, length)
    return np.linspace(0, length - 1, count).round().astype(int).tolist()


def _conditions(dataset: Any, index: int) -> list[str]:
    found = dataset.conditions(index) if hasattr(dataset, "conditions") else ()
    return [found] if isinstance(found, str) else list(found)


def _scores(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: figures[key] for key in ("mean_iou", "pixel_accuracy")}
