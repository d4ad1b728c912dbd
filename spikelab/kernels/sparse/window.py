"""The sizes of a convolution, which the kernels of all devices are called with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A convolution's sizes.

    Attributes:
        channels: of the input.
        height: of the input.
        width: of the input.
        outputs: channels of the output.
        kernel: height and width of the weights.
        stride: down and across.
        padding: above and below, left and right.
    """

    channels: int
    height: int
    width: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        (kh, kw), (sh, sw), (ph, pw) = self.kernel, self.stride, self.padding
        return (self.height + 2 * ph - kh) // sh + 1, (self.width + 2 * pw - kw) // sw + 1
