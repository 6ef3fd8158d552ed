"""Parsers' state across restarts: ``parser_states``, ``parser_accounts``, ``parser_requests``."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from smart_sync.core.days import moment, stamp
from smart_sync.core.foreign_text import read_json
from smart_sync.core.results.parser_health import ParserState
from smart_sync.core.schedule import LONGEST_PAUSE, Asked
from smart_sync.store.engine import Database, Transaction, upsert

_COLUMNS = "parser, since, told_at, recovered_at, reason, projects"


@dataclass(frozen=True, slots=True)
class FailingParser:
    """A parser that fails, or that cannot read a part of its source; times are stamps.

    ``since``: since when it is failing, None if it brings values; ``told_at``: when that was told, None before.
    """

    parser: str
    since: str | None
    told_at: str | None
    reason: str
    #: The names of the projects whose accounts it is asked about.
    projects: str = ""

    @property
    def must_be_told(self) -> bool:
        """Whether a person should know: its failure was reported, or a part of its source is unreadable."""
        return self.since is None or self.told_at is not None

    def __str__(self) -> str:
        if self.since is None:
            return f"{self.parser}: {self.reason}"
        concerned = f" (of {self.projects})" if self.projects else ""
        return f"{self.parser}{concerned} has been failing since {self.since[:16].replace('T', ' ')} UTC: {self.reason}"


def to_tell(failing: Iterable[FailingParser], names: Collection[str]) -> list[str]:
    """Those of the parsers ``names`` that a person should know about, with reasons."""
    return [str(one) for one in failing if one.must_be_told and one.parser in names]


async def load_states(transaction: Transaction, parsers: Iterable[str]) -> dict[str, ParserState]:
    """The stored states of ``parsers``; others are deleted."""
    rows = await transaction.fetch(f"SELECT {_COLUMNS} FROM parser_states")
    states = {row[0]: ParserState(*row[1:]) for row in rows}
    wanted = set(parsers)
    await transaction.execute_many(
        "DELETE FROM parser_states WHERE parser = ?", [(name,) for name in states if name not in wanted]
    )
    return {name: state for name, state in states.items() if name in wanted}


async def told_failing(transaction: Transaction) -> dict[str, ParserState]:
    """The parsers that still fail and whose failure was reported."""
    rows = await transaction.fetch(
        f"SELECT {_COLUMNS} FROM parser_states WHERE since IS NOT NULL AND told_at IS NOT NULL"
    )
    return {row[0]: ParserState(*row[1:]) for row in rows}


async def save_states(transaction: Transaction, states: Mapping[str, ParserState]) -> None:
    """Store the states of parsers."""
    await transaction.execute_many(
        upsert("parser_states", _COLUMNS, "parser"),
        [(name, s.since, s.told_at, s.recovered_at, s.reason, s.projects) for name, s in states.items()],
    )


#: The parsers whose last passes were bad in whole or in part, by name, in the order of `FailingParser`.
FAILING_COLUMNS = "parser, since, told_at, reason, projects"
FAILING = f"SELECT {FAILING_COLUMNS} FROM parser_states WHERE since IS NOT NULL OR reason != '' ORDER BY parser"


async def failing(database: Database) -> list[FailingParser]:
    """The parsers whose last passes failed wholly or partly, by name."""
    return [FailingParser(*row) for row in await database.glance(FAILING)]


WINDOW = timedelta(days=1)
REQUESTS_OF_ONE = "SELECT at, requests FROM parser_requests WHERE parser = ? ORDER BY at"


@dataclass(frozen=True, slots=True)
class Grant:
    """Requests that may be made; if none, not before ``free_at``."""

    requests: int
    free_at: datetime
    #: What the budget has left besides them.
    beyond: int = 0


async def reserve(
    database: Database, parser: str, budget: int, wanted: int, now: datetime, until: datetime, block: str
) -> Grant:
    """Reserve up to ``wanted`` requests for ``parser``, to be made before ``until``, of a 24-hour ``budget``.

    They count from ``until`` on, until `settle` says how many were made: so a process that ends without a word has
    taken too many, never too few.  ``block`` is the new id of the grant.
    """
    since = stamp(now - WINDOW)
    async with database.transaction() as transaction:
        await transaction.execute("DELETE FROM parser_requests WHERE at <= ?", (since,))
        # Those of a clock that was days ahead count from now on: it is not known when they were made.
        late = stamp(max(now, until) + WINDOW)
        await transaction.execute(
            "UPDATE parser_requests SET at = ? WHERE parser = ? AND at > ?", (stamp(now), parser, late)
        )
        rows = await transaction.fetch(REQUESTS_OF_ONE, (parser,))
        left = budget - sum(row[1] for row in rows)
        granted = min(wanted, left)
        if granted > 0:
            await transaction.execute(
                "INSERT INTO parser_requests (id, parser, at, requests) VALUES (?, ?, ?, ?)",
                (block, parser, stamp(max(now, until)), granted),
            )
            return Grant(granted, now, left - granted)
    oldest = next((row[0] for row in rows if row[1]), stamp(now))
    return Grant(0, moment(oldest) + WINDOW)


async def settle(database: Database, blocks: dict[str, int], now: datetime) -> None:
    """Record for each block how many requests were made, the last before ``now``."""
    async with database.transaction() as transaction:
        await transaction.execute_many(
            "DELETE FROM parser_requests WHERE id = ?", [(b,) for b, n in blocks.items() if not n]
        )
        await transaction.execute_many(
            "UPDATE parser_requests SET requests = ?, at = ? WHERE id = ?",
            [(made, stamp(now), block) for block, made in blocks.items() if made],
        )


async def requests_made(database: Database, now: datetime) -> dict[str, int]:
    """A parser's table → the requests that count against its budget."""
    rows = await database.glance(
        "SELECT parser, sum(requests) FROM parser_requests WHERE at > ? GROUP BY parser", (stamp(now - WINDOW),)
    )
    return {str(row[0]): int(row[1]) for row in rows}


