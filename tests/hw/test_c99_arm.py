"""The C on Cortex-M microcontrollers, emulated by QEMU; skipped where its compiler or QEMU is missing.

QEMU has no board with a Cortex-M0 that is large enough, so code that is compiled for it runs on an emulated Cortex-M3,
which knows all its instructions.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from spikelab import registry
from spikelab.hw.backends.c99 import firmware_size, write_c99
from spikelab.hw.backends.c99.compiler import STRICT
from spikelab.hw.backends.c99.size import CORES, flags_for
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.ir import Input, IntegerGraph, Population

BOARD = Path(__file__).parent / "c99"
MACHINES = {
    "cortex-m0": ("mps2-an385", "cortex-m3"),
    "cortex-m3": ("mps2-an385", "cortex-m3"),
    "cortex-m4": ("mps2-an386", "cortex-m4"),
    "cortex-m7": ("mps2-an500", "cortex-m7"),
}
needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="needs arm-none-eabi-gcc (Debian: gcc-arm-none-eabi)"
)
needs_emulator = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="needs qemu-system-arm (Debian: qemu-system-arm)"
)


def network():
    """Products of more than 32 bits, negative numbers, per-synapse delays, wrapped sums, graded messages, skipping."""
    random = np.random.default_rng(3)

    def of(name):
        return registry.load("integer_neurons", name)

    return IntegerGraph(
        {"in": Input((1, 8, 8)), "wave": Input((9,), -2000, 3000)},
        [
            Population(
                "maps", of("generic_cuba_lif_32"), (4, 6, 6), {"keep_mem": 30000, "keep_syn": 9000, "v_threshold": 700}
            ),
            Population("loihi", of("loihi_lif"), (9,), {"du": 300, "dv": 90, "vth": 90, "reset_interval": 11}),
            Population("sum", of("loihi_sigma_delta"), (9,), {"vth": 1}),
            Population("xylo", of("xylo_readout"), (5,), {"dash_syn": 2, "dash_mem": 3, "threshold": 90}),
        ],
        [
            Connection("in", "maps", Convolution(random.integers(-99, 200, (4, 1, 3, 3))), 0),
            Connection("maps", "loihi", Dense(random.integers(-9, 16, (9, 4 * 9))), 1, 1, 24, pool=(2, 2)),
            Connection("loihi", "loihi", Dense(random.integers(-60, 60, (9, 9)), random.integers(0, 5, (9, 9))), 1),
            Connection("wave", "sum", OneToOne(np.array([-7])), 2, exponent=-1),
            Connection("sum", "xylo", Dense(random.integers(-3, 4, (5, 9))), 0, exponent=-3),
            Connection("loihi", "xylo", Dense(random.integers(-50, 99, (5, 9))), 3),
        ],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place, graph, random = tmp_path_factory.mktemp("arm"), network(), np.random.default_rng(0)
    vectors = {
        name: random.integers(i.low, i.high, (60, *i.shape), endpoint=True) * (random.random((60, *i.shape)) < 0.3)
        for name, i in graph.inputs.items()
    }
    write_c99(place, graph, vectors=vectors)
    return place


def firmware(folder, core, made):
    """The golden vectors as a program for the board."""
    gcc = ["arm-none-eabi-gcc", *flags_for(core)]
    start = subprocess.run(
        [*gcc, "-print-file-name=rdimon-crt0.o"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(start).exists():
        pytest.skip("needs newlib for Arm (Debian: libnewlib-arm-none-eabi)")
    board = made.with_suffix(".o")
    subprocess.run([*gcc, "-std=c99", "-c", str(BOARD / "startup.c"), "-o", str(board)], check=True)
    link = ["--specs=nano.specs", "--specs=rdimon.specs", "-nostartfiles", "-T", str(BOARD / "mps2.ld")]
    sources = [str(board), start, str(folder / "net.c"), str(folder / "net_test.c")]
    subprocess.run([*gcc, *STRICT, "-O2", *link, *sources, "-o", str(made)], check=True)
    return made


def emulated(core, program):
    machine, processor = MACHINES[core]
    command = ["qemu-system-arm", "-M", machine, "-cpu", processor, "-nographic", "-monitor", "none", "-serial", "none"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False)


@needs_compiler
@needs_emulator
@pytest.mark.parametrize("core", CORES)
def test_golden_vectors_agree_on_the_processor(core, folder, tmp_path):
    run = emulated(core, firmware(folder, core, tmp_path / "net.elf"))
    assert (run.returncode, run.stdout) == (0, "60 steps agree\n"), run.stderr


@needs_compiler
@needs_emulator
def test_the_emulated_program_notices_a_difference(folder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    text = (broken / "net_test.c").read_text()
    head, rest = text.split("sums_loihi[180] = {\n    ", 1)
    (broken / "net_test.c").write_text(f"{head}sums_loihi[180] = {{\n    1{rest}")
    run = emulated("cortex-m3", firmware(broken, "cortex-m3", tmp_path / "net.elf"))
    assert run.returncode == 1
    assert "differs at step 0" in run.stdout


@needs_compiler
def test_sizes_for_a_microcontroller(folder):
    graph = network()
    sizes = {level: firmware_size(folder, level=level) for level in ("-O2", "-Os")}
    report = write_c99(folder / "again", graph)
    # the smallest cores keep 64-bit numbers aligned as the report assumes
    assert sizes["-Os"]["state_bytes"] == sizes["-O2"]["state_bytes"] == report["ram"]["bytes"]
    assert report["flash"]["bytes"] < sizes["-Os"]["flash_bytes"] < sizes["-O2"]["flash_bytes"]
