"""What each part of the model of compressed video is worth: accuracies on moving_shapes, with parts left out.

    nice python -m benchmarks.compressed_video                     # everything that is missing, then the tables
    python -m benchmarks.compressed_video --variants both,image,motion --seeds 0
    python -m benchmarks.compressed_video --only_table true

Every variant has the same clips, number of epochs, batches, optimiser and schedule; a seed fixes initial weights and
the order of clips. A run writes a JSON of its own; what is there is not repeated, and a run that was stopped goes on
from its checkpoint. Nothing was chosen by the test clips: accuracies are those of the weights after the last step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from spikelab.io.atomic import write_bytes_atomically, write_json_atomically
from spikelab.learn.evaluate import evaluate_run
from spikelab.learn.train import train
from spikelab.report.tables import render
from spikelab.settings import Data, Evaluate, EvaluationData, Model, Optimiser, Option, Train

RESULTS = Path(__file__).parent / "results"
EPOCHS = 8


@dataclass(frozen=True)
class Variant:
    """Options of the model and of the data that differ from the defaults."""

    model: dict[str, Option] = field(default_factory=dict)
    data: dict[str, Option] = field(default_factory=dict)


PARTS = {
    "both": Variant(),
    "image": Variant({"modality": "image"}),
    "motion": Variant({"modality": "motion"}),
    "ordinary_stm": Variant({"stm": "ordinary"}),
    "adaptive_threshold": Variant({"threshold": "adaptive"}),
    "fixed_threshold": Variant({"threshold": "fixed"}),
    "membrane_readout": Variant({"readout": "membrane"}),
    "no_mixer": Variant({"mixer": 0}),
    "no_transformer": Variant({"depth": 0}),
    "neither": Variant({"mixer": 0, "depth": 0}),
    "one_step": Variant(data={"accumulate": False}),
    "steps_4": Variant({"steps": 4}),
    "steps_1": Variant({"steps": 1}),
    "decoded": Variant({"modality": "image"}, {"decoded": True}),
}
LEVELS = {
    "contour": Variant(data={"identity": "contour"}),
    "contour_image": Variant({"modality": "image"}, {"identity": "contour"}),
    "contour_motion": Variant({"modality": "motion"}, {"identity": "contour"}),
    "fast_camera": Variant(data={"camera": "fast"}),
    "h264": Variant(data={"codec": "h264"}),
}
VARIANTS = PARTS | LEVELS


def settings_for(folder: Path, variant: str, seed: int) -> Train:
    """The same for all, but for the variant."""
    chosen = VARIANTS[variant]
    return Train(
        folder=str(folder / f"{variant}-{seed}"),
        task="classification",
        model=Model("compressed_video", dict(chosen.model)),
        data=Data("moving_shapes", dict(chosen.data), batch_size=16),
        optimiser=Optimiser(learning_rate=2e-3),
        epochs=EPOCHS,
        seed=seed,
        validate_every=EPOCHS,
        device="cpu",
        threads=1,
        tensorboard=False,
        resume="auto",
    )


def measure(folder: Path, variant: str, seed: int) -> dict[str, Any]:
    """Accuracies on the test clips after the last step, operations, rates and modelled energy."""
    settings = settings_for(folder, variant, seed)
    begun = time.process_time()
    train(settings)
    seconds = time.process_time() - begun
    data = EvaluationData(split="test", batch_size=30)
    figures = evaluate_run(Evaluate(settings.folder, "last", data, energy_batches=10, device="cpu", threads=1))
    counts = figures["confusion_matrix"]
    return {
        "variant": variant,
        "seed": seed,
        "accuracy": figures["accuracy"],
        # a class is a motion and one of three identities
        "motion": _share(counts, lambda label: label // 3),
        "identity": _share(counts, lambda label: label % 3),
        "parameters": figures["parameters"],
        "energy": figures["energy"],
        # of the last part, where the run was stopped between
        "cpu_seconds": round(seconds, 1),
    }


def _share(counts: Sequence[Sequence[int]], part: Callable[[int], int]) -> float:
    """Share of the clips for which that part of the class is right."""
    total = sum(map(sum, counts))
    right = sum(n for label, row in enumerate(counts) for told, n in enumerate(row) if part(label) == part(told))
    return right / total


def table(runs: Sequence[dict[str, Any]], variants: Sequence[str]) -> str:
    """A line a variant: accuracies in percent, spikes, operations and energy."""
    lines: list[list[object]] = []
    for variant in variants:
        found = [run for run in runs if run["variant"] == variant]
        if not found:
            continue
        energy = found[0]["energy"]
        joule = energy["estimated_joule_45nm_float32"]
        rates = energy.get("spike_rates", {})
        operations = sum(layer["synaptic_operations"] for layer in energy.get("layers", {}).values())
        line: list[object] = [variant]
        line += [_mean_and_spread([100 * run[kind] for run in found]) for kind in ("accuracy", "motion", "identity")]
        line += [" / ".join(f"{rate:.2f}" for rate in rates.values()) or None]
        line += [f"{energy['ordinary_macs'] / 1e6:.1f}", f"{operations / 1e6:.1f}" if operations else None]
        line += [f"{1e6 * joule['by_counting']:.0f}", f"{found[0]['parameters'] / 1e3:.0f}"]
        lines.append([*line, f"{statistics.fmean(run['cpu_seconds'] for run in found):.0f}", len(found)])
    header = ["variant", "joint, %", "motion, %", "identity, %", "spikes per neuron and step, by layer"]
    header += ["ordinary MMAC", "synaptic MOP", "modelled µJ", "parameters, thousands", "CPU s", "seeds"]
    return render(header, lines, markdown=True)


def _mean_and_spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{spread}"


def main() -> None:
    """Runs what is missing, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/compressed_video"))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only_table", default="false")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds.split(","):
        for variant in arguments.variants.split(","):
            report = arguments.folder / f"{variant}-{seed}.json"
            if report.exists() or arguments.only_table == "true":
                continue
            found = measure(arguments.folder, variant, int(seed))
            print(f"{variant} seed {seed}: {100 * found['accuracy']:.2f} %", flush=True)
            write_json_atomically(report, found)
    runs = [json.loads(path.read_text()) for path in sorted(arguments.folder.glob("*.json"))]
    pages = [HEAD, table(runs, list(PARTS)), "## Other clips", table(runs, list(LEVELS)), NOTE]
    print("\n\n".join(pages[1:4]))
    write_json_atomically(RESULTS / "compressed_video.json", {"machine": describe(), "runs": runs})
    write_bytes_atomically(RESULTS / "compressed_video.md", "\n\n".join(pages).encode())


