"""A pass from the worksheet to the snapshot: the real reader, the real database, a fake Google over HTTP."""

import asyncio
import random
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from smart_sync.core.days import stamp
from smart_sync.core.model import MAX_COUNT, METRICS, Outcome
from world import KEY, World, link

NOTHING = [None] * 5


async def test_both_sides_of_max_are_seen_to_win(world: World) -> None:
    """Per metric the larger of sheet and parsed value is what the frontend reads."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[100, 5, 7, None, ""])
    world.parsed("a", [90, 6, 7, 3, None])
    result = await world.sync_one()
    assert world.merged("a") == (100, 6, 7, 3, 0)
    assert world.winners("a") == ("sheet", "parsed", "both", "parsed", None)
    counts = result.counts
    assert (result.outcome, counts.updated, counts.changed, counts.snapshots) == (Outcome.SYNCED, 1, 1, 1)


async def test_250_random_values_are_all_right_and_nothing_is_doubled(world: World) -> None:
    """5 projects of 10 accounts: 250 merged values right, 50 snapshots; again: none."""
    choose = random.Random(7)
    expected: dict[str, tuple[int, ...]] = {}
    for project in range(5):
        names = [f"p{project}a{account}" for account in range(10)]
        world.add_project(f"Project {project}", names)
        rows = {}
        for name in names:
            sheet = [choose.choice([None, choose.randrange(10**6)]) for _ in METRICS]
            parsed = [choose.choice([None, choose.randrange(10**6)]) for _ in METRICS]
            rows[name] = sheet
            world.parsed(name, parsed)
            expected[name] = tuple(max(s or 0, p or 0) for s, p in zip(sheet, parsed, strict=True))
        world.sheet(f"Project {project}", **rows)
    first = await world.sync()
    assert {name: world.merged(name) for name in expected} == expected
    assert [result.counts.snapshots for result in first.results] == [10] * 5
    second = await world.sync()
    assert {result.outcome for result in second.results} == {Outcome.UNCHANGED}
    assert [result.counts.updated for result in second.results] == [10] * 5
    assert len(world.snapshots()) == 50
    assert {name: world.merged(name) for name in expected} == expected


async def test_a_typo_corrected_downwards_comes_down(world: World) -> None:
    """MAX is no ratchet: what is corrected in the sheet is corrected in SQLite."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1_000_000, *NOTHING[1:]])
    world.parsed("a", [900, *NOTHING[1:]])
    await world.sync()
    assert world.merged("a") == (1_000_000, 0, 0, 0, 0)
    world.sheet("P", a=[1_000, *NOTHING[1:]])
    await world.sync()
    assert world.merged("a") == (1_000, 0, 0, 0, 0)
    world.sheet("P", a=[None, *NOTHING[1:]])
    await world.sync()
    assert world.merged("a") == (900, 0, 0, 0, 0)


async def test_a_parsed_value_that_falls_falls_in_sqlite(world: World) -> None:
    """What a platform takes back is taken back, down to what the manager typed."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[50, *NOTHING[1:]])
    world.parsed("a", [80, *NOTHING[1:]])
    await world.sync()
    world.parsed("a", [40, *NOTHING[1:]])
    await world.sync()
    assert world.merged("a") == (50, 0, 0, 0, 0)


async def test_google_away_costs_freshness_and_never_data(world: World) -> None:
    """The last known sheet values stand in for a sheet that cannot be read, and fresh parsed values still count."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[100, 10, None, None, None])
    await world.sync()
    world.parsed("a", [90, 20, None, None, None])
    world.google.spreadsheets[KEY].shared = False
    result = await world.sync_one()
    assert result.outcome is Outcome.DEGRADED
    assert result.answer()["success"] is True
    assert "@" in result.remedy
    assert world.merged("a") == (100, 20, 0, 0, 0)
    assert world.winners("a")[:2] == ("carried", "parsed")
    world.google.spreadsheets[KEY].shared = True
    await world.sync()
    assert world.winners("a")[:2] == ("sheet", "parsed")


