"""The `spikelab whatwhen` command: runs the experiment, sums it up in a table, and draws it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from spikelab.io.atomic import write_json_atomically
from spikelab.io.settings_file import to_dict
from spikelab.learn.result_folder import keep_settings, refuse_other_settings
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

# What may differ when a folder is used again: parts of other seeds and rules are added, those that are there stay.
_FREE = ("folder", "seeds", "rules", "report", "json")

# Measures of the geometry -> names of their numbers, where there are several.
_CONTROL, _COMPONENTS = ("mean", "percentile_95"), ("component_1", "component_2")
_GEOMETRY = {
    "cosine": (),
    "cosine_shuffled": _CONTROL,
    "overlap": (),
    "overlap_shuffled": _CONTROL,
    "orders_probability": _COMPONENTS,
    "orders_latency": _COMPONENTS,
}


def whatwhen(settings: WhatWhen) -> dict[str, Any]:
    """Runs the experiment, or what of it is not in the folder yet.

    Returns:
        What `summary` returns; `settings`; `seconds`; `files`.

    Raises:
        ValueError: for an unknown rule, a number that is not allowed, or a folder that is a file.
        RunError: if the folder was begun with other settings.
        SimulationInterrupted: on Ctrl-C; finished parts are kept in the folder.
    """
    refuse_other_settings(settings, _FREE)
    experiment = experiment_of(settings)
    keep_settings(settings)
    folder = Path(settings.folder)
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with tqdm(total=experiment.trials, unit="trial", disable=None) as bar:
        try:
            found = run_experiment(experiment, folder / "parts", bar.update)
        except KeyboardInterrupt:
            raise SimulationInterrupted(
                f"stopped; {folder / 'parts'} holds what was finished: the same command goes on"
            ) from None
    figures = summary(experiment, found) | {"settings": to_dict(settings), "seconds": time.perf_counter() - begun}
    figures["files"] = [str(folder / "figures.json")]
    if settings.report:
        from spikelab.report.what_and_when_pictures import draw_experiment

        figures["files"] += draw_experiment(experiment, found, folder)
    write_json_atomically(folder / "figures.json", figures)
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
    """Means over seeds of what ``run_experiment`` returned.

    Returns:
        ``neurons``, ``seeds``, ``fresh_noise``, ``feedback``; ``switches``: what changed before each block; ``rules``:
        rule -> ``title``, ``at_end`` (mean error of each block's last test), ``at_end_each`` (the same, a list for each
        seed), ``course`` (mean errors after so many trials), ``rate_hz`` (of a neuron). ``sweep``, if there was one:
        ``r`` of probability and amplitude for ``A`` and ``B``, and ``r_each`` by seed. ``geometry``, likewise: measures
        of ``GeometryResult``, the control's ``mean`` and ``percentile_95``, |r| of ``component_1`` and ``component_2``,
        and how many seeds lie above the control's percentile (``..._above_shuffled``).
    """
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
            "rate_hz": float(np.mean([session["rate"] for session in sessions])),
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
        figures["sweep"] = {
            "r": _named("AB", pairs.mean(axis=0)),
            "r_each": {name: column.tolist() for name, column in zip("AB", pairs.T, strict=True)},
        }
    if found["geometry"]:
        means = {name: np.mean([each[name] for each in found["geometry"]], axis=0) for name in _GEOMETRY}
        geometry = {
            name: _named(parts, means[name]) if parts else float(means[name]) for name, parts in _GEOMETRY.items()
        }
        beyond = {
            f"{name}_above_shuffled": sum(each[name] > each[f"{name}_shuffled"][1] for each in found["geometry"])
            for name in ("cosine", "overlap")
        }
        figures["geometry"] = geometry | beyond
    return figures


def _named(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


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
        told = [
            f"{mean:.3f} for {name} (from {min(each):.3f} to {max(each):.3f})"
            for (name, mean), each in zip(
                figures["sweep"]["r"].items(), figures["sweep"]["r_each"].values(), strict=True
            )
        ]
        lines.append(f"amplitude follows probability over 11 levels: r = {', '.join(told)}")
    if "geometry" in figures:
        found = figures["geometry"]
        cosine, overlap = found["cosine_shuffled"], found["overlap_shuffled"]
        lines.append(
            f"what and when: |cosine| {found['cosine']:.3f}, shuffled {cosine['mean']:.3f} (95 % below "
            f"{cosine['percentile_95']:.3f}); shared variation {found['overlap']:.3f}, shuffled "
            f"{overlap['mean']:.3f} (95 % below {overlap['percentile_95']:.3f})"
        )
        first, second = found["orders_probability"]["component_1"], found["orders_latency"]["component_2"]
        lines.append(
            f"principal component 1 orders probability (|r| {first:.2f}), component 2 latency (|r| {second:.2f})"
        )
    lines += [f"wrote {path}" for path in figures["files"]]
    return "\n".join(lines)
