"""Bags of ROS 1 and ROS 2 with events: arrays of stamped events, or packets of what the camera itself sent.

`stream` names the topic of the events where there are several, and after a comma that of the pictures. Times of arrays
are those of ROS, times of packets those of the camera, in microseconds; parts of a microsecond are cut off.
"""

from __future__ import annotations

import contextlib
import itertools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, EventSource, Frame, Opening, Triggers
from spikelab.events.files.streams import chosen
from spikelab.events.formats.prophesee import evt3
from spikelab.events.formats.ros.bag_ends import beyond_the_end
from spikelab.events.formats.ros.ros_bags import MCAP_MARK, ROS1_MARK, SQLITE_MARK, Bag
from spikelab.events.formats.ros.ros_messages import (
    ARRAYS,
    IMAGES,
    PACKETS,
    MessageError,
    Packet,
    event_array,
    image,
    packet,
    sides,
)

Parsed = TypeVar("Parsed")

_MONO = np.dtype([("dt", "u4"), ("x", "u2"), ("y", "u2")])
_SPECIAL = {"trigger": "edges without pixels", "libcaer": "words of libcaer", "libcaer_cmp": "words of libcaer"}


class RosSource(EventSource):
    """One topic of a bag.

    Args:
        path: of the bag.
        stream: the topic of the events, and after a comma that of the pictures.
    """

    stays_open = True

    def __init__(self, path: Path, stream: str | None = None):
        self.path, self.bag = path, Bag(path)
        try:
            self._find(stream)
        except BaseException:
            self.bag.close()
            raise

    def _find(self, stream: str | None) -> None:
        topics = self.bag.topics(ARRAYS + PACKETS)
        if not topics:
            raise EventFileError(
                self.path,
                f"has no topic of events; such messages are {', '.join(ARRAYS + PACKETS)}".replace("/msg/", "/"),
            )
        events, _, pictures = (stream or "").partition(",")
        self.topic = chosen(self.path, sorted(topics), events or None)
        self.pictures = pictures or None
        self.is_packets = topics[self.topic] in PACKETS
        self.about = {"topic": self.topic, "type": topics[self.topic].replace("/msg/", "/")}
        with contextlib.suppress(Damage, MessageError, struct.error):  # reading tells
            for raw in itertools.islice(self.bag.messages(self.topic), 1):
                height, width = sides(raw, self.bag.is_ros1)
                if 0 < height <= 65536 and 0 < width <= 65536:
                    self.height, self.width = height, width

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`.

        Raises:
            Damage: at a message that is none, or where the bag ends before it should.
        """
        self.notes = beyond_the_end(self.path)
        blocks = self._packets() if self.is_packets else self._parsed(event_array)
        waiting: list[Columns] = []
        try:
            for block in blocks:
                waiting.append(block)
                if sum(len(each.t) for each in waiting) >= source.BLOCK:
                    yield from _sliced(Columns.joined(waiting))
                    waiting = []
        except Damage:
            yield from _sliced(Columns.joined(waiting))
            raise
        yield from _sliced(Columns.joined(waiting))

    def triggers(self) -> Iterator[Triggers]:
        """See `EventSource.triggers`."""
        if not self.is_packets:
            return
        state = evt3.fresh_state()
        for each in self._parsed(packet):
            if each.encoding == "evt3":
                words = self._words(each, 2)
                count = len(words)
                t, channel, rising = np.empty(count, np.int64), np.empty(count, np.uint8), np.empty(count, np.bool_)
                count = evt3.decode_triggers(words, state, t, channel, rising)
                yield Triggers(t[:count].copy(), channel[:count].copy(), rising[:count].copy())

    def frames(self) -> Iterator[Frame]:
        """See `EventSource.frames`.

        Raises:
            Damage: at a message that is no picture.
            EventFileError: if there are several topics of pictures beside the events, and none was named.
        """
        topic = self._topic_of_pictures()
        if topic is None:
            return
        left_out: dict[str, int] = {}
        for number, raw in enumerate(self.bag.messages(topic)):
            try:
                found = image(raw, self.bag.is_ros1)
            except (MessageError, struct.error) as error:
                raise Damage(f"message {number} of {topic}: {error}", None) from None
            if found.pixels is None:
                left_out[found.encoding] = left_out.get(found.encoding, 0) + 1
            else:
                yield Frame(found.pixels, found.time // 1000)
        if left_out:
            told = ", ".join(f"{count} in {encoding!r}" for encoding, count in left_out.items())
            raise Damage(f"pictures in encodings that are not read were left out of {topic}: {told}", None)

    def close(self) -> None:
        """See `EventSource.close`."""
        self.bag.close()

    def _topic_of_pictures(self) -> str | None:
        topics = sorted(self.bag.topics(IMAGES))
        if self.pictures is not None:
            return chosen(self.path, topics, self.pictures)
        beside = [topic for topic in topics if topic.rpartition("/")[0] == self.topic.rpartition("/")[0]]
        for found in (beside, topics):
            if len(found) == 1:
                return found[0]
        if not topics:
            return None
        raise EventFileError(
            self.path, f"holds pictures in {', '.join(topics)}; name both topics: stream={self.topic},{topics[0]}"
        )

    def _parsed(self, parse: Callable[[bytes, bool], Parsed]) -> Iterator[Parsed]:
        """The messages of the topic, parsed."""
        for number, raw in enumerate(self.bag.messages(self.topic)):
            try:
                yield parse(raw, self.bag.is_ros1)
            except (MessageError, struct.error, ValueError) as error:
                raise Damage(f"message {number} of {self.topic}: {error}", None) from None

    def _packets(self) -> Iterator[Columns]:
        state = evt3.fresh_state()
        missing, last = 0, None
        for each in self._parsed(packet):
            # a camera's driver counts on from 0 when it was started anew
            missing += max(each.sequence - last - 1, 0) if last is not None else 0
            last = each.sequence
            if each.encoding == "evt3":
                yield from self._evt3(each, state)
            elif each.encoding == "mono":
                yield self._mono(each)
            else:
                what = _SPECIAL.get(each.encoding, "not known")
                raise Damage(
                    f"packets in the encoding {each.encoding!r} ({what}) are not read, only evt3 and mono", None
                )
        if missing:
            self.notes = [*self.notes, f"{missing} packets were lost before they were recorded, by their numbers"]
        if lost := int(state[0]):
            self.notes = [
                *self.notes,
                f"{lost} events before the first word of time were left out: nobody knows when they were",
            ]

    def _evt3(self, each: Packet, state: np.ndarray) -> Iterator[Columns]:
        words, place = self._words(each, 2), 0
        while place < len(words):
            block = Columns.empty(min(12 * (len(words) - place), source.BLOCK) + 12)
            place, count, bad = evt3.decode(words, place, state, *block)
            yield block.taken(slice(count))
            if bad:
                raise Damage(f"{int(words[place]):#x} in packet {each.sequence} is no word of EVT3", None)

    def _mono(self, each: Packet) -> Columns:
        words = self._words(each, 8).view(_MONO)
        # as Python does it, not numpy: the base may need all 64 bits
        t = each.time_base // 1000 + (each.time_base % 1000 + words["dt"].astype(np.int64)) // 1000
        y = words["y"]
        return Columns(t, words["x"].astype(np.uint16), y & np.uint16(0x7FFF), (y >> 15).astype(np.uint8))

    def _words(self, each: Packet, size: int) -> np.ndarray:
        if len(each.data) % size:
            raise Damage(f"packet {each.sequence} has {len(each.data)} bytes, not a multiple of {size}", None)
        return np.frombuffer(each.data, f"{each.order}u{size}").astype(f"u{size}")


def _sliced(columns: Columns) -> Iterator[Columns]:
    for begin in range(0, len(columns.t), source.BLOCK):
        yield columns.taken(slice(begin, begin + source.BLOCK))


def _is_ros2(opening: Opening) -> bool:
    if opening.path.is_dir():
        metadata = opening.path / "metadata.yaml"
        return metadata.is_file() and b"rosbag2_bagfile_information" in metadata.read_bytes()[: source.HEAD]
    head = opening.head
    return head.startswith(MCAP_MARK) or (head.startswith(SQLITE_MARK) and b"topics" in head and b"messages" in head)


ROS1 = EventFormat(
    title="ROS 1 bag",
    suffixes=(".bag",),
    recognise=lambda opening: opening.head.startswith(ROS1_MARK),
    open=RosSource,
    source="wiki.ros.org, Bags/Format/2.0",
)

ROS2 = EventFormat(
    title="ROS 2 bag",
    suffixes=(".mcap", ".db3"),
    recognise=_is_ros2,
    open=RosSource,
    source="github.com/ros2/rosbag2; mcap.dev/spec",
)
