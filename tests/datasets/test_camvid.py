"""CamVid with simulated events: the split in time, the class table, and recordings that are not as they should be."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from spikelab.datasets import CacheFileError, CamVidDriving
from spikelab.datasets.camvid.dataset import CAMVID_TO_DDD17, convert_label

HEIGHT, WIDTH, FRAMES = 12, 60, 45


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def files():
    """A bright bar that moves right by one pixel a frame: file name -> bytes."""
    made = {}
    for k in range(FRAMES):
        picture = np.full((HEIGHT, WIDTH), 50, np.uint8)
        picture[:, k + 2 : k + 5] = 200
        label = np.full((HEIGHT, WIDTH), 3, np.uint8)
        label[:, k + 2 : k + 5] = 8
        label[-1] = 11
        made[f"gray/0016E5_{7959 + 2 * k:05d}.png"] = png(picture)
        made[f"label/0016E5_{7959 + 2 * k:05d}.png"] = png(label)
    return made


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def load(tmp_path):
    def load(files, split="train", **options):
        path = write_zip(tmp_path / "recording.zip", files)
        return CamVidDriving(split, path=path, cache=tmp_path / "cache", progress=False, **options)

    return load


def test_split_in_time(files, load):
    train, validation, test = (load(files, split) for split in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (4, 10, 30)
    numbers = train.frame_numbers + validation.frame_numbers + test.frame_numbers
    assert numbers == tuple(range(7961, 7961 + 2 * 44, 2))
    assert train.folder == test.folder
    assert len(load(files, "train", validation_frames=0)) == 14


def test_item(files, load):
    data = load(files, "test", time_bins=3)
    item = data[0]
    assert item["events"].shape == (3, 2, HEIGHT, WIDTH)
    assert item["frame"].shape == (1, HEIGHT, WIDTH)
    assert item["label"].shape == (HEIGHT, WIDTH)
    assert item["label"].unique().tolist() == [0, 5, 255]
    assert data.conditions(0) == ("real",)
    assert data.window == 66_667


def test_events_are_those_of_the_interval_that_ends_at_the_frame(files, load):
    """The bar's front edge turns bright at its place in this frame, the back edge dark at its place in the last one."""
    data = load(files, "test")
    for index in (0, 13, 29):
        k = (data.frame_numbers[index] - 7959) // 2
        counts = data[index]["events"].sum(dim=(0, 2))
        assert counts[1].argmax() == k + 4
        assert counts[0].argmax() == k + 1
        frame = data[index]["frame"][0, 0]
        assert (frame > 0.7).nonzero().flatten().tolist() == [k + 2, k + 3, k + 4]
        assert (data[index]["label"][0] == 5).nonzero().flatten().tolist() == [k + 2, k + 3, k + 4]


def test_folder_and_colour_pictures_are_read_too(files, tmp_path):
    zipped = write_zip(tmp_path / "recording.zip", files)
    for name, content in files.items():
        if name.startswith("gray/"):
            content = png(np.array(Image.open(io.BytesIO(content)).convert("RGB")))
        file = tmp_path / "folder" / name.replace("gray/", "rgb/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    options = {"cache": tmp_path / "cache", "progress": False}
    first = CamVidDriving("test", path=zipped, **options)
    second = CamVidDriving("test", path=tmp_path / "folder", **options)
    assert all(torch.equal(first[7][key], second[7][key]) for key in first[7])


def test_class_table():
    assert list(CAMVID_TO_DDD17) == [
        *("Sky", "Building", "Pole", "Road", "Pavement", "Tree"),
        *("SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist", "Unlabelled"),
    ]
    label = np.arange(12, dtype=np.uint8)[None]
    assert convert_label(label, "x").tolist() == [[1, 1, 2, 0, 0, 3, 2, 1, 5, 4, 4, 255]]
    with pytest.raises(ValueError, match=r"x\.png: unknown class ids \[12, 200\]; CamVid's are 0 to 11 \(Sky, "):
        convert_label(np.array([[0, 12], [200, 12]], np.uint8), "x.png")


def without(files, *names):
    return {name: content for name, content in files.items() if name not in names}


def first_frames(files):
    return {name: content for name, content in files.items() if name.split("/")[1] < "0016E5_08000"}


LABEL, PICTURE = "label/0016E5_07969.png", "gray/0016E5_07969.png"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f | {LABEL: png(np.full((HEIGHT, WIDTH), 77, np.uint8))}, rf"{LABEL}: unknown class ids \[77\]"),
        (lambda f: f | {LABEL: png(np.zeros((HEIGHT, 7), np.uint8))}, rf"{LABEL} has height and width \(12, 7\)"),
        (lambda f: f | {PICTURE: png(np.zeros((9, WIDTH), np.uint8))}, rf"{PICTURE} has height and width \(9, 60\)"),
        (lambda f: f | {LABEL: png(np.zeros((HEIGHT, WIDTH, 3), np.uint8))}, rf"{LABEL} has mode RGB"),
        (lambda f: f | {PICTURE: f[PICTURE][:-40]}, rf"{PICTURE} cannot be read"),
        (lambda f: f | {PICTURE: b"GIF89a"}, rf"{PICTURE} cannot be read"),
        (lambda f: without(f, LABEL), rf"{PICTURE} has no label"),
        (lambda f: without(f, PICTURE), rf"{LABEL} has no picture"),
        (lambda f: without(f, LABEL, PICTURE), r"evenly spaced, not \[2, 4\]"),
        (lambda f: without(f, *(name for name in f if "_0797" in name)), r"07981\.png does not follow .*within 4"),
        (lambda f: f | {"label/notes.png": b""}, r"label/notes\.png: the name does not end in a frame number"),
        (first_frames, r"at least one for training"),
        (lambda f: {"readme": b""}, r"holds no pictures"),
    ],
)  # fmt: skip
def test_wrong_recordings(change, message, files, load):
    with pytest.raises(ValueError, match=message):
        load(change(files))


