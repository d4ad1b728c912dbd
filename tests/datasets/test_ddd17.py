"""DDD17 in its three forms, on miniatures of the same recordings: equal items, splits, and broken folders."""

import multiprocessing
import pickle
import re
import shutil

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from spikelab.datasets.ddd17.dataset import DDD17, TEST, TEST_FOLDERS, TRAIN, TRAIN_FOLDERS
from spikelab.datasets.ddd17.miniature import RECORDINGS, write
from spikelab.events import evsegnet_channels, voxel_grid
from spikelab.events.files import read_events

FORMS = ("repacked", "raw", "evsegnet")
SPLITS = ("train", "validation", "test")
KEYS = ("events", "frame", "label")


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """The same recordings in the three forms, and a cache."""
    root = tmp_path_factory.mktemp("ddd17")
    return {form: write(root / form, form, labels=3) for form in FORMS} | {"cache": root / "cache"}


@pytest.fixture
def opened(forms):
    def opened(form, split="train", **options):
        return DDD17(split, path=forms[form], cache=forms["cache"], progress=False, **options)

    return opened


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in KEYS)


def items(data):
    return [data[index] for index in range(len(data))]


def test_item(opened):
    for form in ("repacked", "raw"):
        data = opened(form)
        item = data[0]
        assert data.form == form
        assert item["events"].shape == (5, 2, 50, 86)
        assert item["frame"].shape == (1, 50, 86)
        assert item["label"].shape == (50, 86)
        assert item["events"].dtype == item["frame"].dtype == torch.float32
        assert item["label"].dtype == torch.int64
        assert item["events"].min() >= 0
        assert item["events"].sum() > 0
        assert 0 <= item["frame"].min() < item["frame"].max() <= 1
        assert len(data.class_names) == len(data.palette) == 6
        assert data.window == 50_000
        assert (data.class_counts()[[0, 1, 3]] > 0).all()


@pytest.mark.parametrize("split", SPLITS)
def test_the_three_forms_of_a_recording_give_the_same_items(split, opened):
    images = {form: items(opened(form, split, representation="evsegnet")) for form in FORMS}
    grids = {form: items(opened(form, split)) for form in ("repacked", "raw")}
    assert len(images["raw"]) == {"train": 12, "validation": 3, "test": 3}[split]
    assert images["raw"][0]["events"].shape == (1, 6, 50, 86)
    for form in ("raw", "evsegnet"):
        for first, second in zip(images["repacked"], images[form], strict=True):
            assert same(first, second)
    for first, second in zip(grids["repacked"], grids["raw"], strict=True):
        assert same(first, second)
    for first, second in zip(images["repacked"], grids["repacked"], strict=True):
        assert torch.equal(first["frame"], second["frame"])
    raw, packed = opened("raw", split), opened("repacked", split)
    for index in range(len(raw)):
        assert raw.raw(index).events == packed.raw(index).events
        assert np.array_equal(raw.raw(index).frame, packed.raw(index).frame)
    folder_of = {recording: folder for folder, (_, recording) in RECORDINGS.items()}
    for index in range(len(raw)):
        assert folder_of[raw.conditions(index)[0]] == packed.conditions(index)[0]
        assert raw.conditions(index) == opened("evsegnet", split, representation="evsegnet").conditions(index)


def test_items_are_those_of_the_recorder(opened, forms):
    """Straight from the raw file: upright events of 50 milliseconds before the picture, above the bonnet."""
    data = opened("raw", "test")
    path = forms["raw"] / "run3" / f"{TEST[0]}.hdf5"
    events = read_events(path)
    with h5py.File(path) as file:
        payloads = [row[2] for row in file["dvs/data"][:] if len(row[1]) and row[1][0] == 2]
    for index in range(3):
        payload = payloads[index + 2].tobytes()  # labels begin with the third picture
        pixels = np.frombuffer(payload[36:], "<u2").reshape(65, 86)[::-1, ::-1]
        begin, end = np.frombuffer(payload[12:20], "<i4")
        moment = (int(begin) + int(end)) // 2
        window = events.between(moment - 50_000, moment).crop(0, 0, 86, 50)
        grid = np.log1p(voxel_grid(window, 5, moment - 50_000, moment, "separate"))
        assert np.array_equal(data[index]["events"].numpy(), grid)
        assert np.array_equal(data.raw(index).frame, (pixels >> 8)[:50])
        images = evsegnet_channels(window, moment - 50_000, moment)
        assert np.array_equal(opened("raw", "test", representation="evsegnet")[index]["events"][0].numpy(), images)


