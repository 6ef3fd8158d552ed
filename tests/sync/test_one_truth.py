"""Every number of every screen is what one SQL statement says of the same database."""

import asyncio
import html
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from typing import Any

import pytest

from daemon_process import run_command
from fake_google import FakeGoogle
from postgres_server import Server, absence
from report_data import report_of
from smart_sync.admin.history import growth
from smart_sync.core.days import moment, stamp
from smart_sync.core.model import METRICS, Trigger
from smart_sync.report.explain import ALL_DAYS, explain
from smart_sync.report.inputs import Options
from smart_sync.report.words import Words
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import KEY, NOON, PostgresWorld, World, link

DAYS = 60
#: In these the daemon did not run.
GAP = range(20, 23)
#: In these the cell of d cannot be read, the row of e is gone for good, f has no views yet.
CARRIED, GONE_FROM, BLANK = range(48, 52), 40, range(45)

#: An account is in the totals: it is active, and has not left.
COUNTS = (
    "coalesce(CAST(a.is_active AS INTEGER), 1) = 1 AND NOT EXISTS (SELECT 1 FROM account_metrics m"
    " WHERE m.account_id = CAST(a.id AS TEXT) AND m.left_since IS NOT NULL)"
)
#: What is known of views: the view has 0 where nobody knows a value.
KNOWN = (
    "SELECT CAST(g.account_id AS TEXT) AS id, g.day, g.views, g.views_delta, coalesce(g.ends_carried, '') AS ends"
    " FROM account_growth g JOIN account_metrics m ON m.account_id = CAST(g.account_id AS TEXT)"
    " WHERE g.day >= date(m.views_known_since)"
)


def views_of(name: str, day: int) -> Any:
    """What a manager has typed on a day."""
    if name == "d" and day in CARRIED:
        return "#REF!"
    if name == "f" and day in BLANK:
        return None
    return {"a": 1000, "b": 5000, "d": 700, "e": 300, "f": 40, "g": 9}[name] + day * {"b": -20}.get(name, 10)


#: Whose the table of snapshots is, and the engine.
LIVES = ["ours, sqlite", "theirs, sqlite", "ours, postgres", "theirs, postgres"]


@pytest.fixture(scope="module", params=LIVES)
def lived(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: Server | None
) -> Iterator[World]:
    """Sixty days of one project with ids that are numbers, one pass a day; their table of snapshots has no index."""
    whose, engine = request.param.split(", ")
    folder = tmp_path_factory.mktemp("lived")
    with FakeGoogle() as google, ExitStack() as stack:
        if engine == "sqlite":
            world = World(folder, google)
        elif postgres_server is None:
            pytest.skip(absence())
        else:
            world = PostgresWorld(folder, google, stack.enter_context(postgres_server.database()))
        world.sections["sheets"] = google.settings(world.folder, KEY, reads_per_minute=3000)
        if whose == "theirs":
            counts = ", ".join(f"{metric} INTEGER" for metric in METRICS)
            world.execute(
                "CREATE TABLE account_snapshots (id TEXT PRIMARY KEY, account_id INTEGER, snapshot_time TEXT,"
                f" {counts})"
            )
        asyncio.run(_live(world))
        yield world


async def _live(world: World) -> None:
    world.execute(
        "CREATE TABLE project_social_accounts (id INTEGER PRIMARY KEY, project_id TEXT, platform TEXT, username TEXT,"
        " profile_link TEXT, is_active TEXT)"
    )
    await world.create()
    world.add_project("P")
    insert = "INSERT INTO project_social_accounts VALUES (?, 'project-P', ?, ?, ?, ?)"
    for number, (name, active) in enumerate(
        [("a", "1"), ("b", None), ("d", "1"), ("e", "1"), ("f", "1"), ("g", "0")], 1
    ):
        world.execute(insert, (number, "youtube" if name == "b" else "tiktok", name, link(name), active))
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        for day in range(DAYS):
            if day not in GAP:
                names = [name for name in "abdefg" if name != "e" or day < GONE_FROM]
                world.sheet("P", **{n: [100 + day, 1, 2, 3, views_of(n, day)] for n in names})
                world.now = NOON + timedelta(days=day)
                await SyncPass(resources).run(PassRequest(Trigger.TIMER))


def sql(world: World, statement: str, *parameters: Any) -> Any:
    """The one value that a statement gives."""
    ((value,),) = world.execute(statement, parameters)
    return value


def first_day(days: int) -> str:
    return (NOON.date() + timedelta(days=DAYS - 1 - days)).isoformat()


