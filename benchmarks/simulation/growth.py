"""What a simulation costs: with the size of the network, a synapse in memory, and to compile.

    python -m benchmarks.simulation.growth                               prints
    python -m benchmarks.simulation.growth --write benchmarks/results    writes simulation_growth.{json,md} and a plot

Every figure comes from a process of its own: memory from its growth, compilation from an empty cache and a full one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from spikelab.report.tables import render

SIZES = (1_000, 10_000, 100_000, 1_000_000)
#: Synapses on each neuron, and the weight that keeps rates alike.
IN_DEGREE = 100
SYNAPSES = ("one weight for all", "own weights", "plastic")


def network(size: int, kind: str = SYNAPSES[0], seed: int = 1, in_degree: int = IN_DEGREE) -> Any:
    """Brunel's network with fewer, stronger synapses, of which every neuron has equally many at any size."""
    from spikelab import sim

    made = sim.Network(dt=1e-4, seed=seed, dtype="float32")
    cells = made.population(
        "cells",
        size,
        "lif_membrane",
        tau_mem=20e-3,
        v_leak=0.0,
        v_threshold=20e-3,
        v_reset=0.0,
        refractory=2e-3,
        receptors={"spikes": sim.Receptor("delta")},
        initial={"v": sim.Uniform(0.0, 20e-3)},
    )
    count, weight = size * 4 // 5, 0.1e-3 * 1000 / in_degree
    weights = weight if kind != "own weights" else sim.Uniform(0.5 * weight, 1.5 * weight)
    rule = sim.Plasticity("pair_stdp", w_max=2 * weight) if kind == "plastic" else None
    common = {"receptor": "spikes", "delay": 1.5e-3}
    excitatory = sim.FixedInDegree(in_degree * 4 // 5)
    made.projection(cells[:count], cells, excitatory, weight=weights, plasticity=rule, **common)
    inhibitory = -5 * weight if kind != "own weights" else sim.Uniform(-7.5 * weight, -2.5 * weight)
    made.projection(cells[count:], cells, sim.FixedInDegree(in_degree // 5), weight=inhibitory, **common)
    made.input(cells, sim.PoissonInput(rate=2.0 * 20e-3 / (weight * 20e-3), weight=weight), receptor="spikes")
    return made


def cost(size: int) -> dict[str, Any]:
    """Seconds of a size on one thread, and on as many as pay."""
    import time

    # kernels are compiled, or found compiled, outside of what is timed
    network(100).run(1e-3)
    started = time.perf_counter()
    made = network(size)
    made.engine()
    built = time.perf_counter() - started
    made.run(20e-3, threads=1)
    seconds = min(1.0, 2e4 / size) if size < 1e6 else 0.02
    found: dict[str, Any] = {"neurons": size, "synapses": size * IN_DEGREE, "build_s": built, "biological_s": seconds}
    for name, threads in (("one", 1), ("chosen", None)):
        runs = [made.run(seconds, threads=threads) for _ in range(4)]
        best = min(runs, key=lambda run: run["run_seconds"])
        found[f"wall_per_s_{name}"] = best["run_seconds"] / seconds
        found[f"cpu_per_s_{name}"] = best["run_cpu_seconds"] / seconds
        found[f"threads_{name}"] = best["threads"]
        found["rate_hz"] = best["spikes"] / seconds / size
    found["peak_mb"] = _peak_bytes() / 1e6
    return found


def memory(kind: str, size: int = 10_000, in_degree: int = 1000) -> dict[str, Any]:
    """Bytes a synapse: of the arrays, and by which the process grows beyond one with hardly any synapses."""
    few = network(size, kind, in_degree=5)
    few.run(1e-3, threads=1)
    before = _resident_bytes()
    many = network(size, kind, in_degree=in_degree)
    many.run(1e-3, threads=1)
    synapses = sum(many.synapses(each).count for each in many.projections)
    grown = _resident_bytes() - before
    return {"synapses": kind, "count": synapses, "process_bytes_a_synapse": grown / synapses}


def compilation() -> dict[str, Any]:
    """Seconds from a network to the end of its first step, all modules imported; and whether a second one compiled."""
    import importlib
    import time

    from spikelab.sim.examples.vogels_abbott import vogels_abbott

    importlib.import_module("spikelab.sim.numba_engine.simulation")

    made = vogels_abbott(dtype="float32")
    started = time.perf_counter()
    made.engine()
    made.run(1e-4, threads=1)
    first = time.perf_counter() - started
    before = _cache_files()
    other = vogels_abbott(neurons=1237, seed=9, delay=2e-3, dtype="float32")
    started = time.perf_counter()
    other.run(1e-4, threads=1)
    return {"first_s": first, "second_s": time.perf_counter() - started, "recompiled": _cache_files() - before}


def _cache_files() -> int:
    folders = [os.environ["SPIKELAB_CACHE"], os.environ["NUMBA_CACHE_DIR"]]
    return sum(1 for folder in folders for path in Path(folder).rglob("*.nbc") if path.is_file())


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _peak_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def alone(call: str, **environment: str) -> Any:
    """What a function of this module returns in a process of its own."""
    code = f"import json; from benchmarks.simulation import growth; print(json.dumps(growth.{call}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{call} failed:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(arguments: list[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", help="folder for simulation_growth.json and .md; the plot goes to docs/pictures")
    parser.add_argument("--sizes", help="comma-separated numbers of neurons")
    options = parser.parse_args(arguments)
    sizes = [int(each) for each in options.sizes.split(",")] if options.sizes else SIZES
    with tempfile.TemporaryDirectory() as folder:
        caches = {"SPIKELAB_CACHE": f"{folder}/spikelab", "NUMBA_CACHE_DIR": f"{folder}/numba"}
        compiled = [alone("compilation()", **caches) for _ in range(3)]
    costs = [alone(f"cost({size})") for size in sizes]
    kinds = [alone(f"memory({kind!r})") for kind in SYNAPSES]
    results = {
        "machine": describe(),
        "compilation": {"cold": compiled[0], "cached": compiled[1:]},
        "sizes": costs,
        "memory": kinds,
    }
    text = _text(results)
    print(text)
    if options.write:
        target = Path(options.write)
        (target / "simulation_growth.json").write_text(json.dumps(results, indent=1) + "\n")
        (target / "simulation_growth.md").write_text(text + "\n")
        draw(costs, target.parent.parent / "docs" / "pictures" / "simulation_growth.png")


def _text(results: dict[str, Any]) -> str:
    cold, cached = results["compilation"]["cold"], results["compilation"]["cached"]
    rows = [
        [
            f"{each['neurons']:,}",
            f"{each['synapses']:,}",
            f"{each['rate_hz']:.1f}",
            f"{each['build_s']:.2f}",
            f"{each['cpu_per_s_one']:.3f}",
            f"{each['wall_per_s_one']:.3f}",
            f"{each['wall_per_s_chosen']:.3f}",
            str(each["threads_chosen"]),
            f"{each['wall_per_s_one'] / each['wall_per_s_chosen']:.2f}",
            f"{each['peak_mb']:.0f}",
        ]
        for each in results["sizes"]
    ]
    kinds = [[each["synapses"], f"{each['process_bytes_a_synapse']:.1f}"] for each in results["memory"]]
    header = ["neurons", "synapses", "Hz", "build, s", "CPU s a s", "wall s a s", "as many as pay", "threads"]
    header += ["gain", "peak, MB"]
    lines = [
        "# What a simulation costs",
        "",
        f"{results['machine']['cpu']}, {results['machine']['cores']} cores, {results['machine']['date']}, load "
        f"{results['machine']['load_average']}. Made by `python -m benchmarks.simulation.growth`.",
        "",
        f"Brunel's network with {IN_DEGREE} synapses on every neuron, float32, 0.1 ms; seconds a biological second:",
        "",
        render(header, rows, True),
        "",
        "![cost by size](../../docs/pictures/simulation_growth.png)",
        "",
        "Bytes a synapse, by which the process grows (10,000 neurons, 1,000 synapses each):",
        "",
        render(["synapses", "bytes"], kinds, True),
        "",
        f"From a network (Vogels and Abbott's) to its first step: {cold['first_s']:.1f} s with nothing "
        f"compiled, {min(each['first_s'] for each in cached):.2f} s from the cache. Another size, seed and delay: "
        f"{cold['second_s']:.2f} s, {cold['recompiled']} kernels compiled.",
    ]
    return "\n".join(lines)


def draw(costs: list[dict[str, Any]], path: Path) -> None:
    """Cost by size, on logarithmic axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    sizes = [each["neurons"] for each in costs]
    for name, marker, label in (("one", "o", "one thread"), ("chosen", "s", "as many threads as pay")):
        axes.loglog(sizes, [each[f"wall_per_s_{name}"] for each in costs], marker=marker, label=label)
    axes.loglog(sizes, [each["build_s"] for each in costs], ":", color="grey", label="build, once")
    axes.axhline(1, color="black", linewidth=0.6)
    axes.text(sizes[0], 1.1, "real time", fontsize=8)
    axes.set_xlabel(f"neurons, {IN_DEGREE} synapses each")
    axes.set_ylabel("seconds a biological second")
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
