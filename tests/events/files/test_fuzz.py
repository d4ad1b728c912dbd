"""Files of every format with anything wrong in their bytes: valid events, or an error of ours that says where.

Never a crash, a hang, memory for what a damaged number promises, or events that are lost without a word.
"""

import os
import re
import resource
import signal
import warnings
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from broken_bytes import Fault, broken, faults
from hypothesis import strategies
from tried_reading import ROOM, Answers, tried

from spikelab import registry
from spikelab.events.files import EventFileError, open_events, read_events

FORMATS = registry.names("event_formats")

STREAMS = ("aedat2", "aedat3", "atis_bin", "dat", "evt2", "evt21", "evt3", "npy", "text")
"""Formats read from the beginning on, whose every error says where: byte, event, line, or field of the header."""

PLACE = re.compile(
    r"byte \d|event \d|header|version|is AEDAT \d|addresses of the camera|its packets are in the format|"
    r"no lines with|read as .*, line \d|is empty|"
    r"holds (no events|an array|Python objects)|its (times|columns|t, x, y and p)|stream="
)
JOINED = re.compile(r"joined|set back|late|byte|sensor|event \d")
SIZES = (40, 300, 3000)


SLOWER = [pytest.param(name, marks=pytest.mark.slow if name == "prophesee_hdf5" else ()) for name in FORMATS]
"""That one reads texts by another process each time."""


class Goods(dict):
    """By the name of a format; what Hypothesis prints of a failure is not to hold the files themselves."""

    def __repr__(self):
        return f"good files of {len(self)} formats"


@pytest.fixture(scope="module")
def goods(encoder_of, tmp_path_factory):
    """Of each format good files of some sizes, what is in them, how to read them, and a process that does."""
    made = {}
    for name in FORMATS:
        encoder, folder = encoder_of(name), tmp_path_factory.mktemp(name)
        for seed, count in enumerate(SIZES):
            encoder.write(folder / str(count), encoder.events(count, seed))
        made[name] = folder, [(folder / str(count)).read_bytes() for count in SIZES], encoder.options
    answers = Answers([(str(folder / str(SIZES[1])), name, options) for name, (folder, _, options) in made.items()])
    yield Goods((name, (*each, answers)) for name, each in made.items())
    answers.close()


def judge(name, goods, which, wrong, other):
    """Read a good file that something was done to, and look at what came of it."""
    folder, contents, options, answers = goods
    content, unchanged = broken(contents[which], wrong, contents[other])
    path, beginning = folder / "broken", folder / "beginning"
    path.write_bytes(content)
    beginning.write_bytes(contents[which][:unchanged])
    found = answers.of(str(path), name, options, str(beginning) if unchanged else None)
    assert "fault" not in found, found["fault"]
    if found["problem"] is not None:
        assert found["problem"].startswith(f"{path}: ")
        if name in STREAMS:
            assert PLACE.search(found["problem"])
    if found["kept"] is None:
        return
    if found["problem"] is None:
        assert found["kept"] == found["events"]
    elif "is damaged" not in found["problem"]:
        assert found["told"]
    if name in STREAMS and found["sure"] is not None:
        # what lies before the first changed byte is there; a number that is cut in two may be another one
        assert found["kept"] >= found["sure"] - 1, "events before the damage were lost"


def budget(examples):
    """The same examples in each run; a campaign asks for more and others: SPIKELAB_FUZZ_EXAMPLES=20000."""
    asked = os.environ.get("SPIKELAB_FUZZ_EXAMPLES")
    return hypothesis.settings(
        max_examples=int(asked) if asked else examples,
        derandomize=asked is None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
    )


places = strategies.integers(0, len(SIZES) - 1)


