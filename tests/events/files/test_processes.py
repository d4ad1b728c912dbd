"""Open files that are handed to other processes, forked or started anew: each reads for itself."""

import itertools
import os
import pickle

import numpy as np
import pytest
from read_by_workers import Parts, as_it_is
from torch.utils.data import DataLoader

from spikelab import registry
from spikelab.events.files import open_events


def one(encoder, tmp_path, count=3000):
    events = encoder.events(count)
    path = tmp_path / encoder.name
    encoder.write(path, events)
    return open_events(path, **encoder.options), events


def parts_of(events):
    """Eight parts that follow each other, from when to when."""
    edges = np.linspace(0, len(events) - 1, 9).astype(int)
    return [(int(events.t[low]), int(events.t[high])) for low, high in itertools.pairwise(edges)]


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_loader_read_every_format(tmp_path, encoder_of, start):
    files, parts, wanted = [], [], []
    for number, name in enumerate(registry.names("event_formats")):
        file, events = one(encoder_of(name), tmp_path)
        files.append(file)
        for begin, end in parts_of(events):
            parts.append((number, begin, end))
            wanted.append(events.between(begin, end))
    # workers take turns by items: two that share the place in a file would be at odds
    loader = DataLoader(
        Parts(files, parts), num_workers=2, multiprocessing_context=start, collate_fn=as_it_is, timeout=120
    )
    for found, events, (number, begin, end) in zip(loader, wanted, parts, strict=True):
        here = files[number].between(begin, end)
        assert here.t.tolist() == events.t.tolist(), files[number].format
        for column, name in enumerate("txyp"):
            np.testing.assert_array_equal(found[:, column], getattr(events, name), err_msg=files[number].format)
    for file in files:
        file.close()


def test_a_forked_process_has_a_place_of_its_own(encoder, tmp_path):
    """A child reads to the end while this process stands in the middle: what is read here does not change."""
    file, events = one(encoder, tmp_path)
    reading = file.chunks()
    first = next(reading)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            same = file.between(0, int(events.t[-1]) + 1)
            status = 0 if np.array_equal(same.t, events.t) and np.array_equal(same.x, events.x) else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert sum(map(len, reading)) + len(first) == len(events)
    assert len(file.read()) == len(events)
    file.close()


def test_pickling_keeps_where_and_how(encoder, tmp_path):
    file, events = one(encoder, tmp_path)
    small = (encoder.height // 2, encoder.width // 2)
    with open_events(file.path, size=small, outside="drop") as cropping:
        again, smaller = pickle.loads(pickle.dumps(file)), pickle.loads(pickle.dumps(cropping))
    begin, end = parts_of(events)[3]
    assert [again.path, again.format, again.size, again.about] == [file.path, file.format, file.size, file.about]
    np.testing.assert_array_equal(again.between(begin, end).t, events.between(begin, end).t)
    kept = (events.x < small[1]) & (events.y < small[0])
    with pytest.warns(UserWarning, match="beyond the sensor were left out"):
        np.testing.assert_array_equal(smaller.read().t, events.t[kept])
    for each in (file, again, smaller):
        each.close()


def test_the_unit_survives_pickling(tmp_path):
    (tmp_path / "a.txt").write_text("# t x y p\n" + "".join(f"{t} 100 20 {t % 2}\n" for t in range(0, 3000, 7)))
    with open_events(tmp_path / "a.txt", unit="ms") as file:
        assert pickle.loads(pickle.dumps(file)).read().t.tolist() == list(range(0, 3_000_000, 7000))


def test_a_closed_file_says_so(encoder, tmp_path):
    file, _ = one(encoder, tmp_path, 20)
    file.close()
    file.close()
    for each in (file, pickle.loads(pickle.dumps(file))):
        for read in (each.read, lambda each=each: next(iter(each)), lambda each=each: list(each.frames()),
                     each.triggers, lambda each=each: each.between(0, 1)):  # fmt: skip
            with pytest.raises(ValueError, match="is closed; open it again with open_events"):
                read()
