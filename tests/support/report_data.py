"""A database as months of passes leave it, for the report: written by hand, so that every number is known."""

import asyncio
import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from smart_sync.config.database_url import Location
from smart_sync.core.model import METRICS
from smart_sync.report import build, query
from smart_sync.report.inputs import Options
from smart_sync.store.schema import open_database

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TODAY = NOW.date()
_NAMES = ", ".join(METRICS)


def report_of(
    where: Location, project: str | None = None, days: int = 90, now: datetime = NOW, options: Options = query.DEFAULT
) -> bytes:
    """The report as ``smart-sync report`` writes it."""
    facts = asyncio.run(query.read(where, project, days, now, options=options))
    return build.page(facts, days, now, options).encode()


class ReportDatabase:
    """The file, with short ways to put rows into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        asyncio.run(self._create())

    async def _create(self) -> None:
        async with open_database(self.path):
            pass

    def execute(self, sql: str, rows: Sequence[Sequence[Any]] = ((),)) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executemany(sql, rows)

    def fetch(self, sql: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def project(self, name: str, project_id: str = "", active: int = 1) -> str:
        project_id = project_id or f"project-{name}"
        self.execute("INSERT INTO projects (id, name, is_active) VALUES (?, ?, ?)", [(project_id, name, active)])
        return project_id

    def account(self, project_id: str, name: str, link: str = "", platform: str = "tiktok", active: int = 1) -> str:
        """An account; returns its id."""
        account_id = f"{project_id}/{name}"
        self.execute(
            "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link, is_active)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(account_id, project_id, platform, name, link or f"https://www.tiktok.com/@{name}", active)],
        )
        return account_id

    def snapshots(self, account_id: str, views: Mapping[str, int | None]) -> None:
        """Snapshots by their time; a tenth of the views are followers."""
        rows = [
            (f"{account_id} {time} {place}", account_id, v // 10 if v is not None else None, 0, 0, 0, v, time)
            for place, (time, v) in enumerate(views.items())
        ]
        names = f"id, account_id, {_NAMES}, snapshot_time"
        self.execute(f"INSERT INTO account_snapshots ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def merged(
        self,
        account_id: str,
        values: Sequence[int],
        winner: str = "both",
        at: str = "2026-03-10T08:00:00",
        known_since: str = "2020-01-01T08:00:00",
    ) -> None:
        changed = ", ".join(f"{metric}_changed_at" for metric in METRICS)
        winners = ", ".join(f"{metric}_winner" for metric in METRICS)
        known = ", ".join(f"{metric}_known_since" for metric in METRICS)
        self.execute(
            f"INSERT INTO account_metrics (account_id, {_NAMES}, {winners}, {changed}, updated_at, {known})"
            f" VALUES (?, {', '.join('?' * 21)})",
            [(account_id, *values, *[winner] * 5, *[at] * 6, *[known_since] * 5)],
        )

    def parsed(self, account_id: str, values: Sequence[int | None], at: str, precision: str = "exact") -> None:
        self.execute(
            f'INSERT INTO parsed_metrics (account_id, {_NAMES}, parsed_at, "precision")'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(account_id, *values, at, precision)],
        )

    def sheet(self, account_id: str, values: Sequence[int | None], worksheet: str, row: int) -> None:
        self.execute(
            f'INSERT INTO sheet_metrics (account_id, {_NAMES}, read_at, worksheet, "row")'
            " VALUES (?, ?, ?, ?, ?, ?, '2026-03-10T08:00:00', ?, ?)",
            [(account_id, *values, worksheet, row)],
        )

    def passed(self, project_id: str, outcome: str, error: str = "", at: str = "2026-03-10T11:30:00.000000") -> None:
        """A pass over one project."""
        self.execute(
            'INSERT INTO sync_runs (id, "trigger", started_at, finished_at, projects) VALUES (?, ?, ?, ?, 1)',
            [(f"{at}-{project_id}", "timer", at, at[:17] + "02.500000")],
        )
        self.execute(
            "INSERT INTO sync_project_runs (run_id, project_id, project_name, outcome, error, finished_at)"
            " VALUES (?, ?, '', ?, ?, ?)",
            [(f"{at}-{project_id}", project_id, outcome, error, at)],
        )

    def read(self, project_id: str, at: str) -> None:
        """The worksheet's last good read."""
        self.execute(
            "INSERT INTO worksheet_reads (project_id, worksheet, read_at, rows) VALUES (?, 'W', ?, 3)",
            [(project_id, at)],
        )


def day(ago: int) -> str:
    """The UTC day so many days ago."""
    return (TODAY - timedelta(days=ago)).isoformat()


def grown(ago_and_views: Mapping[int, int | None]) -> dict[str, int | None]:
    """Snapshots at noon, so many days ago."""
    return {f"{day(ago)}T12:00:00.000000": views for ago, views in ago_and_views.items()}


def fill(database: ReportDatabase, projects: int, accounts: int, days: int, *, seed: int = 1) -> None:
    """Accounts that grow like real ones: all five metrics, weekends, a hit now and then, days without a snapshot."""
    chance = random.Random(seed)
    for p in range(projects):
        project_id = database.project(f"Project {p + 1}")
        database.read(project_id, "2026-03-10T11:30:00.000000")
        database.passed(project_id, "synced", at=f"2026-03-10T11:3{p % 10}:00.000000")
        for a in range(accounts // projects):
            platform = chance.choice(["tiktok", "instagram", "youtube", "facebook", "threads"])
            account_id = database.account(project_id, f"creator_{p}_{a}", platform=platform)
            _history(database, account_id, days, chance)


def _history(database: ReportDatabase, account_id: str, days: int, chance: random.Random) -> None:
    values = [
        chance.randrange(200_000),
        chance.randrange(900_000),
        chance.randrange(30_000),
        40,
        chance.randrange(9**7),
    ]
    pace = [
        chance.randrange(1, 900),
        chance.randrange(1, 8_000),
        chance.randrange(1, 300),
        1,
        chance.randrange(1, 90_000),
    ]
    rows = []
    for ago in range(days - 1, -1, -1):
        hit = 12 if chance.random() < 0.02 else 1
        for m in range(5):
            values[m] += chance.randrange(pace[m] + 1) * hit if m != 3 else int(chance.random() < 0.4)
        if chance.random() > 0.02 or ago < 2:
            moment = f"{(date.fromisoformat(day(ago))).isoformat()}T0{chance.randrange(10)}:00:00.000000"
            rows.append((f"{account_id} {ago}", account_id, *values, moment))
    names = f"id, account_id, {_NAMES}, snapshot_time"
    database.execute(f"INSERT INTO account_snapshots ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    database.merged(account_id, values, winner="sheet" if chance.random() < 0.2 else "both")
    typed = [value if chance.random() < 0.7 else value // 2 for value in values]
    database.parsed(account_id, typed, day(chance.choice([0, 0, 0, 5])) + "T11:00:00.000")
    database.sheet(account_id, values, "Project", chance.randrange(2, 90))
