"""Turns a worksheet into a table: one row per account, in order, and the problems to report."""

from collections.abc import Sequence
from itertools import islice
from sys import intern

from smart_sync.core.foreign_text import FULL_WIDTH, INVISIBLE
from smart_sync.core.links.identity import profile_link
from smart_sync.core.links.link_text import PLAIN_LINK
from smart_sync.core.model import METRICS, NO_METRICS, Cell, Metrics, SheetRow, Table, Worksheet
from smart_sync.core.wording import listed, shown
from smart_sync.core.worksheet import headers
from smart_sync.core.worksheet.cells import NO_VALUE, Unreadable, read_count
from smart_sync.core.worksheet.headers import UNIT_ELSEWHERE, Header, letters
from smart_sync.core.worksheet.link_cells import UNUSABLE, link_of, why_unreadable
from smart_sync.core.worksheet.problem_list import ProblemList
from smart_sync.core.worksheet.titles import MAX_TITLE, Titles, is_total, normal
from smart_sync.core.worksheet.unknown_columns import MAX_LOOKED_AT, UnknownColumns, is_count

_NOTHING: frozenset[str] = frozenset()
#: The columns of an account's owner (`_read_owner`) where there is none of them.
_NO_OWNER = [-1] * 4
#: ``950!`` pins its cell: it means 950, whatever the parsers say, until the mark goes; pictures and full-width too.
_PINS = FULL_WIDTH | dict.fromkeys(map(ord, "❗❕"), "!")


class NoHeader(ValueError):
    """No column is titled as the link; ``seen`` are the titles found, () if the worksheet is empty."""

    def __init__(self, seen: tuple[str, ...]) -> None:
        super().__init__("no column for the link")
        self.seen = seen


def read_table(worksheet: Worksheet, titles: Titles) -> Table:
    """The accounts in ``worksheet``, from below its header to its last row; blank rows are skipped.

    Of two columns for one field the one with the plainest name counts, of several the first.  A further header counts
    for the rows below it.  Rows for the same account stay apart (`combine`).  Raises `NoHeader`.
    """
    header = headers.find(worksheet.rows, titles)
    if header is None:
        raise NoHeader(tuple(shown(text) for text in headers.seen(worksheet.rows, titles)))
    reader = _Reader(worksheet, header, titles)
    reader.report_rows_above(header.row)
    below = enumerate(islice(worksheet.rows, header.end, None), header.end + 1)
    rows = tuple(row for number, cells in below if (row := reader.read(number, cells)) is not None)
    return Table(
        worksheet.title,
        rows,
        reader.problems.listed(),
        reader.metrics,
        reader.letters,
        _texts(worksheet.rows[header.row]),
        tuple(reader.without_link),
        reader.not_understood(),
        tuple(reader.above),
    )


