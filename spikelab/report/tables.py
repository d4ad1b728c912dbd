"""Tables as plain text for a terminal, or as Markdown for a document."""

from collections.abc import Mapping, Sequence

#: Figures of tasks that are shares of all samples, pixels or classes.
_SHARES = ("accuracy", "mean_iou", "pixel_accuracy")


def render(header: Sequence[str], rows: Sequence[Sequence[object]], markdown: bool = False) -> str:
    """Lay out a table; the first column is aligned to the left, the others to the right.

    Args:
        header: One title per column.
        rows: Cells; None is shown as a dash, a float as it is (round it before).
        markdown: Whether to write a Markdown table.

    Returns:
        The table, without a newline at its end.

    Raises:
        ValueError: If a row has another number of cells than the header.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row has {len(row)} cells, and the header {len(header)}: {list(row)}")
    cells = [list(header), *([("-" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        aligned = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(aligned)} |" if markdown else "  ".join(aligned).rstrip())
    if markdown:
        rule = ["-" * width if column == 0 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
        lines.insert(1, f"| {' | '.join(rule)} |")
    else:
        lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def percent(value: float | None) -> str | None:
    """A share as a percentage with two digits; None stays None."""
    return None if value is None else f"{100 * value:.2f}"


def figure_cells(figures: Mapping[str, float]) -> dict[str, str]:
    """Figures of a task as cells with their titles; shares are percent, as everywhere in reports."""
    cells = {}
    for name, value in figures.items():
        title = name.replace("_", " ")
        if name in _SHARES:
            cells[f"{title}, %"] = f"{100 * value:.2f}"
        else:
            cells[title] = f"{value:.4f}" if isinstance(value, float) else str(value)
    return cells


def counted(number: int, thing: str) -> str:
    """A number of things, such as "1 epoch" or "2 epochs"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
