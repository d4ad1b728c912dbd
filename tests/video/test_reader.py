import re
import warnings

import numpy as np
import pytest
from video_samples import decoded, moving_texture

from spikelab.video.decode import CODECS_WITH_VECTORS, video_info
from spikelab.video.errors import VideoError, VideoWarning
from spikelab.video.groups import VideoInfo
from spikelab.video.motion import block_motion, dense_motion
from spikelab.video.pictures import read_pictures
from spikelab.video.pyav import av
from spikelab.video.reader import VideoReader, read_video
from spikelab.video.reconstruct import reconstruct

#: Every way to read a file.
WAYS = [
    {"accumulate": accumulate, "colour": colour, "interpolation": interpolation}
    for accumulate in (True, False)
    for colour in ("rgb", "luma")
    for interpolation in ("auto", "half", "integer")
]


def encoded(path, encoder, pictures, **options):
    """A file of any codec, with the encoder's own group structure."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=25)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt, stream.bit_rate = "yuvj420p" if encoder == "mjpeg" else "yuv420p", 2_000_000
        stream.options = {"x265-params": "log-level=none"} | options
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    return path


def together(groups):
    return np.concatenate([reconstruct(group) for group in groups])


def test_a_file_says_what_it_holds(clips):
    for codec, subpixel in (("mpeg4", 2), ("h264", 4)):
        with VideoReader(clips[codec]) as reader:
            frames = {"I": 3, "P": 27, "B": 0}
            assert reader.info == VideoInfo(str(clips[codec]), codec, 128, 96, frames, 25.0, subpixel)


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_groups_put_together_are_what_the_decoder_gives(clips, codec, way):
    groups = read_video(clips[codec], **way)
    assert [(group.frame, len(group.predicted)) for group in groups] == [(0, 11), (12, 11), (24, 5)]
    assert [each.index for group in groups for each in group.predicted] == [k for k in range(30) if k % 12]
    np.testing.assert_array_equal(together(groups), decoded(clips[codec], way["colour"]))
    channels = 3 if way["colour"] == "rgb" else 1
    for group in groups:
        assert group.accumulated == way["accumulate"]
        assert group.image.shape == (channels, 96, 128)
        for each in group.predicted:
            assert each.motion.dtype == (np.int16 if way["accumulate"] else np.float32)
            assert each.motion.shape == (2, 96, 128)
            assert each.residual.dtype == np.int16
            assert each.residual.shape == (channels, 96, 128)


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
def test_vectors_say_how_far_the_content_moved(clips, codec):
    for group in read_video(clips[codec], accumulate=False):
        for each in group.predicted:
            np.testing.assert_allclose(np.median(each.motion, (1, 2)), (3, 2), atol=0.25)
            np.testing.assert_array_equal(each.motion, dense_motion(each.vectors, 96, 128))
    for group in read_video(clips[codec]):
        for steps, each in enumerate(group.predicted, 1):
            # what came in at the left and at the top was never in the I-frame
            inner = each.motion[:, 2 * steps + 8 :, 3 * steps + 8 :]
            np.testing.assert_allclose(np.median(inner, (1, 2)), (3 * steps, 2 * steps), atol=1)


def test_the_residual_of_mpeg4_is_what_the_file_codes(clips):
    """Most blocks of 8 x 8 have none at all, which only the codec's own prediction leaves."""

    def empty_blocks(interpolation):
        groups = read_video(clips["mpeg4"], **one_step, interpolation=interpolation)
        cells = np.stack([each.residual[0] for group in groups for each in group.predicted]).reshape(-1, 12, 8, 16, 8)
        return (cells == 0).all((2, 4)).mean()

    one_step = {"accumulate": False, "colour": "luma"}
    assert read_video(clips["mpeg4"], **one_step)[0].interpolation == "half"
    assert read_video(clips["h264"], **one_step)[0].interpolation == "integer"
    assert empty_blocks("auto") == empty_blocks("half")
    assert empty_blocks("auto") > 0.5


def test_parts_of_a_file_are_those_of_the_whole(clips):
    whole = read_video(clips["mpeg4"])
    part = read_video(clips["mpeg4"], groups=[2, 0], predicted=3)
    assert [(group.index, len(group.predicted)) for group in part] == [(0, 3), (2, 3)]
    for group in part:
        for mine, all_of_it in zip(group.predicted, whole[group.index].predicted, strict=False):
            np.testing.assert_array_equal(mine.motion, all_of_it.motion)
            np.testing.assert_array_equal(mine.residual, all_of_it.residual)
    assert read_video(clips["mpeg4"], groups=[7]) == []
    assert all(not group.predicted for group in read_video(clips["mpeg4"], predicted=0))


