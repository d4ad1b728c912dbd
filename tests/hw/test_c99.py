"""The C that is written: how weights lie, who is skipped, what is refused, and what compilers and checkers say."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from spikelab import registry
from spikelab.hw.backends.c99 import C99Error, verify_c99, write_c99
from spikelab.hw.backends.c99.compiler import STRICT, CompilerError
from spikelab.hw.backends.c99.stored import halvings, stored
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Output, Population
from spikelab.hw.neuron import IntegerNeuron, IntegerState

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
SANITIZERS = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def neuron(name):
    return registry.load("integer_neurons", name)


def layers(weight, neuron_name="generic_lif_16", parameters=None, **options):
    """An input and one population."""
    parameters = parameters or {"keep_mem": 29000, "v_threshold": 40}
    population = Population("out", neuron(neuron_name), (len(weight),), parameters)
    connection = Connection("in", "out", Dense(weight), options.pop("delay", 0), **options)
    return IntegerGraph({"in": Input((weight.shape[1],))}, [population], [connection])


def everything():
    """One network with all kinds of connections and many kinds of neurons."""
    random = np.random.default_rng(5)
    lif = {"keep_mem": 28000, "v_threshold": 300}
    delays = random.integers(0, 4, (12, 40))
    return IntegerGraph(
        {"picture": Input((2, 9, 8)), "graded": Input((12,), -5, 9)},
        [
            Population("maps", neuron("generic_lif_16"), (4, 4, 4), lif),
            Population("deep", neuron("speck_if"), (8, 2, 2), {"v_threshold": 200, "v_low": -500}),
            Population("loihi", neuron("loihi_lif"), (12,), {"du": 900, "dv": 300, "vth": 30, "reset_interval": 9}),
            Population("delta", neuron("loihi_delta"), (12,), {"vth": 1}),
            Population("sum", neuron("loihi_sigma_delta"), (5,), {"vth": 1}),
            Population("turn", neuron("loihi_rf"), (12,), {"sin_decay": 900, "cos_decay": 3900, "vth": 4}),
            Population("xylo", neuron("xylo_hidden"), (7,), {"dash_syn": 2, "dash_mem": 3, "threshold": 50}),
            Population("read out", neuron("generic_li_32"), (3,), {"keep_mem": 32000}),
        ],
        [
            Connection(
                "picture", "maps", Convolution(random.integers(-90, 120, (4, 1, 3, 2)), (2, 2), (0, 0), (1, 1), 2), 0
            ),
            Connection(
                "maps", "deep", Convolution(random.integers(-90, 120, (8, 4, 3, 3)), padding=(1, 1)), 1, pool=(2, 2)
            ),
            Connection("graded", "loihi", OneToOne(random.integers(-8, 16, 12)), 3, exponent=1),
            Connection("deep", "loihi", Dense(2 * random.integers(-60, 60, (12, 32))), 0, exponent=-2),
            Connection("loihi", "loihi", Dense(random.integers(-9, 9, (12, 12)), delays[:, :12]), 1, wrap_bits=7),
            Connection("graded", "delta", OneToOne(np.array([1])), 0),
            Connection("delta", "sum", Dense(random.integers(-99, 99, (5, 12))), 1),
            Connection("graded", "turn", OneToOne(np.array([3])), 0, port="a_real"),
            Connection("loihi", "turn", OneToOne(np.array([-5])), 0, port="a_imag"),
            Connection("loihi", "xylo", Dense(random.integers(-60, 90, (7, 12)) * (random.random((7, 12)) < 0.2)), 0),
            Connection("xylo", "read out", Dense(random.integers(-8, 8, (3, 7))), 2),
            Connection("sum", "read out", Dense(random.integers(-1, 2, (3, 5))), 0, exponent=-6),
        ],
        outputs=[Output("answer", "read out", "v"), Output("spikes", "xylo", lag=1), Output("int", "sum")],
    )


def inputs_of(graph, steps=40, batch=2, rate=0.2, seed=0):
    random = np.random.default_rng(seed)
    found = {}
    for name, i in graph.inputs.items():
        shape = (steps, batch, *i.shape)
        found[name] = random.integers(i.low, i.high, shape, endpoint=True) * (random.random(shape) < rate)
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder, graph = tmp_path_factory.mktemp("everything"), everything()
    vectors = {name: values[:, 0] for name, values in inputs_of(graph, 15).items()}
    return folder, graph, write_c99(folder, graph, "chip", vectors)


@pytest.mark.parametrize("flags", [("-O0",), ("-O2",), ("-Os",), SANITIZERS], ids=" ".join)
def test_every_message_and_state_is_the_simulators(written, flags):
    folder, graph, _ = written
    found = verify_c99(folder, graph, inputs_of(graph), flags=flags)
    assert found.equal, found.first_difference
    assert found.steps == 80
    assert found.compared == 80 * sum(p.size * (1 + len(p.neuron.states)) for p in graph.populations)


def test_the_network_that_is_compared_is_not_silent(written):
    _, graph, _ = written
    run = simulate(graph, inputs_of(graph))
    for p in graph.populations[:-1]:
        assert np.count_nonzero(run.messages[p.name]), p.name


def has_32_bits(folder):
    (folder / "empty.c").write_text("#include <stdint.h>\n#include <string.h>\nint main(void)\n{\n    return 0;\n}\n")
    command = ["gcc", "-m32", str(folder / "empty.c"), "-o", str(folder / "empty")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_32_bits(written, tmp_path):
    if not has_32_bits(tmp_path):
        pytest.skip("gcc -m32 finds no 32-bit libraries; install gcc-multilib")
    folder, graph, _ = written
    found = verify_c99(folder, graph, inputs_of(graph), flags=("-O2", "-m32"))
    assert found.equal, found.first_difference


def compiled(folder, *sources, flags=()):
    program = folder / "program"
    subprocess.run(["gcc", *STRICT, *flags, f"-I{folder}", *map(str, sources), "-o", str(program)], check=True)
    return program


def test_golden_vectors_agree_and_notice_a_changed_weight(written, tmp_path):
    folder, _, _ = written
    copy = shutil.copytree(folder, tmp_path / "copy")
    run = subprocess.run(
        [compiled(copy, copy / "chip.c", copy / "chip_test.c")], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "15 steps agree\n")
    text = (copy / "chip.c").read_text()
    head, rest = text.split("weight_0[", 1)
    size, values = rest.split("] = {\n    ", 1)
    first, others = values.split(",", 1)
    (copy / "chip.c").write_text(f"{head}weight_0[{size}] = {{\n    {int(first) // 2 + 3},{others}")
    run = subprocess.run(
        [compiled(copy, copy / "chip.c", copy / "chip_test.c")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "differs at step" in run.stdout


def test_nothing_of_libc_but_memory_functions(written, tmp_path):
    folder, _, _ = written
    source = (folder / "chip.c").read_text() + (folder / "chip.h").read_text()
    included = {line for line in source.splitlines() if line.startswith("#include")}
    assert included == {"#include <stdint.h>", "#include <string.h>", '#include "chip.h"'}
    subprocess.run(["gcc", *STRICT, "-O0", "-c", str(folder / "chip.c"), "-o", str(tmp_path / "chip.o")], check=True)
    listed = subprocess.run(["nm", "-u", str(tmp_path / "chip.o")], capture_output=True, text=True, check=True).stdout
    foreign = {name for name in listed.split() if name not in ("U", "memset", "memcpy") and not name.startswith("_")}
    assert not foreign


@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="needs cppcheck")
def test_cppcheck_is_content(written):
    # headers of the system are not looked into
    folder, _, _ = written
    command = ["cppcheck", "-q", "--enable=all", "--std=c99", "--error-exitcode=1", "--suppress=missingIncludeSystem"]
    run = subprocess.run(
        [*command, str(folder / "chip.c"), str(folder / "chip_test.c")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_the_report_says_how_much_memory_the_state_takes(written, tmp_path):
    folder, _, report = written
    (tmp_path / "size.c").write_text(
        '#include "chip.h"\n#include <stdio.h>\nint main(void)\n{\n'
        '    printf("%lu\\n", (unsigned long)CHIP_STATE_BYTES);\n    return 0;\n}\n'
    )
    program = tmp_path / "size"
    subprocess.run(["gcc", *STRICT, f"-I{folder}", str(tmp_path / "size.c"), "-o", str(program)], check=True)
    assert int(subprocess.run([program], capture_output=True, check=True).stdout) == report["ram"]["bytes"]
    assert json.loads(json.dumps(report)) == report
    assert "sum: sigma" in report["checked_at_run_time"]
    assert sum(sum(parts.values()) for parts in report["ram"]["parts"].values()) <= report["ram"]["bytes"]


@pytest.mark.parametrize(
    ("values", "bits", "size"),
    [
        ([-1, 0, 1, 1, -1], 2, 2),
        ([-2, 1], 2, 1),
        ([0, 3], 2, 1),
        ([-8, 7, 0], 4, 2),
        ([0, 15], 4, 1),
        ([-9, 7], 8, 2),
        ([-128, 127], 8, 2),
        ([0, 255], 8, 2),
        ([-255, 0], 8, 2),
        ([-129, 127], 16, 4),
        ([2**15, 0], 32, 8),
        ([2**31, 0], 64, 16),
    ],
)
def test_weights_take_the_fewest_bits(values, bits, size):
    found = stored(np.array([values]))
    assert (found.bits, found.bytes) == (bits, size)
    fields = found.values
    if bits < 8:
        fields = np.stack([(fields >> (bits * k)) & (2**bits - 1) for k in range(found.per_byte)], 1).ravel()
    assert (fields[: len(values)] + found.offset).tolist() == values


def test_loihis_even_weights_are_stored_as_halves(tmp_path):
    weight = np.random.default_rng(0).integers(-128, 128, (9, 20)) * 2
    weight[0, :2] = -256, 254
    assert halvings(weight) == 1
    graph = layers(weight, "loihi_lif", {"vth": 9, "du": 2000, "dv": 300})
    report = write_c99(tmp_path, graph)
    assert report["flash"]["weights_bytes"] == weight.size
    assert verify_c99(tmp_path, graph, inputs_of(graph)).equal


@pytest.mark.parametrize(
    ("low", "high", "density", "storage", "size"),
    [
        (-8, 8, 1, "dense, 4 bits each, 2 to a byte, by source", 30 * 21),
        (-1, 2, 1, "dense, 2 bits each, 4 to a byte, by source", 30 * 11),
        (-100, 100, 1, "dense, 8 bits each, by source", 30 * 41),
        (-100, 100, 0.1, "that are not zero, 8 bits each, by source", None),
    ],
)
def test_dense_weights_lie_by_source(low, high, density, storage, size, tmp_path):
    random = np.random.default_rng(1)
    weight = random.integers(low, high, (41, 30)) * (random.random((41, 30)) < density)
    weight[0, :2] = low, high - 1
    graph = layers(weight)
    report = write_c99(tmp_path, graph)
    assert report["connections"][0]["storage"].endswith(storage)
    entries = np.count_nonzero(weight)
    assert report["flash"]["weights_bytes"] == (size or 2 * entries + 31)
    found = verify_c99(tmp_path, graph, inputs_of(graph))
    assert found.equal, found.first_difference


def test_types_are_the_narrowest_that_ranges_prove(tmp_path):
    weight = np.full((3, 10), 100)
    tiny = write_c99(tmp_path / "t", layers(weight))  # no higher than the threshold, and nothing makes it negative
    assert tiny["populations"]["out"]["states"]["v"] == {"type": "int8_t", "low": 0, "high": 40, "why": "proven"}
    narrow = write_c99(tmp_path / "a", layers(weight, parameters={"keep_mem": 29000, "v_threshold": 4000}))
    assert narrow["populations"]["out"]["states"]["v"]["type"] == "int16_t"
    assert "int64" not in (tmp_path / "a" / "net.c").read_text()
    wide = write_c99(
        tmp_path / "b", layers(weight * 10**6, "generic_lif_32", {"keep_mem": 2**15, "v_threshold": 2**30})
    )
    assert wide["populations"]["out"]["states"]["v"]["type"] == "int32_t"
    # 100 million is 390625 · 2^8: the sum counts in 256s
    assert wide["connections"][0]["sums"] == "int32_t: 0 to 3906250, each counts 256"


def driven(folder, name, body):
    """Runs a small program against a network; ends with what it returns."""
    (folder / "main.c").write_text(f'#include "{name}.h"\n#include <string.h>\nint main(void)\n{{\n{body}\n}}\n')
    return subprocess.run(
        [compiled(folder, folder / "main.c", folder / f"{name}.c", flags=SANITIZERS)], check=False
    ).returncode


def test_two_networks_side_by_side_do_not_mix(tmp_path):
    graph = layers(np.full((2, 3), 30), parameters={"keep_mem": 2**15, "v_threshold": 50})
    write_c99(tmp_path, graph)
    body = """
    static net_state first, second;
    static const uint8_t index[2] = { 0, 2 };
    net_outputs out;
    const net_inputs some = { index, 2 }, none = { index, 0 };
    net_init(&first);
    net_init(&second);
    for (int step = 0; step < 3; ++step) {
        if (net_step(&second, &none, &out) != NET_OK || out.out_count != 0) { return 1; }
        if (net_step(&first, &some, &out) != NET_OK || out.out_count != 2) { return 2; }
    }
    if (second.out.v[0] != 0 || first.out.v[0] != 0) { return 3; }
    return 0;"""
    assert driven(tmp_path, "net", body) == 0


def test_bad_input_is_refused_and_changes_nothing(tmp_path):
    weight = np.full((2, 5), 3)
    population = Population("out", neuron("generic_li_32"), (2,), {"keep_mem": 2**15})
    graph = IntegerGraph({"in": Input((5,), -2, 7)}, [population], [Connection("in", "out", Dense(weight), 0)])
    write_c99(tmp_path, graph)
    body = """
    static net_state net, before;
    static const uint8_t rising[3] = { 0, 2, 4 }, twice[3] = { 0, 2, 2 };
    static const uint8_t falling[3] = { 4, 2, 0 }, far[3] = { 0, 1, 5 };
    static const int8_t good[3] = { -2, 1, 7 }, high[3] = { 1, 8, 1 }, low[3] = { 1, 1, -3 };
    const net_inputs bad[5] = { { twice, good, 3 }, { falling, good, 3 }, { far, good, 3 }, { rising, high, 3 },
        { rising, low, 3 } };
    const net_inputs fine = { rising, good, 3 };
    net_outputs out;
    net_init(&net);
    if (net_step(&net, &fine, &out) != NET_OK || net.out.v[1] != 18) { return 1; }
    memcpy(&before, &net, sizeof net);
    for (int k = 0; k < 5; ++k) {
        if (net_step(&net, &bad[k], &out) != NET_BAD_INPUT) { return 2 + k; }
    }
    return memcmp(&before, &net, sizeof net) == 0 ? 0 : 9;"""
    assert driven(tmp_path, "net", body) == 0


def test_a_value_that_leaves_its_assumed_range_is_said(tmp_path):
    population = Population("sum", neuron("loihi_sigma_delta"), (1,), {"vth": 1})
    weight = Dense(np.array([[100]]))
    graph = IntegerGraph({"in": Input((1,), 0, 2**22)}, [population], [Connection("in", "sum", weight, 0)])
    report = write_c99(tmp_path, graph)
    assert "sum: sigma" in report["checked_at_run_time"]
    found = verify_c99(tmp_path, graph, {"in": np.full((9, 1, 1), 2**22)})
    assert not found.equal
    assert "left the range that was assumed for it" in found.first_difference
    assert "at step 5 of sample 0" in found.first_difference


def test_a_graph_that_could_leave_64_bits_is_refused_before_anything_is_written(tmp_path):
    one = Population("a", neuron("generic_lif_32"), (2,), {"keep_mem": 1, "v_threshold": 9})
    two = Population("b", neuron("generic_lif_32"), (2,), {"keep_mem": 1, "v_threshold": 9})
    graph = IntegerGraph(
        {"in": Input((2,), -(2**40), 2**40)},
        [one, two],
        [
            Connection("in", "a", Dense(np.full((2, 2), 2**30)), 0),
            Connection("in", "b", Dense(np.ones((2, 2), np.int64)), 0, exponent=30),
        ],
    )
    with pytest.raises(C99Error) as error:
        write_c99(tmp_path / "none", graph)
    assert "connection 'in' -> 'a': sums from" in str(error.value)
    assert "connection 'in' -> 'b': sums after the exponent from" in str(error.value)
    assert not (tmp_path / "none").exists()


def test_a_name_that_c_does_not_allow_is_refused(tmp_path):
    graph = layers(np.ones((1, 1), np.int64))
    for name in ("3d", "my net", "int", ""):
        with pytest.raises(C99Error, match="cannot begin names in C"):
            write_c99(tmp_path, graph, name)


def test_names_from_outside_cannot_become_code(tmp_path):
    evil = '*/ #error "x" /*\n\\'
    one = Population(evil, neuron("generic_lif_16"), (2,), {"keep_mem": 1, "v_threshold": 9})
    two = Population("int", neuron("generic_lif_16"), (2,), {"keep_mem": 1, "v_threshold": 9})
    connections = [Connection("9 a", p.name, Dense(np.ones((2, 3), np.int64)), 0) for p in (one, two)]
    graph = IntegerGraph({"9 a": Input((3,))}, [one, two], connections, outputs=[Output(evil, evil)])
    write_c99(tmp_path, graph)
    assert verify_c99(tmp_path, graph, inputs_of(graph)).equal


def test_verification_names_the_first_difference(tmp_path):
    graph = layers(np.full((3, 4), 30))
    other = layers(np.array([[30] * 4, [30] * 4, [31] * 4]))
    write_c99(tmp_path, other)
    x = np.zeros((5, 1, 4), np.int64)
    x[2, 0, 1] = 1
    found = verify_c99(tmp_path, graph, {"in": x})
    assert not found.equal
    assert (
        found.first_difference == "population 'out', v of neuron 2 at step 2 of sample 0: 31 in C, 30 in the simulator"
    )


def test_a_missing_compiler_and_code_that_does_not_compile_are_clear(tmp_path):
    graph = layers(np.full((3, 4), 30))
    with pytest.raises(C99Error, match="holds 0 pairs"):
        verify_c99(tmp_path, graph, inputs_of(graph))
    write_c99(tmp_path, graph)
    with pytest.raises(CompilerError, match="no program 'no-such-gcc'"):
        verify_c99(tmp_path, graph, inputs_of(graph), compiler="no-such-gcc")
    (tmp_path / "net.c").write_text("int nonsense")
    with pytest.raises(CompilerError, match=r"net\.c"):
        verify_c99(tmp_path, graph, inputs_of(graph))
    (tmp_path / "net.c").write_text(
        '#include "net.h"\nvoid net_init(net_state *n) { (void)n; for (;;) { } }\n'
        "void net_reset(net_state *n) { (void)n; }\n"
        "int net_step(net_state *n, const net_inputs *i, net_outputs *o) { (void)n; (void)i; (void)o; return 0; }\n"
    )
    with pytest.raises(CompilerError, match="was stopped after 2 s"):
        verify_c99(tmp_path, graph, inputs_of(graph), seconds=2)


def counted(folder, graph, x):
    """Neuron steps that were really made: a counter is put where every step of a neuron begins."""
    write_c99(folder, graph)
    text = (folder / "net.c").read_text()
    place = "            const int32_t a ="
    assert place in text
    text = text.replace(place, f"            extern unsigned long made; ++made;\n{place}")
    (folder / "net.c").write_text(text)
    indices = [np.flatnonzero(row) for row in x.reshape(len(x), -1)]
    steps = "\n".join(
        f"    {{ static const uint8_t index[] = {{ {', '.join(map(str, k.tolist())) or 0} }};"
        f" const net_inputs in = {{ index, {len(k)} }}; net_step(&net, &in, &out); }}"
        for k in indices
    )
    (folder / "main.c").write_text(
        '#include "net.h"\n#include <stdio.h>\nextern unsigned long made;\nunsigned long made = 0;\n'
        f"int main(void)\n{{\n    static net_state net;\n    net_outputs out;\n    net_init(&net);\n{steps}\n"
        '    printf("%lu", made);\n    return 0;\n}\n'
    )
    program = folder / "count"
    subprocess.run(
        ["gcc", "-std=c99", "-w", str(folder / "main.c"), str(folder / "net.c"), "-o", str(program)], check=True
    )
    return int(subprocess.run([program], capture_output=True, check=True).stdout)


@pytest.mark.parametrize("keep", [2**15, 2**14])
def test_neurons_that_rest_are_skipped(keep, tmp_path):
    """Without leak a neuron rests at any value; with one, when it reached zero."""
    population = Population("out", neuron("generic_lif_16"), (100,), {"keep_mem": keep, "v_threshold": 3000})
    weights = OneToOne(np.array([100]))
    graph = IntegerGraph({"in": Input((100,))}, [population], [Connection("in", "out", weights, 0)])
    x = np.zeros((50, 100), np.int64)
    x[10, 7] = x[30, 9] = 1
    # all once at the start; then each event, and the steps until nothing changes
    falls = 1 if keep == 2**15 else 8
    assert counted(tmp_path, graph, x) == 100 + 2 * (1 + falls)


def test_loihis_clearing_wakes_everyone(tmp_path):
    parameters = {"vth": 9999, "du": 4095, "dv": 0, "reset_interval": 10, "reset_offset": 4}
    graph = layers(np.eye(40, dtype=np.int64) * 50, "loihi_lif", parameters)
    x = (np.random.default_rng(0).random((60, 1, 40)) < 0.01).astype(np.int64)
    write_c99(tmp_path, graph)
    found = verify_c99(tmp_path, graph, {"in": x})
    assert found.equal, found.first_difference


def test_populations_of_no_connection_one_neuron_and_constant_drive(tmp_path):
    alone = Population("alone", neuron("generic_lif_16"), (1,), {"keep_mem": 2**15, "v_threshold": 9, "bias": 2})
    dead = Population("dead", neuron("loihi_lif"), (70,), {"vth": 5})
    heard = Population("heard", neuron("xylo_hidden"), (1,), {"dash_syn": 1, "dash_mem": 1, "threshold": 3})
    connections = [
        Connection("in", "heard", Dense(np.array([[9]])), 0),
        Connection("alone", "heard", Dense(np.array([[2]])), 5),
        Connection("dead", "heard", Dense(np.ones((1, 70), np.int64)), 0),
    ]
    graph = IntegerGraph({"in": Input((1,))}, [alone, dead, heard], connections)
    report = write_c99(tmp_path, graph)
    assert report["populations"]["dead"]["skips"] == "all neurons: nothing ever happens"
    for flags in (("-O2",), SANITIZERS):
        found = verify_c99(tmp_path, graph, inputs_of(graph), flags=flags)
        assert found.equal, found.first_difference


@pytest.mark.parametrize(("size", "delay"), [(3, 4), (300, 4), (3, 300)])
def test_delays_are_kept_where_they_take_less(size, delay, tmp_path):
    """Few sources and many targets: the source remembers; else sums wait."""
    random = np.random.default_rng(0)
    weight = random.integers(-50, 90, (40, size))
    graph = layers(weight, delay=delay)
    report = write_c99(tmp_path, graph)
    assert ("its source remembers" in report["connections"][0]["delay"]) == (size == 3)
    x = {"in": (random.random((delay + 20, 2, size)) < 0.3).astype(np.int64)}
    assert verify_c99(tmp_path, graph, x).equal


def test_a_neuron_whose_every_step_differs_is_never_skipped(tmp_path):
    odd = IntegerNeuron(
        "odd",
        "Counts steps",
        (IntegerState("v", 32, "v"),),
        (),
        (("v", "saturate(v + a * remainder(t, 3), -1000, 1000)"), ("message", "positive(remainder(t, 5) - 3)")),
        "",
    )
    population = Population("p", odd, (6,))
    graph = IntegerGraph({"in": Input((6,))}, [population], [Connection("in", "p", OneToOne(np.array([7])), 1)])
    report = write_c99(tmp_path, graph)
    assert report["populations"]["p"]["skips"].startswith("none")
    assert verify_c99(tmp_path, graph, inputs_of(graph)).equal


@pytest.mark.parametrize(
    ("size", "ctype"), [(256, "uint8_t"), (257, "uint16_t"), (65536, "uint16_t"), (70000, "uint32_t")]
)
def test_indices_are_as_wide_as_the_source_is_large(size, ctype, tmp_path):
    weight = np.zeros((2, size), np.int64)
    weight[:, [0, 1, size // 2, size - 2, size - 1]] = 35
    graph = layers(weight)
    write_c99(tmp_path, graph)
    assert f"const {ctype} *in_index;" in (tmp_path / "net.h").read_text()
    x = np.zeros((6, 1, size), np.int64)
    x[1:4, :, [0, size // 2, size - 1]] = 1
    found = verify_c99(tmp_path, graph, {"in": x}, flags=SANITIZERS)
    assert found.equal, found.first_difference
    assert simulate(graph, {"in": x}).messages["out"].any()


@pytest.mark.parametrize(
    "sums",
    [
        [([3, 4000], -3, 0)],
        [([2**21, 999], 0, 21)],
        [([9, 3], -3, 0), ([-1, 600], 0, 0)],
        [([31, -16], 0, 5), ([1, 0], 0, 0), ([0, 600], 0, 0)],
    ],
    ids=["rounded away", "wrapped to zero", "cancelled after rounding", "cancelled after wrapping"],
)
def test_sums_that_come_to_nothing_leave_nothing_behind(sums, tmp_path):
    """A neuron may hear 0 although what was added up is not 0; the next step begins anew all the same.

    What is left of a wrapped sum cannot be seen in values, but it grows: after 1024 steps it would leave 32 bits.
    """
    connections = [Connection("in", "out", Dense(np.array([w])), 0, exponent, bits) for w, exponent, bits in sums]
    population = Population("out", neuron("generic_lif_16"), (1,), {"keep_mem": 2**15, "v_threshold": 500})
    graph = IntegerGraph({"in": Input((2,))}, [population], connections)
    x = np.zeros((1160, 1, 2), np.int64)
    x[1:1100, 0, 0] = x[1100::2, 0, 0] = x[1103::4, 0, 1] = 1
    write_c99(tmp_path, graph)
    assert "if (a == 0) {" in (tmp_path / "net.c").read_text()
    found = verify_c99(tmp_path, graph, {"in": x}, flags=SANITIZERS)
    assert found.equal, found.first_difference


def test_golden_vectors_keep_to_what_is_assumed(tmp_path):
    """Those that do not are refused by name; random ones end before they would."""
    population = Population("sum", neuron("loihi_sigma_delta"), (3,), {"vth": 1})
    weight = Dense(np.full((3, 4), 100))
    graph = IntegerGraph({"in": Input((4,), 0, 2**22)}, [population], [Connection("in", "sum", weight, 0)])
    with pytest.raises(C99Error, match=r"vectors: population 'sum': message leaves -8388608 to 8388607 at step 0"):
        write_c99(tmp_path / "none", graph, vectors={"in": np.full((5, 4), 2**21 + 2**20)})
    assert not (tmp_path / "none").exists()
    write_c99(tmp_path, graph)
    run = subprocess.run([compiled(tmp_path, tmp_path / "net.c", tmp_path / "net_test.c")], check=False)
    assert run.returncode == 0


def test_a_population_of_one_place_and_many_channels(tmp_path):
    """The kernel covers the whole picture, and a sparse matrix arrives beside it."""
    random = np.random.default_rng(0)
    population = Population("out", neuron("generic_lif_16"), (40, 1, 1), {"keep_mem": 20000, "v_threshold": 90})
    few = random.integers(-60, 90, (40, 40)) * (random.random((40, 40)) < 0.1)
    connections = [
        Connection("in", "out", Convolution(random.integers(-60, 60, (40, 1, 3, 3))), 0),
        Connection("out", "out", Dense(few), 1),
        Connection("out", "out", OneToOne(np.array([-7])), 2),
    ]
    graph = IntegerGraph({"in": Input((1, 3, 3))}, [population], connections)
    write_c99(tmp_path, graph)
    assert "% 1u" not in (tmp_path / "net.c").read_text()
    found = verify_c99(tmp_path, graph, inputs_of(graph), flags=SANITIZERS)
    assert found.equal, found.first_difference
