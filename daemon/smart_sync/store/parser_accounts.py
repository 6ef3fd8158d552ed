"""Whom the parsers have asked about, and when they may ask again, kept over restarts and reloads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from smart_sync.core.days import moment, stamp
from smart_sync.core.foreign_text import read_json
from smart_sync.core.polling import Asked
from smart_sync.store.database import Database, Transaction

_COLUMNS = "account_id, link, asked_at, next_at, failures, gone, counted, remembered"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database knows of one parser's accounts."""

    #: By account id.
    asked: Mapping[str, Asked]
    #: By account id; only those of which something is remembered.
    remembered: Mapping[str, Mapping[str, str]]
    #: Until when nobody may be asked, and why.
    paused: tuple[datetime, str] | None


async def load(database: Database, parser: str) -> Kept:
    """What is known of ``parser``."""
    rows = await database.fetch(f"SELECT {_COLUMNS} FROM parser_accounts WHERE parser = ?", (parser,))
    pauses = await database.fetch("SELECT until, reason FROM parser_pauses WHERE parser = ?", (parser,))
    asked = {
        row[0]: Asked(row[1], moment(row[2]), None if row[3] is None else moment(row[3]), row[4], bool(row[5]), row[6])
        for row in rows
    }
    remembered = {row[0]: found for row in rows if row[7] != "{}" and (found := _texts(row[7]))}
    return Kept(asked, remembered, (moment(pauses[0][0]), pauses[0][1]) if pauses else None)


async def keep(
    transaction: Transaction,
    parser: str,
    asked: Mapping[str, Asked],
    remembered: Mapping[str, Mapping[str, str]],
    paused: tuple[datetime, str] | None,
) -> None:
    """Keep what has changed of ``parser``; ``remembered`` by link."""
    await transaction.execute_many(
        f"INSERT OR REPLACE INTO parser_accounts (parser, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            "INSERT OR REPLACE INTO parser_pauses VALUES (?, ?, ?)", (parser, stamp(until), reason)
        )


async def forget_the_deleted(transaction: Transaction) -> None:
    """Forget the accounts that there are no longer."""
    await transaction.execute(
        "DELETE FROM parser_accounts WHERE account_id NOT IN"
        " (SELECT CAST(id AS TEXT) FROM project_social_accounts WHERE id IS NOT NULL)"
    )


async def pauses(database: Database, now: datetime) -> dict[str, str]:
    """Table of the parser → the stamp before which it asks nobody."""
    rows = await database.glance("SELECT parser, until FROM parser_pauses WHERE until > ?", (stamp(now),))
    return {str(row[0]): str(row[1]) for row in rows}


def _texts(written: str) -> dict[str, str]:
    """The object of texts in ``written``; whatever else it holds is forgotten."""
    try:
        found = read_json(written)
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
