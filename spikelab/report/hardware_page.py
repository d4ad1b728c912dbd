"""Reports of the hardware commands as pages: every figure of ``report.json``, for reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from spikelab.report.page import Page
from spikelab.report.tables import figure_cells

Report = Mapping[str, Any]
#: Targets of which a cost table is known.
_TABLES = {"loihi1": "loihi"}


def write_page(folder: Path, report: Report) -> None:
    """Writes ``report.html`` of an export."""
    target = f" for {report['target']}" if report["target"] else ""
    page = Page(f"{report['source']}: {report['bits']} bits{target}, arithmetic {report['profile']}")
    for what in ("encoding", "decoding"):
        if report[what]:
            page.text(f"{what.capitalize()}: {report[what]}.")
    for warning in report["warnings"]:
        page.text(warning, False)
    page.section("Artefacts")
    for name, artefact in report["artefacts"].items():
        _artefact(page, name, artefact)
    if report.get("firmware"):
        page.text(_firmware(report), report["firmware"]["fits"])
    if report["notes"]:
        page.section("Where the chip computes something else, beside rounding").items(report["notes"])
    page.section("Populations").table(report["populations"])
    page.section("Integers against real numbers, layer by layer").table(_layers(report["agreement"]))
    if report["first_difference"]:
        page.text("The first spike that differs:").block(report["first_difference"])
    breaking = [v for v in report["limits"] if v["breaks"]]
    signs = [v for v in report["limits"] if not v["breaks"]]
    page.section("Limits of the chip")
    page.text(f"{len(breaking)} limits are not kept" if breaking else "all limits are kept", not breaking)
    columns = ("where", "what", "found", "allowed", "remedy")
    page.table([{key: violation[key] for key in columns} for violation in breaking])
    if signs:
        page.text("What the data show besides; it breaks nothing on the chip:")
        page.table([{key: violation[key] for key in columns} for violation in signs])
    _placement(page, folder, report)
    _costs(page, report)
    page.write(folder / "report.html")


def _costs(page: Page, report: Report) -> None:
    counts = report["operations"]
    page.section("Operations of one sample")
    page.text(
        f"Means over {counts['samples']} samples of {counts['steps']} steps, counted on data. A synaptic operation is "
        "one weight, not zero, that one message reached; dense operations are those if every source sent at every "
        "step. Bytes count each weight in the narrowest of 8, 16 and 32 bits. A machine that adds zero weights too, or "
        "packs several into a byte, makes more operations or reads fewer bytes: see the artefact."
    )
    page.table([{"layer": name, **row} for name, row in counts["per_sample"].items()])
    page.section("Energy of one sample, modelled from published figures, not measured")
    if report["target"] not in (None, *_TABLES):
        page.text(f"No cost of an operation of {report['target']} is known to us; these are of other machines.")
    rows = []
    for table in report["energy"].values():
        joule = table["joule_per_sample"]
        rows.append({"table": table["title"], **{f"{end}, nJ": 1e9 * joule[end] for end in ("low", "typical", "high")}})
    page.table(rows)
    page.text("Sources, and what each table leaves out, are in report.json.")


def _artefact(page: Page, name: str, artefact: Report) -> None:
    if artefact.get("not_written"):
        page.text(f"{name}: left out: {artefact['not_written']}")
        return
    checked = f"{artefact['numbers_compared']:,} numbers over {artefact['steps']:,} steps"
    if artefact["verified"]:
        page.text(f"{name}: equal to the simulator, {checked}", True)
    else:
        page.text(f"{name}: differs from the simulator: {artefact['first_difference']}", False)
    known = {"files", "verified", "steps", "numbers_compared", "first_difference"}
    rest = {key: value for key, value in artefact.items() if key not in known}
    if rest:
        page.block(_lines(rest))


def _firmware(report: Report) -> str:
    f = report["firmware"]
    return (
        f"{report['target']}: {f['flash_bytes']:,} of {f['flash_of_target']:,} bytes of flash ({f['flash_from']}), "
        f"{f['state_bytes']:,} of {f['ram_of_target']:,} bytes of RAM; without {f['left_out']}"
    )


def _placement(page: Page, folder: Path, report: Report) -> None:
    if "placement" not in report:
        return
    placement = report["placement"]
    page.section(f"On {report['target']}")
    page.text("fits" if placement["fits"] else "does not fit", placement["fits"])
    if report.get("firmware"):
        page.text("Estimated before there was a program; the exact figures are above.")
    page.block(_lines({key: value for key, value in placement.items() if key != "cores"}))
    picture = folder / "chip_map.png"
    if picture.exists():
        page.picture(picture, "which core holds which neurons")


def write_quantisation_page(folder: Path, report: Report) -> None:
    """Writes ``report.html`` of a quantisation, with a picture."""
    page = Page(f"{report['run']}: fewer bits, arithmetic {report['profile']}, scales by {report['scale']}")
    for warning in report["warnings"]:
        page.text(warning, False)
    if report["notes"]:
        page.section("Where the chip computes something else, beside rounding").items(report["notes"])
    if report["real"] is not None:
        page.section(f"Figures on {report['split']}")
        rows = [{"bits": "real numbers", **figure_cells(report["real"])}]
        rows += [{"bits": bits, **figure_cells(found["figures"])} for bits, found in report["bits"].items()]
        page.table(rows)
    draw_agreement(folder / "agreement.png", report)
    page.section("Layers").picture(folder / "agreement.png", "equal spikes and rates over bits, for each layer")
    for bits, found in report["bits"].items():
        page.section(f"{bits} bits").table(_layers(found["layers"]))
    page.write(folder / "report.html")


def draw_agreement(path: Path, report: Report) -> None:
    """Share of equal spikes, and rate, of each layer over the number of bits."""
    bits = sorted(map(int, report["bits"]))
    layers = [layer["layer"] for layer in report["bits"][str(bits[0])]["layers"]]
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for place, name in enumerate(layers):
        rows = [report["bits"][str(b)]["layers"][place] for b in bits]
        if rows[0]["spikes"]:
            left.plot(bits, [100 * row["equal"] for row in rows], "o-", markersize=4, color=f"C{place}", label=name)
            right.plot(bits, [row["integer_rate"] for row in rows], "o-", markersize=4, color=f"C{place}", label=name)
            right.axhline(rows[0]["rate"], color=f"C{place}", linestyle=":", linewidth=1)
        else:
            error = [100 * (1 - min(1.0, row["rate_distance"])) for row in rows]
            left.plot(bits, error, "s--", markersize=4, color=f"C{place}", label=name)
    left.set(
        xlabel="bits of a weight",
        ylabel="percent",
        title="Equal spikes (dashed: 100 less a readout's error)",
        ylim=(None, 100.5),
        xticks=bits,
    )
    right.set(xlabel="bits of a weight", ylabel="spikes a step", title="Rate (dotted: real numbers)", xticks=bits)
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize="small")
    figure.savefig(path, dpi=130)


def _layers(layers: Sequence[Report]) -> list[dict[str, Any]]:
    rows = []
    for layer in layers:
        row = {"layer": layer["layer"]}
        for key in ("equal", "dead", "newly_dead", "saturated"):
            row[f"{key}, %"] = None if layer[key] is None else f"{100 * layer[key]:.2f}"
        row |= {key: f"{layer[key]:.4g}" for key in ("rate", "integer_rate", "rate_distance")}
        rows.append(row)
    return rows


def _lines(values: object, indent: str = "") -> str:
    """Nested figures as indented lines."""
    if isinstance(values, Mapping):
        lines = []
        for key, value in values.items():
            nested = isinstance(value, Mapping | list) and bool(value) and not _flat(value)
            lines.append(f"{indent}{str(key).replace('_', ' ')}:" + ("" if nested else f" {_shown(value)}"))
            lines += [_lines(value, indent + "  ")] if nested else []
        return "\n".join(lines)
    if isinstance(values, list):
        return "\n".join(
            f"{indent}- {_shown(v)}" if _flat(v) else f"{indent}-\n{_lines(v, indent + '  ')}" for v in values
        )
    return f"{indent}{_shown(values)}"


def _flat(value: object) -> bool:
    if isinstance(value, list):
        return all(not isinstance(v, Mapping | list) for v in value) and len(value) <= 8
    return not isinstance(value, Mapping)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