def test_damaged_zip(files, tmp_path):
    path = write_zip(tmp_path / "recording.zip", files)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"recording\.zip is not a whole zip file"):
        CamVidDriving("train", path=path, cache=tmp_path)


def test_where_the_recording_is_sought(files, tmp_path, monkeypatch):
    options = {"cache": tmp_path / "cache", "progress": False}
    monkeypatch.delenv("SPIKELAB_SHARED", raising=False)
    with pytest.raises(FileNotFoundError, match=r"set SPIKELAB_SHARED"):
        CamVidDriving("train", **options)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        CamVidDriving("train", path=tmp_path / "nowhere", **options)
    monkeypatch.setenv("SPIKELAB_SHARED", str(tmp_path))
    folder = tmp_path / "data" / "camvid_driving"
    folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"neither a folder label/ nor a file camvid_\*_15Hz_\*\.zip"):
        CamVidDriving("train", **options)
    write_zip(folder / "camvid_a_15Hz_b.zip", files)
    assert len(CamVidDriving("test", **options)) == 30
    write_zip(folder / "camvid_b_15Hz_b.zip", files)
    with pytest.raises(ValueError, match=r"several recordings \(camvid_a_15Hz_b\.zip, camvid_b_15Hz_b\.zip\)"):
        CamVidDriving("train", **options)


def test_bad_split(files, load):
    with pytest.raises(ValueError, match=r"split is 'val'"):
        load(files, "val")
    with pytest.raises(ValueError, match=r"set validation_frames to at least 1"):
        load(files, "validation", validation_frames=0)


def test_damaged_cache_file(files, load):
    data = load(files)
    shard = data.folder / "sequence.safetensors"
    shard.write_bytes(shard.read_bytes()[:-7])
    with pytest.raises(CacheFileError, match=r"sequence\.safetensors.*Delete this file"):
        load(files)
    shard.unlink()
    assert len(load(files)) == len(data)


def test_another_recording_is_another_cache_folder(files, load):
    first = load(files)
    blank = png(np.full((HEIGHT, WIDTH), 3, np.uint8))
    assert load(files | {LABEL: blank}).folder != first.folder
    assert load(files, seed=1).folder != first.folder


@pytest.mark.shared
def test_real_sequence(shared, tmp_path):
    recordings = sorted((shared / "data").glob("*/camvid_*_15Hz_*.zip"))
    if not recordings:
        pytest.skip(f"no camvid_*_15Hz_*.zip under {shared}/data")
    data = {
        split: CamVidDriving(split, path=recordings[0], validation_frames=0, cache=tmp_path, progress=False)
        for split in ("train", "test")
    }
    assert len(data["test"]) == 30
    assert len(data["train"]) >= 30
    assert not set(data["train"].frame_numbers) & set(data["test"].frame_numbers)
    assert max(data["train"].frame_numbers) < min(data["test"].frame_numbers)
    for part in data.values():
        part.verify()
        assert (part.class_counts() > 0).all()
        rates = [len(part.raw(index).events) / part.raw(index).label.size for index in range(0, len(part), 5)]
        assert 0.1 < np.median(rates) < 3.0
    # Events gather where brightness changes from frame to frame.
    before, after = data["test"].raw(9), data["test"].raw(10)
    change = np.abs(np.log(after.frame + 20.0) - np.log(before.frame + 20.0))
    counts = np.zeros(change.shape)
    np.add.at(counts, (after.events.y, after.events.x), 1)
    assert np.corrcoef(change.ravel(), counts.ravel())[0, 1] > 0.7
