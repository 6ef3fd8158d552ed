"""The picture of README: a number typed into the sheet arrives in the app.  ``make picture`` draws it.

Everything in it is what the program says and writes: a daemon reads the fake Google, a manager edits a cell, a pass is
asked for, and the app's database is read before and after.  Only how long the pass took is left out.
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from daemon_process import Daemon, run_command, write_config
from fake_google import FakeGoogle
from world import KEY

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "edit.svg"

TITLE = "Spring Launch"
HEADER = ["Username", "Link", "Followers", "Likes", "Views"]
ROWS = [
    ["@northwind.tea", "tiktok.com/@northwind.tea", 12480, 98200, 1502300],
    ["@slowroads", "youtube.com/@slowroads", 15800, 41200, 870000],
]
EDITED, TYPED = (0, 4), 1610000
PARSED = "link,followers,views,source\nhttps://tiktok.com/@northwind.tea,12655,1538800,tiktok\n"
QUERY = "SELECT username, followers, likes, views, views_winner FROM account_metrics"
_APP = f"{QUERY} JOIN project_social_accounts ON id = account_id ORDER BY username"

Row = Sequence[object]


class Story(NamedTuple):
    """What happened: the app's rows before and after the pass, and what the terminal said."""

    before: list[Row]
    after: list[Row]
    #: Commands and their output.
    terminal: list[tuple[str, list[str]]]


def tell() -> Story:
    """Run it: sheet, daemon, edit, pass."""
    with FakeGoogle() as google, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows: list[list[Any]] = [list(HEADER), *(list(row) for row in ROWS)]
        google.add(KEY, {TITLE: rows})
        (folder / "parsed.csv").write_text(PARSED)
        sections = '[sync]\ncreate_missing = "projects"\n[parsers.tiktok_numbers]\nkind = "csv"\npath = "parsed.csv"\n'
        config = write_config(folder, sections, google=google, spreadsheet=KEY)
        with Daemon(config):
            _said(config, "sync")
            before = _rows(folder)
            rows[1 + EDITED[0]][EDITED[1]] = TYPED
            sync = _said(config, "sync")
            explain = _said(config, "explain", "@northwind.tea", "--metric", "views")
        sentence = [line for line in explain if line.startswith("views: ")]
        terminal = [("smart-sync sync", sync), ("smart-sync explain @northwind.tea --metric views", sentence)]
        return Story(before, _rows(folder), terminal)


def _said(config: Path, *arguments: str) -> list[str]:
    ended = run_command(*arguments, "--config", str(config), environment={"COLUMNS": "100"})
    assert ended.returncode == 0, ended.stderr
    return [re.sub(r"; took .*$", "", line).rstrip() for line in ended.stdout.splitlines()]


def _rows(folder: Path) -> list[Row]:
    with closing(sqlite3.connect(folder / "view_counter.db")) as connection:
        return [tuple(row) for row in connection.execute(_APP)]


WIDTH, MARGIN, LINE = 860, 16, 19
_STYLE = (
    "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#24292f;white-space:pre}"
    ".head{font:600 14px system-ui,-apple-system,'Segoe UI',sans-serif}.dim{fill:#6e7781}"
    ".new{font-weight:700;fill:#1a7f37}.right{text-anchor:end}.light{fill:#e6edf3}.prompt{fill:#7ee787}"
)


def draw(story: Story) -> str:
    """The picture as SVG."""
    sheet = [[str(cell) if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in ROWS]
    row, column = EDITED
    old = sheet[row][column]
    sheet[row][column] = f"{TYPED:,}"
    parts = [*_panel(0, f"1  A manager types {TYPED:,} over {old} (Google Sheets, worksheet {TITLE})", 3)]
    parts += _table(0, HEADER, sheet, (row, column))
    top = _below(0, 3)
    lines = sum(1 + len(said) for _, said in story.terminal)
    parts += _panel(top, "2  The daemon reads it: every 30 minutes, or when it is told to", lines, fill="#161b22")
    parts += _terminal(top, story.terminal)
    top = _below(top, lines)
    parts += _panel(top, "3  The app reads it in its own database", 4)
    parts.append(_text(MARGIN + 14, _first(top), f"sqlite> {QUERY} …", "dim"))
    head = [name.strip() for name in QUERY.removeprefix("SELECT ").partition(" FROM ")[0].split(",")]
    after = [[_shown(cell) for cell in one] for one in story.after]
    changed = next((at, place) for at, one in enumerate(story.after) for place, cell in enumerate(one) if cell == TYPED)
    parts += _table(top + LINE, head, after, changed)
    height = _below(top, 4) + MARGIN
    described = escape(f"{old} becomes {TYPED:,} in the sheet; a pass runs; the app's database has {TYPED:,}.")
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f"<title>A number typed into the sheet arrives in the app</title>\n<desc>{described}</desc>\n"
        f"<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _shown(cell: object) -> str:
    if cell is None:
        return "–"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _first(top: int) -> int:
    """The base line of a panel's first line."""
    return top + MARGIN + 48


def _below(top: int, lines: int) -> int:
    return _first(top) + lines * LINE


def _panel(top: int, title: str, lines: int, fill: str = "#ffffff") -> Iterator[str]:
    height = _below(top, lines) - top - MARGIN
    inner = WIDTH - 2 * MARGIN
    box = f'x="{MARGIN}" y="{top + MARGIN}" width="{inner}" height="{height}"'
    yield f'<rect {box} rx="8" fill="#f6f8fa" stroke="#d0d7de"/>'
    yield _text(MARGIN + 14, top + MARGIN + 20, title, "head")
    body = top + MARGIN + 31
    yield f'<rect x="{MARGIN + 1}" y="{body}" width="{inner - 2}" height="{height - 32}" rx="7" fill="{fill}"/>'


def _text(x: int, y: int, text: str, style: str = "") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text x="{x}" y="{y}"{named} xml:space="preserve">{escape(text)}</text>'


def _table(top: int, head: Sequence[str], rows: Sequence[Sequence[str]], new: tuple[int, int]) -> Iterator[str]:
    """A table; ``new`` is the row and column of the cell that is marked."""
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]
    for at, line in enumerate([head, *rows]):
        x = MARGIN + 14
        for column, cell in enumerate(line):
            width = widths[column] * 8
            numbers = rows[0][column].replace(",", "").isdigit()
            y = _first(top) + at * LINE
            marked = (at - 1, column) == new
            if marked:
                box = f'x="{x + width - len(cell) * 8 - 6}" y="{y - 14}" width="{len(cell) * 8 + 12}" height="{LINE}"'
                yield f'<rect {box} rx="3" fill="#dafbe1" stroke="#1a7f37"/>'
            style = "dim" if at == 0 else "new" if marked else ""
            yield _text(x + width if numbers else x, y, cell, f"{style} right".strip() if numbers else style)
            x += width + 28


def _terminal(top: int, said: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    y = _first(top)
    for command, lines in said:
        yield _text(MARGIN + 14, y, f"$ {command}", "prompt")
        y += LINE
        for line in lines:
            yield _text(MARGIN + 14, y, line, "light")
            y += LINE


if __name__ == "__main__":
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(draw(tell()))
