"""Where a worksheet's header is, and which of its columns means what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from smart_sync.core.model import METRICS, Cell
from smart_sync.core.worksheet.titles import Title, Titles, normal

#: Rows with anything in them that are looked at; a header further down is none.
MAX_ROWS_ABOVE = 50

_MUST_BE_ONE = frozenset({"link", *METRICS})


@dataclass(frozen=True, slots=True)
class Header:
    """Where the header is, and which column (from 0) holds what."""

    #: Rows (from 0): the one that names the link, the first one below the header.
    row: int
    end: int
    columns: Mapping[str, int]
    #: The power of ten by which the numbers of a metric's column are multiplied, where it is not 0.
    scales: Mapping[str, int]
    #: What is odd about a column of the link's row, or of a neighbouring row: row, column and reason.
    oddities: tuple[tuple[int, int, str], ...]
    #: Columns with a title that nobody understood.
    unknown: tuple[int, ...]


def find(rows: Sequence[Sequence[Cell]], titles: Titles) -> Header | None:
    """The header: the first row with a name for the link and one more, else the first with a name for the link.

    None if no column is named for the link.
    """
    best: Header | None = None
    for row in _first_rows(rows):
        header = at(rows, row, titles)
        if header is not None and (best is None or len(header.columns) > 1):
            best = header
        if best is not None and len(best.columns) > 1:
            break
    return best


def seen(rows: Sequence[Sequence[Cell]], titles: Titles) -> tuple[str, ...]:
    """The texts of the row that looks most like a header: most known names, then most texts; () if all is blank."""
    best: list[str] = []
    rank = (0, 0)
    for row in _first_rows(rows):
        texts = [cell.strip() for cell in rows[row] if isinstance(cell, str) and normal(cell)]
        of_this = (sum(titles.meaning(text) is not None for text in texts), len(texts))
        if of_this > rank:
            best, rank = texts, of_this
    return tuple(best)


def at(rows: Sequence[Sequence[Cell]], row: int, titles: Titles, *, merged: bool = True) -> Header | None:
    """The header whose link stands in ``row``; None if no column is named for the link there.

    ``merged``: with what merged cells have put into the row above.  One merged over two rows has its name in the
    upper one, so that either row may lack some.
    """
    named = _titles(rows[row], row, titles)
    if not any(title.field == "link" for _, _, title in named):
        return None
    columns = {title.field: column for _, column, title in reversed(named)}
    end = row + 1
    if end < len(rows) and _blank(rows[end], columns["link"]):
        below = [one for one in _titles(rows[end], end, titles) if one[2].field not in columns]
        end += bool(below)
        named += below
    if row and merged:
        above = [one for one in _titles(rows[row - 1], row - 1, titles) if _blank(rows[row], one[1])]
        named += [one for one in above if one[2].field not in columns]
    return _chosen(named, row, end, _unknown(rows[row], titles))


def without_link(row: Sequence[Cell], titles: Titles) -> dict[str, int]:
    """The columns of the metrics that a row names like a header does, two or more; else none."""
    found = reversed(_titles(row, 0, titles))
    named = {title.field: column for _, column, title in found if title.field in METRICS}
    return named if len(named) > 1 else {}


@lru_cache(maxsize=1024)
def letters(column: int) -> str:
    """The letters of ``column`` (from 0): A, B, …, Z, AA."""
    text = ""
    column += 1
    while column:
        column, last = divmod(column - 1, 26)
        text = chr(ord("A") + last) + text
    return text


_Named = tuple[int, int, Title]


def _chosen(named: Sequence[_Named], row: int, end: int, unknown: tuple[int, ...]) -> Header:
    """Per field the column with the plainest name, of several the first; the others are odd where it matters."""
    by_field: dict[str, list[_Named]] = {}
    for one in named:
        by_field.setdefault(one[2].field, []).append(one)
    _share_username(by_field)
    columns: dict[str, int] = {}
    scales: dict[str, int] = {}
    oddities: list[tuple[int, int, str]] = []
    for field, several in by_field.items():
        first = min(several, key=lambda one: one[2].rank)
        columns[field] = first[1]
        if first[2].scale:
            scales[field] = first[2].scale
        if first[2].spelling:
            oddities.append((first[0], first[1], f"the header is written with {first[2].spelling}; correct it"))
        if field in _MUST_BE_ONE:
            oddities += [
                (place, column, "another column has this name already; the first counts")
                for place, column, title in several
                if column != first[1] and (field in METRICS or title.rank == first[2].rank)
            ]
    return Header(row, end, columns, scales, tuple(sorted(oddities)), unknown)


def _share_username(by_field: dict[str, list[_Named]]) -> None:
    """``@Username`` is the account's name; where there is a ``Username`` too, its manager's Telegram name."""
    if (at_sign := by_field.pop("@username", None)) is not None:
        by_field.setdefault("telegram" if "username" in by_field else "username", at_sign)


def _titles(cells: Sequence[Cell], row: int, titles: Titles) -> list[_Named]:
    return [(row, column, title) for column, cell in enumerate(cells) if (title := titles.meaning(cell)) is not None]


def _unknown(cells: Sequence[Cell], titles: Titles) -> tuple[int, ...]:
    return tuple(
        column
        for column, cell in enumerate(cells)
        if isinstance(cell, str) and normal(cell) and titles.meaning(cell) is None and not titles.is_harmless(cell)
    )


def _first_rows(rows: Sequence[Sequence[Cell]]) -> Iterator[int]:
    filled = (number for number, row in enumerate(rows) if any(cell is not None and cell != "" for cell in row))
    return islice(filled, MAX_ROWS_ABOVE)


def _blank(row: Sequence[Cell], column: int) -> bool:
    cell = row[column] if column < len(row) else None
    return cell is None or (isinstance(cell, str) and not cell.strip())
