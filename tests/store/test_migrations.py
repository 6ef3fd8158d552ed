"""A database of an earlier version, with real rows, becomes one of this version."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from old_database import VERSION, schema_4
from smart_sync.admin.checks import check
from smart_sync.config import Settings
from smart_sync.core.model import Metrics, Outcome, ParsedMetrics
from smart_sync.core.results.alerts import Trouble
from smart_sync.store import outbox, parsed_values, pass_history, schema
from smart_sync.store.schema import open_database
from world import World, link

_METRICS = "followers, likes, comments, videos, views"
_WINNERS = "followers_winner, likes_winner, comments_winner, videos_winner, views_winner"
_CHANGED = "followers_changed_at, likes_changed_at, comments_changed_at, videos_changed_at, views_changed_at"


def _merged(account_id: str, values: str, winners: str) -> str:
    at = ", ".join(["'2026-02-02T00:00:00.000000'"] * 6)
    return (
        f"INSERT INTO account_metrics (account_id, {_METRICS}, {_WINNERS}, {_CHANGED}, updated_at)"
        f" VALUES ('{account_id}', {values}, {winners}, {at})"
    )


async def _migrated(path: Path, query: str, *rows: str) -> list[tuple[Any, ...]]:
    schema_4(path, *rows)
    async with open_database(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_a_value_is_known_since_its_oldest_snapshot_above_zero(tmp_path: Path) -> None:
    """Zeros of days when nobody knew a value stay, and do not count; a typed 0 counts since it changed."""
    found = await _migrated(
        tmp_path / "a.db",
        "SELECT followers_known_since, likes_known_since, views_known_since, followers FROM account_metrics",
        _merged("a", "700000, 0, 0, 0, 0", "'sheet', 'sheet', NULL, NULL, NULL"),
        "INSERT INTO account_snapshots VALUES ('1', 'a', 0, 0, 0, 0, 0, '2026-01-01T10:00:00.000000')",
        "INSERT INTO account_snapshots VALUES ('2', 'a', 700000, 0, 0, 0, 0, '2026-01-02 10:00:00')",
        "INSERT INTO account_snapshots VALUES ('3', 'a', 700001, 0, 0, 0, 0, '2026-01-03T10:00:00.000000')",
    )
    assert found == [("2026-01-02T10:00:00.000000", "2026-02-02T00:00:00.000000", None, 700000)]
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT count(*) FROM account_snapshots").fetchone() == (3,)


async def test_text_in_an_old_snapshot_is_no_value(tmp_path: Path) -> None:
    """SQLite holds every text to be above 0; whole numbers in a column of another type are values."""
    found = await _migrated(
        tmp_path / "a.db",
        "SELECT followers_known_since, likes_known_since FROM account_metrics",
        _merged("a", "700000, 7, 0, 0, 0", "'sheet', 'sheet', NULL, NULL, NULL"),
        "INSERT INTO account_snapshots VALUES ('1', 'a', 'n/a', 'n/a', 0, 0, 0, '2026-01-01T10:00:00.000000')",
        "INSERT INTO account_snapshots VALUES ('2', 'a', 'n/a', 7.0, 0, 0, 0, '2026-01-02T10:00:00.000000')",
    )
    assert found == [("2026-02-02T00:00:00.000000", "2026-01-02T10:00:00.000000")]


def _steps(path: Path, accounts: int) -> int:
    """How many thousand steps SQLite takes for all migrations after version 4 of a database with so many accounts."""
    schema_4(path)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(path)) as connection:
        ids = [(f"a{number}",) for number in range(accounts)]
        connection.executemany("INSERT INTO project_social_accounts (id, project_id) VALUES (?, 'p')", ids)
        connection.executemany(_merged("a", "5, 5, 5, 5, 5", "'sheet', 'sheet', NULL, 0, 0").replace("'a'", "?"), ids)
        connection.executemany(
            "INSERT INTO sheet_metrics VALUES (?, 5, 5, 5, 5, 5, '2026-02-01T00:00:00.000000', 'P', 2)", ids
        )
        connection.executemany(
            "INSERT INTO account_snapshots VALUES (?1, ?1, 5, 5, 5, 5, 5, '2026-01-01T10:00:00.000000')", ids
        )
        connection.set_progress_handler(count, 1000)
        for name in schema.MIGRATIONS[VERSION:]:
            for statement in schema._statements(name):
                connection.execute(statement)
    return steps


def test_the_time_of_an_upgrade_grows_with_the_accounts_and_no_faster(tmp_path: Path) -> None:
    """Four times as many accounts take about four times as many steps of SQLite."""
    assert _steps(tmp_path / "large.db", 4000) < 6 * _steps(tmp_path / "small.db", 1000)


async def test_the_link_is_known_whatever_the_web_app_keeps_its_ids_as(tmp_path: Path) -> None:
    """An account that is there no more, and one without a link, have none."""
    found = await _migrated(
        tmp_path / "a.db",
        "SELECT account_id, link FROM account_metrics ORDER BY account_id",
        "DROP TABLE project_social_accounts",
        "CREATE TABLE project_social_accounts (id INTEGER PRIMARY KEY, project_id, platform, username, profile_link,"
        " is_active)",
        "INSERT INTO project_social_accounts (id, profile_link) VALUES (1, 'https://tiktok.com/@a'), (2, NULL)",
        *(_merged(account_id, "5, 5, 0, 0, 0", "'sheet', 'sheet', NULL, NULL, NULL") for account_id in "123"),
    )
    assert found == [("1", "https://tiktok.com/@a"), ("2", ""), ("3", "")]


async def test_what_stood_in_still_does(tmp_path: Path) -> None:
    """A value that was carried is carried since the row was written, and no row is missing yet."""
    found = await _migrated(
        tmp_path / "a.db",
        "SELECT followers_carried_since, likes_carried_since, s.project_id, s.gone_since, s.held"
        " FROM account_metrics m JOIN sheet_metrics s ON s.account_id = m.account_id",
        "INSERT INTO project_social_accounts (id, project_id) VALUES ('a', 'p')",
        "INSERT INTO sheet_metrics VALUES ('a', 5, 5, 5, 5, 5, '2026-02-01T00:00:00.000000', 'P', 2)",
        _merged("a", "5, 5, 0, 0, 0", "'carried', 'sheet', NULL, NULL, NULL"),
    )
    assert found == [("2026-02-02T00:00:00.000000", None, "p", None, "")]


async def test_what_parsers_have_put_into_the_inbox_goes_on_to_count(world: World) -> None:
    """Neither lost nor doubled: until its parser brings a newer value, which is kept in addition; the row stays."""
    at = "2026-02-02T00:00:00.000000"
    row = f"('account-a', 500, 40, NULL, NULL, NULL, 'youtube', '{at}', 'rounded')"
    world.path.unlink()
    schema_4(
        world.path,
        "INSERT INTO projects (id, name, is_active) VALUES ('p', 'P', 1)",
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
        f" VALUES ('account-a', 'p', 'tiktok', 'a', '{link('a')}')",
        f"INSERT INTO parsed_metrics VALUES {row}",
        _merged("account-a", "500, 40, 0, 0, 0", "'parsed', 'parsed', NULL, NULL, NULL"),
    )
    world.sheet("P")
    before = await world.sync_one()
    assert (before.counts.parsed, before.counts.changed, world.merged("a")) == (1, 0, (500, 40, 0, 0, 0))
    assert world.execute("SELECT count(*) FROM parsed_values") == [(0,)]
    async with open_database(world.path) as database:
        values = [ParsedMetrics("account-a", Metrics(600), "youtube", world.now)]
        await parsed_values.put(database, values, world.now)
    after = await world.sync_one()
    assert (after.counts.parsed, world.merged("a")) == (1, (600, 40, 0, 0, 0))
    assert world.execute("SELECT followers, likes, parsed_at FROM parsed_metrics") == [(500, 40, at)]
    # The link is known from the upgrade on: what was parsed before it changes is of the earlier one.
    world.execute("UPDATE project_social_accounts SET profile_link = ?", (link("other"),))
    world.now += timedelta(hours=1)
    await world.sync()
    assert world.winners("a") == (None,) * 5


async def test_an_upgrade_is_no_edit(tmp_path: Path) -> None:
    """What the sheet said before the upgrade is not known, so there are no edits yet."""
    found = await _migrated(
        tmp_path / "a.db",
        "SELECT count(*), (SELECT count(*) FROM sheet_metrics) FROM sheet_edits",
        "INSERT INTO sheet_metrics VALUES ('a', 5, 5, 5, 5, 5, '2026-02-01T00:00:00.000000', 'P', 2)",
    )
    assert found == [(0, 1)]


async def test_old_snapshots_of_zero_stay_and_are_named(tmp_path: Path) -> None:
    """`check` counts those before a value; an account that has always had 0 is none of them."""
    path = schema_4(
        tmp_path / "a.db",
        "INSERT INTO account_snapshots VALUES ('1', 'a', 0, 0, 0, 0, 0, '2026-01-01T10:00:00.000000')",
        "INSERT INTO account_snapshots VALUES ('2', 'a', 700000, 0, 0, 0, 0, '2026-01-02 10:00:00')",
        "INSERT INTO account_snapshots VALUES ('3', 'b', 0, 0, 0, 0, 0, '2026-01-03T10:00:00.000000')",
    )
    settings = Settings.model_validate({"database": {"path": path}, "sheets": {"source": "csv", "directory": tmp_path}})
    (named,) = [one for one in (await check(settings)).findings if "nothing but 0" in one.message]
    assert "account_snapshots: 1 snapshots" in named.message
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM account_snapshots").fetchone() == (3,)


async def test_a_trouble_that_was_told_stays_told(tmp_path: Path) -> None:
    """Nobody is reported once more of a project that was failing before the upgrade; it has not flapped."""
    schema_4(
        tmp_path / "a.db",
        "INSERT INTO projects (id, name, is_active) VALUES ('p', 'P', 1)",
        "INSERT INTO project_troubles VALUES ('p', 'failed', '2026-02-01T00:00:00.000000')",
    )
    async with open_database(tmp_path / "a.db") as database, database.transaction() as transaction:
        known = await outbox.troubles(transaction)
        assert known == {"p": Trouble(Outcome.FAILED, "2026-02-01T00:00:00.000000")}
        assert await transaction.fetch("SELECT * FROM database_made") == []


async def test_suspects_of_before_are_not_told_again(tmp_path: Path) -> None:
    """They were told as they were found; how many problems a pass had is not known."""
    schema_4(
        tmp_path / "a.db",
        "INSERT INTO suspects (account_id, metric, old, new, since) VALUES ('a', 'views', 1, 2000, '2026-02-01')",
        "INSERT INTO sync_project_runs (run_id, project_id, project_name, outcome, finished_at, problems)"
        " VALUES ('r', 'p', 'P', 'synced', '2026-02-01', '[\"one\", \"two\"]')",
    )
    async with open_database(tmp_path / "a.db") as database:
        assert await database.fetch("SELECT told FROM suspects") == [(1,)]
        (run,) = await pass_history.project_runs(database, "p", 1)
    assert (run["problems"], run["problem_count"]) == (["one", "two"], 2)


async def test_what_parsers_gave_before_is_of_the_lifetime(tmp_path: Path) -> None:
    """So that the campaign begins anew behind it; what only a manager typed was of nothing."""
    found = await _migrated(
        tmp_path / "a.db",
        "SELECT followers_counted, likes_counted, comments_counted, views_counted FROM account_metrics",
        _merged("a", "1, 2, 3, 4, 5", "'parsed', 'both', 'sheet', 'parsed', NULL"),
    )
    assert found == [("", "", None, None)]
