"""Checkpoint files: what goes in comes out, and what is damaged is named."""

import errno
import json
import math
import os
import struct

import pytest
import safetensors.torch
import torch
from torch import nn

from spikelab.io import atomic
from spikelab.io.checkpoint import (
    CheckpointError,
    check_finite,
    load_checkpoint,
    load_optimiser,
    load_weights,
    save_checkpoint,
)


def tree() -> dict:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    model(torch.randn(5, 3)).sum().backward()
    optimiser.step()
    return {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "progress": {"step": 1, "best": None}}


def same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other and (one is None) == (other is None)


def test_round_trip(tmp_path):
    state = tree()
    save_checkpoint(tmp_path / "a.safetensors", state)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert same(state, loaded)
    assert loaded["optimiser"]["param_groups"][0]["params"] == list(range(6))
    assert set(loaded["optimiser"]["state"]) == set(range(6)), "integer keys stay integers"
    assert same(state["optimiser"]["state"][3]["exp_avg"], loaded["optimiser"]["state"][3]["exp_avg"])


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(0, 3),
        torch.tensor(3.5),
        torch.tensor([True, False]),
        torch.randn(3, 4).to(torch.bfloat16),
        torch.randn(4, 6).t(),
        torch.arange(5, dtype=torch.uint8),
        torch.randn(2, 3, dtype=torch.float64),
        torch.tensor([math.nan, math.inf]),
    ],
)
def test_every_kind_of_tensor(tmp_path, value):
    save_checkpoint(tmp_path / "a.safetensors", {"x": value})
    loaded = load_checkpoint(tmp_path / "a.safetensors")["x"]
    assert loaded.dtype == value.dtype
    assert loaded.shape == value.shape
    torch.testing.assert_close(loaded, value, rtol=0, atol=0, equal_nan=True)


def test_plain_values_and_odd_keys(tmp_path):
    values = {"a": [1, 2.5, "ä", None, True, {"b": []}], "$c": 1, "d": {3: {"e": 0.1}, "f/g": {}}, "": {"": 2}}
    save_checkpoint(tmp_path / "a.safetensors", values)
    assert load_checkpoint(tmp_path / "a.safetensors") == values


def test_names_that_could_collide(tmp_path):
    """`a/b` within the root and `b` within `a` would share a flat name; neither may be lost."""
    first, second = torch.ones(1), torch.zeros(2)
    save_checkpoint(tmp_path / "a.safetensors", {"a/b": first, "a": {"b": second}})
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert torch.equal(loaded["a/b"], first)
    assert torch.equal(loaded["a"]["b"], second)


def test_tied_weights(tmp_path):
    weight = torch.randn(3, 3)
    save_checkpoint(tmp_path / "a.safetensors", {"one": weight, "other": weight, "part": weight[1]})
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert torch.equal(loaded["one"], loaded["other"])
    assert torch.equal(loaded["part"], weight[1])


def test_equal_trees_give_equal_files(tmp_path):
    for name in "ab":
        save_checkpoint(tmp_path / name, tree())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_section_alone(tmp_path):
    save_checkpoint(tmp_path / "a.safetensors", tree())
    assert list(load_checkpoint(tmp_path / "a.safetensors", ["progress"])) == ["progress"]
    with pytest.raises(CheckpointError, match=r"a\.safetensors: holds no 'scheduler', only model, optimiser, progress"):
        load_checkpoint(tmp_path / "a.safetensors", ["scheduler"])


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j])
def test_what_it_cannot_hold(tmp_path, value):
    with pytest.raises(CheckpointError, match=f"x/0: a checkpoint cannot hold a {type(value).__name__}"):
        save_checkpoint(tmp_path / "a.safetensors", {"x": [value]})
    with pytest.raises(CheckpointError, match="not finite, which JSON cannot hold"):
        save_checkpoint(tmp_path / "a.safetensors", {"x": math.nan})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated(tmp_path, keep):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, tree())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"a\.safetensors: truncated or corrupted .*use another checkpoint"):
        load_checkpoint(path)


def test_one_flipped_bit_is_found_and_its_tensor_named(tmp_path):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"model": {"w": torch.ones(8)}, "zeros": torch.zeros(8)})
    data = bytearray(path.read_bytes())
    place = bytes(data).rindex(struct.pack("<f", 1.0))
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=r"a\.safetensors: corrupted: the checksum of model/w is wrong"):
        load_checkpoint(path)
    assert torch.equal(load_checkpoint(path, ["zeros"])["zeros"], torch.zeros(8))