#: The growth since a day: less the last known value at or before it, or the first after it.
GROWTH = f"""
WITH known AS ({KNOWN}), newest AS (SELECT views, day FROM known WHERE id = ?1 ORDER BY day DESC LIMIT 1),
start AS (
    SELECT views, day FROM known WHERE id = ?1 ORDER BY CASE WHEN day <= ?2 THEN 0 ELSE 1 END,
    CASE WHEN day <= ?2 THEN day ELSE '' END DESC, day LIMIT 1
)
SELECT newest.views - start.views FROM newest, start WHERE newest.day > start.day
"""
#: Of the days that neither end a carried stretch nor stand still up to such an end, or since the value is carried now.
MEAN = f"""
WITH k AS ({KNOWN}), now AS (SELECT account_id, views_carried_since FROM account_metrics WHERE views_winner = 'carried')
SELECT avg(views_delta) FROM k WHERE id = ? AND day > ? AND ends NOT LIKE '%views%' AND NOT (views_delta = 0 AND (
    (SELECT n.ends FROM k n WHERE n.id = k.id AND n.day > k.day
     AND (n.views_delta IS NULL OR n.views_delta <> 0 OR n.ends LIKE '%views%') ORDER BY n.day LIMIT 1) LIKE '%views%'
    OR EXISTS (SELECT 1 FROM now WHERE account_id = k.id AND k.day >= date(views_carried_since))))
"""
MOVED = f"""
SELECT ({GROWTH.strip()}) - coalesce((SELECT sum(views_delta) FROM ({KNOWN}) k WHERE id = ?1 AND day > ?2
    AND ends LIKE '%views%'), 0)
"""


def growth_of(world: World, account_id: str, days: int) -> int | None:
    rows = world.execute(GROWTH, (account_id, first_day(days)))
    return rows[0][0] if rows else None


@pytest.mark.parametrize("days", [1, 7, 10, 30, 59, 400])
async def test_growth(lived: World, days: int) -> None:
    """Accounts, totals, averages, movers and those that have left."""
    told = await growth(lived.where, None, "views", days, lived.now)
    ids = [row[0] for row in lived.execute(f"SELECT CAST(a.id AS TEXT) FROM project_social_accounts a WHERE {COUNTS}")]
    assert sorted(one["account_id"] for one in told["accounts"]) == sorted(ids) == ["1", "2", "3", "5"]
    for one in told["accounts"]:
        key, since = one["account_id"], first_day(days)
        assert one["last"] == sql(lived, f"SELECT views FROM ({KNOWN}) k WHERE id = ? ORDER BY day DESC LIMIT 1", key)
        assert one["last"] == sql(lived, "SELECT views FROM account_metrics WHERE account_id = ?", key)
        assert one["growth"] == growth_of(lived, key, days)
        assert one["moved"] == sql(lived, MOVED, key, since)
        values = dict(lived.execute(f"SELECT day, views FROM ({KNOWN}) k WHERE id = ? AND day >= ?", (key, since)))
        assert one["values"] == [values.get(day) for day in told["days"]]
        assert one["average"] == sql(lived, MEAN, key, since)
        ends = f"SELECT day FROM ({KNOWN}) k WHERE id = ? AND day > ? AND ends LIKE '%views%'"
        assert one["ends_carried"] == [row[0] for row in lived.execute(ends, (key, since))]
    (project,) = told["projects"]
    assert project["last"] == sql(
        lived, f"SELECT sum(m.views) FROM project_social_accounts a JOIN account_metrics m ON m.account_id ="
        f" CAST(a.id AS TEXT) WHERE {COUNTS}"
    )  # fmt: skip
    grown = [growth_of(lived, key, days) for key in ids]
    assert project["growth"] == sum(one for one in grown if one is not None)
    assert (project["accounts"], project["compared"]) == (4, sum(one is not None for one in grown))
    assert sum(one["growth"] or 0 for one in told["platforms"]) == project["growth"]
    moved = {one["account_id"]: moved for one in told["accounts"] if (moved := one["moved"])}
    assert [one["account_id"] for one in told["movers"]] == sorted(moved, key=lambda key: (-abs(moved[key]), key))
    left = lived.execute("SELECT account_id, left_since, views FROM account_metrics WHERE left_since IS NOT NULL")
    assert [(one["account_id"], one["left_since"], one["last"]) for one in told["left"]] == left
    assert left[0][0] == "4"


