"""Broken files: a clear error, or the readable part and a warning; never anything else."""

import random
import re
import warnings

import numpy as np
import pytest
from video_samples import decoded, moving_texture

from spikelab.video.errors import VideoError, VideoWarning
from spikelab.video.reader import VideoReader, read_video
from spikelab.video.reconstruct import reconstruct
from spikelab.video.write import encode_video


@pytest.fixture(scope="module")
def files():
    pictures = moving_texture(30, 64, 80)
    kinds = [("mpeg4", "avi"), ("mpeg4", "mp4"), ("h264", "matroska"), ("h264", "mp4")]
    return {f"{codec}.{container}": encode_video(pictures, codec, container=container) for codec, container in kinds}


def read(path):
    """What comes of a file: pictures put together, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        groups = read_video(path)
    assert all(each.category is VideoWarning for each in caught)
    return [picture for group in groups for picture in reconstruct(group)], [str(each.message) for each in caught]


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264.matroska"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_the_readable_part_of_a_truncated_file_is_given(files, name, share, tmp_path):
    whole, cut = tmp_path / f"whole.{name}", tmp_path / f"cut.{name}"
    whole.write_bytes(files[name])
    # most of this small AVI file is room for an index, before the pictures
    start, end = (files[name].find(b"movi"), files[name].find(b"idx1")) if "avi" in name else (0, len(files[name]))
    cut.write_bytes(files[name][: start + int(share * (end - start))])
    found, messages = read(cut)
    assert 5 < len(found) < 30
    np.testing.assert_array_equal(found[:-1], decoded(whole)[: len(found) - 1])
    if "avi" in name:  # it says how many frames there ought to be
        assert len(messages) == 1
        assert "frames are missing" in messages[0]
    elif share < 0.7:  # Matroska says how long it ought to be
        assert len(messages) == 1
        assert re.search(r"it ends after [\d.]+ of 1\.20 seconds", messages[0])


def test_an_mp4_file_without_its_end_is_refused(files, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(files["mpeg4.mp4"][:-2000])
    with pytest.raises(VideoError, match=r"clip\.mp4: no video file, or a broken one"):
        VideoReader(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"not a video " * 100, "no video file, or a broken one")],
)
def test_what_is_no_video_is_refused(content, message, tmp_path):
    path = tmp_path / "clip.avi"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=rf"clip\.avi: {message}"):
        VideoReader(path)


def test_a_path_without_a_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        VideoReader(tmp_path / "none.mp4")
    with pytest.raises(FileNotFoundError, match="a folder, not a video file"):
        VideoReader(tmp_path)


def test_a_sound_file_is_refused(tmp_path):
    import wave

    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "NONE"))
        file.writeframes(bytes(16000))
    with pytest.raises(VideoError, match="there is no video in this file"):
        VideoReader(tmp_path / "sound.wav")


def test_frames_before_the_first_i_frame_are_left_out(files, tmp_path):
    from spikelab.video.pyav import av

    whole, path = tmp_path / "whole.avi", tmp_path / "cut.avi"
    whole.write_bytes(files["mpeg4.avi"])
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for place, packet in enumerate(source.demux(video=0)):
            if place >= 3 and packet.size:
                packet.stream = stream
                target.mux(packet)
    found, messages = read(path)
    np.testing.assert_array_equal(found, decoded(whole)[12:])
    assert any("before the first I-frame" in message for message in messages)


@pytest.mark.parametrize("seed", range(120))
def test_random_damage_gives_an_error_or_the_readable_part(files, seed, tmp_path):
    chance = random.Random(seed)
    name = chance.choice(sorted(files))
    data = bytearray(files[name])
    place = chance.randrange(len(data))
    match chance.choice(("cut", "flip", "head", "zero", "hole")):
        case "cut":
            del data[place:]
        case "flip":
            for _ in range(chance.choice((1, 10, 100))):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case "head":
            for _ in range(chance.choice((1, 5, 30))):
                data[chance.randrange(min(600, len(data)))] = chance.randrange(256)
        case "zero":
            data[place : place + 500] = bytes(len(data[place : place + 500]))
        case "hole":
            del data[place : place + chance.randrange(2000)]
    path = tmp_path / name
    path.write_bytes(data)
    try:
        pictures, _ = read(path)
        assert all(picture.shape == pictures[0].shape for picture in pictures)
    except VideoError as error:
        if str(path) not in str(error):
            raise
