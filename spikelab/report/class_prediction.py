"""Pictures of what a classifier says of a sample: the sample, and a bar for the probability of each class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch.utils.data import default_collate

from spikelab.learn.loading import to_device
from spikelab.learn.restore import TrainedRun
from spikelab.report.overlay import Picture, frame_picture
from spikelab.report.video_picture import video_picture

_MARGIN, _ROW, _BAR = 8, 20, 160
_RIGHT, _WRONG, _OTHER, _INK = (40, 140, 60), (200, 30, 30), (170, 170, 170), (20, 20, 20)


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
        `index`, `label` (None where it is not known), `prediction` (names of classes), `probability` of the prediction
        (softmax of the logits).
    """
    sample = dataset[index]
    # the task refuses labels that are none; an unknown one is not used
    judged = {**sample, "label": sample["label"].clamp(min=0)}
    with torch.no_grad():
        logits = run.task.forward(run.model, to_device(default_collate([judged]), device))[0]
    probabilities = logits.float().softmax(0).cpu().tolist()
    label, prediction = int(sample["label"]), int(logits.argmax())
    if "motion" in sample:
        picture, scale = video_picture(run.model, sample, scale), 1
    else:
        picture = _picture(sample["image"])
    draw_class(picture, probabilities, list(dataset.class_names), label, scale).save(path)
    names = dataset.class_names
    return {
        "index": index,
        "label": str(names[label]) if label >= 0 else None,
        "prediction": str(names[prediction]),
        "probability": probabilities[prediction],
    }


def draw_class(
    picture: Picture, probabilities: Sequence[float], class_names: Sequence[str], label: int, scale: int
) -> Image.Image:
    """A sample, and beside it a bar for each class: green for the true one, red for the likeliest where it is wrong.

    Args:
        picture: The sample [H, W, 3].
        probabilities: One for each class.
        class_names: Their names.
        label: Number of the true class; below 0 where nobody knows it.
        scale: Screen pixels per pixel; enlarged without smoothing.
    """
    font = ImageFont.load_default(size=13)
    height, width = picture.shape[0] * scale, picture.shape[1] * scale
    names = max(round(font.getlength(name)) for name in class_names)
    left = 2 * _MARGIN + width
    size = (left + names + _BAR + 60 + 2 * _MARGIN, 2 * _MARGIN + max(height, _ROW * len(class_names)))
    drawn = Image.new("RGB", size, (255, 255, 255))
    drawn.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST), (_MARGIN, _MARGIN))
    draw = ImageDraw.Draw(drawn)
    draw.rectangle((_MARGIN - 1, _MARGIN - 1, _MARGIN + width, _MARGIN + height), outline=_OTHER)
    likeliest = int(np.argmax(probabilities))
    for place, (name, probability) in enumerate(zip(class_names, probabilities, strict=True)):
        top = _MARGIN + place * _ROW
        known = _WRONG if label >= 0 else _INK
        colour = _RIGHT if place == label else known if place == likeliest else _OTHER
        bar = left + names + _MARGIN
        draw.text((left, top), name, _INK if place in (label, likeliest) else _OTHER, font)
        draw.rectangle((bar, top + 3, bar + round(_BAR * probability), top + _ROW - 5), colour)
        if place in (label, likeliest):
            draw.text((bar + _BAR + _MARGIN, top), f"{100 * probability:.1f} %", _INK, font)
    return drawn


def _picture(image: torch.Tensor) -> Picture:
    """An image [C, H, W] in 0 to 1, in colour where it has three channels, else the mean of its channels in grey."""
    if len(image) == 3:
        return (image.clamp(0, 1).movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    return frame_picture(image.mean(0).numpy())
