"""The snapshot of the day, as the web app reads it: it follows the merged values, and every date keeps its row."""

import contextlib
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.days import Day, day_of, stamp
from smart_sync.core.merge.day_snapshot import (
    OwnSnapshots,
    SnapshotAction,
    StoredSnapshot,
    snapshot_action,
    snapshot_id,
)
from smart_sync.core.model import METRICS, NAMESPACE, Outcome, Trigger
from smart_sync.report.explain import explain
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, NOON, World, link

NAMES = ", ".join(METRICS)
ZONES = ["UTC", "Europe/Moscow", "America/Los_Angeles", "Pacific/Kiritimati", "Europe/Berlin"]
#: How the web app looks at an account.
NEWEST = f"SELECT {NAMES} FROM account_snapshots WHERE account_id = ? ORDER BY snapshot_time DESC LIMIT 1"
A_DAY_AGO = (
    "SELECT snapshot_time, followers FROM account_snapshots WHERE account_id = ?1 AND datetime(snapshot_time) <="
    " datetime(?2, '-24 hours') ORDER BY snapshot_time DESC LIMIT 1"
)
BY_DATE = "SELECT date(snapshot_time), followers FROM account_snapshots WHERE account_id = ? ORDER BY snapshot_time"

values = st.tuples(*(st.integers(0, 2) for _ in METRICS))
dates = st.sampled_from(["2026-03-09", "2026-03-10", "2026-03-11"])
LABEL = "2026-03-10"
DAY = Day(LABEL, "2026-03-10T00:00:00.000000", "2026-03-11T00:00:00.000000")
OWN = snapshot_id("a", DAY.start)


@given(st.lists(st.tuples(st.sampled_from([OWN, "theirs"]), dates, values), max_size=4), values, dates)
def test_a_second_pass_with_nothing_new_does_nothing(
    rows: list[tuple[str, str, tuple[int, ...]]], merged: tuple[int, ...], today: str
) -> None:
    """Whatever stands in the day, what a pass leaves there is what the next one would leave, and shows the values."""
    seen = sorted(
        (StoredSnapshot(*row) for row in {row[0]: row for row in rows}.values()), key=lambda one: one.utc_date
    )
    done, row_id = snapshot_action("a", seen, merged, today, DAY)
    assert row_id in ("", snapshot_id("a", DAY.start))
    theirs = [one for one in seen if one.id != OWN]
    own = [one for one in seen if one.id == OWN]
    after = {
        SnapshotAction.NOTHING: seen,
        SnapshotAction.INSERT: [*seen, StoredSnapshot(OWN, today, merged)],
        SnapshotAction.MOVE: [*theirs, StoredSnapshot(OWN, today, merged)],
        SnapshotAction.REFRESH: [one._replace(values=merged) if one.id == OWN else one for one in seen],
    }[done]
    assert snapshot_action("a", after, merged, today, DAY) == (SnapshotAction.NOTHING, "")
    assert own or done is not SnapshotAction.MOVE
    if today <= LABEL:
        assert after[-1].values == merged, "the newest shows the merged values"
    if today == LABEL:
        assert after[-1].utc_date >= LABEL, "the date that bears the label has its row"


#: Zones and dates with something of their own: clocks change in Los Angeles, in Berlin, and in Los Angeles back; in the
#: other zones they never do.  The rest is tried at length.
OF_THEIR_OWN = {
    *(("UTC", 8), ("America/Los_Angeles", 8), ("Pacific/Kiritimati", 8)),
    *(("Europe/Berlin", 29), ("Europe/Moscow", 29), ("America/Los_Angeles", 1)),
}
CHANGES = [
    pytest.param(zone, around, marks=() if (zone, around.day) in OF_THEIR_OWN else pytest.mark.at_length)
    for around in (date(2026, 3, 8), date(2026, 3, 29), date(2026, 11, 1))
    for zone in ZONES
]