def test_pictures_are_those_that_groups_are_put_together_to(clips, tmp_path):
    whole = read_pictures(clips["h264"])
    np.testing.assert_array_equal(np.concatenate(whole), together(read_video(clips["h264"])))
    part = read_pictures(clips["h264"], groups=[2, 0], predicted=3, size=(48, 64))
    assert [group.shape for group in part] == [(4, 3, 48, 64)] * 2
    np.testing.assert_array_equal(part[1][0], read_video(clips["h264"], groups=[2], size=(48, 64))[0].image)
    assert read_pictures(clips["h264"], groups=[7]) == []
    # vectors are not asked for
    any_codec = encoded(tmp_path / "clip.webm", "libvpx-vp9", moving_texture(4))
    assert len(np.concatenate(read_pictures(any_codec))) == 4


@pytest.mark.parametrize("accumulate", [True, False])
@pytest.mark.parametrize("size", [(48, 64), (50, 70), (192, 256)])
def test_resized_groups_are_those_of_resized_pictures(clips, accumulate, size):
    groups = read_video(clips["h264"], accumulate=accumulate, size=size)
    np.testing.assert_array_equal(together(groups), decoded(clips["h264"], size=size))
    moved = np.median(groups[0].predicted[0].motion, (1, 2))
    np.testing.assert_allclose(moved, (3 * size[1] / 128, 2 * size[0] / 96), atol=1 if accumulate else 0.2)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
def test_threads_change_nothing(clips, codec, threads):
    for one, several in zip(read_video(clips[codec]), read_video(clips[codec], threads=threads), strict=True):
        for a, b in zip(one.predicted, several.predicted, strict=True):
            np.testing.assert_array_equal(a.vectors.vectors, b.vectors.vectors)
            np.testing.assert_array_equal(a.residual, b.residual)


def test_threads_that_share_slices_change_nothing(tmp_path):
    path = encoded(tmp_path / "clip.mkv", "libx264", moving_texture(), **{"x264-params": "slices=4"})
    runs = [read_video(path, accumulate=False, threads=threads) for threads in (1, 4)]
    for one, several in zip(*runs, strict=True):
        np.testing.assert_array_equal(one.image, several.image)
        for a, b in zip(one.predicted, several.predicted, strict=True):
            np.testing.assert_array_equal(a.vectors.vectors, b.vectors.vectors)
            np.testing.assert_array_equal(a.residual, b.residual)


def test_b_frames_are_dropped_or_refused(tmp_path):
    pictures = moving_texture()
    path = encoded(tmp_path / "clip.mkv", "libx264", pictures, bf="3", g="12")
    info = video_info(path)
    assert info.frames["B"] > 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        groups = read_video(path, b_frames="drop")
    with pytest.warns(VideoWarning, match=rf"clip\.mkv: {info.frames['B']} B-frames were dropped.*data transcode"):
        read_video(path)
    assert len(groups) == info.frames["I"]
    assert sum(len(group.predicted) for group in groups) == info.frames["P"]
    np.testing.assert_array_equal(together(groups), decoded(path))
    with pytest.raises(VideoError, match=r"is a B-frame; make one that is with: spikelab data transcode"):
        read_video(path, b_frames="error")


#: Codec -> (FFmpeg's encoder, a container that takes it).
ENCODERS = {
    "mpeg4": ("mpeg4", "avi"), "h264": ("libx264", "mkv"), "mpeg1video": ("mpeg1video", "mpg"),
    "mpeg2video": ("mpeg2video", "mkv"), "h263": ("h263", "3gp"), "h263p": ("h263p", "avi"), "flv1": ("flv", "flv"),
    "msmpeg4v2": ("msmpeg4v2", "avi"), "msmpeg4v3": ("msmpeg4", "avi"), "wmv1": ("wmv1", "avi"),
    "wmv2": ("wmv2", "avi"),
}  # fmt: skip