HEAD = "# The model of compressed video on moving_shapes, and what its parts are worth"
NOTE = """Made by `python -m benchmarks.compressed_video`: 900 clips of 2 groups of 12 frames, 96 x 96 pixels, 10
motions x 3 identities; 8 epochs, batches of 16, AdamW at 2e-3 falling along a cosine, one thread; judged by 300 test
clips with the weights after the last step. One clip is 0.33 points; with three seeds and 300 clips, differences below
3 points say little. Mean and standard deviation over seeds, which change initial weights and the order of clips, not
the clips.

`image` and `motion` see one half only, and chance within what they can see is 10 % (ten motions) and 33 % (three
colours). `ordinary_stm` has rectifiers in place of spiking neurons, and sums their output over the steps. `neither` is
without mixer and transformer. `one_step` has motion and residual against the picture before in place of accumulated
ones, `steps_4` and `steps_1` the first four P-frames and the first one of a group of eleven, `decoded` all 24 pictures
through the encoder of I-frames. Energy is modelled: counted operations
times 4.6 pJ (multiply-accumulate) or 0.9 pJ (accumulate), 45 nm, float32, two multiply-accumulates for an update of a
membrane; without memory, decoding and idle power. Operations are those of a video. CPU seconds were taken beside
other programs. Single runs are in `compressed_video.json`.
"""


if __name__ == "__main__":
    main()
