"""Folders with DDD17, DSEC or MVSEC among the shared data, if there are any."""

import pytest

from spikelab.datasets import DDD17, DSECSemantic
from spikelab.datasets.ddd17.dataset import recognised_form
from spikelab.datasets.ddd17.raw import raw_recordings
from spikelab.datasets.dsec.layout import sequence_folders

pytestmark = pytest.mark.shared


@pytest.fixture
def folders(shared):
    return [folder for folder in sorted((shared / "data").iterdir()) if folder.is_dir()]


def all_are_sound(data):
    assert data.problems() == []
    for index in (0, len(data) - 1):
        item = data[index]
        assert item["frame"].shape[-2:] == item["label"].shape == item["events"].shape[-2:]


def test_dsec(folders):
    found = [folder for folder in folders if DSECSemantic.recognises(folder)]
    if not found:
        pytest.skip("no sequences of DSEC among the shared data")
    for folder in found:
        for name, places in sequence_folders(folder).items():
            if any((place / "events").is_dir() for place in places):
                all_are_sound(DSECSemantic("test", path=folder, sequences=[name], last_events=None))


def test_ddd17(folders, tmp_path):
    found = [folder for folder in folders if DDD17.recognises(folder)]
    if not found:
        pytest.skip("no recordings of DDD17 among the shared data")
    for folder in found:
        form = recognised_form(folder)
        names = []
        if form == "repacked":
            names = [[place.parent.name] for place in sorted(folder.glob("*/events.dat.t"))]
        elif form == "raw":
            names = [[name] for name in raw_recordings(folder)]
        for sequences in names or [None]:
            options = {"representation": "evsegnet", "cache": tmp_path, "progress": False}
            all_are_sound(DDD17("test", path=folder, sequences=sequences, **options))
