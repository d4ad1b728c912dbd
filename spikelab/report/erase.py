"""The `spikelab erase` command: takes classes out of a trained classifier; shows what is gone and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikelab.learn.erase.run import erase_from_run
from spikelab.report.tables import percent, render
from spikelab.settings_continual import Erase


def erase(settings: Erase) -> dict[str, Any]:
    """Erases, then draws `erasure.png` into the folder.

    Returns:
        What `erase_from_run` returns, and the `pictures`.
    """
    figures = erase_from_run(settings)
    path = Path(figures["folder"]) / "erasure.png"
    draw_erasure(figures, path)
    return {**figures, "pictures": [str(path)]}


def erased(figures: Mapping[str, Any]) -> str:
    """Forgotten and retained accuracy of every form, and how far the attack got, as text."""
    forms = list(figures["edits"][0]["forms"])
    header = ["accuracy in % on", *(f"{form}: erased" for form in forms), *(f"{form}: others" for form in forms)]
    rows: list[list[object]] = []
    for edit in figures["edits"]:
        gone = [percent(edit["forms"][form]["forgotten"]) for form in forms]
        kept = [percent(edit["forms"][form]["retained"]) for form in forms]
        rows.append([", ".join(edit["erased"]), *gone, *kept])
    lines = [f"{figures['run']}: classes erased from {figures['layer']}, {figures['samples']} samples"]
    before = sum(edit["retained_before"] for edit in figures["edits"]) / len(figures["edits"])
    lines += [render(header, rows), f"others before: {percent(before)} % on average"]
    attacks = [edit["attack"] for edit in figures["edits"] if "attack" in edit]
    if attacks:
        lines.append("relearning attack, accuracy in % on the erased classes, averaged over the edits:")
        steps = [int(point["step"]) for point in attacks[0]["edited"]]
        table = [
            [name, *(percent(value) for value in mean_course(attacks, key))]
            for key, name in (("edited", figures["form"]), ("rows_removed", "rows of the readout removed"))
        ]
        lines.append(render(["after steps", *map(str, steps)], table))
    if (Path(figures["folder"]) / "settings.toml").exists():
        lines.append(f"{figures['folder']}: the edited run; next, spikelab eval {figures['folder']}")
    return "\n".join([*lines, *figures.get("pictures", [])])


def mean_course(attacks: list[Mapping[str, Any]], key: str) -> list[float]:
    """Accuracy on what was erased over the attack's steps, averaged over attacks."""
    courses = [[point["forgotten"] for point in attack[key]] for attack in attacks]
    return [sum(values) / len(values) for values in zip(*courses, strict=True)]


def draw_erasure(figures: Mapping[str, Any], path: str | Path) -> None:
    """Bars of erased and other classes for every form, and the attack.

    Args:
        figures: Of `erase_from_run`.
        path: The PNG.
    """
    from matplotlib.figure import Figure

    edits = figures["edits"]
    forms = list(edits[0]["forms"])
    attacks = [edit["attack"] for edit in edits if "attack" in edit]
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    bars, attack = figure.subplots(1, 2, width_ratios=(1.4, 1))
    width = 0.8 / len(forms)
    for place, form in enumerate(forms):
        offsets = [edit + (place - (len(forms) - 1) / 2) * width for edit in range(len(edits))]
        gone = [100 * edit["forms"][form]["forgotten"] for edit in edits]
        kept = [100 * edit["forms"][form]["retained"] for edit in edits]
        bars.bar(offsets, gone, width, color=f"C{place}", label=f"{form}, erased class")
        bars.plot(offsets, kept, "_", color=f"C{place}", markersize=8, label=f"{form}, others")
    bars.set_xticks(range(len(edits)), [", ".join(edit["erased"]) for edit in edits], fontsize=8)
    bars.set(xlabel="erased", ylabel="accuracy in percent", ylim=(0, 101), title="After the edit")
    bars.legend(frameon=False, fontsize=6, ncols=2, loc="center right")
    if attacks:
        steps = [point["step"] for point in attacks[0]["edited"]]
        for key, name in (("edited", figures["form"]), ("rows_removed", "readout rows removed")):
            attack.plot(steps, [100 * value for value in mean_course(attacks, key)], "o-", markersize=3, label=name)
        attack.legend(frameon=False, fontsize=8)
    attack.set(xlabel="steps", ylabel="accuracy on the erased class, percent", ylim=(0, 101), title="Relearning attack")
    for axes in (bars, attack):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
