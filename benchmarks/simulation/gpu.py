"""Speed of the engine for a CUDA device beside that for the CPU, in turns, and whether both tell the same.

    python -m benchmarks.simulation.gpu
    python -m benchmarks.simulation.gpu --networks brunel,microcircuit --rounds 7 --capture
    python -m benchmarks.simulation.gpu --write benchmarks/results

Both engines run the same network from the same seed: first a turn whose spikes are compared, and which nobody times;
then, in each round, one after the other. The CPU takes as many threads as pay. Building and compiling are told apart.
Without a CUDA device nothing is measured: the interpreter, which stands in for one in tests, says nothing about speed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.machine import describe
from benchmarks.simulation.simulators import chosen
from spikelab import registry

#: Example -> (arguments, biological seconds of a turn).
NETWORKS: dict[str, tuple[dict[str, Any], float]] = {
    "vogels_abbott": ({"delay": 1.5e-3}, 1.0),
    "vogels_abbott_large": ({"delay": 1.5e-3, "neurons": 40_000}, 0.5),
    "brunel": ({}, 0.2),
    "izhikevich_2003": ({"neurons": 10_000, "out_degree": 100}, 1.0),
    "microcircuit": ({"scale": 0.1}, 0.4),
    "microcircuit_full": ({"scale": 1.0}, 0.1),
}
#: Biological seconds of which the spikes of both engines are compared.
COMPARED = 0.1
ENGINES = ("triton", "numba")


class NoDevice(RuntimeError):
    """There is no CUDA device to measure."""


def check_device() -> str:
    """The name of the CUDA device.

    Raises:
        NoDevice: if there is none, or kernels would run in Triton's interpreter.
    """
    if not torch.cuda.is_available():
        raise NoDevice(f"this measures a CUDA device, and torch {torch.__version__} finds none")
    from spikelab.sim.triton_engine.device import INTERPRETED

    if INTERPRETED:
        raise NoDevice("TRITON_INTERPRET is set: kernels would run in Triton's interpreter; unset it")
    return torch.cuda.get_device_name()


def build(name: str, dtype: str) -> Any:
    """A fresh network with its spikes recorded."""
    example = next(
        known for known in sorted(registry.names("networks"), key=len, reverse=True) if name.startswith(known)
    )
    network = registry.load("networks", example)(**NETWORKS[name][0], seed=1, dtype=dtype)
    for population in network.populations.values():
        network.record_spikes(population)
    return network


def first_difference(one: Any, other: Any) -> float | None:
    """Biological seconds up to the first spike that only one network has; None if there is none."""
    found: list[float] = []
    for a, b in zip(one.monitors, other.monitors, strict=True):
        mine, theirs = (set(zip(m.times.tolist(), m.neurons.tolist(), strict=True)) for m in (a, b))
        found += [min(time for time, _ in mine ^ theirs)] if mine != theirs else []
    return min(found, default=None)


def measure(name: str, dtype: str, rounds: int, capture: bool) -> dict[str, Any]:
    """Runs a network on both engines in turns.

    Args:
        name: of ``NETWORKS``.
        dtype: "float32" or "float64".
        rounds: turns of each engine.
        capture: whether launches are put into a CUDA graph.
    """
    options: dict[str, dict[str, Any]] = {"triton": {"capture": True} if capture else {}, "numba": {}}
    networks = {engine: build(name, dtype) for engine in ENGINES}

    def turn(engine: str, seconds: float) -> Mapping[str, Any]:
        figures: Mapping[str, Any] = networks[engine].run(seconds, engine=engine, options=options[engine])
        return figures

    first = {engine: turn(engine, COMPARED) for engine in ENGINES}
    row: dict[str, Any] = {
        "network": name,
        "neurons": sum(each.size for each in networks["numba"].populations.values()),
        "synapses": sum(networks["numba"].synapses(each).count for each in networks["numba"].projections),
        "dtype": dtype,
        "captured": capture,
        "first_difference": first_difference(*(networks[engine] for engine in ENGINES)),
        "turn_seconds": NETWORKS[name][1],
    }
    walls: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    spikes = dict.fromkeys(ENGINES, 0)
    threads = 1
    for _ in range(rounds):
        for engine in ENGINES:
            figures = turn(engine, NETWORKS[name][1])
            walls[engine].append(figures["run_seconds"] / figures["biological_seconds"])
            spikes[engine] += figures["spikes"]
            threads = figures["threads"] if engine == "numba" else threads
    for engine in ENGINES:
        row[engine] = {
            "wall": median(walls[engine]),
            "turns": walls[engine],
            "spikes": spikes[engine],
            "build_seconds": first[engine]["build_seconds"],
            "compile_seconds": first[engine]["compile_seconds"],
        }
    row["threads"] = threads
    row["ratio"] = median(cpu / gpu for gpu, cpu in zip(*(walls[engine] for engine in ENGINES), strict=True))
    return row


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "# Speed of networks on a CUDA device beside the CPU",
        "",
        "Wall seconds per biological second, medians over turns; the ratio is that of two neighbouring turns, median "
        f"over rounds. Spikes: those of the device over those of the CPU in all turns; same until: when, in the first "
        f"{COMPARED:g} s, a spike first differs.",
        "",
        "| network | neurons | synapses | type | device | CPU | CPU threads | CPU / device | spikes | same until "
        "| build s | compile s |",
        "|---" * 12 + "|",
    ]
    for row in rows:
        device, cpu = row["triton"], row["numba"]
        until = row["first_difference"]
        cells = [
            row["network"],
            str(row["neurons"]),
            str(row["synapses"]),
            row["dtype"] + (", captured" if row["captured"] else ""),
            *(f"{each['wall']:.4g}" for each in (device, cpu)),
            str(row["threads"]),
            f"{row['ratio']:.2f}",
            f"{device['spikes'] / cpu['spikes']:.4f}" if cpu["spikes"] else "none",
            "the end" if until is None else f"{until:.4f} s",
            f"{device['build_seconds']:.2f}",
            f"{device['compile_seconds']:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 2 where there is no CUDA device."""
    parser = argparse.ArgumentParser(description="Speed of networks on a CUDA device beside the CPU.")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="separated by commas; all by default")
    parser.add_argument("--dtypes", default="float32,float64", help="separated by commas (float32,float64)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (5)")
    parser.add_argument("--capture", action="store_true", help="put the launches of a block into a CUDA graph")
    parser.add_argument("--write", type=Path, help="folder for simulation_gpu.json and .md")
    given = parser.parse_args(arguments)
    names = chosen(parser, "network", given.networks, NETWORKS)
    dtypes = chosen(parser, "type", given.dtypes, ("float32", "float64"))
    try:
        device = check_device()
    except NoDevice as error:
        print(f"error: {error}; nothing was measured", file=sys.stderr)
        return 2
    report: dict[str, Any] = {"machine": describe(), "device": device, "rounds": given.rounds, "rows": []}
    for name in names:
        for dtype in dtypes:
            report["rows"].append(measure(name, dtype, given.rounds, given.capture))
            if given.write:
                # after each, so that an interrupted run keeps what it has
                (given.write / "simulation_gpu.json").write_text(json.dumps(report, indent=1) + "\n")
                (given.write / "simulation_gpu.md").write_text(table(report["rows"]))
    print(table(report["rows"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
