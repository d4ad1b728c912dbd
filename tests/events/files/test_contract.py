"""What holds for every event format: the same answers, and the same behaviour on files that are not right."""

import warnings

import numpy as np
import pytest

from spikelab import registry
from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events, recognise
from spikelab.events.files import source as source_module

COUNTS = (0, 1, 2, 5000)


def written(encoder, tmp_path, count=5000, seed=0):
    events = encoder.events(count, seed)
    path = tmp_path / "recording"
    encoder.write(path, events)
    return path, events


def same(found, wanted):
    assert [len(found), found.width, found.height] == [len(wanted), wanted.width, wanted.height]
    for name in "txyp":
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


@pytest.mark.parametrize("count", COUNTS)
def test_events_survive(encoder, tmp_path, count):
    path, events = written(encoder, tmp_path, count)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(read_events(path, format=encoder.name, **encoder.options), events)


def test_recognised_by_content_alone(encoder, tmp_path):
    path, _ = written(encoder, tmp_path)
    assert recognise(path) == encoder.name


def test_an_empty_file_is_refused(encoder, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(EventFileError, match=r"empty|no header|cut short|not"):
        read_events(tmp_path / "empty", format=encoder.name, **encoder.options)
    with pytest.raises(EventFileError, match="is empty"):
        read_events(tmp_path / "empty")


def test_chunks_are_the_whole_and_can_be_read_again(encoder, tmp_path, monkeypatch):
    path, events = written(encoder, tmp_path)
    with open_events(path, **encoder.options) as file:
        for _ in range(2):
            chunks = list(file)
            same(EventArray.concatenate(chunks), events)
        assert file.format == encoder.name
        same(file.read(), events)


def test_a_part_of_the_time(encoder, tmp_path):
    path, events = written(encoder, tmp_path)
    start, end = int(events.t[1200]), int(events.t[3100])
    with open_events(path, **encoder.options) as file:
        same(file.between(start, end), events.between(start, end))
        assert len(file.between(events.t[-1] + 1, events.t[-1] + 2)) == 0
        with pytest.raises(ValueError, match="before"):
            file.between(end, start)


def test_size_that_nobody_knows_is_what_events_need(encoder, tmp_path):
    path, events = written(encoder, tmp_path)
    with open_events(path) as file:
        if file.size is not None:
            assert file.size == (events.height, events.width)
        else:
            assert (file.read().height, file.read().width) == (events.y.max() + 1, events.x.max() + 1)


def test_events_beyond_the_sensor(encoder, tmp_path):
    path, events = written(encoder, tmp_path)
    small = (encoder.height // 2, encoder.width // 2)
    with pytest.raises(EventFileError, match=r"event \d+ at x = .* lies beyond .* outside=drop"):
        read_events(path, size=small)
    kept = (events.x < small[1]) & (events.y < small[0])
    with pytest.warns(UserWarning, match=f"{(~kept).sum()} events beyond the sensor were left out"):
        found = read_events(path, size=small, outside="drop")
    np.testing.assert_array_equal(found.t, events.t[kept])


@pytest.mark.parametrize("seed", range(20))
def test_files_that_are_cut_short(encoder, tmp_path, seed):
    """A cut is told with its byte, unless what is left is a whole file too; what is kept is the beginning, no more."""
    path, events = written(encoder, tmp_path, seed=seed)
    if path.is_dir():
        pytest.skip("a folder; its own tests cut the files in it")
    content = path.read_bytes()
    cut = int(np.random.default_rng(seed).integers(1, len(content)))
    path.write_bytes(content[:cut])
    found, problem, _ = attempt(path, encoder)
    if problem is not None:
        assert str(path) in problem
        found, not_even_a_header, told = attempt(path, encoder, damaged="keep")
        if not_even_a_header:
            return
        assert any("byte" in message for message in told)
    else:
        # formats without a length cannot tell a file that ends between two events from one that was cut there
        assert registry.load("event_formats", encoder.name).open_ended
    assert len(found) <= len(events)
    for name in "txyp":
        np.testing.assert_array_equal(getattr(found, name), getattr(events, name)[: len(found)])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_else_is_in_a_file_that_is_cut_short_is_kept(encoder, tmp_path):
    """Pictures and edges before the cut are given, as events are."""
    path, _ = written(encoder, tmp_path)
    if path.is_dir():
        pytest.skip("a folder; its own tests cut the files in it")
    with open_events(path, **encoder.options) as file:
        frames, triggers = list(file.frames()), file.triggers()
    content = path.read_bytes()
    opened = 0
    for cut in range(3, len(content), len(content) // 7):
        path.write_bytes(content[:-cut])
        try:
            file = open_events(path, format=encoder.name, damaged="keep", **encoder.options)
        except EventFileError:  # not even a header
            continue
        opened += 1
        with file:
            assert [frame.t for frame in file.frames()] == [frame.t for frame in frames][: len(list(file.frames()))]
            kept = file.triggers()
        assert kept.t.tolist() == triggers.t.tolist()[: len(kept.t)]
    # what has its table of contents at the end cannot be opened without it
    assert opened or not registry.load("event_formats", encoder.name).open_ended


def attempt(path, encoder, **options):
    """Events, or what the error says, and the warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            found = read_events(path, format=encoder.name, **options, **encoder.options)
        except EventFileError as error:
            return None, str(error), []
    return found, None, [str(each.message) for each in told]


@pytest.mark.parametrize("seed", range(30))
def test_bytes_that_were_changed(encoder, tmp_path, seed):
    """Whatever the bytes are: events that are valid, or an error of ours that names the file."""
    path, _ = written(encoder, tmp_path, 800, seed=seed)
    files = [each for each in sorted(path.rglob("*")) if each.is_file()] if path.is_dir() else [path]
    rng = np.random.default_rng(seed)
    victim = files[int(rng.integers(len(files)))]
    content = bytearray(victim.read_bytes())
    for _ in range(int(rng.integers(1, 12))):
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    victim.write_bytes(content)
    for damaged in ("error", "keep"):
        found, problem, _ = attempt(path, encoder, damaged=damaged, outside="drop")
        if problem is not None:
            assert str(path) in problem
        else:
            EventArray(found.x, found.y, found.t, found.p, found.width, found.height)  # which checks everything


def test_memory_is_that_of_a_block(encoder, tmp_path, monkeypatch):
    """Decoding hands out blocks, not the whole file."""
    path, events = written(encoder, tmp_path)
    format = registry.load("event_formats", encoder.name)
    monkeypatch.setattr(source_module, "BLOCK", 500)
    with format.open(path, None) as opened:
        sizes = [len(block.t) for block in opened.columns()]
    assert sum(sizes) == len(events)
    assert max(sizes) <= 500 * 4
