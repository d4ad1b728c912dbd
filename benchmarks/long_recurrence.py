"""Memory and time of one training step of a two-layer recurrent network over 2,000 steps, beside a plain loop.

    python -m benchmarks.long_recurrence --json benchmarks/results/long_recurrence.json

Both have the same weights and the same dynamics; loss and gradients are compared first, on few steps in float64. Each
then works in a fresh process with one thread, where the rise of resident memory over what lies there once the input is
made is noted, and the CPU time of the step.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import machine, memory
from benchmarks.cases import CLASSES, KEEP, THRESHOLD
from benchmarks.peers.plain_torch import ArctanSpike
from benchmarks.peers.spikelab_layers import neurons
from spikelab import nn

INPUTS = 128
#: Name -> steps between two kept states; the plain loop keeps everything.
WAYS = {"plain_torch": None, "spikelab, everything kept": 0, "spikelab, 200 steps": 200, "spikelab, 50 steps": 50}


def network(size: int, checkpoint_steps: int) -> nn.Network:
    """Two layers of neurons, each with weights back to itself, and a readout."""
    torch.manual_seed(1)
    nodes = {
        "weights1": nn.Dense(INPUTS, size),
        "layer1": neurons(),
        "back1": nn.Dense(size, size, bias=False),
        "weights2": nn.Dense(size, size),
        "layer2": neurons(),
        "back2": nn.Dense(size, size, bias=False),
        "readout": nn.Dense(size, CLASSES),
    }
    edges = [
        ("input", "weights1"), ("weights1", "layer1"), ("layer1", "back1"), ("back1", "layer1"),
        ("layer1", "weights2"), ("weights2", "layer2"), ("layer2", "back2"), ("back2", "layer2"),
        ("layer2", "readout"), ("readout", "output"),
    ]  # fmt: skip
    made = nn.Network(nodes, edges, checkpoint_steps=checkpoint_steps)
    with torch.no_grad():
        for name in ("weights1", "weights2"):
            weights: Any = made.nodes[name]
            weights.weight.mul_(3.0)
            weights.bias.fill_(0.1)
    return made


def plain(layers: nn.Network, x: Tensor) -> Tensor:
    """The same network as a loop over time."""
    nodes: Any = layers.nodes
    size = nodes["back1"].in_features
    v1, v2, s1, s2 = (x.new_zeros(x.shape[1], size) for _ in range(4))
    outputs = []
    # unbind, not x[t]: see peers/plain_torch.py
    for current in x.unbind(0):
        v1 = KEEP * v1 + nodes["weights1"](current[None])[0] + nodes["back1"](s1[None])[0]
        s1 = ArctanSpike.apply(v1 - THRESHOLD)
        v1 = v1 - THRESHOLD * s1
        v2 = KEEP * v2 + nodes["weights2"](s1[None])[0] + nodes["back2"](s2[None])[0]
        s2 = ArctanSpike.apply(v2 - THRESHOLD)
        v2 = v2 - THRESHOLD * s2
        outputs.append(nodes["readout"](s2[None])[0])
    return torch.stack(outputs)


def step(way: str, layers: nn.Network, x: Tensor, labels: Tensor) -> float:
    """One training step without the optimiser; gives the loss."""
    out = plain(layers, x) if way == "plain_torch" else layers(x)[0]
    loss = torch.nn.functional.cross_entropy(out.mean(0), labels)
    loss.backward()
    return float(loss.detach())


def made(steps: int, batch: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Spikes, one input in ten, and labels."""
    random = torch.Generator().manual_seed(2)
    x = (torch.rand(steps, batch, INPUTS, generator=random) < 0.1).to(dtype)
    return x, torch.randint(0, CLASSES, (batch,), generator=random)


def compared() -> float:
    """Largest relative difference of the gradients of any two ways, in float64."""
    x, labels = made(60, 4, torch.float64)
    found: list[Tensor] = []
    for way, kept in WAYS.items():
        layers = network(64, min(kept or 0, 7)).double()
        step(way, layers, x, labels)
        found.append(torch.cat([p.grad.flatten() for p in layers.parameters() if p.grad is not None]))
    assert found[0].abs().max() > 0
    return max(float((one - found[0]).norm() / found[0].norm()) for one in found[1:])


def measure(way: str, steps: int, batch: int, size: int) -> dict[str, Any]:
    """In a process of its own: peak memory in MiB, CPU seconds, loss."""
    torch.set_num_threads(1)
    layers = network(size, WAYS[way] or 0)
    # loads kernels; few, so that no memory is kept that the measured step would take again unseen
    step(way, layers, *made(8, 2))
    layers.zero_grad()
    x, labels = made(steps, batch)
    gc.collect()
    found: dict[str, Any] = {}

    def once() -> None:
        start = time.process_time()
        found["loss"] = step(way, layers, x, labels)
        found["cpu_seconds"] = time.process_time() - start

    found["peak_mib"] = memory.peak_extra(once) / 2**20
    return found


def in_own_process(way: str, steps: int, batch: int, size: int) -> dict[str, Any]:
    """What ``measure`` gives, in a fresh process; another one goes before it, and compiles what is compiled once."""
    told = ""
    for length in (min(steps, 2 * (WAYS[way] or 4) + 1), steps):
        command = [sys.executable, "-m", "benchmarks.long_recurrence", "--way", way]
        command += [f"--steps={length}", f"--batch={batch}", f"--size={size}"]
        told = subprocess.run(command, check=True, capture_output=True, text=True, env=_environment()).stdout
    found: dict[str, Any] = json.loads(told)
    return found


def _environment() -> dict[str, str]:
    """Ours, with the checkout on Python's path: it may be told not to look into the folder it starts in."""
    root = str(Path(__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=512, help="neurons of each layer")
    parser.add_argument("--json", type=Path, help="where the figures go, with a table beside them")
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    sizes = (chosen.steps, chosen.batch, chosen.size)
    if chosen.way:
        json.dump(measure(chosen.way, *sizes), sys.stdout)
        return 0
    difference = compared()
    say(f"gradients of all ways differ by {difference:.1e} at most (float64)")
    if not difference < 1e-10 or not math.isfinite(difference):
        return 1
    report: dict[str, Any] = {"machine": machine.describe(), "sizes": sizes, "difference": difference, "ways": {}}
    lines = ["| way | peak memory, MiB | CPU s a step | loss |", "|---|---:|---:|---:|"]
    for way in WAYS:
        found = in_own_process(way, *sizes)
        report["ways"][way] = found
        lines.append(f"| {way} | {found['peak_mib']:,.0f} | {found['cpu_seconds']:.1f} | {found['loss']:.4f} |")
        say(lines[-1])
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=1) + "\n")
        chosen.json.with_suffix(".md").write_text("\n".join([
            f"T = {sizes[0]:,}, batch {sizes[1]}, two recurrent layers of {sizes[2]} neurons, one thread, "
            f"{report['machine']['cpu']}; gradients agree within {difference:.1e} in float64.", "", *lines, "",
        ]))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
