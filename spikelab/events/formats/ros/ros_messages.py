"""Messages of ROS, from their bytes: arrays of events, packets of a camera's own words, and images.

ROS 1 writes fields one behind the other. ROS 2 writes them in CDR, where each begins at a multiple of its size.

Source: dvs_msgs, prophesee_event_msgs, event_camera_msgs, sensor_msgs; wiki.ros.org, "Message serialization"; OMG CDR.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from spikelab.events.files.source import Columns

ARRAYS = ("dvs_msgs/msg/EventArray", "prophesee_event_msgs/msg/EventArray")
PACKETS = ("event_camera_msgs/msg/EventPacket", "event_array_msgs/msg/EventArray")
IMAGES = ("sensor_msgs/msg/Image",)


class MessageError(ValueError):
    """Bytes that are no message of the type they should be."""


class Fields:
    """The fields of a message, read one after the other.

    Args:
        raw: the message.
        is_ros1: whether it was written by ROS 1.
    """

    def __init__(self, raw: bytes, is_ros1: bool):
        self.raw, self.is_ros1, self.place, self.order = raw, is_ros1, 0, "<"
        if not is_ros1:
            if len(raw) < 4 or raw[0] != 0 or raw[1] > 1:
                raise MessageError("it does not begin as CDR")
            self.order, self.place = "<" if raw[1] else ">", 4

    def number(self, code: str) -> int:
        """A number of a type of the module `struct`."""
        size = struct.calcsize(code)
        if not self.is_ros1:
            self.place += -(self.place - 4) % size
        (value,) = struct.unpack(self.order + code, self.taken(size))
        return int(value)

    def text(self) -> str:
        """A text."""
        return bytes(self.taken(self.number("I"))).rstrip(b"\0").decode(errors="replace")

    def taken(self, size: int) -> memoryview:
        """The next bytes."""
        if self.place + size > len(self.raw):
            raise MessageError(f"it has {len(self.raw)} bytes, too few for its content")
        self.place += size
        return memoryview(self.raw)[self.place - size : self.place]

    def header(self) -> int:
        """A header: the time in nanoseconds."""
        if self.is_ros1:
            self.number("I")
        seconds = self.number("I" if self.is_ros1 else "i")
        nanoseconds = self.number("I")
        self.text()
        return seconds * 1_000_000_000 + nanoseconds


class Sides(NamedTuple):
    """Height and width of a sensor in pixels."""

    height: int
    width: int


def sides(raw: bytes, is_ros1: bool) -> Sides:
    """Size of the sensor, from an array or a packet of events."""
    fields = Fields(raw, is_ros1)
    fields.header()
    return Sides(fields.number("I"), fields.number("I"))


def event_array(raw: bytes, is_ros1: bool) -> Columns:
    """The events of an array of events."""
    fields = Fields(raw, is_ros1)
    fields.header()
    fields.number("I"), fields.number("I")
    count = fields.number("I")
    order, seconds = fields.order, "u4" if is_ros1 else "i4"
    if is_ros1:
        kind = _event(order + seconds, order, (0, 2, 4, 8, 12), 13)
        events = np.frombuffer(fields.taken(13 * count), kind)
    else:
        # alignment lets the first event be two bytes nearer to the second than the others are to each other
        first, others = _event(order + seconds, order, (0, 2, 4, 8, 12), 13), max(count - 1, 0)
        kind = _event(order + seconds, order, (0, 2, 6, 10, 14), 16)
        one = np.frombuffer(fields.taken(13 if count else 0), first)
        rest = bytes(fields.taken(16 * others)[1:]) + b"\0" if others else b""
        events = np.concatenate([one.astype(_PLAIN), np.frombuffer(rest, kind).astype(_PLAIN)])
    _no_more(fields)
    t = events["s"].astype(np.int64) * 1_000_000 + events["n"] // 1000
    return Columns(t, events["x"].astype(np.uint16), events["y"].astype(np.uint16), events["p"].copy())


_PLAIN = np.dtype([("x", "u2"), ("y", "u2"), ("s", "i8"), ("n", "u4"), ("p", "u1")])


def _event(seconds: str, order: str, offsets: tuple[int, ...], size: int) -> np.dtype:
    formats = [order + "u2", order + "u2", seconds, order + "u4", "u1"]
    return np.dtype({"names": list("xysnp"), "formats": formats, "offsets": list(offsets), "itemsize": size})


class Packet(NamedTuple):
    """What a camera sent, in its own words.

    Attributes:
        sequence: number of the packet.
        time_base: what the times of the encoding ``mono`` count from, nanoseconds.
        encoding: ``evt3``, ``mono`` and others.
        order: of the bytes in a word, as numpy writes it.
        data: the words.
    """

    sequence: int
    time_base: int
    encoding: str
    order: str
    data: memoryview


def packet(raw: bytes, is_ros1: bool) -> Packet:
    """The fields of a packet of events."""
    fields = Fields(raw, is_ros1)
    fields.header()
    fields.number("I"), fields.number("I")
    sequence, time_base, encoding = fields.number("Q"), fields.number("Q"), fields.text()
    order = ">" if fields.number("B") else "<"
    data = fields.taken(fields.number("I"))
    _no_more(fields)
    return Packet(sequence, time_base, encoding, order, data)


class Image(NamedTuple):
    """A picture with its time in nanoseconds; `pixels` is None for encodings that are not known."""

    time: int
    encoding: str
    pixels: np.ndarray | None


# encoding -> type of a value, values of a pixel, and the places of red, green and blue among them
_ENCODINGS: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "mono8": ("u1", 1, ()),
    "8UC1": ("u1", 1, ()),
    "mono16": ("u2", 1, ()),
    "16UC1": ("u2", 1, ()),
    "rgb8": ("u1", 3, (0, 1, 2)),
    "bgr8": ("u1", 3, (2, 1, 0)),
    "8UC3": ("u1", 3, (2, 1, 0)),
    "rgba8": ("u1", 4, (0, 1, 2)),
    "bgra8": ("u1", 4, (2, 1, 0)),
}


def image(raw: bytes, is_ros1: bool) -> Image:
    """A picture."""
    fields = Fields(raw, is_ros1)
    time = fields.header()
    height, width, encoding = fields.number("I"), fields.number("I"), fields.text()
    order = ">" if fields.number("B") else "<"
    step = fields.number("I")
    data = fields.taken(fields.number("I"))
    if encoding not in _ENCODINGS:
        return Image(time, encoding, None)
    kind, values, colours = _ENCODINGS[encoding]
    row = width * values * int(kind[1])
    if step < row or step * height != len(data):
        raise MessageError(f"{height} rows of {step} bytes are not {len(data)} bytes of {encoding}")
    rows = np.frombuffer(data, np.uint8).reshape(height, step)[:, :row]
    pixels = np.ascontiguousarray(rows).view(order + kind).astype(kind).reshape(height, width, values)
    return Image(time, encoding, np.ascontiguousarray(pixels[..., colours]) if colours else pixels[..., 0])


def _no_more(fields: Fields) -> None:
    # CDR may be padded to a multiple of four bytes
    if len(fields.raw) - fields.place > (0 if fields.is_ros1 else 3):
        raise MessageError(f"{len(fields.raw) - fields.place} bytes follow its content")