async def test_an_outage_is_over_when_the_same_worksheet_is_read_again(world: World) -> None:
    """A value that stood in is the sheet's again as soon as the sheet is read, though nothing in it has changed."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[100] * 5)
    await world.sync()
    world.google.spreadsheets[KEY].shared = False
    await world.sync()
    assert world.winners("a") == ("carried",) * 5
    world.google.spreadsheets[KEY].shared = True
    await world.sync()
    assert world.winners("a") == ("sheet",) * 5


async def test_a_missing_worksheet_degrades_its_project_alone(world: World) -> None:
    """One project without a worksheet leaves the others whole."""
    world.add_project("Here", ["a"])
    world.add_project("Gone", ["b"])
    world.sheet("Here", a=[1, 2, 3, 4, 5])
    del world.google.spreadsheets[KEY].worksheets["Gone"]
    outcomes = {result.project.name: result.outcome for result in (await world.sync()).results}
    assert outcomes == {"Here": Outcome.SYNCED, "Gone": Outcome.DEGRADED}
    assert world.merged("a") == (1, 2, 3, 4, 5)


async def test_junk_in_a_cell_counts_as_no_value_and_is_reported_with_its_place(world: World) -> None:
    """Junk never wins: 0 if neither side has a value, and a problem that names worksheet, row and column."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=["#REF!", 10, None, None, None], b=[1, "many", None, None, None])
    world.parsed("b", [None, 4, None, None, None])
    result = await world.sync_one()
    assert world.merged("a") == (0, 10, 0, 0, 0)
    assert world.merged("b") == (1, 4, 0, 0, 0)
    assert [(p.worksheet, p.row, p.column) for p in result.problems] == [("P", 2, "C"), ("P", 3, "D")]


async def test_junk_does_not_wipe_what_a_manager_had_typed(world: World) -> None:
    """The last good value of a cell stands in for what cannot be read."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[100, *NOTHING[1:]])
    await world.sync()
    world.sheet("P", a=["#REF!", *NOTHING[1:]])
    await world.sync()
    assert world.merged("a") == (100, 0, 0, 0, 0)
    assert world.winners("a")[0] == "carried"


async def test_a_renamed_column_does_not_wipe_what_a_manager_had_typed(world: World) -> None:
    """A metric whose column is gone keeps its last known values, and says so, with the headers seen."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[100, 10, 1, 1, 1])
    await world.sync()
    world.google.spreadsheets[KEY].worksheets["P"][0][2] = "Follow-ups"
    result = await world.sync_one()
    assert world.merged("a") == (100, 10, 1, 1, 1)
    assert any("followers" in p.reason and "'Follow-ups'" in p.reason for p in result.problems)


@pytest.mark.parametrize("rows", [[], [["Link", "Followers"]], [["something", "else"]]])
async def test_a_worksheet_emptied_by_accident_changes_nothing(world: World, rows: list[list[str]]) -> None:
    """An emptied worksheet, or one without its header, is stood in for, not believed."""
    world.add_project("P", ["a", "b", "c"])
    world.sheet("P", a=[1] * 5, b=[2] * 5, c=[3] * 5)
    await world.sync()
    world.google.spreadsheets[KEY].worksheets["P"] = rows
    result = await world.sync_one()
    assert result.outcome is Outcome.DEGRADED
    assert [world.merged(name) for name in "abc"] == [(1,) * 5, (2,) * 5, (3,) * 5]


@pytest.mark.sqlite
async def test_a_bad_account_is_reported_and_the_others_are_written(world: World) -> None:
    """An account that SQLite refuses to write stays as it was; every other one is written."""
    world.add_project("P", ["a", "b", "c"])
    world.execute(
        "CREATE TRIGGER grudge BEFORE INSERT ON account_snapshots WHEN NEW.account_id = 'account-b'"
        " BEGIN SELECT RAISE(ABORT, 'not b'); END"
    )
    world.sheet("P", a=[1] * 5, b=[2] * 5, c=[3] * 5)
    result = await world.sync_one()
    assert (result.outcome, result.counts.updated, result.counts.snapshots) == (Outcome.DEGRADED, 2, 2)
    assert result.error == "the database refuses 1 of 3 accounts: not b"
    assert "triggers" in result.remedy
    assert result.failed_accounts == {"account-b": "not b"}
    (problem,) = result.problems
    assert (problem.value, "not b" in problem.reason) == (link("b"), True)
    assert result.worksheet_read
    assert [world.merged(name) for name in "abc"] == [(1,) * 5, None, (3,) * 5]
    world.execute("DROP TRIGGER grudge")
    assert (await world.sync_one()).counts.snapshots == 1
    assert world.merged("b") == (2,) * 5


