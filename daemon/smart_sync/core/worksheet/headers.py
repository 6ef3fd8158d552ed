"""Finds a worksheet's header and the meaning of its columns."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from smart_sync.core.model import METRICS, Cell
from smart_sync.core.worksheet.cells import NO_VALUE, Unreadable, read_count
from smart_sync.core.worksheet.titles import MAX_TITLE, Title, Titles, is_total, normal

#: Rows with anything in them that are looked at; a header further down is none.
MAX_ROWS_ABOVE = 50
#: Rows below a header that say how wide its table is.
_MAX_ROWS_BELOW = 1000

#: Row and column (from 0), and what is odd there.
_Oddity = tuple[int, int, str]
#: Row and column (from 0) of a title, and what it means.
_Named = tuple[int, int, Title]

_OTHER = "this makes another number of {metrics}; that is not read; write it into the title"
_CAPTION = "this stands over all numbers, which are read as totals; if they are none, write it into the titles"
UNIT_ELSEWHERE = "a unit outside the titles counts for no column; write it into the titles of the metrics"
_MUST_BE_ONE = frozenset({"link", *METRICS})


@dataclass(frozen=True, slots=True)
class Header:
    """The header's row, and the column (from 0) of each field."""

    #: Rows (from 0): the one that names the link, the first one below the header.
    row: int
    end: int
    columns: Mapping[str, int]
    #: The power of ten by which the numbers of a metric's column are multiplied, where it is not 0.
    scales: Mapping[str, int]
    #: What is odd about a column of the link's row, or of a neighbouring row: row, column and reason.
    oddities: tuple[_Oddity, ...]
    #: Columns with a text for a title that nobody understood.
    unknown: tuple[int, ...]
    #: Columns without a text for a title, right of the link; and those whose title is no text.
    untitled: tuple[int, ...] = ()


def find(rows: Sequence[Sequence[Cell]], titles: Titles) -> Header | None:
    """The header: the first row with a title for the link and one more, else the first with one for the link.

    None if no column is named for the link.
    """
    first: Header | None = None
    for row in _first_rows(rows):
        header = at(rows, row, titles)
        if header is not None and len(header.columns) > 1:
            return header
        first = first or header
    return first


def is_word(text: str) -> bool:
    """Whether ``text`` may be a title: letters, without digits and signs of links, names and errors."""
    return (
        0 < len(text) <= MAX_TITLE
        and any(map(str.isalpha, text))
        and not any(sign.isdigit() or sign in "@./#_" for sign in text)
    )


def seen(rows: Sequence[Sequence[Cell]], titles: Titles) -> tuple[str, ...]:
    """The texts of the row that most resembles a header: most known titles, then most texts; () if all is blank."""
    best: list[str] = []
    rank = (0, 0)
    for row in _first_rows(rows):
        texts = [cell.strip() for cell in rows[row] if isinstance(cell, str) and normal(cell)]
        of_this = (sum(titles.meaning(text) is not None for text in texts), len(texts))
        if of_this > rank:
            best, rank = texts, of_this
    return tuple(best)


