"""Files made to do harm: bombs, links out of the file, cycles, endless nesting. Each is refused, and quickly."""

import zlib

import h5py
import numpy as np
import pytest

from spikelab.io import nir_file, nir_hdf5
from spikelab.io.nir_file import CannotImport, read_tree
from spikelab.io.nir_hdf5 import Damaged
from spikelab.io.nir_read import from_nir

DT = 1e-3


def refusal(file, **options):
    with pytest.raises(CannotImport) as error:
        from_nir(file, dt=DT, **options)
    assert str(file) in str(error.value)
    return str(error.value)


WEIGHT = "node/nodes/weights/weight"


def test_a_gigantic_shape_is_never_read(file):
    with h5py.File(file, "r+") as root:
        del root[WEIGHT]
        root.create_dataset(WEIGHT, shape=(1 << 30, 1 << 30), dtype="f4", chunks=(1024, 1024), compression="gzip")
        del root["node/nodes/lif/tau"]
        root.create_dataset("node/nodes/lif/tau", shape=(1 << 60,), dtype="S2000", chunks=(16,))
    for trusted in (False, True):
        text = refusal(file, trusted=trusted)
        assert "weights: weight declares 1073741824 x 1073741824 of float32, 4611686018427387904 bytes" in text
        assert "raise max_bytes" in text
        assert "lif: tau declares" in text


def test_max_bytes_is_the_callers(file):
    read_tree(file, max_bytes=10_000)
    text = refusal(file, max_bytes=1500)
    assert "weights: weight declares 3 x 64 of float64, 1536 bytes, which makes more than max_bytes = 1500" in text


def test_what_is_declared_but_not_stored_is_refused(file):
    with h5py.File(file, "r+") as root:
        del root[WEIGHT]
        root.create_dataset(WEIGHT, shape=(3, 1 << 26), dtype="f4")
    assert file.stat().st_size < 100_000
    assert "weights: weight declares 3 x 67108864 of float32, 805306368 bytes, but only 0 bytes are stored" in refusal(
        file
    )


def test_a_chunk_that_unpacks_to_more_than_it_may_be_is_stopped(file):
    """One chunk of 1536 bytes whose gzip stream goes on for 3 gigabytes."""
    with h5py.File(file, "r+") as root:
        del root[WEIGHT]
        bomb = root.create_dataset(WEIGHT, shape=(3, 64), dtype="f8", chunks=(3, 64), compression="gzip")
        packer = zlib.compressobj(9, wbits=-15)
        block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
        bomb.id.write_direct_chunk((0, 0), b"\x78\x9c" + block * 192 + packer.flush())
    assert "weights: weight cannot be read" in refusal(file) or "more memory" in refusal(file)


def test_many_names_for_one_long_text_do_not_multiply(file):
    with h5py.File(file, "r+") as root:
        del root["node/edges"]
        names = root.create_dataset("node/edges", shape=(4000, 2), dtype=h5py.string_dtype(), chunks=(4000, 2))
        names[0] = "x" * 1_000_000
        # a chunk of pointers, each 16 bytes; all now point to where the first does
        mask, chunk = names.id.read_direct_chunk((0, 0))
        names.id.write_direct_chunk((0, 0), chunk[:16] * 8000, mask)
    for trusted in (False, True):
        assert "edges: cannot be read (makes more than 67108864 bytes of text in all)" in refusal(file, trusted=trusted)


@pytest.mark.parametrize("trusted", [False, True])
def test_no_link_is_followed(file, tmp_path, trusted):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones(3)
    with h5py.File(file, "r+") as root:
        lif = root["node/nodes/lif"]
        for name in ("tau", "r", "v_leak", "v_threshold"):
            del lif[name]
        lif["tau"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
        lif["r"] = h5py.SoftLink("/node/nodes/lif/r")
        lif["v_leak"] = root["node/nodes/delay/delay"]
        source = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (3,))
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = source
        lif.create_virtual_dataset("v_threshold", layout)
        root["node/nodes/again"] = root["node"]
        del root[WEIGHT]
        outside = [(str(tmp_path / "other.h5"), 0, h5py.h5f.UNLIMITED)]
        root.create_dataset(WEIGHT, shape=(3, 64), dtype="f8", external=outside)
    text = refusal(file, trusted=trusted)
    for name in ("lif: tau is a link", "lif: r is a link", "lif: v_leak is a second name", "again: is a second name"):
        assert name in text
    for name in ("lif: v_threshold", "weights: weight"):
        assert f"{name} keeps its data in another file" in text