def test_last_events(opened):
    data = opened("repacked", "test", last_events=500)
    recording, number = data._samples.locate(1)
    whole = recording.stream.between(0, int(recording.times[number]))[-500:]
    raw = data.raw(1)
    assert raw.duration == recording.times[number] - whole.t[0]
    assert raw.events == whole.crop(0, 0, 86, 50).shift(-int(whole.t[0]))
    assert len(raw.events) < 500  # some were on the bonnet


def test_splits_of_the_literature(opened, forms):
    for form, train, test in (("repacked", TRAIN_FOLDERS, TEST_FOLDERS), ("raw", TRAIN, TEST)):
        names = {split: {opened(form, split).conditions(i)[0] for i in range(3)} for split in ("validation", "test")}
        data = opened(form)
        names["train"] = {data.conditions(index)[0] for index in range(len(data))}
        assert names["test"] == set(test)
        assert names["train"] | names["validation"] == set(train)
        assert not names["train"] & names["validation"]
    assert len(opened("repacked", validation=[])) == 15
    assert len(opened("repacked", sequences=["dir5"])) == 1
    assert len(opened("evsegnet", "test", sequences=list(TEST), representation="evsegnet")) == 3
    with pytest.raises(ValueError, match="split is 'valid', must be one of train, validation, test"):
        opened("repacked", "valid")
    with pytest.raises(ValueError, match=r"'dir1', not of the training split: dir0, dir3, dir4, dir6, dir7"):
        opened("repacked", validation=["dir1"])
    with pytest.raises(ValueError, match="the validation split has no recordings"):
        opened("raw", "validation", validation=[])
    for form in ("repacked", "raw"):
        with pytest.raises(FileNotFoundError, match="1 of the 1 recordings of train are missing: recX"):
            opened(form, sequences=["recX"])
    with pytest.raises(FileNotFoundError, match=r"no labels of recording recX; there are rec1487339175, .*sequences="):
        opened("evsegnet", sequences=["recX"], representation="evsegnet")


def test_what_evsegnets_form_cannot_give(opened, forms):
    with pytest.raises(ValueError, match=r"holds images in place of the events; set representation=evsegnet"):
        opened("evsegnet")
    for options in ({"window": 0.1}, {"last_events": 1000}):
        with pytest.raises(ValueError, match=r"whose window is 0\.05 s"):
            opened("evsegnet", representation="evsegnet", **options)
    with pytest.raises(ValueError, match="not the events themselves"):
        opened("evsegnet", representation="evsegnet").raw(0)
    with pytest.raises(ValueError, match="representation is 'six'"):
        opened("raw", representation="six")


def test_augmentation_changes_training_only(opened):
    for options in ({"representation": "evsegnet"}, {}):
        plain, flipped = opened("repacked", **options)[2], opened("repacked", flip=1.0, **options)[2]
        for key in KEYS:
            assert torch.equal(flipped[key], plain[key].flip(-1))
    assert same(opened("repacked", "test", flip=1.0)[0], opened("repacked", "test")[0])
    assert opened("raw", crop=(32, 48))[0]["frame"].shape == (1, 32, 48)


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_loading_in_other_processes(start, opened):
    data = opened("repacked", "test")
    expected = items(data)
    context = multiprocessing.get_context(start)
    loader = DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=context)
    for item, batch in zip(expected, loader, strict=True):
        assert same(item, batch)
    sent = pickle.dumps(data)
    assert len(sent) < 20_000  # no events go with it
    assert same(pickle.loads(sent)[1], expected[1])


def test_a_raw_recording_is_packed_once(forms, tmp_path, monkeypatch):
    from spikelab.datasets.ddd17 import raw as ddd17_raw

    options = {"path": forms["raw"], "cache": tmp_path, "progress": False}
    first = DDD17("test", **options)
    monkeypatch.setattr(ddd17_raw, "_repack", lambda *_: pytest.fail("packed again"))
    assert same(DDD17("test", **options)[0], first[0])
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]
    (folder,) = (tmp_path / "datasets").iterdir()
    assert len(list((folder / TEST[0] / "imgs").iterdir())) == 3  # of five pictures, those with a label


