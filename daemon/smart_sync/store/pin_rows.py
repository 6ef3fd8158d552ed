"""Which values are pinned: the table ``pins``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from smart_sync.core.explain_answer import PinnedAnswer
from smart_sync.core.model import MAX_COUNT, METRICS
from smart_sync.core.pins import CELL, COMMAND, Pin
from smart_sync.core.state import as_text
from smart_sync.store.engine import Database, Reader, Transaction, upsert

_COLUMNS = "metric, value, since, place, pinned_by, until, why"
_PUT = upsert("pins", f"account_id, {_COLUMNS}", "account_id, metric, place")


class PinnedAccount(NamedTuple):
    """A pin, and whose it is."""

    account_id: str
    link: str
    project_id: str
    project_name: str
    pin: Pin

    def answer(self) -> PinnedAnswer:
        """As ``smart-sync pins --json`` has it."""
        return {
            "account_id": self.account_id,
            "link": self.link,
            "project_id": self.project_id,
            "project_name": self.project_name,
            **self.pin.answer(),
        }


# Pins are few: they are gone through first, and their accounts looked up.
_IS_OF_PROJECTS = """EXISTS (
    SELECT 1 FROM project_social_accounts a
    WHERE a.id = pins.account_id AND a.project_id IN (SELECT value FROM json_each(?))
)"""
_OF_PROJECTS = f"SELECT account_id, {_COLUMNS} FROM pins WHERE {_IS_OF_PROJECTS} ORDER BY account_id, metric, place"


async def of_projects(source: Reader, project_ids: Sequence[str]) -> Mapping[str, tuple[Pin, ...]]:
    """The pins of all accounts of some projects, by account id; a spoilt one is none."""
    found: dict[str, tuple[Pin, ...]] = {}
    for account_id, *told in await source.fetch(_OF_PROJECTS, (json.dumps(project_ids),)):
        if (pin := _pin(told)) is not None:
            found[account_id] = (*found.get(account_id, ()), pin)
    return found


async def everything(database: Database) -> list[PinnedAccount]:
    """All pins of accounts that there are, by project, account and metric."""
    rows = await database.fetch(
        "SELECT CAST(a.id AS TEXT), a.profile_link, CAST(p.id AS TEXT), p.name, "
        + ", ".join(f"n.{column}" for column in _COLUMNS.split(", "))
        + " FROM pins n JOIN project_social_accounts a ON CAST(a.id AS TEXT) = n.account_id"
        " LEFT JOIN projects p ON p.id = a.project_id ORDER BY p.name, a.profile_link, n.metric, n.place"
    )
    listed = []
    for account_id, link, project_id, name, *told in rows:
        if (pin := _pin(told)) is not None:
            listed.append(PinnedAccount(account_id, as_text(link), as_text(project_id), as_text(name), pin))
    return listed


def _pin(told: Sequence[Any]) -> Pin | None:
    metric, value, since, place, by, until, why = told
    if metric not in METRICS or type(value) is not int or not 0 <= value <= MAX_COUNT or place not in (CELL, COMMAND):
        return None
    return Pin(metric, value, as_text(since), place, as_text(by), as_text(until) or None, as_text(why))


async def merged_value(database: Database, account_id: str, metric: str) -> int | None:
    """The merged value of an account's metric; None where nobody knows one."""
    rows = await database.fetch(
        f"SELECT {metric} FROM account_metrics WHERE account_id = ? AND {metric}_winner IS NOT NULL", (account_id,)
    )
    return rows[0][0] if rows and type(rows[0][0]) is int else None


async def put(transaction: Transaction, pins: Iterable[tuple[str, Pin]]) -> None:
    """Keep pins of accounts (by id); each takes the place of an earlier one of its metric and place."""
    await transaction.execute_many(
        _PUT, [(account_id, p.metric, p.value, p.since, p.place, p.by, p.until, p.why) for account_id, p in pins]
    )


async def remove(transaction: Transaction, pins: Iterable[tuple[str, Pin]]) -> None:
    """Forget pins of accounts (by id)."""
    await transaction.execute_many(
        "DELETE FROM pins WHERE account_id = ? AND metric = ? AND place = ? AND since = ?",
        [(account_id, pin.metric, pin.place, pin.since) for account_id, pin in pins],
    )


async def remove_past(transaction: Transaction, project_ids: Sequence[str], today: str) -> None:
    """Forget what the command has pinned of accounts of these projects until a day before ``today`` (labels)."""
    await transaction.execute(
        f"DELETE FROM pins WHERE {_IS_OF_PROJECTS} AND place = ? AND until < ?",
        (json.dumps(project_ids), COMMAND, today),
    )


async def remove_commands(transaction: Transaction, account_ids: Iterable[str], metric: str | None) -> int:
    """Take back what the command has pinned of accounts, of one metric or of all; how many pins that were."""
    return await transaction.execute(
        "DELETE FROM pins WHERE place = ?1 AND account_id IN (SELECT value FROM json_each(?2))"
        " AND (CAST(?3 AS TEXT) IS NULL OR metric = ?3)",
        (COMMAND, json.dumps(sorted(account_ids)), metric),
    )
