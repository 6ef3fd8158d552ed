"""[parsed] query: parsed values that the web app's own tables hold."""

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon_process import PATIENCE, Daemon, run_command
from smart_sync.admin.checks.database_file import copy_query
from smart_sync.admin.ingest import ingest
from smart_sync.control.client import Client
from smart_sync.core.days import stamp
from smart_sync.core.merge.votes import votes_of
from smart_sync.core.model import METRICS, Metrics, Trigger
from smart_sync.core.parsed import INBOX, NO_PAST, QUERY, ParsedAccount, of_row, terms
from smart_sync.errors import ConfigError, SmartSyncError
from smart_sync.store.postgres import postgres_database
from smart_sync.store.sqlite import driver, scratch_copy
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import NOON, World, link

NOTHING = [None] * 4
metrics = st.builds(Metrics, *(st.none() | st.integers(0, 9) for _ in METRICS))
CHANNELS = "SELECT id AS account_id, subscribers AS followers, seen_at AS parsed_at FROM channels -- ours"


async def world_with_channels(world: World, query: str = CHANNELS) -> World:
    world.execute("CREATE TABLE channels (id TEXT, subscribers INTEGER, seen_at TEXT)")
    world.add_project("P", ["a", "b"])
    world.sections["parsed"] = {"query": query}
    return world


@given(metrics, metrics, st.none() | st.integers(-9, 9))
def test_the_fresher_value_counts_and_the_other_fills_in(row: Metrics, inbox: Metrics, minutes: int | None) -> None:
    """Per metric: the fresher side's value if it has one, else the other's; the query's if it does not say when."""
    at = None if minutes is None else stamp(NOON + timedelta(minutes=minutes))
    said = [*of_row(inbox, stamp(NOON), "", INBOX, rounded=False), *of_row(row, at, "", QUERY, rounded=False)]
    told = votes_of("a", said, NO_PAST, ParsedAccount("x"), terms(stamp(NOON + timedelta(hours=1)), None)).metrics
    fresher, older = (row, inbox) if minutes is None or minutes >= 0 else (inbox, row)
    for metric in METRICS:
        values = [getattr(side, metric) for side in (fresher, older)]
        assert getattr(told, metric) == next((value for value in values if value is not None), None)


async def test_the_query_counts_as_the_inbox_would(world: World) -> None:
    """Its values are merged like parsed values, and what it reads from is left as it is."""
    await world_with_channels(world)
    world.execute("INSERT INTO channels VALUES ('account-a', 500, NULL), ('account-b', 700, NULL), ('x', 1, NULL)")
    world.sheet("P", a=[400, *NOTHING], b=[900, *NOTHING])
    result = await world.sync_one()
    assert (world.merged("a"), world.merged("b")) == ((500, 0, 0, 0, 0), (900, 0, 0, 0, 0))
    assert (result.counts.parsed, world.winners("a")[0]) == (2, "parsed")
    world.execute("UPDATE channels SET subscribers = 600 WHERE id = 'account-a'")
    await world.sync()
    assert world.merged("a") == (600, 0, 0, 0, 0)
    assert world.execute("SELECT count(*) FROM parsed_metrics") == [(0,)]


async def test_the_fresher_of_query_and_inbox_counts(world: World) -> None:
    """By parsed_at, in whatever notation; a query that does not say when speaks of now."""
    await world_with_channels(world)
    world.parsed("a", [10, 7, None, None, None], parsed_at="2026-03-02T00:00:00")
    for seen_at, expected in [("2026-03-01 23:00:00", 10), ("2026-03-02 01:00:00", 500), (None, 500)]:
        world.execute("DELETE FROM channels")
        world.execute("INSERT INTO channels VALUES ('account-a', 500, ?)", (seen_at,))
        await world.sync()
        assert world.merged("a") == (expected, 7, 0, 0, 0)


async def test_what_is_no_count_or_double_is_reported(world: World) -> None:
    """A bad value counts as none, a doubled account once; both are problems of the project."""
    await world_with_channels(
        world, "SELECT id AS account_id, subscribers AS followers, seen_at AS views FROM channels"
    )
    world.execute(
        "INSERT INTO channels VALUES ('account-a', NULL, 'many'), ('account-b', 5, NULL), ('account-b', 5, NULL)"
    )
    result = await world.sync_one()
    told = sorted(problem.value for problem in result.problems)
    assert told == ["account account-a: views many", "account account-b"]
    assert (world.merged("a"), world.merged("b")) == ((0,) * 5, (5, 0, 0, 0, 0))


