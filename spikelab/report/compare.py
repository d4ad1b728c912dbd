"""The `spikelab compare` command: does a hybrid model gain from both of its inputs?

Trains the model three times with the same budget - on events and frames, on events only, on frames only - for each
seed, judges all of them on the test split, and writes the table, pictures and the export of the hybrid model.
"""

import logging
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikelab.io.atomic import write_bytes_atomically, write_json_atomically
from spikelab.learn.evaluate import evaluate_run
from spikelab.learn.interrupt import TrainingInterrupted
from spikelab.learn.train import train
from spikelab.report.export import export_nir
from spikelab.report.predict import predict
from spikelab.report.tables import render
from spikelab.settings import Compare, Evaluate, EvaluationData, Model, Predict, Train
from spikelab.settings_hardware import Export

logger = logging.getLogger(__name__)

MODALITIES = ("both", "events", "frames")


def compare(settings: Compare) -> dict[str, Any]:
    """Train, judge and tabulate; a run that is complete already is not repeated.

    Args:
        settings: Budget, seeds and folder.

    Returns:
        `runs`: one entry a run with its figures; `summary`: per modality mean and spread over seeds; `gain`: points of
        mean IoU by which both beat the better single input; `files`: what was written.
    """
    folder = Path(settings.folder)
    runs = []
    for seed in settings.seeds:
        for modality in MODALITIES:
            training = _training(settings, modality, seed)
            logger.info("training on %s, seed %d, %d epochs", modality, seed, training.epochs)
            _train_or_say_how_to_go_on(training)
            data = EvaluationData(split=settings.split, batch_size=settings.train.data.batch_size)
            figures = evaluate_run(Evaluate(training.folder, data=data, threads=settings.train.threads))
            runs.append({"modality": modality, "seed": seed, **figures})
    summary = {modality: _summarise(runs, modality) for modality in MODALITIES}
    better = max(summary["events"]["mean_iou"], summary["frames"]["mean_iou"])
    hybrid = _training(settings, "both", settings.seeds[0]).folder
    pictures = predict(Predict(hybrid, str(folder / "predictions"), data=EvaluationData(split=settings.split)))
    exported = export_nir(Export(hybrid, folder=str(folder / "export")))
    result = {
        "runs": runs,
        "summary": summary,
        "gain": summary["both"]["mean_iou"] - better,
        "files": [
            *pictures["files"],
            *exported["files"],
            *(str(folder / f"comparison.{end}") for end in ("md", "json")),
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json_atomically(folder / "comparison.json", result)
    write_bytes_atomically(folder / "comparison.md", (table(result, markdown=True) + "\n").encode())
    return result


def _train_or_say_how_to_go_on(training: Train) -> None:
    try:
        train(training)
    except TrainingInterrupted as stop:
        where = str(stop).partition(";")[0]
        raise TrainingInterrupted(f"{training.folder}: {where}; the same command again goes on from there") from stop


def _training(settings: Compare, modality: str, seed: int) -> Train:
    options = {**settings.train.model.options, "modality": modality}
    name = f"{modality}-seed{seed}"
    before = settings.initialise_from
    return replace(
        settings.train,
        folder=str(Path(settings.folder) / name),
        initialise_from=None if before is None else str(Path(before) / name),
        resume="auto",
        model=Model(settings.train.model.name, options),
        seed=seed,
    )


def _summarise(runs: list[dict[str, Any]], modality: str) -> dict[str, Any]:
    chosen = [run for run in runs if run["modality"] == modality]
    scores = [run["mean_iou"] for run in chosen]
    return {
        "mean_iou": statistics.fmean(scores),
        "spread": statistics.stdev(scores) if len(scores) > 1 else None,
        "pixel_accuracy": statistics.fmean(run["pixel_accuracy"] for run in chosen),
        "iou": {name: _mean([run["iou"][name] for run in chosen]) for name in chosen[0]["iou"]},
        "conditions": {
            name: _mean([run["conditions"][name]["mean_iou"] for run in chosen])
            for name in chosen[0].get("conditions", {})
        },
        "parameters": chosen[0]["parameters"],
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def table(figures: Mapping[str, Any], markdown: bool = False) -> str:
    """The comparison as a table: mean IoU, classes and conditions by modality, in percent."""
    summary = figures["summary"]
    seeds = sorted({run["seed"] for run in figures["runs"]})

    def row(title: str, pick: Any) -> list[object]:
        values = [pick(summary[modality]) for modality in MODALITIES]
        return [title, *("-" if value is None else f"{100 * value:.1f}" for value in values)]

    first = summary[MODALITIES[0]]
    rows = [row("mean IoU", lambda s: s["mean_iou"])]
    if len(seeds) > 1:
        rows.append(row("  standard deviation over seeds", lambda s: s["spread"]))
    rows += [row("pixel accuracy", lambda s: s["pixel_accuracy"])]
    rows += [row(f"IoU {name}", lambda s, name=name: s["iou"][name]) for name in first["iou"]]
    rows += [row(f"mean IoU, {name}", lambda s, name=name: s["conditions"][name]) for name in first["conditions"]]
    rows.append(["parameters", *(f"{summary[modality]['parameters']:,}" for modality in MODALITIES)])
    run = figures["runs"][0]
    title = f"{run['model']} on {run['dataset']}/{run['split']}, seeds {', '.join(map(str, seeds))}, percent"
    gain = f"both inputs gain {100 * figures['gain']:+.1f} points of mean IoU over the better single one"
    return "\n\n".join([title, render(["", "both", "events only", "frames only"], rows, markdown), gain])
