"""The same days on both engines leave the same rows in all tables, and the same answers.

Managers, parsers, platforms, a web app and administrators do what they do, drawn at random, to installations of several
kinds; after each pass every row of every table, and of the view of growth, is compared.  SOAK_DAYS and SOAK_SEEDS make
longer runs.
"""

import asyncio
import io
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.parsers.test_campaign import Imitation, configure

from fake_google import FakeGoogle
from fake_platforms import LINKS
from lengths import examples
from postgres_server import Server, absence
from receiver import Receiver, receiving
from smart_sync import logs
from smart_sync.admin.confirm import confirm
from smart_sync.admin.corrections import pin, repair, unpin
from smart_sync.admin.history import growth
from smart_sync.admin.ingest import forget
from smart_sync.config.database_url import server
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS, NAMESPACE, Metrics, ParsedMetrics, Precision, Trigger
from smart_sync.errors import SmartSyncError
from smart_sync.parsers import budget
from smart_sync.parsers.youtube import YouTube
from smart_sync.report.explain import Explainer
from smart_sync.store import parsed_values
from smart_sync.store.pin_rows import PinRequest
from smart_sync.store.schema import open_database, shared_tables
from smart_sync.sync import sync_pass
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import HEADER, KEY, PostgresWorld, World, link

DAYS = int(os.environ.get("SOAK_DAYS", "6"))
EXAMPLES = int(os.environ.get("SOAK_SEEDS", examples(1, 12)))
#: Account → its name on the platform: two projects share two accounts; one is on a platform that is asked.
PROJECTS = {
    "P": {"a": "a", "b": "b", "d": "d", "e": "e", "f": "f"},
    "Q": {"c": "c", "g": "g"},
    "R": {"ra": "a", "rc": "c", "y": "y"},
}
ACCOUNTS = {account: name for accounts in PROJECTS.values() for account, name in accounts.items()}
ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles"]
#: What differs by nature: how long a thing took.
VOLATILE = {"seconds", "stages", "bytes"}
#: The columns that the views of a web app's types leave out.
NOT_READ = {"projects.created_at", "project_social_accounts.status"}
NOT_COMPARED = {"database_made", "spreadsheet_facts", "smart_sync_leases", "quota_slots"}
#: What may be numbers, or text that says the same.
IDS = {"id", "project_id", "account_id"}
#: Of a web app's own types, in which an engine's words are hashed.
HASHED = {"told_problems"}
#: What an integer of a server's cannot hold.
TOO_LARGE = 2**31

Table = list[tuple[Any, ...]]


class App(NamedTuple):
    """The tables of a web app: its types on a server and in a file, and its ids."""

    server: Mapping[str, str]
    file: Mapping[str, str]
    ids: Callable[[str], Any] = "account-{}".format


TABLES = """
CREATE TABLE projects (id {id} PRIMARY KEY, name {text}, google_sheet_name {text}, start_date {date}, end_date {date},
  kpi_views {count}, target_views {count}, created_at {time}, is_active {yes}, is_finished {no});
CREATE TABLE project_social_accounts (id {id} PRIMARY KEY, project_id {key}, platform {text}, username {text},
  profile_link {text}, status {text}, topic {text}, telegram_user {text}, added_at {time}, is_active {yes},
  UNIQUE (project_id, profile_link));
CREATE TABLE account_snapshots (id {snapshot} PRIMARY KEY, account_id {key}, {counts}, snapshot_time {time});
CREATE TABLE parsed_metrics (account_id {key} PRIMARY KEY, {counts}, source {text}, parsed_at {time},
  "precision" {text});
"""
APPS: dict[str, App | None] = {
    "made by Smart Sync": None,
    "texts in an order of their own": None,
    "uuid, boolean, int4, timestamp with time zone": App(
        {
            "id": "uuid", "key": "uuid", "snapshot": "uuid", "text": "varchar(200)", "date": "date",
            "count": "integer", "time": "timestamptz", "yes": "boolean DEFAULT true", "no": "boolean DEFAULT false",
        },
        {
            "id": "TEXT", "key": "TEXT", "snapshot": "TEXT", "text": "TEXT", "date": "TEXT",
            "count": f"INTEGER CHECK ({{name}} < {TOO_LARGE})", "time": "TEXT", "yes": "INTEGER DEFAULT 1",
            "no": "INTEGER DEFAULT 0",
        },
        lambda name: str(uuid.uuid5(NAMESPACE, name)),
    ),
    "numbers, timestamp without time zone": App(
        {
            "id": "integer GENERATED BY DEFAULT AS IDENTITY (START WITH 900)", "key": "integer", "snapshot": "text",
            "text": "text", "date": "text", "count": "bigint", "time": "timestamp", "yes": "integer DEFAULT 1",
            "no": "boolean DEFAULT false",
        },
        {
            "id": "INTEGER", "key": "INTEGER", "snapshot": "TEXT", "text": "TEXT", "date": "TEXT", "count": "INTEGER",
            "time": "TEXT", "yes": "INTEGER DEFAULT 1", "no": "INTEGER DEFAULT 0",
        },
        lambda name: 899 if name == "y" else 100 + [*PROJECTS, *ACCOUNTS].index(name),  # in one order as text, too
    ),
}  # fmt: skip


