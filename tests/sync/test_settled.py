"""A daemon that lives on decides as one that starts for each pass: nothing that it keeps changes a number."""

import asyncio
import contextlib
import csv
import random
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lengths import examples
from postgres_server import Server, absence
from smart_sync.admin.ingest import NothingToForget, forget
from smart_sync.config import Settings
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS, Metrics, ParsedMetrics, Precision, Trigger
from smart_sync.core.results.results import PassResult
from smart_sync.store import parsed_values
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import Resources, opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from typed import sqlite
from world import NOON, link, on_server

TABLES = (
    "project_social_accounts",
    "sheet_metrics",
    "account_metrics",
    "account_snapshots",
    "suspects",
    "conflicts",
    "worksheet_reads",
    "worksheet_troubles",
    "doubtful_rows",
    "lost_columns",
    "parsed_values",
    "forgotten_values",
    "values_ahead",
    "values_taken_back",
    "account_link_changes",
)
NAMES = [f"a{number}" for number in range(6)]
CELLS = ["", "0", "7", "2000", "30000", "#REF!", "1.5K", "-"]
MEDDLING = [
    "DELETE FROM account_metrics WHERE account_id = ?",
    "UPDATE account_metrics SET views = 'many' WHERE account_id = ?",
    "DELETE FROM sheet_metrics WHERE account_id = ?",
    "DELETE FROM account_snapshots WHERE account_id = ?",
    "DELETE FROM project_social_accounts WHERE id = ?",
    "UPDATE project_social_accounts SET is_active = 1 - is_active WHERE id = ?",
    (
        "INSERT INTO project_social_accounts (id, project_id, platform, profile_link) "
        "SELECT id || 'x', project_id, platform, profile_link || 'x' FROM project_social_accounts WHERE id = ?"
        " ON CONFLICT DO NOTHING"
    ),
]
HEADER = ["Link", "Followers", "Likes", "Comments", "Videos", "Views"]


