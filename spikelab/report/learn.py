"""The `spikelab learn` command: how far does a learning rule come, beside backpropagation and frozen features?"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikelab import registry
from spikelab.io.atomic import write_bytes_atomically, write_json_atomically
from spikelab.io.settings_file import to_dict
from spikelab.learn.build import build_dataset, options_from_data
from spikelab.learn.distributed import pick_device
from spikelab.learn.evaluate import evaluate_run
from spikelab.learn.interrupt import TrainingInterrupted
from spikelab.learn.logs import read_log
from spikelab.learn.precision import choose_precision
from spikelab.learn.result_folder import keep_settings, refuse_other_settings
from spikelab.learn.rule_costs import rule_costs
from spikelab.learn.run_folder import RunError, RunFolder
from spikelab.learn.train import refuse_changes, train
from spikelab.report.tables import counted, percent, render
from spikelab.settings import Data, Evaluate, EvaluationData, Model, Rule, Train
from spikelab.settings_learning import Learn

logger = logging.getLogger(__name__)

# What may differ when a folder is used again: runs of other seeds and rules are added, those that are there stay.
_FREE = ("folder", "seeds", "compare", "device", "threads", "json")


def learn(settings: Learn) -> dict[str, Any]:
    """Train with every rule for every seed, judge, tabulate and draw; a run that is complete is not repeated.

    Args:
        settings: Rules, data, model, seeds and budget.

    Returns:
        `settings`; `runs`: an entry a run (rule, seed, accuracy, seconds, folder); `summary`: for each rule mean and
        spread of the accuracy over seeds, `signal_operations` and `kept_bytes` (see `rule_costs`); `files`: what was
        written.

    Raises:
        ValueError: If a rule or the split is unknown, a rule does not take the model or the data, or the folder is a
            file; before anything is trained.
        RunError: If the folder, or a run in it, was begun with other settings; before anything is trained.
        TrainingInterrupted: After Ctrl-C or SIGTERM; the same command again goes on.
    """
    refuse_other_settings(settings, _FREE)
    rules = [settings.rule, *(each for each in settings.compare if each != settings.rule)]
    _warn_of_optimiser(settings, rules)
    build_dataset(settings.data, settings.split, settings.data_options)
    _refuse_other_runs([_training(settings, rule, seed) for seed in settings.seeds for rule in rules])
    costs = {rule: rule_costs(_training(settings, rule, settings.seeds[0])) for rule in rules}
    keep_settings(settings)
    runs = []
    for seed in settings.seeds:
        for rule in rules:
            training = _training(settings, rule, seed)
            logger.info("rule %s, seed %d, %d epochs", rule, seed, training.epochs)
            result = _train_or_say_how_to_go_on(training)
            data = EvaluationData(split=settings.split, batch_size=settings.batch_size)
            figures = evaluate_run(
                Evaluate(training.folder, "last", data, device=settings.device, threads=settings.threads)
            )
            logger.info("rule %s, seed %d: accuracy %s %%", rule, seed, percent(figures["accuracy"]))
            kept = {"accuracy": figures["accuracy"], "samples": figures["samples"], "seconds": result["seconds"]}
            runs.append({"rule": rule, "seed": seed, **kept, "folder": training.folder})
    folder = Path(settings.folder)
    figures = {
        "rule": settings.rule,
        "model": settings.model,
        "data": f"{settings.data}/{settings.split}",
        "epochs": settings.epochs,
        "seeds": list(settings.seeds),
        "settings": to_dict(settings),
        "summary": {rule: _summary(runs, rule) | costs[rule] for rule in rules},
        "runs": runs,
        "files": [str(folder / name) for name in ("learning.json", "learning.md", "curves.png")],
    }
    write_json_atomically(folder / "learning.json", figures)
    write_bytes_atomically(folder / "learning.md", (table(figures, markdown=True) + "\n").encode())
    draw({rule: [RunFolder(run["folder"]) for run in runs if run["rule"] == rule] for rule in rules}, folder)
    return figures


def learned(figures: Mapping[str, Any]) -> str:
    """What the command prints."""
    return "\n".join([table(figures), "", "wrote", *(f"  {path}" for path in figures["files"])])


def table(figures: Mapping[str, Any], markdown: bool = False) -> str:
    """A line for each rule: accuracy on the reported split, and what the rule costs."""
    rows: list[list[object]] = []
    for rule, found in figures["summary"].items():
        signals, kept = found["signal_operations"], found["kept_bytes"] / 2**20
        row = [rule, percent(found["accuracy"]), percent(found["spread"])]
        rows.append([*row, None if signals is None else f"{signals:,.0f}", f"{kept:.3f}", f"{found['seconds']:.1f}"])
    header = ["rule", "accuracy, %", "sd over seeds", "learning-signal MACs", "autograd keeps, MiB", "seconds"]
    seeds = ", ".join(map(str, figures["seeds"]))
    title = f"{figures['model']} on {figures['data']}, {counted(figures['epochs'], 'epoch')}, seeds {seeds}"
    return f"{title}\n\n{render(header, rows, markdown)}"


def draw(runs: Mapping[str, Sequence[RunFolder]], folder: Path) -> None:
    """Loss in training and accuracy in validation over the epochs, a colour for each rule and a line for each seed.

    Args:
        runs: Name of a rule -> its runs.
        folder: Gets `curves.png`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for place, (rule, folders) in enumerate(runs.items()):
        for place_of_seed, run in enumerate(folders):
            lines = [line for line in read_log(run.log, "validation") if line["accuracy"] is not None]
            epochs = [line["epoch"] for line in lines]
            style: dict[str, Any] = {"color": f"C{place}", "marker": "o", "markersize": 3}
            style |= {"label": None if place_of_seed else rule, "alpha": 0.8, "linewidth": 1}
            loss.plot(epochs, [line["train_loss"] for line in lines], **style)
            accuracy.plot(epochs, [100 * line["accuracy"] for line in lines], **style)
    loss.set(xlabel="epoch", ylabel="loss", title="Training, of the readout")
    loss.set_ylim(0, 1.05 * loss.get_ylim()[1])  # a single point would lie on the upper border
    accuracy.set(xlabel="epoch", ylabel="accuracy, %", title="Accuracy in validation")
    legend = figure.legend(*accuracy.get_legend_handles_labels(), frameon=False, loc="outside right upper")
    if any(len(folders) > 1 for folders in runs.values()):
        legend.set_title("rule, a line\nfor each seed")
    for axes in (loss, accuracy):
        if axes.get_xlim()[1] - axes.get_xlim()[0] < 1:  # one epoch
            axes.set_xlim(0.5, 1.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "curves.png", dpi=110)


