import json

import numpy as np
import pytest
from video_samples import decoded, moving_texture

from spikelab.cli import main
from spikelab.video.decode import video_info
from spikelab.video.errors import VideoError
from spikelab.video.pyav import av
from spikelab.video.reader import read_video
from spikelab.video.transcode import transcode, video_files


def encoded(path, encoder, pictures, **options):
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=25)
        stream.height, stream.width, stream.pix_fmt = *pictures.shape[1:3], "yuv420p"
        stream.options = {"x265-params": "log-level=none", "preset": "ultrafast"} if encoder == "libx265" else options
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    return path


pictures = moving_texture(30, 64, 80)


@pytest.mark.parametrize("encoder", ["libx265", "libvpx-vp9", "libx264"])
@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
def test_any_file_becomes_one_with_vectors(encoder, codec, tmp_path):
    source = encoded(tmp_path / "old.mkv", encoder, pictures)
    assert transcode(source, tmp_path / "new.mp4", codec, group=10) == 30
    info = video_info(tmp_path / "new.mp4")
    assert (info.codec, info.frames, info.rate) == (codec, {"I": 3, "P": 27, "B": 0}, 25.0)
    groups = read_video(tmp_path / "new.mp4", accumulate=False)
    moved = [np.median(each.motion, (1, 2)) for group in groups for each in group.predicted]
    np.testing.assert_allclose(np.median(moved, 0), (3, 2), atol=0.5)
    found = decoded(tmp_path / "new.mp4").transpose(0, 2, 3, 1)
    assert np.abs(found.astype(int) - pictures).mean() < 12


@pytest.mark.parametrize(
    ("asked", "size"), [((0, 0), (80, 64)), ((40, 0), (40, 32)), ((0, 32), (40, 32)), ((51, 33), (50, 32))]
)
def test_pictures_get_the_size_asked_for(asked, size, tmp_path):
    source = encoded(tmp_path / "old.mp4", "mpeg4", pictures)
    transcode(source, tmp_path / "new.mp4", width=asked[0], height=asked[1])
    info = video_info(tmp_path / "new.mp4")
    assert (info.width, info.height) == size


def test_a_file_is_not_written_over_itself(tmp_path):
    source = encoded(tmp_path / "old.mp4", "mpeg4", pictures)
    with pytest.raises(VideoError, match="over itself"):
        transcode(source, source)


def test_times_that_repeat_do_not_stop_it(tmp_path):
    """Files whose frames are not evenly spaced in time."""
    with av.open(str(tmp_path / "old.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=1000)
        stream.height, stream.width, stream.pix_fmt = 64, 80, "yuv420p"
        for place, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = place * 33 + place % 3
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert transcode(tmp_path / "old.mkv", tmp_path / "new.mp4") == 30


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "old" / "walk").mkdir(parents=True)
    for name in ("a.avi", "walk/b.mkv"):
        encoded(tmp_path / "old" / name, "mpeg4", pictures[:5])
    (tmp_path / "old" / "walk" / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "old" / "notes.txt").write_text("not a video")
    return tmp_path / "old"


def test_the_command_makes_all_files_of_a_folder_and_goes_on_where_it_stopped(folder, tmp_path, capsys):
    new = tmp_path / "new"
    words = ["data", "transcode", str(folder), "--out", str(new), "--json", str(tmp_path / "made.json")]
    assert main([*words, "--threads", "2"]) == 1  # all but one
    figures = json.loads((tmp_path / "made.json").read_text())["figures"]
    assert figures["files"] == [str(new / "a.mp4"), str(new / "walk" / "b.mp4")]
    assert figures["frames"] == 10
    assert list(figures["failed"]) == [str(folder / "walk" / "broken.mp4")]
    assert "not made: " in capsys.readouterr().out
    before = (new / "a.mp4").stat().st_mtime_ns
    (new / "walk" / "b.mp4").unlink()
    assert main(words) == 1
    figures = json.loads((tmp_path / "made.json").read_text())["figures"]
    assert figures["files"] == [str(new / "walk" / "b.mp4")]
    assert figures["kept"] == 1
    assert (new / "a.mp4").stat().st_mtime_ns == before
    assert sorted(video_files(new)) == [new / "a.mp4", new / "walk" / "b.mp4"]
    (folder / "walk" / "broken.mp4").unlink()
    assert main(words) == 0
    capsys.readouterr()
    assert main([*words, "--codec", "h264"]) == 1
    error = capsys.readouterr().err
    for name in ("a.mp4", "walk/b.mp4"):
        assert (
            f"{new / name}: is there already, made in another way (codec mpeg4, not h264; quality 4, not 23)" in error
        )
    assert "--overwrite true" in error
    assert main([*words, "--overwrite", "true", "--codec", "h264"]) == 0
    assert video_info(new / "a.mp4").codec == "h264"
    encoded(new / "a.mp4", "mpeg4", pictures[:5])
    assert main([*words, "--codec", "h264"]) == 1
    assert "a.mp4: is there already, and was not made by this command" in capsys.readouterr().err


def test_a_source_that_changed_is_noticed(folder, tmp_path, capsys):
    words = ["data", "transcode", str(folder / "a.avi"), "--folder", str(tmp_path)]
    assert main(words) == 0
    assert main(words) == 0
    encoded(folder / "a.avi", "mpeg4", pictures[:9])
    assert main(words) == 1
    assert "made in another way (bytes " in capsys.readouterr().err


def test_all_files_that_cannot_be_read_are_named(folder, tmp_path, capsys):
    (folder / "a.avi").write_bytes(b"")
    (folder / "walk" / "b.mkv").write_bytes(b"nothing")
    assert main(["data", "transcode", str(folder), "--folder", str(tmp_path / "new")]) == 1
    error = capsys.readouterr().err
    for name in ("a.avi", "walk/b.mkv", "walk/broken.mp4"):
        assert f"{folder / name}: " in error


def test_the_new_files_may_lie_in_the_folder_of_the_old(folder):
    words = ["data", "transcode", str(folder), "--folder", str(folder / "new")]
    (folder / "walk" / "broken.mp4").unlink()
    assert main(words) == 0
    assert main([*words, "--overwrite", "true"]) == 0
    assert sorted(path.name for path in (folder / "new").rglob("*.mp4")) == ["a.mp4", "b.mp4"]


def test_what_cannot_be_done_is_said_in_one_line(folder, tmp_path, capsys):
    av.VideoFrame.from_ndarray(pictures[0]).to_image().save(folder / "picture.png")
    (folder / "notes").mkdir()
    (tmp_path / "new").mkdir()
    cases = [
        ([str(folder / "walk" / "broken.mp4")], "broken.mp4: no video file, or a broken one"),
        ([str(tmp_path / "none")], "no such file or folder"),
        ([str(folder), "--quality", "40"], "mpeg4 takes 1 (best) to 31 (worst)"),
        ([str(folder), "--group", "0"], "1 to 600"),
        ([str(folder / "picture.png")], "picture.png: a picture (png), not a video"),
        ([str(folder / "notes")], "there is no video file in this folder (.3gp .asf .avi "),
        ([str(tmp_path / "new")], "--folder is the source itself; name another"),
    ]
    for words, message in cases:
        assert main(["data", "transcode", *words, "--folder", str(tmp_path / "new")]) != 0
        assert message in capsys.readouterr().err
    (folder / "a.mp4").write_bytes((folder / "a.avi").read_bytes())
    assert main(["data", "transcode", str(folder), "--folder", str(tmp_path / "new")]) == 1
    assert "all would become" in capsys.readouterr().err
