"""Learning curves of a run, drawn from its log."""

from pathlib import Path
from typing import Any

from spikelab.learn.logs import read_log
from spikelab.learn.run_folder import RunFolder
from spikelab.learn.train import train
from spikelab.settings import Train

_FEW = 10  # points of a curve


def train_and_draw(settings: Train) -> dict[str, Any]:
    """The `spikelab train` command: train, then draw the curves into the run's folder (`curves.png`)."""
    result = train(settings)
    folder = RunFolder(result["folder"])
    if read_log(folder.log, "validation"):
        draw_curves(folder, folder.path / "curves.png")
    return result


def draw_curves(folder: RunFolder, path: str | Path) -> None:
    """Loss and learning rate over the steps, and the validation score, into one PNG.

    Args:
        folder: A run with a log.
        path: The picture.

    Raises:
        ValueError: If the log holds no validation yet.
        OSError: If the log cannot be read or the picture not be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    steps, validations = read_log(folder.log, "train"), read_log(folder.log, "validation")
    if not validations:
        raise ValueError(f"{folder.log}: no validation has been logged yet")
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    loss, score, rate = figure.subplots(1, 3)
    loss.plot(
        *_points(steps, "loss"),
        _style(steps),
        color="0.75",
        linewidth=1,
        markersize=3,
        label="training, single batches",
    )
    loss.plot(*_points(validations, "train_loss"), "o-", markersize=3, color="C0", label="training, epoch")
    loss.plot(*_points(validations, "loss"), "o-", markersize=3, color="C1", label="validation")
    loss.set(xlabel="step", ylabel="loss", title="Loss", ylim=(0, 1.05 * max(loss.get_ylim())))
    loss.legend(frameon=False)
    for key, label in (("mean_iou", "mean IoU"), ("pixel_accuracy", "pixel accuracy"), ("accuracy", "accuracy")):
        places, values = _points(validations, key)
        if not places:
            continue
        score.plot(places, [100 * value for value in values], "o-", markersize=3, label=label)
    score.set(xlabel="step", ylabel="percent", title="Validation", ylim=(0, 101))
    if score.lines:
        score.legend(frameon=False, loc="lower right")
    rate.plot(*_points(steps, "learning_rate"), _style(steps), color="C2", markersize=3)
    rate.set(xlabel="step", ylabel="learning rate", title="Learning rate", ylim=(0, None))
    if not steps:
        rate.text(0.5, 0.5, "no single step was logged\n(--log_every)", ha="center", transform=rate.transAxes)
    for axes in (loss, score, rate):
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    figure.suptitle(folder.path.resolve().name, fontsize=10)
    figure.savefig(path, dpi=110)


def _style(records: list[dict[str, Any]]) -> str:
    """Few points get markers: of a single one a line shows nothing."""
    return "o-" if len(records) < _FEW else "-"


def _points(records: list[dict[str, Any]], key: str) -> tuple[list[int], list[float]]:
    found = [(record["step"], record[key]) for record in records if record.get(key) is not None]
    return [step for step, _ in found], [value for _, value in found]
