"""The commands for event files: info, convert, play."""

import json

import numpy as np
import pytest
from PIL import Image

from spikelab.cli import main
from spikelab.events import EventArray
from spikelab.events.files import open_events, read_events, write_events


@pytest.fixture
def events():
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 200_000, 6000))
    return EventArray(rng.integers(0, 35, 6000), rng.integers(0, 21, 6000), t, rng.integers(0, 2, 6000), 35, 21)


@pytest.fixture
def recording(events, tmp_path):
    write_events(tmp_path / "recording.h5", events)
    return tmp_path / "recording.h5"


def test_info(recording, events, tmp_path, capsys):
    assert main(["data", "info", str(recording), "--json", str(tmp_path / "info.json")]) == 0
    printed = capsys.readouterr().out
    assert "35 x 21 pixels" in printed
    assert "6,000" in printed
    figures = json.loads((tmp_path / "info.json").read_text())["figures"]
    assert figures["format"] == "hdf5"
    assert figures["size"] == [21, 35]
    assert [figures["events"], figures["first"], figures["last"]] == [6000, events.t[0], events.t[-1]]
    assert figures["on"] == pytest.approx(events.p.mean())
    assert figures["rate"]["largest"] == 100 * np.bincount(events.t // 10_000).max()
    assert figures["first_events"][0] == [int(column[0]) for column in (events.t, events.x, events.y, events.p)]
    assert [figures["x"], figures["y"]] == [[0, 34], [0, 20]]


def test_info_of_no_events(tmp_path, capsys):
    write_events(tmp_path / "empty.h5", EventArray.empty(8, 6))
    assert main(["data", "info", str(tmp_path / "empty.h5")]) == 0
    assert "events    0" in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".h5", ".npz"])
def test_convert_a_part(recording, events, tmp_path, ending, capsys):
    target = tmp_path / f"part{ending}"
    assert main(["data", "convert", str(recording), str(target), "--start=0.05", "--stop=0.12"]) == 0
    wanted = events.between(50_000, 120_000)
    assert f"{len(wanted):,} events" in capsys.readouterr().out
    assert read_events(target) == wanted


def test_convert_keeps_what_is_there(recording, tmp_path, capsys):
    target = tmp_path / "new.h5"
    target.write_text("mine")
    assert main(["data", "convert", str(recording), str(target)]) == 1
    assert "is there already; replace it with --overwrite true" in capsys.readouterr().err
    assert target.read_text() == "mine"
    assert main(["data", "convert", str(recording), str(target), "--overwrite=true"]) == 0
    assert main(["data", "convert", str(recording), str(recording), "--overwrite=true"]) == 1
    assert "is the file itself" in capsys.readouterr().err
    assert main(["data", "convert", str(recording), str(tmp_path / "new.xyz")]) == 1
    assert "say which form with --form" in capsys.readouterr().err


def test_play_a_video(recording, tmp_path, capsys):
    av = pytest.importorskip("av")
    target = tmp_path / "film.mp4"
    assert main(["data", "play", str(recording), str(target), "--window=20", "--rate=10"]) == 0
    assert "10 pictures" in capsys.readouterr().out
    with av.open(str(target)) as film:
        shown = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(shown) == 10
    assert shown[0].shape == (22, 36, 3)  # even sides


def test_play_a_strip(recording, tmp_path):
    target = tmp_path / "strip.png"
    assert main(["data", "play", str(recording), str(target), "--window=5", "--pictures=3"]) == 0
    assert np.asarray(Image.open(target).convert("RGB")).std() > 10


def test_play_nothing(tmp_path, capsys):
    write_events(tmp_path / "empty.h5", EventArray.empty(8, 6))
    assert main(["data", "play", str(tmp_path / "empty.h5"), str(tmp_path / "strip.png")]) == 1
    assert "no events to draw" in capsys.readouterr().err
    assert main(["data", "play", str(tmp_path / "empty.h5"), str(tmp_path / "film.mp4")]) == 1
    assert "no events to draw" in capsys.readouterr().err
    assert main(["data", "play", str(tmp_path / "empty.h5"), str(tmp_path / "film.gif")]) == 1
    assert "must end in" in capsys.readouterr().err


def test_unknown_file(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("nothing of the kind\n" * 3)
    assert main(["data", "info", str(tmp_path / "notes.txt")]) == 1
    assert "is no event file of a known format" in capsys.readouterr().err
    assert main(["data", "info", str(tmp_path / "none.raw")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_windows_of_chunks(events):
    from spikelab.events.files import windows

    chunks = [events[start : start + 700] for start in range(0, len(events), 700)]
    begin = int(events.t[0])
    found = list(windows(chunks, 1700))
    assert [start for start, _ in found] == [begin + 1700 * place for place in range(len(found))]
    assert EventArray.concatenate([part for _, part in found]) == events
    for start, part in found:
        assert part == events.between(start, start + 1700)
    chosen = list(windows(chunks, 10_000, 35_000, 60_000))
    assert [start for start, _ in chosen] == [35_000, 45_000, 55_000]
    assert chosen[1][1] == events.between(45_000, 55_000)


def test_the_options_of_reading_reach_the_file(recording, capsys):
    assert main(["data", "info", str(recording), "--size=10,10"]) == 1
    assert "lies beyond the sensor of 10 x 10 pixels" in capsys.readouterr().err
    assert main(["data", "info", str(recording), "--size=10,10", "--outside=drop"]) == 0
    assert "events beyond the sensor were left out" in capsys.readouterr().err
    with open_events(recording) as file:
        assert file.size == (21, 35)
