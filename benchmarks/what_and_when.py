"""What and when on a spiking reservoir: the claims at 300 and 1000 neurons, levels of noise and feedback, speed.

    python -m benchmarks.what_and_when --folder runs/what_and_when_record

Parts that are finished are not repeated, so it can be interrupted; ``--only`` chooses sections.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe
from spikelab.io.atomic import write_bytes_atomically, write_json_atomically
from spikelab.report.tables import render
from spikelab.report.what_and_when import summary
from spikelab.sim.random_numbers import stream_key
from spikelab.sim.what_and_when import (
    SCHEDULES,
    Block,
    Experiment,
    LearningParameters,
    Reservoir,
    ReservoirParameters,
    Session,
    run_experiment,
)
from spikelab.sim.what_and_when.reference import run_trial_plainly
from spikelab.sim.what_and_when.trial import FORCE

RESULTS = Path(__file__).parent / "results"
RULES = ("three_factor", "force", "force_merged", "force_reset")
SEEDS = (0, 1, 2, 3, 4)


def experiments() -> dict[str, Experiment]:
    """Section -> what to run."""
    small, large = ReservoirParameters(neurons=300), ReservoirParameters(neurons=1000)
    brief = Experiment(rules=("three_factor", "force_merged", "force_reset"), seeds=(0, 1, 2), sweep=0, geometry=False)
    gated = replace(brief, rules=("three_factor",), seeds=SEEDS)
    controls = replace(brief, rules=("two_factor", "force_gated"), seeds=SEEDS)
    found = {
        "300 neurons": Experiment(rules=RULES, seeds=SEEDS, reservoir=small),
        "1000 neurons": Experiment(rules=("three_factor",), seeds=SEEDS, reservoir=large),
        "1000 neurons, FORCE": replace(brief, rules=("force", "force_reset"), seeds=SEEDS, reservoir=large),
        "300 neurons, other controls": controls,
        "300 neurons, timing switched first": replace(
            brief, rules=RULES, seeds=SEEDS, blocks=SCHEDULES["timing_first"]
        ),
        "300 neurons, gate open in the whole trial": replace(gated, learning=LearningParameters(gate="trial")),
    }
    for noise in (0.0, 0.5):
        found[f"300 neurons, fresh noise {noise:g}"] = replace(brief, reservoir=replace(small, fresh_noise=noise))
    for noise in (1.0, 2.0, 4.0):
        found[f"300 neurons, fresh noise {noise:g}"] = replace(gated, reservoir=replace(small, fresh_noise=noise))
    for feedback in (1.0, 3.0):
        found[f"300 neurons, feedback {feedback:g}"] = replace(gated, reservoir=replace(small, feedback=feedback))
    return found


# ------------------------------------------------------------------------------------------------------------- speed


def measure_speed(neurons: int, repeats: int = 20) -> dict[str, Any]:
    """CPU seconds of a learning trial of 600 ms: compiled, in plain NumPy, and on the simulator's own engine.

    The engine runs the reservoir alone, without fresh noise and readouts: in one run of 600 ms, which is possible only
    where nothing depends on the readouts and no trial differs from the last, and in 600 runs of 1 ms.
    """
    parameters = ReservoirParameters(neurons=neurons)
    found: dict[str, Any] = {"neurons": neurons}
    block = Block(trials=repeats)
    for rule in ("three_factor", "force"):
        session = Session(rule, parameters)
        session.learn(block)
        times = [_cpu_seconds(partial(session.learn, block)) for _ in range(repeats)]
        found[f"{rule}_compiled"] = float(np.median(times))
        count = 1 if rule == "force" else 3
        times = [_cpu_seconds(_plain_trial(session, block, rule)) for _ in range(count)]
        found[f"{rule}_numpy"] = float(np.median(times))
    network = Reservoir.build(parameters).driven_network()
    network.run(0.001, threads=1)
    found["engine_one_run"] = _cpu_seconds(lambda: network.run(0.6, threads=1))

    def run_by_milliseconds() -> None:
        for _ in range(60):
            network.run(0.001, threads=1)

    found["engine_run_each_ms"] = 10 * _cpu_seconds(run_by_milliseconds)
    return found


def _plain_trial(session: Session, block: Block, rule: str) -> Callable[[], Any]:
    """The same learning trial as a plain loop over steps; FORCE updates every second one, as it does compiled."""
    target = np.zeros((session.task.steps, 2))
    target[:, 0] = session.bump(block.latencies[0])
    lesson = session.lesson(block, 0, target)
    if rule == "force":
        lesson = lesson._replace(mode=FORCE)
    count = session.reservoir.parameters.neurons
    record = session.record._replace(mean=np.zeros(count), outputs=np.zeros((session.task.steps, 2)))
    when, inverse = np.zeros((2, count)), np.eye(count)
    key, decay = stream_key(0, 1), math.exp(-1 / 30)
    return lambda: run_trial_plainly(session.reservoir, key, decay, session.scale, when, inverse, lesson, record)


def _cpu_seconds(run: Callable[[], Any]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


# ------------------------------------------------------------------------------------------------------------ report


def report(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [NOTE]
    for name, section in figures["sections"].items():
        lines.append(f"## {name} (seeds: {', '.join(map(str, section['seeds']))})\n")
        header = ["rule", *(f"{k}: {told}" for k, told in enumerate(section["switches"], 1))]
        rows = [
            [each["title"], *(_with_range(np.array(each["at_end_each"])[:, k]) for k in range(len(header) - 1))]
            for each in section["rules"].values()
        ]
        lines.append(render(header, rows, markdown=True) + "\n")
        if "sweep" in section:
            each = section["sweep"]["r_each"]
            told = ", ".join(f"{a:.3f} and {b:.3f}" for a, b in zip(each["A"], each["B"], strict=True))
            lines.append(f"Amplitude against probability over 11 levels, r for A and B of each seed: {told}.\n")
        if "geometry" in section:
            found = section["geometry"]
            cosine, overlap = found["cosine_shuffled"], found["overlap_shuffled"]
            probability, latency = found["orders_probability"], found["orders_latency"]
            lines.append(
                f"What against when: |cosine| {found['cosine']:.3f}, shuffled {cosine['mean']:.3f} (95 % below "
                f"{cosine['percentile_95']:.3f}; above that in {found['cosine_above_shuffled']} of "
                f"{len(section['seeds'])} seeds). Share of the variation of what inside the subspace of when: "
                f"{found['overlap']:.3f}, shuffled {overlap['mean']:.3f} (95 % below {overlap['percentile_95']:.3f}; "
                f"above that in {found['overlap_above_shuffled']}). Component 1 orders probability with |r| = "
                f"{probability['component_1']:.2f} (latency {latency['component_1']:.2f}), component 2 latency with "
                f"{latency['component_2']:.2f} (probability {probability['component_2']:.2f}).\n"
            )
    if figures.get("speed"):
        names = [name for name in figures["speed"][0] if name != "neurons"]
        rows = [[name.replace("_", " "), *(_milliseconds(each[name]) for each in figures["speed"])] for name in names]
        lines.append("## Speed: CPU milliseconds of a trial of 600 ms, one thread\n")
        lines.append(render(["", *(f"{each['neurons']} neurons" for each in figures["speed"])], rows, markdown=True))
    return "\n".join(lines) + "\n"


NOTE = """\
# What and when

