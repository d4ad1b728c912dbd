"""Shards: written whole or not at all, and checked when they are opened."""

import errno
import os

import numpy as np
import pytest

from spikelab.datasets import cache
from spikelab.datasets.cache import CacheFileError, RawSample, Shard, cache_folder, remove_abandoned, write_shard
from spikelab.events import EventArray

SIZE = (4, 6)


def sample(seed, events=50):
    rng = np.random.default_rng(seed)
    array = EventArray(
        rng.integers(6, size=events).astype(np.uint16),
        rng.integers(4, size=events).astype(np.uint16),
        np.sort(rng.integers(50_000, size=events)),
        rng.integers(2, size=events).astype(np.uint8),
        width=6,
        height=4,
    )
    frame, label = (rng.integers(6, size=SIZE).astype(np.uint8) for _ in range(2))
    return RawSample(array, frame, label, ("clean",) if seed else ("dark", "stopped"))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    write_shard(path, [sample(0), sample(1, events=0), sample(2)], "key")
    return path


def test_samples_come_back(path):
    shard = Shard(path, "key", 3, SIZE)
    shard.verify()
    for index, events in enumerate((50, 0, 50)):
        expected, found = sample(index, events), shard.read(index)
        assert found.events == expected.events
        assert np.array_equal(found.frame, expected.frame)
        assert np.array_equal(found.label, expected.label)
        assert found.conditions == shard.conditions(index) == expected.conditions


def test_the_same_samples_give_the_same_bytes(path, tmp_path):
    for attempt in range(5):
        again = tmp_path / f"{attempt}.safetensors"
        write_shard(again, [sample(0), sample(1, events=0), sample(2)], "key")
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_cut_short(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CacheFileError, match=r"a\.safetensors.*Delete this file and run again"):
        Shard(path, "key", 3, SIZE)


def test_longer_than_it_should_be(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CacheFileError, match=r"a\.safetensors"):
        Shard(path, "key", 3, SIZE)


def test_not_a_shard(path):
    path.write_bytes(np.random.default_rng(0).bytes(500))
    with pytest.raises(CacheFileError, match=r"a\.safetensors"):
        Shard(path, "key", 3, SIZE)
    cache.write_atomically(path, {"weights": np.zeros(3)}, {})
    with pytest.raises(CacheFileError, match=r"is not a shard.*weights"):
        Shard(path, "key", 3, SIZE)


def test_missing(tmp_path):
    with pytest.raises(CacheFileError, match=r"gone\.safetensors: is missing"):
        Shard(tmp_path / "gone.safetensors", "key", 3, SIZE)


def test_of_other_settings_size_or_count(path):
    with pytest.raises(CacheFileError, match=r"made with other settings \(key key, expected other\)"):
        Shard(path, "other", 3, SIZE)
    with pytest.raises(CacheFileError, match=r"field 'offsets' is I64 \[4\], expected I64 \[5\]"):
        Shard(path, "key", 4, SIZE)
    with pytest.raises(CacheFileError, match=r"field 'frame' is U8 \[3, 4, 6\], expected U8 \[3, 4, 5\]"):
        Shard(path, "key", 3, (4, 5))


def test_a_changed_byte_is_found_by_verify(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    shard = Shard(path, "key", 3, SIZE)
    with pytest.raises(CacheFileError, match=r"does not match its checksum"):
        shard.verify()


def test_impossible_events_are_not_handed_on(tmp_path):
    path = tmp_path / "a.safetensors"
    wrong = sample(0)
    wide = EventArray(wrong.events.x + np.uint16(1), wrong.events.y, wrong.events.t, wrong.events.p, width=7, height=4)
    write_shard(path, [RawSample(wide, wrong.frame, wrong.label)], "key")
    with pytest.raises(CacheFileError, match=r"impossible events in sample 0 .*outside 0\.\.5"):
        Shard(path, "key", 1, SIZE).read(0)


def test_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "save_file", full)
    with pytest.raises(OSError, match=r"a\.safetensors.*No space left.*SPIKELAB_CACHE"):
        write_shard(tmp_path / "a.safetensors", [sample(0)], "key")
    assert list(tmp_path.iterdir()) == []


def test_only_old_temporary_files_are_removed(tmp_path):
    old, new, whole = (tmp_path / name for name in (".a.1-2.tmp", ".b.1-2.tmp", "a.safetensors"))
    for file in (old, new, whole):
        file.touch()
    for file in (old, whole):
        os.utime(file, (1, 1))
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == [new, whole]


def test_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKELAB_CACHE", str(tmp_path))
    assert cache_folder("roads-1") == tmp_path / "datasets" / "roads-1"
    assert cache_folder("roads-1", tmp_path / "other") == tmp_path / "other" / "datasets" / "roads-1"
    monkeypatch.delenv("SPIKELAB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder("roads-1") == tmp_path / "home" / ".cache" / "spikelab" / "datasets" / "roads-1"