def test_an_interrupted_packing_leaves_nothing(forms, tmp_path, monkeypatch):
    from spikelab.datasets.ddd17 import raw as ddd17_raw

    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ddd17_raw, "_write_events", full)
        with pytest.raises(OSError, match="No space left"):
            DDD17("test", path=forms["raw"], cache=tmp_path, progress=False)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(DDD17("test", path=forms["raw"], cache=tmp_path, progress=False)) == 3


def test_sound_folders_have_no_problems(opened):
    for form in FORMS:
        assert opened(form, representation="evsegnet").problems() == []


def test_recognised_by_what_is_in_the_folder(forms, tmp_path):
    assert all(DDD17.recognises(forms[form]) for form in FORMS)
    assert not DDD17.recognises(tmp_path)
    (tmp_path / "rec1487417411.hdf5").write_bytes(b"")
    assert not DDD17.recognises(tmp_path)


def test_a_folder_without_ddd17(tmp_path, forms):
    with pytest.raises(FileNotFoundError, match=r"no such folder; name the one that holds DDD17 with path="):
        DDD17("train", path=tmp_path / "nowhere")
    (tmp_path / "other.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    with pytest.raises(FileNotFoundError, match=r"none of the known forms: no folders dir0, dir1"):
        DDD17("train", path=tmp_path)
    shutil.copytree(forms["repacked"] / "dir5", tmp_path / "dir5")
    for name in ("images", "labels", "events"):
        (tmp_path / name / "train").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"in several forms \(repacked, evsegnet\)"):
        DDD17("train", path=tmp_path)


CASES: list = []


def case(form, message):
    def register(function):
        CASES.append(pytest.param(form, function, message, id=function.__name__))
        return function

    return register


@case(
    "repacked", r"dir1.imgs: no such folder with the pictures; make it: cd .*dir1 && mkdir imgs && ffmpeg -i video.mp4"
)
def pictures_in_a_video(folder):
    shutil.rmtree(folder / "dir1/imgs")
    (folder / "dir1/video.mp4").write_bytes(b"")


@case("repacked", r"dir1: the labels are still packed: cd .*dir1 && unzip segmentation_masks.zip")
def labels_still_packed(folder):
    shutil.rmtree(folder / "dir1/segmentation_masks")
    (folder / "dir1/segmentation_masks.zip").write_bytes(b"")


@case("repacked", r"dir1.index.index_50ms.npy: no such file")
def no_index(folder):
    (folder / "dir1/index/index_50ms.npy").unlink()


@case("repacked", r"segmentation_00000005.png: picture 5 is not in .*index_50ms.npy, which has 4 rows")
def a_short_index(folder):
    path = folder / "dir1/index/index_50ms.npy"
    np.save(path, np.load(path)[:4])


@case("repacked", r"index_50ms.npy: row 2 says that \d+ events come before picture 3 at -\d+ ns, and there are 0")
def an_index_of_another_clock(folder):
    path = folder / "dir1/index/index_50ms.npy"
    index = np.load(path)
    index[:, 0] -= 10**10
    np.save(path, index)


@case("repacked", r"index_50ms.npy: is float64 of shape \(5, 3\), not whole numbers")
def an_index_of_fractions(folder):
    path = folder / "dir1/index/index_50ms.npy"
    np.save(path, np.load(path) / 2)


@case("repacked", r"index_50ms.npy: is no NPY file of numbers, or is cut short; unpack")
def an_index_that_would_execute_code(folder):
    np.save(folder / "dir1/index/index_50ms.npy", np.array([{"a": 1}], object), allow_pickle=True)


@case("repacked", r"events.dat.xyp has \d+ bytes and events.dat.t \d+; they must be 6 and 8 for each event")
def half_the_places(folder):
    path = folder / "dir1/events.dat.xyp"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@case("repacked", r"events.dat.xyp: events \d+ to \d+: .* 86")
def events_beyond_the_sensor(folder):
    path = folder / "dir1/events.dat.xyp"
    places = np.fromfile(path, "<i2").reshape(-1, 3)
    places[-1, 0] = 86
    places.tofile(path)


@case("repacked", r"dir1 is not later|label 1 of dir1 is not later than the one before")
def pictures_out_of_order(folder):
    path = folder / "dir1/index/index_50ms.npy"
    index = np.load(path)
    index[[2, 3]] = index[[3, 2]]
    np.save(path, index)


