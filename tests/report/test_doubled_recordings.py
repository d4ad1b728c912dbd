"""Recordings in several splits: found by size and checksum, unpacked or in archives, and read no more than needed."""

import zipfile

from spikelab.datasets import recording_files
from spikelab.datasets.recording_files import RecordingFile
from spikelab.report.doubled_recordings import doubled, sources


def test_copies_are_found_and_files_of_the_same_size_are_not(tmp_path):
    for name, content in (("a", b"12345"), ("b", b"67890"), ("c", b"12345"), ("d", b"123456"), ("e", b"")):
        (tmp_path / name).write_bytes(content)
    a, b, c, d, e = (tmp_path / name for name in "abcde")
    assert doubled({"train": [a, d, e], "test": [b, e]}) == {}
    found = doubled({"train": [a, d], "test": [b, c]})
    assert list(found) == ["test"]
    assert found["test"][0].startswith(f"1 of 2 recordings are also in train, the first: {c} is a copy of {a};")
    assert f"the first: {a};" in doubled({"train": [a, d], "test": [a]})["test"][0]


def test_contents_are_read_where_sizes_agree_between_splits_alone(tmp_path, monkeypatch):
    paths = [tmp_path / name for name in "abcd"]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * (4 + (number > 1)))
    read = []
    checksum = recording_files.file_checksum
    monkeypatch.setattr(
        "spikelab.report.doubled_recordings.file_checksum", lambda path: (read.append(path), checksum(path))[1]
    )
    assert doubled({"train": paths[:3], "test": paths[3:]}) == {}
    assert read == paths[2:]
    assert doubled({"train": paths[:3], "test": paths[:1]})  # the same file needs no reading but for what is as long
    assert paths[2] not in read[2:]


def test_what_is_in_an_archive_is_compared_by_its_list(tmp_path):
    (tmp_path / "Train").mkdir()
    (tmp_path / "Train/1.bin").write_bytes(b"recording")
    with zipfile.ZipFile(tmp_path / "Test.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Test/2.bin", b"recording")
        archive.writestr("Test/3.bin", b"Recording")
    train = [RecordingFile(tmp_path, "Train/1.bin")]
    test = [RecordingFile(tmp_path, f"Test/Test/{n}.bin", "Test.zip", f"Test/{n}.bin") for n in (2, 3)]
    (problem,) = doubled({"train": train, "test": test})["test"]
    assert problem.startswith("1 of 2 recordings are also in train")
    assert f"{tmp_path}/Test.zip/Test/2.bin is a copy of {tmp_path}/Train/1.bin" in problem


def test_a_data_set_that_does_not_tell_its_files():
    assert sources(object()) == []
