"""An ordinary convolutional classifier of pictures, beside which spiking ones and local learning rules are judged.

It is one `Network` that runs a single step, so whatever walks along a network's layers (local learning rules) takes it
as it takes a spiking one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from spikelab.nn import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dense,
    Flatten,
    MaxPool2d,
    Network,
)


class ConvolutionalClassifier(nn.Module):
    """Blocks of convolution, batch normalisation and leaky rectifier, then one fully connected block and a readout.

    After each block of convolution but the last one, the maximum over 2 x 2 pixels is taken; after the last one, the
    mean over 2 x 2 parts of the picture.

    Args:
        channels: of the convolutions, 3 x 3, stride 1.
        hidden: width of the fully connected block; 0 for none.
        reduce: side of the squares of pixels over which pictures are averaged first; 1 for none.
        classes: number of classes; follows from the data.
        image_shape: channels, height and width of a picture; follows from the data.

    Raises:
        ValueError: for a size that makes no network.

    Source: SmallConv of Apolinario, Roy and Roy 2025, WACV; sizes are those of the authors' code.
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128),
        hidden: int = 512,
        reduce: int = 1,
        classes: int = 10,
        image_shape: Sequence[int] = (1, 28, 28),
    ):
        super().__init__()
        if not channels or min(channels) < 1 or hidden < 0 or reduce < 1:
            raise ValueError(
                f"convolutional_classifier: channels = {list(channels)}, hidden = {hidden} and reduce = {reduce} must "
                "be whole numbers of at least 1 (hidden may be 0)"
            )
        if len(image_shape) != 3:
            raise ValueError(
                f"convolutional_classifier: image_shape = {list(image_shape)} must be channels, height, width"
            )
        smallest = 2 ** len(channels) * reduce
        if min(image_shape[1:]) < smallest:
            raise ValueError(
                f"convolutional_classifier: image_shape = {list(image_shape)}: {len(channels)} convolutions and "
                f"reduce = {reduce} take pictures of at least {smallest} x {smallest} pixels"
            )
        self.image_shape = tuple(int(size) for size in image_shape)
        layers: list[tuple[str, nn.Module]] = [("reduce", AvgPool2d(reduce))] if reduce > 1 else []
        fan_in = self.image_shape[0]
        for place, fan_out in enumerate(channels, start=1):
            last = place == len(channels)
            layers += [
                (f"convolution{place}_weights", Conv2d(fan_in, fan_out, 3, padding=1)),
                (f"convolution{place}_norm", BatchNorm2d(fan_out)),
                (f"convolution{place}", nn.LeakyReLU()),
                (f"convolution{place}_pool", AdaptiveAvgPool2d(2) if last else MaxPool2d(2)),
            ]
            fan_in = fan_out
        layers.append(("flatten", Flatten()))
        fan_in *= 4
        if hidden:
            layers += [
                ("hidden_weights", Dense(fan_in, hidden)),
                ("hidden_norm", BatchNorm1d(hidden)),
                ("hidden", nn.LeakyReLU()),
            ]
            fan_in = hidden
        layers.append(("readout_weights", Dense(fan_in, classes)))
        names = ["input", *(name for name, _ in layers), "output"]
        self.network = Network(dict(layers), pairwise(names))

    @staticmethod
    def options_from_data(dataset: Any) -> dict[str, Any]:
        """The options that follow from a data set: how many classes it has, and the size of its pictures."""
        return {"classes": len(dataset.class_names), "image_shape": list(dataset[0]["image"].shape)}

    def forward(self, image: Tensor) -> Tensor:
        """Logits [B, classes] of pictures [B, C, H, W]."""
        output, _ = self.network(self.encode({"image": image}))
        return self.decode(output)

    def encode(self, batch: Mapping[str, Any]) -> Tensor:
        """The network's input: the pictures `image` [B, C, H, W] as a single step [1, B, C, H, W].

        Raises:
            ValueError: if the pictures are of another size than the model was made for.
        """
        image: Tensor = batch["image"]
        if image.dim() != 4 or tuple(image.shape[1:]) != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise ValueError(f"convolutional_classifier: pictures are {list(image.shape)}, but must be [B, {expected}]")
        return image.unsqueeze(0)

    def decode(self, output: Tensor) -> Tensor:
        """Logits [B, classes] out of the network's output [1, B, classes]."""
        return output[0]
