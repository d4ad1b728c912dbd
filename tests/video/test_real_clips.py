"""Real clips of UCF-101, HMDB-51 and Kinetics-400, against what SOURCE.md beside them says."""

import re
import warnings

import numpy as np
import pytest
from video_samples import decoded

from spikelab.video.decode import CODECS_WITH_VECTORS, video_info
from spikelab.video.errors import VideoError
from spikelab.video.reader import VideoReader
from spikelab.video.reconstruct import reconstruct

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def stated(shared):
    """File -> the counts of I-, P- and B-frames, or of all frames, in the table of SOURCE.md."""
    folder = shared / "data" / "video_clips"
    if not (folder / "SOURCE.md").is_file():
        pytest.skip(f"no clips in {folder}")
    found = {}
    for line in (folder / "SOURCE.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        counts = [[int(n) for n in re.findall(r"\d+", part)] for part in cells[-1].split(",")]
        if len(cells) != 4 or not any(counts):
            continue
        patterns = re.findall(r"\S+\.(?:avi|mkv|mp4)", cells[0])
        for pattern, numbers in zip(patterns, counts, strict=True):
            (path,) = folder.glob(pattern.rstrip(",;"))
            found[path] = numbers
    on_disk = {path for path in folder.iterdir() if path.suffix in (".avi", ".mkv", ".mp4")}
    assert found.keys() == on_disk, "SOURCE.md and the folder disagree"
    return found


def has_vectors(path):
    return video_info(path).codec in CODECS_WITH_VECTORS


def test_types_and_counts_of_frames_are_as_stated(stated):
    assert len(stated) >= 7
    for path, numbers in stated.items():
        frames = video_info(path).frames
        assert (list(frames.values()) if len(numbers) == 3 else [sum(frames.values())]) == numbers, path.name
        if has_vectors(path):
            groups = [len(group.predicted) for group in VideoReader(path, colour="luma", size=(16, 16))]
            assert [len(groups), sum(groups)] == numbers[:2], path.name


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [True, False])
def test_every_picture_is_put_together_exactly(stated, accumulate):
    tried = set()
    for path, numbers in stated.items():
        if not has_vectors(path):
            continue
        tried.add(video_info(path).codec)
        truth = iter(decoded(path))
        count = 0
        for group in VideoReader(path, accumulate=accumulate, b_frames="drop"):
            for picture in reconstruct(group):
                np.testing.assert_array_equal(picture, next(truth))
                count += 1
        assert count == sum(numbers[:2]), path.name
    assert {"mpeg4", "h264"} <= tried


def test_two_runs_and_any_number_of_threads_are_the_same(stated):
    for path in stated:
        if not has_vectors(path):
            continue
        options = {"colour": "luma", "accumulate": False, "b_frames": "drop"}
        runs = [VideoReader(path, **options, threads=threads) for threads in (1, 1, 2, 4)]
        for groups in zip(*runs, strict=True):
            for first, *others in zip(*(group.predicted for group in groups), strict=True):
                for other in others:
                    np.testing.assert_array_equal(first.vectors.blocks, other.vectors.blocks)
                    np.testing.assert_array_equal(first.vectors.vectors, other.vectors.vectors)
                    np.testing.assert_array_equal(first.residual, other.residual)


def test_a_codec_without_vectors_is_refused_with_the_remedy(stated):
    refused = [path for path in stated if not has_vectors(path)]
    assert refused
    for path in refused:
        with pytest.raises(VideoError, match=rf"{path.name}: FFmpeg gives no motion vectors of hevc.*data transcode"):
            VideoReader(path)


def test_broken_metadata_do_not_matter(stated):
    from spikelab.video.pyav import av

    broken = []
    for path in stated:
        try:
            av.open(str(path)).close()
        except UnicodeDecodeError:
            broken.append(path)
    assert broken
    for path in broken:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert next(iter(VideoReader(path, b_frames="drop"))).image.shape[0] == 3


def test_the_residual_of_ucf_is_what_the_file_codes(stated):
    """Blocks of 8 x 8 that the codec left as predicted: 69 % and 88 % of those of the two clips."""
    for path in (path for path in stated if path.name.startswith("v_SoccerJuggling")):
        empty = {}
        for interpolation in ("half", "integer"):
            groups = VideoReader(path, colour="luma", accumulate=False, interpolation=interpolation)
            left = np.stack([each.residual[0] for group in groups for each in group.predicted])
            cells = left.reshape(len(left), left.shape[1] // 8, 8, left.shape[2] // 8, 8)
            empty[interpolation] = (cells == 0).all((2, 4)).mean(), np.abs(left).mean()
        assert empty["half"][0] > 0.65
        assert empty["half"][0] >= empty["integer"][0]
        assert empty["half"][1] < 0.9 * empty["integer"][1]
