"""Stored integer graphs: they come back equal, and a damaged or hostile file is named, not believed."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import tracemalloc
import zipfile
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikelab import registry
from spikelab.hw.backends import npz as npz_backend
from spikelab.hw.backends.fields import FileProblem
from spikelab.hw.backends.npz import equal_graphs, read_npz, verify_npz, write_npz
from spikelab.hw.backends.vectors import compare_runs, read_vectors, verify_vectors, write_vectors
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Output, Population
from spikelab.hw.neuron import IntegerNeuron


def neuron(name):
    return registry.load("integer_neurons", name)


def graph(seed=0):
    """Every kind of connection, neurons of several families, values wide and narrow."""
    random = np.random.default_rng(seed)
    lif = {"keep_mem": 30000, "v_threshold": random.integers(60000, 90000, 20), "bias": random.integers(-5, 9, 20)}
    return IntegerGraph(
        {"events": Input((2, 9, 12), -3, 3, Fraction(1, 7)), "extra": Input((5,))},
        [
            Population(
                "conv/1", neuron("loihi_lif"), (3, 4, 5), {"du": 400, "dv": 90, "vth": 40}, (Fraction(3, 4096),)
            ),
            Population("dense", neuron("generic_lif_32"), (20,), lif),
            Population(
                "speck", neuron("speck_if"), (20,), {"v_threshold": 30}, tuple(Fraction(k, 9) for k in range(20))
            ),
        ],
        [
            Connection("events", "conv/1", Convolution(random.integers(-99, 127, (3, 2, 3, 4)), (2, 2)), 1, -1, 24),
            Connection("conv/1", "dense", Dense(random.integers(-200, 300, (20, 60)), random.integers(0, 4, (20, 60)))),
            Connection("conv/1", "dense", Dense(random.integers(-(2**33), 2**33, (20, 12))), 2, pool=(2, 2)),
            Connection("dense", "dense", OneToOne(np.array(-300))),
            Connection("extra", "dense", Dense(random.integers(0, 2, (20, 5)))),
            Connection("dense", "speck", OneToOne(random.integers(-20, 70, 20)), 0, 1),
        ],
        1e-3,
        [Output("spikes", "speck"), Output("membrane", "dense", "v", lag=2)],
    )


def inputs(steps=30, batch=2):
    random = np.random.default_rng(1)
    return {
        "events": random.integers(-3, 4, (steps, batch, 2, 9, 12)),
        "extra": random.integers(0, 2, (steps, batch, 5)),
    }


def test_a_graph_comes_back_equal_and_computes_the_same(tmp_path):
    files = write_npz(tmp_path / "new" / "folder", graph(), "first")
    assert [p.name for p in files.values()] == ["first.npz", "first.json"]
    for path in (tmp_path / "new" / "folder", *files.values()):
        assert equal_graphs(graph(), read_npz(path)) == []
    found = verify_npz(files["json"], graph(), inputs())
    assert (found.equal, found.steps, found.first_difference) == (True, 60, "")
    assert found.compared == 60 * (60 * 3 + 20 * 2 + 20 * 2)
    assert simulate(graph(), inputs()).messages["speck"].any()


def test_arrays_are_narrow_plain_and_summed(tmp_path):
    files = write_npz(tmp_path / "net.npz", graph())
    with np.load(files["npz"], allow_pickle=False) as arrays:
        kinds = {name: str(arrays[name].dtype) for name in arrays}
    assert kinds["connection_0_weight"] == "int8"
    assert kinds["connection_1_weight"] == "int16"
    assert kinds["connection_2_weight"] == "int64"
    assert kinds["connection_1_delay"] == "int8"
    document = json.loads(files["json"].read_text())
    assert document["arrays"]["sha256"] == hashlib.sha256(files["npz"].read_bytes()).hexdigest()
    assert sorted(document["arrays"]["entries"]) == sorted(kinds)


def test_the_document_says_how_to_compute(tmp_path):
    document = json.loads(write_npz(tmp_path, graph())["json"].read_text())
    assert document["neurons"]["loihi_lif"]["lines"] == [f"{a} = {b}" for a, b in neuron("loihi_lif").lines]
    text = json.dumps(document["neurons"])
    for operation, meaning in document["arithmetic"]["operations"].items():
        assert len(meaning) > 20, operation
    used = {name for name in ("toward_zero", "wrap", "choose", "quotient", "abs") if f"{name}(" in text}
    assert used <= document["arithmetic"]["operations"].keys()
    assert used == {"toward_zero", "wrap", "choose", "quotient", "abs"}
    assert document["populations"][0]["scale"] == [[3, 4096]]


def changed_graphs():
    g = graph()
    a, b, c = g.populations
    lif, plain = g.connections[0], g.connections[4]
    weight = plain.weights.weight.copy()
    weight[3, 2] += 1
    yield "dt: 0.001 and 0.002", replace(g, dt=0.002)
    yield "input 'events'", replace(g, inputs={**g.inputs, "events": replace(g.inputs["events"], high=4)})
    yield "output 'membrane'", replace(g, outputs=g.outputs[:1])
    yield (
        "population 'conv/1': vth: 60 values differ",
        replace(g, populations=[replace(a, parameters={**a.parameters, "vth": 41}), b, c]),
    )
    yield "population 'conv/1': scale", replace(g, populations=[replace(a, scale=()), b, c])
    yield (
        "population 'speck': neuron: speck_if and generic_li_32",
        replace(
            g,
            populations=[a, b, Population("speck", neuron("generic_li_32"), (20,), {"keep_mem": 1})],
        ),
    )
    yield (
        "connection 4 ('extra' -> 'dense'): weight: 1 values differ, first at [3, 2]",
        replace(g, connections=[*g.connections[:4], replace(plain, weights=Dense(weight)), g.connections[5]]),
    )
    yield (
        "connection 1 ('conv/1' -> 'dense'): delay: some and none",
        replace(
            g,
            connections=[
                lif,
                replace(g.connections[1], weights=Dense(g.connections[1].weights.weight)),
                *g.connections[2:],
            ],
        ),
    )
    yield (
        "connection 0 ('events' -> 'conv/1'): exponent: -1 and 0",
        replace(g, connections=[replace(lif, exponent=0), *g.connections[1:]]),
    )
    yield "number of connections: 6 and 5", replace(g, connections=g.connections[:5])


@pytest.mark.parametrize(("message", "other"), [pytest.param(*case, id=case[0]) for case in changed_graphs()])
def test_what_differs_between_graphs_is_named(message, other, tmp_path):
    found = equal_graphs(graph(), other)
    assert any(text.startswith(message) for text in found), found
    write_npz(tmp_path, other)
    verified = verify_npz(tmp_path, graph(), inputs(3))
    assert not verified.equal
    assert verified.first_difference.startswith("the graphs differ: ")


def test_a_default_written_out_is_no_difference():
    g = graph()
    other = replace(g.populations[2], parameters={"v_threshold": np.full(20, 30), "bias": np.zeros(20, int)})
    assert equal_graphs(g, replace(g, populations=[*g.populations[:2], other])) == []


def test_only_registered_neurons_are_written(tmp_path):
    g = graph()
    known = neuron("loihi_lif")
    altered = replace(known, lines=(*known.lines[:1], ("u", "u + a"), *known.lines[2:]))
    own = IntegerNeuron("mine", "Mine", (), (), (("message", "a"),), "")
    a = g.populations[0]
    for kind, message in (
        (altered, r"'loihi_lif' is not the registered one: line 2: "),
        (own, "'mine' is not registered"),
    ):
        population = replace(a, neuron=kind, parameters=a.parameters if kind is altered else {})
        with pytest.raises(ValueError, match=message):
            write_npz(tmp_path, replace(g, populations=[population, *g.populations[1:]]))
    assert not list(tmp_path.iterdir())


def edit(tmp_path, change, name="net.json"):
    """Writes a graph, changes its document, reads it."""
    file = tmp_path / name
    if not file.exists():
        write_npz(tmp_path, graph())
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return read_npz(file)


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(document):
        for step in path:
            document = document[step]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("format", "other"), r"net\.json: format is 'other', but must be 'spikelab integer graph'"),
        (put("format_version", 2), r"net\.json: format_version is 2, but must be 1"),
        (put("dt_seconds", "fast"), r"net\.json: dt_seconds is 'fast', but must be seconds above 0"),
        (put("populations", 1, "shape", [20.5]), r"net\.json: populations\[1\]\.shape\[0\] is 20\.5"),
        (put("populations", 1, "shape", [2**30]), r"populations\[1\]\.shape is \[1073741824\], but must be at most"),
        (put("populations", 1, "neuron", "lif"), r"populations\[1\]\.neuron is 'lif', but must be one of"),
        (put("populations", 1, "parameters", "keep_mem", True), r"populations\[1\]\.parameters\.keep_mem is True"),
        (put("populations", 1, "parameters", "keep_mem", 10**6), r"net\.json: population 'dense': keep_mem = 1000000"),
        (put("populations", 0, "scale", [[1, 0]]), r"populations\[0\]\.scale\[0\] is \[1, 0\]"),
        (
            put("connections", 0, "weight", "array", "no"),
            r"connections\[0\]\.weight\.array is 'no', but must be one of",
        ),
        (put("connections", 0, "weight", "array", "connection_4_weight"), r"connections\[0\]\.weight is \[20, 5\]"),
        (put("connections", 0, "stride", [0, 1]), r"connections\[0\]\.stride\[0\] is 0"),
        (put("connections", 0, "groups", 2), r"net\.json: connection 'events' -> 'conv/1': weights .* 2 groups"),
        (put("connections", 0, "kind", "sparse"), r"connections\[0\]\.kind is 'sparse', but must be one of dense, "),
        (put("connections", 1, "delay", -1), r"connections\[1\]\.delay is -1"),
        (put("connections", 1, "target", "x"), r"net\.json: connection 'conv/1' -> 'x': there is no population 'x'"),
        (put("outputs", {}), r"net\.json: outputs is \{\}, but must be a list"),
        (put("inputs", 1, "name", "events"), r"inputs\[0\]\.name is 'events', but must be unique"),
        (put("arrays", "file", "../net.npz"), r"arrays\.file is '\.\./net\.npz', but must be the name of a file"),
        (put("arrays", "file", "none.npz"), r"none\.npz: cannot be read: No such file"),
        (put("arrays", "sha256", "0" * 64), r"net\.npz: its sha256 is [0-9a-f]{64}, but .*net\.json says otherwise"),
        (put("arrays", "entries", "connection_0_weight", "type", "object"), r"connection_0_weight\.type is 'object'"),
        (
            put("arrays", "entries", "connection_0_weight", "shape", [3]),
            r"array 'connection_0_weight' holds int8 \[3, ",
        ),
        (put("arrays", "entries", "connection_0_weight", "shape", [2**20] * 3), r"arrays\.entries declare \d+ numbers"),
        (put("neurons", "os.system", {}), r"neurons\.os\.system is not known; .*never from a file"),
        (lambda d: d.pop("connections"), r"net\.json: connections is missing"),
    ],
)
def test_a_field_that_is_wrong_is_named(change, message, tmp_path):
    with pytest.raises(FileProblem, match=message):
        edit(tmp_path, change)


@pytest.mark.parametrize("line", range(6))
def test_equations_that_differ_are_refused_with_their_line(line, tmp_path):
    with pytest.raises(
        FileProblem, match=rf"net\.json: neuron 'loihi_lif', line {line + 1}: the file says 'v = 2 \* v'"
    ):
        edit(tmp_path, put("neurons", "loihi_lif", "lines", line, "v = 2 * v"))


def test_other_facts_of_a_neuron_that_differ_are_refused(tmp_path):
    change = put("neurons", "loihi_lif", "states", 0, "bits", 23)
    with pytest.raises(FileProblem, match=r"neuron 'loihi_lif': states are .*23.* in the file, but .*24"):
        edit(tmp_path, change)
    edit(tmp_path, put("neurons", "loihi_lif", "states", 0, "bits", 24))
    # words may change
    edit(tmp_path, put("neurons", "loihi_lif", "states", 0, "meaning", "current"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": NaN', "[" * 100000, '{"a": ' + "9" * 5000 + "}", "\udcff"])
def test_what_is_no_document_is_named(text, tmp_path):
    write_npz(tmp_path, graph())
    (tmp_path / "net.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(FileProblem, match=r"net\.json: (is no JSON|holds a list)"):
        read_npz(tmp_path / "net.json")


def test_a_folder_without_or_with_two_graphs_is_refused(tmp_path):
    with pytest.raises(FileProblem, match="holds none; give the path of one"):
        read_npz(tmp_path)
    write_npz(tmp_path, graph(), "one")
    write_npz(tmp_path, graph(), "two")
    with pytest.raises(FileProblem, match=r"holds one\.json, two\.json; give the path of one"):
        read_npz(tmp_path)


def with_arrays(tmp_path, content):
    """Writes a graph, replaces its archive and the sum of it, reads it."""
    write_npz(tmp_path, graph())
    (tmp_path / "net.npz").write_bytes(content)
    return edit(tmp_path, put("arrays", "sha256", hashlib.sha256(content).hexdigest()))


def archive(tmp_path, replaced, compression=zipfile.ZIP_DEFLATED):
    """The archive of the graph with some entries replaced."""
    write_npz(tmp_path, graph())
    memory = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "net.npz") as old, zipfile.ZipFile(memory, "w", compression) as new:
        for name in old.namelist():
            data = replaced.get(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return memory.getvalue()


def header(shape, kind="|i1"):
    memory = io.BytesIO()
    np.lib.format.write_array_header_1_0(memory, {"descr": kind, "fortran_order": False, "shape": shape})
    return memory.getvalue()


NAME = "connection_0_weight.npy"


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({NAME: None}, "array 'connection_0_weight' is missing"),
        ({NAME: b"\0" * 2**28}, "array 'connection_0_weight' takes 268435456 bytes, but should take 72"),
        (
            {NAME: header((2**40, 2**20)) + b"\0" * 72},
            r"holds int8 \[1099511627776, 1048576\], but int8 \[3, 2, 3, 4\]",
        ),
        ({NAME: header((3, 2, 3, 4), "|O") + b"\0" * 72}, r"holds object \[3, 2, 3, 4\]"),
        ({NAME: header((3, 2, 3, 4), "|u1") + b"\0" * 72}, "holds uint8"),
        ({NAME: header((3, 2, 3, 4)) + b"\0" * 71}, "holds 71 bytes, but needs 72"),
        ({NAME: b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 200}, "is no array"),
        ({NAME: b"junk" * 30}, "is no array"),
    ],
)
def test_an_array_that_is_not_as_declared_is_refused_before_memory_is_taken(replaced, message, tmp_path):
    content = archive(tmp_path, replaced)
    tracemalloc.start()
    try:
        with pytest.raises(FileProblem, match=rf"net\.npz: .*{message}"):
            with_arrays(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_an_entry_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path):
    """The size in the zip's directory is a lie, the stream holds 256 MiB."""
    content = bytearray(archive(tmp_path, {NAME: header((3, 2, 3, 4)) + b"\0" * 2**28}))
    true, said = (size.to_bytes(4, "little") for size in (len(header((3, 2, 3, 4))) + 2**28, 200))
    assert content.count(true) == 2
    content = content.replace(true, said)
    tracemalloc.start()
    try:
        with pytest.raises(FileProblem, match=r"net\.npz"):
            with_arrays(tmp_path, bytes(content))
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_unusual_compression_is_refused(tmp_path):
    content = archive(tmp_path, {}, zipfile.ZIP_LZMA)
    with pytest.raises(FileProblem, match="is compressed in a way that numpy does not write"):
        with_arrays(tmp_path, content)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzzed")
    files = write_npz(folder, graph())
    return folder, json.loads(files["json"].read_text()), files["npz"].read_bytes()


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(-3, 3), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(
        [2**31, 2**62, -1, 0, 1, "a", "array", "message", [2**40] * 30, [0], {"array": "population_1_bias"}]
    ),
)


