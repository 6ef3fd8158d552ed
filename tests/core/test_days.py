"""One answer to which day a number belongs to: `[schedule] timezone`, for the view, growth, explain and the report."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smart_sync.admin.history import growth
from smart_sync.core.days import clock_changes, day_of, stamp
from smart_sync.core.model import METRICS, Trigger
from smart_sync.report.explain import explain
from smart_sync.report.query import read
from smart_sync.store.clock_changes import local_day
from smart_sync.store.schema import open_database
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import NOON, World, link

#: Both changes of the clocks; far ahead and far behind; clocks that change at midnight, and by half an hour.
ZONES = [
    "UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles", "America/Sao_Paulo", "Africa/Cairo",
    "Asia/Beirut", "Australia/Lord_Howe",
]  # fmt: skip
WEB_APP = (
    "SELECT DATE(snapshot_time) AS date, followers, views FROM account_snapshots WHERE account_id = ?"
    " ORDER BY snapshot_time DESC LIMIT 30"
)


def days_in_sql(zone: str, moments: Sequence[str]) -> list[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE clock_changes (since TEXT PRIMARY KEY, ahead TEXT) WITHOUT ROWID")
        connection.executemany("INSERT INTO clock_changes VALUES (?, ?)", clock_changes(zone))
        return [connection.execute(f"SELECT {local_day('?1')}", (moment,)).fetchone()[0] for moment in moments]


@pytest.mark.parametrize("zone", ZONES)
def test_sqlite_and_a_pass_mean_the_same_day(zone: str) -> None:
    """For each half hour of some years of changes, in each notation of time, SQL's day is the pass's day."""
    start = datetime(2017, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(minutes=30 * step, microseconds=999_999) for step in range(48 * 365 * 2)]
    days = [day_of(moment, zone).label for moment in moments]
    assert days_in_sql(zone, [stamp(moment) for moment in moments]) == days
    assert days_in_sql(zone, [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments[:500]]) == days[:500]
    kolkata = ZoneInfo("Asia/Kolkata")
    assert days_in_sql(zone, [moment.astimezone(kolkata).isoformat() for moment in moments[:500]]) == days[:500]


@settings(deadline=None)
@given(st.integers(0, 4_102_444_799), st.sampled_from(sorted(available_timezones())))
def test_every_zone_is_known_to_sqlite(second: int, zone: str) -> None:
    """Whatever the zone and the moment from 1970 to 2099, SQL's day is that of the zone's clocks."""
    moment = datetime.fromtimestamp(second, UTC)
    assert days_in_sql(zone, [stamp(moment)]) == [moment.astimezone(ZoneInfo(zone)).date().isoformat()]


def test_a_time_that_is_none_has_no_day() -> None:
    """Nor has one that is missing; UTC needs no rows at all."""
    assert days_in_sql("Europe/Berlin", ["whenever", ""]) == [None, None]
    assert clock_changes("UTC") == clock_changes("Etc/GMT") == ()


async def told_days(world: World, account: str) -> list[tuple[str, int, int | None]]:
    """What explain says of the followers of an account, oldest first."""
    (found,) = (await explain(world.settings, link(account), METRICS, world.now))["accounts"]
    return [(day["day"], day["followers"], day["followers_delta"]) for day in reversed(found["days"])]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize("around", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
async def test_each_local_day_grows_from_the_one_before(world: World, zone: str, around: datetime) -> None:
    """With passes near midnight across a change of clocks, no day is lost, doubled or without its difference; and
    view, growth, explain, report and the web app's own query all see them."""
    world.add_project("P", ["a"])
    world.sections["schedule"] = {"timezone": zone}
    first = (around - timedelta(days=3)).date()
    # Now just after a day's midnight, now just before its end: the worst that a pass can choose.
    local = [datetime.combine(first + timedelta(days=n), datetime.min.time(), ZoneInfo(zone)) for n in range(7)]
    moments = [
        day + (timedelta(minutes=1) if n % 2 else timedelta(hours=23, minutes=59)) for n, day in enumerate(local)
    ]
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        for number, moment in enumerate(moments):
            world.now = moment.astimezone(UTC)
            world.sheet("P", a=[1000 + number] * 5)
            await SyncPass(resources).run(PassRequest(Trigger.TIMER))
    labels = [(first + timedelta(days=n)).isoformat() for n in range(7)]
    assert await told_days(world, "a") == [(day, 1000 + n, 1 if n else None) for n, day in enumerate(labels)]
    answer = await growth(world.where, None, "followers", 6, world.now)
    assert (answer["days"], answer["accounts"][0]["values"]) == (labels, [*range(1000, 1007)])
    ((account,),) = (project.accounts for project in (await read(world.where, None, 90, world.now)).projects)
    assert [date.fromordinal(day).isoformat() for day in account.history.days] == labels
    assert [row[1:] for row in world.execute(WEB_APP, ("account-a",))] == [(n, n) for n in range(1006, 999, -1)]


