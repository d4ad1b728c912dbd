"""The `spikelab whatwhen` command: runs the experiment, sums it up in a table, and draws it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from spikelab.io.atomic import write_json_atomically
from spikelab.report.tables import render
from spikelab.settings_simulation import WhatWhen
from spikelab.sim.turns import SimulationInterrupted
from spikelab.sim.what_and_when import (
    RULES,
    SCHEDULES,
    Block,
    Experiment,
    LearningParameters,
    ReservoirParameters,
    TaskParameters,
    run_experiment,
)


def whatwhen(settings: WhatWhen) -> dict[str, Any]:
    """Runs the experiment, or what of it is not in the folder yet.

    Returns:
        `neurons`; `rules`: rule -> `at_end`, the mean error of each block's last test over seeds, `at_end_each` and
        `course`; `switches`: what changed before each block; `sweep`: correlations of each seed; `geometry`: means over
        seeds, with the control; `seconds`; `files`.

    Raises:
        ValueError: for an unknown rule or a number that is not allowed.
        SimulationInterrupted: on Ctrl-C; finished parts are kept in the folder.
    """
    experiment = experiment_of(settings)
    folder = Path(settings.folder)
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with tqdm(total=experiment.trials, unit="trial") as bar:
        try:
            found = run_experiment(experiment, folder / "parts", bar.update)
        except KeyboardInterrupt:
            raise SimulationInterrupted(
                f"stopped; {folder / 'parts'} holds what was finished: the same command goes on"
            ) from None
    figures = summary(experiment, found) | {"seconds": time.perf_counter() - begun, "files": []}
    write_json_atomically(folder / "figures.json", figures)
    figures["files"].append(str(folder / "figures.json"))
    if settings.report:
        from spikelab.report.what_and_when_pictures import draw_experiment

        figures["files"] += draw_experiment(experiment, found, folder)
    return figures


def experiment_of(settings: WhatWhen) -> Experiment:
    """What the settings ask for."""
    reservoir = ReservoirParameters(
        neurons=settings.neurons,
        fresh_noise=settings.fresh_noise,
        background=settings.background,
        feedback=settings.feedback,
    )
    return Experiment(
        rules=tuple(settings.rules),
        seeds=tuple(settings.seeds),
        reservoir=reservoir,
        blocks=[replace(block, trials=settings.trials) for block in SCHEDULES[settings.schedule]],
        task=TaskParameters(),
        learning=LearningParameters(gate=settings.gate),
        sweep=settings.sweep,
        geometry=settings.geometry,
    )


def summary(experiment: Experiment, found: Mapping[str, Any]) -> dict[str, Any]:
    """Means over seeds of what ``run_experiment`` returned."""
    rules = {}
    for rule, sessions in found["sessions"].items():
        ends = np.array([session["at_end"] for session in sessions])
        rules[rule] = {
            "title": RULES[rule].title,
            "at_end": ends.mean(axis=0).tolist(),
            "at_end_each": ends.tolist(),
            "course": {
                "trials": sessions[0]["trials"],
                "errors": np.mean([session["errors"] for session in sessions], axis=0).tolist(),
            },
            "rate": float(np.mean([session["rate"] for session in sessions])),
        }
    figures: dict[str, Any] = {
        "neurons": experiment.reservoir.neurons,
        "seeds": list(experiment.seeds),
        "fresh_noise": experiment.reservoir.fresh_noise,
        "feedback": experiment.reservoir.feedback,
        "switches": switches(list(experiment.blocks)),
        "rules": rules,
    }
    if found["sweeps"]:
        pairs = np.array([sweep["correlations"] for sweep in found["sweeps"]])
        figures["sweep"] = {"r": pairs.mean(axis=0).tolist(), "r_each": pairs.tolist()}
    if found["geometry"]:
        names = ("cosine", "cosine_shuffled", "overlap", "overlap_shuffled", "orders_probability", "orders_latency")
        means = {name: np.mean([each[name] for each in found["geometry"]], axis=0).tolist() for name in names}
        beyond = {
            f"{name}_above_shuffled": sum(each[name] > each[f"{name}_shuffled"][1] for each in found["geometry"])
            for name in ("cosine", "overlap")
        }
        figures["geometry"] = {**means, **beyond}
    return figures


def switches(blocks: list[Block]) -> list[str]:
    """What changed before each block, in words."""
    told = ["first statistics"]
    for before, now in pairwise(blocks):
        changed = [
            name
            for name, differs in (
                ("timing", before.latencies != now.latencies),
                ("probability", before.probability != now.probability),
            )
            if differs
        ]
        told.append(" and ".join(changed) + " switched" if changed else "nothing switched")
    return told


def shown(figures: Mapping[str, Any]) -> str:
    """What the command prints."""
    seeds = len(figures["seeds"])
    lines = [
        f"{figures['neurons']} neurons, {seeds} seed{'s' if seeds > 1 else ''}, fresh noise "
        f"{figures['fresh_noise']:g}, feedback {figures['feedback']:g}; error of the prediction at the end of each "
        "block (mean over seeds; 1 is what predicting nothing gets):",
        render(
            ["rule", *(f"{place}: {told}" for place, told in enumerate(figures["switches"], 1))],
            [[each["title"], *(f"{error:.2f}" for error in each["at_end"])] for each in figures["rules"].values()],
        ),
    ]
    if "sweep" in figures:
        pairs = np.array(figures["sweep"]["r_each"])
        lines.append(
            f"amplitude follows probability over 11 levels: r = {pairs[:, 0].mean():.3f} for A (from "
            f"{pairs[:, 0].min():.3f} to {pairs[:, 0].max():.3f}), {pairs[:, 1].mean():.3f} for B (from "
            f"{pairs[:, 1].min():.3f} to {pairs[:, 1].max():.3f})"
        )
    if "geometry" in figures:
        found = figures["geometry"]
        lines.append(
            f"what and when: |cosine| {found['cosine']:.3f}, shuffled {found['cosine_shuffled'][0]:.3f} (95 % below "
            f"{found['cosine_shuffled'][1]:.3f}); shared variation {found['overlap']:.3f}, shuffled "
            f"{found['overlap_shuffled'][0]:.3f} (95 % below {found['overlap_shuffled'][1]:.3f})"
        )
        first, second = found["orders_probability"][0], found["orders_latency"][1]
        lines.append(
            f"principal component 1 orders probability (|r| {first:.2f}), component 2 latency (|r| {second:.2f})"
        )
    lines += [f"wrote {path}" for path in figures["files"]]
    return "\n".join(lines)
