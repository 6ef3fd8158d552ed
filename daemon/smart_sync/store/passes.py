"""Doing what a plan says: a savepoint per project, and one per account only where it is needed."""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from smart_sync.core.days import Day
from smart_sync.core.model import METRICS, NAMESPACE
from smart_sync.core.outcomes import Written
from smart_sync.core.plan import Plan
from smart_sync.store import edits, missing, projects, suspects
from smart_sync.store.apart import together_or_apart
from smart_sync.store.database import Database, Transaction

_NAMES = ", ".join(METRICS)
_UPSERT_SHEET = (
    f'INSERT INTO sheet_metrics (account_id, {_NAMES}, read_at, worksheet, "row", project_id, held)'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (account_id) DO UPDATE SET gone_since = NULL, gone_clock = 0, gone_at_once = 0, gone_accepted = 0, "
    + ", ".join(
        f"{name} = excluded.{name}" for name in (*METRICS, "read_at", "worksheet", '"row"', "project_id", "held")
    )
)
_UPSERT_MERGED = (
    f"INSERT INTO account_metrics (account_id, {_NAMES}, {', '.join(f'{m}_winner' for m in METRICS)},"
    f" {', '.join(f'{m}_changed_at' for m in METRICS)}, updated_at,"
    f" {', '.join(f'{m}_known_since, {m}_carried_since' for m in METRICS)})"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?12, ?12, ?12, ?12, "
    + ", ".join(f"iif(?{n} IS NULL, NULL, ?12), iif(?{n} = 'carried', ?12, NULL)" for n in range(7, 12))
    + ") ON CONFLICT (account_id) DO UPDATE SET updated_at = excluded.updated_at, "
    + ", ".join(
        f"{m} = excluded.{m}, {m}_winner = excluded.{m}_winner, {m}_changed_at ="
        f" CASE WHEN {m} = excluded.{m} THEN {m}_changed_at ELSE excluded.{m}_changed_at END,"
        # Since when it has a value, or stands in, without a break.
        f" {m}_known_since = iif(excluded.{m}_known_since IS NULL, NULL,"
        f" coalesce({m}_known_since, excluded.{m}_known_since)),"
        f" {m}_carried_since = iif(excluded.{m}_carried_since IS NULL, NULL,"
        f" coalesce({m}_carried_since, excluded.{m}_carried_since))"
        for m in METRICS
    )
)
_UPSERT_SEEN = (
    f"INSERT INTO parsed_seen (account_id, {_NAMES}) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (account_id) DO UPDATE SET " + ", ".join(f"{m} = excluded.{m}" for m in METRICS)
)
# A day may hold rows of other writers, in other notations ("2026-11-24 08:00:00"): the plain
# comparison narrows the search for an index, datetime() decides.
_TODAYS = """
SELECT id, account_id FROM account_snapshots
WHERE account_id IN (SELECT value FROM json_each(?))
  AND snapshot_time >= ? AND snapshot_time < ?
  AND datetime(snapshot_time) >= datetime(?) AND datetime(snapshot_time) < datetime(?)
ORDER BY datetime(snapshot_time), id
"""


@dataclass(frozen=True, slots=True)
class Writing:
    """How to write: the pass's one time and day, and what to do with a day that has its snapshot."""

    now: str
    day: Day
    update_snapshots: bool = False


async def write_plan(transaction: Transaction, plan: Plan, writing: Writing, *, worksheet_rows: int = 0) -> Written:
    """Write all of ``plan``.

    If the whole cannot be written, each account is tried by itself and those that cannot be are left
    as they were.  Raises the driver's error if the file is in trouble; the transaction must be given up then.
    """
    there = await projects.account_ids(transaction, plan.project)
    if not there.issuperset(plan.account_ids):  # deleted, or moved to another project, while the pass decided
        plan = plan.only(there)
    written = await write_accounts(transaction, plan, writing)
    await missing.save_project(transaction, plan, writing.now, worksheet_rows)
    return written


async def write_accounts(transaction: Transaction, plan: Plan, writing: Writing) -> Written:
    """The part of `write_plan` that is about the accounts, whether they are there or not."""
    snapshots, refused = await together_or_apart(
        transaction, plan, _parts, lambda part: _write(transaction, part, writing)
    )
    return Written(sum(snapshots), {part.account_ids[0]: reason for part, reason in refused})


