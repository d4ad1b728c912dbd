"""Local learning rules beside backpropagation and frozen features: an ordinary convolutional network on small pictures.

    nice python -m benchmarks.local_rules                       # everything that is missing, then the table
    python -m benchmarks.local_rules --data fashion_mnist --seeds 0 --rules bp,lls_square,frozen
    python -m benchmarks.local_rules --only_table true

Every rule trains the same network from the same weights, on the same batches, with the same optimiser and schedule. A
run writes a JSON of its own; what is there is not repeated, so it can be interrupted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe
from spikelab.io.atomic import write_bytes_atomically, write_json_atomically
from spikelab.learn.evaluate import evaluate_run
from spikelab.learn.rule_costs import first_batch, rule_costs
from spikelab.learn.train import train
from spikelab.report.tables import render
from spikelab.settings import Data, Evaluate, EvaluationData, Model, Optimiser, Option, Rule, Schedule, Train

RESULTS = Path(__file__).parent / "results"
#: What a row of the table is called -> the rule and its options.
RULES: dict[str, tuple[str, dict[str, Option]]] = {
    "bp": ("bptt", {}),
    "lls_mxm": ("lls", {"modulation": "matrix"}),
    "lls_mxm_identity": ("lls", {"modulation": "matrix", "modulation_start": "identity"}),
    "lls_m": ("lls", {"modulation": "vector"}),
    "lls_m_identity": ("lls", {"modulation": "vector", "modulation_start": "identity"}),
    "lls_square": ("lls", {"basis": "square"}),
    "lls_sine": ("lls", {"basis": "sine"}),
    "lls_cosine": ("lls", {"basis": "cosine"}),
    "lls_random": ("lls", {"basis": "random"}),
    "lls_random_unit": ("lls", {"basis": "random", "unit_length": True, "temperature": 0.05}),
    "feedback_alignment": ("feedback_alignment", {}),
    "sign_symmetric": ("feedback_alignment", {"feedback": "sign"}),
    "direct_feedback": ("direct_feedback", {}),
    "target_projection": ("target_projection", {}),
    "frozen": ("frozen", {}),
}
DATA = ("fashion_mnist", "mnist")
SEEDS = 3
#: Section 1.2 of the project's notes: pictures averaged to 14 x 14, Adam with a rate that falls to nothing.
MODEL: dict[str, Option] = {"channels": [16, 32, 64], "hidden": 256, "reduce": 2}


def settings_for(folder: Path, data: str, rule: str, seed: int, epochs: int) -> Train:
    """The same for all, but for the rule."""
    name, options = RULES[rule]
    return Train(
        folder=str(folder),
        task="classification",
        model=Model("convolutional_classifier", dict(MODEL)),
        data=Data(data, {"validation": 100}, batch_size=128),
        rule=Rule(name, options),
        optimiser=Optimiser(learning_rate=5e-3, weight_decay=0.0, gradient_clip=0.0),
        schedule=Schedule("cosine", warmup_epochs=0.0, final_factor=0.0),
        epochs=epochs,
        seed=seed,
        validate_every=epochs,
        device="cpu",
        threads=1,
        tensorboard=False,
    )


def measure(folder: Path, data: str, rule: str, seed: int, epochs: int) -> dict[str, Any]:
    """Accuracy on the test pictures after the last step, and what the rule cost."""
    settings = settings_for(folder / f"{data}-{rule}-{seed}", data, rule, seed, epochs)
    shutil.rmtree(settings.folder, ignore_errors=True)
    begun = time.process_time()
    result = train(settings)
    cpu_seconds = time.process_time() - begun
    evaluation = EvaluationData(split="test", batch_size=400)
    figures = evaluate_run(Evaluate(settings.folder, checkpoint="last", data=evaluation, device="cpu", threads=1))
    return {
        "data": data,
        "rule": rule,
        "seed": seed,
        "epochs": epochs,
        "steps": result["steps"],
        "accuracy": figures["accuracy"],
        "cpu_seconds": round(cpu_seconds, 2),
    }


def step_milliseconds(rules: Sequence[str], data: str, rounds: int = 15) -> dict[str, float]:
    """CPU milliseconds in which a rule makes gradients of a batch, by turns, so that a busy machine slows all alike.

    The median over the rounds; optimiser and reading of data, which are the same for all, are left out.
    """
    steps: dict[str, Any] = {}
    for rule in rules:
        made, batch = first_batch(settings_for(Path("unused"), data, rule, seed=0, epochs=1))
        made.model.train()
        steps[rule] = (made, batch)
    taken: dict[str, list[float]] = {rule: [] for rule in rules}
    for turn in range(rounds + 2):
        for rule, (made, batch) in steps.items():
            begun = time.process_time()
            made.measure(made.model, batch)
            made.write(0.01)
            if turn >= 2:  # the first ones allocate
                taken[rule].append(1e3 * (time.process_time() - begun))
    return {rule: statistics.median(each) for rule, each in taken.items()}


def costs_of(rules: Sequence[str], data: str) -> dict[str, dict[str, Any]]:
    """Of each rule `signal_operations` and `kept_bytes` (see `rule_costs`), and CPU `milliseconds` of a batch."""
    milliseconds = step_milliseconds(rules, data)
    return {
        rule: {**rule_costs(settings_for(Path("unused"), data, rule, 0, 1)), "milliseconds": milliseconds[rule]}
        for rule in rules
    }


def table(runs: Sequence[dict[str, Any]], costs: dict[str, dict[str, Any]]) -> str:
    """A line a rule: accuracies in percent, and costs."""
    lines: list[list[object]] = []
    sets = [data for data in DATA if any(run["data"] == data for run in runs)]
    bp = {data: _accuracies(runs, data, "bp") for data in sets}
    for rule in RULES:
        own = [run for run in runs if run["rule"] == rule]
        if not own:
            continue
        line: list[object] = [rule]
        for data in sets:
            found = _accuracies(runs, data, rule)
            line += [_mean_and_spread(found), _difference(found, bp[data])]
        cost = costs[rule]
        line += [f"{cost['signal_operations']:,.0f}", f"{cost['kept_bytes'] / 2**20:.2f}"]
        line += [f"{cost['milliseconds']:.1f}"]
        lines.append(line)
    header = ["rule"]
    for data in sets:
        header += [f"{data}, %", "against bp"]
    header += ["learning-signal MACs", "autograd keeps, MiB", "CPU ms a batch"]
    return render(header, lines, markdown=True)


def _accuracies(runs: Sequence[dict[str, Any]], data: str, rule: str) -> list[float]:
    return [100 * run["accuracy"] for run in runs if (run["data"], run["rule"]) == (data, rule)]


def _mean_and_spread(values: list[float]) -> str | None:
    if not values:
        return None
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{spread}"


def _difference(values: list[float], reference: list[float]) -> str | None:
    return f"{statistics.fmean(values) - statistics.fmean(reference):+.1f}" if values and reference else None


def verdicts(runs: Sequence[dict[str, Any]]) -> list[str]:
    """What the issue asks for, and whether it holds."""
    lines = []
    for data in DATA:
        means = {rule: statistics.fmean(found) for rule in RULES if (found := _accuracies(runs, data, rule))}
        if not {"bp", "frozen"} <= means.keys():
            continue
        for rule in (each for each in means if each.startswith("lls")):
            below, above = means["bp"] - means[rule], means[rule] - means["frozen"]
            near, far = "yes" if below <= 4 else "no", "yes" if above >= 2 else "no"
            lines.append(f"| {data}, {rule} | {below:+.1f} | {near} | {above:+.1f} | {far} |")
    head = ["|  | below bp | at most 4 | above frozen | at least 2 |", "|---|---:|---|---:|---|"]
    return head + lines


def main() -> None:
    """Runs what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/local_rules"))
    parser.add_argument("--data", default=",".join(DATA))
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only_table", default="false")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for data in arguments.data.split(","):
        for seed in map(int, arguments.seeds.split(",")):
            for rule in arguments.rules.split(","):
                report = arguments.folder / f"{data}-{rule}-{seed}.json"
                if report.exists() or arguments.only_table == "true":
                    continue
                found = measure(arguments.folder, data, rule, seed, arguments.epochs)
                write_json_atomically(report, found)
                print(
                    f"{data} {rule} seed {seed}: {100 * found['accuracy']:.2f} %, {found['cpu_seconds']} CPU s",
                    flush=True,
                )
    runs = [json.loads(path.read_text()) for path in sorted(arguments.folder.glob("*.json"))]
    seen = {run["rule"] for run in runs}
    costs = costs_of([rule for rule in RULES if rule in seen], DATA[0])
    missing = len(RULES) * len(DATA) * SEEDS - len(runs)
    page = f"{table(runs, costs)}\n\n" + "\n".join(verdicts(runs)) + "\n"
    print(page)
    report = {"machine": describe(), "costs": costs, "runs": runs}
    write_json_atomically(RESULTS / "local_rules.json", report)
    note = NOTE + (
        f"* {missing} runs of other rules or seeds are missing; cells without ± are single ones.\n" if missing else ""
    )
    write_bytes_atomically(RESULTS / "local_rules.md", f"{HEAD}\n{page}{note}".encode())