def tables_of(types: Mapping[str, str]) -> str:
    """`TABLES` with these types."""
    counts = ", ".join(f"{metric} {types['count'].format(name=metric)}" for metric in METRICS)
    bare = dict(types) | {"count": types["count"].partition(" CHECK")[0]}
    return TABLES.format(**bare, counts=counts)


def rows_of(world: World, left_out: AbstractSet[str] = NOT_COMPARED) -> dict[str, Table]:
    """Every table with its rows, in an order of their own, the web app's read as ours; and the view of growth."""
    views = set()
    if world.url:
        views = {row[0] for row in world.execute("SELECT viewname FROM pg_views WHERE schemaname = 'smart_sync'")}
    found = {}
    for name in {*world.tables(), "account_growth"} - left_out:
        columns, rows = world.table(f"smart_sync.{name}" if name in views else name)
        kept = [
            index
            for index, column in enumerate(columns)
            if {column, f"{name}.{column}"}.isdisjoint(VOLATILE | NOT_READ)
        ]
        if "seq" in columns:  # numbers that a server has given to rows that were refused are not given again
            at = columns.index("seq")
            rows = [(*row[:at], place, *row[at + 1 :]) for place, row in enumerate(sorted(rows, key=lambda r: r[at]))]
        found[name] = sorted(
            (tuple(str(row[at]) if columns[at] in IDS else _plain(row[at]) for at in kept) for row in rows),
            key=lambda row: [(value is not None, str(type(value)), value) for value in row],
        )
    return found


#: What an engine says of a number that is too large for its column, and of a text in one for numbers.
_REFUSALS = re.compile(
    rf'CHECK constraint failed: \w+ < {TOO_LARGE}|value \\?"{TOO_LARGE}\\?" is out of range for type integer'
    r'|datatype mismatch|invalid input syntax for type integer: \\?"[0-9a-f-]+\\?"'
    r"|look at the triggers, rules and column types of the web app's tables"
    r"|make the counts of account_snapshots BIGINT, as docs/how-to/postgres.md says"
)
_DURATIONS = re.compile(r'("(?:duration_seconds|seconds|read|decide|write)": ?)[\d.e-]+')


def _plain(value: Any) -> Any:
    """A value without how long something took, and without an engine's own words."""
    return _REFUSALS.sub("", _DURATIONS.sub(r"\g<1>0", value)) if isinstance(value, str) else value


def _as_text(told: Any) -> str:
    return str(_plain(json.dumps(told, sort_keys=True, default=str)))


def _random_id(draw: random.Random) -> uuid.UUID:
    return uuid.UUID(int=draw.getrandbits(128), version=4)


