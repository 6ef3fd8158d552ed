"""``smart-sync ingest``: parsed values from a file into the inbox, beside a daemon that may be at work.

A file is CSV (comma, semicolon or tab) with a header line, or one JSON object a line.  Each line names an account by
``account_id`` or ``link`` and gives any of the metrics; ``source``, ``parsed_at`` (ISO 8601, now if it is missing) and
``precision`` (exact or rounded) are optional; what is nearly one of these names is a mistake.  A metric without a
value leaves the one in the inbox, and so does a line that is older.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from smart_sync.errors import SmartSyncError
from smart_sync.parsers.csv import match
from smart_sync.parsers.rows import BadLine, Format, Row, read_rows
from smart_sync.store import accounts, inbox
from smart_sync.store.schema import open_existing

MAX_BYTES = 64 * 2**20
SOURCE = "ingest"
#: How far a clock elsewhere may be ahead; what comes from further ahead would keep out every later value.
AHEAD = timedelta(minutes=5)


class Unreadable(SmartSyncError):
    """The file cannot be read at all."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What came of a file: the accounts that it names; lines stored, lines that came too late, and what is wrong."""

    accounts: int
    stored: int
    older: int
    mistakes: tuple[BadLine, ...]

    def answer(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "success": not self.mistakes,
            "accounts": self.accounts,
            "stored": self.stored,
            "older": self.older,
            "mistakes": [{"line": mistake.line, "reason": mistake.reason} for mistake in self.mistakes],
        }


def read_text(file: BinaryIO, name: str) -> str:
    """The whole of ``file``.  Signs that are not UTF-8 become marks, so that only their lines are wrong.

    Raises `Unreadable` if it is too large.
    """
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Unreadable(f"{name}: larger than {MAX_BYTES // 2**20} MB; split it")
    return content.decode("utf-8-sig", errors="replace")


def format_of(name: str, text: str) -> Format:
    """By the file's suffix, else by how it begins: JSON lines begin with a brace."""
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".jsonl", ".ndjson", ".json"):
        return "csv" if suffix == ".csv" else "jsonl"
    return "jsonl" if text.lstrip().startswith("{") else "csv"


async def ingest(path: Path, text: str, form: Format, now: datetime) -> Ingested:
    """Put the good lines of ``text`` into the inbox of the database at ``path``, in one transaction.

    Raises `DatabaseError`.
    """
    async with open_existing(path, read_only=False) as database:
        known = [entry.account for entry in await accounts.everyone(database)]
        found = list(read_rows(io.StringIO(text, newline=""), form))
        rows, mistakes = _sorted_out(found, now)
        matched = match(rows, known)
        mistakes += _strangers(rows, {row.line for _, row in matched})
        values = [row.of(account_id, SOURCE, now) for account_id, row in matched]
        stored = await inbox.put(database, values)
    mistakes.sort(key=lambda mistake: mistake.line)
    return Ingested(len({v.account_id for v in values}), stored, len(values) - stored, tuple(mistakes))


def _sorted_out(found: Iterable[Row | BadLine], now: datetime) -> tuple[list[Row], list[BadLine]]:
    rows: list[Row] = []
    mistakes: list[BadLine] = []
    for line in found:
        if isinstance(line, BadLine):
            mistakes.append(line)
        elif line.parsed_at is not None and line.parsed_at > now + AHEAD:
            mistakes.append(BadLine(line.line, "parsed_at lies in the future; it would keep out every later value"))
        else:
            rows.append(line)
    return rows, mistakes


def _strangers(rows: Iterable[Row], matched: set[int]) -> list[BadLine]:
    return [
        BadLine(row.line, f"no account has this {'link' if row.link else 'account_id'}")
        for row in rows
        if row.line not in matched
    ]
