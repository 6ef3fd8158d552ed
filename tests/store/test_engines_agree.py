"""The same days on both engines leave the same rows in all tables.

Managers, parsers, a web app and administrators do what they do, drawn at random; after each pass every row of every
table, and of the view of growth, is compared.  SOAK_DAYS and SOAK_SEEDS make longer runs.
"""

import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fake_google import FakeGoogle
from postgres_server import Server
from smart_sync.admin.confirm import confirm
from smart_sync.admin.corrections import pin, unpin
from smart_sync.admin.ingest import forget
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS
from smart_sync.errors import SmartSyncError
from smart_sync.store.pin_rows import PinRequest
from smart_sync.store.schema import shared_tables
from world import HEADER, KEY, PostgresWorld, World, link

DAYS = int(os.environ.get("SOAK_DAYS", "8"))
SEEDS = range(int(os.environ.get("SOAK_SEEDS", "1")))
PROJECTS = {"P": "abdef", "Q": "cg"}
ACCOUNTS = "abcdefg"
ZONES = ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles"]
#: What differs by nature: ids of passes (named by their place), how long a thing took, when Google was asked.
VOLATILE = {"seconds", "stages", "bytes"}
NOT_COMPARED = {"database_made", "spreadsheet_facts", "smart_sync_leases", "quota_slots"}

Table = list[tuple[Any, ...]]


def rows_of(world: World) -> dict[str, Table]:
    """Every table with its rows, in an order of their own; and the view of growth."""
    runs = [row[0] for row in world.execute("SELECT id FROM sync_runs ORDER BY started_at, id")]
    place = {run: f"pass {number}" for number, run in enumerate(runs)}
    found = {}
    for name in {*world.tables(), "account_growth"} - NOT_COMPARED:
        columns, rows = world.table(name)
        kept = [index for index, column in enumerate(columns) if column not in VOLATILE]
        found[name] = sorted(
            (tuple(place.get(row[index], row[index]) for index in kept) for row in rows),
            key=lambda row: [(value is not None, str(type(value)), value) for value in row],
        )
    return found


