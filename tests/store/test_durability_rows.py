"""What other writers and clocks may do: rows that violate everything, bytes that are no text, days that jump."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from smart_sync.core.model import METRICS, Outcome, Trigger
from smart_sync.errors import DatabaseError
from smart_sync.store.postgres import server_connection
from smart_sync.store.sqlite.database import SqliteDatabase
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import World, link

NO_TEXT = b"\xff\xfe\xed\xa0\x80\x00\xc3"
#: What SQLite lets anybody put into any column, whatever its type says.
JUNK: Sequence[Any] = (None, -1, 2**63 - 1, -(2**63), 9.3e18, 1e308, 0.5, "", "junk", "1_000", "NaN", b"", NO_TEXT)
#: The same bytes as TEXT: invalid UTF-8.
AS_TEXT = "CAST(? AS TEXT)"


@pytest.fixture
def honest(world: World) -> World:
    """A project among the junk, which must come out right whatever happens to the others."""
    world.add_project("Honest", ["a"])
    world.sheet("Honest", a=[7] * 5)
    return world


async def check_honest(world: World) -> None:
    """A pass ends, and the honest project is right."""
    for value in (7, 8):
        world.sheet("Honest", a=[value] * 5)
        result = await world.sync()
        (own,) = (one for one in result.results if one.project.name == "Honest")
        assert own.outcome is Outcome.SYNCED
        assert world.merged("a") == (value,) * 5
    assert len(world.snapshots("a")) == 1
    assert world.execute("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.sqlite
@pytest.mark.parametrize("mark", ["?", AS_TEXT])
@pytest.mark.parametrize("column", ["name", "google_sheet_name", "id"])
async def test_projects_that_violate_everything(honest: World, column: str, mark: str) -> None:
    """Whatever stands in a column of `projects`, the pass ends and the other projects are right."""
    for number, junk in enumerate(JUNK):
        row = {"id": f"x{number}", "name": f"X{number}", "google_sheet_name": None, column: junk}
        marks = ", ".join(mark if name == column else "?" for name in row)
        honest.execute(f"INSERT OR IGNORE INTO projects ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    await check_honest(honest)


@pytest.mark.sqlite
@pytest.mark.parametrize("mark", ["?", AS_TEXT])
@pytest.mark.parametrize("column", ["id", "project_id", "platform", "username", "profile_link", "is_active"])
async def test_accounts_that_violate_everything(honest: World, column: str, mark: str) -> None:
    """Whatever stands in a column of `project_social_accounts`, good accounts of the same project are right."""
    for number, junk in enumerate(JUNK):
        row = {
            "id": f"x{number}", "project_id": "project-Honest", "platform": "tiktok", "username": f"x{number}",
            "profile_link": link(f"x{number}"), "is_active": 1, column: junk,
        }  # fmt: skip
        marks = ", ".join(mark if name == column else "?" for name in row)
        honest.execute(
            f"INSERT OR IGNORE INTO project_social_accounts ({', '.join(row)}) VALUES ({marks})", list(row.values())
        )
    await check_honest(honest)


@pytest.mark.sqlite
@pytest.mark.parametrize("mark", ["?", AS_TEXT])
@pytest.mark.parametrize("metric", METRICS)
async def test_an_inbox_that_violates_everything(honest: World, metric: str, mark: str) -> None:
    """Whatever a script puts into `parsed_metrics`, it counts as no value unless it is a count."""
    accounts = [f"j{number}" for number in range(len(JUNK))]
    honest.add_project("Junk", accounts)
    honest.sheet("Junk", **{account: [1] * 5 for account in accounts})
    for account, junk in zip(accounts, JUNK, strict=True):
        honest.execute(
            f"INSERT INTO parsed_metrics (account_id, {metric}) VALUES (?, {mark})", (f"account-{account}", junk)
        )
    await check_honest(honest)
    at = METRICS.index(metric)
    merged = {account: (honest.merged(account) or ())[at] for account in accounts}
    largest = f"j{JUNK.index(2**63 - 1)}"
    assert merged.pop(largest) == 2**63 - 1
    assert set(merged.values()) == {1}


@pytest.mark.sqlite
@pytest.mark.parametrize("mark", ["?", AS_TEXT])
@pytest.mark.parametrize("column", ["account_id", "snapshot_time", *METRICS])
async def test_snapshots_that_violate_everything(honest: World, column: str, mark: str) -> None:
    """Whatever stands in a snapshot of another writer, the day's own is made once and the growth can be read."""
    for number, junk in enumerate(JUNK):
        row = {
            "id": f"x{number}", "account_id": "account-a", "snapshot_time": "1999-12-31 08:00:00",
            **dict.fromkeys(METRICS, 1), column: junk,
        }  # fmt: skip
        marks = ", ".join(mark if name == column else "?" for name in row)
        honest.execute(f"INSERT INTO account_snapshots ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    for value in (7, 8):
        honest.sheet("Honest", a=[value] * 5)
        await honest.sync()
        assert honest.merged("a") == (value,) * 5
    assert honest.execute("SELECT count(*) FROM account_snapshots WHERE snapshot_time LIKE '2026-03-10%'") == [(1,)]
    with closing(sqlite3.connect(honest.path)) as connection:
        connection.text_factory = bytes
        connection.execute("SELECT * FROM account_growth").fetchall()


@pytest.mark.sqlite
@pytest.mark.parametrize("mark", ["?", AS_TEXT])
@pytest.mark.parametrize("table", ["account_metrics", "sheet_metrics", "worksheet_reads", "suspects"])
async def test_our_own_tables_with_a_strangers_rows(honest: World, table: str, mark: str) -> None:
    """Rows of ours that another program has spoilt stop nothing, and what is in the sheet is right again."""
    await honest.sync()
    columns = [row[1] for row in honest.execute(f"PRAGMA table_info({table})")][1:]
    async with opened(honest.settings, Reporter(), clock=lambda: honest.now) as resources:
        for number, junk in enumerate(JUNK):
            for column in columns:
                honest.execute(f'UPDATE OR IGNORE {table} SET "{column}" = {mark}', (junk,))
            honest.sheet("Honest", a=[100 + number] * 5)
            await SyncPass(resources).run(PassRequest(Trigger.CLI))
            assert honest.merged("a") == (100 + number,) * 5


@pytest.mark.sqlite
@pytest.mark.parametrize("table", ["account_metrics", "sheet_metrics", "worksheet_reads"])
async def test_spoilt_rows_are_written_anew_though_nothing_else_has_changed(honest: World, table: str) -> None:
    """Where the sheet is as it was, a spoilt row of ours is still put right; and harmless while Google is away."""
    await honest.sync()
    for column in [row[1] for row in honest.execute(f"PRAGMA table_info({table})")][1:]:
        if column != "gone_since":  # a row that is gone would not be looked at
            honest.execute(f'UPDATE OR IGNORE {table} SET "{column}" = ?', (NO_TEXT,))
    honest.google.fail("batch", times=1, status=403)
    (away,) = (await honest.sync()).results
    assert away.outcome is Outcome.DEGRADED
    await honest.sync()
    assert honest.merged("a") == (7,) * 5


async def test_a_winner_that_is_none_is_decided_anew(honest: World) -> None:
    """Strategy "latest" goes by who won last; where another program has written nonsense there, it forgets that."""
    honest.sections["merge"] = {"strategy": "latest"}
    await honest.sync()
    before = honest.winners("a")
    honest.execute("UPDATE account_metrics SET views_winner = 'nonsense', likes_winner = ''")
    await honest.sync()
    assert honest.winners("a") == before


# Days.


async def test_a_clock_that_jumps_a_day_ahead_and_back_makes_one_snapshot_per_day(world: World) -> None:
    """± a day, in any order and repeatedly: each day has one snapshot, and each merged value is the newest."""
    world.add_project("P", ["a"])
    today = world.now
    for number, days in enumerate((0, 1, 0, -1, 1, 0, -1)):
        world.now = today + timedelta(days=days)
        world.sheet("P", a=[number] * 5)
        await world.sync()
        assert world.merged("a") == (number,) * 5
    assert [row[0][:10] for row in world.snapshots()] == ["2026-03-09", "2026-03-10", "2026-03-11"]


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
async def test_days_of_23_and_25_hours_have_one_snapshot_each(world: World, day: datetime) -> None:
    """Where clocks are put forward or back, each day of the configured zone has one snapshot, of its last pass."""
    berlin = ZoneInfo("Europe/Berlin")
    world.add_project("P", ["a"])
    world.sections["schedule"] = {"timezone": "Europe/Berlin"}
    moments = [day + timedelta(hours=step) for step in range(-3, 28)]
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        for number, moment in enumerate(moments):
            world.now = moment
            world.sheet("P", a=[number] * 5)
            await SyncPass(resources).run(PassRequest(Trigger.TIMER))
    made = [datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in world.snapshots()]
    last = {moment.astimezone(berlin).date(): moment for moment in moments}
    assert made == sorted(last.values())


async def test_midnight_inside_a_pass_does_not_split_it(world: World) -> None:
    """A pass has one time and one day: all its snapshots are of the day on which it began."""
    world.add_project("P", ["a"])
    world.add_project("Q", ["b"])
    world.sheet("P", a=[1] * 5)
    world.sheet("Q", b=[1] * 5)
    began = datetime(2026, 3, 10, 23, 59, 59, 999000, tzinfo=UTC)
    times = iter([began])

    def clock() -> datetime:
        return next(times, began + timedelta(seconds=2))

    async with opened(world.settings, Reporter(), clock=clock) as resources:
        await SyncPass(resources).run(PassRequest(Trigger.TIMER))
        assert {row[0][:10] for row in world.snapshots()} == {"2026-03-10"}
        await SyncPass(resources).run(PassRequest(Trigger.TIMER))
    assert sorted(row[0][:10] for row in world.snapshots()) == ["2026-03-10"] * 2 + ["2026-03-11"] * 2


async def test_rows_that_somebody_holds_for_too_long_fail_the_project_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass ends in time and says how to find the holder; the next one is right."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    monkeypatch.setitem(server_connection._SESSION, "lock_timeout", "100")
    given = SqliteDatabase.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(SqliteDatabase.__init__, "__kwdefaults__", {**given, "patience": 0.2})
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        with world.held():
            told = await _failure(SyncPass(resources))
        assert "find it in pg_stat_activity" in told if world.url else "find it with fuser" in told
        assert (await SyncPass(resources).run(PassRequest(Trigger.CLI))).results[0].outcome is Outcome.SYNCED
    assert world.merged("a") == (1,) * 5


async def _failure(sync_pass: SyncPass) -> str:
    """Why a pass failed: as a whole, where nothing can be written, or its project."""
    try:
        return (await sync_pass.run(PassRequest(Trigger.CLI))).results[0].error
    except DatabaseError as error:
        return str(error)