def at(rows: Sequence[Sequence[Cell]], row: int, titles: Titles, *, merged: bool = True) -> Header | None:
    """The header at ``row``; None if no column there is titled as the link.

    ``merged``: with what merged cells have put into the row above.  One merged over two rows has its name in the
    upper one, so that either row may lack some.
    """
    own = named = _titles(rows[row], row, titles)
    columns = {title.field: column for _, column, title in reversed(own)}
    if "link" not in columns:
        return None
    end = row + 1
    oddities: list[_Oddity] = []
    if end < len(rows) and _blank(rows[end], columns["link"]):
        taken = {column for _, column, _ in own}
        below = [one for one in _titles(rows[end], end, titles) if one[2].field not in columns and one[1] not in taken]
        headings = {} if below or not merged else _headings_below(rows[end], columns)
        end += bool(below or headings)
        named, oddities = _with_headings([*own, *below], row + 1, headings, titles)
    if row and merged:
        above = [one for one in _titles(rows[row - 1], row - 1, titles) if _blank(rows[row], one[1])]
        named = [*named, *(one for one in above if one[2].field not in columns)]
        headings = _headings_above(rows[row - 1], named, row)
        named, odd = _with_headings(named, row - 1, headings, titles)
        oddities += odd
        oddities += _units_above(rows[:row], {place for place, _ in headings.values()}, titles)
    known = {column for _, column, _ in named}
    # Of the metrics that are named, those that a heading makes something else are not understood either.
    others = {column for _, column, title in own if title.field in METRICS} - known
    header = _chosen(named, row, end, tuple(sorted(others.union(_unknown(rows[row], titles)))))
    if not merged:
        return header
    below_it = rows[row + 1 : end + _MAX_ROWS_BELOW]
    for column in header.unknown:
        if titles.is_unit(str(rows[row][column])) and all(_blank(cells, column) for cells in below_it):
            oddities.append((row, column, UNIT_ELSEWHERE))
    untitled = _untitled(rows, row, end, known.union(header.unknown), columns["link"])
    return replace(header, oddities=tuple(sorted({*header.oddities, *oddities})), untitled=untitled)


def without_link(row: Sequence[Cell], titles: Titles) -> dict[str, tuple[int, int]]:
    """Column and scale of the metrics in a row that titles two or more; else none."""
    right_to_left = reversed(_titles(row, 0, titles))
    named = {title.field: (column, title.scale) for _, column, title in right_to_left if title.field in METRICS}
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


def _chosen(named: Sequence[_Named], row: int, end: int, unknown: tuple[int, ...]) -> Header:
    """Per field the column with the plainest title, the first of several; the others are problems if they matter."""
    by_field: dict[str, list[_Named]] = {}
    for one in named:
        by_field.setdefault(one[2].field, []).append(one)
    _share_username(by_field)
    columns: dict[str, int] = {}
    scales: dict[str, int] = {}
    oddities: list[_Oddity] = []
    for field, several in by_field.items():
        first = min(several, key=lambda one: one[2].rank)
        columns[field] = first[1]
        if first[2].scale:
            scales[field] = first[2].scale
        if first[2].spelling:
            oddities.append((first[0], first[1], f"the header is written with {first[2].spelling}; correct it"))
        if field in _MUST_BE_ONE:
            oddities += [
                (place, column, f"another column has this name too; column {letters(first[1])} counts")
                for place, column, title in several
                if column != first[1] and (field in METRICS or title.rank == first[2].rank)
            ]
    return Header(row, end, columns, scales, tuple(sorted(oddities)), unknown)


def _share_username(by_field: dict[str, list[_Named]]) -> None:
    """``@Username`` is the account's name; if there is a ``Username`` too, its manager's Telegram name."""
    if (at_sign := by_field.pop("@username", None)) is not None:
        by_field.setdefault("telegram" if "username" in by_field else "username", at_sign)


def _headings_below(cells: Sequence[Cell], columns: Mapping[str, int]) -> dict[int, tuple[int, str]]:
    """The texts below the titles, by the metric's column; none if that row has numbers."""
    headings: dict[int, tuple[int, str]] = {}
    for metric in METRICS:
        cell = cells[columns[metric]] if columns.get(metric, len(cells)) < len(cells) else None
        if cell is None or (isinstance(cell, str) and cell.strip().casefold() in NO_VALUE):
            continue
        if not isinstance(cell, str) or _is_count(cell):
            return {}
        headings[columns[metric]] = columns[metric], cell
    return {} if any(isinstance(cell, str) and is_total(cell) for cell in cells) else headings


