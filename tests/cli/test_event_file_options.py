"""What the commands for event files say of files that are not right, and what they do not overwrite."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from spikelab.cli import main
from spikelab.events import EventArray
from spikelab.events.files import read_events, write_events

CLOCK = 1_605_537_493_000_000  # microseconds since 1970: cameras of DV count so


@pytest.fixture
def events():
    rng = np.random.default_rng(0)
    t = CLOCK + np.sort(rng.integers(0, 2_000_000, 6000))
    return EventArray(rng.integers(0, 34, 6000), rng.integers(0, 20, 6000), t, rng.integers(0, 2, 6000), 34, 20)


@pytest.fixture
def recording(events, tmp_path):
    write_events(tmp_path / "recording.h5", events)
    return tmp_path / "recording.h5"


@pytest.fixture
def cut(tmp_path):
    """A raw file of Prophesee that ends within a word: time, row and events, and an edge on an input."""
    words = [0x8001, 0x6005, 0x0003, 0x2004, 0x2805, 0xA001, 0x2006]
    header = b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n"
    (tmp_path / "cut.raw").write_bytes(header + np.array(words, "<u2").tobytes() + b"\x01")
    return tmp_path / "cut.raw"


def said(capsys):
    return capsys.readouterr().err


def test_info_keeps_what_is_before_the_damage(cut, capsys):
    assert main(["data", "info", str(cut)]) == 1
    assert "read what is before it with --damaged keep" in said(capsys)
    assert main(["data", "info", str(cut), "--damaged", "keep"]) == 0
    printed = capsys.readouterr()
    assert "events    3" in printed.out
    assert "triggers  1" in printed.out
    assert printed.err.count("the last word is cut short, 1 of its 2 bytes are there") == 1


def test_the_unit_of_time(tmp_path, capsys):
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 2_000_000, 3000)) + 0.5
    np.save(tmp_path / "a.npy", np.stack([rng.integers(0, 240, 3000), rng.integers(0, 180, 3000), t, t // 1 % 2], 1))
    assert main(["data", "info", str(tmp_path / "a.npy")]) == 0
    printed = capsys.readouterr()
    assert "times with fractions were taken for seconds" in printed.err
    assert "give the unit: --unit s, ms, us or ns" in printed.err
    assert "the unit is a guess: times with fractions were taken for seconds; --unit sets it" in printed.out
    assert main(["data", "info", str(tmp_path / "a.npy"), "--unit", "us"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "the unit is a guess" not in printed.out
    for command in (["convert", str(tmp_path / "a.h5")], ["play", str(tmp_path / "a.png"), "--pictures=1"]):
        assert main(["data", command[0], str(tmp_path / "a.npy"), *command[1:], "--unit=us"]) == 0
    assert read_events(tmp_path / "a.h5").duration < 2_000_000
    capsys.readouterr()
    assert main(["data", "info", str(tmp_path / "a.h5"), "--unit", "us"]) == 1
    assert "has times in the unit of its format, spikelab HDF5; leave out --unit us" in said(capsys)


@pytest.mark.parametrize("target", ["part.npz", "part.png", "part.mp4"])
def test_times_outside_the_recording(recording, events, tmp_path, target, capsys):
    command = "convert" if target.endswith(".npz") else "play"
    if target.endswith(".mp4"):
        pytest.importorskip("av")
    words = ["data", command, str(recording), str(tmp_path / target)]
    first, last = (f"{events.t[place] / 1e6:.6f} s" for place in (0, -1))
    for times in (["--start=0.1", "--stop=0.2"], ["--stop=3"], ["--start=1605537500"], ["--start=3000000000"]):
        assert main([*words, *times]) == 1
        message = said(capsys)
        assert f"no part of the recording is within {times[0].replace('=', ' ')}" in message
        assert f"it lasts from {first} to {last} on its own clock; with --relative true" in message
        assert not (tmp_path / target).exists()
    assert main([*words, "--start=2.5", "--relative=true"]) == 1
    assert f"it ends {events.duration / 1e6:.6f} s after its first event" in said(capsys)
    assert main([*words, "--start=0.5", "--stop=1.25", "--relative=true"]) == 0
    if command == "convert":
        begin = int(events.t[0])
        assert read_events(tmp_path / target) == events.between(begin + 500_000, begin + 1_250_000)


def test_a_part_between_two_events_is_empty_but_no_error(tmp_path, capsys):
    write_events(tmp_path / "a.h5", EventArray([1, 2], [1, 2], [0, 5_000_000], [0, 1], 8, 6))
    assert main(["data", "convert", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), "--start=1", "--stop=2"]) == 0
    assert read_events(tmp_path / "b.h5") == EventArray.empty(8, 6)


def test_a_video_does_not_begin_before_the_recording(recording, tmp_path, capsys):
    pytest.importorskip("av")
    words = ["data", "play", str(recording), str(tmp_path / "a.mp4"), "--window=100"]
    assert main([*words, "--start=1605537490"]) == 0
    assert "20 pictures" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["film.mp4", "strip.png"])
def test_play_keeps_what_is_there(recording, tmp_path, name, capsys):
    if name.endswith(".mp4"):
        pytest.importorskip("av")
    target = tmp_path / name
    target.write_text("mine")
    words = ["data", "play", str(recording), str(target), "--window=100"]
    assert main(words) == 1
    assert f"{target}: is there already; replace it with --overwrite true" in said(capsys)
    assert target.read_text() == "mine"
    assert main([*words, "--overwrite=true"]) == 0
    assert target.stat().st_size > 100
    assert main(["data", "play", str(recording), str(tmp_path / "none" / name)]) == 1
    assert f"there is no folder {tmp_path / 'none'}; make it first" in said(capsys)


def test_an_error_of_the_system_names_the_file(recording, tmp_path, monkeypatch, capsys):
    import spikelab.video.write

    def refuse(*words, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(spikelab.video.write, "write_video", refuse)
    assert main(["data", "play", str(recording), str(tmp_path / "film.mp4")]) == 1
    assert f"{tmp_path / 'film.mp4'}: not written: Permission denied" in said(capsys)


@pytest.mark.parametrize("size", ["180x240", "180,a", "180 240"])
def test_a_size_that_is_none(recording, size, capsys):
    assert main(["data", "info", str(recording), "--size", size]) == 2
    message = said(capsys)
    assert "--size takes numbers parted by commas. Height and width of the sensor" in message
    assert "such as 180,240" in message
    assert "Union" not in message


def test_options_are_named_as_commands_name_them(recording, tmp_path, capsys):
    assert main(["data", "info", str(recording), "--size=9,9"]) == 1
    assert "give the right --size HEIGHT,WIDTH, or leave such events out with --outside drop" in said(capsys)
    rng = np.random.default_rng(0)
    columns = {"x": rng.integers(0, 240, 500), "y": rng.integers(0, 180, 500), "p": rng.integers(0, 2, 500)}
    columns["x"][9] = 60_000
    t = np.arange(500) * 100_000
    np.savez(tmp_path / "wide.npz", t=t, **columns)
    assert main(["data", "info", str(tmp_path / "wide.npz")]) == 0
    assert "alone makes the sensor 60001 x" in (message := said(capsys))
    assert "and --outside drop" in message
    np.savez(tmp_path / "anew.npz", t=np.roll(t, 250), **columns)
    assert main(["data", "info", str(tmp_path / "anew.npz")]) == 1
    assert "With --resets continue, time goes on" in said(capsys)
    (tmp_path / "notes").write_text("nothing of the kind\n" * 3)
    assert main(["data", "convert", str(tmp_path / "notes"), str(tmp_path / "new.h5")]) == 1
    assert "name it with --format NAME: aedat2 (AEDAT 1.0 or 2.0)" in said(capsys)


def test_warnings_of_a_caller_stay_as_they_are(recording, tmp_path):
    """What the commands change of warnings ends with them."""
    shown = warnings.showwarning
    assert main(["data", "info", str(recording)]) == 0
    assert warnings.showwarning is shown


@pytest.mark.parametrize(
    "name", ["a.h5", "a-recording-with-a-name-of-more-letters-than-a-line-has-room-for-2026-11-22.h5"]
)
@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_the_caption_of_a_strip_is_whole(events, tmp_path, monkeypatch, name, pictures):
    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *rest, **more: (save(self, *rest, **more), drawn.append(self)))
    write_events(tmp_path / name, events)
    target = tmp_path / "strip.png"
    assert main(["data", "play", str(tmp_path / name), str(target), f"--pictures={pictures}"]) == 0
    (figure,) = drawn
    caption = figure._suptitle.get_window_extent()
    assert figure.bbox.x0 <= caption.x0 < caption.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= caption.y0 < caption.y1 <= figure.bbox.y1
    assert name in figure._suptitle.get_text().replace("\n", "")
    heights = [axis.get_window_extent().height for axis in figure.axes]
    assert min(heights) > 100  # the caption leaves room for the pictures
