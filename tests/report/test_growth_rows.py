"""One growth: what the screens read of it is a part of what the view tells, and all that they need."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from old_database import schema_4
from smart_sync.admin.checks import check
from smart_sync.admin.history import growth
from smart_sync.cli.output.explanation import show_explanations
from smart_sync.cli.output.growth_table import show_growth
from smart_sync.core.history.growth import History, change
from smart_sync.core.model import METRICS
from smart_sync.report.explain import explain
from smart_sync.store.engine import Database
from smart_sync.store.growth_rows import VIEW, histories
from smart_sync.store.schema import open_database
from world import NOON, World

TODAY = date(2026, 3, 10)
#: As web apps and we write times.
NOTATIONS = ["%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
INSERT = "INSERT INTO account_snapshots (id, account_id, followers, views, snapshot_time) VALUES (?, 'a', ?, ?, ?)"

values = st.none() | st.integers(0, 9) | st.just("many") | st.just(-1)
rows = st.lists(st.tuples(st.integers(-48, 24 * 90), st.sampled_from(NOTATIONS), values, values), max_size=25)
firsts = st.none() | st.tuples(*[st.none() | st.integers(0, 90)] * 2)


@pytest.fixture
async def database(world: World) -> Any:
    async with open_database(world.where, "America/Los_Angeles") as database:
        yield world, database


async def fill(world: World, several: list[tuple[int, str, Any, Any]], first: Any) -> None:
    world.execute("DELETE FROM account_snapshots")
    world.execute("DELETE FROM account_metrics")
    for number, (hours, notation, *counts) in enumerate(several):
        moment = datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC) - timedelta(hours=hours)
        # A server's columns take no text for a count.
        sound = [None if world.url and isinstance(count, str) else count for count in counts]
        world.execute(INSERT, (str(number), *sound, moment.strftime(notation)))
    if first is not None:
        known = [ago and (NOON - timedelta(days=ago)).isoformat()[:19] for ago in first]
        changed = ", ".join(f"{metric}_changed_at" for metric in METRICS)
        world.execute(
            f"INSERT INTO account_metrics (account_id, {', '.join(METRICS)}, {changed}, updated_at,"
            " followers_known_since, views_known_since) VALUES ('a', 0, 0, 0, 0, 0, '', '', '', '', '', '', ?, ?)",
            known,
        )


async def read(database: Database, days: int | None) -> History:
    found = await histories(database, ["a"], ("followers", "views"), days, TODAY)
    return found.get("a", History())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=rows, first=firsts, days=st.integers(1, 40))
async def test_what_is_read_for_some_days_says_what_the_whole_says(
    database: tuple[World, Database], several: list[tuple[int, str, Any, Any]], first: Any, days: int
) -> None:
    """Whatever the notations, gaps, junk and first days: the same growth, and day by day that of the view."""
    world, base = database
    await fill(world, several, first)
    part, whole = await read(base, days), await read(base, None)
    if whole.days:
        for metric in (0, 1):
            for back in range(1, days + 1):
                assert change(part, metric, whole.days[-1], back) == change(whole, metric, whole.days[-1], back)
            start = whole.days[-1] - days
            assert part.window(metric, start, days + 1) == whole.window(metric, start, days + 1)
            assert part.daily(metric, start + 1, days) == whole.daily(metric, start + 1, days)
    told = await base.fetch(
        "SELECT day, followers, followers_delta, views, views_delta FROM account_growth"
        " WHERE day BETWEEN '1970-01-01' AND ? ORDER BY day", (TODAY.isoformat(),)
    )  # fmt: skip
    assert [row[0] for row in told] == [date.fromordinal(day).isoformat() for day in whole.days]
    for (_, followers, less, views, less_views), known, deltas in zip(told, whole.values, whole.deltas, strict=True):
        assert deltas == (less, less_views)
        for value, shown in zip((followers, views), known, strict=True):
            assert shown in (value, None), "what nobody knew is left out, nothing is made up"


async def test_only_what_is_shown_is_read(database: tuple[World, Database]) -> None:
    """Of years of snapshots those of the days asked for, and where each metric stood before."""
    world, base = database
    day = 24
    old = (900 * day, NOTATIONS[0], 7, None)
    await fill(world, [*((n * day, NOTATIONS[0], None, 5) for n in range(800)), old], (1000, 1000))
    history = await read(base, 30)
    assert history.days[-1] - history.days[-30] == 29
    known = history.at(0, history.days[-1])
    assert known is not None
    assert known.value == 7
    history = (await histories(base, ["a"], ("views",), 30, TODAY))["a"]
    assert len(history.days) <= 30 + 6


def test_the_view_is_plain_sql() -> None:
    """Web apps read it with whatever SQLite they have: no function of ours, nothing newer than 3.25."""
    assert not [word for word in ("iif", "MATERIALIZED", "json", "smart_sync") if word in VIEW]


async def test_a_database_of_before_grows_from_its_oldest_value_above_0(tmp_path: Path) -> None:
    """Schema 4: its zeros before that are no values, and no day grows from them; a metric that nobody knew has none."""
    changed = ", ".join(f"{metric}_changed_at" for metric in METRICS)
    path = schema_4(
        tmp_path / "old.db",
        "INSERT INTO projects (id, name, is_active) VALUES (1, 'P', 1)",
        "INSERT INTO project_social_accounts (id, project_id, platform, username) VALUES (7, 1, 'tiktok', 'a')",
        f"INSERT INTO account_metrics (account_id, {', '.join(METRICS)}, {changed}, views_winner, updated_at)"
        " VALUES ('7', 0, 0, 0, 0, 900, '', '', '', '', '2026-03-05T12:00:00.000000', 'sheet', '')",
        *(
            f"INSERT INTO account_snapshots VALUES ('{day}', '7', 0, 0, 0, 0, {views}, '2026-03-0{day} 12:00:00')"
            for day, views in enumerate((0, 0, 500, 700, 900), 1)
        ),
    )
    async with open_database(path, "Europe/Moscow") as database:
        assert await database.fetch("SELECT views, views_delta, likes_delta, ends_carried FROM account_growth") == [
            (0, None, None, None), (0, None, None, None), (500, None, None, None), (700, 200, None, None),
            (900, 200, None, None),
        ]  # fmt: skip
    for metric, last, grown, since in (("views", 900, 400, "2026-03-03"), ("likes", None, None, None)):
        told = await growth(path, None, metric, 30, NOON)
        (one,), (project,) = told["accounts"], told["projects"]
        assert (one["last"], one["growth"], one["since"]) == (last, grown, since)
        assert (project["last"], project["growth"], project["compared"]) == (last, grown, int(grown is not None))


@pytest.mark.sqlite  # bytes and numbers in columns of text
async def test_rows_that_somebody_has_spoilt_are_as_none(database: tuple[World, Database]) -> None:
    """Times that are none, of when a value became known or a stretch ended, stop no screen."""
    world, base = database
    await fill(world, [(day * 24, NOTATIONS[0], 5, 5 + day) for day in range(3)], (9, 9))
    for junk in ("whenever", b"\xff", 7.5, ""):
        world.execute("UPDATE account_metrics SET followers_known_since = ?", (junk,))
        world.execute("INSERT OR REPLACE INTO carried_stretches VALUES ('a', ?, ?)", (junk, junk))
        assert (await read(base, 30)).ends == {}
    history = await read(base, 30)
    assert [values for *_, values in history.values] == [7, 6, 5]
    assert [values[0] for values in history.values] == [None] * 3


@pytest.mark.sqlite  # a text in a column of numbers
async def test_text_in_a_snapshot_of_before_is_no_value(world: World) -> None:
    """What the sheet brings to an account that the web app had before us is no growth of a text."""
    world.add_project("P", ["a"])
    world.execute("INSERT INTO account_snapshots VALUES ('1', 'account-a', 'n/a', 3, 0, 0, 0, '2026-03-09 10:00:00')")
    world.sheet("P", a=[700_000, 5, 5, 5, 5])
    await world.sync()
    assert world.execute(
        "SELECT substr(followers_known_since, 1, 10), substr(likes_known_since, 1, 10) FROM account_metrics"
    ) == [("2026-03-10", "2026-03-09")]
    assert world.execute("SELECT followers_delta, likes_delta FROM account_growth ORDER BY day DESC LIMIT 1") == [
        (None, 2)
    ]


async def test_a_snapshot_whose_time_cannot_be_read_is_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """`growth`, `explain` and `check` say how many there are and what one says; two of them make no doubled day."""
    world.add_project("P", ["a", "b"])
    times = ["2026-03-09 12:00:00", "1772971200", "09.03.2026 12:00"]
    for number, (account, time) in enumerate([("a", time) for time in times] + [("b", times[0])]):
        world.execute(
            "INSERT INTO account_snapshots (id, account_id, views, snapshot_time) VALUES (?, ?, 5, ?)",
            (str(number), f"account-{account}", time),
        )
    async with open_database(world.where):
        pass
    told = "2 snapshots with a snapshot_time that cannot be read ('09.03.2026 12:00', say), in no day and no growth"
    grown = await growth(world.where, "P", "views", 5, NOON)
    (entry,) = grown["unread_snapshots"]
    assert (entry["username"], entry["count"], entry["example"]) == ("a", 2, "09.03.2026 12:00")
    show_growth(grown)
    explained = await explain(world.settings, "@a", METRICS, NOON)
    assert explained["accounts"][0]["unread_snapshots"] == {"count": 2, "example": "09.03.2026 12:00"}
    assert (await explain(world.settings, "@b", METRICS, NOON))["accounts"][0]["unread_snapshots"] is None
    show_explanations(explained)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count(told) == 2
    assert "[database-clock]" in shown
    found = [one for one in (await check(world.settings, lambda: NOON)).findings if "account_snapshots" in one.message]
    assert [(one.level, one.code) for one in found] == [("warning", "database-clock")]
    assert told in found[0].message
