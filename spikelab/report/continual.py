"""The `spikelab continual` command: learns a stream, and shows what was kept and what was forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikelab.learn.continual.train import learn_stream
from spikelab.report.tables import percent, render
from spikelab.settings_continual import Continual

_WRITTEN_IN = 12  # tasks up to which every number fits its square


def continual(settings: Continual) -> dict[str, Any]:
    """Learns the stream, then draws `accuracy.png` and `curves.png` into the folder.

    Returns:
        What `learn_stream` returns, and the `pictures`.
    """
    figures = learn_stream(settings)
    folder = Path(figures["folder"])
    pictures = [folder / "accuracy.png", folder / "curves.png"]
    draw_matrix(figures, pictures[0])
    draw_curves(figures, pictures[1])
    return {**figures, "pictures": [str(path) for path in pictures]}


def learned(figures: Mapping[str, Any]) -> str:
    """The accuracies and what follows from them, as text."""
    runs = figures["runs"]
    matrix = mean_matrix(runs)
    head = ["accuracy in % after", *(f"on {name}" for name in figures["tasks"])]
    rows: list[list[object]] = [["nothing", *(percent(value) for value in _mean([run["untrained"] for run in runs]))]]
    for name, row in zip(figures["tasks"], matrix, strict=True):
        rows.append([name, *(percent(value) for value in row)])
    seeds = f"{len(runs)} seeds" if len(runs) > 1 else f"seed {runs[0]['seed']}"
    title = f"{figures['method']} on {figures['stream']} ({figures['scenario']}, rule {figures['rule']}, {seeds})"
    meanings = {
        "acc": "mean accuracy at the end",
        "bwt": "backward transfer (below 0: forgetting)",
        "fwt": "forward transfer",
    }
    lines = [title, render(head, rows)]
    for key, meaning in meanings.items():
        value, deviation = figures["mean"][key], figures["deviation"][key]
        if value is not None:
            spread = "" if deviation is None else f" ± {100 * deviation:.2f}"
            unit = "%" if key == "acc" else "points"
            lines.append(f"{key.upper()}  {100 * value:.2f}{spread} {unit}: {meaning}")
    seconds = sum(run["seconds"] for run in runs) / len(runs)
    kept = "all data of all tasks" if figures["keeps_all_data"] else f"{figures['memory_bytes'] / 1e6:.2f} MB"
    lines.append(f"the method keeps {kept}; {seconds:.0f} s for each seed")
    lines += [f"{path}" for path in figures.get("pictures", [])]
    return "\n".join(lines)


def mean_matrix(runs: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """The matrix of accuracies, averaged over runs."""
    return [_mean([run["accuracy"][row] for run in runs]) for row in range(len(runs[0]["accuracy"]))]


def draw_matrix(figures: Mapping[str, Any], path: str | Path) -> None:
    """Accuracy on each task (columns) after each task (rows), as a picture of squares.

    Args:
        figures: Of `learn_stream`.
        path: The PNG.
    """
    from matplotlib.figure import Figure

    matrix, names = mean_matrix(figures["runs"]), figures["tasks"]
    side = max(3.6, 0.62 * len(names) + 1.8)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow([[100 * value for value in row] for row in matrix], vmin=0, vmax=100, cmap="viridis")
    if len(names) <= _WRITTEN_IN:
        for row, values in enumerate(matrix):
            for column, value in enumerate(values):
                colour = "black" if value > 0.6 else "white"
                axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="accuracy on", ylabel="after learning", title=_title(figures))
    figure.colorbar(image, ax=axes, label="percent", shrink=0.8)
    figure.savefig(path, dpi=110)


def draw_curves(figures: Mapping[str, Any], path: str | Path) -> None:
    """How the accuracy on each task goes on from when it was learned, and the mean over the tasks so far.

    Args:
        figures: Of `learn_stream`.
        path: The PNG.
    """
    from matplotlib.figure import Figure

    matrix, names = mean_matrix(figures["runs"]), figures["tasks"]
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots()
    for task, name in enumerate(names):
        course = [100 * row[task] for row in matrix[task:]]
        axes.plot(range(task + 1, len(names) + 1), course, "o-", markersize=4, linewidth=1.5, label=name)
    mean = [100 * sum(row[: place + 1]) / (place + 1) for place, row in enumerate(matrix)]
    # dashed and thin: where it runs along a task's line, that one shows between the dashes
    axes.plot(range(1, len(names) + 1), mean, "--", color="black", linewidth=1, label="mean so far")
    axes.set(xlabel="tasks learned", ylabel="accuracy in percent", title=_title(figures), ylim=(0, 101))
    axes.set_xticks(range(1, len(names) + 1))
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _title(figures: Mapping[str, Any]) -> str:
    return f"{figures['method']}, {figures['stream']}"


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(values) / len(values) for values in zip(*rows, strict=True)]
