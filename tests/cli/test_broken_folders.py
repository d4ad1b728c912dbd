"""`spikelab data check FOLDER` on folders that are broken: it names the fault, the file and what to do, and goes on."""

import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from spikelab.cli import main
from spikelab.datasets.ddd17 import miniature as ddd17
from spikelab.datasets.dsec import miniature as dsec
from spikelab.datasets.mvsec import miniature as mvsec

for place in ("cli", "datasets", "events/files"):
    sys.path.append(str(Path(__file__).parents[1] / place))

import broken_recordings  # noqa: E402
import broken_segmentation  # noqa: E402
from broken_segmentation import (  # noqa: E402
    a_label_of_19_classes,
    calibration_without_a_key,
    events_cut_short,
    labels_of_11_classes_as_those_of_19,
    no_rectify_map,
    train,
)
from miniature_dvs_gesture import dvs_gesture  # noqa: E402
from miniature_heidelberg import shd  # noqa: E402
from miniature_spoken_digits import spoken_digits  # noqa: E402
from miniatures_by_class import nmnist, zipped  # noqa: E402

WRITERS = {
    "dsec": lambda folder: dsec.write(folder, scale=10, labels=5),
    "repacked": lambda folder: ddd17.write(folder, "repacked", scale=5, labels=3),
    "raw": lambda folder: ddd17.write(folder, "raw", scale=5, labels=3),
    "evsegnet": lambda folder: ddd17.write(folder, "evsegnet", scale=5, labels=3),
    "mvsec": lambda folder: mvsec.write(folder, scale=8),
    "nmnist": nmnist,
    "dvs_gesture": dvs_gesture,
    "shd": shd,
    "spoken_digits": spoken_digits,
}
OPTIONS = {
    "dsec": {"first": 1, "every": 1, "last_events": 100},
    "raw": {"cache": "cache"},
    "dvs_gesture": {"cache": "cache"},
}
SOUND = [name for name in WRITERS if name != "spoken_digits"]  # of which the miniature lacks digits


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    written = {}

    def of(name):
        if name not in written:
            written[name] = tmp_path_factory.mktemp(name) / "whole"
            written[name].mkdir()
            WRITERS[name](written[name])
        return written[name]

    return of


@pytest.fixture
def copy(whole, tmp_path):
    def of(name):
        return shutil.copytree(whole(name), tmp_path / "data" / name)

    return of


@pytest.fixture
def checked(tmp_path, capsys):
    """Exit code and what is printed, on both streams."""

    def check(name, folder, *more):
        options = dict(OPTIONS.get(name, {}))
        if "cache" in options:
            options["cache"] = str(tmp_path / "cache")
        capsys.readouterr()
        words = [f"--options.{key}={value}" for key, value in options.items()]
        code = main(["data", "check", str(folder), *words, *more])
        out, err = capsys.readouterr()
        assert "looks like a fault in spikelab" not in err
        return code, out + err

    return check


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_folder(name, whole, checked):
    code, printed = checked(name, whole(name))
    assert code == 0, printed
    assert "no problem found" in printed


CASES = [
    (name, way) for ways in (broken_segmentation.WAYS, broken_recordings.WAYS) for name in ways for way in ways[name]
]


@pytest.mark.parametrize(("name", "way"), CASES, ids=[f"{name}-{way.__name__}" for name, way in CASES])
def test_the_fault_is_named(name, way, copy, checked):
    folder = copy(name)
    words = way(folder)
    code, printed = checked(name, folder)
    assert code == 1
    for word in [words] if isinstance(words, str) else words:
        assert word in printed


def test_labels_of_another_number_of_classes(copy, checked):
    folder = copy("dsec")
    words = labels_of_11_classes_as_those_of_19(folder)
    code, printed = checked("dsec", folder, "--options.classes=19")
    assert code == 1
    for word in words:
        assert word in printed


def test_all_faults_of_a_folder_are_listed_and_the_rest_is_read(copy, checked):
    folder = copy("dsec")
    words = []
    for number, way in enumerate((no_rectify_map, a_label_of_19_classes, calibration_without_a_key, events_cut_short)):
        other = copy_of_sequence(folder, number)
        found = way(other)
        words += [found] if isinstance(found, str) else list(found)
        shutil.rmtree(train(folder, NAMES[number]))
        shutil.move(train(other), train(folder, NAMES[number]))
    words = [word.replace(f"{folder.parent}/other", str(folder)) for word in words]
    code, printed = checked("dsec", folder)
    assert code == 1
    for number, word in enumerate(words):
        assert word.split("zurich")[0].rpartition("/")[2] in printed, (number, word)
    for name in NAMES:
        assert name in printed
    assert "zurich_city_05_a, samples" in printed  # of which nothing is wrong
    assert "test" in printed


