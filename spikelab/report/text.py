"""What each command prints: its figures as text."""

from collections.abc import Mapping
from typing import Any

from spikelab.report.many_classes import MOST_CLASSES, many_classes
from spikelab.report.tables import counted, percent, render

Figures = Mapping[str, Any]


def training(figures: Figures) -> str:
    """The best epoch of a training run, and what to do with it."""
    best = figures["best"]
    size = f"{figures['parameters']:,} parameters"
    lines = [f"{counted(figures['epochs'], 'epoch')}, {counted(figures['steps'], 'step')}, {size}"]
    if best.get("mean_iou") is not None:
        score = f"mean IoU {percent(best['mean_iou'])} %, pixel accuracy {percent(best['pixel_accuracy'])} %"
        lines.append(f"best validation, epoch {best['epoch']}: {score}")
    if best.get("accuracy") is not None:
        lines.append(f"best validation, epoch {best['epoch']}: accuracy {percent(best['accuracy'])} %")
    folder = figures["folder"]
    lines.append(f"{folder}: next, spikelab eval {folder}   or   spikelab predict {folder}")
    return "\n".join(lines)


def evaluation(figures: Figures, markdown: bool = False) -> str:
    """IoU per class, mean IoU and pixel accuracy in percent: over the whole split, and for each condition.

    Of a classification: accuracy, and for each class the share recognised and what it was taken for.
    """
    if "class_accuracy" in figures:
        return _classification(figures, markdown)
    columns: dict[str, Figures] = {"all": figures, **figures.get("conditions", {})}
    rows: list[list[object]] = []
    for name in figures["iou"]:
        rows.append([name, *(percent(column["iou"][name]) for column in columns.values())])
    rows.append(["mean IoU", *(percent(column["mean_iou"]) for column in columns.values())])
    rows.append(["pixel accuracy", *(percent(column["pixel_accuracy"]) for column in columns.values())])
    rows.append(["samples", *(column["samples"] for column in columns.values())])
    title = f"{figures['run']} ({figures['model']}, step {figures['step']}) on {figures['dataset']}/{figures['split']}"
    text = [f"{title}: IoU in percent", render(["class", *columns], rows, markdown)]
    if figures["absent_classes"]:
        text.append(f"no labelled pixel, and so not in the mean: {', '.join(figures['absent_classes'])}")
    if "energy" in figures:
        text.append("per sample:\n" + _tree(figures["energy"], "  "))
    return "\n".join(text)


def _classification(figures: Figures, markdown: bool) -> str:
    title = f"{figures['run']} ({figures['model']}, step {figures['step']}) on {figures['dataset']}/{figures['split']}"
    text = [f"{title}: accuracy {percent(figures['accuracy'])} % of {figures['samples']} samples"]
    few = len(figures["class_accuracy"]) <= MOST_CLASSES
    text += [_confusions(figures, markdown)] if few else many_classes(figures, markdown)
    if figures["absent_classes"]:
        text.append(f"no sample: {', '.join(figures['absent_classes'])}")
    if "energy" in figures:
        text.append("per sample:\n" + _tree(figures["energy"], "  "))
    return "\n".join(text)


def _confusions(figures: Figures, markdown: bool) -> str:
    names = list(figures["class_accuracy"])
    matrix = figures["confusion_matrix"]
    rows: list[list[object]] = []
    for name, counts in zip(names, matrix, strict=True):
        recognised, precision = percent(figures["class_accuracy"][name]), percent(figures["precision"][name])
        rows.append([name, recognised, precision, *counts])
    rows.append(["all", percent(figures["accuracy"]), None, *(sum(column) for column in zip(*matrix, strict=True))])
    return render(["class", "recognised, %", "precision, %", *(f"as {name}" for name in names)], rows, markdown)


def comparison(figures: Figures) -> str:
    """The table of a comparison, and the files that were written."""
    from spikelab.report.compare import table

    return f"{table(figures)}\n\n{files(figures)}"


def files(figures: Figures) -> str:
    """The files that were written."""
    return "\n".join(["wrote", *(f"  {path}" for path in figures["files"])])


def data(figures: Figures) -> str:
    """Sizes, classes and conditions of the splits of a data set."""
    if "recordings" in figures:
        from spikelab.report.data_folder import shown

        return shown(figures)
    splits: Figures = figures["splits"]
    text = [f"{figures['name']}: {figures['folder']}" if figures.get("folder") else figures["name"]]
    text += [figures["origin"]] if "origin" in figures else []
    rows: list[list[object]] = [["samples", *(split["samples"] for split in splits.values())]]
    first: Figures = next(iter(splits.values()), {})
    if "classes" in first:
        rows.append(["size", *("x".join(map(str, split["size"])) for split in splits.values())])
        if "events_per_sample" in first:
            rows.append(["events per sample", *(f"{split['events_per_sample']:.0f}" for split in splits.values())])
        # splits may differ in their classes, which is among the problems
        for name in dict.fromkeys(name for split in splits.values() for name in split["classes"]):
            shares = (split["classes"].get(name) for split in splits.values())
            rows.append([f"{name}, % of {first['labelled']}s", *map(percent, shares)])
        for name in sorted({name for split in splits.values() for name in split["conditions"]}):
            rows.append([f"{name}, samples", *(split["conditions"].get(name, 0) for split in splits.values())])
    text += [render(["", *splits], rows)] if splits else []
    problems = [f"{name}: {problem}" for name, split in splits.items() for problem in split.get("problems", [])]
    problems += [f"cannot be read: {reason}" for reason in figures.get("failed", {}).values()]
    text += [f"note: {note}" for note in figures.get("notes", [])]
    text += [f"note: {name}: {note}" for name, split in splits.items() for note in split.get("notes", [])]
    text += problems or (["no problem found"] if "classes" in first else [])
    return "\n".join([*text, *([f"next, {figures['next']}"] if "next" in figures else [])])


def info(figures: Figures) -> str:
    """Versions, back ends, devices, threads, folders and registered names; or what is known of one."""
    if "about" in figures:
        from spikelab.report.about import shown

        return shown(figures["about"])
    return _tree(figures)


def bench(figures: Figures) -> str:
    """How much was measured; the tables have been printed on the way."""
    return f"{len(figures['rows'])} rows measured"


def _tree(figures: Figures, indent: str = "") -> str:
    width = max(len(str(name)) for name in figures) + 2
    lines = []
    for name, value in figures.items():
        if isinstance(value, Mapping) and _is_table(value):
            header = ["", *(key.replace("_", " ") for key in next(iter(value.values())))]
            table = render(header, [[each, *map(_number, value[each].values())] for each in value])
            lines += [f"{indent}{name}", *(f"{indent}  {line}" for line in table.splitlines())]
        elif isinstance(value, Mapping):
            lines += [f"{indent}{name}", _tree(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [f"{indent}{name}", *(indent + "  " + _line(entry) for entry in value)]
        else:
            lines.append(f"{indent}{name!s:<{width}}{_number(value)}")
    return "\n".join(lines)


def _is_table(value: Figures) -> bool:
    """Whether all entries are dictionaries with the same keys and plain values."""
    rows = [row for row in value.values() if isinstance(row, Mapping)]
    plain = all(not isinstance(cell, Mapping | list) for row in rows for cell in row.values())
    return len(rows) == len(value) >= 2 and plain and len({tuple(row) for row in rows}) == 1


def _line(entry: Figures) -> str:
    return ", ".join(f"{value}" if name == "name" else f"{name} {_number(value)}" for name, value in entry.items())


def _number(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
