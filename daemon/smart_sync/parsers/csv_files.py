"""Parsed values from a CSV file that another program maintains."""

import asyncio
import errno
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from smart_sync import logs
from smart_sync.aio import plain_files
from smart_sync.aio.plain_files import FILE_PATIENCE, NO_ANSWER
from smart_sync.aio.tasks import DetachedThreads
from smart_sync.config import ParserSettings
from smart_sync.config.values import PlainPath
from smart_sync.core.links.identity import by_identity, identity
from smart_sync.core.model import Account
from smart_sync.errors import ParserFailed
from smart_sync.parsers.file_rows import BadLine, Row, read_rows
from smart_sync.parsers.parser import Fetched

MAX_FILE_BYTES = 64 * 2**20
#: Bad lines that are logged one by one; the rest is counted.
MAX_BAD_LINES = 20


class CsvSettings(ParserSettings):
    """``[parsers.csv]``."""

    is_file: ClassVar[bool] = True
    #: The CSV file, read in each pass. Columns: link or account_id, the metrics, and if wanted source, parsed_at,
    #: precision.
    path: PlainPath


class CsvParser:
    """Reads the file in each pass; values without ``parsed_at`` are dated by the file's time."""

    settings: ClassVar[type[ParserSettings]] = CsvSettings

    def __init__(self, settings: CsvSettings) -> None:
        self._settings = settings
        self._files = DetachedThreads()
        self._reported: tuple[float, int] | None = None
        #: Which lines of the file could not be used in the last pass; empty if none.
        self.flaw = ""

    async def fetch(self, accounts: Sequence[Account]) -> AsyncIterator[Fetched]:
        """The file's values for ``accounts``. Raises `ParserFailed` if it cannot be read, or has no values."""
        self.flaw, table = "", f"[parsers.{self._settings.source}]"
        try:
            lines, state = await self._files.run(FILE_PATIENCE, _read, self._settings.path, table)
        except TimeoutError:
            raise ParserFailed(f"{self._settings.path} cannot be read: {NO_ANSWER}", trouble="csv-file") from None
        rows = [line for line in lines if isinstance(line, Row)]
        matched, torn = await asyncio.to_thread(match, rows, accounts)
        bad = sorted([*torn, *(line for line in lines if isinstance(line, BadLine))], key=lambda line: line.line)
        if state != self._reported:
            self._report(bad)
            self._reported = state
        written = _time(self._settings.path, state[0])
        if not rows:
            why = str(lines[0]) if lines else "no line is below its header"
            raise ParserFailed(
                f"{self._settings.path} has no values: {why}; did what should have written it fail?",
                trouble="parsed-values",
            )
        if bad:
            self.flaw = f"lines of {self._settings.path} that cannot be used: {len(bad):,}; the first is {bad[0]}"
        for account, row in matched:
            yield row.of(account, self._settings.source, written)

    def _report(self, bad: Sequence[BadLine]) -> None:
        shown, rest = bad[:MAX_BAD_LINES], bad[MAX_BAD_LINES:]
        more = [BadLine(rest[0].line, f"{len(rest):,} more lines from here on cannot be read")] if rest else []
        source, path = self._settings.source, str(self._settings.path)
        for one in (*shown, *more):
            logs.emit("parser.line_skipped", parser=source, path=path, line=one.line, reason=one.reason)


def match(rows: Iterable[Row], accounts: Sequence[Account]) -> tuple[list[tuple[Account, Row]], list[BadLine]]:
    """The rows that belong to ``accounts``, each with its account: by id, exact link, or the link's identity.

    Several accounts may share a link (one in each project): the row counts for all of them.  A row with the id of one
    account and the link of another one counts for neither: its columns were sorted apart, or it was copied.
    """
    by_id = {account.id: [account] for account in accounts}
    by_link: dict[str, list[Account]] = {}
    for account in accounts:
        by_link.setdefault(account.link, []).append(account)
    groups = by_identity(accounts)
    matches: list[tuple[Account, Row]] = []
    torn: list[BadLine] = []
    for row in rows:
        meant = by_id.get(row.account_id)
        linked = (by_link.get(row.link) or groups.get(identity(row.link)) or ()) if row.link else ()
        if meant and linked and meant[0] not in linked:
            torn.append(
                BadLine(row.line, f"its account_id is that of {meant[0].link}, its link that of another account")
            )
            continue
        matches += [(account, row) for account in meant or linked]
    return matches, torn


def _time(path: Path, seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ParserFailed(
            f"{path} has a time that no calendar has; correct it with: touch {path}", trouble="parsed-values"
        ) from None


def _read(path: Path, table: str) -> tuple[list[Row | BadLine], tuple[float, int]]:
    """The file's lines, its time and its size; ``table`` is the one that names it."""
    try:
        content, stat = plain_files.read_file(path, MAX_FILE_BYTES)
    except OSError as error:
        remedy = "split it" if error.errno == errno.EFBIG else f"check {table} path"
        raise ParserFailed(f"{path} cannot be read: {error.strerror}; {remedy}", trouble="csv-file") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParserFailed(
            f"{path} is not a text file in UTF-8 (byte {error.start}); save it as UTF-8", trouble="parsed-values"
        ) from None
    return list(read_rows(io.StringIO(text, newline=""), "csv")), (stat.st_mtime, stat.st_size)
