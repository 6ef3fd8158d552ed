"""A worksheet becomes a table: one row per account, in order, and what a manager should look at."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from sys import intern

from smart_sync.core import headers
from smart_sync.core.cells import NO_VALUE, Unreadable, read_count
from smart_sync.core.headers import Header, letters, normal
from smart_sync.core.model import METRICS, NO_METRICS, Cell, Metrics, Problem, SheetRow, Table, Worksheet

#: Reported one by one; how many more there are is one further problem.
MAX_PROBLEMS = 1000
MAX_SHOWN = 60
#: No spreadsheet shows an error in more signs.
MAX_ERROR = 16

_NOTHING: frozenset[str] = frozenset()
_TOTALS = frozenset({"total", "totals", "sum", "итого", "всего", "сумма"})
#: Control characters and lone surrogates: not in any link, and SQLite takes no surrogates.
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class NoHeader(ValueError):
    """No column is named for the link; ``seen`` are the headers there are, () if the worksheet is empty."""

    def __init__(self, seen: tuple[str, ...]) -> None:
        super().__init__("no column for the link")
        self.seen = seen


def read_table(worksheet: Worksheet, synonyms: Mapping[str, Sequence[str]] = {}) -> Table:
    """The accounts in ``worksheet``, from below its header to its last row; blank rows between them do not count.

    ``synonyms`` are more header names by field ("link", metrics, "platform", "username").  Of two columns for one
    field the first counts.  Rows for the same account stay apart (`combine`).  Raises `NoHeader`.
    """
    known = headers.names(synonyms)
    header = headers.find(worksheet.rows, known)
    if header is None:
        raise NoHeader(tuple(shown(text) for text in headers.seen(worksheet.rows, known)))
    problems = _Problems(worksheet.title)
    for column in header.duplicates:
        cell = worksheet.rows[header.row][column]
        problems.add("another column has this name already; the first counts", header.row + 1, column, cell)
    reader = _Reader(header, known, worksheet.locale, problems)
    below = enumerate(islice(worksheet.rows, header.end, None), header.end + 1)
    rows = tuple(row for number, cells in below if (row := reader.read(number, cells)) is not None)
    places = {metric: letters(header.columns[metric]) for metric in METRICS if metric in header.columns}
    titles = tuple(shown(cell) for cell in worksheet.rows[header.row] if isinstance(cell, str) and normal(cell))
    return Table(
        worksheet.title, rows, problems.listed(), frozenset(places), places, titles, tuple(reader.without_link)
    )


def combine(rows: Sequence[SheetRow]) -> SheetRow:
    """One row for the several of one account: per metric the larger value, everything else from the first that has it.

    A metric is unreadable only where no row gives a value.  There must be at least one row.
    """
    values = zip(*(row.metrics for row in rows), strict=True)
    metrics = Metrics._make(max((value for value in several if value is not None), default=None) for several in values)
    unreadable = frozenset().union(*(row.unreadable for row in rows))
    return rows[0]._replace(
        metrics=metrics,
        unreadable=frozenset(m for m, value in zip(METRICS, metrics, strict=True) if value is None and m in unreadable),
        platform=next((row.platform for row in rows if row.platform), ""),
        username=next((row.username for row in rows if row.username), ""),
    )


def shown(cell: Cell) -> str:
    """What ``cell`` says, for a person: one printable line of at most `MAX_SHOWN` signs, odd spaces as escapes."""
    try:
        text = str(cell)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    text = re.sub("[ \\t\\r\\n]+", " ", text[: 2 * MAX_SHOWN].strip())
    text = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


class _Problems:
    """The problems of one worksheet, of which the first `MAX_PROBLEMS` are kept and the others counted."""

    def __init__(self, worksheet: str) -> None:
        self._worksheet = worksheet
        self._found: list[Problem] = []
        self._others = 0

    def add(self, reason: str, row: int, column: int, cell: Cell) -> None:
        if len(self._found) < MAX_PROBLEMS:
            self._found.append(Problem(reason, self._worksheet, row, letters(column), shown(cell)))
        else:
            self._others += 1

    def listed(self) -> tuple[Problem, ...]:
        more = [Problem(f"{self._others} more problems", self._worksheet)] if self._others else []
        return (*self._found, *more)


class _Reader:
    """Reads the rows of one worksheet, once its header is known."""

    def __init__(self, header: Header, known: Mapping[str, str], locale: str, problems: _Problems) -> None:
        columns = header.columns
        self._link = columns["link"]
        self._metrics = [(index, columns[metric]) for index, metric in enumerate(METRICS) if metric in columns]
        self._platform = columns.get("platform")
        self._username = columns.get("username")
        self._known = known
        self._locale = locale
        self._problems = problems
        #: Rows whose link cell cannot be read, for `Table`.
        self.without_link: list[SheetRow] = []

    def read(self, number: int, cells: Sequence[Cell]) -> SheetRow | None:
        """The account in row ``number`` (from 1); None if the row holds none."""
        link = _text(cells, self._link)
        if "." not in link and self._is_no_link(link):
            if link.casefold() in NO_VALUE:
                self._without_link(number, cells)
            return None
        if trouble := _unreadable(link):
            self._problems.add(f"link: {trouble}", number, self._link, link)
            self.without_link.append(SheetRow(number, shown(link), *self._read_metrics(number, cells, _Problems(""))))
            return None
        metrics, unreadable = self._read_metrics(number, cells, self._problems)
        platform, username = self._read_owner(cells)
        return SheetRow(number, link, metrics, unreadable, platform, username)

    def _is_no_link(self, link: str) -> bool:
        """No value, the header once more, or the label of a row of totals."""
        folded = link.casefold()
        return folded in NO_VALUE or folded in _TOTALS or self._known.get(normal(link)) == "link"

    def _without_link(self, number: int, cells: Sequence[Cell]) -> None:
        filled = [column for _, column in self._metrics if _text(cells, column).casefold() not in NO_VALUE]
        if filled and not any(isinstance(cell, str) and normal(cell) in _TOTALS for cell in cells):
            self._problems.add("values without a link", number, filled[0], cells[filled[0]])
            self.without_link.append(SheetRow(number, "", *self._read_metrics(number, cells, _Problems(""))))

    def _read_metrics(self, number: int, cells: Sequence[Cell], problems: _Problems) -> tuple[Metrics, frozenset[str]]:
        values: list[int | None] = list(NO_METRICS)
        unreadable = _NOTHING
        width = len(cells)
        for index, column in self._metrics:
            if column < width:
                try:
                    values[index] = read_count(cells[column], self._locale, METRICS[index])
                except Unreadable as problem:
                    problems.add(f"{METRICS[index]}: {problem}", number, column, cells[column])
                    unreadable |= {METRICS[index]}
        return Metrics._make(values), unreadable

    def _read_owner(self, cells: Sequence[Cell]) -> tuple[str, str]:
        """Platform and username from their columns."""
        platform = "" if self._platform is None else _line(cells, self._platform).casefold()
        username = "" if self._username is None else _line(cells, self._username).lstrip("@")
        return intern(platform), username


def _unreadable(link: str) -> str:
    """Why a link cell says nothing of any account, "" if it may: an error of the spreadsheet is nobody's link."""
    if _UNUSABLE.search(link):
        return "more than one line, or signs that no link has"
    # "#REF!", "#N/A", "#ИМЯ?": in capitals, whatever the language.
    if link.startswith("#") and len(link) <= MAX_ERROR and link.isprintable() and link.isupper():
        return "an error of the spreadsheet"
    return "not computed yet" if link.casefold().startswith(("loading", "загрузка")) and "/" not in link else ""


def _text(cells: Sequence[Cell], column: int) -> str:
    """What stands in ``column``, without spaces around it; "" if the row ends before it."""
    cell = cells[column] if column < len(cells) else None
    if cell is None:
        return ""
    return cell.strip() if isinstance(cell, str) else shown(cell)


def _line(cells: Sequence[Cell], column: int) -> str:
    """`_text`, or "" where it is no line of text."""
    text = _text(cells, column)
    return "" if _UNUSABLE.search(text) or text in NO_VALUE else text
