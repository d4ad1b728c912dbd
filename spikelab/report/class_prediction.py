"""Pictures of what a classifier says of a sample: the sample, and a bar for the probability of each class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch.utils.data import default_collate

from spikelab.learn.loading import to_device
from spikelab.learn.restore import TrainedRun
from spikelab.report.event_sample_picture import event_sample_picture
from spikelab.report.fonts import Font, font_for, in_ascii, plain_font, written
from spikelab.report.many_classes import MOST_CLASSES
from spikelab.report.overlay import BACKGROUND, INK, Picture, frame_picture
from spikelab.report.video_picture import video_picture

_MARGIN, _ROW, _BAR = 8, 20, 160
_RIGHT, _WRONG, _OTHER, _FAINT = (40, 140, 60), (200, 30, 30), (170, 170, 170), (120, 120, 120)
_SHOWN = 5  # classes, where they are too many to show all


def predict_class(
    run: TrainedRun, dataset: Any, index: int, path: Path, scale: int, device: torch.device
) -> dict[str, Any]:
    """Let a classifier judge one sample, and draw it.

    Args:
        run: A run of the classification task.
        dataset: The data set that the sample is taken from.
        index: The sample.
        path: The picture to write.
        scale: Screen pixels per pixel of the sample.
        device: Where the model lies.

    Returns:
        `index`, `label` (None where it is not known), `prediction` (names of classes, and their numbers as
        `label_number` and `prediction_number`), `probability` of the prediction (softmax of the logits), and the
        `likeliest` classes.
    """
    sample = dataset[index]
    # the task refuses labels that are none; an unknown one is not used
    judged = {**sample, "label": sample["label"].clamp(min=0)}
    with torch.no_grad():
        logits = run.task.forward(run.model, to_device(default_collate([judged]), device))[0]
    probabilities = logits.float().softmax(0).cpu().tolist()
    label, prediction = int(sample["label"]), int(logits.argmax())
    if "motion" in sample:
        available = dataset.available(index) if hasattr(dataset, "available") else None
        since = None if not hasattr(dataset, "accumulate") else "I-frame" if dataset.accumulate else "frame before"
        picture, scale = video_picture(run.model, sample, scale, since=since, available=available), 1
    elif "events" in sample:
        picture = event_sample_picture(sample["events"])
    else:
        picture = _picture(sample["image"])
    names = [str(name) for name in dataset.class_names]
    # a data set may be one file, which tells nothing of a sample
    source = f"sample {index}"
    if callable(getattr(dataset, "path", None)):
        source = f"{dataset.path(index).name}, {source}"
    draw_class(picture, probabilities, names, label, scale, source).save(path)
    likeliest = sorted(range(len(names)), key=lambda number: -probabilities[number])[:_SHOWN]
    return {
        "index": index,
        "label": names[label] if label >= 0 else None,
        "label_number": label if label >= 0 else None,
        "prediction": names[prediction],
        "prediction_number": prediction,
        "probability": probabilities[prediction],
        "likeliest": [{"class": names[k], "number": k, "probability": probabilities[k]} for k in likeliest],
    }


def draw_class(
    picture: Picture,
    probabilities: Sequence[float],
    class_names: Sequence[str],
    label: int,
    scale: int,
    source: str = "",
) -> Image.Image:
    """A sample, and beside it a bar for each class: green for the true one, red for the likeliest where it is wrong.

    Of more than a dozen classes the likeliest are shown, and the true one. Where no font has the characters of a name,
    the class is called by its number.

    Args:
        picture: The sample [H, W, 3].
        probabilities: One for each class.
        class_names: Their names.
        label: Number of the true class; below 0 where nobody knows it.
        scale: Screen pixels per pixel; enlarged without smoothing.
        source: Where the sample is from, for the title.
    """
    names = [written(name, f"class {number}") for number, name in enumerate(class_names)]
    likeliest = int(np.argmax(probabilities))
    chosen, note = _chosen(probabilities, label)
    true = f"true class: {names[label]}" if label >= 0 else "true class: not known"
    titles = [
        *([source] if source else []),
        true,
        f"recognised as ({100 * probabilities[likeliest]:.1f} %): {names[likeliest]}",
        *([note] if note else []),
    ]
    # a file's name and a class in two alphabets may share no font
    titles = [written(title, in_ascii(title)) for title in titles]
    height, width = picture.shape[0] * scale, picture.shape[1] * scale
    widest = max(round(_font(names[number]).getlength(names[number])) for number in chosen)
    left, top = 2 * _MARGIN + width, _MARGIN + _ROW * len(titles) + _MARGIN
    widths = [2 * _MARGIN + round(_font(title).getlength(title)) for title in titles]
    right = left + widest + _BAR + 60 + 2 * _MARGIN
    size = (max(right, *widths), top + _MARGIN + max(height, _ROW * len(chosen)))
    drawn = Image.new("RGB", size, BACKGROUND)
    drawn.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST), (_MARGIN, top))
    draw = ImageDraw.Draw(drawn)
    for place, title in enumerate(titles):
        draw.text((_MARGIN, _MARGIN + place * _ROW), title, INK, _font(title))
    draw.rectangle((_MARGIN - 1, top - 1, _MARGIN + width, top + height), outline=_OTHER)
    known = _WRONG if label >= 0 else INK
    for place, number in enumerate(chosen):
        name, probability, row = names[number], probabilities[number], top + place * _ROW
        colour = _RIGHT if number == label else known if number == likeliest else _OTHER
        bar = left + widest + _MARGIN
        marked = number in (label, likeliest)
        draw.text((left, row), name, INK if marked else _FAINT, _font(name))
        draw.rectangle((bar, row + 3, bar + round(_BAR * probability), row + _ROW - 5), colour)
        if marked or note:
            percentage = f"{100 * probability:.1f} %"
            draw.text((bar + _BAR + _MARGIN, row), percentage, INK if marked else _FAINT, _font(percentage))
    return drawn


def _chosen(probabilities: Sequence[float], label: int) -> tuple[list[int], str]:
    """The classes that are shown, and what to say of those that are not."""
    everything = range(len(probabilities))
    if len(probabilities) <= MOST_CLASSES:
        return list(everything), ""
    chosen = sorted(everything, key=lambda number: -probabilities[number])[:_SHOWN]
    note = f"the {_SHOWN} likeliest of {len(probabilities)} classes"
    if label >= 0 and label not in chosen:
        return [*chosen, label], note + ", and the true one"
    return chosen, note


def _font(text: str) -> Font:
    """The font of a text that `written` gave."""
    return font_for(text) or plain_font()


def _picture(image: torch.Tensor) -> Picture:
    """An image [C, H, W] in 0 to 1, in colour where it has three channels, else the mean of its channels in grey."""
    if len(image) == 3:
        return (image.clamp(0, 1).movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    return frame_picture(image.mean(0).numpy())