class TwoWorlds:
    """One installation on each engine, in front of the same worksheets."""

    def __init__(self, seed: int, *worlds: World) -> None:
        self.draw = random.Random(seed)
        self.worlds = worlds
        self.google = worlds[0].google
        #: The names in each worksheet, and the numbers behind each; None: the row is not there.
        self.typed_in = {project: list(accounts) for project, accounts in PROJECTS.items()}
        self.cells: dict[str, list[Any] | None] = {account: self._cells() for account in ACCOUNTS}
        self.renamed: set[str] = set()
        self.gone: set[str] = set()
        self.now = worlds[0].now

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        """A statement of the web app's."""
        for world in self.worlds:
            world.execute(sql, tuple(parameters))

    def begin(self) -> None:
        for world in self.worlds:
            world.sections["sync"] = {"create_missing": "accounts", "concurrency": 1}
            for project, accounts in PROJECTS.items():
                world.add_project(project, accounts)

    def write_worksheets(self) -> None:
        """Let the worksheets hold what the managers have typed."""
        for project, accounts in self.typed_in.items():
            if project in self.gone:
                self.google.spreadsheets[KEY].worksheets.pop(project, None)
                continue
            header = ["" if name.lower() in self.renamed else name for name in HEADER]
            rows = [[f"@{account}", link(account), *cells] for account in accounts if (cells := self.cells[account])]
            self.google.spreadsheets[KEY].worksheets[project] = [header, *rows]

    def _cells(self) -> list[Any]:
        return [self.draw.choice(["", self.draw.randrange(30), self.draw.randrange(10**6)]) for _ in METRICS]

    # Who does what.

    def type_into_a_cell(self) -> None:
        if (cells := self.cells[self.draw.choice(sorted(self.cells))]) is not None:
            value = self.draw.choice(["", "#REF!", "1 234", "0", "950!", 2**53, self.draw.randrange(10**6)])
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
        name = f"n{self.draw.randrange(10**6)}"
        self.typed_in[self.draw.choice(sorted(PROJECTS))].append(name)
        self.cells[name] = self._cells()

    def parse(self) -> None:
        account = self.draw.choice(ACCOUNTS)
        values = [self.draw.choice([None, self.draw.randrange(30), self.draw.randrange(10**7)]) for _ in METRICS]
        extra = {"precision": self.draw.choice(["exact", "rounded"]), "source": self.draw.choice("xy")}
        for world in self.worlds:
            world.parsed(account, values, **extra)

    def the_web_app_has_its_own_snapshot(self) -> None:
        account, values = self.draw.choice(ACCOUNTS), [self.draw.randrange(10**5) for _ in METRICS]
        self.execute(
            f"INSERT INTO account_snapshots (id, account_id, {', '.join(METRICS)}, snapshot_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (f"own-{self.draw.randrange(10**9)}", f"account-{account}", *values, stamp(self.now)),
        )

    def the_web_app_switches_an_account(self) -> None:
        self.execute(
            "UPDATE project_social_accounts SET is_active = 1 - is_active WHERE id = ?",
            (f"account-{self.draw.choice(ACCOUNTS)}",),
        )

    def the_web_app_changes_a_link(self) -> None:
        account = self.draw.choice(ACCOUNTS)
        new = link(account + self.draw.choice(["", "2"]))
        self.execute("UPDATE project_social_accounts SET profile_link = ? WHERE id = ?", (new, f"account-{account}"))

    def another_zone(self) -> None:
        self._configure("schedule", {"timezone": self.draw.choice(ZONES)})

    def another_strategy(self) -> None:
        self._configure("merge", {"strategy": self.draw.choice(["max", "sheet", "parsed", "latest"])})

    def another_way_of_snapshots(self) -> None:
        self._configure("snapshots", {"on_existing": self.draw.choice(["update", "skip"])})

    def _configure(self, section: str, values: dict[str, Any]) -> None:
        for world in self.worlds:
            world.sections[section] = values

    async def administer(self) -> None:
        """Take back, confirm, pin or unpin; both are told the same, and refuse the same."""
        account = f"account-{self.draw.choice(ACCOUNTS)}"
        what = self.draw.choice(["forget", "confirm", "confirm", "project", "pin", "unpin"])
        metric, value = self.draw.choice(METRICS), self.draw.choice([None, self.draw.randrange(10**6)])
        told = []
        for world in self.worlds:
            try:
                told.append(await self._administer(world, what, account, metric, value))
            except SmartSyncError as error:
                told.append(str(error))
        assert told[0] == told[1], what

    async def _administer(self, world: World, what: str, account: str, metric: str, value: int | None) -> Any:
        if what == "forget":
            return await forget(world.settings, account, None, None, self.now)
        if what == "pin":
            asked = PinRequest(account, metric, value, why="counted")
            return await pin(world.settings, asked, self.now)
        if what == "unpin":
            return await unpin(world.settings, account, None)
        return await confirm(world.settings, "P" if what == "project" else account, None, self.now)

    async def day(self) -> None:
        """Some of all that, and a pass on either engine."""
        acts: list[Callable[[], None]] = [
            *[self.type_into_a_cell, self.parse] * 3, self.delete_rows_or_restore_them, self.fill_a_column,
            self.rename_a_column_or_name_it_back, self.delete_a_worksheet_or_restore_it, self.a_new_row,
            self.the_web_app_has_its_own_snapshot, self.the_web_app_switches_an_account,
            self.the_web_app_changes_a_link, self.another_zone, self.another_strategy, self.another_way_of_snapshots,
        ]  # fmt: skip
        for act in self.draw.choices(acts, k=self.draw.randrange(2, 6)):
            act()
        self.write_worksheets()
        self.now += timedelta(hours=self.draw.choice([1, 7, 24, 50]))
        results = []
        for world in self.worlds:
            world.now = self.now
            result = await world.sync()
            results.append([replace(one, seconds=0.0, stages={}) for one in result.results])
        assert results[0] == results[1]
        await self.administer()


@pytest.fixture
def app(postgres_server: Server | None) -> Iterator[str]:
    """A web app's database, whose texts are ordered as people do it: capitals beside small letters, signs last."""
    if postgres_server is None:
        pytest.skip("PostgreSQL is not installed: make packages, as root")
    with postgres_server.database("template0", "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'") as url:
        with psycopg.connect(url) as web_app:
            web_app.execute(shared_tables().replace("INTEGER", "BIGINT"))
        yield url


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_engines_hold_the_same_rows(tmp_path: Path, google: FakeGoogle, app: str, seed: int) -> None:
    """Whatever happens, over days of passes: all rows of all tables are the same on both engines."""
    for folder in ("file", "server"):
        (tmp_path / folder).mkdir()
    both = (World(tmp_path / "file", google), PostgresWorld(tmp_path / "server", google, app))
    for world in both:
        await world.create()
    two = TwoWorlds(seed, *both)
    two.begin()
    for _ in range(DAYS):
        await two.day()
        here, there = (rows_of(world) for world in both)
        assert here.keys() == there.keys()
        for table, rows in here.items():
            assert rows == there[table], table
    assert all(here[table] for table in ("account_metrics", "account_snapshots", "sheet_edits", "account_growth"))
    both[1].execute("UPDATE account_snapshots SET views = views + 1 WHERE id = (SELECT max(id) FROM account_snapshots)")
    assert rows_of(both[0]) != rows_of(both[1]), "the control: one number in one row is seen"
    sys.stdout.write(f"engines: tried {DAYS}, broken 0\n")
