"""A picture of a sample of compressed video: I-frame, motion vectors as arrows, residual, and spikes if there are any.

One row a group of pictures. Vectors and residual are those of its last P-frame.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch.utils.data import default_collate

from spikelab.learn.loading import to_device
from spikelab.nn import Neuron
from spikelab.report.fonts import plain_font
from spikelab.report.overlay import BACKGROUND, INK, Picture

_MARGIN, _TITLE, _LINE = 8, 16, 18
_CONTRAST = 4
#: Pixels between arrows: motion vectors belong to blocks of 8 or 16 pixels.
_BLOCK = 8
_ARROW, _BORDER, _SPIKES = (220, 40, 40), (170, 170, 170), np.array([200, 30, 30], np.float32)


def video_picture(
    model: torch.nn.Module,
    sample: Mapping[str, torch.Tensor],
    scale: int,
    since: str | None = None,
    available: int | None = None,
) -> Picture:
    """A sample of compressed video, and what the spiking part of a model does with it, if it has one; with a legend.

    Args:
        model: the model that judges the sample.
        sample: holds `image` [G, 3, H, W], `motion` [G, T, 2, H, W], `residual` [G, T, C, H, W] and `valid` [G, T].
        scale: screen pixels per pixel.
        since: in which picture motion starts, "I-frame" or "frame before"; None where nobody says.
        available: groups of pictures that the file has, where that is known; a sample of more repeats the last.

    Returns:
        [H', W', 3].
    """
    spikes = layer_spikes(model, sample)
    (groups, frames), kinds = sample["valid"].shape, set[str]()
    rows = []
    for group in range(groups):
        frame = _colours(sample["image"][group])
        title = ("I-frame", f"group {group + 1}") if frames else ("picture", f"{group + 1} of {groups}")
        row = [(title, _enlarged(frame, scale))]
        shown = sample["valid"][group].nonzero().flatten().tolist()
        if shown:
            which = f"P-frame {shown[-1] + 1}"
            vectors, residual = sample["motion"][group, shown[-1]], sample["residual"][group, shown[-1]]
            faded = (255 - (255 - frame.astype(np.float32)) * 0.4).astype(np.uint8)
            row.append((("vectors", which), _arrows(_enlarged(faded, scale), vectors.numpy(), scale)))
            row.append((("residual", which), _enlarged(_residual(residual), scale)))
            size = (frame.shape[1] * scale, frame.shape[0] * scale)
            row += [(("spikes", name), _heat(maps[group], size)) for name, maps in spikes.items()]
        kinds |= {title[0] for title, _ in row}
        rows.append(row)
    # what is repeated of decoded pictures is seen in them
    legend = _legend(kinds, since)
    if available is not None and available < groups and frames:
        repeated = f"group {available + 1}" if available + 1 == groups else f"groups {available + 1} to {groups}"
        held = "1 group" if available == 1 else f"{available} groups"
        legend.insert(0, f"{repeated}: the last group again, as the video is short: it has {held} of pictures")
    return _grid(rows, legend)


def _legend(kinds: set[str], since: str | None) -> list[str]:
    """What is drawn, of the kinds of panels that there are."""
    origin = "where the content of a block came from" + ("" if since is None else f", in the {since},")
    told = {
        "vectors": f"arrows: from {origin} to where it is",
        "residual": f"residual: what motion leaves unexplained, {_CONTRAST} times as strong; grey is zero",
        "spikes": "spikes a step, mean over channels and P-frames: white none, red 0.5 or more",
    }
    return [line for kind, line in told.items() if kind in kinds]


def layer_spikes(model: Any, sample: Mapping[str, torch.Tensor]) -> dict[str, NDArray[np.float32]]:
    """Mean spikes per neuron and step of each spiking layer of a model's spiking part, over steps and channels.

    Returns:
        layer -> [G, h, w], 0 to 1; empty for a model that has no spiking part.
    """
    if not hasattr(model, "spiking_part"):
        return {}
    try:
        part = model.spiking_part({name: list(value.shape) for name, value in sample.items()})
    except ValueError:
        # a variant of the model that does not spike
        return {}
    device = next(model.parameters()).device
    with torch.no_grad():
        outputs, _ = part.network.run(part.encode(to_device(default_collate([dict(sample)]), device)))
    layers = [name for name, node in part.network.nodes.items() if isinstance(node, Neuron) and node.spec.spikes]
    return {name: outputs[name].mean(dim=(0, 2)).float().cpu().numpy() for name in layers}


def _colours(image: torch.Tensor) -> Picture:
    picture: Picture = (image.clamp(0, 1).movedim(0, -1) * 255).round().to(torch.uint8).numpy()
    return picture


def _enlarged(picture: Picture, scale: int) -> Image.Image:
    size = (picture.shape[1] * scale, picture.shape[0] * scale)
    return Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)


def _residual(residual: torch.Tensor) -> Picture:
    """Grey is zero; stronger than it is, since most are small."""
    levels = (128 + _CONTRAST * 255 * residual).clamp(0, 255).round().to(torch.uint8)
    picture: Picture = levels.expand(3, *levels.shape[1:]).movedim(0, -1).contiguous().numpy()
    return picture


def _arrows(picture: Image.Image, motion: NDArray[np.floating], scale: int) -> Image.Image:
    """Arrows that end where a block is and start where its content came from."""
    draw = ImageDraw.Draw(picture)
    for top in range(0, motion.shape[1], _BLOCK):
        for left in range(0, motion.shape[2], _BLOCK):
            block = motion[:, top : top + _BLOCK, left : left + _BLOCK]
            x, y = (float(value) for value in block.mean(axis=(1, 2)))
            if math.hypot(x, y) < 0.25:
                continue
            end = ((left + block.shape[2] / 2) * scale, (top + block.shape[1] / 2) * scale)
            draw.line((end[0] - x * scale, end[1] - y * scale, *end), _ARROW, 1)
            head, angle = 1.5 * scale, math.atan2(y, x)
            for side in (angle + 2.6, angle - 2.6):
                draw.line((*end, end[0] + head * math.cos(side), end[1] + head * math.sin(side)), _ARROW, 1)
    return picture


def _heat(rates: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """White without spikes, red where half of all neurons spike at each step."""
    share = np.clip(2 * rates, 0, 1)[..., None]
    picture = (255 - share * (255 - _SPIKES)).round().astype(np.uint8)
    return Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)


def _grid(rows: Sequence[Sequence[tuple[tuple[str, str], Image.Image]]], legend: Sequence[str]) -> Picture:
    """Panels in rows, each with its title of two lines above and a border; the legend below."""
    font = plain_font()
    width, height = rows[0][0][1].size
    column = max(width, *(math.ceil(font.getlength(line)) for row in rows for title, _ in row for line in title))
    titled = 2 * _TITLE + 4
    row_height = titled + height + 2 * _MARGIN
    grid = max(map(len, rows)) * (column + _MARGIN)
    widest = max(grid, *(math.ceil(font.getlength(line)) + _MARGIN for line in legend)) if legend else grid
    full = (_MARGIN + widest, len(rows) * row_height + _LINE * len(legend) + _MARGIN)
    drawn = Image.new("RGB", full, BACKGROUND)
    draw = ImageDraw.Draw(drawn)
    for place, row in enumerate(rows):
        top = place * row_height + _MARGIN
        for number, (title, picture) in enumerate(row):
            left = _MARGIN + number * (column + _MARGIN)
            for line, text in enumerate(title):
                draw.text((left, top + line * _TITLE), text, INK, font)
            drawn.paste(picture, (left, top + titled))
            draw.rectangle((left - 1, top + titled - 1, left + width, top + titled + height), outline=_BORDER)
    for place, text in enumerate(legend):
        draw.text((_MARGIN, len(rows) * row_height + _MARGIN + place * _LINE), text, INK, font)
    return np.asarray(drawn)
