"""Erasing each digit from a spiking MNIST classifier: all forms, several strengths, the relearning attack.

    python -m benchmarks.erase --seeds 0,1,2

The classifier: 784-300-300-10 LIF neurons without biases, 6 steps, 3 epochs. A class is seen by 3,000 training
pictures, and judged by all test pictures. Trained runs are kept in the folder. The attack is run on seed 0.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from spikelab.io.atomic import write_json_atomically
from spikelab.learn.erase.run import erase_from_run
from spikelab.learn.train import train
from spikelab.report.tables import render
from spikelab.settings import Data, Model, Optimiser, Option, Train
from spikelab.settings_continual import Erase

STRENGTHS = (1.0, 2.0, 5.0, 1e4)
MODEL: dict[str, Option] = {"hidden": [300, 300], "steps": 6, "tau_mem": 0.0014427, "v_threshold": 0.2}
MODEL |= {"reset": "subtract", "bias": False}


def trained(folder: Path, seed: int) -> Path:
    """The run of a seed; a complete one is not repeated."""
    path = folder / f"mnist_{seed}"
    train(
        Train(
            folder=str(path),
            resume="auto",
            task="classification",
            model=Model("spiking_classifier", MODEL),
            data=Data("mnist", batch_size=64),
            optimiser=Optimiser(learning_rate=2e-3),
            epochs=3,
            seed=seed,
            tensorboard=False,
            device="cpu",
            threads=1,
        )
    )
    return path


def measure(run: Path, strength: float, whole: bool, attack: bool) -> dict[str, Any]:
    """Erases each digit alone."""
    return erase_from_run(
        Erase(
            str(run),
            folder=str(run / "erased"),
            forget_strength=strength,
            retain_strength=strength,
            whole=whole,
            relearn_samples=100 if attack else 0,
            device="cpu",
            threads=1,
        )
    )


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Accuracy on the erased class, and its change on the others, in percent: the mean, and the worst digit."""
    rows = []
    for name, runs in found.items():
        form = name.split(",")[0]
        edits = [(edit["forms"][form], edit["accuracy_on_others_before"]) for run in runs for edit in run["edits"]]
        gone = [100 * each["accuracy_on_erased"] for each, _ in edits]
        change = [100 * (each["accuracy_on_others"] - before) for each, before in edits]
        row = [name, f"{sum(gone) / len(gone):.2f}", f"{max(gone):.2f}"]
        rows.append([*row, f"{sum(change) / len(change):+.2f}", f"{min(change):+.2f}"])
    header = ["form", "erased class, %", "worst class", "others, points", "worst edit"]
    return render(header, rows, markdown=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark_erase"))
    parser.add_argument("--results", type=Path, help="JSON file for all figures")
    given = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("spikelab").setLevel(logging.INFO)
    given.folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in map(int, given.seeds.split(",")):
        run = trained(given.folder, seed)
        for strength, whole in [*((strength, False) for strength in STRENGTHS), (1.0, True)]:
            plain = strength == 1.0 and not whole  # where the oblique form, which has no strength, is taken from
            figures = measure(run, strength, whole, plain and run.name.endswith("_0"))
            seen = "all samples" if whole else "means"
            for form in ["literal", "centred"] + (["oblique"] if plain else []):
                name = form if form == "oblique" else f"{form}, {seen}, a = {strength:g}"
                found.setdefault(name, []).append(figures)
    text = table(dict(sorted(found.items())))
    attacks = [edit["attack"] for figures in found["oblique"] for edit in figures["edits"] if "attack" in edit]
    for key in ("edited", "rows_removed") if attacks else ():
        courses = [[point["accuracy_on_erased"] for point in attack[key]] for attack in attacks]
        means = [100 * sum(values) / len(values) for values in zip(*courses, strict=True)]
        text += f"\n\nrelearning, {key}: " + ", ".join(f"{value:.1f}" for value in means)
    print(text)
    if given.results is not None:
        write_json_atomically(given.results, {"table": text, "figures": found})


if __name__ == "__main__":
    main()