@pytest.mark.parametrize(("zone", "around"), CHANGES)
async def test_the_web_app_finds_the_merged_values_in_every_zone(world: World, zone: str, around: date) -> None:
    """With a pass every 45 minutes over clock changes and midnights: the newest row has the merged values after each
    pass, every UTC date and every local day has its row, and a local day has one."""
    world.add_project("P", ["a"])
    world.sections["schedule"] = {"timezone": zone}
    world.sections["sheets"] = world.google.settings(world.folder, KEY, reads_per_minute=3000)
    last_of_day: dict[str, int] = {}
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        sync = SyncPass(resources)
        for number in range(64 * 2):
            start = datetime(around.year, around.month, around.day, tzinfo=UTC)
            world.now = start + timedelta(minutes=45 * number, seconds=number)
            followers = 1000 + number // 3 if number % 40 < 30 else 1000 + number // 40
            world.sheet("P", a=[followers, 1, 2, 3, 4])
            await sync.run(PassRequest(Trigger.TIMER))
            last_of_day[day_of(world.now, zone).label] = followers
            assert world.execute(NEWEST, ("account-a",)) == [(followers, 1, 2, 3, 4)]
            today = world.now.date().isoformat()
            by_date = dict(world.execute(BY_DATE, ("account-a",)))
            if today <= day_of(world.now, zone).label:
                assert by_date[today] == followers, "the last of this UTC date"
            if number > 66:  # two days: there is one to compare with, and it has what its day ended with
                ((at, value),) = world.execute(A_DAY_AGO, ("account-a", stamp(world.now)))
                assert value == last_of_day[day_of(datetime.fromisoformat(at).replace(tzinfo=UTC), zone).label]
    rows = world.snapshots("a")
    days = [day_of(datetime.fromisoformat(row[0]).replace(tzinfo=UTC), zone).label for row in rows]
    assert [(day, row[1]) for day, row in zip(days, rows, strict=True)] == sorted(last_of_day.items())
    # Behind Greenwich the day that is not over yet has no row in the UTC date after it.
    first, last = (datetime.fromisoformat(row[0]).date() for row in (rows[0], rows[-1]))
    assert {datetime.fromisoformat(row[0]).date() for row in rows} == {
        first + timedelta(days=n) for n in range((last - first).days + 1)
    }
    growth = world.execute("SELECT day, followers FROM account_growth WHERE account_id = 'account-a' ORDER BY day")
    assert growth == sorted(last_of_day.items())


async def test_a_project_that_is_unchanged_gets_the_row_of_each_date(world: World) -> None:
    """A daemon that remembers what it decided from still writes the row of a new local day and of a new UTC date."""
    world.add_project("P", ["a"])
    world.sections["schedule"] = {"timezone": "Europe/Moscow"}
    world.sheet("P", a=[7] * 5)
    seen = []
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        for hours in (0, 6, 8, 9, 10, 12.5, 13):  # local midnight after 9 hours, the one of UTC after 12
            world.now = NOON + timedelta(hours=hours)
            (result,) = (await SyncPass(resources).run(PassRequest(Trigger.TIMER))).results
            seen.append((result.outcome, result.counts.changed, len(world.snapshots()), world.snapshots()[-1][0][:16]))
    assert seen == [
        (Outcome.SYNCED, 1, 1, "2026-03-10T12:00"),
        (Outcome.UNCHANGED, 0, 1, "2026-03-10T12:00"),
        (Outcome.UNCHANGED, 0, 1, "2026-03-10T12:00"),
        (Outcome.SYNCED, 0, 2, "2026-03-10T21:00"),
        (Outcome.UNCHANGED, 0, 2, "2026-03-10T21:00"),
        (Outcome.UNCHANGED, 0, 2, "2026-03-11T00:30"),
        (Outcome.UNCHANGED, 0, 2, "2026-03-11T00:30"),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "Pacific/Kiritimati"])
