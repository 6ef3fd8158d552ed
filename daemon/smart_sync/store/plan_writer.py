"""Writes plans: all rows together, and project by project only if that is refused.

From outside in, each for what the next cannot do: `write_in_transactions` (what ends a transaction),
`_write_projects` (accounts that are gone meanwhile), `write_account_rows` (rows that a table refuses),
`_write_tables` (a statement per table).

Measured with 100 projects of 1,000 accounts: a commit for each took 7 of the 11 seconds of writing, since each
writes the same pages of the same tables and indexes again; sixteen to a commit left 2 of 4.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import METRICS
from smart_sync.core.results.outcomes import Written
from smart_sync.errors import SmartSyncError
from smart_sync.store import absences, open_suspects, pin_rows, projects, sheet_edits, snapshots, vote_records
from smart_sync.store.engine import OF_THE_WHOLE, Database, Refused, StoreError, Transaction, ignored, write_or_split
from smart_sync.store.growth_rows import ABOVE_ZERO
from smart_sync.store.snapshots import SnapshotRules

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
    f" {', '.join(f'{m}_known_since, {m}_carried_since' for m in METRICS)}, link,"
    f" {', '.join(f'{m}_counted' for m in METRICS)})"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?12, ?12, ?12, ?12, "
    + ", ".join(
        f"CASE WHEN CAST(?{n} AS TEXT) IS NOT NULL THEN ?12 END, CASE WHEN ?{n} = 'carried' THEN ?12 END"
        for n in range(7, 12)
    )
    + ", ?13, ?14, ?15, ?16, ?17, ?18) ON CONFLICT (account_id) DO UPDATE SET updated_at = excluded.updated_at,"
    # The old link stays here: `vote_records.save` records a change of the link.
    " link = coalesce(account_metrics.link, excluded.link), "
    + ", ".join(
        f"{m} = excluded.{m}, {m}_winner = excluded.{m}_winner, {m}_counted = excluded.{m}_counted, {m}_changed_at ="
        f" CASE WHEN account_metrics.{m} = excluded.{m} THEN account_metrics.{m}_changed_at"
        f" ELSE excluded.{m}_changed_at END,"
        # Since when it has a value, and since when that is carried, both without a break: the earlier stamp stays.  A
        # stored one that is later than now is of a clock that was ahead.
        f" {m}_known_since = CASE WHEN account_metrics.{m}_known_since < excluded.{m}_known_since"
        f" THEN account_metrics.{m}_known_since ELSE excluded.{m}_known_since END,"
        f" {m}_carried_since = CASE WHEN account_metrics.{m}_carried_since < excluded.{m}_carried_since"
        f" THEN account_metrics.{m}_carried_since ELSE excluded.{m}_carried_since END"
        for m in METRICS
    )
)
_UPSERT_SEEN = (
    f"INSERT INTO parsed_seen (account_id, {_NAMES}) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (account_id) DO UPDATE SET " + ", ".join(f"{m} = excluded.{m}" for m in METRICS)
)

# An account that the web app had before us: what it has shown above 0 was known then.
_KNOWN_BEFORE = (
    "UPDATE account_metrics SET "
    + ", ".join(
        f"{m}_known_since = CASE WHEN s.{m} < {m}_known_since THEN s.{m} ELSE {m}_known_since END" for m in METRICS
    )
    + " FROM (SELECT CAST(account_id AS TEXT) AS account_id, "
    + ", ".join(f"min(CASE WHEN {ABOVE_ZERO.format(m=m)} THEN at END) AS {m}" for m in METRICS)
    + " FROM (SELECT *, strftime('%Y-%m-%dT%H:%M:%f', snapshot_time) || '000' AS at FROM account_snapshots"
    " WHERE account_id IN (SELECT value FROM json_each(?))) t GROUP BY 1) s"
    " WHERE account_metrics.account_id = s.account_id"
)


#: Refusals after which several projects no longer share a transaction: where a rule of a table refuses everything, it
#: would last (20,000 accounts: 90 s) until each account has been tried, and nobody else could write meanwhile.
MAX_REFUSALS = 200

#: Awaited in the transaction that writes, with what became of each project: what must be committed with it.
Record = Callable[[Transaction, Mapping[str, Written]], Awaitable[None]]


async def write_in_transactions(
    database: Database,
    plans: Sequence[Plan],
    writing: SnapshotRules,
    worksheet_rows: Mapping[str, int],
    record: Record | None = None,
) -> dict[str, Written | StoreError]:
    """Write ``plans`` in one transaction, since a commit costs more than its rows; return each project's result.

    ``worksheet_rows``: project id → how many rows its worksheet has.  What ends the transaction may be the fault of one
    project: then each has a transaction of its own.  One that is alone is tried once more if the database is at fault:
    a server's connection was lost, say, or it met another writer.  Where not even a transaction can be begun, nothing
    more is tried.
    """
    became: dict[str, Written | StoreError] = {}
    waiting: list[tuple[Sequence[Plan], bool]] = [(plans, True)]
    while waiting:
        some, again = waiting.pop(0)
        begun = False
        try:
            async with database.transaction() as transaction:
                begun = True
                written = await _write_projects(transaction, some, writing, worksheet_rows)
                if record is not None:
                    await record(transaction, written)
            became |= written
        except StoreError as error:
            if not begun:
                # Each of the others would wait as long for a server that is away.
                return {plan.project.id: error for plan in plans} | became
            if len(some) > 1:
                waiting = [([plan], True) for plan in some]
            elif again and isinstance(error, OF_THE_WHOLE):
                waiting.insert(0, (some, False))
            else:
                became[some[0].project.id] = error
    return became


async def _write_projects(
    transaction: Transaction, plans: Sequence[Plan], writing: SnapshotRules, worksheet_rows: Mapping[str, int]
) -> dict[str, Written]:
    """Write all of ``plans`` in one transaction, without accounts that were deleted or moved while the pass decided.

    Raises `StoreError` if the database is in trouble; the transaction must be given up then.
    """
    existing = await projects.accounts_of(transaction, [plan.project.id for plan in plans])
    left = [
        plan if existing[plan.project.id].issuperset(plan.account_ids) else plan.only(existing[plan.project.id])
        for plan in plans
    ]
    written = await write_account_rows(transaction, left, writing)
    await absences.save_projects(transaction, {plan.project.id: plan for plan in left}, writing.now, worksheet_rows)
    return written


async def write_account_rows(
    transaction: Transaction, plans: Sequence[Plan], writing: SnapshotRules
) -> dict[str, Written]:
    """Write the rows of the accounts of ``plans``, which need not exist yet.

    If they cannot be written as a whole, each plan is tried by itself, then each of its accounts; those that cannot be
    written are left as they were.  Raises `Refused` where so much of several plans is refused that each is to have a
    transaction of its own.
    """
    refusals = 0

    def parts(some: Sequence[Plan]) -> Iterable[Sequence[Plan]]:
        nonlocal refusals
        refusals += 1
        if refusals > MAX_REFUSALS and len(plans) > 1:
            raise Refused("too many rows are refused", SmartSyncError("too many rows are refused"))
        return _parts(some)

    made, refused = await write_or_split(
        transaction, plans, parts, lambda some: _write_tables(transaction, some, writing)
    )
    failed: dict[str, dict[str, str]] = {plan.project.id: {} for plan in plans}
    for (part,), reason in refused:
        failed[part.project.id] |= dict.fromkeys(part.account_ids, reason)
    new = {account_id for one in made for account_id in one.new}
    without = {account_id for one in made for account_id in one.refused}
    return {
        plan.project.id: Written(
            len(new.intersection(plan.snapshots)),
            failed[plan.project.id],
            tuple(account_id for account_id in plan.snapshots if account_id in without),
        )
        for plan in plans
    }


def _parts(plans: Sequence[Plan]) -> Iterable[Sequence[Plan]]:
    """Two halves, down to one account: a refused one then costs no more than writing twice as many.

    (A column of four bytes refuses one value of twenty thousand, pass after pass.)
    """
    if len(plans) > 1:
        middle = len(plans) // 2
        return [plans[:middle], plans[middle:]]
    (plan,) = plans
    middle = len(plan.account_ids) // 2
    halves = (plan.account_ids[:middle], plan.account_ids[middle:]) if middle else ()
    return [[plan.only(frozenset(account_ids))] for account_ids in halves]


async def _write_tables(
    transaction: Transaction, plans: Sequence[Plan], writing: SnapshotRules
) -> snapshots.WrittenSnapshots:
    """Write every row of ``plans``, one statement per table; return the results for snapshots.

    The rows are generators: they are made in the database's thread, not on the event loop.
    """
    await sheet_edits.save(transaction, plans, writing.now)
    # What is decided meanwhile takes as long as this needs the database.
    async with snapshots.deciding(transaction, plans, writing) as needed:
        await _write_metrics(transaction, plans, writing)
        await pin_rows.put(transaction, (pin for plan in plans for pin in plan.pinned))
        await pin_rows.remove(transaction, (pin for plan in plans for pin in plan.unpinned))
        votes = [change for plan in plans for change in plan.parsed_changes]
        await vote_records.save(transaction, votes, writing.now)
        await absences.save_accounts(transaction, plans, writing.now)
        await open_suspects.save(transaction, plans, writing.now)
        return await snapshots.write(transaction, plans, writing, needed)


async def _write_metrics(transaction: Transaction, plans: Sequence[Plan], writing: SnapshotRules) -> None:
    """Write what the sheets and the parsers say, and what was merged of it."""
    now = writing.now
    merged = [row for plan in plans for row in plan.merged]
    await transaction.execute_many(
        _UPSERT_SHEET,
        (
            (v.account_id, *v.metrics, now, plan.project.name, v.row, plan.project.id, ",".join(sorted(v.emptied)))
            for plan in plans
            for v in plan.sheet
        ),
    )
    await snapshots.end_carried_stretches(transaction, plans, writing)
    begin_anew = [row for row in merged if row.restarted]
    for metric in METRICS:
        await transaction.execute_many(
            f"UPDATE account_metrics SET {metric}_known_since = NULL WHERE account_id = ?",
            [(row.account_id,) for row in begin_anew if metric in row.restarted],
        )
    written = await transaction.execute_many(
        _UPSERT_MERGED, ((row.account_id, *row.values, *row.winners, now, row.link, *row.counted) for row in merged)
    )
    if written < len(merged) and written < len({row.account_id for row in merged}):
        raise ignored()
    if new := [row.account_id for row in merged if row.before is None]:
        await transaction.execute(_KNOWN_BEFORE, (json.dumps(new),))
    await transaction.execute_many(
        _UPSERT_SEEN, ((account_id, *metrics) for plan in plans for account_id, metrics in plan.seen)
    )
