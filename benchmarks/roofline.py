"""How near kernels come to what the machine can do: operations a second against operations a byte.

The two limits are measured here too: bandwidth by a copy that is far larger than the caches, arithmetic by a product of
matrices. Bytes are the least that must move: what goes in and what comes out, each once. Operations of a neuron are
those of its equations, counted by SymPy; of a sparse product those on inputs that are not zero.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import sympy
import torch

from benchmarks import machine
from spikelab import nn
from spikelab.kernels.emit import backward, forward
from spikelab.neurons.step import Step

STEPS, BATCH = 500, 16
#: Neurons of a layer: far beyond the caches, and within them.
LARGE, SMALL = 4096, 64
PRODUCT, DENSITY = 1024, 0.05


def _seconds(run: Callable[[], object], repeats: int = 9) -> float:
    run()
    run()
    found = []
    for _ in range(repeats):
        before = time.process_time()
        run()
        found.append(time.process_time() - before)
    return median(found)


def operations(step: Step) -> tuple[int, int]:
    """(forward, backward without the states that are computed again) operations for a neuron and step."""

    def count(lines: Any) -> int:
        return sum(int(sympy.count_ops(value)) for _, value in lines.lines)

    return count(forward(step)), count(forward(step)) + count(backward(step, False))


def neuron_points(neurons: int, where: str) -> list[dict[str, Any]]:
    """Forward pass without gradients, and backward pass, of a leaky neuron."""
    layer = nn.LIF(dt=1e-3, tau_mem=10e-3)
    x = torch.randn(STEPS, BATCH, neurons).requires_grad_()
    gradient = torch.randn_like(x)
    ahead, back = operations(layer.step)

    def run() -> None:
        with torch.no_grad():
            layer(x)

    out = layer(x)[0]
    elements = x.numel()
    times = _seconds(run), _seconds(lambda: torch.autograd.grad(out, x, gradient, retain_graph=True))
    return [
        _point(f"LIF forward, {where}", times[0], elements * ahead, elements * 8),
        _point(f"LIF backward, {where}", times[1], elements * back, elements * 12),
    ]


def product_points() -> list[dict[str, Any]]:
    """A linear layer's product, dense and with spikes."""
    rows = STEPS * BATCH
    x = (torch.rand(STEPS, BATCH, PRODUCT) < DENSITY).float()
    count = int(x.count_nonzero())
    found = []
    for choice in ("dense", "sparse"):
        layer = nn.Dense(PRODUCT, PRODUCT, products=choice)

        def run(layer: nn.Dense = layer) -> None:
            with torch.no_grad():
                layer(x)

        useful = 2 * (count if choice == "sparse" else rows * PRODUCT) * PRODUCT
        moved = 4 * (x.numel() + rows * PRODUCT + PRODUCT * PRODUCT)
        found.append(_point(f"{choice} product, {100 * DENSITY:g} % spikes", _seconds(run), useful, moved))
    return found


def _point(name: str, seconds: float, flops: float, moved: float) -> dict[str, Any]:
    return {"name": name, "ms": 1e3 * seconds, "gflops": flops / seconds / 1e9, "flops_per_byte": flops / moved}


def measure() -> dict[str, Any]:
    """Both limits and all points, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a, b = torch.ones(1 << 25), torch.zeros(1 << 25)
        bandwidth = 2 * 4 * a.numel() / _seconds(lambda: b.copy_(a))
        m = torch.randn(2048, 2048)
        arithmetic = 2 * 2048**3 / _seconds(lambda: m @ m, 5)
        points = [*neuron_points(LARGE, "from memory"), *neuron_points(SMALL, "from cache"), *product_points()]
    finally:
        torch.set_num_threads(threads)
    return {
        "machine": machine.describe(),
        "copy_gb_per_s": bandwidth / 1e9,
        "product_gflops": arithmetic / 1e9,
        "points": points,
    }