class _Reader:
    """Reads the rows of one worksheet below its first header, in order."""

    def __init__(self, worksheet: Worksheet, header: Header, titles: Titles) -> None:
        self._worksheet = worksheet
        self._titles = titles
        self.problems = ProblemList(worksheet.title)
        #: Rows whose link cell cannot be read, for `Table`.
        self.without_link: list[SheetRow] = []
        #: Rows of profiles above the header, for `Table`.
        self.above: list[SheetRow] = []
        #: Metrics that have a column, under any header.
        self.metrics: frozenset[str] = _NOTHING
        #: Letters of the columns that are the same under every header, also that of "link".
        self.letters: dict[str, str] = {}
        self._first: dict[str, str] = {}
        #: Metrics whose column under the header in force cannot be told.
        self._lost = _NOTHING
        #: The cells of the first header.
        self._first_titles = worksheet.rows[header.row]
        self._unknown = UnknownColumns(header, worksheet.locale)
        self._use(header)

    def read(self, number: int, cells: Sequence[Cell]) -> SheetRow | None:
        """The account in row ``number`` (from 1); None if the row holds none."""
        if number <= self._header.end:
            return None
        text = _text(cells, self._link)
        behind = self._worksheet.links.get(number, ()) if text.casefold() not in NO_VALUE else ()
        link = text
        if behind or not ("." in text and PLAIN_LINK.fullmatch(text)):  # of most rows nothing of this need be asked
            link = link_of(text, behind)
            if not ("/" in link and "." in link) and self._is_header(number, cells):
                return None
            if "." not in link and (link.casefold() in NO_VALUE or is_total(link)):
                if link.casefold() in NO_VALUE:
                    self._without_link(number, cells)
                    self._report_units(number, cells)
                return None
            if trouble := why_unreadable(link, text, behind):
                self.problems.add("link-unreadable", f"link: {trouble}", number, self._link, link)
                metrics, unreadable, _ = self._read_metrics(number, cells, ProblemList(""))
                self.without_link.append(SheetRow(number, shown(link), metrics, unreadable))
                return None
        if torn := self._worksheet.delimited and self._torn(number, cells):
            self.problems.add("csv-file", torn, number, len(cells) - 1, cells[-1])
            return SheetRow(number, link, Metrics._make(NO_METRICS), self.metrics)
        # Where every metric has its column, no other one is missed.
        if self._unknown.open and len(self.metrics) < len(METRICS) and number <= self._header.end + MAX_LOOKED_AT:
            self._unknown.look_at(cells)
        metrics, unreadable, pinned = self._read_metrics(number, cells, self.problems)
        if not (any(metrics) or "." in link):
            self._report_units(number, cells)
        if self._owner == _NO_OWNER:
            return SheetRow(number, link, metrics, unreadable, pinned=pinned)
        return SheetRow(number, link, metrics, unreadable, *self._read_owner(cells), pinned)

    def report_rows_above(self, header_row: int) -> None:
        """Report accounts above the header (from 0): it was sorted with them, or they were put there."""
        for number, cells in enumerate(islice(self._worksheet.rows, header_row), 1):
            text = _text(cells, self._link)
            link = link_of(text, self._worksheet.links.get(number, ())) if text else ""
            if not profile_link(link):
                continue
            metrics, unreadable, _ = self._read_metrics(number, cells, ProblemList(""))
            self.above.append(SheetRow(number, link, metrics, unreadable))
            if any(metrics):
                reason = f"this row is not read, for the header is below it, in row {header_row + 1}"
                self.problems.add("link-unreadable", f"{reason}; move it below that", number, self._link, link)

    def not_understood(self) -> tuple[str, ...]:
        """The titles of count columns that were not understood, if a metric has no column."""
        return tuple(_text(self._first_titles, at) or f"column {letters(at)}" for at in self._unknown.with_counts())

    def _use(self, header: Header) -> None:
        """Use ``header`` for the rows from here on."""
        columns = header.columns
        self._header = header
        self._link = columns["link"]
        self._metrics = [(i, columns[m], header.scales.get(m, 0)) for i, m in enumerate(METRICS) if m in columns]
        self._as_titled = {METRICS[i]: (column, scale) for i, column, scale in self._metrics}
        self._owner = [columns.get(field, -1) for field in ("platform", "username", "topic", "telegram")]
        places = {field: letters(columns[field]) for field in ("link", *METRICS) if field in columns}
        moved = {field for field, at in places.items() if self._first.setdefault(field, at) != at}
        self.letters = {field: at for field, at in (self.letters | places).items() if field not in moved}
        self.metrics |= {field for field in METRICS if field in columns}
        for row, column, reason in header.oddities:
            self.problems.add("column-missing", reason, row + 1, column, self._worksheet.rows[row][column])

    def _is_header(self, number: int, cells: Sequence[Cell]) -> bool:
        """Whether row ``number`` is a further header, which then applies from there on."""
        header = headers.at(self._worksheet.rows, number - 1, self._titles, merged=False)
        if header is None:
            named = headers.without_link(cells, self._titles)
            if not named.items() <= self._as_titled.items():
                self._lose(number, cells, self.metrics.union(named), "this header has no column for the link")
            strange = [] if named else self._strange_titles(number, cells)
            if strange:
                message = f"a header that is not understood ({', '.join(map(shown, strange))})"
                self._lose(number, cells, self.metrics, f"{message}; use known names, or [sheets.columns]")
            return bool(named or strange)
        counts = (is_count(cell, self._worksheet.locale) for cell in cells)
        if len(header.columns) == 1 and (not header.unknown or any(counts)):
            # A label that repeats the link's title, or some cell of an account's row that happens to be one.
            return header.columns["link"] == self._link
        before = self._header.columns
        missing = self.metrics - header.columns.keys()
        self._lost = _NOTHING
        self._use(header)
        lost = missing if header.unknown else {m for m in missing if not _text(cells, before.get(m, len(cells)))}
        if lost:
            names = ", ".join(metric for metric in METRICS if metric in lost)
            message = f"no column for {names}; headers seen: {listed(_texts(cells), 20)}"
            self._lose(number, cells, frozenset(lost), message)
        return True

    def _strange_titles(self, number: int, cells: Sequence[Cell]) -> list[str]:
        """The metric words in row ``number`` if it is a header with unknown titles; [] if not.

        That is one below a blank row, with a word for the link, and with several different words and no count for
        metrics; in the middle of a table they say something of one account.
        """
        if not headers.is_word(_text(cells, self._link)) or any(
            isinstance(cell, str) and is_total(cell) for cell in cells
        ):
            return []
        above = self._worksheet.rows[number - 2]
        if any(_text(above, column) for column in range(len(above))):
            return []
        columns = sorted(at for field, at in self._header.columns.items() if field in METRICS)
        filled = [_text(cells, column) for column in columns]
        words = [word for word in filled if word.casefold() not in NO_VALUE]
        return words if len(set(words)) == len(words) > 1 and all(map(headers.is_word, words)) else []

    def _torn(self, number: int, cells: Sequence[Cell]) -> str:
        """Why a row of a file cannot be split into fields; "" if it can."""
        width, has = len(self._worksheet.rows[self._header.row]), len(cells)
        if any(_text(cells, column) for column in range(width, has)):
            return f"{has} fields where the header has {width}; put quotes around what has a separator in it"
        cut = has < width and self._worksheet.unfinished and number == len(self._worksheet.rows)
        return f"the file ends after {has} of {width} fields; write it whole, then rename it" if cut else ""

    def _lose(self, number: int, cells: Sequence[Cell], lost: frozenset[str], reason: str) -> None:
        self._lost = lost
        self._metrics = [one for one in self._metrics if METRICS[one[0]] not in lost]
        message = f"{reason}; those cells below are not read"
        self.problems.add("column-missing", message, number, self._link, _text(cells, self._link))

    def _without_link(self, number: int, cells: Sequence[Cell]) -> None:
        filled = [column for _, column, _ in self._metrics if _text(cells, column).casefold() not in NO_VALUE]
        if not filled or any(isinstance(cell, str) and is_total(cell) for cell in cells):
            return
        metrics, unreadable, _ = self._read_metrics(number, cells, ProblemList(""))
        # A formula that was filled down below the table gives 0.
        if any(metrics) or unreadable - self._lost:
            self.problems.add("link-unreadable", "values without a link", number, filled[0], cells[filled[0]])
            self.without_link.append(SheetRow(number, "", metrics, unreadable))

    def _report_units(self, number: int, cells: Sequence[Cell]) -> None:
        """Report a unit in a row without a link: a section's name or a footnote, which multiplies nothing."""
        for column, cell in enumerate(cells):
            if isinstance(cell, str) and cell and len(cell) <= MAX_TITLE and self._titles.is_unit(cell):
                self.problems.add("column-missing", UNIT_ELSEWHERE, number, column, cell)

    def _read_metrics(
        self, number: int, cells: Sequence[Cell], problems: ProblemList
    ) -> tuple[Metrics, frozenset[str], frozenset[str]]:
        """The counts of a row, the metrics with unreadable cells, and those with the mark of a pin."""
        values: list[int | None] = list(NO_METRICS)
        unreadable, pinned = self._lost, _NOTHING
        width, locale = len(cells), self._worksheet.locale
        for index, column, scale in self._metrics:
            if column < width:
                try:
                    values[index] = read_count(cells[column], locale, METRICS[index], scale)
                except Unreadable as problem:
                    how = locale, METRICS[index], scale
                    values[index], trouble = read_pinned(cells[column], how, problem)
                    if trouble is None:
                        pinned |= {METRICS[index]}
                        continue
                    problems.add(trouble.code, f"{METRICS[index]}: {trouble}", number, column, cells[column])
                    unreadable |= {METRICS[index]}
        return Metrics._make(values), unreadable, pinned

    def _read_owner(self, cells: Sequence[Cell]) -> tuple[str, str, str, str]:
        """Platform, user name, topic and Telegram user from their columns."""
        platform, username, topic, telegram = (_line(cells, at) if at >= 0 else "" for at in self._owner)
        return intern(platform.casefold()), username.lstrip("@"), intern(topic), intern(telegram)