async def test_a_time_that_is_none_is_reported_and_its_row_counts_as_none(world: World) -> None:
    """Seconds since 1970, a date as people write it, a number that SQLite takes for a day: neither now nor undated."""
    await world_with_channels(world)
    world.parsed("b", [9, *NOTHING], parsed_at="01.01.2026 00:00")
    for seen_at in ("1767225600", "10.03.2026", "20454"):
        world.execute("DELETE FROM channels")
        world.execute("INSERT INTO channels VALUES ('account-a', 500, ?)", (seen_at,))
        result = await world.sync_one()
        assert {(problem.worksheet, problem.value) for problem in result.problems} == {
            ("parsed.query", f"account account-a: {seen_at}"), ("parsed_metrics", link("b")),
        }  # fmt: skip
        assert {problem.reason.partition(";")[0] for problem in result.problems} == {"a parsed_at that is no time"}
        assert (world.merged("a"), world.merged("b")) == ((0,) * 5, (0,) * 5)
    world.execute("UPDATE channels SET seen_at = '2026-03-09 00:00:00'")
    world.parsed("b", [9, *NOTHING], parsed_at="")
    assert not (await world.sync_one()).problems
    assert (world.merged("a"), world.merged("b")) == ((500, 0, 0, 0, 0), (9, 0, 0, 0, 0))


async def test_a_script_that_brings_nothing_any_more_is_reported(world: World) -> None:
    """After three days, by its source, as long as its numbers count; of the query as of the inbox."""
    await world_with_channels(world)
    world.parsed("a", [9, *NOTHING], source="scraper")
    world.parsed("b", [9, *NOTHING], source="scraper")
    world.execute("INSERT INTO channels VALUES ('account-b', 5, ?)", (stamp(world.now - timedelta(hours=1)),))
    assert (await world.sync_one()).problems == ()
    world.now += timedelta(days=2)
    world.parsed("a", [9, *NOTHING], source="scraper")
    assert (await world.sync_one()).problems == ()
    world.now += timedelta(days=1, minutes=1)
    world.execute("DELETE FROM parsed_metrics WHERE account_id = 'account-b'")
    (problem,) = (await world.sync_one()).problems
    assert problem.reason.startswith("query has brought no parsed value since 2026-03-")
    world.now += timedelta(days=2)
    assert {one.value for one in (await world.sync_one()).problems} == {"query", "scraper"}


async def test_a_script_that_brings_nothing_is_reported_when_its_values_have_ended(world: World) -> None:
    """Once [parsed] max_age takes their votes away, that is what is said, at any age; it is no reason to be quiet."""
    world.add_project("P", ["a", "b"])
    world.sections["parsed"] = {"max_age": "2d"}
    for name in ("a", "b"):
        world.parsed(name, [9, *NOTHING], source="scraper")
    assert (await world.sync_one()).problems == ()
    for days in (2, 2):
        world.now += timedelta(days=days)
        (problem,) = [one for one in (await world.sync_one()).problems if one.code == "parsed-values"]
        assert problem.value == "scraper"
        assert "; older than [parsed] max_age, its values do not count any more; " in problem.reason


async def test_a_file_that_nobody_writes_any_more_is_reported(world: World) -> None:
    """As old as the file, or as its lines say; what a person has ingested, and what other parsers bring, is not."""
    world.add_project("P", ["a", "b", "c", "d"])
    file = world.folder / "n.csv"
    world.sections["parsers"] = {"csv": {"path": file}, "off": {"kind": "csv", "path": file, "enabled": False}}
    lines = "link,views,source\n" + "".join(
        f"{link(name)},5,{own}\n" for name, own in zip("abcd", (*["", "own"], *["own", ""]), strict=True)
    )
    file.write_text(lines)
    await ingest(world.where, lines.replace(",own", ",").replace(",5,", ",6,"), "csv", world.now - timedelta(hours=1))

    async def told(days: int, written: float) -> list[tuple[str, str]]:
        world.now += timedelta(days=days)
        os.utime(file, (written, written))
        return [(one.worksheet, one.value) for one in (await world.sync_one()).problems]

    written = world.now.timestamp()
    assert await told(0, written) == await told(2, written) == []
    assert await told(2, written) == [("parsed_values", "csv"), ("parsed_values", "own")]
    assert await told(0, world.now.timestamp()) == []
    del world.sections["parsers"]
    assert await told(9, written) == []


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("SELECT id FROM channels", "'id'"),
        ("SELECT id AS account_id, seen_at AS parsed_at FROM channels", "no metric"),
        ("SELECT subscribers AS followers FROM channels", "account_id"),
        ("SELECT id AS account_id, 1 AS views, 2 AS views FROM channels", "views"),
        ("SELECT id FROM nowhere", "nowhere"),
        ("DELETE FROM channels", "syntax"),
        ("SELECT id AS account_id, 1 AS views FROM channels; DELETE FROM channels", "syntax"),
        ("SELECT 1 AS views) ; DELETE FROM channels; SELECT * FROM (SELECT 1", "not a SELECT"),
        ("UPDATE channels SET id = 1 RETURNING id AS account_id", "syntax"),
    ],
)
async def test_a_query_that_cannot_be_is_refused_at_the_start(world: World, query: str, part: str) -> None:
    """One line that names the key and the mistake; nothing has been run."""
    await world_with_channels(world, query)
    world.execute("INSERT INTO channels VALUES ('account-a', 1, NULL)")
    with pytest.raises(ConfigError) as refused:
        await world.sync()
    (problem,) = refused.value.problems
    assert problem.startswith("parsed.query: ")
    assert part in problem
    assert "\n" not in problem
    assert world.execute("SELECT count(*) FROM channels") == [(1,)]


