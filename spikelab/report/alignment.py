"""A picture of whether events, frame and label of a sample fit: each alone, and laid over each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from spikelab.report.overlay import class_picture, events_picture, frame_picture, over_frame, side_by_side


def alignment_picture(dataset: Any, index: int, scale: int = 2) -> Image.Image:
    """Frame, events, events over the frame, and the label over the frame, side by side.

    Events are where brightness changes: on edges of the frame, and on borders of the label. Where they lie beside them,
    clocks or cameras are not aligned. Fast things leave a trail behind, of as long as the event window lasts.

    Args:
        dataset: for segmentation: gives `class_names` and `palette`, and samples of `events`, `frame` and `label`.
        index: of the sample, which is shown without random changes if the data set makes none.
        scale: screen pixels per pixel.
    """
    sample = dataset[index]
    frame = frame_picture(sample["frame"].numpy())
    events = events_picture(_counts(sample["events"].numpy()))
    panels = [
        ("frame", frame),
        ("events: ON red, OFF blue", events),
        ("events over frame", over_frame(events, frame)),
        ("label over frame", class_picture(sample["label"].numpy(), dataset.palette, frame)),
    ]
    return side_by_side(panels, dataset.class_names, dataset.palette, scale)


def _counts(events: np.ndarray) -> np.ndarray:
    """How many events there were, ``[T, 2, H, W]``, OFF first; of the six images of EV-SegNet the first two."""
    if events.shape[1] != 6:
        return events
    return events[:, 1::-1] + 1.0  # numbers of ON and OFF events, -1 for none