_ACCOUNT_COLUMNS = "account_id, link, asked_at, next_at, failures, gone, counted, remembered"


@dataclass(frozen=True, slots=True)
class Kept:
    """The stored data about one parser's accounts."""

    #: By account id.
    asked: Mapping[str, Asked]
    #: By account id; only those of which something is remembered.
    remembered: Mapping[str, Mapping[str, str]]
    #: Until when nobody may be asked, and why.
    paused: tuple[datetime, str] | None


async def load(database: Database, parser: str) -> Kept:
    """The stored data of ``parser``."""
    rows = await database.fetch(f"SELECT {_ACCOUNT_COLUMNS} FROM parser_accounts WHERE parser = ?", (parser,))
    pauses = await database.fetch("SELECT until, reason FROM parser_pauses WHERE parser = ?", (parser,))
    asked = {
        row[0]: Asked(row[1], moment(row[2]), None if row[3] is None else moment(row[3]), row[4], bool(row[5]), row[6])
        for row in rows
    }
    remembered = {row[0]: texts for row in rows if row[7] != "{}" and (texts := _texts(row[7]))}
    return Kept(asked, remembered, (moment(pauses[0][0]), pauses[0][1]) if pauses else None)


async def keep(
    transaction: Transaction,
    parser: str,
    asked: Mapping[str, Asked],
    remembered: Mapping[str, Mapping[str, str]],
    paused: tuple[datetime, str] | None,
) -> None:
    """Store the changes of ``parser``; ``remembered`` by link."""
    await transaction.execute_many(
        upsert("parser_accounts", f"parser, {_ACCOUNT_COLUMNS}", "parser, account_id"),
        [
            (
                parser,
                account_id,
                one.link,
                stamp(one.at),
                None if one.not_before is None else stamp(one.not_before),
                one.failures,
                int(one.gone),
                one.counted,
                json.dumps(dict(remembered.get(one.link, {}))),
            )
            for account_id, one in asked.items()
        ],
    )
    if paused is not None:
        until, reason = paused
        await transaction.execute(
            upsert("parser_pauses", "parser, until, reason", "parser"), (parser, stamp(until), reason)
        )


async def forget_deleted(transaction: Transaction) -> None:
    """Delete the data of accounts that no longer exist."""
    await transaction.execute(
        "DELETE FROM parser_accounts WHERE account_id NOT IN"
        " (SELECT CAST(id AS TEXT) FROM project_social_accounts WHERE id IS NOT NULL)"
    )


async def pauses(database: Database, now: datetime) -> dict[str, str]:
    """A parser's table → the stamp before which it makes no requests."""
    rows = await database.glance(
        "SELECT parser, until FROM parser_pauses WHERE until > ? AND until <= ?",
        (stamp(now), stamp(now + LONGEST_PAUSE)),
    )
    return {str(row[0]): str(row[1]) for row in rows}


def _texts(written: str) -> dict[str, str]:
    """The texts in the object ``written``; anything else in it is dropped."""
    try:
        texts = read_json(written)
    except ValueError:
        return {}
    return {k: v for k, v in texts.items() if isinstance(v, str)} if isinstance(texts, dict) else {}