HEAD = """# Local rules on an ordinary convolutional network

Made by `python -m benchmarks.local_rules`; single runs are in `local_rules.json`. The network is 16-P-32-P-64-mean
over 2 x 2 parts-256-10 (batch normalisation, leaky rectifier) on pictures averaged to 14 x 14, trained on the project's
subsets without the 1,000 pictures of the validation split: 12 epochs of batches of 128, Adam at 5e-3 falling to 0 along
a cosine, no augmentation. Accuracy of the last weights on the subsets' test pictures, mean and standard deviation over
those of the seeds 0, 1 and 2 that were run. The seed draws weights and order; matrices of rules are the same in all.
"""
NOTE = """
* *against bp*: points of accuracy. *Learning-signal MACs*: multiply-accumulates of one sample that tell hidden layers
  how to change (for backpropagation errors through weights, for LLS two products with its basis), without the products
  that make updates of them. *Autograd keeps*: bytes held for going backward at one moment, at most, in a batch of 128;
  local rules hold a layer at a time. *CPU ms a batch*: gradients of a batch on one thread, measured by turns. Forward
  products and those of updates are the same for all rules (`frozen` has no updates), so few signals do not mean few
  milliseconds.
* `frozen` trains the readout alone: what stands above it is what a rule makes of the hidden layers.
* `lls_m` and `lls_mxm` begin with small random modulation, as the authors' code does, and learn little until it has
  grown; `..._identity` begin as plain LLS. `lls_random` leaves activity at its own length, as the
  authors' code does; in `lls_random_unit` it has length 1 as with waves, and a tenth of their temperature, as the
  matrix's numbers are a tenth of theirs.
* LLS is not faster than backpropagation here: what it saves in errors through weights it spends on averages and
  projections of activity, which matter on a processor though they are few products.
* The paper trains 100 epochs with augmentation and a schedule-free optimiser, so its accuracies are no target here.
"""


if __name__ == "__main__":
    main()
