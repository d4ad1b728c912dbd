"""Moving shapes: real video files that depend on the seed only, and what their halves do not tell."""

import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from spikelab.datasets.cache import CacheFileError
from spikelab.datasets.videos import moving_shapes
from spikelab.datasets.videos.moving_shapes import MovingShapes, MovingShapesSettings, encode_clip, make_pictures
from spikelab.datasets.videos.moving_shapes_render import COLOURS, CONTOURS, LUMA, MOTIONS, draw_clip, pose, render_clip
from spikelab.datasets.videos.samples import read_arrays
from spikelab.registry import load
from spikelab.report import data as data_commands
from spikelab.settings import DataCheck, DataMake
from spikelab.video.pictures import read_pictures
from spikelab.video.reader import VideoReader

SMALL = {"height": 48, "width": 48, "progress": False, "workers": 1}
SETTINGS = MovingShapesSettings()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("moving_shapes")


@pytest.fixture(scope="module")
def clips(cache):
    """One clip of each class at the usual size."""
    return MovingShapes("train", samples=30, progress=False, workers=1, cache=cache)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read(tmp_path, content, **options):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    return read_arrays(path, 11, **options)


def test_sample_has_the_declared_shapes_types_and_ranges(clips):
    assert len(clips.class_names) == len(clips) == 30
    assert load("datasets", "moving_shapes") is MovingShapes
    for index, sample in ((0, clips[0]), (29, clips[-1])):
        shapes = {key: (tuple(value.shape), value.dtype) for key, value in sample.items()}
        assert shapes == {
            "image": ((2, 3, 96, 96), torch.float32),
            "motion": ((2, 11, 2, 96, 96), torch.float32),
            "residual": ((2, 11, 1, 96, 96), torch.float32),
            "valid": ((2, 11), torch.bool),
            "label": ((), torch.int64),
        }
        assert sample["valid"].all()
        assert 0 <= sample["image"].min() < sample["image"].max() <= 1
        assert -1 <= sample["residual"].min() < 0 < sample["residual"].max() <= 1
        assert sample["label"] == index
    batch = next(iter(DataLoader(clips, batch_size=3)))
    assert batch["motion"].shape == (3, 2, 11, 2, 96, 96)
    with pytest.raises(IndexError, match="sample 30 of 30"):
        clips[30]


def test_files_are_compressed_video_without_b_frames(clips):
    with VideoReader(clips.path(4)) as reader:
        assert (reader.info.codec, reader.info.frames) == ("mpeg4", {"I": 2, "P": 22, "B": 0})
        assert all(len(group.predicted) == 11 for group in reader)


def test_h264(tmp_path):
    data = MovingShapes("train", **SMALL, codec="h264", samples=1, cache=tmp_path)
    with VideoReader(data.path(0)) as reader:
        assert (reader.info.codec, reader.info.frames) == ("h264", {"I": 2, "P": 22, "B": 0})
    one_step = MovingShapes("train", **SMALL, codec="h264", samples=1, cache=tmp_path, accumulate=False)
    assert one_step.folder == data.folder
    assert one_step[0]["motion"].abs().max() >= 0.5


def test_first_pictures_are_the_same_whatever_the_motion(tmp_path):
    """So I-frames, the only pictures that a model sees, cannot tell the motion: their decoded bytes are equal."""
    for index in (0, 7):
        images, later = [], []
        for motion in range(len(MOTIONS)):
            pictures = make_pictures(SETTINGS, "train", index, motion=motion)
            images.append(read(tmp_path, encode_clip(SETTINGS, pictures)).image)
            later.append(pictures[11])
        assert all(np.array_equal(images[0], image) for image in images)
        differ = [np.abs(a.astype(int) - b).mean() for n, a in enumerate(later) for b in later[:n]]
        assert min(differ) > 1.0


def test_groups_are_new_shots(clips):
    first, second = clips[0]["image"]
    assert (first - second).abs().mean() > 0.05


