"""One growth: what the screens read of it is a part of what the view tells, and all that they need."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smart_sync.core.history.growth import History, change
from smart_sync.core.model import METRICS
from smart_sync.store.database import Database
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
    async with open_database(world.path, "America/Los_Angeles") as database:
        yield world, database


async def fill(world: World, several: list[tuple[int, str, Any, Any]], first: Any) -> None:
    with closing(world.connect()) as connection, connection:
        connection.execute("DELETE FROM account_snapshots")
        connection.execute("DELETE FROM account_metrics")
        for number, (hours, notation, *counts) in enumerate(several):
            moment = datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC) - timedelta(hours=hours)
            connection.execute(INSERT, (str(number), *counts, moment.strftime(notation)))
        if first is not None:
            known = [ago and (NOON - timedelta(days=ago)).isoformat()[:19] for ago in first]
            changed = ", ".join(f"{metric}_changed_at" for metric in METRICS)
            connection.execute(
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
