"""40-bit records of N-MNIST and N-Caltech101: what is particular to them."""

import numpy as np
import pytest
from encode_atis_bin import OVERFLOW, record

from spikelab.events.files import EventFileError, open_events, read_events, recognise


def test_all_bits_of_a_record(tmp_path):
    (tmp_path / "a").write_bytes(record(33, 7, 0x7FFFFE, 1) + record(255, 255, 0x7FFFFF, 0))
    events = read_events(tmp_path / "a", format="atis_bin")
    assert [column.tolist() for column in (events.x, events.y, events.t, events.p)] == [
        [33, 255], [7, 255], [0x7FFFFE, 0x7FFFFF], [1, 0]
    ]  # fmt: skip


def test_rows_240_are_overflows_of_the_timer(tmp_path):
    (tmp_path / "a").write_bytes(
        record(1, 2, 8000, 1) + OVERFLOW + record(3, 4, 5, 0) + OVERFLOW * 2 + record(5, 6, 0, 1)
    )
    events = read_events(tmp_path / "a", format="atis_bin")
    assert events.t.tolist() == [8000, 8197, 3 * 8192]
    assert events.x.tolist() == [1, 3, 5]


def test_files_without_a_mark_are_not_seen_in_anything(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"".join(record(i, i, 10 * i, i % 2) for i in range(20)))
    assert recognise(path) == "atis_bin"
    random = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    few = record(1, 2, 3, 1) * 3
    lines = b"".join(b"%d\n" % number for number in range(1000, 1100))
    for content in (random, bytes(5000), b"hello" * 100, lines, few, path.read_bytes()[:-1]):
        path.write_bytes(content)
        with pytest.raises(
            EventFileError, match=r"no event file of a known format\. .* format=NAME: .*aedat2 \(AEDAT 1.0 or 2.0\)"
        ):
            recognise(path)


def test_no_streams(tmp_path):
    (tmp_path / "a").write_bytes(record(1, 2, 3, 1))
    with pytest.raises(EventFileError, match="leave out stream=left"):
        open_events(tmp_path / "a", format="atis_bin", stream="left")


@pytest.mark.shared
def test_real_files_by_the_description_alone(shared):
    found = [path for path in sorted(shared.glob("data/**/*.bin")) if path.stat().st_size % 5 == 0]
    found = [path for path in found if recognise(path) == "atis_bin"]
    if not found:
        pytest.skip(f"no file of 40-bit records below {shared}/data")
    for path in found:
        columns = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 5).astype(int).T
        t = (columns[2] % 128) * 65536 + columns[3] * 256 + columns[4] + 8192 * np.cumsum(columns[1] == 240)
        kept = columns[1] != 240
        events = read_events(path)
        assert events.x.tolist() == columns[0][kept].tolist()
        assert events.y.tolist() == columns[1][kept].tolist()
        assert events.p.tolist() == (columns[2] // 128)[kept].tolist()
        assert sorted(t[kept]) == events.t.tolist()


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_a_file_that_is_cut_within_a_record_is_recognised(tmp_path, missing):
    path = tmp_path / "a"
    path.write_bytes(b"".join(record(i % 34, i % 34, 10 * i, i % 2) for i in range(1000))[:-missing])
    with pytest.raises(EventFileError, match=rf"byte 4995: the last event is cut short, {5 - missing} of its 5 bytes"):
        read_events(path)
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert len(read_events(path, damaged="keep")) == 999