def test_luma_is_the_same_whatever_the_colour(tmp_path):
    """So P-frames as vectors and luma residuals cannot tell the colour; RGB residuals can."""
    factors = np.array([0.299, 0.587, 0.114])
    for index in (0, 11):
        same = [make_pictures(SETTINGS, "train", index, identity=colour) for colour in range(3)]
        lumas = [pictures @ factors for pictures in same]
        assert min(np.abs(a.astype(int) - b).max() for a, b in ((same[0], same[1]), (same[1], same[2]))) > 60
        # rounding of three channels, each by at most half a level
        assert max(np.abs(lumas[0] - luma).max() for luma in lumas) <= 1.0
        assert max(abs(lumas[0].mean() - luma.mean()) for luma in lumas) < 0.02
        coded = [read(tmp_path, encode_clip(SETTINGS, pictures)) for pictures in same]
        for one in coded[1:]:
            assert abs(one.residual.std() - coded[0].residual.std()) < 0.05 * coded[0].residual.std()
            assert abs(np.abs(one.motion.astype(float)).mean() - np.abs(coded[0].motion.astype(float)).mean()) < 0.2


def test_a_nearest_neighbour_knows_the_colour_from_i_frames_and_not_from_p_frames(cache):
    data = MovingShapes("train", **SMALL, label="identity", samples=240, accumulate=False, cache=cache)
    seen = {"image": [], "residual": []}
    labels = []
    for index in range(len(data)):
        sample = data[index]
        # chroma of the colourful pixels; and a summary of size and shape of the residuals
        chroma = sample["image"] - sample["image"].mean(1, keepdim=True)
        colourful = (chroma.abs().sum(1, keepdim=True) > 0.25).float()
        seen["image"].append((chroma * colourful).sum((0, 2, 3)) / colourful.sum().clamp(min=1))
        residual = sample["residual"]
        values = [
            residual.mean(),
            residual.std(),
            residual.abs().mean(),
            residual.abs().max(),
            (residual == 0).float().mean(),
        ]
        seen["residual"].append(torch.stack([*values, *(sample["motion"].abs().mean((0, 1, 3, 4)))]))
        labels.append(int(sample["label"]))
    y = torch.tensor(labels)
    accuracy = {}
    for key, rows in seen.items():
        x = torch.stack(rows)
        x = (x - x.mean(0)) / x.std(0).clamp(min=1e-9)
        distance = torch.cdist(x, x).fill_diagonal_(torch.inf)
        accuracy[key] = float((y[distance.argmin(1)] == y).double().mean())
    assert accuracy["image"] > 0.95
    # chance is a third; three standard deviations of 240 guesses are 0.09
    assert accuracy["residual"] < 0.43