async def test_what_cannot_be_compared_has_no_number(lived: World) -> None:
    """The day on which f's views became known has no difference anywhere, the days before it no value."""
    known = NOON.date() + timedelta(days=BLANK.stop)
    row = "SELECT views, views_delta, followers_delta FROM account_growth WHERE CAST(account_id AS TEXT) = ?"
    assert lived.execute(f"{row} AND day = ?", ("5", known.isoformat())) == [(views_of("f", BLANK.stop), None, 1)]
    (told,) = (await explain(lived.settings, link("f"), METRICS, lived.now, ALL_DAYS))["accounts"]
    days = {day["day"]: (day["views"], day["views_delta"]) for day in told["days"]}
    assert days[known.isoformat()] == (views_of("f", BLANK.stop), None)
    assert days[(known - timedelta(1)).isoformat()] == (None, None)
    assert days[(known + timedelta(1)).isoformat()] == (views_of("f", BLANK.stop + 1), 10)
    answer = await growth(lived.where, None, "views", DAYS - 1 - BLANK.stop + 3, lived.now)
    (one,) = [one for one in answer["accounts"] if one["username"] == "f"]
    assert one["values"][:4] == [None, None, None, views_of("f", BLANK.stop)]
    assert (one["since"], one["exact"]) == (known.isoformat(), False)


async def test_a_day_that_ends_a_carried_stretch_is_marked(lived: World) -> None:
    """In the view, in explain, in growth and in the report; it is no mover of a day."""
    end = (NOON.date() + timedelta(days=CARRIED.stop)).isoformat()
    marked = lived.execute("SELECT account_id, day, ends_carried FROM account_growth WHERE ends_carried IS NOT NULL")
    assert [(int(row[0]), *row[1:]) for row in marked] == [(3, end, "views")]
    (told,) = (await explain(lived.settings, link("d"), METRICS, lived.now, ALL_DAYS))["accounts"]
    assert [day["day"] for day in told["days"] if day["ends_carried"]] == [end]
    then = NOON + timedelta(days=CARRIED.stop)
    answer = await growth(lived.where, None, "views", 1, then)
    (one,) = [one for one in answer["accounts"] if one["username"] == "d"]
    assert (one["growth"], one["moved"], one["average"], one["ends_carried"]) == (50, 0, None, [end])
    assert "d" not in [mover["username"] for mover in answer["movers"]]
    text = page_text(await asyncio.to_thread(report_of, lived.where, None, 90, then))
    assert "ends a carried stretch" in text


@pytest.mark.parametrize(
    ("asked", "shown"), [((), 7), ((30,), 30), ((ALL_DAYS,), 10_000)], ids=["a week", "30 days", "all"]
)
async def test_explain(lived: World, asked: tuple[int, ...], shown: int) -> None:
    """Each day asked for of each account as the view has it, but for values that nobody knew; a week by default."""
    for key, name in enumerate("abdef", 1):
        (told,) = (await explain(lived.settings, link(name), METRICS, lived.now, *asked))["accounts"]
        for metric in METRICS:
            rows = lived.execute(
                f"SELECT g.day, CASE WHEN g.day >= date(m.{metric}_known_since) THEN g.{metric} END, g.{metric}_delta"
                " FROM account_growth g JOIN account_metrics m ON m.account_id = CAST(g.account_id AS TEXT)"
                " WHERE CAST(g.account_id AS TEXT) = ? ORDER BY g.day DESC LIMIT ?", (str(key), shown),
            )  # fmt: skip
            assert rows
            assert [(day["day"], day[metric], day[f"{metric}_delta"]) for day in told["days"]] == rows


def page_text(page: bytes) -> str:
    return re.sub(
        r"\s+", " ", html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page.decode(), flags=re.DOTALL))
    )