def _texts(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(shown(cell) for cell in cells if isinstance(cell, str) and normal(cell))


def read_pinned(cell: Cell, how: tuple[str, str, int], problem: Unreadable) -> tuple[int | None, Unreadable | None]:
    """The pinned number of a cell that is no plain number, or why it cannot be read.

    ``how``: the locale, metric and scale of `read_count`, which has raised ``problem``.  The mark is the cell's last
    sign, with or without a space before it (as in French); what stands before it is read as any cell is.
    """
    text = cell.translate(INVISIBLE).translate(_PINS).strip() if isinstance(cell, str) else ""
    if not text.endswith("!") or text.startswith("#"):  # an error of the spreadsheet bears no mark
        return None, problem
    try:
        count = read_count(text.removesuffix("!").rstrip(), *how)
    except Unreadable as other:
        return None, other
    return count, Unreadable("a mark that pins, and no number") if count is None else None


def _text(cells: Sequence[Cell], column: int) -> str:
    """The text in ``column``, stripped; "" if the row is shorter."""
    cell = cells[column] if column < len(cells) else None
    if cell is None:
        return ""
    return cell.strip() if isinstance(cell, str) else shown(cell)


def _line(cells: Sequence[Cell], column: int) -> str:
    """`_text`, or "" if it has several lines."""
    text = _text(cells, column)
    return "" if UNUSABLE.search(text) or text in NO_VALUE else text