@pytest.mark.sqlite
async def test_a_rule_that_ignores_a_row_refuses_it(world: World) -> None:
    """A trigger that drops the row without an error leaves the account as it was, and is told like one that refuses."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    await world.sync()
    world.execute(
        "CREATE TRIGGER veto BEFORE UPDATE ON account_metrics WHEN NEW.account_id = 'account-b'"
        " BEGIN SELECT RAISE(IGNORE); END"
    )
    world.sheet("P", a=[3] * 5, b=[4] * 5)
    result = await world.sync_one()
    assert (result.outcome, result.counts.changed) == (Outcome.DEGRADED, 1)
    assert result.failed_accounts == {"account-b": "a rule of the table ignores the row"}
    assert [world.merged(name) for name in "ab"] == [(3,) * 5, (2,) * 5]
    world.execute("DROP TRIGGER veto")
    assert (await world.sync_one()).outcome is Outcome.SYNCED
    assert world.merged("b") == (4,) * 5


@pytest.mark.sqlite
async def test_values_of_other_writers_that_are_no_counts_count_as_none(world: World) -> None:
    """The inbox is open to everybody: text, negatives, fractions and blobs in it are reported and never merged."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[5] * 5, b=[6] * 5)
    world.parsed("a", ["many", -1, 2.5, b"\xff", None])
    world.parsed("b", [MAX_COUNT, None, None, None, None])
    result = await world.sync_one()
    assert world.merged("a") == (5,) * 5
    assert world.merged("b") == (MAX_COUNT, 6, 6, 6, 6)
    assert [problem.worksheet for problem in result.problems] == ["parsed_metrics"]


async def test_there_is_no_snapshot_while_nobody_has_a_value(world: World) -> None:
    """An account without any value gets none; with one, the row holds 0 for the metrics that have none."""
    world.add_project("P", ["a"])
    result = await world.sync_one()
    assert (result.counts.snapshots, world.snapshots(), world.merged("a")) == (0, [], (0,) * 5)
    world.sheet("P", a=[None, None, None, None, 0])
    assert (await world.sync_one(dry_run=True)).counts.snapshots == 1
    assert (await world.sync_one()).counts.snapshots == 1
    assert [row[1:] for row in world.snapshots()] == [(0,) * 5]
    known = world.execute("SELECT followers_known_since, views_known_since FROM account_metrics")
    assert known == [(None, stamp(world.now))]


async def test_one_snapshot_per_account_and_day(world: World) -> None:
    """Each UTC day has one snapshot, of its last pass, however often it is synced; growth reads from them."""
    world.add_project("P", ["a"])
    for day, followers in enumerate([100, 110, 130]):
        world.sheet("P", a=[followers, *NOTHING[1:]])
        await world.sync()
        world.sheet("P", a=[followers + 1, *NOTHING[1:]])
        await world.sync()
        world.now += timedelta(days=1)
        assert len(world.snapshots("a")) == day + 1
    assert [row[1] for row in world.snapshots("a")] == [101, 111, 131]
    growth = world.execute("SELECT day, followers, followers_delta FROM account_growth ORDER BY day")
    assert growth == [("2026-03-10", 101, None), ("2026-03-11", 111, 10), ("2026-03-12", 131, 20)]


@pytest.mark.parametrize("written", ["2026-03-10 08:00:00", "2026-03-10T08:00:00", "2026-03-10T08:00:00.5Z"])
async def test_a_snapshot_by_the_web_app_is_the_days_snapshot(world: World, written: str) -> None:
    """A day whose snapshot of another writer, in whatever notation, shows the merged values gets no second one."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1, 2, 3, 4, 5])
    world.execute("INSERT INTO account_snapshots VALUES ('x', 'account-a', 1, 2, 3, 4, 5, ?)", (written,))
    assert (await world.sync_one()).counts.snapshots == 0
    world.now += timedelta(days=1)
    assert (await world.sync_one()).counts.snapshots == 1


async def test_the_day_ends_where_the_configuration_says(world: World) -> None:
    """`timezone` decides to which day a moment before midnight belongs."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    world.sections["schedule"] = {"timezone": "Asia/Tokyo"}
    world.now = world.now.replace(hour=14, minute=59)
    assert (await world.sync_one()).counts.snapshots == 1
    world.now += timedelta(minutes=2)
    assert (await world.sync_one()).counts.snapshots == 1