@contextmanager
def fixed_ids(seed: int) -> Iterator[pytest.MonkeyPatch]:
    """Inside, the ids of passes and of parsers' budgets are those of ``seed``."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (sync_pass, budget):
            ids = SimpleNamespace(uuid4=partial(_random_id, random.Random(seed)), uuid5=uuid.uuid5)
            patch.setattr(module, "uuid", ids)
        yield patch


class TwoWorlds:
    """One installation on each engine, in front of the same worksheets."""

    def __init__(self, draw: random.Random, app: App | None, worlds: tuple[World, World], receiver: Receiver) -> None:
        self.draw = draw
        self.id_of = app.ids if app else "account-{}".format
        self.project_of = app.ids if app else "project-{}".format
        self.has_times = app is not None
        self.worlds = worlds
        self.google = worlds[0].google
        #: The names in each worksheet, and the numbers behind each; None: the row is not there.
        self.typed_in = {project: list(accounts) for project, accounts in PROJECTS.items()}
        self.names = dict(ACCOUNTS)
        self.cells: dict[str, list[Any] | None] = {account: self._cells() for account in ACCOUNTS}
        self.renamed: set[str] = set()
        self.gone: set[str] = set()
        self.refused: tuple[str, str, str] | None = None
        self.now = worlds[0].now
        #: What happened, for whoever reads of a failure.
        self.happened: list[str] = []
        hook = {"url": f"http://127.0.0.1:{receiver.port}/", "secret": ["whsec_" + "B" * 44], "allow_private": True}
        for world in worlds:
            world.sections["sync"] = {"create_missing": draw.choice(["accounts", "none"]), "concurrency": 1}
            world.sections["webhooks"] = [hook]
        worlds[1].sections["sync"] = worlds[0].sections["sync"]

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        """A statement of the web app's."""
        for world in self.worlds:
            world.execute(sql, tuple(parameters))

    def link_of(self, account: str) -> str:
        return LINKS["youtube"] if account == "y" else link(self.names[account])

    def write_worksheets(self) -> None:
        """Let the worksheets hold what the managers have typed."""
        for project, accounts in self.typed_in.items():
            if project in self.gone:
                self.google.spreadsheets[KEY].worksheets.pop(project, None)
                continue
            header = ["" if name.lower() in self.renamed else name for name in HEADER]
            rows = [
                [f"@{self.names[account]}", self.link_of(account), *cells]
                for account in accounts
                if (cells := self.cells[account])
            ]
            self.google.spreadsheets[KEY].worksheets[project] = [header, *rows]

    def _cells(self) -> list[Any]:
        return [self.draw.choice([self.draw.randrange(10**6), self.draw.randrange(30), ""]) for _ in METRICS]

    def _account(self) -> str:
        return self.draw.choice(sorted(ACCOUNTS))

    # Who does what.

    def type_into_a_cell(self) -> None:
        if (cells := self.cells[self.draw.choice(sorted(self.cells))]) is not None:
            value = self.draw.choice(["", "#REF!", "1 234", "0", "950!", TOO_LARGE, self.draw.randrange(10**6)])
            cells[self.draw.randrange(5)] = value

    def delete_rows_or_restore_them(self) -> None:
        for account in self.draw.sample(sorted(self.cells), self.draw.choice([1, 1, 4])):
            self.cells[account] = self._cells() if self.cells[account] is None else None

    def fill_a_column(self) -> None:
        place, filler = self.draw.randrange(5), self.draw.choice(["", 0, "#REF!", 7])
        for account in PROJECTS["P"]:
            if (cells := self.cells[account]) is not None:
                cells[place] = filler

    def rename_a_column_or_name_it_back(self) -> None:
        self.renamed ^= {self.draw.choice(METRICS)}

    def delete_a_worksheet_or_restore_it(self) -> None:
        self.gone ^= {self.draw.choice(sorted(PROJECTS))}

    def a_new_row(self) -> None:
        name = self.draw.choice(["a2", f"n{self.draw.randrange(10**6)}"])
        if name not in self.cells:
            self.typed_in[self.draw.choice(sorted(PROJECTS))].append(name)
            self.names[name], self.cells[name] = name, self._cells()

    def parse(self) -> None:
        """A script of somebody's puts values into the inbox."""
        values = [self.draw.choice([None, self.draw.randrange(30), self.draw.randrange(10**7)]) for _ in METRICS]
        said = [self.draw.choice(["exact", "rounded"]), self.draw.choice("xy"), stamp(self.now)]
        row = [self.id_of(self._account()), *values, *said]
        self.execute("DELETE FROM parsed_metrics WHERE account_id = ?", row[:1])
        names = ", ".join(METRICS)
        self.execute(
            f'INSERT INTO parsed_metrics (account_id, {names}, "precision", source, parsed_at)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def the_web_app_has_its_own_snapshot(self) -> None:
        account, values = self._account(), [self.draw.randrange(10**5) for _ in METRICS]
        made = str(uuid.UUID(int=len(self.happened)))
        self.execute(
            f"INSERT INTO account_snapshots (id, account_id, {', '.join(METRICS)}, snapshot_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (made, self.id_of(account), *values, self._time(self.now - timedelta(hours=self.draw.randrange(40)))),
        )

    def _time(self, at: datetime) -> str:
        """A time as a web app may write it; where it is kept as a time, and not as it is written, as we do."""
        if self.has_times:
            return stamp(at)
        there = at.astimezone(timezone(timedelta(hours=self.draw.choice([-8, 0, 2]))))
        forms = [stamp(at), f"{at:%Y-%m-%d %H:%M:%S}", f"{at:%Y-%m-%dT%H:%M:%SZ}", there.isoformat(), "soon"]
        return self.draw.choice(forms)

    def the_web_app_switches_an_account(self) -> None:
        given = (self.draw.choice("001"), self.id_of(self._account()))
        self.execute("UPDATE project_social_accounts SET is_active = ? WHERE id = ?", given)

    def the_web_app_changes_a_link(self) -> None:
        account = self._account()
        new = link(ACCOUNTS[account] + self.draw.choice(["", "2"]))
        if account != "y":
            self.execute(
                "UPDATE project_social_accounts SET profile_link = ?1 WHERE id = ?2 AND NOT EXISTS"
                " (SELECT 1 FROM project_social_accounts o WHERE o.profile_link = ?1)",
                (new, self.id_of(account)),
            )

    def the_web_app_sets_dates_and_a_kpi(self) -> None:
        start, end = self.draw.choice([("2026-03-01", "2026-03-31"), ("2026-03-20", None), (None, None)])
        self.execute(
            "UPDATE projects SET start_date = ?, end_date = ?, kpi_views = ? WHERE id = ?",
            (start, end, self.draw.choice([None, 0, 1000]), self.project_of(self.draw.choice(sorted(PROJECTS)))),
        )

    def another_zone(self) -> None:
        self._configure("schedule", {"timezone": self.draw.choice(ZONES)})

    def another_strategy(self) -> None:
        self._configure("merge", {"strategy": self.draw.choice(["max", "sheet", "parsed", "latest"])})

    def another_way_of_snapshots(self) -> None:
        self._configure("snapshots", {"on_existing": self.draw.choice(["update", "skip"])})

    def another_age_of_parsed_values(self) -> None:
        self._configure("parsed", {"max_age": self.draw.choice(["1d", "30d"])})

    def a_platform_is_asked(self) -> None:
        """Or another thing is counted there."""
        count, zone = self.draw.choice(["campaign", "lifetime"]), self.draw.choice(ZONES)
        for world in self.worlds:
            configure(world, "youtube", self.platform, zone, count=count)

    def a_row_is_refused(self) -> None:
        """A rule of the web app's, or of somebody's, refuses what a pass writes about an account."""
        write, table = self.draw.choice(
            [("UPDATE", "account_metrics"), ("INSERT", "account_snapshots"), ("INSERT", "sheet_edits")]
        )
        self.refused = write, table, f"CAST(NEW.account_id AS TEXT) = '{self.id_of(self._account())}'"
        self.happened.append(str(self.refused))

    def google_is_away(self) -> None:
        for kind in ("batch", "values", "metadata"):
            self.google.fail(kind, times=1000, status=self.draw.choice([403, 404]))

    def _configure(self, section: str, values: dict[str, Any]) -> None:
        for world in self.worlds:
            world.sections[section] = values

    #: The address of the platform that is asked.
    platform = ""

    async def a_parser_of_ours_has_news(self) -> None:
        account = self._account()
        values = Metrics._make(self.draw.choice([None, 0, 8, 50_000]) for _ in METRICS)
        at = self.now + timedelta(minutes=self.draw.choice([0, -500, 4, 99_999]))
        precision, asked = self.draw.choice(list(Precision)), self.draw.choice([None, self.link_of(account)])
        counted = self.draw.choice(["", "2026-03-01 2026-03-31 1000"])
        news = ParsedMetrics(
            str(self.id_of(account)), values, "ours", at, precision, link=asked, counted=counted
        )  # fmt: skip
        for world in self.worlds:
            async with open_database(world.where) as database:
                await parsed_values.put(database, [news], self.now)

    async def administer(self) -> None:
        """Take back, confirm, pin, unpin or repair; both are told the same, and refuse the same."""
        account = str(self.id_of(self._account()))
        what = self.draw.choice(["forget", "confirm", "confirm", "project", "row", "pin", "unpin", "repair", "repair"])
        metric, value = self.draw.choice(METRICS), self.draw.choice([None, self.draw.randrange(10**6)])
        back = self.draw.randrange(6)
        told = []
        for world in self.worlds:
            try:
                told.append(await self._administer(world, what, account, metric, value, back))
            except SmartSyncError as error:
                told.append(str(error))
        self.happened.append(f"administer: {what} {account} {metric} {value}: {str(told[0])[:100]}")
        assert told[0] == told[1], what

    async def _administer(
        self, world: World, what: str, account: str, metric: str, value: int | None, back: int
    ) -> Any:
        if what == "forget":
            return await forget(world.settings, account, None, metric if back else None, self.now)
        if what == "pin":
            return await pin(world.settings, PinRequest(account, metric, value, why="counted"), self.now)
        if what == "unpin":
            return await unpin(world.settings, account, metric if back else None)
        if what == "repair":
            day = (self.now - timedelta(days=back)).date()
            return await repair(world.settings, account, day, {metric: value or 0}, self.now)
        wanted = {"project": "P", "row": link("a2")}.get(what, account)
        return await confirm(world.settings, wanted, metric if back == 1 else None, self.now)

    async def day(self) -> None:
        """Some of all that, and a pass on either engine."""
        acts: list[Callable[[], Any]] = [
            *[self.type_into_a_cell, self.parse, self.a_parser_of_ours_has_news] * 2, self.delete_rows_or_restore_them,
            self.fill_a_column, self.rename_a_column_or_name_it_back, self.delete_a_worksheet_or_restore_it,
            self.a_new_row, self.the_web_app_has_its_own_snapshot, self.the_web_app_switches_an_account,
            self.the_web_app_changes_a_link, self.the_web_app_sets_dates_and_a_kpi, self.another_zone,
            self.another_strategy, self.another_way_of_snapshots, self.another_age_of_parsed_values,
            self.a_row_is_refused, self.a_row_is_refused, self.google_is_away, self.a_platform_is_asked,
            self.administer, self.administer,
        ]  # fmt: skip
        self.google.faults.clear()
        self.refused = None
        for act in self.draw.choices(acts, k=self.draw.randrange(3, 9)):
            self.happened.append(act.__name__)
            done = act()
            if done is not None:
                await done
        self.write_worksheets()
        self.now += timedelta(
            hours=self.draw.choice([1, 7, 24, 50, 200]), seconds=self.draw.randrange(3600),
            microseconds=self.draw.choice([0, 1, 400_000, 999_999]),
        )  # fmt: skip
        self.happened.append(f"a pass at {self.now}")
        seed, dry_run = len(self.happened), self.draw.choice([False] * 4 + [True])
        results = [await self._pass(index, seed, dry_run) for index in (0, 1)]
        for here, there in zip(*results, strict=True):
            for name, value in asdict(here).items():
                assert _as_text(value) == _as_text(asdict(there)[name]), name

    async def _pass(self, index: int, seed: int, dry_run: bool) -> Any:
        """The results of a pass of a pass, perhaps of a dry run before it."""
        world = self.worlds[index]
        world.now = self.now
        with ExitStack() as stack:
            if self.refused is not None:
                stack.enter_context(world.refusing(*self.refused))
            patch = stack.enter_context(fixed_ids(seed))
            patch.setattr(YouTube.__init__, "__defaults__", (lambda: world.now,))
            async with opened(world.settings, Reporter(), clock=lambda: world.now) as resources:
                sync = SyncPass(resources)
                told = [await sync.run(PassRequest(Trigger.CLI, dry_run=True))] if dry_run else []
                told.append(await sync.run(PassRequest(Trigger.CLI)))
                await resources.webhooks.flush(10)
        return [replace(one, seconds=0.0, stages={}) for result in told for one in result.results]

    async def answers(self, world: World) -> Any:
        """What people are told of every account, and of growth."""
        async with open_database(world.where) as database:
            explainer = Explainer(database, world.settings.merge.policy(), self.now)
            told: list[Any] = [await explainer.explain(str(self.id_of(account))) for account in ACCOUNTS]
        told.append(await growth(world.where, None, "views", 30, self.now))
        return [_as_text(one) for one in told]


async def _make(where: Any, url: str, app: App | None) -> None:
    """An installation's database, with the web app's rows."""
    async with open_database(where):
        pass
    project, account = (app.ids, app.ids) if app else ("project-{}".format, "account-{}".format)
    to_projects = "INSERT INTO projects (id, name, is_active) VALUES (?, ?, ?)"
    to_accounts = (
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link) VALUES (?, ?, ?, ?, ?)"
    )
    rows: list[tuple[str, tuple[Any, ...]]] = []
    for name, accounts in PROJECTS.items():
        rows.append((to_projects, (project(name), name, "1")))
        for one, username in accounts.items():
            profile = ("youtube", username, LINKS["youtube"]) if one == "y" else ("tiktok", username, link(username))
            rows.append((to_accounts, (account(one), project(name), *profile)))
    if url:
        with psycopg.connect(url, autocommit=True) as there:
            for sql, given in rows:
                there.execute(sql.replace("?", "%s"), given)
    else:
        with closing(sqlite3.connect(where)) as file, file:
            for sql, given in rows:
                file.execute(sql, given)


