"""Malformed NIR files: each error names the file, the node and the field, and all are told at once."""

import re

import h5py
import nir
import numpy as np
import pytest

from spikelab.io.nir_read import CannotImport, from_nir, read_nir

DT = 1e-3


def put(place, value, **options):
    def change(root):
        if place in root:
            del root[place]
        if value is not None:
            root.create_dataset(place, data=value, **options)

    return change


def edges(change):
    def apply(root):
        rows = [tuple(name.decode() for name in row) for row in root["node/edges"][()]]
        put("node/edges", np.array(change(rows), dtype=object), dtype=h5py.string_dtype())(root)

    return apply


def renamed_type(name, kind):
    return put(f"node/nodes/{name}/type", kind, dtype=h5py.string_dtype())


def moved(root):
    root.move("node/nodes/lif", "node/nodes/other")


LIF, CONV, FLAT, POOL = (f"node/nodes/{name}/" for name in ("lif", "conv", "flat", "pool"))
#: What is done to the file, and what the error must say.
CASES = {
    "no graph": (lambda root: root.__delitem__("node"), "holds no group 'node'"),
    "root without type": (put("node/type", None), "the outermost node type: missing"),
    "root of another type": (put("node/type", "LIF"), "the outermost node is a single LIF"),
    "no nodes": (lambda root: root.__delitem__("node/nodes"), "nodes: missing"),
    "no edges": (lambda root: root.__delitem__("node/edges"), "edges: missing"),
    "type missing": (put(LIF + "type", None), "lif: type: missing"),
    "type unknown": (renamed_type("lif", "LIFF"), "lif: type 'LIFF' is no NIR primitive; did you mean 'LIF'"),
    "type a number": (put(LIF + "type", 3), "lif: type: missing, or not a text"),
    "node a data set": (put("node/nodes/lif", 3.0), "lif: is not a group, so no node"),
    "field missing": (put(LIF + "tau", None), "lif: tau: missing; LIF needs tau, r, v_leak, v_threshold"),
    "field unknown": (put(LIF + "refractory", 1e-3), "lif: refractory: LIF has no such field"),
    "field a text": (put(LIF + "tau", "10 ms"), "lif: tau is the text '10 ms', but must be numbers"),
    "field texts": (put(LIF + "tau", ["a", "b", "c"]), "lif: tau is a group or text, but must be numbers"),
    "field a group": (
        lambda root: (put(LIF + "tau", None)(root), root.create_group(LIF + "tau")),
        "lif: tau is a group",
    ),
    "compound": (put(LIF + "tau", np.zeros(3, [("a", "f4")])), "lif: tau holds .*neither numbers nor text"),
    "complex": (put(LIF + "tau", np.ones(3, complex)), "lif: tau holds complex128, neither numbers nor text"),
    "not a number": (put(LIF + "r", np.array([1, np.nan, 1])), r"lif: r holds nan \(1 of 3 values are not finite\)"),
    "infinite": (put(CONV + "weight", np.full((4, 2, 3, 3), -np.inf)), r"conv: weight holds -inf \(72 of 72"),
    "too large": (put(LIF + "r", np.full(3, 1e39)), "lif: r holds 1e[+]39, which is more than single precision"),
    "negative tau": (
        put(LIF + "tau", np.array([0.1, -0.1, 0.1])),
        "lif: tau = -0.1 s, but a time constant must be > 0",
    ),
    "zero tau": (put(LIF + "tau", np.zeros(3)), "lif: tau = 0.0 s, but a time constant must be > 0"),
    "tiny tau": (put(LIF + "tau", np.full(3, 1e-200)), "lif: tau = 1e-200 s is too small"),
    "empty": (put(LIF + "tau", np.zeros(0)), r"lif: tau has shape \[0\] and so no value"),
    "null space": (put(LIF + "tau", h5py.Empty("f4")), "lif: tau is empty"),
    "different shapes": (put(LIF + "r", np.ones(4)), r"lif: parameters of different shapes: tau \[3\], r \[4\]"),
    "matrix not flat": (
        put("node/nodes/weights/weight", np.ones(64)),
        r"weights: weight has shape \[64\]; only \[out, in\]",
    ),
    "bias of another length": (
        put("node/nodes/weights/bias", np.ones(2)),
        r"weights: bias has shape \[2\], but weight makes 3",
    ),
    "kernel not of two dimensions": (
        put(CONV + "weight", np.ones((4, 2, 3))),
        r"conv: weight has shape \[4, 2, 3\], but must",
    ),
    "stride zero": (put(CONV + "stride", 0), r"conv: stride = 0, but must be >= 1"),
    "stride half": (put(CONV + "stride", 0.5), "conv: stride = 0.5, but must be whole numbers"),
    "stride of three": (put(CONV + "stride", [1, 1, 1]), "conv: stride = .*one number or 2"),
    "padding word": (put(CONV + "padding", "full"), "conv: padding = 'full', but must be 'same', 'valid'"),
    "padding negative": (put(CONV + "padding", [-1, 0]), "conv: padding = .*>= 0"),
    "same with stride": (
        lambda root: (put(CONV + "padding", "same")(root), put(CONV + "stride", 2)(root)),
        "conv: padding = 'same' needs stride 1",
    ),
    "groups zero": (put(CONV + "groups", 0), "conv: groups = 0, but must be >= 1"),
    "groups do not divide": (put(CONV + "groups", 3), "conv: groups = 3 does not divide the 4 output channels"),
    "groups want more channels": (
        put(CONV + "groups", 2),
        r"conv: \[2, 8, 8\] arrives, but weight with groups = 2 needs \[4,",
    ),
    "input_shape wrong": (
        put(CONV + "input_shape", [9, 9]),
        r"conv: \[2, 8, 8\] arrives, but input_shape says \[9, 9\]",
    ),
    "window larger than picture": (put(POOL + "kernel_size", [9, 9]), "pool: .*less than its window"),
    "padding of half a window": (put(POOL + "padding", [2, 2]), "pool: padding = .*more than half of kernel_size"),
    "window negative": (put(POOL + "kernel_size", [-2, 2]), "pool: kernel_size = .*>= 1"),
    "flatten no such dimensions": (
        put(FLAT + "start_dim", 7),
        "flat: start_dim = 7, end_dim = -1 are no dimensions of",
    ),
    "flatten input_type": (
        put(FLAT + "input_type", [4, 4, 5]),
        r"flat: \[4, 4, 4\] arrives, but input_type says \[4, 4, 5\]",
    ),
    "shape does not fit": (
        put("node/nodes/weights/weight", np.ones((3, 65))),
        r"weights: \[64\] arrives, but \[65\] is needed",
    ),
    "neurons of another shape": (
        lambda root: [put(LIF + name, np.ones(5))(root) for name in ("tau", "r", "v_leak", "v_threshold", "v_reset")],
        r"lif: \[3\] arrives, but \[5\] is needed",
    ),
    "without flatten": (
        lambda root: edges(
            lambda rows: [
                ("pool", "weights") if row == ("flat", "weights") else row for row in rows if row[1] != "flat"
            ]
        )(root),
        r"weights: \[4, 4, 4\] arrives, but \[64\] is needed \(weight\); put a Flatten before it",
    ),
    "back edge does not fit": (
        put("node/nodes/loop/weight", np.ones((2, 3))),
        r"lif: \[2\] arrives from 'loop', but \[3\]",
    ),
    "input shape zero": (put("node/nodes/input/shape", [2, 0, 8]), "input: shape = .*sizes > 0"),
    "input shape huge": (put("node/nodes/input/shape", [1 << 20, 1 << 20]), "input: shape = .*at most"),
    "output shape": (put("node/nodes/output/shape", [4]), r"output: \[3\] arrives, but shape says \[4\]"),
    "negative delay": (
        put("node/nodes/delay/delay", np.full(3, -1e-3)),
        "delay: delay = -0.001 s, but a delay must be >= 0",
    ),
    "edge to nowhere": (edges(lambda rows: [*rows, ("lif", "loops")]), "edges: .*names 'loops'; did you mean 'loop'"),
    "edge twice": (edges(lambda rows: [*rows, rows[0]]), "conv: the edge from 'input' is given more than once"),
    "edges numbers": (put("node/edges", np.ones((3, 2))), "edges: must be a table of names"),
    "edges of three": (
        put("node/edges", np.array([("a", "b", "c")], object), dtype=h5py.string_dtype()),
        "edges: .*not a pair",
    ),
    "edges flat": (
        put("node/edges", np.array(["a", "b"], object), dtype=h5py.string_dtype()),
        "edges: a is not a pair",
    ),
    "node renamed": (moved, "edges: .*names 'lif'"),
    "no input": (lambda root: root.__delitem__("node/nodes/input"), "the graph has no Input node"),
    "no output": (lambda root: root.__delitem__("node/nodes/output"), "the graph has no Output node"),
    "two inputs": (lambda root: root.copy("node/nodes/input", "node/nodes/second"), "the graph has 2 Input nodes"),
    "nothing arrives": (
        edges(lambda rows: [row for row in rows if row != ("weights", "delay")]),
        "delay: nothing that starts",
    ),
    "out of the output": (
        edges(lambda rows: [*rows, ("output", "loop")]),
        "output: an edge leads from an Output node to 'loop'",
    ),
    "into the input": (
        edges(lambda rows: [*rows, ("lif", "input")]),
        "input: an edge leads from 'lif' to an Input node",
    ),
    "metadata a number": (put(LIF + "metadata", 3), "lif: metadata is no group"),
    "notes damaged": (put("node/metadata/spikelab", "{"), "metadata 'spikelab' is damaged"),
    "notes of another kind": (put("node/metadata/spikelab", '{"neurons": [1]}'), "metadata 'spikelab' is damaged"),
    "notes with a method unknown": (
        put("node/metadata/spikelab", '{"neurons": {"lif": {"method": "magic"}}}'),
        "lif: unknown method 'magic'",
    ),
    "notes with a list": (
        put("node/metadata/spikelab", '{"neurons": {"lif": {"reset": []}}}'),
        "'spikelab' is damaged",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_error_names_file_node_and_field(case, file):
    change, expected = CASES[case]
    with h5py.File(file, "r+") as root:
        change(root)
    with pytest.raises(CannotImport) as error:
        from_nir(file, dt=DT, trusted=True)
    assert str(file) in str(error.value)
    assert re.search(expected, str(error.value)), str(error.value)


def test_the_file_that_they_start_from_is_sound(file, good_graph):
    from_nir(file, dt=DT)
    assert set(read_nir(file).nodes) == set(good_graph.nodes)


def test_everything_is_told_at_once_and_the_same_of_objects(file, good_graph):
    with h5py.File(file, "r+") as root:
        for change in ("negative tau", "stride zero", "edge to nowhere", "bias of another length"):
            CASES[change][0](root)
    with pytest.raises(CannotImport) as error:
        from_nir(file, trusted=True)
    lines = str(error.value).splitlines()
    assert len(lines) == 6
    assert lines[0] == f"{file} cannot be run:"
    for name in ("lif: tau", "conv: stride", "weights: bias", "edges: ", "delay: a NIR graph has no time step"):
        assert sum(line.strip().startswith(name) for line in lines) == 1, name
    graph = good_graph
    graph.nodes["lif"].tau = np.array([-1.0])
    graph.nodes["loop"] = nir.Input(np.array([3]))
    graph.edges.append(("lif", "nobody"))
    with pytest.raises(CannotImport, match=r"(?s)graph cannot be run:.*lif: tau = -1.0.*nobody.*2 Input nodes"):
        from_nir(graph, dt=DT)


def test_delays_must_be_whole_steps(file):
    with pytest.raises(CannotImport, match=r"delay: delay = 0\.002 s is 0\.666.* the nearest is 0\.003 s"):
        from_nir(file, dt=3e-3, trusted=True)
    assert int(from_nir(file, dt=5e-4, trusted=True).nodes["delay"].steps) == 4
    with h5py.File(file, "r+") as root:
        put("node/nodes/delay/delay", np.full(3, 1e9))(root)
    with pytest.raises(CannotImport, match="too many to remember"):
        from_nir(file, dt=DT, trusted=True)


def test_a_reset_by_subtraction_has_no_place_for_v_reset(file):
    with h5py.File(file, "r+") as root:
        put(LIF + "v_reset", np.full(3, -0.5))(root)
    from_nir(file, dt=DT, trusted=True)
    with pytest.raises(CannotImport, match=r"lif: v_reset = -0\.5 has no meaning for a reset by subtraction"):
        from_nir(file, dt=DT, reset="subtract", trusted=True)


def test_wrong_arguments_are_named(file):
    for wrong in ({"dt": -1.0}, {"dt": float("nan")}, {"reset": "zero"}, {"input_form": "rate"}):
        with pytest.raises(ValueError, match=f"from_nir: {next(iter(wrong))} = "):
            from_nir(file, **wrong)
    with pytest.raises(TypeError, match="got a int"):
        from_nir(3)
    with pytest.raises(CannotImport, match="no Output node is called 'nothing'; there are output"):
        from_nir(file, dt=DT, output="nothing", trusted=True)
    with pytest.raises(CannotImport, match="lif: unknown method 'magic'"):
        from_nir(file, dt=DT, method="magic", trusted=True)
