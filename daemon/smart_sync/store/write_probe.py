"""Finds out what the database would refuse: the shared tables have the web app's types and constraints."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime

from smart_sync.config import SyncSettings
from smart_sync.core.counts import Counts
from smart_sync.core.days import day_of, stamp
from smart_sync.core.merge.day_snapshot import snapshot_id
from smart_sync.core.merge.decisions import Merged
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import METRICS, Account, Metrics, Project
from smart_sync.errors import DatabaseError
from smart_sync.store import plan_writer, projects, snapshots
from smart_sync.store.engine import Database, Refused, StoreError, Transaction

_PROJECT = Project("00000000-0000-5000-8000-000000000001", "Smart Sync")
_ACCOUNT = Account(
    "00000000-0000-5000-8000-000000000002", _PROJECT.id, "tiktok", "smartsync", "https://www.tiktok.com/@smartsync"
)
#: With the default the web app need not give an id, as it need not where SQLite numbers the rows.  Renaming a new table
#: would be shorter, but SQLite refuses it while a view reads the old one.
_TEXT_IDS = (
    "its ids are numbers, ours are text: with the web app stopped, copy the rows away, drop {table}, create it with"
    " id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16))), copy them back"
)
_TEXT_IDS_OF_SERVER = (
    "its ids are numbers, ours are text: with the web app stopped, and our views dropped if a pass has made them"
    " (docs/how-to/postgres.md), ALTER TABLE {table} ALTER COLUMN id DROP IDENTITY IF EXISTS; ALTER TABLE {table} ALTER"
    " COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE text, ALTER COLUMN id SET DEFAULT gen_random_uuid()"
)
_CHANGED = "a rule of the table writes other values than it is given"
#: What either engine says, and what to do.
_REMEDIES = (
    (_CHANGED, "drop it, or let it leave the rows of Smart Sync alone"),
    (r"datatype mismatch|cannot store", _TEXT_IDS),
    (r"invalid input syntax for type (?:bigint|integer|smallint)|insert a non-DEFAULT value into", _TEXT_IDS_OF_SERVER),
    (r'null value in column "([^"]+)" of relation "projects"', r"say its value: [sync.defaults.projects] \1 = …"),
    (
        r'null value in column "([^"]+)" of relation "project_social_accounts"',
        r"say its value: [sync.defaults.accounts] \1 = …",
    ),
    (r'null value in column "([^"]+)"', r"give \1 a default, or let it be NULL"),
    (r'column "([^"]+)" of relation "[^"]+" does not exist', r"ALTER TABLE {table} ADD COLUMN \1 TEXT"),
    (r"NOT NULL constraint failed: projects\.(\S+)", r"say its value: [sync.defaults.projects] \1 = …"),
    (r"NOT NULL constraint failed: project_social_accounts\.(\S+)", r"say its value: [sync.defaults.accounts] \1 = …"),
    (r"NOT NULL constraint failed: (\S+)", r"give \1 a default, or let it be NULL"),
    (r"has no column named (\w+)", r"ALTER TABLE {table} ADD COLUMN \1 TEXT"),
    (
        r"permission denied for (table|sequence|schema|function|view) (\S+)",
        r"a trigger or a constraint of {table} needs the \1 \2: GRANT the role of [database] url the right",
    ),
    (r"", "loosen what the web app demands of it"),
)


async def refusals(empty: Database, account_id: str | None, sync: SyncSettings, now: datetime) -> list[str]:
    """A line for each table that refuses new rows, with the remedy, found by writing into ``empty``.

    ``empty`` is a copy of the schema, and will hold what was accepted; ``account_id`` is one of those in use.
    """

    async def snapshot(transaction: Transaction) -> None:
        await _write_snapshot(transaction, account_id or _ACCOUNT.id, now)

    async def project(transaction: Transaction) -> None:
        more = sync.defaults.projects
        _raise_first((await projects.create_projects(transaction, [_PROJECT], stamp(now), more))[1])

    async def account(transaction: Transaction) -> None:
        # A foreign key may ask for its project.
        project_ids = await transaction.fetch("SELECT CAST(id AS TEXT) FROM projects WHERE id IS NOT NULL LIMIT 1")
        if not project_ids:
            await projects.create_projects(transaction, [_PROJECT], stamp(now), sync.defaults.projects)
        project_id = project_ids[0][0] if project_ids else _PROJECT.id
        new, more = replace(_ACCOUNT, project_id=project_id), sync.defaults.accounts
        _raise_first((await projects.create_accounts(transaction, [new], stamp(now), more))[1])

    otherwise = ', or set [sync] create_missing = "none"'
    lines = [await _refusal(empty, "account_snapshots", "snapshots, and with each its account's numbers", snapshot)]
    # Of columns that are not there the configuration is to be mended, not the table.
    creates = "none" if await projects.unknown_in(empty, dict(sync.defaults)) else sync.create_missing
    if creates == "projects":
        lines += [await _refusal(empty, "projects", "new projects", project, otherwise)]
    if creates != "none":
        lines += [await _refusal(empty, "project_social_accounts", "new accounts", account, otherwise)]
    return [line for line in lines if line]


async def _refusal(
    empty: Database, table: str, what: str, write: Callable[[Transaction], Awaitable[None]], otherwise: str = ""
) -> str:
    try:
        async with empty.transaction() as transaction:
            await write(transaction)
    except StoreError as error:
        reason = str(error)
        matches = ((re.search(pattern, reason), remedy) for pattern, remedy in _REMEDIES)
        remedy = next(match.expand(remedy) for match, remedy in matches if match).replace("{table}", table)
        return f"table {table} refuses {what}: {reason}; {remedy}{otherwise}"
    return ""


async def _write_snapshot(transaction: Transaction, account_id: str, now: datetime) -> None:
    """Write a snapshot as the first pass of a day does. Raises `StoreError`."""
    day = day_of(now, "UTC")
    row_id = snapshot_id(account_id, day.start)
    await transaction.execute("SAVEPOINT todays")
    try:  # with one that is there already nothing would be tried
        await transaction.execute("DELETE FROM account_snapshots WHERE id = ?", (row_id,))
    except StoreError:  # which only takes back what nobody has a value for any more
        await transaction.execute("ROLLBACK TO todays")
    await transaction.execute("RELEASE todays")
    merged = Merged(account_id, Metrics(*[1] * len(METRICS)), (None,) * len(METRICS), None)
    plan = Plan(_PROJECT, Counts(accounts=1), (account_id,), {account_id: merged.values}, merged=(merged,))
    written = await plan_writer.write_account_rows(transaction, [plan], snapshots.SnapshotRules(stamp(now), day))
    _raise_first(written[_PROJECT.id].failed)
    names = ", ".join(METRICS)
    rows = await transaction.fetch(f"SELECT {names} FROM account_snapshots WHERE id = ?", (row_id,))
    if rows and any(str(value) not in ("1", "1.0") for value in rows[0]):
        _raise_first({account_id: _CHANGED})


def _raise_first(refused: Mapping[str, str]) -> None:
    """Raise `Refused` for the first of the refusals."""
    for reason in refused.values():
        raise Refused(reason, DatabaseError(reason))