def test_motions_are_what_they_are_called(clips):
    """The mean vector of the object's pixels, and how vectors turn and spread, by the sign that the name says."""
    shot = draw_clip(np.random.default_rng(0), 1, 0.0).shots[0]
    for time in (0.0, 5.0):
        assert pose("right", shot, time)[0] == -pose("left", shot, time)[0] == time * (1.2 + shot.speed)
        assert pose("down", shot, time)[1] == -pose("up", shot, time)[1] == time * (1.2 + shot.speed)
    assert all(pose(motion, shot, 0.0) == (0.0, 0.0, 0.0, 1.0) for motion in MOTIONS)
    vectors = {}
    for index in range(30):
        motion = clips[index]["motion"][:, -1].mean((0, 2, 3))
        vectors.setdefault(MOTIONS[index // 3], []).append(motion)
    means = {name: torch.stack(found).mean(0) for name, found in vectors.items()}
    assert means["right"][0] > 0.5 > -0.5 > means["left"][0]
    assert means["down"][1] > 0.5 > -0.5 > means["up"][1]
    with pytest.raises(ValueError, match="no motion 'jump'; there are left, right"):
        pose("jump", shot, 0.0)


@pytest.mark.parametrize(("motion", "sign"), [("turn clockwise", 1), ("turn counterclockwise", -1)])
def test_turns_go_the_way_that_they_are_called(motion, sign):
    """A square turned by 45 degrees clockwise on the screen: the corner at the top right comes to the right."""
    clip = draw_clip(np.random.default_rng(1), 1, 0.0)
    shot = dataclasses.replace(clip.shots[0], centre=(0.5, 0.5), angle=0.0, speed=0.0, radius=24.0)
    clip = dataclasses.replace(clip, contour=2, hue=110.0, shots=(shot,))
    pictures = render_clip(clip, motion, 7, 96, 96).astype(int)
    middles = []
    for picture in (pictures[0], pictures[6]):
        rows, columns = np.nonzero(picture[..., 0] - picture[..., 1] > 60)
        rows, columns = rows - 48.0, columns - 48.0
        farthest = np.hypot(rows, columns).argsort()[-1]
        middles.append((columns[farthest], rows[farthest]))
    (x, y), (later_x, later_y) = middles
    turned = math.degrees(math.atan2(x * later_y - y * later_x, x * later_x + y * later_y))
    expected = math.degrees(0.6)
    # modulo a third of a turn, as a triangle's corners are alike
    assert (sign * turned - expected + 60) % 120 - 60 == pytest.approx(0.0, abs=6.0)


def test_contours_have_the_same_area():
    areas = []
    for contour in range(3):
        clip = draw_clip(np.random.default_rng(1), 1, 0.0)
        shot = dataclasses.replace(clip.shots[0], centre=(0.5, 0.5), radius=20.0)
        picture = render_clip(dataclasses.replace(clip, contour=contour, hue=110.0, shots=(shot,)), "left", 1, 96, 96)
        areas.append(np.count_nonzero(picture[0, ..., 0].astype(int) - picture[0, ..., 1] > 50))
    assert np.ptp(areas) < 0.05 * np.mean(areas)
    assert np.mean(areas) == pytest.approx(math.pi * 400, rel=0.1)


def test_no_colour_is_clipped():
    pictures = np.stack([make_pictures(SETTINGS, "test", index) for index in range(6)])
    assert 0 < pictures.min()
    assert pictures.max() < 255
    assert abs((pictures @ np.array([0.299, 0.587, 0.114])).mean() - LUMA) < 3


def test_contour_identity_has_random_colours():
    settings = MovingShapesSettings(identity="contour", height=48, width=48)
    first, second = (make_pictures(settings, "train", 0, identity=contour) for contour in range(2))
    assert not np.array_equal(first, second)
    hues = {round(draw_clip(np.random.default_rng(seed), 1, 0.0).hue) for seed in range(20)}
    assert len(hues) > 15


def test_labels_and_class_names(tmp_path):
    options = SMALL | {"samples": 3, "cache": tmp_path, "groups": 1, "frames": 3}
    for label, names in (("motion", MOTIONS), ("identity", tuple(COLOURS))):
        data = MovingShapes("test", **options, label=label)
        assert data.class_names == names
        assert [int(data[index]["label"]) for index in range(3)] == ([0] * 3 if label == "motion" else [0, 1, 2])
    contour = MovingShapes("test", **options, identity="contour")
    assert contour.class_names[4] == "right, square"
    assert len(contour.class_names) == len(MOTIONS) * len(CONTOURS)
    assert {contour.label(index) for index in range(30)} == set(range(30))


def test_a_fast_camera_moves_the_background():
    still, fast = (
        make_pictures(MovingShapesSettings(camera=camera), "train", 15).astype(int)[:, :12]
        for camera in ("still", "fast")
    )
    # only the sensor's noise changes where nothing moves
    assert np.abs(still[1] - still[0]).mean() < 4 < np.abs(fast[11] - fast[0]).mean()


def test_same_bytes_for_any_number_of_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(moving_shapes, "SHARD", 2)
    settings = SMALL | {"samples": 5, "seed": 3}
    one = MovingShapes("train", **settings, cache=tmp_path / "one")
    two = MovingShapes("train", **(settings | {"workers": 2}), cache=tmp_path / "two")
    assert len(contents(one.folder)) == 5 + 3
    assert contents(one.folder) == contents(two.folder)


def test_an_interrupted_run_keeps_what_is_done_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(moving_shapes, "SHARD", 2)
    settings = SMALL | {"samples": 6}
    whole = MovingShapes("train", **settings, cache=tmp_path / "whole")
    made = []

    def interrupted(settings, split, index):
        made.append(index)
        if len(made) == 4:
            raise KeyboardInterrupt
        return make_pictures(settings, split, index)

    with monkeypatch.context() as patch:
        patch.setattr(moving_shapes, "make_pictures", interrupted)
        patch.setattr(moving_shapes, "_compile_renderer", lambda: None)
        with pytest.raises(KeyboardInterrupt):
            MovingShapes("train", **settings, cache=tmp_path / "cut")
    folder = tmp_path / "cut" / "datasets" / whole.folder.name
    lists = list(folder.glob("*.json"))
    assert len(lists) == 1
    changed = lists[0].stat().st_mtime_ns
    resumed = MovingShapes("train", **settings, cache=tmp_path / "cut")
    assert contents(resumed.folder) == contents(whole.folder)
    assert lists[0].stat().st_mtime_ns == changed


def test_a_clip_depends_on_seed_split_and_index_only(tmp_path):
    few = MovingShapes("train", **SMALL, samples=2, cache=tmp_path)
    more = MovingShapes("train", **SMALL, samples=3, cache=tmp_path)
    assert few.folder == more.folder
    for key, value in few[1].items():
        assert torch.equal(value, more[1][key])
    others = [make_pictures(SETTINGS, "test", 1), make_pictures(dataclasses.replace(SETTINGS, seed=1), "train", 1)]
    assert not any(np.array_equal(make_pictures(SETTINGS, "train", 1), other) for other in others)


def test_accumulation_and_steps_need_no_new_clips(tmp_path):
    accumulated = MovingShapes("train", **SMALL, samples=1, cache=tmp_path)
    single = MovingShapes("train", **SMALL, samples=1, cache=tmp_path, accumulate=False, steps=4, residual="rgb")
    assert accumulated.folder == single.folder
    assert single[0]["residual"].shape == (2, 4, 3, 48, 48)
    # the first P-frame refers to the I-frame either way, but accumulated vectors are whole pixels
    assert (accumulated[0]["motion"][:, 0] - single[0]["motion"][:, 0]).abs().max() < 1


def test_decoded_pictures_are_the_frames_of_the_file(tmp_path):
    options = {"samples": 3, "height": 32, "width": 48, "cache": tmp_path, "progress": False}
    compressed, decoded = MovingShapes("test", **options), MovingShapes("test", decoded=True, steps=5, **options)
    seen = decoded[2]
    assert seen["image"].shape == (12, 3, 32, 48)
    assert seen["motion"].shape == (12, 0, 2, 32, 48)
    assert torch.equal(seen["image"][::6], compressed[2]["image"])
    frames = np.concatenate(read_pictures(compressed.path(2)))
    assert frames.shape == (24, 3, 32, 48)
    assert np.array_equal((seen["image"] * 255).round().numpy(), np.concatenate([frames[:6], frames[12:18]]))


def test_random_crops_follow_epoch_and_index_and_tests_show_the_middle(tmp_path):
    options = SMALL | {"samples": 2, "cache": tmp_path, "groups": 1, "frames": 3}
    whole, cropped = MovingShapes("train", **options)[1], MovingShapes("train", **options, crop=(32, 40))
    first = cropped[1]
    places = [
        (top, left)
        for top in range(17)
        for left in range(9)
        if all(
            torch.equal(whole[key][..., top : top + 32, left : left + 40], first[key])
            for key in ("image", "motion", "residual")
        )
    ]
    assert len(places) == 1
    cropped.set_epoch(1)
    assert not torch.equal(first["image"], cropped[1]["image"])
    cropped.set_epoch(0)
    assert torch.equal(first["image"], cropped[-1]["image"])
    middle = MovingShapes("test", **options, crop=[32, 40])
    expected = MovingShapes("test", **options)[0]["image"][..., 8:40, 4:44]
    assert torch.equal(middle[0]["image"], expected)


def test_pickled_and_read_by_a_process_of_a_loader(clips):
    copy = pickle.loads(pickle.dumps(clips))
    assert torch.equal(copy[5]["residual"], clips[5]["residual"])
    batch = next(iter(DataLoader(clips, batch_size=2, num_workers=1)))
    assert torch.equal(batch["image"][1], clips[1]["image"])


def test_damage_is_found(tmp_path):
    options = SMALL | {"samples": 2, "cache": tmp_path}
    data = MovingShapes("train", **options)
    data.verify()
    path = data.path(1)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    MovingShapes("train", **options)
    with pytest.raises(CacheFileError, match=r"000002\.json: train-000001\.mp4, .*checksum.*Delete this file"):
        data.verify()
    path.write_bytes(content[:100])
    with pytest.raises(CacheFileError, match=r"000002\.json: train-000001\.mp4, .*cut short"):
        MovingShapes("train", **options)
    with pytest.raises(CacheFileError, match=r"000002\.json: a clip that it lists is damaged"):
        data[1]
    path.unlink()
    with pytest.raises(CacheFileError, match="is missing"):
        MovingShapes("train", **options)
    listed = next(data.folder.glob("*.json"))
    listed.unlink()
    assert torch.equal(MovingShapes("train", **options)[1]["image"], data[1]["image"])
    for wrong in ("[]", "{", json.dumps({"a": 1})):
        listed.write_text(wrong)
        with pytest.raises(CacheFileError, match=r"is no list|lists 0 clips"):
            MovingShapes("train", **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "val"}, r"split is 'val', must be one of train, validation, test"),
        ({"label": "shape"}, r"label is 'shape', must be one of joint, motion, identity"),
        ({"identity": "size"}, r"identity is 'size'"),
        ({"camera": "wild"}, r"camera is 'wild', must be one of still, slow, fast"),
        ({"codec": "hevc"}, r"codec is 'hevc'"),
        ({"residual": "none"}, r"residual is 'none'"),
        ({"height": 47}, r"height is 47, must be even"),
        ({"height": "48"}, r"height is '48', must be a whole number"),
        ({"quality": 99}, r"quality is 99, mpeg4 takes 1 \(best\) to 31"),
        ({"quality": "4"}, r"quality is '4', must be a whole number"),
        ({"accumulate": "no"}, r"accumulate is 'no', must be one of True, False"),
        ({"steps": 2.0}, r"steps is 2\.0, must be a whole number"),
        ({"groups": 0}, r"groups is 0"),
        ({"steps": 12}, r"steps is 12; a group has 11 P-frames"),
        ({"samples": 0}, r"samples is 0"),
        ({"seed": -1}, r"seed is -1"),
        ({"workers": 0}, r"workers is 0"),
        ({"crop": (64, 16)}, r"crop is \(64, 16\)"),
    ],
)
def test_bad_arguments(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        MovingShapes(**(SMALL | {"split": "train", "samples": 1, "cache": tmp_path} | changes))


def test_data_make_and_data_check(tmp_path):
    options = SMALL | {"samples": 30, "cache": str(tmp_path), "groups": 1, "frames": 3}
    made = data_commands.make(DataMake(name="moving_shapes", options=options, splits=["train", "test"]))
    assert made["splits"] == {"train": {"samples": 30}, "test": {"samples": 30}}
    checked = data_commands.check(DataCheck(name="moving_shapes", options=options, splits=["train"]))
    figures = checked["splits"]["train"]
    assert figures["problems"] == []
    assert figures["size"] == [48, 48]
    assert figures["classes"] == {name: pytest.approx(1 / 30) for name in figures["classes"]}