def _parts(plan: Plan) -> Iterable[Plan]:
    """The plan account by account."""
    sheet = {row.account_id: row for row in plan.sheet}
    merged = {row.account_id: row for row in plan.merged}
    seen = dict(plan.seen)
    absent = {row.account_id: row for row in plan.absent}
    with_snapshot = set(plan.snapshot_ids)
    for account_id in plan.account_ids:
        yield replace(
            plan,
            account_ids=(account_id,),
            snapshot_ids=(account_id,) if account_id in with_snapshot else (),
            sheet=(sheet[account_id],) if account_id in sheet else (),
            merged=(merged[account_id],) if account_id in merged else (),
            seen=((account_id, seen[account_id]),) if account_id in seen else (),
            edits=tuple(edit for edit in plan.edits if edit.account_id == account_id),
            absent=(absent[account_id],) if account_id in absent else (),
            left={account_id: plan.left[account_id]} if account_id in plan.left else {},
            returned={account_id: plan.returned[account_id]} if account_id in plan.returned else {},
            deactivated=plan.deactivated & {account_id},
            reactivated=plan.reactivated & {account_id},
            conflicts=tuple(conflict for conflict in plan.conflicts if conflict.account_id == account_id),
            suspects=plan.suspects.only((account_id,)),
        )


async def _write(transaction: Transaction, plan: Plan, writing: Writing) -> int:
    """Write every row of ``plan``; returns the number of new snapshots.

    The rows are generators: they are made in the database's thread, not on the event loop.
    """
    now = writing.now
    await transaction.execute_many(
        _UPSERT_SHEET,
        (
            (v.account_id, *v.metrics, now, plan.project.name, v.row, plan.project.id, ",".join(sorted(v.held)))
            for v in plan.sheet
        ),
    )
    await transaction.execute_many(
        _UPSERT_MERGED, ((row.account_id, *row.values, *row.winners, now) for row in plan.merged)
    )
    await transaction.execute_many(_UPSERT_SEEN, ((account_id, *metrics) for account_id, metrics in plan.seen))
    await edits.save(transaction, plan, now)
    await missing.save_accounts(transaction, plan, now)
    await suspects.save(transaction, plan, now)
    return await _snapshot(transaction, plan, writing)


async def _snapshot(transaction: Transaction, plan: Plan, writing: Writing) -> int:
    """The day's snapshot for each account that has none; refreshed instead where the configuration says so."""
    todays = await _todays_snapshots(transaction, plan, writing.day)
    absent = [account_id for account_id in plan.snapshot_ids if account_id not in todays]
    if writing.update_snapshots:
        await _refresh(transaction, [(todays[a], a) for a in plan.account_ids if a in todays])
    return await _insert_snapshots(transaction, absent, writing)


async def snapshots_to_come(database: Database, plan: Plan, day: Day) -> int:
    """How many snapshots writing ``plan`` would make."""
    todays = await _todays_snapshots(database, plan, day)
    return sum(account_id not in todays for account_id in plan.snapshot_ids)


async def _todays_snapshots(source: Database | Transaction, plan: Plan, day: Day) -> dict[str, str]:
    """Account id → the id of its last snapshot of the day."""
    earliest = (datetime.fromisoformat(day.start) - timedelta(days=1)).date().isoformat()
    latest = (datetime.fromisoformat(day.end) + timedelta(days=1)).date().isoformat()
    rows = await source.fetch(_TODAYS, (json.dumps(plan.account_ids), earliest, latest, day.start, day.end))
    return {str(account_id): snapshot_id for snapshot_id, account_id in rows}


async def _insert_snapshots(transaction: Transaction, account_ids: Collection[str], writing: Writing) -> int:
    columns, values = _NAMES, ", ".join(f"m.{name}" for name in METRICS)
    if account_ids and await _has_fetched_column(transaction):
        columns, values = f"{columns}, total_videos_fetched", f"{values}, m.videos"
    return await transaction.execute_many(
        f"INSERT INTO account_snapshots (id, account_id, snapshot_time, {columns})"
        f" SELECT ?, m.account_id, ?, {values} FROM account_metrics m WHERE m.account_id = ?"
        " ON CONFLICT DO NOTHING",
        ((snapshot_id(a, writing.day), writing.now, a) for a in account_ids),
    )


async def _has_fetched_column(transaction: Transaction) -> bool:
    sql = "SELECT 1 FROM pragma_table_info('account_snapshots') WHERE name = 'total_videos_fetched'"
    return bool(await transaction.fetch(sql))


async def _refresh(transaction: Transaction, snapshots: Sequence[tuple[str, str]]) -> None:
    names = ", ".join(f"s.{name}" for name in METRICS)
    values = ", ".join(f"m.{name}" for name in METRICS)
    await transaction.execute_many(
        # The time stays: the web app dates snapshots by UTC, and another time might be of another of its days.
        f"UPDATE account_snapshots AS s SET ({_NAMES}) = ({values})"
        f" FROM account_metrics m WHERE s.id = ? AND m.account_id = ? AND ({names}) IS NOT ({values})",
        list(snapshots),
    )


_SHA1 = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)


def snapshot_id(account_id: str, day: Day) -> str:
    """The id of an account's snapshot of a day: the same wherever and however often it is made.

    It is ``uuid.uuid5(NAMESPACE, "<account id>:<the day's start>")``, in a third of the time.  By the start: where the
    time zone is changed, another day may bear the same label.
    """
    digest = _SHA1.copy()
    digest.update(f"{account_id}:{day.start}".encode())
    octets = bytearray(digest.digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x50
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
