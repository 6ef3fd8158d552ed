"""A web app's database before there was a Smart Sync, and everything that runs next to it."""

import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

import web_app
from daemon_process import Daemon, run_command
from fake_google import FakeGoogle
from web_app import METRICS
from web_server import serving
from world import KEY, World, link

TOKEN = "token-of-the-web-app"
SYNC = "/api/admin/smart_sync"
YESTERDAY = [900, 90, 9, 1, 9000]
DUMPS = {
    "projects": "SELECT * FROM projects ORDER BY id",
    "accounts": "SELECT * FROM project_social_accounts ORDER BY id",
    "snapshots": "SELECT * FROM account_snapshots WHERE id LIKE 'app-%' ORDER BY id",
}


class Beside:
    """The web app's database before there was a Smart Sync, and everything next to it."""

    def __init__(self, folder: Path, google: FakeGoogle) -> None:
        self.world = World(folder, google)
        with closing(sqlite3.connect(self.world.path)) as connection:
            connection.executescript(web_app.SCHEMA)
        yesterday = (datetime.now(UTC) - timedelta(hours=30)).replace(tzinfo=None).isoformat()
        self.world.execute(
            "INSERT INTO projects (id, name, google_sheet_name, start_date, end_date, target_views, geo)"
            " VALUES ('project-1', 'Spring', 'Metrics 2026', '2026-01-01', '2026-12-31', 100000, 'de')"
        )
        for name in ("a", "b"):
            self.world.execute(
                "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
                " VALUES (?, 'project-1', 'tiktok', ?, ?)",
                (f"account-{name}", name, link(name)),
            )
            self.world.execute(
                f"INSERT INTO account_snapshots (id, account_id, {', '.join(METRICS)}, snapshot_time)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (f"app-{name}", f"account-{name}", *YESTERDAY, yesterday),
            )
        self.edit([1000, 100, 10, 2, 10000])
        google.spreadsheets[KEY].title = "Metrics 2026"
        self.before = self.rows_of_the_app()
        self.config = folder / "config.toml"
        #: Nothing but where the fake Google is.
        self.environment = {
            "SMART_SYNC_SHEETS__API_URL": google.url,
            "SMART_SYNC_SHEETS__READS_PER_MINUTE": "3000",
            "SMART_SYNC_CONFIG": str(self.config),
        }

    def edit(self, values: Sequence[int]) -> None:
        """A manager types the same values for both accounts."""
        self.world.sheet("Spring", a=values, b=values)

    def rows_of_the_app(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: self.world.execute(sql) for name, sql in DUMPS.items()}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_command(*arguments, environment=self.environment)

    def serving(self, **more: str) -> AbstractContextManager[httpx2.Client]:
        environment = more | {
            "WEB_APP_DATABASE": str(self.world.path),
            "SMART_SYNC_API_TOKEN": TOKEN,
            "SMART_SYNC_CONTROL__SOCKET": str(self.world.folder / "control.sock"),
        }
        return serving("web_app:make", "--factory", environment=environment)

    def daemon(self) -> Daemon:
        return Daemon(self.config, self.environment)

    def shows(self, client: httpx2.Client, expected: Sequence[int]) -> None:
        """Every screen has the ``expected`` values of both accounts, and the app's rows are as they were."""
        merged = dict(zip(METRICS, expected, strict=True))
        accounts = client.get("/api/projects/project-1/accounts").json()
        assert [account["id"] for account in accounts] == ["account-a", "account-b"]
        for account in accounts:
            assert {metric: account["newest"][metric] for metric in METRICS} == merged
            grown = client.get(f"/api/accounts/{account['id']}/growth").json()
            assert list(grown.values()) == [new - old for new, old in zip(expected, YESTERDAY, strict=True)]
            days = client.get(f"/api/accounts/{account['id']}/history").json()
            assert (days[0]["followers"], days[0]["views"]) == (expected[0], expected[4])
            assert [day["date"] for day in days] == sorted({day["date"] for day in days}, reverse=True)
        assert self.rows_of_the_app() == self.before