async def test_check_tries_the_query_on_the_real_tables(world: World) -> None:
    """`check` counts the query's values, and names a query that fails."""
    await world_with_channels(world)
    world.execute("INSERT INTO channels VALUES ('account-a', -1, NULL)")
    good, bad = await _check(world, CHANNELS), await _check(world, "SELECT id FROM nowhere")
    assert any("the query gives a value that is no count" in message for message in good)
    assert not any("not a SELECT" in message for message in good)
    assert any(message.startswith("parsed.query: not a SELECT") and "nowhere" in message for message in bad)


async def _check(world: World, query: str) -> list[str]:
    config: Path = world.config(f"[parsed]\nquery = {json.dumps(query)}\n")
    ended = run_command("check", "--json", "--config", str(config))
    return [finding["message"] for finding in json.loads(ended.stdout)["findings"]]


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS account_id, i AS views FROM n"


async def test_a_query_without_an_end_costs_its_values_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut off after its time and reported; the sheet is synced, and `check` fills no disk with its rows."""
    for module in (driver, scratch_copy, postgres_database):
        monkeypatch.setattr(module, "MAX_ASKING", 0.2)
    await world_with_channels(world, ENDLESS)
    world.add_project("Q", ["c"])
    world.sheet("P", a=[1] * 5, b=[2] * 5)
    asked = []
    async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
        ask = resources.database.ask

        async def counted(sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
            asked.append(sql)
            return await ask(sql, parameters)

        monkeypatch.setattr(resources.database, "ask", counted)
        results = (await SyncPass(resources).run(PassRequest(Trigger.CLI))).results
    assert ([one.outcome for one in results], world.merged("a")) == (["synced"] * 2, (1,) * 5)
    assert all(any("no answer within 0.2 s" in told.reason for told in one.problems) for one in results)
    assert len(asked) == 1, "asked again of each project it would take the time once more"
    _, findings = await copy_query(world.settings, world.folder / "copy.db")
    assert ("no answer within 0.2 s" if world.url else "interrupted") in findings[0].message


def test_a_query_without_an_end_does_not_keep_the_daemon(world: World) -> None:
    """SIGTERM ends the daemon in the middle of it."""
    world.add_project("P", ["a"])
    text = f'[schedule]\nrun_on_start = false\n[parsed]\nquery = "{ENDLESS}"\n'
    with Daemon(world.config(text)) as daemon:
        asking = threading.Thread(target=lambda: asyncio.run(_ask(daemon)))
        asking.start()
        begun = _worked(daemon)
        while not _asks(world) if world.url else _worked(daemon) < begun + 1:  # the query alone takes as long
            time.sleep(0.02)
        assert daemon.stop() == 0
        asking.join()


def _worked(daemon: Daemon) -> float:
    """Seconds of processor time that the daemon has used."""
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


def _asks(world: World) -> bool:
    """Whether the server is at work on the query."""
    there = (
        "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%RECURSIVE n%' AND application_name > ''"
    )
    return bool(world.execute(there))


async def _ask(daemon: Daemon) -> None:
    with contextlib.suppress(SmartSyncError):
        await Client(daemon.socket, timeout=PATIENCE).request("POST", "/api/admin/smart_sync")
