"""Procedural driving scenes: what a sample holds, that it depends on the seed only, and what each camera sees when."""

import pickle
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch
from torch.utils.data import DataLoader

from spikelab.datasets import Roads
from spikelab.datasets.roads import dataset as roads
from spikelab.datasets.roads import sample as roads_sample
from spikelab.datasets.roads.sample import CONDITIONS, RoadsSettings, make_sample

SMALL = {"height": 32, "width": 48, "progress": False, "workers": 1}


@pytest.fixture(scope="module")
def test_split(tmp_path_factory):
    """The whole test split in small."""
    return Roads("test", height=48, width=80, progress=False, workers=1, cache=tmp_path_factory.mktemp("roads"))


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_item_has_the_declared_shapes_types_and_ranges(test_split):
    for item in (test_split[0], test_split[-1]):
        assert item["events"].shape == (5, 2, 48, 80)
        assert item["events"].dtype == torch.float32
        assert item["frame"].shape == (1, 48, 80)
        assert item["frame"].dtype == torch.float32
        assert item["label"].shape == (48, 80)
        assert item["label"].dtype == torch.int64
        assert item["events"].min() >= 0
        assert 0 <= item["frame"].min() <= item["frame"].max() <= 1
    assert len(test_split.class_names) == len(test_split.palette) == 6
    with pytest.raises(IndexError, match=r"sample 100 of 100"):
        test_split[100]


def test_default_collate_stacks_batch_first(test_split):
    batch = next(iter(DataLoader(test_split, batch_size=3)))
    assert batch["events"].shape == (3, 5, 2, 48, 80)
    assert batch["frame"].shape == (3, 1, 48, 80)
    assert batch["label"].shape == (3, 48, 80)


def test_every_class_has_at_least_two_percent_of_the_labelled_pixels(test_split):
    counts = test_split.class_counts()
    assert (counts / counts.sum()).min() >= 0.02