def problem_of(folder, most=10**6):
    """Named if a file of the folder is refused by name, empty if it is read."""
    try:
        read_npz(folder / "net.json", most)
    except FileProblem as problem:
        return "named" if str(problem).startswith(str(folder)) else str(problem)
    return ""


@given(data=st.data())
@settings(max_examples=300)
def test_any_change_of_the_document_is_read_or_named(data, stored):
    folder, document, _ = stored
    document = copy.deepcopy({k: v for k, v in document.items() if k != "arithmetic"})
    for _ in range(data.draw(st.integers(1, 3))):
        here, steps = document, data.draw(st.integers(1, 5))
        for _ in range(steps):
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(here[key], dict | list) or _ == steps - 1:
                here[key] = copy.deepcopy(data.draw(JUNK))
                break
            here = here[key]
    (folder / "net.json").write_text(json.dumps(document))
    assert problem_of(folder) in ("", "named")


@given(data=st.data())
@settings(max_examples=150)
def test_any_change_of_the_archive_is_read_or_named(data, stored):
    folder, document, content = stored
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, len(content) - 3]))])
    (folder / "net.npz").write_bytes(content)
    document = copy.deepcopy(document)
    document["arrays"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "net.json").write_text(json.dumps(document))
    assert problem_of(folder) in ("", "named")


