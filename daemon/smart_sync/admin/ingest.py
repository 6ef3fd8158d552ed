"""``smart-sync ingest``: stores parsed values from a file, or takes them back; a daemon may be running.

A file is CSV (comma, semicolon or tab) with a header line, or one JSON object a line.  Each line names an account by
``account_id`` or ``link`` and gives any of the metrics; ``source``, ``parsed_at`` (ISO 8601, now if it is missing) and
``precision`` (exact or rounded) are optional; what is nearly one of these names is a mistake.  A metric without a
value leaves the one that its source has brought, and so does a line that is older.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from smart_sync.config import Settings
from smart_sync.config.database_url import Location
from smart_sync.core.command_answers import ForgetAnswer, ForgottenValue, IngestAnswer
from smart_sync.core.days import stamp
from smart_sync.core.merge.votes import take_back
from smart_sync.core.parsed import BY_HAND, Mark, is_ahead, terms
from smart_sync.errors import SmartSyncError
from smart_sync.parsers.csv_files import match
from smart_sync.parsers.file_rows import BadLine, Format, Row, read_rows
from smart_sync.store import account_states, accounts, parsed_query, parsed_values, vote_records
from smart_sync.store.schema import open_existing

MAX_BYTES = 64 * 2**20


class UnreadableFile(SmartSyncError):
    """The file cannot be read at all."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """The result for a file: accounts named, lines stored, lines that were outdated, and mistakes.

    ``ahead``: lines whose time is ahead of our clock; they count as of now.
    """

    accounts: int
    stored: int
    older: int
    mistakes: tuple[BadLine, ...]
    ahead: int = 0

    def answer(self) -> IngestAnswer:
        """The result as JSON, for ``--json``."""
        return {
            "success": not self.mistakes,
            "accounts": self.accounts,
            "stored": self.stored,
            "older": self.older,
            "ahead": self.ahead,
            "mistakes": [{"line": mistake.line, "reason": mistake.reason} for mistake in self.mistakes],
        }


def read_text(file: BinaryIO, name: str) -> str:
    """Read all of ``file``. Bytes that are not UTF-8 are replaced, so that only their lines are wrong.

    Raises `UnreadableFile` if it is too large.
    """
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UnreadableFile(f"{name}: larger than {MAX_BYTES // 2**20} MB; split it")
    return content.decode("utf-8-sig", errors="replace")


def format_of(name: str, text: str) -> Format:
    """The format by the file's suffix, else by its first character: JSON lines begin with a brace."""
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".jsonl", ".ndjson", ".json"):
        return "csv" if suffix == ".csv" else "jsonl"
    return "jsonl" if text.lstrip().startswith("{") else "csv"


async def ingest(where: Location, text: str, form: Format, now: datetime) -> Ingested:
    """Store the valid lines of ``text`` in the database at ``where``, in one transaction.

    Raises `DatabaseError`.
    """
    async with open_existing(where, read_only=False) as database:
        known_accounts = [entry.account for entry in await accounts.everyone(database)]
        lines = list(read_rows(io.StringIO(text, newline=""), form))
        rows, mistakes = [row for row in lines if isinstance(row, Row)], [r for r in lines if isinstance(r, BadLine)]
        matched, torn = match(rows, known_accounts)
        if not (lines or text.strip()):
            mistakes.append(BadLine(1, "the input is empty; did what should have written it fail?"))
        mistakes += [*torn, *_unknown_accounts(rows, {*(row.line for _, row in matched), *(bad.line for bad in torn)})]
        values = [row.of(account, BY_HAND, now) for account, row in matched]
        stored = await parsed_values.put(database, values, now)
    mistakes.sort(key=lambda mistake: mistake.line)
    ahead = sum(is_ahead(value.parsed_at, now) for value in values)
    return Ingested(len({v.account_id for v in values}), stored, len(values) - stored, tuple(mistakes), ahead)


def _unknown_accounts(rows: Iterable[Row], matched: set[int]) -> list[BadLine]:
    return [
        BadLine(row.line, f"no account has this {'link' if row.link else 'account_id'}")
        for row in rows
        if row.line not in matched
    ]


class NothingToForget(SmartSyncError):
    """No parsed value that counts matches the request."""


async def forget(
    settings: Settings, account: str | None, source: str | None, metric: str | None, now: datetime
) -> ForgetAnswer:
    """Take back parsed values: of ``account`` (link, ``@username`` or id), of ``source``, of one ``metric``.

    They have no vote from the next pass on, wherever they stand, and whichever source brings them again; only values
    that were parsed later have one.  The values themselves stay where they are.  Raises `NothingToForget`,
    `DatabaseError` and `ConfigError`.
    """
    vote_terms = terms(stamp(now), None)
    async with open_existing(settings.database.where, read_only=False) as database:
        query = await parsed_query.prepare(database, settings.parsed.query)
        meant = await (accounts.everyone(database) if account is None else accounts.find(database, account))
        links = {known.account.id: known.account.link for known in meant}
        marks_by_account: list[tuple[str, list[Mark]]] = []
        for project in {known.project.id: known.project for known in meant}.values():
            only = None if account is None else list(links)
            for one in await account_states.parsed_of_project(database, project, query, only):
                wanted = [s for s in one.said if source in (None, s.source) and metric in (None, s.metric)]
                marks_by_account.append(
                    (one.account_id, take_back(wanted, one.past, one.whose, vote_terms, any_source=source is None))
                )
        if not any(taken for _, taken in marks_by_account):
            raise NothingToForget(_nothing(account, source, metric, known=bool(meant)))
        async with database.transaction() as transaction:
            marks = ((account_id, mark) for account_id, taken in marks_by_account for mark in taken)
            await vote_records.save_marks(transaction, marks, stamp(now))
    values: list[ForgottenValue] = [
        {"account_id": key, "link": links[key], "metric": mark.metric, "value": mark.value, "source": mark.source}
        for key, taken in marks_by_account
        for mark in taken
    ]
    return {"success": True, "forgotten": len(values), "values": values}


def _nothing(account: str | None, source: str | None, metric: str | None, *, known: bool) -> str:
    if account is not None and not known:
        return f"no account matches {account!r}; give its link, its id or its name"
    filters = [f"of {account}"] * (account is not None) + [f"from the source {source!r}"] * (source is not None)
    return (
        f"no parsed value{f' for {metric}' if metric else ''} {' '.join(filters)} has a vote; see: smart-sync explain"
    )