@pytest.mark.parametrize("codec", CODECS_WITH_VECTORS)
def test_every_codec_that_is_said_to_have_vectors_has_them(codec, tmp_path):
    encoder, container = ENCODERS[codec]
    path = encoded(
        tmp_path / f"clip.{container}",
        encoder,
        moving_texture(14, 144, 176),
        bf="0",
        **{"x264-params": "ref=1:weightp=0"},
    )
    groups = read_video(path, accumulate=False)
    assert sum(len(each.vectors) for group in groups for each in group.predicted) > 300
    np.testing.assert_array_equal(together(groups), decoded(path))
    moved = np.median([np.median(each.motion, (1, 2)) for group in groups for each in group.predicted], 0)
    np.testing.assert_allclose(moved, (3, 2), atol=0.5)


@pytest.mark.parametrize(
    ("encoder", "name"), [("libx265", "hevc"), ("libvpx-vp9", "vp9"), ("libsvtav1", "av1"), ("mjpeg", "mjpeg")]
)
def test_codecs_without_vectors_are_refused_with_the_remedy(encoder, name, tmp_path):
    path = encoded(tmp_path / "clip.mkv", encoder, moving_texture(5))
    with pytest.raises(VideoError, match=rf"clip\.mkv: FFmpeg gives no motion vectors of {name}.*data transcode"):
        VideoReader(path)
    assert sum(video_info(path).frames.values()) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "blue"}, "colour = 'blue': use one of rgb, luma"),
        ({"interpolation": "cubic"}, "use one of auto, half, integer"),
        ({"b_frames": "keep"}, "use one of warn, drop, error"),
        ({"size": (0, 64)}, "give height and width"),
        ({"size": 64}, "size = 64: give height and width"),
        ({"groups": 3}, "groups = 3: give a list of indices from 0"),
        ({"groups": [0, -1]}, "give a list of indices from 0"),
        ({"predicted": -1}, "predicted = -1"),
        ({"predicted": "3"}, "predicted = '3'"),
        ({"threads": 0}, "threads = 0"),
        ({"threads": "2"}, "threads = '2': use a whole number"),
        ({"threads": True}, "threads = True"),
        ({"accumulate": "no"}, "accumulate = 'no': use one of True, False"),
        ({"accumulate": 1}, "accumulate = 1"),
        ({"colours": "yes"}, "colours = 'yes'"),
    ],
)
def test_unknown_choices_are_refused(clips, options, message):
    with pytest.raises(VideoError, match=message):
        VideoReader(clips["mpeg4"], **options)


def test_a_closed_reader_ends_its_passes(clips):
    with VideoReader(clips["mpeg4"]) as reader:
        groups = iter(reader)
        assert next(groups).index == 0
    assert next(groups, None) is None
    assert len(list(reader)) == 3  # another pass opens the file again


def test_the_package_gives_what_one_meets_first():
    import spikelab.video

    assert spikelab.video.VideoReader is VideoReader
    for name in spikelab.video.__all__:
        assert callable(getattr(spikelab.video, name))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = spikelab.video.nothing


def test_groups_are_shown_in_one_line(clips):
    group = read_video(clips["mpeg4"])[1]
    assert repr(group) == ("GroupOfPictures(index=1, frame=12, 128 x 96, 3 channels, 11 P-frames against the I-frame)")
    assert re.fullmatch(r"PredictedFrame\(index=13, 128 x 96, 3 channels, \d+ vectors\)", repr(group.predicted[0]))


def test_functions_say_what_they_take(clips):
    groups = read_video(clips["mpeg4"])
    frame = groups[0].predicted[0]
    with pytest.raises(TypeError, match=r"reconstruct takes one GroupOfPictures.*not a list"):
        reconstruct(groups)
    with pytest.raises(TypeError, match=r"takes MotionVectors, such as .*, not a PredictedFrame"):
        block_motion(frame, 96, 128)
    with pytest.raises(ValueError, match=r"block = 2\.5: give a whole number"):
        block_motion(frame.vectors, 96, 128, 2.5)
    with pytest.raises(ValueError, match="height = '96'"):
        block_motion(frame.vectors, "96", 128)


def test_a_picture_is_no_video(tmp_path):
    from PIL import Image

    for name in ("a.png", "a.jpg", "b.png.mp4"):
        Image.fromarray(moving_texture(1)[0]).save(tmp_path / name, "jpeg" if "jpg" in name else "png")
        with pytest.raises(VideoError, match=rf"{name}: a picture .*, not a video"):
            VideoReader(tmp_path / name)


def test_without_pyav_the_error_says_what_to_install(monkeypatch):
    import importlib
    import sys

    from spikelab.video import pyav

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"pip install 'spikelab\[video\]'"):
        importlib.reload(pyav)
