"""Dense against sparse products of our own, by size and density: forward, and the gradients of weights and input.

    python -m benchmarks.sparse_products --json benchmarks/results/sparse_products.json
    python -m benchmarks.sparse_products --device cuda --json benchmarks/results/sparse_products_gpu.json

Both are called in turns, through the functions that layers call, with the choice forced; CPU time of one thread, or on
a GPU the time until the device is done; the median of the ratios. "auto" says what ``products="auto"`` takes, so that
a wrong choice is seen. The gradient of the input is that of a layer after neurons with a triangular surrogate, wanted
for as many elements as there are spikes; finding out for which comes on top (one pass over the neurons).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.grad import conv2d_input

from benchmarks import machine
from spikelab.kernels.sparse import choice
from spikelab.kernels.sparse.devices import products_of
from spikelab.kernels.sparse.product import convolution, linear
from spikelab.kernels.sparse.window import Window

DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
#: Rows, inputs, outputs.
LINEAR = ((1600, 512, 512), (1600, 2048, 2048))
#: Pictures, channels, height and width, outputs, window, stride, padding.
CONVOLUTIONS = (
    (320, 2, 34, 16, 5, 1, 0),
    (320, 16, 15, 32, 3, 1, 0),
    (88, 16, 32, 32, 3, 2, 1),
    (64, 32, 32, 64, 3, 1, 1),
    (16, 64, 64, 64, 3, 1, 1),
)


def seconds(run: Callable[[], object], device: str) -> float:
    """CPU time of a call, or time until the device is done with it."""
    if device == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def ratios(product: Callable[[str], Tensor], weight: Tensor, rounds: int) -> dict[str, float]:
    """Milliseconds of the sparse path, and how many times longer the dense one takes."""
    device = weight.device.type
    grad = torch.randn_like(product("dense"))
    found: dict[str, list[float]] = {"forward": [], "gradient": [], "dense_forward": [], "dense_gradient": []}
    for number in range(rounds + 1):
        taken = {}
        for path, name in (("sparse", ""), ("dense", "dense_")):
            kept: list[Tensor] = []
            taken[name + "forward"] = seconds(lambda path=path, kept=kept: kept.append(product(path)), device)
            taken[name + "gradient"] = seconds(lambda kept=kept: torch.autograd.grad(kept[0], weight, grad), device)
        if number:  # the first loads what is compiled
            for name, value in taken.items():
                found[name].append(value)
    return {
        **{name: median(values) * 1e3 for name, values in found.items()},
        "times_forward": median(d / s for d, s in zip(found["dense_forward"], found["forward"], strict=True)),
        "times_gradient": median(d / s for d, s in zip(found["dense_gradient"], found["gradient"], strict=True)),
    }


def input_ratios(
    everywhere: Callable[[], Tensor], wanted: Callable[[], Tensor], rounds: int, device: str
) -> dict[str, float]:
    """The same of the gradient of the input, where it is wanted against everywhere."""
    pairs = [(seconds(wanted, device), seconds(everywhere, device)) for _ in range(rounds + 1)][1:]
    return {
        "input": median(pair[0] for pair in pairs) * 1e3,
        "dense_input": median(pair[1] for pair in pairs) * 1e3,
        "times_input": median(pair[1] / pair[0] for pair in pairs),
    }


def write(path: Path, rows: Sequence[dict[str, Any]], lines: Sequence[str], rounds: int, device: str) -> None:
    """What has been measured so far, as JSON and as a table beside it."""
    report = {"machine": machine.describe(), "rounds": rounds, "rows": rows}
    where = f"one thread of {report['machine']['cpu']}" if device == "cpu" else torch.cuda.get_device_name()
    head = (
        f"Sparse products against dense ones of the same layer, float32, spikes of 1, {where}, torch "
        f"{torch.__version__}; {'CPU ' * (device == 'cpu')}time, medians of {rounds} rounds."
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    path.with_suffix(".md").write_text("\n".join([head, "", *lines, ""]))


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a first look: one layer of each kind at two densities")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="where the figures go, after each row; a table beside them")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    device = chosen.device
    products = products_of(device)
    if products is None or (device == "cuda" and not torch.cuda.is_available()):
        say("no CUDA device, or no Triton for it: nothing was measured")
        return 2
    lines = [
        "| layer | density | forward, ms | dense / sparse | gradient of the weights, ms | dense / sparse | auto "
        "| gradient of the input, ms | dense / sparse | auto |",
        "|---|---:|---:|---:|---:|---:|---|---:|---:|---|",
    ]
    rows: list[dict[str, Any]] = []

    def measure(
        name: str, density: float, weight: Tensor, product: Callable[[str], Tensor], costs: Any,
        everywhere: Callable[[], Tensor], wanted: Callable[[], Tensor], input_costs: Any,
    ) -> None:  # fmt: skip
        row = {"layer": name, "density": density, **ratios(product, weight, chosen.rounds)}
        row |= input_ratios(everywhere, wanted, chosen.rounds, device)
        # the gradient of the weights is wanted here
        row["auto"] = "sparse" if choice.is_worth(costs[0], products.DENSE_LEARNING * costs[1]) else "dense"
        row["input_auto"] = "where wanted" if choice.is_worth(*input_costs) else "everywhere"
        rows.append(row)
        figures = [row[key] for key in ("forward", "times_forward", "gradient", "times_gradient")]
        shown = " | ".join(f"{figure:.2f}" for figure in figures)
        last = f"{row['input']:.2f} | {row['times_input']:.2f} | {row['input_auto']}"
        lines.append(f"| {name} | {density:g} | {shown} | {row['auto']} | {last} |")
        say(lines[-1])
        if chosen.json:
            write(chosen.json, rows, lines, chosen.rounds, device)

    say("\n".join(lines))
    linear_sizes, convolution_sizes, densities = LINEAR, CONVOLUTIONS, DENSITIES
    if chosen.quick:
        linear_sizes, convolution_sizes, densities = LINEAR[:1], CONVOLUTIONS[:1], DENSITIES[1:4:2]
    for count, inputs, outputs in linear_sizes:
        weight = torch.randn(outputs, inputs, device=device, requires_grad=True)
        for density in densities:
            x = (torch.rand(count, inputs, device=device) < density).float()
            grad, plain, places = torch.randn(count, outputs, device=device), weight.detach(), products.list_spikes(x)
            measure(
                f"linear {inputs} to {outputs}, {count} rows", density, weight,
                lambda path, x=x, weight=weight: linear(x, weight, None, path),
                products.linear_cost(count, inputs, outputs, float(x.sum()), x.dtype),
                lambda grad=grad, plain=plain: grad @ plain,
                lambda grad=grad, plain=plain, places=places: products.linear_input_gradient(places, plain, grad),
                products.linear_input_cost(count, inputs, outputs, float(x.sum()), x.dtype),
            )  # fmt: skip
    for count, channels, side, outputs, kernel, stride, padding in convolution_sizes:
        step, edge = (stride, stride), (padding, padding)
        strided = f", stride {stride}" * (stride > 1)
        weight = torch.randn(outputs, channels, kernel, kernel, device=device, requires_grad=True)
        window = Window(channels, side, side, outputs, (kernel, kernel), step, edge)
        for density in densities:
            x = (torch.rand(count, channels, side, side, device=device) < density).float()
            grad, plain = torch.randn(count, outputs, *window.out_size, device=device), weight.detach()
            places = products.list_spikes(x)
            measure(
                f"convolution {channels} to {outputs}, {kernel} x {kernel}{strided}, {count} pictures of "
                f"{side} x {side}",
                density, weight,
                lambda path, x=x, weight=weight, s=step, p=edge: convolution(x, weight, None, s, p, path),
                products.convolution_cost(count, window, float(x.sum()), x.dtype),
                lambda grad=grad, plain=plain, shape=x.shape, s=step, p=edge: conv2d_input(shape, plain, grad, s, p),
                lambda grad=grad, plain=plain, window=window, places=places: products.convolution_input_gradient(
                    places, window, plain, grad
                ),
                products.convolution_input_cost(count, window, float(x.sum()), x.dtype),
            )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
