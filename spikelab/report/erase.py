"""The `spikelab erase` command: takes classes out of a trained classifier; shows what is gone and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikelab.learn.erase.readout import diverged
from spikelab.learn.erase.run import erase_from_run
from spikelab.report.tables import percent, render
from spikelab.settings_continual import Erase

_LEFT = 0.05  # accuracy on an erased class above which the report says that much is left


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
    """Accuracy on the erased classes and on the others with every form, and how far the attack got, as text."""
    forms = list(figures["edits"][0]["forms"])
    lines = [
        f"{figures['run']}: classes erased from {figures['layer']}, {figures['samples']} samples; accuracy in % on the "
        "erased classes and on the others"
    ]
    header = ["erased", *(f"{state}: {part}" for part in ("erased", "others") for state in ("before", *forms))]
    rows: list[list[object]] = []
    for edit in figures["edits"]:
        row: list[object] = [", ".join(edit["erased"])]
        for key in ("accuracy_on_erased", "accuracy_on_others"):
            row += [percent(edit[f"{key}_before"]), *(percent(edit["forms"][form][key]) for form in forms)]
        rows.append(row)
    lines += [render(header, rows), *_left(figures)]
    attacks = [edit["attack"] for edit in figures["edits"] if "attack" in edit]
    if attacks:
        lines.append("relearning attack, accuracy in % on the erased classes, averaged over the edits:")
        courses = {name: mean_course(attacks, key) for key, name in _attacked(figures)}
        steps = sorted({step for course in courses.values() for step in course})
        table = [[name, *(percent(course.get(step)) for step in steps)] for name, course in courses.items()]
        lines.append(render(["after steps", *map(str, steps)], table))
        lines += _diverged(figures)
    if figures["edited_run"]:
        lines.append(f"{figures['edited_run']}: the edited run; next, spikelab eval {figures['edited_run']}")
    return "\n".join([*lines, *figures.get("pictures", [])])


def mean_course(attacks: Sequence[Mapping[str, Any]], key: str) -> dict[int, float]:
    """Step -> accuracy on what was erased, averaged over the attacks that got there: a diverged one stops early."""
    reached: dict[int, list[float]] = {}
    for attack in attacks:
        for point in attack[key]:
            reached.setdefault(int(point["step"]), []).append(point["accuracy_on_erased"])
    return {step: sum(values) / len(values) for step, values in sorted(reached.items())}


def draw_erasure(figures: Mapping[str, Any], path: str | Path) -> None:
    """Bars of the erased classes before the edit and with every form, a mark for the others, and the attack.

    Args:
        figures: Of `erase_from_run`.
        path: The PNG.
    """
    from matplotlib.figure import Figure

    edits = figures["edits"]
    forms = list(edits[0]["forms"])
    attacks = [edit["attack"] for edit in edits if "attack" in edit]
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    bars, attack = figure.subplots(1, 2, width_ratios=(1.7, 1))
    states = [("before", "0.75", edits)]
    states += [(form, f"C{place}", [edit["forms"][form] for edit in edits]) for place, form in enumerate(forms)]
    width = 0.84 / len(states)
    for place, (name, colour, found) in enumerate(states):
        after = "" if found is not edits else "_before"
        offsets = [edit + (place - (len(states) - 1) / 2) * width for edit in range(len(edits))]
        erased = [100 * each[f"accuracy_on_erased{after}"] for each in found]
        others = [100 * each[f"accuracy_on_others{after}"] for each in found]
        bars.bar(offsets, erased, width, color=colour, label=name)
        bars.plot(offsets, others, "D", color=colour, markersize=4, markeredgecolor="black", markeredgewidth=0.6)
    bars.plot([], [], "D", color="white", markersize=4, markeredgecolor="black", label="mark: all other classes")
    bars.set_xticks(range(len(edits)), [", ".join(edit["erased"]) for edit in edits], fontsize=9)
    bars.set(xlabel="erased", ylabel="accuracy in percent", ylim=(0, 103))
    bars.set_title("Bars: accuracy on what was erased", pad=30)
    bars.legend(frameon=False, fontsize=9, ncols=len(states) + 1, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    if attacks:
        colours = {"edited": f"C{forms.index(figures['form'])}", "rows_removed": "black"}
        for key, name in _attacked(figures):
            course = mean_course(attacks, key)
            shares = [100 * value for value in course.values()]
            attack.plot(list(course), shares, "o-", color=colours[key], markersize=3, label=name)
        attack.legend(frameon=False, fontsize=9, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    else:
        attack.text(0.5, 0.5, "not made", ha="center", va="center", transform=attack.transAxes)
    attack.set(xlabel="steps", ylabel="accuracy on what was erased, percent", ylim=(0, 103))
    attack.set_title("Relearning attack", pad=30)
    for axes in (bars, attack):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _attacked(figures: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return ("edited", figures["form"]), ("rows_removed", "readout rows removed")


def _left(figures: Mapping[str, Any]) -> list[str]:
    """A remark where the form that was chosen leaves much of a class."""
    form = figures["form"]
    left = {
        ", ".join(edit["erased"]): edit["forms"][form]["accuracy_on_erased"]
        for edit in figures["edits"]
        if round(edit["forms"][form]["accuracy_on_erased"], 6) > _LEFT  # sums of single precision
    }
    if not left:
        return []
    told = ", ".join(f"{name} ({percent(value)} %)" for name, value in left.items())
    remedy = (
        "--form oblique leaves least"
        if form != "oblique"
        # measured on drawn digits and MNIST: wider layers and longer training leave no less
        else f"more --samples leave less ({figures['samples_seen']} were seen), and so does another hidden layer"
    )
    return [f"remark: after the edit ({form}) more than {100 * _LEFT:.0f} % is left of {told}; {remedy}"]


def _diverged(figures: Mapping[str, Any]) -> list[str]:
    """A remark on attacks that learned nothing, and so say nothing of what could come back."""
    lines = []
    for key, name in _attacked(figures):
        failed = [edit for edit in figures["edits"] if "attack" in edit and diverged(edit["attack"][key])]
        if failed:
            told = "; ".join(", ".join(edit["erased"]) for edit in failed)
            lines.append(
                f"remark: the attack ({name}) diverged for {told}: its loss grew or stopped being finite, so it says "
                "nothing of what comes back; try a lower --relearn_rate"
            )
    return lines