Made by `python -m benchmarks.what_and_when`. Relative error of the test trial at the end of each block of 100 trials:
mean over seeds (least to most); predicting nothing gets 1. The setting is a reconstruction: see
`spikelab/sim/what_and_when/parameters.py` for what is the paper's and what is ours.
"""


def _with_range(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


def _finished(experiment: Experiment, folder: Path) -> tuple[int, ...]:
    """Seeds all of whose parts are kept."""
    parts = [f"session_{rule}" for rule in experiment.rules]
    parts += ["sweep"] * bool(experiment.sweep) + ["geometry"] * experiment.geometry
    return tuple(
        seed for seed in experiment.seeds if all((folder / f"{part}_seed{seed}.json").exists() for part in parts)
    )


def main() -> None:
    """Runs the chosen sections and writes `results/what_and_when.json` and `.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/what_and_when_record"), help="of finished parts")
    parser.add_argument("--finished", action="store_true", help="run nothing: report the seeds that are finished")
    parser.add_argument("--only", nargs="*", help="sections that contain one of these words; 'speed' is one")
    chosen = parser.parse_args()
    path = RESULTS / "what_and_when.json"
    figures: dict[str, Any] = {"sections": {}, "speed": []}
    if path.exists():
        figures |= {name: value for name, value in json.loads(path.read_text()).items() if name in figures}
    known = experiments()
    for name, experiment in known.items():
        if chosen.only is not None and not any(word in name for word in chosen.only):
            continue
        folder = chosen.folder / name.replace(" ", "_").replace(",", "")
        folder.mkdir(parents=True, exist_ok=True)
        if chosen.finished:
            if not (seeds := _finished(experiment, folder)):
                continue
            experiment = replace(experiment, seeds=seeds)
        begun = time.process_time()
        section = summary(experiment, run_experiment(experiment, folder))
        figures["sections"][name] = section | {"cpu_seconds": round(time.process_time() - begun, 1)}
        print(name, {rule: np.round(each["at_end"], 2).tolist() for rule, each in section["rules"].items()}, flush=True)
    if "speed" in chosen.only if chosen.only is not None else not chosen.finished:
        figures["speed"] = [measure_speed(neurons) for neurons in (300, 1000)]
    figures["sections"] = {name: figures["sections"][name] for name in known if name in figures["sections"]}
    write_json_atomically(path, {"machine": describe(), **figures})
    write_bytes_atomically(RESULTS / "what_and_when.md", report(figures).encode())
    print(report(figures))


if __name__ == "__main__":
    main()