async def test_a_clock_that_jumps_back_makes_no_second_snapshot(world: World) -> None:
    """Days that were had before are recognised when a clock is set back."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    world.now += timedelta(days=1)
    await world.sync()
    world.now -= timedelta(days=1)
    assert (await world.sync_one()).counts.snapshots == 0


async def test_the_days_snapshot_can_be_refreshed(world: World) -> None:
    """on_existing = "update": the day's one snapshot follows the merged values."""
    world.add_project("P", ["a"])
    world.sections["snapshots"] = {"on_existing": "update"}
    world.sheet("P", a=[1] * 5)
    await world.sync()
    made = stamp(world.now)
    world.now += timedelta(hours=2)
    world.sheet("P", a=[2] * 5)
    await world.sync()
    assert made != stamp(world.now)
    assert world.snapshots("a") == [(stamp(world.now), 2, 2, 2, 2, 2)]


async def test_columns_of_other_installations_are_left_alone(world: World) -> None:
    """Additional columns are tolerated, and `total_videos_fetched` is filled where it is there."""
    world.add_project("P", ["a"])
    world.execute("ALTER TABLE account_snapshots ADD COLUMN total_videos_fetched INTEGER")
    world.execute("ALTER TABLE project_social_accounts ADD COLUMN mood TEXT DEFAULT 'fine'")
    world.sheet("P", a=[1, 2, 3, 4, 5])
    await world.sync()
    assert world.execute("SELECT total_videos_fetched FROM account_snapshots") == [(4,)]
    assert world.execute("SELECT mood FROM project_social_accounts") == [("fine",)]


async def test_a_project_without_accounts_says_so(world: World) -> None:
    """No accounts is no failure; the answer has the keys that existing readers expect."""
    world.add_project("P")
    answer = (await world.sync_one()).answer()
    assert answer["success"] is True
    assert answer["message"] == "No accounts to sync"
    assert (answer["project_id"], answer["synced_count"]) == ("project-P", 0)


async def test_inactive_projects_and_accounts_are_left_alone(world: World) -> None:
    """What is switched off is neither merged nor snapshotted."""
    world.add_project("Off", ["a"])
    world.add_project("On", ["b", "c"])
    world.execute("UPDATE projects SET is_active = 0 WHERE name = 'Off'")
    world.execute("UPDATE project_social_accounts SET is_active = 0 WHERE id = 'account-c'")
    world.sheet("On", b=[1] * 5, c=[2] * 5)
    result = await world.sync_one()
    assert (result.project.name, result.counts.accounts) == ("On", 1)
    assert [world.merged(name) for name in "abc"] == [None, (1,) * 5, None]


async def test_worksheets_can_create_projects_and_accounts(world: World) -> None:
    """create_missing = "projects": what the sheets have and the database lacks is created, once."""
    world.sections["sync"] = {"create_missing": "projects"}
    world.sheet("New", a=[1] * 5, b=[2] * 5)
    assert [(r.project.name, r.counts.accounts, r.counts.changed) for r in (await world.sync()).results] == [
        ("New", 2, 2)
    ]
    assert [(r.project.name, r.counts.accounts, r.counts.changed) for r in (await world.sync()).results] == [
        ("New", 2, 0)
    ]
    assert world.execute("SELECT platform, username, profile_link FROM project_social_accounts ORDER BY username") == [
        ("tiktok", "a", link("a")),
        ("tiktok", "b", link("b")),
    ]


async def test_nothing_is_created_unless_it_is_asked_for(world: World) -> None:
    """create_missing = "none": a row without an account is counted and left."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5, stranger=[2] * 5)
    result = await world.sync_one()
    assert [row.link for row in result.unmatched_rows] == [link("stranger")]
    assert world.execute("SELECT count(*) FROM project_social_accounts") == [(1,)]


@pytest.mark.sqlite
async def test_a_dry_run_shows_the_changes_and_writes_nothing(world: World) -> None:
    """What a dry run would change is in its result, and nowhere else."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    before = world.path.stat().st_size, world.execute("SELECT * FROM account_metrics")
    world.sheet("P", a=[2, 1, 1, 1, 1])
    result = await world.sync_one(dry_run=True)
    assert [(c.metric, c.before, c.after) for c in result.changes] == [("followers", 1, 2)]
    assert (world.path.stat().st_size, world.execute("SELECT * FROM account_metrics")) == before