async def test_a_zone_that_is_changed_decides_for_old_snapshots_too(world: World) -> None:
    """The next opening counts all days by the new clocks; no snapshot is touched."""
    world.add_project("P", ["a"])
    for moment in ("2026-03-08T09:30:00", "2026-03-08T23:30:00", "2026-03-09T23:30:00"):
        world.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        world.sections["schedule"] = {"timezone": "Europe/Berlin"}
        world.sheet("P", a=[world.now.day * 100 + world.now.hour] * 5)
        await world.sync()
    kept = world.snapshots()
    seen = {}
    for zone in ("Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles", "UTC"):
        async with open_database(world.where, zone):
            seen[zone] = await told_days(world, "a")
    # The newest of a day counts: in Los Angeles all of 8 March (UTC) is one day.
    assert seen == {
        "Europe/Berlin": [("2026-03-08", 809, None), ("2026-03-09", 823, 14), ("2026-03-10", 923, 100)],
        "Pacific/Kiritimati": [("2026-03-08", 809, None), ("2026-03-09", 823, 14), ("2026-03-10", 923, 100)],
        "America/Los_Angeles": [("2026-03-08", 823, None), ("2026-03-09", 923, 100)],
        "UTC": [("2026-03-08", 823, None), ("2026-03-09", 923, 100)],
    }
    async with open_database(world.where):
        assert await told_days(world, "a") == seen["UTC"], "who names no zone changes none"
    assert world.snapshots() == kept


async def test_no_day_is_left_out_where_the_zone_is_changed(world: World) -> None:
    """A day of the new zone gets its snapshot, though one of the old zone bore the same date."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    for zone, moment in (("Europe/Berlin", datetime(2026, 3, 10, 23, 30, tzinfo=UTC)), ("UTC", NOON + timedelta(1))):
        world.now = moment
        world.sections["schedule"] = {"timezone": zone}
        assert (await world.sync_one()).counts.snapshots == 1
    assert [day for day, *_ in await told_days(world, "a")] == ["2026-03-10", "2026-03-11"]


async def test_duplicates_and_gaps_of_other_writers_go_by_local_days(world: World) -> None:
    """Of several snapshots of a local day, in whatever notation, the last counts; a missing local day is a gap."""
    world.add_project("P", ["a"])
    async with open_database(world.where, "America/Los_Angeles"):
        pass
    rows = [
        ("2026-11-24 07:30:00", 1),  # the 23rd in Los Angeles
        ("2026-11-24T08:30:00", 2),
        ("2026-11-25T06:00:00+02:00", 3),  # 20:00 on the 24th
        ("2026-11-25 03:00:00", 4),  # 19:00 on the 24th, an hour earlier
        ("2026-11-27T07:59:59.999999", 5),  # the last moment of the 26th
        ("whenever", 6),
    ]
    for time, followers in rows:
        world.execute(
            "INSERT INTO account_snapshots (id, account_id, followers, snapshot_time) VALUES (?, 'account-a', ?, ?)",
            (f"web-{followers}", followers, time),
        )
    assert await told_days(world, "a") == [
        ("2026-11-23", 1, None), ("2026-11-24", 3, 2), ("2026-11-26", 5, None),
    ]  # fmt: skip


async def test_today_is_the_zones_today(world: World) -> None:
    """`growth` ends with the day it is in the zone, not with the day it is in Greenwich."""
    evening = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    for zone, today in (("Europe/Berlin", "2026-03-11"), ("America/Los_Angeles", "2026-03-10")):
        async with open_database(world.where, zone):
            assert (await growth(world.where, None, "views", 1, evening))["until"] == today