@pytest.mark.parametrize("name", FORMATS)
@budget(25)
@hypothesis.given(which=places, wrong=faults, other=places)
def test_bytes_with_anything_wrong(name, goods, which, wrong, other):
    judge(name, goods[name], which, wrong, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@budget(150)
@hypothesis.given(which=places, wrong=faults, other=places)
def test_bytes_with_anything_wrong_at_length(name, goods, which, wrong, other):
    judge(name, goods[name], which, wrong, other)


@pytest.mark.parametrize("name", FORMATS)
def test_two_files_that_were_joined(name, goods):
    """The second is read, or it is told that it is not; the first alone is never taken for the whole."""
    folder, (_, first, second), options, _ = goods[name]
    path = folder / "joined"
    path.write_bytes(first + second)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            found = read_events(path, format=name, resets="continue", outside="drop", **options)
        except EventFileError:
            return
    assert len(found) not in SIZES or any(JOINED.search(str(each.message)) for each in told)


@pytest.mark.parametrize("name", SLOWER)
@pytest.mark.parametrize("size", [4, 8])
def test_numbers_that_promise_much(name, size, goods):
    """Every place of a header takes a number that no memory can hold; the process that reads has 512 MB more."""
    _, contents, _, _ = goods[name]
    length = min(len(contents[0]), 512)
    for number in (17, 14) if size == 8 else (11, 9):  # the largest, and another large one
        for place in range(0, length, 24):
            fault = Fault("number", place * 2**32 // length + 1, True, size.bit_length() - 1, number)
            judge(name, goods[name], 0, [fault], 0)


def test_a_process_that_dies_or_hangs_is_a_fault(goods, monkeypatch):
    """What the others rely on."""
    folder, _, options, _ = goods["evt2"]
    file = str(folder / str(SIZES[0])), "evt2", options
    assert "no such file" in tried(str(folder / "gone"), "evt2", {})["fault"]
    answers = Answers([])
    try:
        assert answers.of(*file)["events"] == SIZES[0]
        answers._process.kill()
        answers._process.join()
        assert answers.of(*file) == {"fault": "the process ended with -9"}
        assert answers.of(*file)["events"] == SIZES[0]
        monkeypatch.setattr("tried_reading.PATIENCE", 0.1)
        # without that, it may answer before anyone looks
        os.kill(answers._process.pid, signal.SIGSTOP)
        assert answers.of(*file) == {"fault": "no answer within 0.1 s"}
    finally:
        answers.close()


def test_memory_that_a_file_asks_for_is_refused(goods, monkeypatch):
    """What the others rely on: a reader that made room for what a file says would not get it."""
    folder, _, options, _ = goods["evt2"]
    monkeypatch.setattr("tried_reading.open_events", _makes_room)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, limits[1]))
    try:
        found = tried(str(folder / str(SIZES[0])), "evt2", options)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert "MemoryError" in found["fault"]


def _makes_room(*file, **options):
    return np.ones(1 << 30, np.uint8)


def test_a_polarity_that_is_none_ends_what_is_kept(goods, tmp_path):
    _, contents, _, _ = goods["dat"]
    content = bytearray(contents[1])
    begin = re.match(rb"(%[^\n]*\n)*", content).end() + 2  # behind the header and the two bytes of the kind
    content[begin + 8 * 100 + 7] = 0x50
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(EventFileError, match=f"byte {begin + 800}: event 100 has polarity 5"):
        read_events(tmp_path / "file")
    with open_events(tmp_path / "file", damaged="keep") as file, pytest.warns(UserWarning, match="polarity 5"):
        assert len(file.read()) == 100


def test_an_index_of_a_bag_that_lacks_messages(goods, tmp_path):
    """Found by the tests above: rosbags believes an index of no messages, and the bag seemed to be empty."""
    _, contents, _, _ = goods["ros1"]
    content = contents[1]
    # of the record that lists the messages of a chunk
    place = re.search(rb"op=\x04.{0,60}?count=", content, re.DOTALL).end()
    assert content[place] > 0
    path = tmp_path / "bag"
    path.write_bytes(content[:place] + bytes(8) + content[place + 8 :])  # how many, and the bytes that they take
    with pytest.raises(EventFileError, match=r"its chunks count \d+ messages, its index \d+"):
        read_events(path)
    with open_events(path, damaged="keep") as file, pytest.warns(UserWarning, match="its chunks count"):
        assert len(file.read()) == SIZES[1]


def test_a_size_in_digits_that_are_none(goods, tmp_path):
    """Found by the tests above: a superscript is a digit for `str.isdigit`, and no number."""
    _, contents, _, _ = goods["evt3"]
    content = re.sub(rb"width=\d+", b"width=2\xb24", contents[1])
    assert content != contents[1]
    (tmp_path / "file").write_bytes(content)
    assert len(read_events(tmp_path / "file")) == SIZES[1]