@pytest.fixture(scope="module")
def installations(
    postgres_server: Server | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], tuple[Path, str]]]:
    """Makes the databases of a kind, once: gives a file, and the name of a server's database, both to be copied."""
    if postgres_server is None:
        pytest.skip(absence())
    there = postgres_server
    made: dict[str, tuple[Path, str]] = {}
    with ExitStack() as stack:

        def of(kind: str) -> tuple[Path, str]:
            if kind in made:
                return made[kind]
            app = APPS[kind]
            # Texts are ordered as people do it: capitals beside small letters, signs last.
            order = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'" if "order" in kind else ""
            url = stack.enter_context(there.database("template0", order))
            path = tmp_path_factory.mktemp("made") / "made.db"
            with psycopg.connect(url, autocommit=True) as web_app, closing(sqlite3.connect(path)) as file:
                if app is not None:
                    web_app.execute(tables_of(app.server))
                    file.executescript(tables_of(app.file))
                elif order:
                    web_app.execute(shared_tables().replace("INTEGER", "BIGINT"))
            for where, at in ((path, ""), (server(url), url)):
                asyncio.run(_make(where, at, app))
            made[kind] = path, urlsplit(url).path[1:]
            return made[kind]

        yield of


@pytest.mark.hypothesis
@pytest.mark.parametrize("kind", APPS)
def test_both_engines_hold_the_same_rows(
    installations: Callable[[str], tuple[Path, str]], postgres_server: Server | None, kind: str
) -> None:
    """Whatever happens, over days of passes: all rows of all tables are the same on both engines, and all answers."""
    assert postgres_server is not None
    there, (file, template) = postgres_server, installations(kind)
    logs.configure("json", "error", io.StringIO())

    @given(st.integers(0, 2**32 - 1))
    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )  # fmt: skip
    def days_of_passes(seed: int) -> None:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            shutil.copy(file, folder / "view_counter.db")
            google = stack.enter_context(FakeGoogle())
            platform = stack.enter_context(Imitation("youtube"))
            url = stack.enter_context(there.database(template))
            both = World(folder, google), PostgresWorld(folder, google, url)
            for world in both:
                world.sections["sheets"] = google.settings(folder, KEY, reads_per_minute=3000)
            asyncio.run(_live(random.Random(seed), APPS[kind], both, platform.url))

    days_of_passes()
    sys.stdout.write(f"engines: tried {EXAMPLES * DAYS}, broken 0\n")


