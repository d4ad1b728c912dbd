"""Folders of action videos: layouts and lists, splits without leaks, and a cache that holds what was decoded."""

import csv
import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from refusing_maker import make_or_refuse
from torch.utils.data import DataLoader

from spikelab.cli import main
from spikelab.datasets import generate
from spikelab.datasets.cache import CacheFileError
from spikelab.datasets.videos import kept_videos, video_keeping
from spikelab.datasets.videos.action_clips import find_clips
from spikelab.datasets.videos.action_layouts import source_of
from spikelab.datasets.videos.action_videos import ActionVideos
from spikelab.datasets.videos.samples import VideoArrays, choose_groups, read_arrays
from spikelab.learn.build import build_dataset
from spikelab.registry import load
from spikelab.report import data as data_commands
from spikelab.settings import DataCheck, DataMake
from spikelab.video.errors import VideoError, VideoWarning
from spikelab.video.pyav import av
from spikelab.video.reader import read_video
from spikelab.video.write import write_video

SIZE = (32, 48)
OPTIONS = {"size": SIZE, "crop": None, "groups": 2, "kept": 3, "steps": 3}


def pictures(seed, frames=16, height=32, width=48):
    """A texture that moves to the right by two pixels a frame."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.integers(40, 200, (height // 4, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    return np.stack([wide[:, 60 - 2 * time : 60 - 2 * time + width] for time in range(frames)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video of four groups of four frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    write_video(path, pictures(0), group=4)
    return path


def place(clip, *paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, path)


@pytest.fixture
def ucf(tmp_path, clip):
    root = tmp_path / "data"
    listed = {"train": [], "test": []}
    for name in ("Archery", "Bowling"):
        for group in (1, 2, 3, 4):
            for number in (1, 2):
                relative = f"{name}/v_{name}_g{group:02d}_c{number:02d}.avi"
                place(clip, root / "UCF-101" / relative)
                listed["test" if group == 1 else "train"].append(relative)
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\r\n2 Bowling\r\n")
    (lists / "trainlist01.txt").write_text("".join(f"{p} {1 + ('Bowl' in p)}\n" for p in listed["train"]))
    (lists / "testlist01.txt").write_text("\n".join(listed["test"]) + "\n")
    return root


@pytest.fixture
def folders(tmp_path, clip):
    root = tmp_path / "data"
    place(clip, *(root / name / f"{name}_{number}.avi" for name in ("jump", "wave") for number in range(5)))
    return root


def names(found, split):
    return [path.name for path, _ in found.splits[split]]


def test_ucf101(ucf, tmp_path):
    found = find_clips(ucf, None, None, None)
    assert (found.layout, found.class_names, found.missing) == ("ucf101", ("Archery", "Bowling"), ())
    assert len(found.splits["train"]) == 12
    assert names(found, "test")[:2] == ["v_Archery_g01_c01.avi", "v_Archery_g01_c02.avi"]
    assert [label for _, label in found.splits["test"]] == [0, 0, 1, 1]
    data = {
        split: ActionVideos(split, folder=ucf, cache=tmp_path, **OPTIONS) for split in ("train", "validation", "test")
    }
    assert {split: len(each) for split, each in data.items()} == {"train": 8, "validation": 4, "test": 4}
    sources = {split: {source_of(path) for path in each.paths} for split, each in data.items()}
    assert not sources["train"] & sources["validation"] | sources["train"] & sources["test"]
    with pytest.raises(ValueError, match=r"trainlist03\.txt; there is no split_number 3"):
        ActionVideos("train", folder=ucf, split_number=3, cache=tmp_path, **OPTIONS)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("v_Archery_g08_c01.avi", "v_Archery_g08"),
        ("RATRACE_wave_f_nm_np1_fr_goo_37.avi", "RATRACE_wave"),
        ("hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi", "hmdb51_Turnk_r_Pippi_Michel_cartwheel"),
        ("clip_12.mp4", "clip_12"),
        ("abc_000010_000020.mp4", "abc_000010_000020"),
    ],
)
def test_recordings_are_told_by_their_names(name, source):
    assert source_of(Path(name)) == source


def test_clips_that_were_coded_anew_are_found_by_their_name(ucf):
    for path in list(ucf.rglob("*.avi")):
        path.rename(path.with_suffix(".mkv"))
    assert find_clips(ucf, "ucf101", None, 1).missing == ()


def test_missing_videos(ucf, tmp_path):
    (ucf / "UCF-101/Archery/v_Archery_g03_c01.avi").unlink()
    with pytest.raises(ValueError, match=r"1 listed videos .*Archery/v_Archery_g03_c01\.avi.*missing=skip"):
        ActionVideos("train", folder=ucf, cache=tmp_path, **OPTIONS)
    with pytest.warns(UserWarning, match="1 listed videos"):
        data = ActionVideos("train", folder=ucf, cache=tmp_path, missing="skip", validation=0.0, **OPTIONS)
    assert len(data) == 11


def test_hmdb51(tmp_path, clip):
    root, lists = tmp_path / "hmdb51_org", tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    for name in ("cartwheel", "wave"):
        place(clip, *(root / name / f"clip_{number}.avi" for number in range(3)))
        (lists / f"{name}_test_split1.txt").write_text("clip_0.avi 1 \nclip_1.avi 2 \nclip_2.avi 0 \n")
    found = find_clips(tmp_path, None, None, None)
    assert (found.layout, found.class_names) == ("hmdb51", ("cartwheel", "wave"))
    assert (names(found, "train"), names(found, "test")) == (["clip_0.avi"] * 2, ["clip_1.avi"] * 2)
    assert find_clips(root, None, lists, 1).splits == found.splits
    (lists / "wave_test_split1.txt").write_text("clip_0.avi 3\n")
    with pytest.raises(ValueError, match=r"wave_test_split1\.txt, line 1: '3' must be 0, 1"):
        find_clips(tmp_path, None, None, None)


def test_something_something(tmp_path, clip):
    template = "Holding [something] next to [something]"
    place(clip, *(tmp_path / "20bn-something-something-v2" / f"{number}.mp4" for number in (7, 8, 9)))
    labels = {"Approaching something": "0", "Holding something next to something": "1"}
    (tmp_path / "something-something-v2-labels.json").write_text(json.dumps(labels))
    train = [{"id": "7", "template": template}, {"id": "8", "template": "Approaching [something]"}]
    (tmp_path / "something-something-v2-train.json").write_text(json.dumps(train))
    (tmp_path / "something-something-v2-validation.json").write_text(json.dumps([{"id": "9", "template": template}]))
    found = find_clips(tmp_path, None, None, None)
    assert (found.layout, found.class_names) == ("something_something_v2", tuple(labels))
    assert [(path.stem, label) for path, label in found.splits["train"]] == [("7", 1), ("8", 0)]
    # the published validation split is what results are reported on
    assert ActionVideos("test", folder=tmp_path, cache=tmp_path, **OPTIONS).paths[0].stem == "9"
    (tmp_path / "something-something-v2-train.json").write_text("[{}]")
    with pytest.raises(ValueError, match=r"train\.json, entry 0 must have an id and a template"):
        find_clips(tmp_path, None, None, None)


def test_kinetics(tmp_path, clip):
    place(
        clip,
        tmp_path / "train/arm wrestling/abc_000010_000020.mp4",
        tmp_path / "train/arm_wrestling/d_e_000000_000010.mp4",
    )
    place(clip, tmp_path / "val/xyz_000001_000011.mp4")
    header = ["label", "youtube_id", "time_start", "time_end", "split"]
    rows = {
        "train": [["arm wrestling", "abc", 10, 20, "train"], ["arm wrestling", "d_e", 0, 10, "train"]],
        "val": [["yoga", "xyz", 1, 11, "val"], ["yoga", "gone", 1, 11, "val"]],
    }
    for split, entries in rows.items():
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *entries])
    found = find_clips(tmp_path, None, None, None)
    assert (found.layout, found.class_names) == ("kinetics", ("arm wrestling", "yoga"))
    assert {split: len(clips) for split, clips in found.splits.items()} == {"train": 2, "validation": 1}
    assert found.missing == ("gone_000001_000011.mp4",)


def test_coviar_lists(ucf, tmp_path):
    shutil.rmtree(ucf / "ucfTrainTestlist")
    for split, line in (
        ("train", "Archery/v_Archery_g02_c01.avi Archery 1"),
        ("test", "Bowling/v_Bowling_g01_c01.avi Bowling 0"),
    ):
        (ucf / f"ucf101_split1_{split}.txt").write_text(line + "\n")
    found = find_clips(ucf, None, None, None)
    assert (found.layout, found.class_names) == ("coviar", ("Bowling", "Archery"))
    assert [label for _, label in found.splits["train"]] == [1]
    (ucf / "ucf101_split1_test.txt").write_text("../secret.avi Bowling 0\n")
    with pytest.raises(ValueError, match=r"'\.\./secret\.avi' must be a path below the folder"):
        find_clips(ucf, None, None, None)
    (ucf / "ucf101_split1_test.txt").write_text("a b\n")
    with pytest.raises(ValueError, match=r"split1_test\.txt, line 1: 'a b' must have 3 fields, not 2"):
        find_clips(ucf, None, None, None)


def test_folders_of_splits(tmp_path, clip):
    place(
        clip,
        tmp_path / "train/wave/a.avi",
        tmp_path / "train/jump/b.avi",
        tmp_path / "val/wave/c.avi",
        tmp_path / "test/jump/d.avi",
    )
    found = find_clips(tmp_path, None, None, None)
    assert (found.layout, found.class_names) == ("split_folders", ("jump", "wave"))
    for split, name in (("train", "b.avi"), ("validation", "c.avi"), ("test", "d.avi")):
        assert ActionVideos(split, folder=tmp_path, cache=tmp_path / "cache", **OPTIONS).paths[0].name == name


def test_folders_of_classes_are_divided_by_the_seed(folders, tmp_path):
    paths = {}
    for split in ("train", "validation", "test"):
        data = ActionVideos(split, folder=folders, cache=tmp_path, validation=0.25, **OPTIONS)
        assert data.layout == "folders"
        paths[split] = set(data.paths)
        assert np.bincount(data.labels).tolist() == ([3, 3] if split == "train" else [1, 1])
    assert len(set.union(*paths.values())) == 10
    splits = {
        tuple(ActionVideos("test", folder=folders, cache=tmp_path, seed=seed, **OPTIONS).paths) for seed in range(6)
    }
    assert len(splits) > 1
    with pytest.raises(
        ValueError, match=r"no video .* is left for validation: validation is 0, .* such as validation=0\.1"
    ):
        ActionVideos("validation", folder=folders, validation=0.0, cache=tmp_path, **OPTIONS)


def test_samples_hold_what_the_reader_gives(folders, tmp_path, clip):
    data = ActionVideos("test", folder=folders, cache=tmp_path, accumulate=False, **OPTIONS)
    sample = data[0]
    # 4 groups, of which 3 are kept (0, 1 and the middle of the last two), of which 2 are shown
    luma, rgb = read_video(clip, colour="luma", accumulate=False), read_video(clip)
    for shown, group in enumerate((0, 1)):
        assert torch.equal(sample["image"][shown], torch.from_numpy(rgb[group].image) / 255)
        for step, frame in enumerate(luma[group].predicted):
            assert torch.equal(sample["motion"][shown, step], torch.from_numpy(frame.motion))
            assert torch.equal(sample["residual"][shown, step], torch.from_numpy(frame.residual) / 255)
    assert sample["valid"].all()
    assert sample["motion"][:, :, 0].mean() > 1
    assert {key: value.dtype for key, value in sample.items()} == {
        **dict.fromkeys(("image", "motion", "residual"), torch.float32), "valid": torch.bool, "label": torch.int64,
    }  # fmt: skip
    assert load("datasets", "action_videos") is ActionVideos


def test_short_videos_repeat_their_last_group_and_mark_what_is_not_there(tmp_path):
    (tmp_path / "wave").mkdir()
    write_video(tmp_path / "wave" / "a_1.avi", pictures(1, frames=6), group=4)
    data = ActionVideos("train", folder=tmp_path, cache=tmp_path / "cache", **(OPTIONS | {"groups": 3}))
    sample = data[0]
    assert sample["valid"].tolist() == [[True, True, True], [True, False, False], [True, False, False]]
    assert torch.equal(sample["image"][1], sample["image"][2])
    assert not sample["motion"][1, 1:].any()
    assert not sample["residual"][1, 1:].any()


def test_decoded_pictures_are_those_that_the_compressed_sample_is_made_of(folders, tmp_path):
    compressed = ActionVideos("train", folder=folders, residual="rgb", cache=tmp_path, **OPTIONS)
    decoded = ActionVideos("train", folder=folders, decoded=True, cache=tmp_path, **OPTIONS)
    for epoch in (0, 3):
        compressed.set_epoch(epoch)
        decoded.set_epoch(epoch)
        sample, seen = compressed[1], decoded[1]
        assert seen["image"].shape == (8, 3, *SIZE)
        assert seen["motion"].shape == (8, 0, 2, *SIZE)
        assert seen["valid"].shape == (8, 0)
        assert torch.equal(seen["image"][::4], sample["image"])
        # a texture that moves by whole pixels is told by motion alone, but for what the codec left out
        step, moved = sample["residual"][0, 2], sample["motion"][0, 2]
        rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
        row = (rows - moved[1].long()).clamp(0, SIZE[0] - 1)
        column = (columns - moved[0].long()).clamp(0, SIZE[1] - 1)
        assert torch.allclose(sample["image"][0][:, row, column] + step, seen["image"][3], atol=1e-6)


def test_decoded_pictures_of_a_short_video_repeat_the_last(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        write_video(tmp_path / "data" / name / "one.mp4", pictures(0, frames=2), group=4)
    options = {**OPTIONS, "test": 0.0, "validation": 0.0}
    seen = ActionVideos("train", folder=tmp_path / "data", decoded=True, cache=tmp_path / "cache", **options)[0]
    image = seen["image"]
    assert len(image) == 8
    assert not torch.equal(image[0], image[1])
    assert all(torch.equal(image[1], image[place]) for place in (2, 3, 5, 6, 7))


def test_choice_of_groups():
    assert choose_groups(2, 4) == [0, 1, 1, 1]
    assert choose_groups(3, 3) == [0, 1, 2]
    assert choose_groups(30, 3) == [4, 14, 24]
    drawn = [choose_groups(30, 3, np.random.default_rng(seed)) for seed in range(200)]
    for segment in range(3):
        assert {groups[segment] for groups in drawn} == set(range(10 * segment, 10 * segment + 10))


def test_training_chooses_anew_in_every_epoch_and_by_the_seed(folders, tmp_path):
    options = OPTIONS | {"groups": 1, "crop": (24, 32), "flip": 0.5}
    data = ActionVideos("train", folder=folders, cache=tmp_path, **options)
    again = ActionVideos("train", folder=folders, cache=tmp_path, **options)
    shown = []
    for epoch in range(4):
        data.set_epoch(epoch)
        again.set_epoch(epoch)
        shown.append(data[2]["image"])
        assert torch.equal(shown[-1], again[2 - len(data)]["image"])
    assert len({picture.numpy().tobytes() for picture in shown}) > 2
    test = ActionVideos("test", folder=folders, cache=tmp_path, **options)
    first = test[0]["image"]
    test.set_epoch(3)
    assert torch.equal(first, test[0]["image"])


def test_mirror_image_negates_horizontal_motion_only():
    rng = np.random.default_rng(0)
    motion = rng.integers(-9, 9, (1, 2, 2, 4, 6)).astype(np.float32)
    image, residual = rng.integers(0, 255, (1, 3, 4, 6), np.uint8), rng.integers(-255, 255, (1, 2, 1, 4, 6), np.int16)
    mirrored = VideoArrays(image, motion, residual, np.ones((1, 2), bool)).mirrored()
    assert np.array_equal(mirrored.image, image[..., ::-1])
    assert np.array_equal(mirrored.residual, residual[..., ::-1])
    assert np.array_equal(mirrored.motion[:, :, 0], -motion[:, :, 0, :, ::-1])
    assert np.array_equal(mirrored.motion[:, :, 1], motion[:, :, 1, :, ::-1])


def test_mirrored_video_has_mirrored_samples(tmp_path):
    """The same from the file: a clip that is mirrored before it is coded has vectors that point the other way."""
    found = {}
    for name, shown in (("plain", pictures(3)), ("mirror", pictures(3)[:, :, ::-1])):
        write_video(tmp_path / f"{name}.avi", shown, group=4)
        found[name] = read_arrays(tmp_path / f"{name}.avi", 3)
    expected, coded = found["plain"].mirrored(), found["mirror"]
    # the encoder searches from left to right, so single blocks differ
    assert np.mean(expected.motion == coded.motion) > 0.8
    assert coded.motion[:, :, 0].mean() == pytest.approx(expected.motion[:, :, 0].mean(), rel=0.2)


def test_videos_are_decoded_once(folders, tmp_path, monkeypatch):
    data = ActionVideos("train", folder=folders, cache=tmp_path, **OPTIONS)
    decoded = []

    def counted(path, *arguments, **options):
        decoded.append(path)
        if len(decoded) == 4:
            raise KeyboardInterrupt
        return read_arrays(path, *arguments, **options)

    monkeypatch.setattr(video_keeping, "read_arrays", counted)
    first = [data[index] for index in range(3)]
    with pytest.raises(KeyboardInterrupt):
        data[3]
    assert len(list(data.folder.glob("*"))) == 3
    again = ActionVideos("train", folder=folders, cache=tmp_path, **OPTIONS)
    for index in range(3):
        assert all(torch.equal(value, again[index][key]) for key, value in first[index].items())
    assert len(decoded) == 4
    again[3]
    assert decoded[4] == decoded[3] == data.paths[3]
    write_video(data.paths[0], pictures(5), group=4)  # a replaced video is decoded anew
    assert not torch.equal(again[0]["image"], first[0]["image"])


def test_make_check_and_processes_of_a_loader(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "available_cores", lambda: 1)  # starting processes takes seconds
    options = OPTIONS | {"folder": str(folders), "cache": str(tmp_path)}
    made = data_commands.make(DataMake(name="action_videos", options=options, splits=["train", "test"]))
    assert made["splits"]["test"] == {"samples": 2}
    cached = {path: path.stat().st_mtime_ns for path in ActionVideos("test", **options).folder.iterdir()}
    assert len(cached) == 2 + made["splits"]["train"]["samples"]
    data = pickle.loads(pickle.dumps(ActionVideos("test", **options)))
    batch = next(iter(DataLoader(data, batch_size=2, num_workers=1)))
    assert batch["residual"].shape == (2, 2, 3, 1, *SIZE)
    checked = data_commands.check(DataCheck(name="action_videos", options=options, splits=["test"]))
    assert checked["splits"]["test"]["problems"] == []
    assert {path: path.stat().st_mtime_ns for path in cached} == cached


def test_damaged_cache(folders, tmp_path):
    data = ActionVideos("test", folder=folders, cache=tmp_path, **OPTIONS)
    data[0]
    path = next(data.folder.iterdir())
    content = path.read_bytes()
    for wrong in (content[:50], content[:-9], b"", b"x" * 99):
        path.write_bytes(wrong)
        with pytest.raises(CacheFileError, match=r"is cut short or damaged.*Delete this file"):
            data[0]
    found = 0
    for position in range(len(content) // 2, len(content), len(content) // 9):
        path.write_bytes(content[:position] + bytes([content[position] ^ 255]) + content[position + 1 :])
        try:
            data.arrays(0, [0, 1, 2])
        except CacheFileError:
            found += 1
    assert found >= 4
    path.unlink()
    assert data[0]["valid"].all()


def test_broken_videos_are_named(folders, tmp_path):
    data = ActionVideos("test", folder=folders, cache=tmp_path, **OPTIONS)
    data.paths[0].write_bytes(b"no video")
    with pytest.raises(VideoError, match=data.paths[0].name):
        data[0]
    assert not list(data.folder.glob("*"))


def test_videos_of_long_groups_are_coded_anew(tmp_path):
    (tmp_path / "wave").mkdir()
    write_video(tmp_path / "wave" / "a_1.mp4", pictures(1), codec="h264", group=16)
    options = OPTIONS | {"folder": tmp_path, "cache": tmp_path / "cache", "groups": 3}
    assert ActionVideos("train", **options)[0]["valid"].all()
    as_they_are = ActionVideos("train", **options, transcode="never")
    assert as_they_are.available(0) == 1
    assert ActionVideos("train", **options).available(0) == 3


def test_videos_without_p_frames_are_coded_anew(tmp_path):
    (tmp_path / "wave").mkdir()
    write_video(tmp_path / "wave" / "a_1.mp4", pictures(1), group=1)
    options = OPTIONS | {"folder": tmp_path, "cache": tmp_path / "cache"}
    with pytest.warns(VideoWarning, match=r"a_1\.mp4: has no P-frame.*transcode=needed"):
        assert not ActionVideos("train", **options, transcode="never")[0]["valid"].any()
    sample = ActionVideos("train", **options)[0]
    assert sample["valid"].all()
    assert sample["motion"].any()


def test_a_folder_must_be_named():
    with pytest.raises(ValueError, match=r"'action_videos': give its option 'folder', such as --data.options.folder"):
        build_dataset("action_videos", "train", {})


@pytest.mark.shared
def test_real_clips(shared, tmp_path):
    """Whatever is in the folder of real clips: UCF as it is, B-frames and HEVC coded anew, all at one size."""
    root = tmp_path / "data"
    for path in sorted((shared / "data" / "video_clips").iterdir()):
        if path.suffix in (".avi", ".mp4", ".mkv"):
            name = "real" if path.name < "m" else "other"
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / path.name).symlink_to(path)
    data = ActionVideos("train", folder=root, cache=tmp_path, validation=0.0, test=0.0, size=(64, 96), crop=(56, 80))
    assert len(data) >= 3
    for index, path in enumerate(data.paths):
        sample = data[index]
        assert sample["image"].shape == (3, 3, 56, 80)
        assert sample["motion"].shape == (3, 11, 2, 56, 80)
        assert sample["valid"][0].sum() >= min(9, 11)
        assert sample["motion"].abs().max() > 0
        assert sample["residual"].std() > 0.005, path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "val"}, r"split is 'val'"),
        ({"layout": "mpii"}, r"layout is 'mpii', must be one of ucf101"),
        ({"layout": "hmdb51"}, r"holds no clips of the layout 'hmdb51'"),
        ({"groups": 4}, r"kept = 3"),
        ({"steps": 0}, r"steps = 0"),
        ({"size": (8, 8)}, r"size is \(8, 8\)"),
        ({"crop": (64, 16)}, r"crop is \(64, 16\)"),
        ({"flip": 2.0}, r"flip is 2.0"),
        ({"test": 1.0}, r"test is 1.0"),
        ({"transcode": "always"}, r"transcode is 'always', must be one of needed, never"),
        ({"seed": -1}, r"seed is -1"),
        ({"size": 64}, r"size is 64, must be a height and a width"),
        ({"size": "64"}, r"size is '64', must be a height and a width"),
        ({"crop": 16}, r"crop is 16, must be a height and a width"),
        ({"groups": "2"}, r"groups is '2', must be a whole number"),
        ({"steps": 2.5}, r"steps is 2\.5, must be a whole number"),
        ({"accumulate": "no"}, r"accumulate is 'no', must be one of True, False"),
        ({"split_number": 0}, r"split_number is 0"),
        ({"broken": "ignore"}, r"broken is 'ignore', must be one of error, skip"),
    ],
)
def test_bad_arguments(changes, message, folders, tmp_path):
    with pytest.raises(ValueError, match=message):
        ActionVideos(**({"split": "train", "folder": folders, "cache": tmp_path} | OPTIONS | changes))


def test_no_folder_and_no_videos(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone is no folder"):
        ActionVideos("train", folder=tmp_path / "gone")
    with pytest.raises(ValueError, match=r"holds no clips of any layout .*one folder for each class"):
        ActionVideos("train", folder=tmp_path)


# --- what a first user gives ------------------------------------------------------------------------------------------


def report_of(command, options, tmp_path, *more):
    """Exit code and figures of a command."""
    path = tmp_path / "report.json"
    given = [f"--options.{name}={str(value).strip('()')}" for name, value in options.items()]
    code = main(["data", command, "--name=action_videos", *given, *more, "--json", str(path)])
    return code, json.loads(path.read_text())["figures"] if path.exists() else None


@pytest.fixture
def broken(folders):
    """Two files that cannot be read, one that is cut short; the last of each class, so in any split."""
    (folders / "jump" / "jump_1.avi").write_bytes(b"no video")
    (folders / "wave" / "wave_2.avi").write_bytes(b"")
    gone = folders / "wave" / "wave_4.avi"
    gone.unlink()
    gone.symlink_to(folders / "nowhere.avi")
    content = (folders / "jump" / "jump_3.avi").read_bytes()
    start, end = content.find(b"movi"), content.find(b"idx1")
    (folders / "jump" / "jump_3.avi").write_bytes(content[: start + (end - start) // 2])
    return {str(folders / name) for name in ("jump/jump_1.avi", "wave/wave_2.avi", "wave/wave_4.avi")}


@pytest.mark.parametrize("command", ["make", "check"])
def test_broken_videos_are_all_listed_at_the_end(command, broken, folders, tmp_path, capsys):
    options = {"folder": folders, "cache": tmp_path, "validation": 0.2, "size": "[32,48]", "crop": "none"}
    code, figures = report_of(command, options, tmp_path)
    assert code == 1
    assert set(figures["failed"]) == broken
    problems = [problem for split in figures["splits"].values() for problem in split.get("problems", [])]
    assert len([each for each in problems if "jump_3.avi: " in each and "8 of 16 frames are missing" in each]) == 1
    assert len(list(Path(figures["folder"]).glob("*.safetensors"))) == 7
    shown = capsys.readouterr().out
    for path in broken:
        assert f"cannot be read: {path}: " in shown
    assert "layout folders, validation and test drawn from training by seed 0: 6 train, 2 validation, 2 test" in shown
    assert "no problem found" not in shown


def test_broken_videos_are_left_out_of_training(broken, folders, tmp_path):
    options = OPTIONS | {"folder": folders, "cache": tmp_path, "validation": 0.0, "test": 0.0, "workers": 1}
    with pytest.warns(VideoWarning, match=r"3 of 10 videos of train cannot be read and are left out: .*jump_1\.avi"):
        data = ActionVideos("train", broken="skip", **options)
    assert len(data) == len(data.labels) == 7
    assert not {str(path) for path in data.paths} & broken
    assert [data[index]["label"].item() for index in range(7)] == [0] * 4 + [1] * 3
    as_they_are = ActionVideos("train", **options)
    with pytest.raises(VideoError, match=r"jump_1\.avi: .*no video file.*broken=skip"):
        as_they_are[1]
    # which videos a split has does not depend on it
    whole = ActionVideos("test", **(options | {"test": 0.9}))
    with pytest.warns(VideoWarning, match=r"videos of test cannot be read"):
        left = ActionVideos("test", broken="skip", **(options | {"test": 0.9}))
    assert set(left.paths) == {path for path in whole.paths if str(path) not in broken}


def test_a_split_of_which_nothing_can_be_read_is_refused(tmp_path):
    for name in ("a/1.mp4", "b/2.mp4"):
        place_text(tmp_path / name)
    with pytest.raises(ValueError, match=r"2 of 2 videos of train cannot be read: .*1\.mp4.*2\.mp4"):
        ActionVideos("train", folder=tmp_path, broken="skip", cache=tmp_path / "cache", **OPTIONS)


def place_text(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no video")


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_that_are_spared_stop_no_other_task(workers, tmp_path):
    paths = [tmp_path / ("b" if index == 1 else "a") / str(index) for index in range(3)]
    tasks = [generate.ShardTask(path, i, i + 1, shutil.copy, {}) for i, path in enumerate(paths)]
    tasks = [dataclasses.replace(task, make=make_or_refuse) for task in tasks]
    failed = generate.generate_shards(tasks, "test", workers=workers, progress=False, spare=(VideoError,))
    assert [(task.start, str(error)) for task, error in failed] == [(1, "1: broken")]
    assert [path.exists() for path in paths] == [True, False, True]
    with pytest.raises(VideoError):
        generate.generate_shards(tasks, "test", workers=workers, progress=False)


def test_few_videos_start_no_processes(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(generate, "ProcessPoolExecutor", None)
    monkeypatch.setattr(generate, "available_cores", lambda: 4)
    data = ActionVideos("train", folder=folders, cache=tmp_path, **OPTIONS)
    assert data.make(progress=False) == {}
    more = ActionVideos("train", folder=folders, cache=tmp_path, **(OPTIONS | {"kept": 4}), workers=2)
    with pytest.raises(TypeError):  # asked for, they are started
        more.make(progress=False)
    with pytest.raises(ValueError, match="workers is 0"):
        ActionVideos("train", folder=folders, cache=tmp_path, **OPTIONS, workers=0)


def test_workers_are_refused_by_a_data_set_without(capsys):
    assert main(["data", "make", "--name=drawn_digits", "--workers=2"]) == 1
    assert "workers: data set 'drawn_digits' does not make its samples in processes" in capsys.readouterr().err


def test_workers_reach_the_data_set(folders, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(kept_videos, "generate_shards", lambda *_, workers, **__: given.append(workers) or [])
    monkeypatch.setattr(ActionVideos, "faults", lambda self, index: [])
    options = {"folder": folders, "cache": tmp_path}
    assert report_of("make", options, tmp_path, "--splits=test", "--workers=3")[0] == 0
    assert report_of("make", options, tmp_path, "--splits=test")[0] == 0
    assert given == [3, 1]


def test_videos_without_any_p_frame_are_told(tmp_path, capsys):
    (tmp_path / "data" / "still").mkdir(parents=True)
    write_video(tmp_path / "data" / "still" / "one.mp4", pictures(0, frames=1))
    options = {"folder": tmp_path / "data", "cache": tmp_path, "size": "[32,48]", "crop": "none"}
    code, figures = report_of("check", options, tmp_path, "--splits=train")
    assert code == 1
    assert "one.mp4: has no P-frame" in figures["splits"]["train"]["problems"][0]
    data = ActionVideos("train", **(OPTIONS | {"folder": tmp_path / "data", "cache": tmp_path}))
    for _ in ("new", "from the cache"):
        with pytest.warns(VideoWarning, match=r"one\.mp4: has no P-frame, so that its motion and residual are empty"):
            assert not data[0]["valid"].any()
    decoded = ActionVideos("train", **(OPTIONS | {"folder": tmp_path / "data", "cache": tmp_path}), decoded=True)
    assert decoded.faults(0) == []


def test_b_frames_that_are_left_out_are_told(folders, tmp_path):
    with av.open(str(folders / "jump" / "jump_0.avi"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.gop_size, stream.max_b_frames = 32, 48, "yuv420p", 6, 2
        for picture in pictures(0):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    options = OPTIONS | {"folder": folders, "cache": tmp_path, "validation": 0.0, "test": 0.0}
    with pytest.warns(VideoWarning, match=r"jump_0\.avi: its \d+ B-frames are left out; transcode=needed"):
        ActionVideos("train", transcode="never", **options)[0]
    assert ActionVideos("train", **options).faults(0) == []


def test_lists_beside_the_folder_of_clips(ucf, tmp_path, caplog):
    with caplog.at_level("INFO", "spikelab"):
        for split in ("train", "test"):
            data = ActionVideos(split, folder=ucf / "UCF-101", cache=tmp_path, **OPTIONS)
    assert data.layout == "ucf101"
    assert data.paths == ActionVideos("test", folder=ucf, cache=tmp_path, **OPTIONS).paths
    told = [record.getMessage() for record in caplog.records if str(ucf / "UCF-101") in record.getMessage()]
    assert len(told) == 1
    expected = f"layout ucf101, lists in {ucf / 'ucfTrainTestlist'}, split 1, validation drawn from training by seed 0"
    assert f"{expected}: 8 train, 4 validation, 4 test videos of 2 classes" in told[0]


def test_split_numbers_need_numbered_lists(folders, ucf):
    shutil.rmtree(ucf / "ucfTrainTestlist")
    with pytest.raises(ValueError, match=r"split_number is 1, and .* \(layout folders\) has no numbered lists"):
        find_clips(ucf / "UCF-101", None, None, 1)
    (ucf / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty, which holds no lists"):
        find_clips(ucf / "UCF-101", None, ucf / "empty", None)


def test_folders_that_are_one_too_high_or_too_deep(ucf, tmp_path, clip):
    shutil.rmtree(ucf / "ucfTrainTestlist")
    with pytest.raises(ValueError, match=r"first video below is .*Archery/v_Archery_g01_c01\.avi: name the folder two"):
        find_clips(ucf, None, None, None)
    for name in ("train/wave/a.avi", "train/jump/b.avi", "val/wave/c.avi", "val/jump/d.avi"):
        place(clip, tmp_path / "split" / name)
    assert find_clips(tmp_path / "split", None, None, None).layout == "split_folders"
    with pytest.raises(ValueError, match=r"split/train is one of the splits train, val; name .*/split, or"):
        find_clips(tmp_path / "split/train", None, None, None)
    assert find_clips(tmp_path / "split/train", "folders", None, None).class_names == ("jump", "wave")


def test_clips_in_no_folder_of_a_class_are_refused(folders, clip):
    place(clip, folders / "jump" / "high" / "x.avi")
    with pytest.raises(ValueError, match=r"jump/high/x\.avi and 0 more lie in no folder of a class"):
        find_clips(folders, None, None, None)
    shutil.rmtree(folders / "jump" / "high")
    place(clip, folders / "loose.avi")
    with pytest.raises(ValueError, match=r"loose\.avi and 0 more lie in no folder of a class"):
        find_clips(folders, None, None, None)


def test_kinetics_without_what_its_lists_must_have(tmp_path, clip):
    place(clip, tmp_path / "train/abc_000010_000020.mp4")
    with pytest.raises(ValueError, match=r"train is called like a split and holds videos; .*train/CLASS/"):
        find_clips(tmp_path, None, None, None)
    (tmp_path / "train.csv").write_text("arm wrestling,abc,10,20,train\n")
    with pytest.raises(
        ValueError, match=r"train\.csv, line 1: 'arm wrestling,abc,.*' must name the columns youtube_id"
    ):
        find_clips(tmp_path, None, None, None)
    (tmp_path / "train.csv").write_text("label,youtube_id,time_start,time_end,split\n")
    with pytest.raises(ValueError, match="no list names a clip of the training split and its class"):
        find_clips(tmp_path, None, None, None)
    (tmp_path / "train.csv").write_text("label,youtube_id,time_start,time_end,split\nyoga,abc,10,20,train\n")
    assert find_clips(tmp_path, None, None, None).layout == "kinetics"
    # a table that lies beside a folder of classes is no list of its clips
    (tmp_path / "data" / "yoga").mkdir(parents=True)
    place(clip, tmp_path / "data" / "yoga" / "a.mp4")
    assert find_clips(tmp_path / "data", None, None, None).layout == "folders"


def test_class_numbers_that_disagree(ucf):
    lists = ucf / "ucfTrainTestlist"
    first = (lists / "trainlist01.txt").read_text()
    (lists / "trainlist01.txt").write_text(first.replace("c01.avi 1", "c01.avi 2", 1))
    with pytest.raises(ValueError, match=r"trainlist01\.txt, line 1: .* number 2, classInd\.txt gives 'Archery' .* 1"):
        find_clips(ucf, None, None, None)
    (lists / "trainlist01.txt").write_text(first)
    (lists / "classInd.txt").write_text("1 Archery\n1 Bowling\n")
    with pytest.raises(ValueError, match=r"classInd\.txt, line 2: 1 Bowling: needs a number and a name that no other"):
        find_clips(ucf, None, None, None)


def test_two_files_of_one_name(ucf, clip):
    name = ucf / "UCF-101/Archery/v_Archery_g02_c01"
    place(clip, name.with_suffix(".mp4"))  # the listed .avi is there as well: no doubt which one is meant
    assert name.with_suffix(".avi") in [path for path, _ in find_clips(ucf, None, None, None).splits["train"]]
    name.with_suffix(".avi").rename(name.with_suffix(".mkv"))
    with pytest.raises(ValueError, match=r"g02_c01\.avi' may be v_Archery_g02_c01\.mkv and v_Archery_g02_c01\.mp4"):
        find_clips(ucf, None, None, None)


def test_why_a_split_is_empty(tmp_path, clip):
    place(clip, *(tmp_path / "data" / name for name in ("a/1.avi", "b/2.avi")))
    options = OPTIONS | {"folder": tmp_path / "data", "cache": tmp_path}
    with pytest.raises(ValueError, match="every class has one recording only, which stays in training"):
        ActionVideos("test", **options)
    place(clip, tmp_path / "data" / "b" / "3.avi")
    with pytest.warns(UserWarning, match="1 of 2 classes have one recording only, in training, and none in test: a"):
        assert len(ActionVideos("test", **options)) == 1
    place(clip, *(tmp_path / "only" / "train" / name for name in ("a/1.avi", "b/2.avi")))
    with pytest.raises(ValueError, match="split_folders has neither test nor validation videos"):
        ActionVideos("test", **(options | {"folder": tmp_path / "only"}))
