"""What all AEDAT files have in common: the lines of text at the beginning.

Source: docs.inivation.com, "AEDAT file formats".
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from spikelab.events.files.errors import EventFileError
from spikelab.events.files.source import Opening

_MARK = re.compile(rb"#!AER-DAT(\d)\.(\d)\s*\Z")
_MOST = 1 << 24  # jAER copies all its settings into the header, some hundred kilobytes
_END = {b"#!end-header", b"#end of ascii header", b"# end of ascii header"}
# what a line of text does not contain; records of events begin with "#" too now and then, but they have such bytes
_NO_TEXT = bytes(sorted(set(range(32)) - set(b"\t\r\n")))

_SIZES = (
    (r"dvs_?128|tmpdiff128|davis_?128", (128, 128)),
    (r"(davis|dvs)_?240", (240, 180)),
    (r"davi?s?_?346|dvs_?346", (346, 260)),
    (r"davis_?208", (208, 192)),
    (r"h?davis_?640|davisrgb640|cdavis|dvs_?640|dvxplorer(?!.*(lite|mini|micro|s_? ?duo))", (640, 480)),
    (r"dvxplorer.*(lite|s_? ?duo)", (320, 240)),
    (r"scidvs", (112, 126)),
)


@dataclasses.dataclass(frozen=True)
class Header:
    """The lines at the beginning of a file.

    Attributes:
        version: of the format, such as (2, 0).
        lines: without ``#`` and white space around them, the first one left out.
        end: byte at which the data begins.
        closed: whether a line says that the header ends.
    """

    version: tuple[int, int]
    lines: list[str]
    end: int
    closed: bool

    def field(self, name: str) -> str | None:
        """What follows ``name:`` in the first line that begins so."""
        for line in self.lines:
            if line.lower().startswith(name.lower() + ":"):
                return line[len(name) + 1 :].strip()
        return None


def version(opening: Opening) -> tuple[int, int] | None:
    """Version of an AEDAT file by its first line, None if it is none."""
    match = _MARK.match(opening.head.split(b"\n", 1)[0])
    return (int(match[1]), int(match[2])) if match else None


def read_header(path: Path) -> Header:
    """The header of an AEDAT file.

    Raises:
        EventFileError: if it is none, or ends within a line.
    """
    lines: list[str] = []
    closed = False
    with open(path, "rb") as file:
        first = file.readline(64)
        match = _MARK.match(first)
        if match is None:
            raise EventFileError(
                path, "has no header of an AEDAT file (#!AER-DAT...); it is cut short or of another format", 0
            )
        end = file.tell()
        while end < _MOST:
            line = file.readline(_MOST)
            if not line.startswith(b"#") or line.translate(None, _NO_TEXT) != line:
                break
            if not line.endswith(b"\n"):
                raise EventFileError(path, "ends within a line of its header; fetch the file again", end)
            end = file.tell()
            if line.strip().lower() in _END:
                closed = True
                break
            lines.append(line.decode("latin-1").lstrip("#").strip())
    return Header((int(match[1]), int(match[2])), lines, end, closed)


def sensor_size(camera: str) -> tuple[int, int] | None:
    """Width and height in pixels of a camera of iniVation, by its name; None if it is not known."""
    for pattern, sides in _SIZES:
        if re.search(pattern, camera.lower()):
            return sides
    return None
