"""The pictures of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
NAMES = {
    "spikelab_layers": "spikelab",
    "spikelab_dense": "spikelab, dense products",
    "plain_torch": "plain PyTorch loop",
    "compiled_torch": "torch.compile",
    "snntorch": "snnTorch",
    "norse": "Norse",
    "spikingjelly": "SpikingJelly",
    "sinabs": "Sinabs",
}
_COLOURS = {
    "spikelab_layers": "#c1121f",
    "spikelab_dense": "#f4a261",
    "plain_torch": "#6c757d",
    "compiled_torch": "#1d3557",
    "snntorch": "#7b2cbf",
    "norse": "#2a9d8f",
    "spikingjelly": "#4895ef",
    "sinabs": "#8d6e63",
}


def _sweep(axes: Any, sweep: Mapping[str, Any], quantity: str, label: str) -> None:
    peers = dict.fromkeys(row["peer"] for row in sweep["rows"])
    for peer in peers:
        rows = [row for row in sweep["rows"] if row["peer"] == peer and row[quantity] is not None]
        axes.plot(
            [row["value"] for row in rows],
            [row[quantity] for row in rows],
            color=_COLOURS[peer],
            linewidth=2.5 if peer.startswith("spikelab") else 1.2,
            marker="o",
            markersize=4,
            label=NAMES[peer],
        )
    axes.set(xscale="log", yscale="log", xlabel=sweep["what"], ylabel=label)
    _plain_numbers(axes)
    axes.grid(alpha=0.3, which="both", linewidth=0.5)


def _plain_numbers(axes: Any) -> None:
    """Numbers at the axes as people write them: powers of ten, and what is between where there are few of those."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e4 else f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())


def _roofline(axes: Any, found: Mapping[str, Any]) -> None:
    import numpy as np

    limit, bandwidth = found["product_gflops"], found["copy_gb_per_s"]
    intensity = np.geomspace(0.1, 1000, 200)
    axes.plot(intensity, np.minimum(limit, intensity * bandwidth), color="black", linewidth=1.5)
    axes.annotate(f"copy: {bandwidth:.0f} GB/s", (0.115, 0.4 * bandwidth), fontsize=8)
    axes.annotate(f"matrix product: {limit:.0f} GFLOP/s", (6, 1.08 * limit), fontsize=8)
    for place, point in enumerate(found["points"]):
        axes.scatter(point["flops_per_byte"], point["gflops"], s=40, color=f"C{place}", zorder=3, label=point["name"])
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="operations a byte that must move",
        ylabel="GFLOP/s, one thread",
        xlim=(0.1, 1e3),
        ylim=(1, 2 * limit),
    )
    _plain_numbers(axes)
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.3, which="both", linewidth=0.5)


def draw(found: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Draws each sweep that is there, and the roofline."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    for name, sweep in found.items():
        if name == "roofline":
            figure, axes = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
            _roofline(axes, sweep)
        else:
            quantities = [("cpu_ms", "CPU ms a training step, one thread")]
            if any(row["peak_extra_mib"] for row in sweep["rows"]):
                quantities.append(("peak_extra_mib", "peak memory of a step, MiB"))
            figure, panes = pyplot.subplots(
                1, len(quantities), figsize=(5.2 * len(quantities) + 1.2, 4.6), layout="constrained", squeeze=False
            )
            for axes, (quantity, label) in zip(panes[0], quantities, strict=True):
                _sweep(axes, sweep, quantity, label)
            lines, labels = panes[0][0].get_legend_handles_labels()
            figure.legend(lines, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
        path = folder / f"performance_{name}.png"
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
        yield path
