"""Bags of ROS 1 and ROS 2: opening them, and their raw messages, through the library rosbags."""

from __future__ import annotations

import collections
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.formats.ros.ros1_scan import Ros1Scan

ROS1_MARK, MCAP_MARK, SQLITE_MARK = b"#ROSBAG V", b"\x89MCAP0\r\n", b"SQLite format 3\0"


class Bag:
    """An open bag.

    Args:
        path: of a bag of ROS 1, of a folder of ROS 2, or of a single file of one (MCAP or SQLite).

    Attributes:
        is_ros1: whether it is a bag of ROS 1, whose messages are written in another way.

    Raises:
        EventFileError: if it cannot be opened.
        ImportError: if rosbags is not installed.
    """

    def __init__(self, path: Path):
        self.path = path
        head = b"" if path.is_dir() else _head(path)
        self.is_ros1 = head.startswith(ROS1_MARK)
        try:
            self._reader = _reader(path, head)
        except ModuleNotFoundError:
            raise ImportError(
                f"{path} is a bag of ROS; reading it needs rosbags: pip install 'spikelab[events]'"
            ) from None
        # rosbags checks little: what damaged bytes raise in it may be anything
        try:
            self._reader.open()
            if self.is_ros1:
                _check_index(self._reader)
        except Exception as error:
            self._reader = Ros1Scan(path, f"the bag was never closed, or is damaged ({_said(error)})")
            if self.is_ros1:
                self._reader.open()
            if not self._reader.connections:
                problem = f"cannot be read as a bag of ROS ({_said(error)}); {_remedy(self.is_ros1)}"
                raise EventFileError(path, problem) from None
        self._connections: list[Any] = list(self._reader.connections)

    def topics(self, types: Sequence[str]) -> dict[str, str]:
        """Names and types of the topics whose messages are of one of these types."""
        return {each.topic: each.msgtype for each in self._connections if each.msgtype in types}

    def messages(self, topic: str) -> Iterator[bytes]:
        """The messages of a topic, as they were written.

        Raises:
            Damage: where the bag cannot be read any further.
        """
        wanted = [each for each in self._connections if each.topic == topic]
        number = 0
        try:
            for _, _, raw in self._reader.messages(wanted):
                yield raw
                number += 1
        except Damage:
            raise
        except Exception as error:
            raise Damage(f"the bag ends after {number} messages of {topic} ({_said(error)})", None) from None

    def close(self) -> None:
        """Close the bag."""
        self._reader.close()


def _head(path: Path) -> bytes:
    if not path.stat().st_size:
        raise EventFileError(path, "is empty")
    with open(path, "rb") as file:
        return file.read(16)


def _reader(path: Path, head: bytes) -> Any:
    if head.startswith(ROS1_MARK):
        from rosbags.rosbag1 import Reader

        return Reader(path)
    if head.startswith(MCAP_MARK):
        from rosbags.rosbag2.storage_mcap import McapReader

        return McapReader(path)
    if head.startswith(SQLITE_MARK):
        from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

        # the path becomes a part of an address, in which some characters have a meaning
        return Sqlite3Reader(Path(urllib.parse.quote(str(path.absolute()))))
    if not (path / "metadata.yaml").is_file():
        raise EventFileError(path, "is no bag of ROS: neither a file of one nor a folder with metadata.yaml")
    from rosbags.rosbag2 import Reader as Reader2

    return Reader2(path)


def _check_index(reader: Any) -> None:
    """Compare the two places where a bag of ROS 1 counts the messages of a topic: what one lacks would not be read.

    Raises:
        ValueError: if they disagree.
    """
    counted: collections.Counter[int] = collections.Counter()
    for chunk in reader.chunk_infos:
        counted.update(chunk.connection_counts)
    indexed = {number: len(places) for number, places in reader.indexes.items()} if reader.chunk_infos else {}
    if {number: count for number, count in counted.items() if count} != {
        number: count for number, count in indexed.items() if count
    }:
        raise ValueError(f"its chunks count {sum(counted.values())} messages, its index {sum(indexed.values())}")


def _said(error: Exception) -> str:
    if isinstance(error, MemoryError | OverflowError):  # rosbags makes room for what the file says
        return "a length in it is larger than the file, and than memory"
    if isinstance(error, AssertionError) and not error.args:
        return "a record is not what the index says"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _remedy(is_ros1: bool) -> str:
    tool = "rosbag reindex" if is_ros1 else "ros2 bag reindex, or mcap recover,"
    return f"it is damaged, or was never closed: fetch it again, or repair it ({tool} does)"