async def test_a_second_master_is_never_fought(world: World, zone: str) -> None:
    """Beside a web app that writes a row of its own every minute there is one row of ours a day, refreshed once a pass;
    its rows stay as they are, and where they are equal nothing is written."""
    world.add_project("P", ["a"])
    world.sections["schedule"] = {"timezone": zone}
    world.sheet("P", a=[5] * 5)
    theirs = []
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        for minute in range(90):
            world.now = NOON + timedelta(minutes=minute)
            row = (f"web-{minute}", "account-a", *[9 if minute < 60 else 5] * 5, f"{world.now:%Y-%m-%d %H:%M:%S}")
            world.execute("INSERT INTO account_snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            theirs.append(row)
            if minute % 30 == 29:
                world.now += timedelta(seconds=30)
                (result,) = (await SyncPass(resources).run(PassRequest(Trigger.TIMER))).results
                assert result.counts.changed == (1 if minute == 29 else 0)
                assert world.execute(NEWEST, ("account-a",)) == [(5,) * 5]
    assert world.execute("SELECT * FROM account_snapshots WHERE id LIKE 'web-%' ORDER BY snapshot_time") == theirs
    ((ours,),) = world.execute("SELECT snapshot_time FROM account_snapshots WHERE id NOT LIKE 'web-%'")
    assert ours == stamp(NOON + timedelta(minutes=59, seconds=30)), "the last pass found theirs equal"


async def test_fractions_of_a_second_decide_which_is_the_last(world: World) -> None:
    """Of two rows of one second the later one is the day's, for the view, for explain and for the next pass."""
    world.add_project("P", ["a"])
    world.now = NOON + timedelta(milliseconds=600)
    world.sheet("P", a=[5] * 5)
    await world.sync()
    for number, (fraction, last) in enumerate([(".400", 5), (".7", 9)]):
        world.execute(
            "INSERT INTO account_snapshots VALUES (?, 'account-a', 9, 9, 9, 9, 9, ?)",
            (f"0{number}", f"2026-03-10 12:00:00{fraction}"),
        )
        assert world.execute("SELECT followers FROM account_growth") == [(last,)]
        (told,) = (await explain(world.settings, link("a"), ("followers",), world.now))["accounts"]
        assert [day["followers"] for day in told["days"]] == [last]
    world.now += timedelta(minutes=1)
    await world.sync()
    assert world.execute("SELECT followers FROM account_growth") == [(5,)]


async def test_skip_keeps_the_first_of_the_day(world: World) -> None:
    """`on_existing = "skip"`: the day stays as its first pass, or another writer, left it."""
    world.add_project("P", ["a", "b"])
    world.sections["snapshots"] = {"on_existing": "skip"}
    world.execute("INSERT INTO account_snapshots VALUES ('web', 'account-b', 1, 1, 1, 1, 1, '2026-03-10 08:00:00')")
    for followers in (5, 6):
        world.sheet("P", a=[followers] * 5, b=[followers] * 5)
        await world.sync()
        world.now += timedelta(hours=1)
    assert (world.snapshots("a"), world.snapshots("b")) == (
        [(stamp(NOON), *[5] * 5)], [("2026-03-10 08:00:00", *[1] * 5)]
    )  # fmt: skip


async def test_total_videos_fetched_follows(world: World) -> None:
    """A refreshed row of an installation that has the column shows the videos in it too."""
    world.add_project("P", ["a"])
    world.execute("ALTER TABLE account_snapshots ADD COLUMN total_videos_fetched INTEGER")
    for videos in (4, 7):
        world.sheet("P", a=[1, 2, 3, videos, 5])
        await world.sync()
        world.now += timedelta(hours=1)
        assert world.execute("SELECT videos, total_videos_fetched FROM account_snapshots") == [(videos, videos)]


@pytest.mark.parametrize("lives_on", [False, True])
async def test_a_snapshot_that_the_table_refuses_is_told_in_each_pass(world: World, lives_on: bool) -> None:
    """A unique index of one row a day leaves no room beside the web app's: readers do not see the merged values."""
    world.add_project("P", ["a", "b"])
    world.execute("CREATE UNIQUE INDEX one_a_day ON account_snapshots (account_id, substr(snapshot_time, 1, 10))")
    world.execute(
        "INSERT INTO account_snapshots (id, account_id, views, snapshot_time) VALUES ('theirs', 'account-a', 9, ?)",
        (stamp(world.now),),
    )
    told = []
    async with world.opened() if lives_on else contextlib.nullcontext(world.sync) as run:
        for edited in range(3):
            world.sheet("P", a=[1] * 5, b=[edited] * 5)
            (one,) = (await run()).results
            told.append([str(problem) for problem in one.problems])
            assert (one.outcome, one.code) == (Outcome.DEGRADED, "two-masters")
            assert one.error.startswith("a rule of account_snapshots refuses the row of the day of 1 account:")
    assert [len(problems) for problems in told] == [1] * 3
    assert "a rule of the table refuses Smart Sync's row of the day" in told[0][0]
    assert "account-a" in told[0][0]
    assert [row[5] for row in world.snapshots("b")] == [2]


KEEPS = {
    "sqlite": "CREATE TRIGGER kept BEFORE UPDATE ON account_snapshots WHEN OLD.account_id = 'account-a'"
    " BEGIN SELECT RAISE(IGNORE); END",
    "postgres": "CREATE RULE kept AS ON UPDATE TO account_snapshots WHERE OLD.account_id = 'account-a'"
    " DO INSTEAD NOTHING",
}


@pytest.mark.parametrize("engine", KEEPS, indirect=True)
async def test_a_snapshot_that_a_rule_keeps_as_it_was_is_told_in_each_pass(world: World, engine: str) -> None:
    """The rule says nothing: the merged values are another pass's, and readers see the first one's."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[1] * 5)
    await world.sync()
    world.execute(KEEPS["postgres" if engine else "sqlite"])
    for edited in (2, 2, 3):
        world.now += timedelta(minutes=30)
        world.sheet("P", a=[edited] * 5, b=[edited] * 5)
        (one,) = (await world.sync()).results
        assert (one.outcome, one.code) == (Outcome.DEGRADED, "two-masters")
        assert one.error.startswith("a rule of account_snapshots refuses the row of the day of 1 account:")
        assert (world.snapshots("a")[0][1], world.snapshots("b")[0][1]) == (1, edited)


async def test_a_dry_run_foresees_how_many_are_new(world: World) -> None:
    """A row that theirs makes needless is not counted; one that is only refreshed neither."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[5] * 5, b=[5] * 5)
    world.execute("INSERT INTO account_snapshots VALUES ('web', 'account-b', 5, 5, 5, 5, 5, '2026-03-10 08:00:00')")
    for coming in (1, 0):
        foreseen = (await world.sync_one(dry_run=True)).counts.snapshots
        assert foreseen == coming == (await world.sync_one()).counts.snapshots
        world.sheet("P", a=[6] * 5, b=[5] * 5)


async def test_an_account_that_is_deleted_in_a_pass_leaves_nothing(world: World) -> None:
    """What the web app deletes between reading and writing gets no rows that would belong to nobody."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[5] * 5, b=[5] * 5)
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        write = resources.database.transaction
        deleted = False

        def transaction() -> Any:
            nonlocal deleted
            if world.execute("SELECT 1 FROM sync_runs") and not deleted:
                deleted = True
                world.execute("DELETE FROM project_social_accounts WHERE id = 'account-a'")
            return write()

        async with resources.database.transaction():
            pass
        resources.database.transaction = transaction  # type: ignore[method-assign]
        await SyncPass(resources).run(PassRequest(Trigger.TIMER))
    assert deleted
    for table in ("account_snapshots", "account_metrics", "sheet_metrics"):
        assert world.execute(f"SELECT DISTINCT account_id FROM {table}") == [("account-b",)]


@given(st.sampled_from([*ZONES, "Asia/Kathmandu"]), st.integers(946_684_800, 4_000_000_000), st.uuids())
def test_our_rows_are_known_by_their_ids(zone: str, moment: int, other: uuid.UUID) -> None:
    """Whatever the zone and the moment within the day; no other id is taken for one of ours."""
    now = datetime.fromtimestamp(moment, UTC)
    ours = snapshot_id("account-a", day_of(now, zone).start)
    assert ours == str(uuid.uuid5(NAMESPACE, f"account-a:{day_of(now, zone).start}"))
    is_own = OwnSnapshots()
    assert is_own(ours, "account-a", stamp(now))
    assert not is_own(ours, "account-b", stamp(now))
    assert not is_own(str(uuid.uuid5(NAMESPACE, str(other))), "account-a", stamp(now))
    assert not any(is_own(row_id, "account-a", time) for row_id in (1, None, "x" * 36, ours) for time in (None, "?"))


QUERY = """
SELECT s.account_id, s.views, s.snapshot_time AS parsed_at FROM account_snapshots s
WHERE s.snapshot_time = (SELECT max(snapshot_time) FROM account_snapshots WHERE account_id = s.account_id)
"""


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", ["rowid", "WITHOUT ROWID"])
async def test_a_query_over_snapshots_is_no_ratchet(world: World, kind: str) -> None:
    """A typo that is corrected goes, though the query reads the table that our snapshots are in: it sees those of the
    web app alone, and explain and check with it."""
    if kind != "rowid":
        ((view,),) = world.execute("SELECT sql FROM sqlite_master WHERE name = 'account_growth'")
        world.execute("DROP VIEW account_growth")
        world.execute("DROP TABLE account_snapshots")
        columns = "id TEXT PRIMARY KEY, account_id TEXT, followers, likes, comments, videos, views, snapshot_time TEXT"
        world.execute(f"CREATE TABLE account_snapshots ({columns}) WITHOUT ROWID")
        world.execute(view)
    world.add_project("P", ["a"])
    world.execute("INSERT INTO account_snapshots VALUES ('web', 'account-a', 0, 0, 0, 0, 100, '2026-03-09 08:00:00')")
    world.sections["parsed"] = {"query": QUERY}
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        for views, merged in ((900, 900), (9_000_000, 9_000_000), (950, 950), (50, 100)):
            world.now += timedelta(hours=11)
            world.sheet("P", a=[1, 1, 1, 1, views])
            for _ in range(2):
                await SyncPass(resources).run(PassRequest(Trigger.TIMER))
                assert world.merged("a") == (1, 1, 1, 1, merged)
    (told,) = (await explain(world.settings, link("a"), ("views",), world.now))["accounts"]
    assert (told["metrics"]["views"]["parsed"], told["metrics"]["views"]["next"]) == (100, None)
    world.execute("INSERT INTO account_snapshots VALUES ('web2', 'account-a', 0, 0, 0, 0, 120, ?)", (stamp(world.now),))
    await world.sync()
    assert world.merged("a") == (1, 1, 1, 1, 120), "what the web app writes counts"


@pytest.mark.parametrize("on_existing", ["update", "skip"])
@pytest.mark.parametrize("days", [-3, 3])
async def test_a_row_of_ours_that_was_moved_out_of_its_day_is_brought_back(
    world: World, on_existing: str, days: int
) -> None:
    """Our snapshot with the time of another day: its own day has its row again, with the pass's values; none is new."""
    world.sections["snapshots"] = {"on_existing": on_existing}
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[5] * 5, b=[6] * 5)
    assert (await world.sync_one()).counts.snapshots == 2
    ids = world.execute("SELECT id FROM account_snapshots ORDER BY id")
    world.execute(
        "UPDATE account_snapshots SET snapshot_time = ? WHERE account_id = 'account-a'",
        (stamp(NOON + timedelta(days=days)),),
    )
    world.now += timedelta(hours=1)
    assert (await world.sync_one(dry_run=True)).counts.snapshots == 0
    assert (await world.sync_one()).counts.snapshots == 0
    assert world.snapshots("a") == [(stamp(world.now), *[5] * 5)]
    assert world.snapshots("b") == [(stamp(NOON), *[6] * 5)]
    assert world.execute("SELECT id FROM account_snapshots ORDER BY id") == ids


async def test_a_row_of_ours_that_was_moved_away_stays_there_while_another_writers_stands_for_it(world: World) -> None:
    """Theirs says the same; once it does not, ours is brought back next to it."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[5] * 5)
    await world.sync()
    moved = stamp(NOON - timedelta(days=3))
    world.execute("UPDATE account_snapshots SET snapshot_time = ?", (moved,))
    theirs = (stamp(NOON + timedelta(minutes=5)), *[5] * 5)
    world.execute("INSERT INTO account_snapshots VALUES ('web', 'account-a', 5, 5, 5, 5, 5, ?)", (theirs[0],))
    world.now += timedelta(hours=1)
    await world.sync()
    assert world.snapshots("a") == [(moved, *[5] * 5), theirs]
    world.sheet("P", a=[8] * 5)
    world.now += timedelta(hours=1)
    await world.sync()
    assert world.snapshots("a") == [theirs, (stamp(world.now), *[8] * 5)]
