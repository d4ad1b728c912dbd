"""The NIR reader on files changed at random: a network that runs, or an error that names the file; no other end.

Changes of the structure are made through HDF5, so the library holds; changed bytes can make it crash or never return,
which must stay within the process that reads the file.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikelab import nn
from spikelab.io import nir_file, nir_read
from spikelab.io.nir_process import receive
from spikelab.io.nir_read import CannotImport, NirWarning, from_nir
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import to_nir

DT = 1e-3


class Seeds(list):
    """Contents of sound files; what hypothesis prints of them stays short."""

    def __repr__(self):
        return f"{len(self)} files"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> Seeds:
    """Sound files that hold every primitive, in both layouts of HDF5, compressed and not, nested and not."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("seeds")
    picture = [nn.Conv2d(2, 4, 3, padding=1), nn.IF(dt=DT), nn.SumPool2d(2), nn.AvgPool2d(2), nn.Flatten()]
    layers = [nn.Dense(16, 40), nn.LIF(dt=DT), nn.Delay(2), nn.Dense(40, 3, bias=False), nn.LI(dt=DT)]
    line = [nn.Conv1d(2, 4, 3), nn.CubaLIF(dt=DT), nn.Scale(torch.rand(4, 6)), nn.Flatten(), nn.Threshold(0.5)]
    chains = [
        (nn.Network.sequential(*picture, *layers), (2, 8, 8)),
        (nn.Network.sequential(*line, nn.CubaLI(dt=DT), nn.Integrator(dt=DT)), (2, 8)),
        (nn.Network.recurrent(nn.LIF(dt=DT, tau_mem=torch.linspace(1e-3, 5e-3, 6)), nn.Dense(6, 6)), (6,)),
    ]
    files = []
    for number, (network, shape) in enumerate(chains):
        files.append(folder / f"{number}.nir")
        write_nir(files[-1], to_nir(network, shape))
    nested = folder / "nested.nir"
    with h5py.File(files[2]) as inner, h5py.File(nested, "w", libver="latest") as root:
        node = root.create_group("node")
        node["type"] = "NIRGraph"
        node["edges"] = np.array([("input", "block"), ("block", "output")], object)
        inner.copy("node", node.create_group("nodes"), "block")
        for name in ("input", "output"):
            inner.copy(f"node/nodes/{name}", node["nodes"], name)
    return Seeds(file.read_bytes() for file in [*files, nested])


def require_named(error, path):
    assert str(path) in str(error)
    assert "Traceback" not in str(error)


