"""Recorded answers of Lava's fixed-point models and of xylosim, matched on every state and every step.

Files are found, not listed: each names its kind, and the graph is built from what it holds.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikelab.hw.backends.netx import read_netx, write_netx
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.loihi_weights import stored_weights
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.neurons.loihi_resonate import LOIHI_RF, LOIHI_RF_IZ
from spikelab.hw.neurons.loihi_sigma_delta import LOIHI_DELTA, LOIHI_SIGMA_DELTA
from spikelab.hw.neurons.xylo import XYLO_HIDDEN, XYLO_READOUT

pytestmark = pytest.mark.shared
FOLDER = Path(os.environ.get("SPIKELAB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "oracles"


def files(kind, folder):
    """The vectors of a kind, or one stand-in that skips with the reason."""
    found = [path for path in sorted((FOLDER / folder).glob("*.npz")) if kind(json.loads(str(np.load(path)["meta"])))]
    reason = f"no such vectors in {FOLDER / folder} (set SPIKELAB_SHARED)"
    return [pytest.param(path, id=path.stem) for path in found] or [
        pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")
    ]


def lava(*kinds):
    return pytest.mark.parametrize("path", files(lambda meta: meta.get("kind") in kinds, "lava"))


def load(path):
    data = np.load(path)
    return json.loads(str(data["meta"])), {k: data[k].astype(np.int64) for k in data.files if k != "meta"}


def sequence(array):
    """(channel, time) to [T, B, channel]."""
    return np.moveaxis(array, -1, 0)[:, None]


def given(shape):
    return Input(shape, -(2**23), 2**23)


def lif_parameters(meta, data):
    names = {"du", "dv", "vth", "bias_mant", "bias_exp", "reset_interval", "reset_offset"}
    return {**{k: v for k, v in meta.items() if k in names}, **{k: v for k, v in data.items() if k in names}}


def assert_equal(found, true, what):
    assert found.shape == true.shape, what
    if not np.array_equal(found, true):
        first = np.argwhere(found != true)[0]
        pytest.fail(f"{what}: first difference at step {first[0]}, {found[tuple(first)]} for {true[tuple(first)]}")


@lava("dense_lif", "dense_lif_rec")
def test_dense_lif(path):
    meta, data = load(path)
    mode = "" if meta["sign_mode"] == "auto" else meta["sign_mode"]
    weight = stored_weights(data["weights"], meta["weight_bits"], mode)
    assert_equal(weight, data["weights_effective"], "stored weights")
    connections = [Connection("in", "out", Dense(weight), 1, meta["weight_exp"])]
    if "weights_rec" in data:
        connections.append(Connection("out", "out", Dense(stored_weights(data["weights_rec"]))))
    population = Population("out", LOIHI_LIF, (meta["n_out"],), lif_parameters(meta, data))
    graph = IntegerGraph({"in": given((meta["n_in"],))}, [population], connections)
    run = simulate(graph, {"in": sequence(data["spikes_in"])}, record=True)
    assert_equal(run.messages["out"], sequence(data["s_out"]), "spikes")
    for name in ("u", "v"):
        assert_equal(run.states["out"][name], sequence(data[name]), name)


@lava("two_layer")
def test_two_layers(path):
    meta, data = load(path)
    sizes = [w.shape[0] for w in (data["weights1"], data["weights2"])]
    graph = IntegerGraph(
        {"in": given((data["weights1"].shape[1],))},
        [Population(f"s{k}", LOIHI_LIF, (sizes[k - 1],), meta[f"layer{k}"]) for k in (1, 2)],
        [
            Connection("in", "s1", Dense(stored_weights(data["weights1"]))),
            Connection("s1", "s2", Dense(stored_weights(data["weights2"]))),
        ],
    )
    run = simulate(graph, {"in": sequence(data["spikes_in"])})
    for name in ("s1", "s2"):
        assert_equal(run.messages[name], sequence(data[name]), name)


@lava("delay_dense_lif")
def test_delays(path):
    meta, data = load(path)
    targets, sources = data["weights"].shape
    population = Population("out", LOIHI_LIF, (targets,), lif_parameters(meta, data))
    weights = Dense(stored_weights(data["weights"]), data["delays"])
    graph = IntegerGraph({"in": given((sources,))}, [population], [Connection("in", "out", weights)])
    run = simulate(graph, {"in": sequence(data["spikes_in"])}, record=True)
    assert_equal(run.messages["out"], sequence(data["s_out"]), "spikes")
    for name in ("u", "v"):
        assert_equal(run.states["out"][name], sequence(data[name]), name)


@lava("delta_dense_sigmadelta")
def test_sigma_delta(path):
    meta, data = load(path)
    targets, sources = data["weights"].shape
    exponents = {"spike_exp": meta["spike_exp"], "state_exp": meta["state_exp"]}
    rectified = {"bias": data["bias_given"], "rectified": int(meta["act"] == "relu")}
    graph = IntegerGraph(
        {"in": given((sources,))},
        [
            Population("delta", LOIHI_DELTA, (sources,), {"vth": meta["vth_given_delta"], **exponents}),
            Population("sum", LOIHI_SIGMA_DELTA, (targets,), {"vth": meta["vth_given_sd"], **exponents, **rectified}),
        ],
        [
            Connection("in", "delta", OneToOne(np.ones(1, np.int64)), 0),
            Connection("delta", "sum", Dense(stored_weights(data["weights"]))),
        ],
    )
    run = simulate(graph, {"in": sequence(data["x"])}, record=True)
    assert_equal(run.messages["delta"], sequence(data["delta_out"]), "delta")
    assert_equal(run.messages["sum"], sequence(data["s_out"]), "messages")
    for name in ("sigma", "act", "residue"):
        assert_equal(run.states["sum"][name], sequence(data[name]), name)


@lava("rf", "rf_iz")
def test_resonators(path):
    meta, data = load(path)
    size = len(data["a_real"])
    parameters = {k: meta[k] for k in ("sin_decay", "cos_decay", "state_exp")} | {"vth": meta["vth_given"]}
    neuron = {"rf": LOIHI_RF, "rf_iz": LOIHI_RF_IZ}[meta["kind"]]
    one = OneToOne(np.ones(1, np.int64))
    ports = ("a_real", "a_imag")
    graph = IntegerGraph(
        {port: given((size,)) for port in ports},
        [Population("out", neuron, (size,), parameters)],
        [Connection(port, "out", one, 0, port=port) for port in ports],
    )
    run = simulate(graph, {port: sequence(data[port]) for port in ports}, record=True)
    assert_equal(run.messages["out"], sequence(data["s_out"]), "spikes")
    for name in ("real", "imag"):
        assert_equal(run.states["out"][name], sequence(data[name]), name)


@lava("conv_lif")
def test_convolution(path):
    meta, data = load(path)
    # Lava: (W, H, C) and (C_out, x, y, C_in), flipped; ours: (C, H, W) and (C_out, C_in, y, x), not flipped
    # Lava cuts no bits off the weights of a convolution
    weight = data["weights"].transpose(0, 3, 2, 1)
    weight = weight[:, :, ::-1, ::-1].copy() if meta["kernel_flipped"] else weight
    spikes, answer = data["spikes_in"].transpose(3, 2, 1, 0)[:, None], data["s_out"].transpose(3, 2, 1, 0)[:, None]
    convolution = Convolution(weight, tuple(meta["stride"][::-1]), tuple(meta["padding"][::-1]))
    graph = IntegerGraph(
        {"in": given(spikes.shape[2:])},
        [Population("out", LOIHI_LIF, answer.shape[2:], lif_parameters(meta, data))],
        [Connection("in", "out", convolution, wrap_bits=24)],
    )
    assert_equal(simulate(graph, {"in": spikes}).messages["out"], answer, "spikes")


@lava("netx")
def test_netx_is_read_run_and_written_again(path, tmp_path):
    meta, data = load(path)
    file = path.with_name(meta["file"])
    graph = read_netx(file)
    spikes = sequence(data["spikes_in"])
    last = graph.populations[-1].name
    assert_equal(simulate(graph, {"input": spikes}).messages[last], sequence(data["s_out"]), "spikes")
    write_netx(tmp_path / "ours.net", graph)
    assert contents(tmp_path / "ours.net") == contents(file)


def contents(path):
    """Every field: its type, shape and values."""
    found = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item[()])
            found[name] = (item.dtype.kind, value.dtype.itemsize, value.shape, value.tolist())

    with h5py.File(path) as file:
        file.visititems(collect)
        found["attributes"] = dict(file.attrs)
    return found


@pytest.mark.parametrize("path", files(lambda meta: "xylosim" in meta.get("source", ""), "xylo"))
def test_xylo(path):
    meta, data = load(path)
    inputs, hidden = data["w_in"].shape
    outputs = data["w_out"].shape[1]

    def parameters(suffix):
        names = {"dash_syn": "dash_syn", "dash_mem": "dash_mem", "threshold": "threshold", "bias": "bias"}
        return {ours: data[theirs + suffix] for ours, theirs in names.items()}

    graph = IntegerGraph(
        {"in": given((inputs,))},
        [
            Population("hidden", XYLO_HIDDEN, (hidden,), parameters("")),
            Population("readout", XYLO_READOUT, (outputs,), parameters("_out")),
        ],
        [
            Connection("in", "hidden", Dense(data["w_in"].T), 0, meta["weight_shift_in"]),
            Connection("hidden", "hidden", Dense(data["w_rec"].T), 1, meta["weight_shift_rec"]),
            Connection("hidden", "readout", Dense(data["w_out"].T), 1, meta["weight_shift_out"]),
        ],
    )
    run = simulate(graph, {"in": data["x"][:, None]}, record=True)
    recorded = {"isyn": ("hidden", "isyn"), "v": ("hidden", "v"), "isyn_out": ("readout", "isyn")}
    for name, (population, state) in {**recorded, "v_out": ("readout", "v")}.items():
        assert_equal(run.states[population][state], data[name][:, None], name)
    assert_equal(run.messages["hidden"], data["s"][:, None], "s")
    assert_equal(run.messages["readout"], data["out"][:, None], "out")
