"""Pictures of the what-and-when experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.report.activity.style import colour_of, new_figure, tidy
from spikelab.sim.what_and_when import RULES, Experiment


def draw_experiment(experiment: Experiment, found: Mapping[str, Any], folder: Path) -> list[str]:
    """Draws all pictures for which there is something, into a folder; returns their paths."""
    pictures = {
        "errors.png": draw_errors(experiment, found["sessions"]),
        "predictions.png": draw_predictions(experiment, found["sessions"]),
    }
    if found["sweeps"]:
        pictures["probability.png"] = draw_sweeps(found["sweeps"])
    if found["geometry"]:
        pictures["geometry.png"] = draw_geometry(found["geometry"])
    for name, figure in pictures.items():
        figure.savefig(folder / name)
    return [str(folder / name) for name in pictures]


def draw_errors(experiment: Experiment, sessions: Mapping[str, Any]) -> Any:
    """The error of test trials over a session: mean over seeds, and their range."""
    figure = new_figure(9, 4)
    axes = tidy(
        figure.subplots(),
        xlabel="learning trials",
        ylabel="relative error (1: predicting nothing)",
        title="Error of predictions",
        ylim=(0, 1.5),
    )
    for place, (rule, each) in enumerate(sessions.items()):
        errors, trials = np.array([session["errors"] for session in each]), each[0]["trials"]
        colour = colour_of(place)
        axes.fill_between(trials, errors.min(axis=0), errors.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(trials, errors.mean(axis=0), "o-", markersize=3, color=colour, label=RULES[rule].title)
    if len(experiment.seeds) > 1:
        axes.fill_between(
            [], [], color="0.5", alpha=0.3, linewidth=0, label=f"range over {len(experiment.seeds)} seeds"
        )
    for place, border in enumerate(np.cumsum([block.trials for block in experiment.blocks])[:-1]):
        label = None if place else "switch of the statistics"
        axes.axvline(border + 0.5, color="0.6", linewidth=0.8, linestyle="--", label=label)
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    return figure


def draw_predictions(experiment: Experiment, sessions: Mapping[str, Any]) -> Any:
    """The predictions at the end of each block of the first seed, over what they should be."""
    blocks = len(experiment.blocks)
    figure = new_figure(2.6 * blocks + 0.6, 1.7 * len(sessions) + 1.1)
    grid = figure.subplots(len(sessions), blocks, sharex=True, sharey=True, squeeze=False)
    for line, (rule, each) in enumerate(sessions.items()):
        for place, axes in enumerate(grid[line]):
            truth, prediction = (np.array(each[0][name][place]) for name in ("truths", "predictions"))
            for channel, name in enumerate("AB"):
                colour = colour_of(channel)
                target = f"target for {name}: its course, times its probability"
                axes.fill_between(np.arange(len(truth)), truth[:, channel], color=colour, alpha=0.25, label=target)
                axes.plot(prediction[:, channel], color=colour, linewidth=1, label=f"prediction of {name}")
            tidy(axes)
            if line == 0:
                axes.set_title(f"end of block {place + 1}", fontsize=9)
            if line == len(sessions) - 1:
                axes.set_xlabel("time in trial, ms")
        grid[line][0].set_ylabel(f"{RULES[rule].title}\namplitude", fontsize=8)
    figure.legend(*grid[0][0].get_legend_handles_labels(), frameon=False, ncols=2, loc="outside lower center")
    return figure


def draw_sweeps(sweeps: list[Any]) -> Any:
    """The amplitude of both events against the probability of A, a line for each seed."""
    figure = new_figure(4.8, 4)
    axes = tidy(
        figure.subplots(),
        xlabel="probability of A",
        ylabel="amplitude of the prediction",
        title="Amplitude follows probability",
    )
    of_seeds = f", a line for each of {len(sweeps)} seeds" if len(sweeps) > 1 else ""
    for place, sweep in enumerate(sweeps):
        for channel, name in enumerate("AB"):
            axes.plot(
                sweep["probabilities"],
                np.array(sweep["amplitudes"])[:, channel],
                "o-",
                markersize=3,
                linewidth=0.8,
                color=colour_of(channel),
                label=None if place else f"{name}{of_seeds}",
            )
    ideal = {"color": "0.7", "linestyle": "--", "linewidth": 0.8}
    axes.plot([0, 1], [0, 1], **ideal)
    axes.plot([0, 1], [1, 0], **ideal, label="probability of the event")
    figure.legend(frameon=False, loc="outside lower center", fontsize=9)
    return figure


def draw_geometry(results: list[Any]) -> Any:
    """Conditions of the first seed on the first two components; and both overlaps beside their controls."""
    figure = new_figure(10, 3.8)
    figure.get_layout_engine().set(wspace=0.06)
    left, right = figure.subplots(1, 2)
    scores = np.array(results[0]["scores"])
    dots = left.scatter(*scores.T, c=results[0]["probabilities"], s=1e3 * np.square(results[0]["latencies"]))
    tidy(left, xlabel="component 1", ylabel="component 2", title="Readouts of 20 conditions (size: latency)")
    figure.colorbar(dots, ax=left, label="probability of A")
    readouts = "readouts" if len(results) == 1 else "readouts, each seed"
    for place, name in enumerate(("cosine", "overlap")):
        found = [each[name] for each in results]
        mean, limit = np.mean([each[f"{name}_shuffled"] for each in results], axis=0)
        right.plot(np.full(len(found), place), found, "o", color=colour_of(0), label=None if place else readouts)
        right.plot([place - 0.2, place + 0.2], [mean, mean], color="0.4", label=None if place else "mean of shuffled")
        right.plot(
            [place - 0.2, place + 0.2],
            [limit, limit],
            color="0.4",
            linestyle="--",
            label=None if place else "95 % of shuffled",
        )
    tidy(right, title="Do what and when share directions?", ylim=(0, None), xlim=(-0.6, 1.6))
    right.set_xticks([0, 1], ["|cosine|", "share of variation"])
    # below the axes: among the data its dot would look like one of them
    right.legend(frameon=False, ncols=3, fontsize=8, columnspacing=1.2, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    return figure
