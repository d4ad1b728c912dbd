"""One HTML page that holds everything it shows: text, tables, pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from spikelab.io.atomic import write_bytes_atomically

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: .7em 0; }
td, th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #eee; }
td:first-child, th:first-child { text-align: left; } th { font-weight: 600; }
img { max-width: 100%; } pre { background: #f6f6f6; padding: .8em; overflow-x: auto; }
.good { color: #1a7f37; } .bad { color: #b42318; }
"""


class Page:
    """Collects sections, and writes them as one file.

    Args:
        title: of the page.
    """

    def __init__(self, title: str):
        self.title = title
        self._parts: list[str] = [f"<h1>{html.escape(title)}</h1>"]

    def section(self, title: str) -> Page:
        """Starts a section."""
        self._parts.append(f"<h2>{html.escape(title)}</h2>")
        return self

    def text(self, text: str, good: bool | None = None) -> Page:
        """Adds a paragraph; good or bad news is coloured."""
        kind = "" if good is None else f' class="{"good" if good else "bad"}"'
        self._parts.append(f"<p{kind}>{html.escape(text)}</p>")
        return self

    def items(self, items: Sequence[str]) -> Page:
        """Adds a list."""
        self._parts.append("<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>")
        return self

    def block(self, text: str) -> Page:
        """Adds text whose lines and spaces are kept."""
        self._parts.append(f"<pre>{html.escape(text)}</pre>")
        return self

    def table(self, rows: Sequence[Mapping[str, object]]) -> Page:
        """Adds a table, one row a mapping; the keys of the first are its columns."""
        if not rows:
            return self
        head = "".join(f"<th>{html.escape(str(key).replace('_', ' '))}</th>" for key in rows[0])
        lines = [f"<tr>{head}</tr>"]
        for row in rows:
            lines.append("<tr>" + "".join(f"<td>{html.escape(_shown(row.get(key)))}</td>" for key in rows[0]) + "</tr>")
        self._parts.append(f"<table>{''.join(lines)}</table>")
        return self

    def picture(self, path: str | Path, description: str) -> Page:
        """Adds a PNG."""
        data = base64.b64encode(Path(path).read_bytes()).decode()
        self._parts.append(f'<img alt="{html.escape(description)}" src="data:image/png;base64,{data}">')
        return self

    def write(self, path: str | Path) -> None:
        """Writes the page.

        Raises:
            OSError: as the operating system reports it.
        """
        body = "\n".join(self._parts)
        page = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self.title)}</title>'
        page += f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
        write_bytes_atomically(path, page.encode())


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