def _warn_of_optimiser(settings: Learn, rules: Sequence[str]) -> None:
    """Say which rules lose by the optimiser, which is the same for all."""
    others = [repr(rule) for rule in rules if not registry.load("rules", rule).descends]
    if others and settings.optimiser.name != "sgd":
        logger.warning(
            "rule %s descends no loss: the size of its changes matters, and %s divides by it; use --optimiser.name sgd",
            *(", ".join(others), settings.optimiser.name),
        )


def _refuse_other_runs(trainings: Sequence[Train]) -> None:
    """Make sure that the runs that are there can be used, or gone on with.

    Raises:
        RunError: If one was begun with other settings.
    """
    begun = [(training, RunFolder(training.folder)) for training in trainings]
    begun = [(training, run) for training, run in begun if run.exists()]
    if not begun:
        return
    # `train` completes settings by what data and device tell, and compares them after that
    first = begun[0][0]
    dataset = build_dataset(first.data.name, first.data.train_split, first.data.options)
    model = replace(first.model, options=options_from_data(first.model.name, dataset, first.model.options))
    precision = choose_precision(first.precision, pick_device(first.device))
    for training, run in begun:
        try:
            refuse_changes(run.read_settings(), replace(training, model=model, precision=precision), run)
        except RunError as error:
            raise RunError(f"{str(error).rpartition('; ')[0]}; choose another --folder") from error


def _training(settings: Learn, rule: str, seed: int) -> Train:
    return Train(
        folder=str(Path(settings.folder) / f"{rule}-seed{seed}"),
        resume="auto",
        task="classification",
        model=Model(settings.model, settings.model_options),
        data=Data(settings.data, settings.data_options, batch_size=settings.batch_size),
        rule=Rule(rule, settings.rule_options if rule == settings.rule else {}),
        optimiser=settings.optimiser,
        schedule=settings.schedule,
        epochs=settings.epochs,
        seed=seed,
        device=settings.device,
        threads=settings.threads,
        tensorboard=False,
    )


def _train_or_say_how_to_go_on(training: Train) -> dict[str, Any]:
    try:
        return train(training)
    except TrainingInterrupted as stop:
        where = str(stop).partition(";")[0]
        raise TrainingInterrupted(f"{training.folder}: {where}; the same command again goes on from there") from stop


def _summary(runs: Sequence[Mapping[str, Any]], rule: str) -> dict[str, Any]:
    own = [run for run in runs if run["rule"] == rule]
    scores = [run["accuracy"] for run in own]
    return {
        "accuracy": statistics.fmean(scores),
        "spread": statistics.stdev(scores) if len(scores) > 1 else None,
        "seconds": statistics.fmean(run["seconds"] for run in own),
    }
