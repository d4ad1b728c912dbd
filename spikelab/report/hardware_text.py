"""What the hardware commands print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikelab.report.tables import figure_cells, percent, render
from spikelab.report.text import files

Figures = Mapping[str, Any]


def exported(figures: Figures) -> str:
    """What was written, what running it said, what does not fit."""
    if "artefacts" not in figures:
        readers = figures.get("readers", {})
        known = [name for name, said in readers.items() if said == "ok"]
        lines = [files(figures)]
        lines += (
            [f"known to make the same spikes of it: {', '.join(known) or 'none of the simulators we know of'}"]
            if readers
            else []
        )
        lines += [f"  {name}: {said}" for name, said in readers.items() if said != "ok"]
        if "read_back" in figures:
            back = figures["read_back"]
            shares = ", ".join(f"{name} {percent(share)} %" for name, share in back["equal_spikes"].items())
            lines.append(f"read back and run over {back['steps']} steps of random spikes: equal spikes {shares or '-'}")
        return "\n".join(lines)
    lines = [f"{figures['source']}: {figures['bits']} bits, arithmetic {figures['profile']}"]
    for name, artefact in figures["artefacts"].items():
        if artefact.get("not_written"):
            lines.append(f"{name}: left out: {artefact['not_written']}")
        elif artefact["verified"]:
            compared = f"{artefact['numbers_compared']:,} numbers over {artefact['steps']:,} steps"
            lines.append(f"{name}: equal to the simulator, {compared}")
        else:
            lines.append(f"{name}: DIFFERS from the simulator: {artefact['first_difference']}")
    lines += [f"note: {note}" for note in figures["notes"]]
    lines += _layers(figures["agreement"])
    lines += [f"warning: {warning}" for warning in figures["warnings"]]
    breaking = [v for v in figures["limits"] if v["breaks"]]
    lines += [f"limit: {v['where']}: {v['what']}: {v['found']}; {v['allowed']}. {v['remedy']}" for v in breaking]
    if "placement" in figures:
        fits, firmware = figures["placement"]["fits"], figures.get("firmware")
        if firmware:
            fits = firmware["fits"]
            lines.append(
                f"{figures['target']}: {firmware['flash_bytes']:,} of {firmware['flash_of_target']:,} bytes of flash "
                f"({firmware['flash_from']}), {firmware['state_bytes']:,} of {firmware['ram_of_target']:,} bytes of RAM"
            )
        lines.append(f"{figures['target']}: {'fits' if fits else 'does not fit: spikelab map tells why'}")
    return "\n".join([*lines, files(figures)])


def _layers(layers: list[Figures]) -> list[str]:
    rows = [
        [
            layer["layer"], percent(layer["equal"]), f"{layer['rate']:.4g}", f"{layer['integer_rate']:.4g}",
            percent(layer["dead"]),
            percent(layer["newly_dead"]), percent(layer["saturated"]),
        ]
        for layer in layers
    ]  # fmt: skip
    header = [
        "layer",
        "equal spikes, %",
        "rate or size, real",
        "in integers",
        "never spike, %",
        "fallen silent, %",
        "always on, %",
    ]
    return [render(header, rows)]


def verified(figures: Figures) -> str:
    """What was checked."""
    lines = [f"{figures['folder']}: {figures['files']} files are as they were exported"]
    for name, check in figures["checks"].items():
        lines.append(f"{name}: equal, {check['numbers_compared']:,} numbers over {check['steps']:,} steps")
    return "\n".join(lines)


def mapped(figures: Figures) -> str:
    """The placement as text, and the files."""
    return f"{figures['text']}\n{files(figures)}"


def quantised(figures: Figures) -> str:
    """Figures over bits, and how each layer fares."""
    lines = [f"{figures['run']}: arithmetic {figures['profile']}, scales by {figures['scale']}"]
    if figures["real"] is not None:
        columns = {"real numbers": figure_cells(figures["real"])}
        columns |= {f"{bits} bits": figure_cells(found["figures"]) for bits, found in figures["bits"].items()}
        titles = [title for title in columns["real numbers"] if title != "samples"]
        rows = [[name, *(cells.get(title) for title in titles)] for name, cells in columns.items()]
        lines.append(render([figures["split"], *titles], rows))
    for bits, found in figures["bits"].items():
        lines += [f"{bits} bits", *_layers(found["layers"])]
    lines += [f"warning: {warning}" for warning in figures["warnings"]]
    lines += [f"note: {note}" for note in figures["notes"]]
    return "\n".join([*lines, files(figures)])