def test_the_report(lived: World) -> None:
    """Totals, changes of a day, a week and a month, each account's newest values, the last passes."""
    text = page_text(report_of(lived.where, None, 90, lived.now, Options("operator")))
    ids = [row[0] for row in lived.execute(f"SELECT CAST(a.id AS TEXT) FROM project_social_accounts a WHERE {COUNTS}")]
    total = sql(
        lived, f"SELECT sum(m.views) FROM project_social_accounts a JOIN account_metrics m ON m.account_id ="
        f" CAST(a.id AS TEXT) WHERE {COUNTS}"
    )  # fmt: skip
    expected = [f"Views {total:,}"]
    for days in (1, 7, 30):
        grown = [one for key in ids if (one := growth_of(lived, key, days)) is not None]
        expected.append(f"{days} day{'s' if days > 1 else ''} {signed(sum(grown))}")
    assert " ".join(expected[:2]) in text
    for said in (*expected, "4 active accounts", "1 left, in no total", "1 inactive, left out"):
        assert said in text, said
    for key, name in enumerate("abdef", 1):
        newest = f"SELECT {', '.join(METRICS)} FROM account_growth WHERE CAST(account_id AS TEXT) = ?"
        values = [f"{value:,}" for value in lived.execute(f"{newest} ORDER BY day DESC LIMIT 1", (str(key),))[0]]
        assert " ".join(values) in text or re.search(rf"{values[-1]} .*? {' '.join(values[:-1])} tiktok", text), name
    runs = "SELECT started_at, accounts, changed FROM sync_runs"
    for started, accounts, changed in lived.execute(f"{runs} ORDER BY started_at DESC LIMIT 10"):
        shown = Words().stamp(moment(started))
        assert re.search(rf"{shown} timer after [\d.]+ s 1 0 0 {accounts} {changed} ", text), started


def signed(amount: int) -> str:
    return "±0" if amount == 0 else f"+{amount:,}" if amount > 0 else f"−{-amount:,}"


def test_the_texts_of_the_commands(lived: World) -> None:
    """What `growth`, `history` and `status` print is what they say as JSON, and that is what the tables have."""
    config = ["--config", str(lived.config())]
    days = (date.today() - (NOON.date() + timedelta(days=DAYS - 1))).days  # noqa: DTZ011
    told = json.loads(run_command("growth", "--days", str(days + 10), "--json", *config).stdout)
    text = run_command("growth", "--days", str(days + 10), *config).stdout
    _, of_project, of_platforms, of_movers = (table.splitlines() for table in text.strip().split("\n\n"))
    (project,) = told["projects"]
    grown = f"{project['last']:,} ({project['growth']:+,}, {project['average']:+,.1f} a day)"
    assert of_project[0] == f"project P: {grown}, {project['accounts']} accounts"
    assert [line.split()[:5] for line in of_project[2 : 2 + len(told["accounts"])]] == [
        [
            one["username"], one["platform"], f"{one['last']:,}", f"{one['growth']:+,}",
            f"{one['growth'] / one['first']:+,.1%}",
        ]
        for one in told["accounts"]
    ]  # fmt: skip
    assert [line.split() for line in of_platforms[1:]] == [
        [one["name"], str(one["accounts"]), f"{one['last']:,}", f"{one['growth']:+,}", f"{one['average']:+,.1f}"]
        for one in told["platforms"]
    ]
    *moved, left = of_movers[1:]
    assert [line.split() for line in moved] == [
        [one["username"], one["platform"], "P", f"{one['moved']:+,}"] for one in told["movers"]
    ]
    assert left == "left: e, tiktok: 690, since 2026-04-26 12:00, in no total"
    week, everything = (run_command("explain", link("d"), *past, *config).stdout for past in ((), ("--all",)))
    days_of_d = "SELECT day, coalesce(ends_carried, ''), views FROM account_growth WHERE CAST(account_id AS TEXT) = '3'"
    all_of_d = lived.execute(f"{days_of_d} ORDER BY day DESC")
    for shown, rows in (week, all_of_d[:7]), (everything, all_of_d):
        # The line of a day ends with its views, marked where the day ends a carried stretch; its growth stands below.
        table = shown.split("\nday ")[1].split("\n\n")[0]
        lines = re.findall(r"^(\d{4}-\d\d-\d\d) .* (\*?)([\d,]+)$", table, re.MULTILINE)
        assert lines == [(day, "*" if ends else "", f"{views:,}") for day, ends, views in rows]
    runs = json.loads(run_command("history", "--limit", "100", "--json", *config).stdout)["runs"]
    columns = (
        "started_at",
        "finished_at",
        "projects",
        "failed",
        "degraded",
        "accounts",
        "updated",
        "changed",
        "snapshots",
    )
    rows = lived.execute(f"SELECT {', '.join(columns)} FROM sync_runs ORDER BY started_at DESC")
    assert [tuple(run[name] for name in columns) for run in runs] == rows
    shown = run_command("history", "--limit", "100", *config).stdout
    for run in runs:
        assert (
            f"1 project, {run['accounts']} accounts, {run['changed']:,} changed, {run['snapshots']} snapshot" in shown
        )
    assert stamp(lived.now)[:16] == rows[0][0][:16]