def try_it(path) -> str:
    """Reads a file and runs what comes out; anything but that, or the error for bad files, fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        try:
            network = from_nir(path, dt=DT, trusted=True)
        except CannotImport as error:
            require_named(error, path)
            return "refused"
        graph = nir_read.read_nir(path, trusted=True)
    (entry,) = graph.inputs.values()
    for module in network.nodes.values():
        if isinstance(module, nn.Neuron):
            module.backend = "reference"
    # numbers may have become absurdly large, which a layer tells of; the shapes must fit in any case
    size = int(np.prod(entry.input_type["input"]))
    if size < 1e5:
        try:
            network(torch.ones(len(network.nodes) + 2, 1, *entry.input_type["input"]))
        except nn.NonFiniteError:
            return "too large"
    return "runs"


def paths_in(root) -> list[str]:
    found: list[str] = []
    root["node"].visit(lambda name: found.append(f"node/{name}"))
    return sorted(found)


NAMES = ["type", "tau", "weight", "edges", "nodes", "input", "output", "metadata", "r", "a.b", "", "ü", "x" * 300]
TEXTS = ["NIRGraph", "LIF", "Input", "Output", "Flatten", "Affine", "same", "", "\0", "é" * 50, "{", '{"neurons": {}}']
NUMBERS = [0, 1, -1, 2, 3, 0.5, 1e-3, 1e300, -1e-320, float("nan"), float("inf"), 2**31, 2**63 - 1, True]
KINDS = ["f2", "f4", "f8", ">f8", "i1", "u8", "i8", "?", "c8", "S3", "V4", "f16"]
SHAPES = [(), (0,), (1,), (2,), (3,), (6,), (1, 1), (2, 3), (6, 6), (2, 2, 2), (4, 2, 3, 3), (1,) * 9]


@st.composite
def mutations(draw):
    pick = lambda choices: draw(st.sampled_from(choices))  # noqa: E731
    kind = pick(["delete", "number", "number", "text", "texts", "group", "move", "copy", "soft", "hard", "edges"])
    place = st.integers(0, 10_000)
    options = {"name": pick(NAMES), "text": pick(TEXTS), "number": pick(NUMBERS), "kind": pick(KINDS)}
    options |= {"shape": pick(SHAPES), "other": draw(place)}
    options["pairs"] = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6))
    return kind, draw(place), options


def mutate(root, mutation) -> None:
    kind, where, options = mutation
    paths = paths_in(root)
    if not paths:
        return
    path, other = paths[where % len(paths)], paths[options["other"] % len(paths)]
    if kind == "edges":
        names = [name.rsplit("/", 1)[1] for name in paths if name.count("/") == 2]
        rows = [(names[a % len(names)], names[b % len(names)]) for a, b in options["pairs"]] if names else []
        path, value = "node/edges", np.array(rows, object).reshape(-1, 2)
    elif kind in ("move", "copy", "soft", "hard"):
        target = f"{path.rsplit('/', 1)[0]}/{options['name'] or 'e'}"
        if target in root or target.startswith(other + "/") or path == "node":
            return
        if kind in ("move", "copy"):
            getattr(root, kind)(path, target)
        else:
            root[target] = h5py.SoftLink("/" + other) if kind == "soft" else root[other]
        return
    elif kind == "text":
        value = options["text"].replace("\0", "") or "x"
    elif kind == "texts":
        value = np.full(options["shape"], options["text"].replace("\0", ""), object)
    else:
        with np.errstate(all="ignore"):
            numbers = np.full(options["shape"], options["number"], "f8")
            value = (
                numbers.astype(options["kind"])
                if options["kind"] not in ("S3", "V4")
                else np.zeros(options["shape"], options["kind"])
            )
    with contextlib.suppress(KeyError):
        del root[path]
    if kind == "group":
        root.create_group(path)
    elif kind != "delete":
        text = {"dtype": h5py.string_dtype()} if kind in ("edges", "text", "texts") else {}
        root.create_dataset(path, data=value, **text)


def run_structural(seeds, folder, seed, changes) -> str:
    path = folder / "structure.nir"
    path.write_bytes(seeds[seed % len(seeds)])
    with h5py.File(path, "r+") as root:
        for change in changes:
            # after the changes before, this one may not be possible any more
            with contextlib.suppress(KeyError, OSError, ValueError, RuntimeError, TypeError):
                mutate(root, change)
    return try_it(path)


CHANGES = st.lists(mutations(), min_size=1, max_size=4)
QUIET = {"suppress_health_check": list(HealthCheck)}


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Casting complex:UserWarning")
@settings(max_examples=200, **QUIET)
@given(st.integers(0, 99), CHANGES)
def test_changed_structure(seeds, tmp_path_factory, seed, changes):
    run_structural(seeds, tmp_path_factory.getbasetemp(), seed, changes)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Casting complex:UserWarning")
@settings(max_examples=500, **QUIET)
@given(st.integers(0, 99), CHANGES)
def test_changed_structure_at_length(seeds, tmp_path_factory, seed, changes):
    run_structural(seeds, tmp_path_factory.getbasetemp(), seed, changes)


#: Reads many files as ``nir_process`` does, each in a fork of its own, and tells how each ended: (status, MB at most).
FORKS = """
import json, os, sys
from spikelab.io import nir_process
for line in sys.stdin:
    path, answer, seconds = json.loads(line)
    child = os.fork()
    if child == 0:
        os.dup2(os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.argv = ["", path, str(1 << 28), str(seconds)]
        nir_process.main()
    _, status, usage = os.wait4(child, 0)
    print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss // 1024]), flush=True)
"""


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    content = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4, 8, 32, 128])):
        # most of what can go wrong stands at the front, in the descriptions of groups and data sets
        place = chance.randrange(min(len(content), 20_000) if chance.random() < 0.8 else len(content))
        match chance.randrange(6):
            case 0:
                content[place] = chance.randrange(256)
            case 1:
                content[place] ^= 1 << chance.randrange(8)
            case 2:
                number = chance.choice(
                    [0, 1, 96, 2**16 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, chance.randrange(len(content))]
                )
                content[place : place + 8] = number.to_bytes(8, "little")
            case 3:
                del content[place : place + chance.randrange(1, 16)]
            case 4:
                source = chance.randrange(len(content))
                content[place : place + 16] = content[source : source + 16]
            case 5:
                content[place:place] = chance.randbytes(chance.randrange(1, 16))
    return bytes(content[: chance.randrange(len(content))] if chance.random() < 0.05 else content)


def run_bytes(seeds, folder: Path, monkeypatch, count: int, seed: int) -> dict[str, int]:
    """Changes files at random and reads them; what killed the process that read it is read again as users would."""
    chance, ends = random.Random(seed), {"runs": 0, "refused": 0, "too large": 0, "killed": 0}
    path, answer = folder / "bytes.nir", folder / "answer"
    with subprocess.Popen(
        [sys.executable, "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    ) as forks:  # fmt: skip
        for _ in range(count):
            path.write_bytes(changed_bytes(chance.choice(seeds), chance))
            forks.stdin.write(json.dumps([str(path), str(answer), 1]) + "\n")
            forks.stdin.flush()
            status, memory = json.loads(forks.stdout.readline())
            assert memory < 800, f"{memory} MB to read {path.stat().st_size} bytes"
            if status != 0:
                ends["killed"] += 1
                monkeypatch.setattr(nir_file, "_SECONDS", 1)
                # a crash depends on what lies where in memory: with us it may also end as an error, or not at all
                with contextlib.suppress(CannotImport):
                    from_nir(path, dt=DT)
                continue
            with answer.open("rb") as stream:
                tree = receive(stream, 1 << 28)
            if isinstance(tree.get("file"), nir_file.Damaged):
                ends["refused"] += 1
                continue
            monkeypatch.setattr(nir_read, "read_tree", lambda *_, tree=tree: tree["content"])
            ends[try_it(path)] += 1
        forks.stdin.close()
    return ends


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork; the reader itself does not")


@needs_fork
@pytest.mark.parametrize("seed", range(2))
def test_changed_bytes(seeds, tmp_path, monkeypatch, seed):
    ends = run_bytes(seeds, tmp_path, monkeypatch, 200, seed)
    assert ends["runs"] > 10
    assert ends["refused"] > 10


def test_changed_bytes_as_users_read_them(seeds, tmp_path):
    """No harness in between: a process for each file."""
    chance = random.Random(7)
    for number in range(10):
        path = tmp_path / f"{number}.nir"
        path.write_bytes(changed_bytes(chance.choice(seeds), chance))
        try:
            from_nir(path, dt=DT)
        except CannotImport as error:
            require_named(error, path)


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 102))
def test_changed_bytes_at_length(seeds, tmp_path, monkeypatch, seed):
    ends = run_bytes(seeds, tmp_path, monkeypatch, 1000, seed)
    print(ends)
    assert ends["runs"] > 100


@needs_fork
@pytest.mark.slow
@pytest.mark.shared
def test_changed_bytes_of_other_simulators_files(shared, tmp_path, monkeypatch):
    files = sorted((shared / "data" / "nir_models").glob("**/*.nir"))
    assert files
    ends = run_bytes([file.read_bytes() for file in files], tmp_path, monkeypatch, 1000, 0)
    print(ends)
    assert ends["runs"] > 100