def _headings_above(cells: Sequence[Cell], named: Sequence[_Named], row: int) -> dict[int, tuple[int, str]]:
    """The text above each metric's column of ``row``, and the column that holds it.

    One of merged cells stands in the leftmost of them: it goes for the columns to its right too.
    """
    metrics = {column for place, column, title in named if place == row and title.field in METRICS}
    headings: dict[int, tuple[int, str]] = {}
    heading: tuple[int, str] | None = None
    for column in range(max(metrics, default=-1) + 1):
        cell = cells[column] if column < len(cells) else None
        if isinstance(cell, str) and cell.strip():
            # A label, where its value stands beside it.
            is_label = not _blank(cells, column + 1) and _is_number(cells[column + 1])
            heading = (column, cell) if column in metrics and not is_label else None
        elif not _blank(cells, column):
            heading = None
        if heading and column in metrics:
            headings[column] = heading
    return headings


def _with_headings(
    named: Sequence[_Named], at_row: int, headings: Mapping[int, tuple[int, str]], titles: Titles
) -> tuple[list[_Named], list[_Oddity]]:
    """``named`` adjusted by the ``headings`` in ``at_row``, and the problems with them.

    A metric that is made something else is left out.  A heading of all metrics is the table's caption: it tells no
    column from another, so that all stay.
    """
    metrics = [column for _, column, title in named if title.field in METRICS]
    caption = len(metrics) > 1 and len({headings.get(column) for column in metrics}) == 1
    kept: list[_Named] = []
    others: dict[int, list[str]] = {}
    for row, column, title in named:
        if column not in headings or title.field not in METRICS:
            kept.append((row, column, title))
            continue
        place, heading = headings[column]
        meaning = titles.with_heading(title, heading)
        if meaning is None and caption:
            kept.append((row, column, title))
            others.setdefault(place, [])
        elif meaning is None:
            others.setdefault(place, []).append(title.field)
        else:
            kept.append((row, column, meaning))
    odd = [
        (at_row, place, _OTHER.format(metrics=", ".join(fields)) if fields else _CAPTION)
        for place, fields in others.items()
    ]
    return kept, odd


def _units_above(rows: Sequence[Sequence[Cell]], headings: Set[int], titles: Titles) -> list[_Oddity]:
    """The texts above a header that name a unit and are none of the ``headings`` (columns of the last row)."""
    return [
        (number, column, UNIT_ELSEWHERE)
        for number, cells in enumerate(rows[-MAX_ROWS_ABOVE:], max(0, len(rows) - MAX_ROWS_ABOVE))
        for column, cell in enumerate(cells)
        if isinstance(cell, str)
        and len(cell) <= MAX_TITLE
        and titles.is_unit(cell)
        and not (number == len(rows) - 1 and column in headings)
    ]


def _untitled(rows: Sequence[Sequence[Cell]], row: int, end: int, known: Set[int], link: int) -> tuple[int, ...]:
    """The columns right of the link without a title, or whose title is a number or a tick box."""
    width = max((len(cells) for cells in rows[row : end + _MAX_ROWS_BELOW]), default=0)
    return tuple(
        column
        for column in range(width)
        if column not in known
        and (column > link if _says_nothing(rows[row], column) else not isinstance(rows[row][column], str))
    )


def _is_number(cell: Cell) -> bool:
    """Whether ``cell`` is a number, or the text of one: in a file all cells are text."""
    return _is_count(cell) if isinstance(cell, str) else True


def _is_count(cell: str) -> bool:
    """Whether ``cell`` is a count in some locale: ``1,234`` or ``1.234``."""
    for locale in ("en_US", "de_DE"):
        try:
            return read_count(cell, locale) is not None
        except Unreadable:
            continue
    return False


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


def _says_nothing(row: Sequence[Cell], column: int) -> bool:
    return _blank(row, column) or row[column] in NO_VALUE


def _blank(row: Sequence[Cell], column: int) -> bool:
    cell = row[column] if column < len(row) else None
    return cell is None or (isinstance(cell, str) and not cell.strip())