@pytest.mark.parametrize("create", ["accounts", "projects"])
async def test_a_dry_run_shows_what_would_be_created(world: World, create: str) -> None:
    """A dry run counts the accounts, changes and snapshots of a real pass, new projects included, and makes none."""
    world.sections["sync"] = {"create_missing": create}
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    world.sheet("New", c=[3] * 5)
    dry = (await world.sync(dry_run=True)).results
    assert world.execute("SELECT (SELECT count(*) FROM projects), count(*) FROM account_snapshots") == [(1, 0)]
    real = (await world.sync()).results
    assert [r.project.name for r in real] == (["P"] if create == "accounts" else ["New", "P"])
    foretold = {r.project.name: (r.counts.accounts, r.counts.changed, r.counts.snapshots) for r in dry}
    assert foretold == {r.project.name: (r.counts.accounts, r.counts.changed, r.counts.snapshots) for r in real}


async def test_a_busy_database_is_waited_for_and_the_loop_is_not_held_up(world: World) -> None:
    """While another process holds what is to be written a pass reads and waits, the loop runs on, nothing is lost."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    world.sheet("P", a=[2] * 5)
    read = world.google.count("batch")
    loop = asyncio.get_running_loop()
    async with world.opened() as sync:
        with world.held():
            syncing = asyncio.ensure_future(sync())
            late: list[float] = []
            async with asyncio.timeout(30):
                while len(late) < 40 or world.google.count("batch") == read:
                    began = loop.time()
                    await asyncio.sleep(0.02)
                    late.append(loop.time() - began - 0.02)
                    assert not syncing.done()
        assert (await syncing).results[0].outcome is Outcome.SYNCED
    assert world.merged("a") == (2,) * 5
    assert sorted(late)[-4] < 0.5, "three times a loaded machine may have been late"


@pytest.mark.sqlite
async def test_readers_are_never_blocked_by_a_pass(world: World) -> None:
    """The frontend reads the last committed values while a transaction is open."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    await world.sync()
    with closing(sqlite3.connect(world.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE account_metrics SET followers = 99")
        assert world.merged("a") == (1,) * 5


async def test_the_history_tells_every_pass(world: World) -> None:
    """Each pass is in sync_runs with its counts, and each project of it in sync_project_runs with its outcome."""
    world.add_project("P", ["a"])
    world.add_project("Q", ["b"])
    world.sheet("P", a=[1] * 5)
    del world.google.spreadsheets[KEY].worksheets["Q"]
    result = await world.sync()
    runs = world.execute('SELECT id, "trigger", projects, succeeded, degraded, accounts, snapshots FROM sync_runs')
    assert runs == [(result.id, "cli", 2, 2, 1, 2, 1)]
    assert world.execute("SELECT project_name, outcome FROM sync_project_runs ORDER BY 1") == [
        ("P", "synced"),
        ("Q", "degraded"),
    ]


async def test_old_history_is_pruned(world: World) -> None:
    """[history] keep bounds the history; the newest passes stay."""
    world.add_project("P", ["a"])
    world.sections["history"] = {"keep": "2d"}
    for _ in range(4):
        result = await world.sync()
        world.now += timedelta(days=1)
    runs = [row[0] for row in world.execute("SELECT id FROM sync_runs ORDER BY started_at")]
    assert len(runs) == 3
    assert runs[-1] == result.id
    assert world.execute("SELECT count(*) FROM sync_project_runs") == [(3,)]


async def test_the_query_that_users_run_works_as_it_is(world: World) -> None:
    """The 30-day query of existing frontends gets its rows, newest first."""
    world.add_project("P", ["a"])
    for followers in (10, 20):
        world.sheet("P", a=[followers, None, None, None, followers * 2])
        await world.sync()
        world.now += timedelta(days=1)
    query = (
        "SELECT DATE(snapshot_time) AS date, followers, views FROM account_snapshots"
        " WHERE account_id = ? ORDER BY snapshot_time DESC LIMIT 30"
    )
    assert world.execute(query, ("account-a",)) == [("2026-03-11", 20, 40), ("2026-03-10", 10, 20)]
