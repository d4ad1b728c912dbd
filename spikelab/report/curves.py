"""Learning curves of a run, drawn from its log."""

from pathlib import Path
from typing import Any

from spikelab.learn.logs import read_log
from spikelab.learn.run_folder import RunFolder
from spikelab.learn.train import train
from spikelab.settings import Train


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

    steps, validations = read_log(folder.log, "train"), read_log(folder.log, "validation")
    if not validations:
        raise ValueError(f"{folder.log}: no validation has been logged yet")
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    loss, score, rate = figure.subplots(1, 3)
    loss.plot(*_points(steps, "loss"), color="0.75", linewidth=1, label="training, single batches")
    loss.plot(*_points(validations, "train_loss"), "o-", markersize=3, color="C0", label="training, epoch")
    loss.plot(*_points(validations, "loss"), "o-", markersize=3, color="C1", label="validation")
    loss.set(xlabel="step", ylabel="loss", title="Loss", ylim=(0, None))
    loss.legend(frameon=False)
    for key, label in (("mean_iou", "mean IoU"), ("pixel_accuracy", "pixel accuracy"), ("accuracy", "accuracy")):
        places, values = _points(validations, key)
        if not places:
            continue
        score.plot(places, [100 * value for value in values], "o-", markersize=3, label=label)
    score.set(xlabel="step", ylabel="percent", title="Validation", ylim=(0, 101))
    if score.lines:
        score.legend(frameon=False, loc="lower right")
    rate.plot(*_points(steps, "learning_rate"), color="C2")
    rate.set(xlabel="step", ylabel="learning rate", title="Learning rate", ylim=(0, None))
    for axes in (loss, score, rate):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(folder.path.resolve().name, fontsize=10)
    figure.savefig(path, dpi=110)


def _points(records: list[dict[str, Any]], key: str) -> tuple[list[int], list[float]]:
    found = [(record["step"], record[key]) for record in records if record.get(key) is not None]
    return [step for step, _ in found], [value for _, value in found]
