"""Put the pictures of a group together again from its I-frame, motion and residuals."""

import numpy as np
import numpy.typing as npt

from spikelab.video.groups import GroupOfPictures
from spikelab.video.residual import predict


def reconstruct(group: GroupOfPictures) -> npt.NDArray[np.uint8]:
    """The pictures of a group, exactly as the decoder gave them.

    Returns:
        uint8 [1 + P, C, H, W]: the I-frame and the P-frames in order.

    Raises:
        TypeError: If it is something else, such as a list of groups.
        ValueError: If shapes disagree, or motion and residual do not belong together, so that a value leaves 0 to 255.
    """
    if not isinstance(group, GroupOfPictures):
        found = type(group).__name__
        raise TypeError(f"reconstruct takes one GroupOfPictures, as a VideoReader gives them, not a {found}")
    pictures = np.empty((1 + len(group.predicted), *group.image.shape), np.uint8)
    pictures[0] = group.image
    for place, frame in enumerate(group.predicted, 1):
        reference = pictures[0] if group.accumulated else pictures[place - 1]
        predicted = predict(reference, frame.motion, group.interpolation, frame.rounding)
        picture = predicted + frame.residual
        if picture.min() < 0 or picture.max() > 255:
            raise ValueError(f"group {group.index}, frame {frame.index}: motion and residual do not belong together")
        pictures[place] = picture
    return pictures