def test_nesting_ends(file):
    with h5py.File(file, "r+") as root:
        group = root["node/nodes"].create_group("deep")
        for _ in range(300):
            group["type"] = "NIRGraph"
            group = group.create_group("nodes").create_group("n")
    assert "lies deeper than 40 groups" in refusal(file)


def test_masses_of_groups_and_attributes_are_refused_or_passed_over(file, monkeypatch):
    with h5py.File(file, "r+", libver="latest") as root:
        for place in range(3000):
            root["node/nodes/lif"].attrs[f"attribute {place}"] = np.arange(100)
    from_nir(file, dt=DT)
    monkeypatch.setattr(nir_hdf5, "MAX_OBJECTS", 20)
    assert "it holds more than 20 groups and data sets" in refusal(file, trusted=True)


def test_a_filter_that_would_load_a_plug_in_is_refused(file):
    with h5py.File(file, "r+") as root:
        del root[WEIGHT]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((3, 64))
        properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)  # Blosc
        space = h5py.h5s.create_simple((3, 64))
        h5py.h5d.create(root["node/nodes/weights"].id, b"weight", h5py.h5t.IEEE_F64LE, space, properties)
    assert "weights: weight is compressed by filter 32001, which is not read; compress with gzip" in refusal(file)


def test_what_is_no_file_is_not_opened(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for name in ("", "pipe"):
        with pytest.raises(CannotImport, match="is not a file"):
            read_tree(tmp_path / name)
    (tmp_path / "text").write_text("no graph")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("text", "empty"):
        for trusted in (False, True):
            with pytest.raises(CannotImport, match=f"{name}: not a readable NIR file"):
                read_tree(tmp_path / name, trusted=trusted)


def test_a_process_that_dies_or_lies_is_told_of(file, monkeypatch):
    def instead(code):
        monkeypatch.setattr(nir_file, "_COMMAND", ["-c", code])
        return refusal(file)

    assert "the HDF5 library crashed on it" in instead("import os; os.abort()")
    assert "took more than" in instead("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    lie = """
import struct, sys, json
header = json.dumps({}).encode()
sys.stdout.buffer.write(struct.pack('<Q', len(header)) + header)
"""
    gigantic = '{"group": {"content": {"group": {"x": {"numbers": "<f8", "shape": [1000000000000]}}}}}'
    objects = '{"group": {"content": {"group": {"x": {"numbers": "O", "shape": [1]}}}}}'
    for answer in (gigantic, objects, "[]", "{}", "nonsense", '{"group": {"x": 3}}'):
        assert "not a readable NIR file" in instead(lie.replace("json.dumps({})", repr(answer))), answer


def test_time_is_limited(file, monkeypatch):
    monkeypatch.setattr(nir_file, "_SECONDS", 0.4)
    monkeypatch.setattr(nir_file, "_COMMAND", ["-c", "while True: pass"])
    assert "took more than 0 s" in refusal(file)


def test_damaged_stands_where_something_is_wrong(file):
    with h5py.File(file, "r+") as root:
        root["node/nodes/lif/tau"].attrs["harmless"] = 1
        del root["node/nodes/lif/r"]
        root["node/nodes/lif"].create_dataset("r", data=np.ones(3), compression="gzip").id.write_direct_chunk(
            (0,), b"xx"
        )
    tree = read_tree(file)
    found = tree["node"]["nodes"]["lif"]["r"]
    assert isinstance(found, Damaged)
    assert found.why.startswith("cannot be read")
    assert tree["node"]["nodes"]["lif"]["tau"].tolist() == [0.01] * 3