def test_labels_are_classes_or_the_ignored_bonnet(test_split):
    for index in range(0, 100, 7):
        label = test_split.raw(index).label
        assert np.isin(label, [0, 1, 2, 3, 4, 5, 255]).all()
        assert (label[-1, 30:50] == 255).all()
        assert (label[: 48 * 3 // 4] != 255).all()


def test_conditions_have_their_shares(test_split):
    found = [test_split.conditions(index) for index in range(100)]
    for conditions, share in CONDITIONS:
        assert found.count(conditions) == pytest.approx(100 * share, abs=3)
    assert sum(share for _, share in CONDITIONS) == pytest.approx(1.0)


def test_each_condition_defeats_the_camera_that_it_should(test_split):
    events, frames = {}, {}
    for index in range(100):
        raw = test_split.raw(index)
        events.setdefault(raw.conditions, []).append(len(raw.events))
        frames.setdefault(raw.conditions, []).append(raw.frame)
    # A camera that stands still sees less than a fifth of the events; the dark takes none of them away.
    assert np.median(events["stopped",]) < 0.2 * np.median(events["clean",])
    assert np.median(events["dark",]) > 0.4 * np.median(events["clean",])
    assert np.median(events["saturated",]) > 0.5 * np.median(events["clean",])
    assert max(frame.mean() for frame in frames["dark",]) < 5
    assert min((frame == 255).mean() for frame in frames["saturated",]) > 0.5
    sharpness = {
        key: np.median([np.abs(np.diff(f.astype(float))).mean() / f.mean() for f in frames[key]]) for key in frames
    }
    assert sharpness["blurred",] < 0.6 * sharpness["clean",]
    assert sharpness["stopped",] > 0.7 * sharpness["clean",]


def test_moving_things_give_events_to_a_camera_that_stands_still(test_split):
    """In the stopped samples, people and cars have a larger share of the events than of the pixels."""
    on_movers, movers, total, pixels = 0, 0, 0, 0
    for index in range(100):
        raw = test_split.raw(index)
        if raw.conditions == ("stopped",):
            mask = np.isin(raw.label, [4, 5])
            on_movers += mask[raw.events.y, raw.events.x].sum()
            total += len(raw.events)
            movers, pixels = movers + mask.sum(), pixels + mask.size
    assert on_movers / total > 2 * movers / pixels


def test_events_lie_in_the_window(test_split):
    for index in range(0, 100, 9):
        events = test_split.raw(index).events
        assert events.t.min() >= 0
        assert events.t.max() <= test_split.window == 50_000


def test_same_bytes_for_any_number_of_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(roads, "SHARD", 2)
    settings = SMALL | {"samples": 5, "seed": 3}
    one = Roads("train", **settings, cache=tmp_path / "one")
    two = Roads("train", **(settings | {"workers": 2}), cache=tmp_path / "two")
    assert one.folder.name == two.folder.name
    assert len(contents(one.folder)) == 3
    assert contents(one.folder) == contents(two.folder)


def test_a_sample_depends_on_seed_split_and_index_only(tmp_path):
    few = Roads("train", **SMALL, samples=2, cache=tmp_path)
    more = Roads("train", **SMALL, samples=3, cache=tmp_path)
    other_seed = Roads("train", **SMALL, samples=2, seed=1, cache=tmp_path)
    other_split = Roads("test", **SMALL, samples=2, cache=tmp_path)
    assert few.raw(1).events == more.raw(1).events
    assert np.array_equal(few.raw(1).frame, more.raw(1).frame)
    for other in (other_seed, other_split):
        assert not np.array_equal(few.raw(1).label, other.raw(1).label)


def test_time_bins_need_no_new_samples(tmp_path):
    five = Roads("train", **SMALL, samples=1, cache=tmp_path)
    ten = Roads("train", **SMALL, samples=1, time_bins=10, cache=tmp_path)
    assert five.folder == ten.folder
    assert ten[0]["events"].shape[0] == 10


def test_an_interrupted_run_keeps_what_is_done_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(roads, "SHARD", 2)
    settings = SMALL | {"samples": 6}
    whole = Roads("train", **settings, cache=tmp_path / "whole")
    made = []

    def interrupted(settings, split, index):
        made.append(index)
        if len(made) == 4:
            raise KeyboardInterrupt
        return make_sample(settings, split, index)

    with monkeypatch.context() as patch:
        patch.setattr(roads_sample, "make_sample", interrupted)
        patch.setattr(roads, "compile_renderer", lambda: None)
        with pytest.raises(KeyboardInterrupt):
            Roads("train", **settings, cache=tmp_path / "cut")
    folder = tmp_path / "cut" / "datasets" / whole.folder.name
    kept = contents(folder)
    assert len(kept) == 1
    changed = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    resumed = Roads("train", **settings, cache=tmp_path / "cut")
    assert contents(resumed.folder) == contents(whole.folder)
    name = next(iter(kept))
    assert (folder / name).stat().st_mtime_ns == changed[name]


GENERATE = """
import sys
from spikelab.datasets.roads.dataset import Roads

if __name__ == "__main__":
    Roads("train", **{settings!r}, samples=40, cache=sys.argv[1])
"""


def test_two_programs_may_generate_at_once(tmp_path):
    # a script in a file, because the generating processes import it
    script = tmp_path / "generate.py"
    script.write_text(GENERATE.format(settings=SMALL))
    programs = [subprocess.Popen([sys.executable, script, tmp_path / "both"]) for _ in range(2)]
    exit_codes = [program.wait() for program in programs]
    assert exit_codes == [0, 0]
    alone = Roads("train", **SMALL, samples=40, cache=tmp_path / "alone")
    assert contents(tmp_path / "both" / "datasets" / alone.folder.name) == contents(alone.folder)


def test_a_script_without_a_main_guard_is_told_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from spikelab.datasets import Roads\n"
        f"Roads('train', height=16, width=16, samples=40, workers=2, progress=False, cache={str(tmp_path)!r})\n"
    )
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode != 0
    assert 'under `if __name__ == "__main__":`' in result.stderr.splitlines()[-1]


def test_mirror_image_changes_events_frame_and_label_alike(tmp_path):
    plain = Roads("train", **SMALL, samples=2, cache=tmp_path)
    flipped = Roads("train", **SMALL, samples=2, flip=1.0, cache=tmp_path)
    for field in ("events", "frame", "label"):
        assert torch.equal(flipped[1][field], plain[1][field].flip(-1))
        assert flipped[1][field].is_contiguous()


def test_crop_takes_the_same_place_from_events_frame_and_label(tmp_path):
    plain = Roads("train", **SMALL, samples=1, cache=tmp_path)[0]
    cropped = Roads("train", **SMALL, samples=1, crop=(20, 30), cache=tmp_path)[0]
    assert cropped["events"].shape == (5, 2, 20, 30)
    places = [
        (top, left)
        for top in range(32 - 20 + 1)
        for left in range(48 - 30 + 1)
        if all(torch.equal(plain[key][..., top : top + 20, left : left + 30], cropped[key]) for key in plain)
    ]
    assert len(places) == 1


def test_gain_changes_the_frame_only(tmp_path):
    index = 1  # clean
    plain = Roads("train", **SMALL, samples=2, cache=tmp_path)[index]
    bright = Roads("train", **SMALL, samples=2, gain=0.5, cache=tmp_path)[index]
    assert torch.equal(plain["events"], bright["events"])
    assert not torch.equal(plain["frame"], bright["frame"])
    assert bright["frame"].max() <= 1


def test_random_changes_follow_epoch_and_index(tmp_path):
    data = Roads("train", **SMALL, samples=3, flip=0.5, crop=(16, 16), gain=0.2, cache=tmp_path)
    again = Roads("train", **SMALL, samples=3, flip=0.5, crop=(16, 16), gain=0.2, cache=tmp_path)
    first = data[0]["frame"]
    assert torch.equal(first, again[0]["frame"])
    data.set_epoch(1)
    assert not torch.equal(first, data[0]["frame"])
    data.set_epoch(0)
    assert torch.equal(first, data[0]["frame"])
    assert torch.equal(data[-1]["frame"], data[2]["frame"])


def test_other_splits_are_never_changed(tmp_path):
    plain = Roads("test", **SMALL, samples=1, cache=tmp_path)[0]
    data = Roads("test", **SMALL, samples=1, flip=1.0, crop=(16, 16), gain=1.0, cache=tmp_path)[0]
    assert all(torch.equal(plain[key], data[key]) for key in plain)


def test_processes_of_a_loader_see_the_new_epoch(tmp_path):
    data = Roads("train", **SMALL, samples=2, crop=(16, 16), gain=0.3, cache=tmp_path)
    loader = DataLoader(data, batch_size=2, num_workers=1, persistent_workers=True)
    for epoch in (0, 1):
        data.set_epoch(epoch)
        batch = next(iter(loader))
        assert torch.equal(batch["frame"], torch.stack([data[0]["frame"], data[1]["frame"]]))


def test_data_set_can_be_pickled(tmp_path):
    data = Roads("train", **SMALL, samples=1, cache=tmp_path)
    data[0]
    copy = pickle.loads(pickle.dumps(data))
    assert torch.equal(copy[0]["events"], data[0]["events"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "val"}, r"split is 'val', must be one of train, validation, test"),
        ({"samples": 0}, r"samples is 0"),
        ({"height": 8}, r"height is 8"),
        ({"width": 4096}, r"width is 4096"),
        ({"seed": -1}, r"seed is -1"),
        ({"window": 0.0}, r"window is 0.0"),
        ({"time_bins": 0}, r"time_bins is 0"),
        ({"workers": 0}, r"workers is 0"),
        ({"flip": 1.5}, r"flip is 1.5"),
        ({"gain": float("nan")}, r"gain is nan"),
        ({"crop": (64, 16)}, r"crop is \(64, 16\), larger than"),
    ],
)
def test_bad_arguments(changes, message, tmp_path):
    arguments = SMALL | {"split": "train", "samples": 1, "cache": tmp_path} | changes
    with pytest.raises(ValueError, match=message):
        Roads(**arguments)


def test_settings_change_the_folder():
    keys = {
        roads.roads_key(RoadsSettings(**changes))
        for changes in ({}, {"seed": 1}, {"height": 64}, {"width": 64}, {"window": 0.1})
    }
    assert len(keys) == 5


def test_importing_the_package_is_light():
    code = "import sys, spikelab.datasets as d; assert 'Roads' in dir(d); print({'torch', 'numba'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_no_process_outlives_a_parent_that_was_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from spikelab.datasets import Roads\n"
        "if __name__ == '__main__':\n"
        f"    Roads('train', height=64, width=96, samples=9000, workers=2, progress=False, cache={str(tmp_path)!r})\n"
    )
    parent = psutil.Process(subprocess.Popen([sys.executable, script], start_new_session=True).pid)
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("datasets/*/train-*.safetensors")):
            assert parent.is_running(), "the program ended by itself"
            assert time.monotonic() < deadline, "no shard in two minutes"
            time.sleep(0.1)
        children = parent.children(recursive=True)
        assert len(children) >= 2
    finally:
        parent.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