async def _live(draw: random.Random, app: App | None, both: tuple[World, World], platform: str) -> None:
    async with receiving() as receiver:
        two = TwoWorlds(draw, app, both, receiver)
        two.platform = platform
        try:
            for _ in range(DAYS):
                await two.day()
                compare(both, NOT_COMPARED | HASHED if app else NOT_COMPARED)
            for here, there in zip(*[await two.answers(world) for world in both], strict=True):
                assert here == there
        except BaseException:
            sys.stdout.write("\n".join(["", *two.happened, ""]))
            raise


def compare(both: tuple[World, World], left_out: AbstractSet[str] = NOT_COMPARED) -> None:
    """Raise an `AssertionError` about the first table whose rows are not the same."""
    here, there = (rows_of(world, left_out) for world in both)
    assert here.keys() == there.keys()
    for table, rows in here.items():
        differing = [row for row in zip_longest(rows, there[table]) if row[0] != row[1]]
        assert not differing, f"{table}: in the file {differing[0][0]}, on the server {differing[0][1]}"


@pytest.mark.parametrize("column", ["account_metrics.views", "sheet_edits.new", "account_snapshots.likes"])
async def test_one_number_in_one_row_is_seen(
    world: World, google: FakeGoogle, prepared: str, tmp_path: Path, column: str
) -> None:
    """The comparison is no ornament: a row that differs, or is missing, is named with its table."""
    table, _, name = column.partition(".")
    there = PostgresWorld(tmp_path, google, prepared)
    for one in (world, there):
        one.add_project("P", ["a"])
    for value in (5, 7):
        world.sheet("P", a=[value] * 5)
        for one in (world, there):
            with fixed_ids(value):
                await one.sync()
    compare((world, there))
    there.execute(f"UPDATE {table} SET {name} = {name} + 1 WHERE {name} = 7")
    with pytest.raises(AssertionError, match=f"^({table}|account_growth): "):
        compare((world, there))
    there.execute(f"DELETE FROM {table}")
    with pytest.raises(AssertionError, match=f"^({table}|account_growth): .* on the server None"):
        compare((world, there))


async def test_a_thousandth_of_a_second_is_the_same(prepared: str) -> None:
    """Times are rounded to thousandths alike, on either side of a second, a minute and a half."""
    micros = (0, 1, 499, 500, 501, 999, 1_000, 400_400, 400_600, 998_999, 999_499, 999_501, 999_999)
    times = [f"2026-12-31{mark}23:59:{s:02}.{u:06}" for mark in "T " for s in (0, 15, 59) for u in micros]
    asked = "SELECT strftime('%Y-%m-%dT%H:%M:%f000', ?1), strftime('%f', ?1), strftime('%Y-%m-%dT%H:%M:%S', ?1)"
    with closing(sqlite3.connect(":memory:")) as here:
        async with open_database(server(prepared)) as there:
            for time in times:
                assert [tuple(row) for row in await there.fetch(asked, (time,))] == here.execute(
                    asked, (time,)
                ).fetchall()
