"""Parsed values in files: CSV with a header line, or one JSON object a line."""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Literal

from smart_sync.core.foreign_text import (
    DELIMITER_LINES,
    declared_delimiter,
    delimiter_of,
    is_abbreviated,
    read_json,
    storable,
)
from smart_sync.core.model import METRICS, NO_METRICS, Account, Metrics, ParsedMetrics, Precision
from smart_sync.core.wording import nearest
from smart_sync.core.worksheet.cells import Unreadable, read_count
from smart_sync.core.worksheet.locales import FALLBACK

COLUMNS = ("account_id", "link", *METRICS, "source", "parsed_at", "precision")
Format = Literal["csv", "jsonl"]


@dataclass(frozen=True, slots=True)
class Row:
    """One valid line: its account (id or link) and its values."""

    line: int
    account_id: str
    link: str
    metrics: Metrics
    #: Empty, None: the file does not say.
    source: str = ""
    parsed_at: datetime | None = None
    precision: Precision = Precision.EXACT
    #: The metrics that are exact although ``precision`` says that others are rounded.
    exact: frozenset[str] = frozenset()

    def of(self, account: Account, source: str, parsed_at: datetime) -> ParsedMetrics:
        """The row as ``account``'s parsed values; ``source`` and ``parsed_at`` are defaults."""
        return ParsedMetrics(
            account.id,
            self.metrics,
            self.source or source,
            self.parsed_at or parsed_at,
            self.precision,
            link="" if self.account_id == account.id else account.link,
            exact=self.exact,
        )


@dataclass(frozen=True, slots=True)
class BadLine:
    """A skipped line and the reason. Lines are counted from 1, including the header."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def read_rows(lines: Iterable[str], form: Format) -> Iterator[Row | BadLine]:
    """The rows of a file, valid and invalid, in order.

    Columns: ``account_id`` or ``link``, the metrics, ``source``, ``parsed_at`` (ISO 8601; UTC unless it says
    otherwise), ``precision``; others are ignored, unless they are nearly one of these that is missing: a bad header,
    which costs no line, or a bad JSON object.  An empty metric is no value.  CSV is separated by comma, semicolon or
    tab, as its header shows, or as a line ``sep=;`` above it says.
    """
    locales: tuple[str, ...] = (FALLBACK,)
    if form == "csv":
        delimiter, lines = _delimiter(lines)
        # A semicolon stands where the comma is a decimal sign: what is another number there is a problem.
        locales += ("ru_RU",) if delimiter == ";" else ()
        records = _csv_records(lines, delimiter)
    else:
        records = _json_records(lines)
    for number, record in records:
        if isinstance(record, BadLine):
            yield record
            continue
        try:
            yield _row(number, record, locales)
        except ValueError as error:
            yield BadLine(number, str(error))


def _delimiter(lines: Iterable[str]) -> tuple[str, Iterable[str]]:
    """The delimiter of a file, and its lines, unconsumed."""
    rest = iter(lines)
    head = list(islice(rest, DELIMITER_LINES))
    return delimiter_of(head, lambda cell: _name(cell) in COLUMNS), chain(head, rest)


def _name(cell: str) -> str:
    return cell.strip().lstrip("\ufeff").casefold()


def _csv_records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, BadLine(line, f"not CSV: {error}")
            continue
        if header is None and line == 1 and declared_delimiter(delimiter.join(cells)):
            continue
        if header is None:
            header = [_name(cell) for cell in cells]
            if not {"account_id", "link"} & set(header):
                yield line, BadLine(line, "the header names neither account_id nor link; nothing can be read")
                return
            if twice := [name for name in COLUMNS if header.count(name) > 1]:
                yield line, BadLine(line, f"the header names {' and '.join(twice)} twice; nothing can be read")
                return
            if slips := _slips(header):
                yield line, BadLine(line, f"{slips}; ignored")
        elif len(cells) > len(header):
            yield line, BadLine(line, "more fields than the header; put a value that holds a comma in quotes")
        elif any(cells):
            yield line, dict(zip(header, cells, strict=False))


def _json_records(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | BadLine]]:
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            record = read_json(text.lstrip("\ufeff"))
        except ValueError:
            yield line, BadLine(line, "not JSON")
            continue
        if not isinstance(record, dict):
            yield line, BadLine(line, "not a JSON object")
        elif slips := _slips(record):
            yield line, BadLine(line, slips)
        else:
            yield line, record


def _slips(names: Collection[str]) -> str:
    """Probably misspelt names with their corrections; not if the correct name is there too."""
    meant = ((name, _meant(name)) for name in names if name not in COLUMNS)
    return "; ".join(f"{name!r} is no column, did you mean {own}?" for name, own in meant if own and own not in names)


@lru_cache(maxsize=256)
def _meant(name: str) -> str:
    return nearest(name.strip().casefold(), COLUMNS)


def _row(line: int, record: Mapping[str, Any], locales: Collection[str]) -> Row:
    account_id, link = _text(record, "account_id"), _text(record, "link")
    if not (account_id or link):
        raise ValueError("neither account_id nor link")
    metrics = Metrics(*(_metric(record, name, locales) for name in METRICS))
    if metrics == NO_METRICS:
        raise ValueError("no metric has a value")
    precision = _text(record, "precision").casefold() or Precision.EXACT
    if precision not in set(Precision):
        raise ValueError("precision is neither exact nor rounded")
    exact = frozenset[str]()
    # "12K" is rounded, whatever the line says of itself.
    rounded = {name for name, value in metrics._asdict().items() if value and is_abbreviated(record[name], value)}
    if rounded and precision == Precision.EXACT:
        precision, exact = Precision.ROUNDED, frozenset(METRICS) - rounded
    return Row(line, account_id, link, metrics, _text(record, "source"), _time(record), Precision(precision), exact)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"{name} is not text")  # noqa: TRY004  a bad line, not a bug
    return storable(str(value).strip())


def _metric(record: Mapping[str, Any], name: str, locales: Collection[str]) -> int | None:
    value = record.get(name)
    if not isinstance(value, str | int | float | None):
        raise ValueError(f"{name} is not a number")  # noqa: TRY004  a bad line, not a bug
    try:
        counts = {read_count(value, locale, name) for locale in locales}
    except Unreadable as error:
        raise ValueError(f"{name}: {error}") from None
    if len(counts) > 1:
        raise ValueError(f"{name}: its separators can be read in more than one way")
    return counts.pop()


def _time(record: Mapping[str, Any]) -> datetime | None:
    text = _text(record, "parsed_at")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("parsed_at is not a time in ISO 8601, such as 2026-03-01T12:00:00Z") from None