def test_vectors_come_back_and_catch_a_wrong_graph(tmp_path):
    write_npz(tmp_path, graph())
    write_vectors(tmp_path, graph(), inputs())
    vectors = read_vectors(tmp_path)
    run = simulate(graph(), inputs(), record=True)
    assert compare_runs(run, vectors).equal
    for name, values in inputs().items():
        assert np.array_equal(vectors.inputs[name], values)
    assert verify_vectors(read_npz(tmp_path), vectors).equal
    g = graph()
    wrong = replace(g.populations[2], parameters={"v_threshold": 31})
    found = verify_vectors(replace(g, populations=[*g.populations[:2], wrong]), vectors)
    assert not found.equal
    assert found.first_difference.startswith("population 'speck', step ")
    first = np.argwhere(vectors.messages["speck"] > 0)[0][0]
    assert f"step {first}," in found.first_difference


def test_the_earliest_difference_is_named():
    run = simulate(graph(), inputs(), record=True)
    later, sooner = copy.deepcopy(run), copy.deepcopy(run)
    later.messages["conv/1"][9, 1, 2, 3, 4] += 1
    found = compare_runs(run, later)
    value = run.messages["conv/1"][9, 1, 2, 3, 4]
    assert found.first_difference == (
        f"population 'conv/1', step 9, sample 1, neuron [2, 3, 4], message: {value} and {value + 1}"
    )
    sooner.messages["conv/1"][9] += 1
    sooner.states["speck"]["v"][4, 0, 7] -= 1
    assert "population 'speck', step 4, sample 0, neuron [7], v: " in compare_runs(run, sooner).first_difference


def test_damaged_vectors_are_named(tmp_path):
    write_vectors(tmp_path, graph(), inputs(3))
    file = tmp_path / "vectors.json"
    document = json.loads(file.read_text())
    document["messages"]["dense"] = "no"
    file.write_text(json.dumps(document))
    with pytest.raises(FileProblem, match=r"vectors\.json: messages\.dense is 'no', but must be one of"):
        read_vectors(tmp_path)
    write_npz(tmp_path, graph(), "vectors")
    with pytest.raises(FileProblem, match=r"vectors\.json: format is 'spikelab integer graph'"):
        read_vectors(tmp_path)


def test_a_failing_write_leaves_the_old_files(tmp_path, monkeypatch):
    write_npz(tmp_path, graph())
    monkeypatch.setattr(npz_backend, "write_json_atomically", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_npz(tmp_path, graph(seed=1))
    # the arrays are the new ones, the document the old one: noticed, not mixed
    with pytest.raises(FileProblem, match="sha256"):
        read_npz(tmp_path)
