import io

import numpy as np
import pytest
from video_samples import decoded, moving_texture

from spikelab.video.decode import video_info
from spikelab.video.errors import VideoError
from spikelab.video.pyav import av
from spikelab.video.write import encode_video, write_video

frames = moving_texture(frames=14, height=64, width=80)


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
@pytest.mark.parametrize("container", ["mp4", "avi", "matroska"])
def test_the_same_pictures_give_the_same_bytes(codec, container):
    first = encode_video(frames, codec, container=container)
    assert encode_video(list(frames), codec, container=container) == first


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
@pytest.mark.parametrize("group", [1, 5, 12])
def test_groups_have_the_length_asked_for_and_no_b_frames(codec, group, tmp_path):
    path = tmp_path / "clip.mp4"
    assert write_video(path, frames, codec, group) == len(frames)
    with av.open(str(path)) as container:
        kinds = [int(frame.pict_type) for frame in container.decode(video=0)]
    assert kinds == [1 if place % group == 0 else 2 for place in range(len(frames))]


@pytest.mark.parametrize("rate", [5, 12.5, 30000 / 1001])
def test_the_rate_is_kept(rate, tmp_path):
    write_video(tmp_path / "clip.mp4", frames, rate=rate)
    assert video_info(tmp_path / "clip.mp4").rate == pytest.approx(rate)


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
def test_better_quality_is_nearer_to_the_pictures_and_larger(codec, tmp_path):
    sizes, errors = [], []
    for quality in (2, 30):
        write_video(tmp_path / "clip.mp4", frames, codec, quality=quality)
        sizes.append((tmp_path / "clip.mp4").stat().st_size)
        found = decoded(tmp_path / "clip.mp4").transpose(0, 2, 3, 1)
        errors.append(np.abs(found.astype(int) - frames).mean())
    assert sizes[0] > 2 * sizes[1]
    assert errors[0] < 6
    assert errors[0] < errors[1]


def test_small_blocks_have_vectors_of_their_own(tmp_path):
    from spikelab.video.reader import VideoReader

    # two textures that move differently, in stripes of 8 pixels
    moved = moving_texture(14, 64, 80, step=(-4, 0), seed=3)
    mixed = np.where((np.arange(64) // 8 % 2 == 0)[None, :, None, None], frames, moved)
    mixed[:, :, :32] = frames[:, :, :32]
    sides = {}
    for small in (False, True):
        write_video(tmp_path / "clip.mp4", mixed, small_blocks=small)
        with VideoReader(tmp_path / "clip.mp4") as reader:
            sides[small] = {
                int(side) for group in reader for each in group.predicted for side in each.vectors.blocks[:, 2]
            }
    assert sides == {False: {16}, True: {8, 16}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": []}, "no picture"),
        ({"frames": frames[:, :63]}, "80 x 63 cannot be written"),
        ({"frames": frames[:, :, :, 0]}, r"must be uint8 \[H, W, 3\]"),
        ({"frames": frames.astype(np.float32)}, "float32"),
        ({"frames": [frames[0], frames[0, :32]]}, "picture 1 is 80 x 32, those before it 80 x 64"),
        ({"codec": "vp9"}, "use one of mpeg4, h264"),
        ({"quality": 0}, "takes 1"),
        ({"codec": "h264", "quality": 52}, "takes 0"),
        ({"group": 0}, "group = 0"),
        ({"rate": 0}, "rate = 0"),
        ({"container": "paper"}, "no such kind of file"),
    ],
)
def test_what_cannot_be_written_is_refused(options, message):
    with pytest.raises(VideoError, match=message):
        encode_video(**({"frames": frames} | options))


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"old")

    def breaks_off():
        yield frames[0]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_video(path, breaks_off())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(VideoError, match="suffix"):
        write_video(tmp_path / "clip.paper", frames)
    with pytest.raises(FileNotFoundError, match="make it first"):
        write_video(tmp_path / "none" / "clip.mp4", frames)
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_are_a_file(tmp_path):
    write_video(tmp_path / "clip.mp4", frames)
    data = encode_video(frames)
    assert (tmp_path / "clip.mp4").read_bytes() == data
    with av.open(io.BytesIO(data)) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(frames)