NAMES = ("zurich_city_00_a", "zurich_city_01_a", "zurich_city_02_a", "zurich_city_04_a")


def copy_of_sequence(folder, number):
    """A folder with nothing but one sequence, under the name that the ways of breaking know."""
    other = folder.parent / "other"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(train(folder, NAMES[number]), train(other))
    return other


def test_people_of_a_recording_with_a_broken_list_still_count(copy, checked):
    """Without them, the last fifth of the people was none, and validation a second fault."""
    folder = copy("dvs_gesture")
    path = next((folder / "DvsGesture").glob("user01_*_labels.csv"))
    path.write_text("class\n")
    code, printed = checked("dvs_gesture", folder)
    assert code == 1
    assert f"{path}, line 1: the columns must be" in printed
    assert "leaves no gesture" not in printed


def test_a_miniature_with_too_few_labels_for_the_defaults(tmp_path, checked):
    dsec.write(tmp_path / "few", scale=10, labels=4)
    code, printed = checked("", tmp_path / "few")
    assert code == 1
    assert "leave no sample when the first 6 of each are left out (option first)" in printed
    assert "samples" not in printed.split("cannot be read")[0]  # no table without a split


# --- the wrong folder -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "inside"),
    [("nmnist", "Train"), ("nmnist", "Train/4"), ("repacked", "dir0"), ("dsec", "train/zurich_city_01_a")],
)
def test_one_folder_too_deep(name, inside, copy, checked):
    folder = copy(name)
    code, printed = checked(name, folder / inside)
    assert code == 1
    assert "is no data set itself, but another folder is" in printed
    assert f"spikelab data check {folder}" in printed


@pytest.mark.parametrize(
    ("name", "inside", "kind"), [("repacked", "a/b", "ddd17"), ("mvsec", "a", "mvsec"), ("shd", "a/b", "shd")]
)
def test_one_folder_too_high(name, inside, kind, copy, checked):
    folder = copy(name)
    (folder.parent / "a").mkdir()
    shutil.move(folder, folder.parent / "a/b")
    code, printed = checked(name, folder.parent)
    assert code == 1
    assert f"spikelab data check {folder.parent / inside} ({kind})" in printed


def test_archives_that_were_not_unpacked(tmp_path, checked):
    with zipfile.ZipFile(tmp_path / "interlaken.zip", "w") as archive:
        archive.writestr("events.h5", b"anything")
    (tmp_path / "DvsGesture.tar.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    code, printed = checked("", tmp_path)
    assert code == 1
    assert "unpack DvsGesture.tar.gz, interlaken.zip" in printed


def test_an_archive_of_arrays_that_was_not_unpacked(whole, tmp_path, checked):
    shutil.make_archive(tmp_path / "DDD17", "zip", whole("repacked"))
    code, printed = checked("", tmp_path)
    assert code == 1
    assert "unpack DDD17.zip" in printed
    assert "holds no events" not in printed


def test_archives_half_downloaded(whole, tmp_path, checked):
    zipped(whole("nmnist"), tmp_path)
    for name in ("Train", "Test"):
        path = tmp_path / f"{name}.zip"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, printed = checked("nmnist", tmp_path)
    assert code == 1
    for name in ("Train", "Test"):
        assert f"{tmp_path}/{name}.zip: is no whole zip archive" in printed
    assert "half downloaded perhaps; fetch it again" in printed


def test_files_that_may_not_be_read(copy, checked, monkeypatch):
    folder = copy("nmnist")
    path = next((folder / "Test/2").iterdir())
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != path and allowed(place, mode))
    code, printed = checked("nmnist", folder)
    assert code == 1
    assert f"{path}: this file may not be read by you" in printed
    assert f"chmod u+rX {path}" in printed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(copy, checked):
    folder = copy("nmnist")
    (folder / "Test/2").chmod(0)
    try:
        code, printed = checked("nmnist", folder)
    finally:
        (folder / "Test/2").chmod(0o755)
    assert code == 1
    assert f"{folder}/Test/2: this folder may not be read by you" in printed


def test_a_single_file_that_is_damaged(tmp_path, checked):
    path = tmp_path / "recording.raw"
    words = np.array([0x8000, 0x6000, 0x0005, 0x2003, 0x1700], "<u2")
    path.write_bytes(b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n" + words.tobytes())
    code, printed = checked("", path)
    assert code == 1
    assert f"{path}: byte" in printed
    assert "0x1700 is no word of EVT3" in printed


def test_the_code_is_explained(capsys):
    assert main(["data", "check", "--help"]) == 0
    assert "all that is wrong; ends with 1 where anything is" in " ".join(capsys.readouterr().out.split())