@dataclass(slots=True)
class Twins:
    """One worksheet and two databases: one of a daemon that lives on, one of a daemon that starts for each pass."""

    folder: Path
    #: Of databases on a server: their URLs by name.
    urls: Mapping[str, str] = field(default_factory=dict)
    rows: list[list[str]] = field(default_factory=lambda: [HEADER, *([link(n), *"12345"] for n in NAMES[:4])])
    now: datetime = NOON

    def settings(self, name: str, strategy: str) -> Settings:
        return Settings.model_validate(
            {
                "database": {"url": self.urls[name]} if self.urls else {"path": self.folder / f"{name}.db"},
                "sheets": {"source": "csv", "directory": self.folder, "max_vanished": 0.5},
                "sync": {"create_missing": "projects"},
                "merge": {"strategy": strategy},
                "parsed": {"max_age": "2d"},
            }
        )

    def execute(self, name: str, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """One statement of the web app's, committed."""
        if self.urls:
            return on_server(self.urls[name], sql, parameters)
        with closing(sqlite3.connect(self.folder / f"{name}.db", timeout=30)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def type(self) -> None:
        with (self.folder / "P.csv").open("w", newline="") as file:
            csv.writer(file).writerows(self.rows)


Act = Callable[[Twins, random.Random], Sequence[ParsedMetrics]]


def edit(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A manager types into a cell."""
    if len(twins.rows) > 1:
        choice.choice(twins.rows[1:])[choice.randrange(1, 6)] = choice.choice(CELLS)
    return ()


def add(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A row more, perhaps of an account that has one."""
    twins.rows.insert(
        choice.randrange(1, len(twins.rows) + 1), [link(choice.choice(NAMES)), *choice.choices(CELLS, k=5)]
    )
    return ()


def remove(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A row less."""
    if len(twins.rows) > 1:
        twins.rows.pop(choice.randrange(1, len(twins.rows)))
    return ()


def rename(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A column gets a name that is none of ours, or has its own again."""
    column = choice.randrange(0, 6)
    twins.rows[0] = [*HEADER[:column], choice.choice([HEADER[column], "Remarks"]), *HEADER[column + 1 :]]
    return ()


def mistype(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A link gets a letter more, or is an error."""
    if len(twins.rows) > 1:
        row = choice.choice(twins.rows[1:])
        row[0] = choice.choice([row[0] + "x", "#REF!"])
    return ()


def empty_a_column(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """All cells of a column are blank or 0 at once."""
    column, filler = choice.randrange(1, 6), choice.choice(["", "0"])
    for row in twins.rows[1:]:
        row[column] = filler
    return ()


def later(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """Hours go by, perhaps midnight."""
    twins.now += timedelta(hours=choice.choice([1, 20, 100]))
    return ()


def ids_of(twins: Twins) -> list[str]:
    return [row[0] for row in twins.execute("fresh", "SELECT id FROM project_social_accounts ORDER BY id")]


def parse(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A parser has news, perhaps by a clock that is ahead."""
    values = Metrics._make(choice.choice([None, 0, 8, 2000, 50000]) for _ in METRICS)
    at = twins.now + timedelta(minutes=choice.choice([0, 0, 4, 20, 99999]))
    ids = ids_of(twins)
    return [ParsedMetrics(choice.choice(ids), values, "ours", at, choice.choice(list(Precision)))] if ids else ()


def upsert(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A script puts values into the inbox, perhaps by a clock that is ahead or without a time."""
    ids = ids_of(twins)
    values = choice.choices([None, 0, 8, 2000, 50000], k=5)
    at = choice.choice([stamp(twins.now + timedelta(minutes=m)) for m in (-9999, 0, 20, 99999)] + ["soon"])
    for name in ("living", "fresh"):
        for one in ids[:1]:
            twins.execute(name, "DELETE FROM parsed_metrics WHERE account_id = ?", (one,))
            sql = "INSERT INTO parsed_metrics VALUES (?, ?, ?, ?, ?, ?, 'script', ?, 'exact')"
            twins.execute(name, sql, (one, *values, at))
    return ()


def relink(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """The web app gives an account another link, perhaps only another spelling."""
    ids = ids_of(twins)
    to = choice.choice(["https://www.tiktok.com/@other", "tiktok.com/@OTHER"])
    for name in ("living", "fresh"):
        for one in ids[:1]:
            sql = (
                "UPDATE project_social_accounts SET profile_link = ?1 WHERE id = ?2 AND NOT EXISTS"
                " (SELECT 1 FROM project_social_accounts o WHERE o.profile_link = ?1)"
            )
            twins.execute(name, sql, (to, one))
    return ()


def take_back(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """A person takes back what a source has said."""
    source, metric = choice.choice(["ours", "script"]), choice.choice([None, "views"])
    for name in ("living", "fresh"):
        forgetting = forget(twins.settings(name, "max"), None, source, metric, twins.now)
        with contextlib.suppress(NothingToForget), ThreadPoolExecutor() as thread:
            thread.submit(asyncio.run, forgetting).result()
    return ()


def meddle(twins: Twins, choice: random.Random) -> Sequence[ParsedMetrics]:
    """The web app deletes or spoils what we wrote, or switches an account off."""
    statement = choice.choice(MEDDLING)
    account = choice.random()
    for name in ("living", "fresh"):
        ids = [row[0] for row in twins.execute(name, "SELECT id FROM project_social_accounts ORDER BY id")]
        if not twins.urls or "'many'" not in statement:  # a server's column takes no text for a count
            twins.execute(name, statement, ids[int(account * len(ids)) :][:1] or [""])
    return ()


def nothing(_twins: Twins, _choice: random.Random) -> Sequence[ParsedMetrics]:
    """Nothing happens."""
    return ()


ACTS: Sequence[Act] = [
    *[edit, edit, edit, add, remove, rename, mistype, empty_a_column, later, later, parse, parse, meddle, nothing],
    *[upsert, relink, take_back],
]


@given(
    st.lists(st.sampled_from(ACTS), min_size=1, max_size=10),
    st.sampled_from(["max", "latest", "sheet"]),
    st.randoms(use_true_random=False),
    st.booleans(),
)
@settings(max_examples=examples(15, 100), deadline=None)
def test_a_daemon_that_lives_on_writes_what_a_fresh_one_would(
    acts: Sequence[Act], strategy: str, choice: random.Random, by_other_process: bool
) -> None:
    """Whatever happens between passes, both databases hold the same rows after each, and both passes say the same."""
    asyncio.run(_compare(acts, strategy, choice, by_other_process))


@pytest.mark.hypothesis
def test_a_daemon_of_a_server_that_lives_on_writes_what_a_fresh_one_would(postgres_server: Server | None) -> None:
    """The same of databases on a server, which has no short cut that could be wrong: few in each run."""
    if postgres_server is None:
        pytest.skip(absence())
    there = postgres_server

    @given(
        st.lists(st.sampled_from(ACTS), min_size=1, max_size=10),
        st.sampled_from(["max", "latest", "sheet"]),
        st.randoms(use_true_random=False),
    )
    @settings(max_examples=examples(3, 40), deadline=None)
    def compare(acts: Sequence[Act], strategy: str, choice: random.Random) -> None:
        with there.prepared() as living, there.prepared() as fresh:
            asyncio.run(_compare(acts, strategy, choice, False, {"living": living, "fresh": fresh}))

    compare()


def days_later(twins: Twins, _choice: random.Random) -> Sequence[ParsedMetrics]:
    """Days go by."""
    twins.now += timedelta(days=4)
    return ()


async def test_accounts_that_have_left_are_counted_as_a_fresh_daemon_counts_them() -> None:
    """The pass after one in which accounts left, and nothing else happened, says the same of them as a fresh one."""
    acts = [remove, remove, days_later, days_later, nothing]
    await _compare(acts, "max", random.Random(1), by_other_process=False)


def parse_the_first(twins: Twins, _choice: random.Random) -> Sequence[ParsedMetrics]:
    """A parser has values of the first row's account, which is inactive."""
    sql = "SELECT id FROM project_social_accounts WHERE is_active = 0 AND profile_link = ?"
    ((account_id,),) = twins.execute("fresh", sql, (link(NAMES[0]),))
    return [ParsedMetrics(account_id, Metrics(7, 7, 7, 7, 7), "ours", twins.now)]


def put_the_first_row_back(twins: Twins, _choice: random.Random) -> Sequence[ParsedMetrics]:
    """The row that was cut returns."""
    twins.rows.insert(1, [link(NAMES[0]), *"12345"])
    return ()


async def test_the_parsed_values_of_an_account_that_is_back_are_counted() -> None:
    """It was inactive when the last pass counted them; the returned row is all that has changed since."""
    gone = [cut_the_first_row, days_later, days_later, nothing]
    await _compare([*gone, parse_the_first, nothing, put_the_first_row_back], "max", random.Random(1), False)


def spoil(twins: Twins, _choice: random.Random) -> Sequence[ParsedMetrics]:
    """Another program writes text into merged values."""
    for name in ("living", "fresh"):
        twins.execute(name, "UPDATE account_metrics SET views = 'many'")
    return ()


@pytest.mark.parametrize("after", [nothing, edit])
async def test_values_that_were_spoilt_are_told_as_a_fresh_daemon_tells_them(after: Act) -> None:
    """In the pass that finds them, and in no later one."""
    await _compare([spoil, after], "max", random.Random(1), by_other_process=False)


def junk_the_second_link(twins: Twins, _choice: random.Random) -> Sequence[ParsedMetrics]:
    """The link of the second row is an error."""
    twins.rows[2][0] = "#REF!"
    return ()


def cut_the_first_row(twins: Twins, _choice: random.Random) -> Sequence[ParsedMetrics]:
    """The first row is gone, and all others move up."""
    twins.rows.pop(1)
    return ()


async def test_a_row_that_cannot_be_read_is_found_again_after_it_has_moved() -> None:
    """The row of a missing account moves up with the others, and each later pass says where it stands."""
    await _compare([junk_the_second_link, cut_the_first_row, nothing], "max", random.Random(1), by_other_process=False)


async def _compare(
    acts: Sequence[Act],
    strategy: str,
    choice: random.Random,
    by_other_process: bool,
    urls: Mapping[str, str] | None = None,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        twins = Twins(Path(folder), urls or {})
        clock = lambda: twins.now  # noqa: E731 - the clock of both
        async with opened(twins.settings("living", strategy), Reporter(), clock=clock) as resources:
            sync = SyncPass(resources)
            for act in (nothing, *acts):
                parsed = act(twins, choice)
                twins.type()
                await _put(resources, parsed, twins.now, by_other_process=by_other_process)
                lived = await sync.run(PassRequest(Trigger.TIMER))
                async with opened(twins.settings("fresh", strategy), Reporter(), clock=clock) as others:
                    await parsed_values.put(others.database, parsed, twins.now)
                    fresh = await SyncPass(others).run(PassRequest(Trigger.TIMER))
                assert _rows(twins, "living") == _rows(twins, "fresh"), act.__doc__
                assert _told(lived) == _told(fresh), act.__doc__


async def _put(resources: Resources, parsed: Sequence[ParsedMetrics], now: datetime, *, by_other_process: bool) -> None:
    if not by_other_process:
        await parsed_values.put(resources.database, parsed, now)
        return
    async with opened(resources.settings, Reporter()) as others:
        await parsed_values.put(others.database, parsed, now)


def _rows(twins: Twins, name: str) -> dict[str, list[tuple[Any, ...]]]:
    return {table: twins.execute(name, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}


def _told(result: PassResult) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in one.answer().items() if key != "timestamp"} | {"parsed": one.counts.parsed}
        for one in result.results
    ]


async def test_a_pass_writes_about_accounts_only_what_has_changed(tmp_path: Path) -> None:
    """After a pass that wrote everything, the next one looks at every account, and writes one: that was edited."""
    twins = Twins(tmp_path)
    async with opened(twins.settings("living", "max"), Reporter(), clock=lambda: twins.now) as resources:
        sync, traced = SyncPass(resources), list[str]()
        twins.type()
        await sync.run(PassRequest(Trigger.TIMER))
        await sqlite(resources.database)._writer.set_trace_callback(traced.append)
        await sync.run(PassRequest(Trigger.TIMER))
        tables = ("sheet_metrics", "account_metrics", "account_snapshots", "sheet_edits")
        assert not [sql for sql in traced if sql.startswith(tuple(f"INSERT INTO {table}" for table in tables))]
        twins.rows[1][1] = "9"
        twins.type()
        await sync.run(PassRequest(Trigger.TIMER))
        assert [sum(sql.startswith(f"INSERT INTO {table}") for sql in traced) for table in tables] == [1, 1, 0, 1]


async def test_parsed_values_whose_storing_was_cut_off_are_looked_at_if_they_are_there(tmp_path: Path) -> None:
    """A parser that is cut off while SQLite commits its values has brought them, and the next pass merges them."""
    twins = Twins(tmp_path)
    async with opened(twins.settings("living", "max"), Reporter(), clock=lambda: twins.now) as resources:
        sync, database = SyncPass(resources), resources.database
        twins.type()
        await sync.run(PassRequest(Trigger.TIMER))
        ((account,),) = await database.fetch("SELECT min(id) FROM project_social_accounts")
        committing = asyncio.Event()
        loop = asyncio.get_running_loop()
        await sqlite(database)._writer.set_trace_callback(
            lambda sql: loop.call_soon_threadsafe(committing.set) if sql == "COMMIT" else None
        )
        values = [ParsedMetrics(account, Metrics(9, 9, 9, 9, 9), "ours", twins.now)]
        putting = asyncio.create_task(parsed_values.put(database, values, twins.now))
        await committing.wait()
        putting.cancel()
        await asyncio.wait([putting])
        assert putting.cancelled()
        assert await database.fetch("SELECT 1 FROM parsed_values")
        await sync.run(PassRequest(Trigger.TIMER))
        merged = await database.fetch("SELECT followers FROM account_metrics WHERE account_id = ?", (account,))
        assert merged == [(9,)]


async def test_triggers_of_the_web_app_are_reckoned_with(tmp_path: Path) -> None:
    """What a trigger does in a commit of ours is news for the next pass, as if another process had written it."""
    twins = Twins(tmp_path)
    async with opened(twins.settings("living", "max"), Reporter(), clock=lambda: twins.now) as resources:
        sync = SyncPass(resources)
        twins.type()
        await sync.run(PassRequest(Trigger.TIMER))
        with closing(sqlite3.connect(tmp_path / "living.db")) as connection, connection:
            connection.execute(
                "CREATE TRIGGER goal AFTER UPDATE ON account_metrics WHEN NEW.views >= 100 BEGIN"
                " UPDATE project_social_accounts SET is_active = 0 WHERE id = NEW.account_id; END"
            )
        await sync.run(PassRequest(Trigger.TIMER))
        twins.rows[1][5] = "100"
        twins.type()
        accounts = [(await sync.run(PassRequest(Trigger.TIMER))).results[0].counts.accounts for _ in range(2)]
    assert accounts == [4, 3]