@case("repacked", r"segmentation_00000003.png has no picture 3 in .*imgs \(1 such labels\)")
def a_missing_picture(folder):
    (folder / "dir1/imgs/img_00000003.png").unlink()


@case("repacked", r"segmentation_00000003.png: class 7 at 1 pixels; the 6 classes are 0 to 5")
def an_unknown_class(folder):
    path = folder / "dir1/segmentation_masks/segmentation_00000003.png"
    label = np.array(Image.open(path))
    label[0, 0] = 7
    Image.fromarray(label).save(path)


@case("repacked", r"img_00000004.png has height and width \(9, 9\), the first picture \(65, 86\)")
def a_small_picture(folder):
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "dir1/imgs/img_00000004.png")


@case("raw", r"segmentation_00000077.png: there is no picture 77 in .*rec1487417411.hdf5, which has 5")
def a_label_without_a_picture(folder):
    place = folder / "run3/rec1487417411/segmentation_masks"
    (place / "segmentation_00000003.png").rename(place / "segmentation_00000077.png")


@case("raw", r"rec1487417411.segmentation_masks: no such folder")
def a_recording_without_labels(folder):
    shutil.rmtree(folder / "run3/rec1487417411")


@case("raw", r"rec1487417411.hdf5: row \d+ of dvs/data")
def a_damaged_packet(folder):
    with h5py.File(folder / "run3/rec1487417411.hdf5", "r+") as file:
        file["dvs/data"][2, 1] = np.zeros(5, np.uint8)


@case("evsegnet", r"rec1487417411_export_3.png has no partner in .*events")
def a_missing_array(folder):
    (folder / "events/test/rec1487417411_export_3.npy").unlink()


@case("evsegnet", r"rec1487417411_export_3.npy: is float32 of shape \(50, 86, 2\), not numbers \[H, W, 6\]")
def two_channels(folder):
    np.save(folder / "events/test/rec1487417411_export_3.npy", np.zeros((50, 86, 2), np.float32))


@case("evsegnet", r"rec1487417411_export_3.npy: holds values that are not finite")
def not_finite(folder):
    np.save(folder / "events/test/rec1487417411_export_3.npy", np.full((50, 86, 6), np.nan))


@case("evsegnet", r"rec1487417411_export_3.npy: cannot be read as an array of numbers")
def an_array_that_would_execute_code(folder):
    np.save(folder / "events/test/rec1487417411_export_3.npy", np.array([{"a": 1}], object), allow_pickle=True)


@case("evsegnet", r"rec1487417411_export_4.png has height and width \(50, 80\), its label \(50, 86\)")
def a_narrow_picture(folder):
    Image.fromarray(np.zeros((50, 80), np.uint8)).save(folder / "images/test/rec1487417411_export_4.png")


@pytest.mark.parametrize(("form", "change", "message"), CASES)
def test_faults_are_told(form, change, message, forms, tmp_path):
    """At once, or else by `problems`: in either case with the file."""
    folder = tmp_path / form
    shutil.copytree(forms[form], folder)
    change(folder)
    told = []
    try:
        data = DDD17("test", path=folder, representation="evsegnet", cache=tmp_path, progress=False)
        told = data.problems()
    except (ValueError, FileNotFoundError) as error:
        told = [str(error)]
    assert any(re.search(message, text) for text in told), told


def test_pictures_named_as_ess_has_some_of_them(forms, tmp_path, opened):
    """Ten digits and no img_ before them."""
    shutil.copytree(forms["repacked"], tmp_path / "copy")
    for path in (tmp_path / "copy/dir1/imgs").iterdir():
        path.rename(path.with_name(f"{int(path.stem.removeprefix('img_')):010d}.png"))
    data = DDD17("test", path=tmp_path / "copy")
    assert all(
        same(first, second) for first, second in zip(items(data), items(opened("repacked", "test")), strict=True)
    )


def test_wrong_miniatures(tmp_path):
    (tmp_path / "file").write_text("")
    for options, message in (
        ({"form": "zip"}, "form is 'zip', must be one of repacked, raw, evsegnet"),
        ({"scale": 3}, "scale is 3"),
        ({"labels": 0}, "labels is 0"),
        ({}, "is not empty"),
    ):
        with pytest.raises(ValueError, match=message):
            write(tmp_path, **options)
