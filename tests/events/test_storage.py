"""Event files: round trip, damage of every kind, and writes that fail half-way."""

import os

import numpy as np
import pytest

from spikelab.events import EventArray


@pytest.fixture
def events():
    generator = np.random.default_rng(0)
    n = 500
    return EventArray(
        generator.integers(0, 30, n),
        generator.integers(0, 20, n),
        np.sort(generator.integers(-100, 10**12, n)),
        generator.integers(0, 2, n),
        30,
        20,
    )


@pytest.mark.parametrize("compressed", [True, False])
def test_round_trip_under_the_name_as_given(events, tmp_path, compressed):
    path = tmp_path / "recording.events"
    events.to_npz(path, compressed=compressed)
    assert EventArray.from_npz(str(path)) == events
    assert [p.name for p in tmp_path.iterdir()] == ["recording.events"]


def test_empty_round_trip(tmp_path):
    EventArray.empty(4, 3).to_npz(tmp_path / "empty.npz")
    assert EventArray.from_npz(tmp_path / "empty.npz") == EventArray.empty(4, 3)


@pytest.mark.parametrize("compressed", [True, False])
def test_every_truncation_is_refused_by_name(events, tmp_path, compressed):
    path = tmp_path / "whole.npz"
    events.to_npz(path, compressed=compressed)
    data = path.read_bytes()
    cut = tmp_path / "cut.npz"
    for length in [*range(0, len(data), max(1, len(data) // 150)), len(data) - 1]:
        cut.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"cut\.npz: not a whole event file"):
            EventArray.from_npz(cut)


def test_no_flipped_bit_gives_other_events(events, tmp_path):
    path = tmp_path / "whole.npz"
    events.to_npz(path)
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :])
        try:
            read = EventArray.from_npz(path)
        except ValueError as error:
            assert "whole.npz" in str(error)  # noqa: PT017 - either outcome is right, but both are checked
        else:
            assert read == events


def test_files_of_other_kinds(tmp_path):
    with pytest.raises(FileNotFoundError):
        EventArray.from_npz(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", x=[1], y=[1])
    with pytest.raises(ValueError, match=r"other\.npz.*missing: \['t', 'p', 'width', 'height'\]"):
        EventArray.from_npz(tmp_path / "other.npz")
    np.save(tmp_path / "plain.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"plain\.npy: not a whole event file"):
        EventArray.from_npz(tmp_path / "plain.npy")
    (tmp_path / "text.npz").write_text("t x y p\n")
    with pytest.raises(ValueError, match=r"text\.npz: not a whole event file"):
        EventArray.from_npz(tmp_path / "text.npz")


def test_invalid_events_and_objects_in_a_file_are_refused(tmp_path):
    fields = {"x": [5], "y": [0], "t": [0], "p": [0], "width": 3, "height": 3}
    np.savez(tmp_path / "outside.npz", **fields)
    with pytest.raises(ValueError, match=r"outside\.npz: events: x\[0\] = 5 is outside 0\.\.2"):
        EventArray.from_npz(tmp_path / "outside.npz")
    np.savez(tmp_path / "objects.npz", **{**fields, "x": np.array([object()], dtype=object)})
    with pytest.raises(ValueError, match=r"objects\.npz.*allow_pickle=False"):
        EventArray.from_npz(tmp_path / "objects.npz")


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(events, tmp_path, monkeypatch):
    path = tmp_path / "events.npz"
    events.to_npz(path)

    def disk_full(file, **fields):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", disk_full)
    with pytest.raises(OSError, match="event file not written: No space left on device") as error:
        events[:3].to_npz(path)
    assert error.value.filename == str(path)
    monkeypatch.undo()
    assert EventArray.from_npz(path) == events
    assert [p.name for p in tmp_path.iterdir()] == ["events.npz"]


def test_an_interrupted_write_leaves_the_old_file(events, tmp_path, monkeypatch):
    path = tmp_path / "events.npz"
    events.to_npz(path)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        events[:3].to_npz(path)
    assert EventArray.from_npz(path) == events
    assert [p.name for p in tmp_path.iterdir()] == ["events.npz"]


def test_missing_folder_is_named(events, tmp_path):
    with pytest.raises(FileNotFoundError, match="event file not written"):
        events.to_npz(tmp_path / "absent" / "events.npz")
