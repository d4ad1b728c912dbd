"""Triton kernels of products with spikes: each program adds up the rows that spikes name, and passes over all others.

Spikes are bits, 32 to a word, in two orders: by pixel, the channels side by side, and by channel, the pixels side by
side. With the first a program finds what reaches one pixel of the output, with the second what one weight has seen. A
linear layer is a convolution of single pixels. Every sum is taken in one order by one program, so that results repeat.
"""

from __future__ import annotations

from spikelab.kernels.triton.device import tl, triton


@triton.jit
def _place_of(bit):
    """Of the only bit of a word that is set: the exponent of the number that it is, as a float32 has it."""
    return (bit.to(tl.float32).to(tl.int32, bitcast=True) >> 23) - 127


@triton.jit
def pack(
    x,
    by_pixel,
    by_channel,
    found,
    pixels,
    channels,
    height,
    width,
    picture_stride,
    channel_stride,
    row_stride,
    column_stride,
    pixel_words,
    channel_words,
):
    """Bits of 32 pixels and 32 channels in both orders; their number, the least value that is not 0 and the largest."""
    place = tl.arange(0, 32)
    pixel = tl.program_id(0).to(tl.int64) * 32 + place
    channel = tl.program_id(1) * 32 + place
    row = pixel // width
    start = (row // height) * picture_stride + (row % height) * row_stride + (pixel % width) * column_stride
    inside = (pixel < pixels)[:, None] & (channel < channels)[None, :]
    value = tl.load(x + start[:, None] + channel.to(tl.int64)[None, :] * channel_stride, mask=inside, other=0)
    active = value != 0
    bits = active.to(tl.int32)
    tl.store(
        by_pixel + pixel * channel_words + tl.program_id(1), tl.sum(bits << place[None, :], axis=1), mask=pixel < pixels
    )
    tl.store(
        by_channel + channel.to(tl.int64) * pixel_words + tl.program_id(0),
        tl.sum(bits << place[:, None], axis=0),
        mask=channel < channels,
    )
    number = value.to(found.dtype.element_ty)
    # not a number differs from itself, and so counts as another value
    least = tl.where(active, tl.where(number == number, number, -float("inf")), float("inf"))
    most = tl.where(active, tl.where(number == number, number, float("inf")), -float("inf"))
    here = found + (tl.program_id(0).to(tl.int64) * tl.num_programs(1) + tl.program_id(1)) * 3
    tl.store(here, tl.sum(tl.sum(bits, axis=1), axis=0).to(found.dtype.element_ty))
    tl.store(here + 1, tl.min(tl.min(least, axis=1), axis=0))
    tl.store(here + 2, tl.max(tl.max(most, axis=1), axis=0))


@triton.jit
def product(
    by_pixel,
    x,
    table,
    bias,
    out,
    scale,
    channels,
    words,
    outputs,
    height,
    width,
    out_height,
    out_width,
    kernel_height,
    kernel_width,
    down,
    across,
    above,
    left,
    picture_stride,
    channel_stride,
    row_stride,
    column_stride,
    LANES: tl.constexpr,
    VARIED: tl.constexpr,
    SUM: tl.constexpr,
):
    """One pixel of the output, channels last: the rows of ``table`` [window * channels, outputs] of its spikes."""
    position = tl.program_id(0).to(tl.int64)
    lane = tl.program_id(1) * LANES + tl.arange(0, LANES)
    mine = lane < outputs
    picture = position // (out_height * out_width)
    top = (position // out_width % out_height) * down - above
    side = (position % out_width) * across - left
    total = tl.zeros([LANES], SUM)
    for ky in range(kernel_height):
        for kx in range(kernel_width):
            row, column = top + ky, side + kx
            if (row >= 0) & (row < height) & (column >= 0) & (column < width):
                pixel = (picture * height + row) * width + column
                tap = (ky * kernel_width + kx) * channels
                for w in range(words):
                    word = tl.load(by_pixel + pixel * words + w).to(tl.uint32, bitcast=True)
                    while word != 0:
                        channel = w * 32 + _place_of(word & (~word + 1))
                        weights = tl.load(table + (tap + channel).to(tl.int64) * outputs + lane, mask=mine, other=0)
                        if VARIED:
                            place = picture * picture_stride + row * row_stride + column * column_stride
                            value = tl.load(x + place + channel.to(tl.int64) * channel_stride)
                            total += weights.to(SUM) * value.to(SUM)
                        else:
                            total += weights.to(SUM)
                        word = word & (word - 1)
    if not VARIED:
        total *= tl.load(scale).to(SUM)
    total += tl.load(bias + lane, mask=mine, other=0).to(SUM)
    tl.store(out + position * outputs + lane, total.to(out.dtype.element_ty), mask=mine)


@triton.jit
def weight_gradient(
    by_channel,
    x,
    grad,
    sums,
    channels,
    words,
    outputs,
    height,
    width,
    out_height,
    out_width,
    kernel_height,
    kernel_width,
    down,
    across,
    above,
    left,
    picture_stride,
    channel_stride,
    row_stride,
    column_stride,
    words_a_part,
    LANES: tl.constexpr,
    VARIED: tl.constexpr,
):
    """One row of ``sums`` [parts, window * channels, outputs]: ``grad``, channels last, where spikes met a weight."""
    SUM: tl.constexpr = sums.dtype.element_ty
    line = tl.program_id(0)
    lane = tl.program_id(1) * LANES + tl.arange(0, LANES)
    mine = lane < outputs
    tap, channel = line // channels, line % channels
    ky, kx = tap // kernel_width, tap % kernel_width
    first = tl.program_id(2) * words_a_part
    total = tl.zeros([LANES], SUM)
    for w in range(first, tl.minimum(first + words_a_part, words)):
        word = tl.load(by_channel + channel.to(tl.int64) * words + w).to(tl.uint32, bitcast=True)
        while word != 0:
            pixel = (tl.full((), 0, tl.int64) + w) * 32 + _place_of(word & (~word + 1))
            line_of_pixels = pixel // width
            picture, row, column = line_of_pixels // height, line_of_pixels % height, pixel % width
            # of the output, times the stride
            y, z = row + above - ky, column + left - kx
            if (y >= 0) & (z >= 0) & (y % down == 0) & (z % across == 0):
                if (y // down < out_height) & (z // across < out_width):
                    position = (picture * out_height + y // down) * out_width + z // across
                    seen = tl.load(grad + position * outputs + lane, mask=mine, other=0).to(SUM)
                    if VARIED:
                        place = picture * picture_stride + row * row_stride + column * column_stride
                        value = tl.load(x + place + channel.to(tl.int64) * channel_stride)
                        total += seen * value.to(SUM)
                    else:
                        total += seen
            word = word & (word - 1)
    into = (tl.program_id(2).to(tl.int64) * tl.num_programs(0) + line) * outputs
    tl.store(sums + into + lane, total, mask=mine)


@triton.jit
def input_gradient(
    wanted,
    table,
    grad,
    out,
    channels,
    words,
    outputs,
    height,
    width,
    out_height,
    out_width,
    kernel_height,
    kernel_width,
    down,
    across,
    above,
    left,
    LANES: tl.constexpr,
    SUM: tl.constexpr,
):
    """The wanted channels of one pixel of the input: ``out``, channels last, holds zeros everywhere else."""
    pixel = tl.program_id(0).to(tl.int64)
    lanes = tl.arange(0, LANES)
    line_of_pixels = pixel // width
    picture, row, column = line_of_pixels // height, line_of_pixels % height, pixel % width
    for w in range(words):
        word = tl.load(wanted + pixel * words + w).to(tl.uint32, bitcast=True)
        while word != 0:
            channel = w * 32 + _place_of(word & (~word + 1))
            total = tl.zeros([LANES], SUM)
            for ky in range(kernel_height):
                for kx in range(kernel_width):
                    y, z = row + above - ky, column + left - kx
                    if (y >= 0) & (z >= 0) & (y % down == 0) & (z % across == 0):
                        if (y // down < out_height) & (z // across < out_width):
                            position = (picture * out_height + y // down) * out_width + z // across
                            line = ((ky * kernel_width + kx) * channels + channel).to(tl.int64)
                            for start in range(0, outputs, LANES):
                                lane = start + lanes
                                mine = lane < outputs
                                weights = tl.load(table + line * outputs + lane, mask=mine, other=0).to(SUM)
                                total += weights * tl.load(grad + position * outputs + lane, mask=mine, other=0).to(SUM)
            tl.store(out + pixel * channels + channel, tl.sum(total, axis=0).to(out.dtype.element_ty))
            word = word & (word - 1)