def test_files_that_are_something_else(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.safetensors: no such checkpoint"):
        load_checkpoint(tmp_path / "none.safetensors")
    (tmp_path / "text").write_text("hello, this is no checkpoint at all")
    with pytest.raises(CheckpointError, match="truncated or corrupted"):
        load_checkpoint(tmp_path / "text")
    safetensors.torch.save_file({"w": torch.ones(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match=r"foreign\.safetensors: a safetensors file, but not a checkpoint"):
        load_checkpoint(tmp_path / "foreign.safetensors")
    newer = {"spikelab": json.dumps({"version": 99, "tree": {}, "crc32": {}})}
    safetensors.torch.save_file({"w": torch.ones(1)}, tmp_path / "newer.safetensors", newer)
    with pytest.raises(CheckpointError, match="format version 99, and this spikelab reads 1; update it"):
        load_checkpoint(tmp_path / "newer.safetensors")
    torch.save({"model": {}}, tmp_path / "pickle.pt")
    with pytest.raises(CheckpointError, match="truncated or corrupted"):
        load_checkpoint(tmp_path / "pickle.pt")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_full_disk_keeps_the_previous_checkpoint(tmp_path, monkeypatch, call):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"x": torch.ones(3)})

    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, call, full)
    with pytest.raises(CheckpointError, match=r"a\.safetensors: could not write .* No space left .* is untouched"):
        save_checkpoint(path, {"x": torch.zeros(3)})
    monkeypatch.undo()
    assert torch.equal(load_checkpoint(path)["x"], torch.ones(3))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"], "no temporary file stays behind"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="No such file or directory; no checkpoint stood there"):
        save_checkpoint(tmp_path / "none" / "a.safetensors", {"x": torch.ones(1)})


# --- loading into a model -------------------------------------------------------------------------------------------


def test_weights_that_fit():
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    load_weights(one, other.state_dict(), "file")
    assert torch.equal(one.weight, other.weight)


def test_everything_that_does_not_fit_is_listed_and_nothing_changed():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weights = {name: torch.full_like(tensor, 5.0) for name, tensor in before.items()}
    del weights["0.bias"]
    weights["2.extra"] = torch.zeros(1)
    weights["0.weight"] = torch.zeros(3, 3)
    weights["1.bias"] = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, weights, "run/best.safetensors")
    message = str(caught.value)
    assert message.startswith("run/best.safetensors: does not fit the model: missing: 0.bias; unexpected: 2.extra; ")
    assert "shape of 0.weight: model [2, 3], file [3, 3]" in message
    assert "dtype of 1.bias: model torch.float32, file torch.float64" in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_long_lists_are_cut():
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
    with pytest.raises(CheckpointError, match=r"missing: 0\.bias, .* and 12 more"):
        load_weights(model, {}, "file")


def test_nan_is_refused_with_its_place():
    model = nn.Linear(3, 2)
    before = model.weight.clone()
    weights = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    weights["weight"][1, 2] = math.nan
    with pytest.raises(CheckpointError, match=r"file: weight\[1, 2\] is nan \(1 of 6 values are not finite\)"):
        load_weights(model, weights, "file")
    assert torch.equal(model.weight, before)
    check_finite({"counter": torch.tensor([2**62]), "empty": torch.zeros(0)}, "file")
    with pytest.raises(CheckpointError, match=r"x\[\] is -inf"):
        check_finite({"x": torch.tensor(-math.inf)}, "file")


def test_optimiser_states_are_checked():
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)

    def stepped(module):
        optimiser = torch.optim.AdamW(module.parameters())
        module(torch.ones(1, 3)).sum().backward()
        optimiser.step()
        return optimiser

    state = stepped(model).state_dict()
    target = stepped(other)
    load_optimiser(target, state, "file")
    assert torch.equal(target.state_dict()["state"][0]["exp_avg"], state["state"][0]["exp_avg"])
    state["state"][0]["exp_avg"] = torch.zeros(5, 5)
    with pytest.raises(CheckpointError, match=r"exp_avg of parameter 0 has shape \[5, 5\] for a parameter of shape"):
        load_optimiser(target, state, "file")
    state["state"][0]["exp_avg"] = torch.full((2, 3), math.nan)
    with pytest.raises(CheckpointError, match=r"optimiser/state/0/exp_avg\[0, 0\] is nan"):
        load_optimiser(target, state, "file")
    with pytest.raises(CheckpointError, match=r"groups hold \[2\] parameters, this one's \[1\]"):
        load_optimiser(torch.optim.AdamW([model.weight]), state, "file")
