"""A small web app with the guide's schema and readers, which computes with every column, as such apps do.

``uvicorn web_app:make --factory``, with ``WEB_APP_DATABASE``; with ``SMART_SYNC_CONTROL__SOCKET`` it mounts the router.
"""

import json
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import BackgroundTasks, FastAPI

from smart_sync.control.client import request_sync
from smart_sync.integrations.fastapi import router

SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, google_sheet_name TEXT NOT NULL, start_date TEXT NOT NULL,
    end_date TEXT NOT NULL, target_views INTEGER NOT NULL, geo TEXT, kpi_views INTEGER DEFAULT 1000, created_at TEXT,
    is_active INTEGER DEFAULT 1, is_finished INTEGER DEFAULT 0, allowed_platforms TEXT NOT NULL DEFAULT '{}',
    last_admin_update TEXT);
CREATE TABLE IF NOT EXISTS project_social_accounts (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE, platform TEXT NOT NULL,
    username TEXT, profile_link TEXT, status TEXT DEFAULT 'NEW', topic TEXT, telegram_user TEXT, added_at TEXT,
    is_active INTEGER DEFAULT 1, UNIQUE (project_id, profile_link));
CREATE TABLE IF NOT EXISTS account_snapshots (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES project_social_accounts (id) ON DELETE CASCADE,
    followers INTEGER DEFAULT 0, likes INTEGER DEFAULT 0, comments INTEGER DEFAULT 0, videos INTEGER DEFAULT 0,
    views INTEGER DEFAULT 0, total_videos_fetched INTEGER DEFAULT 0, snapshot_time TEXT NOT NULL);
"""
METRICS = ("followers", "likes", "comments", "videos", "views")
#: Seconds for which the analytics are kept.
CACHED = 300.0

_NEWEST = "SELECT * FROM account_snapshots WHERE account_id = ? ORDER BY snapshot_time DESC LIMIT 1"
_DAY_AGO = (
    "SELECT * FROM account_snapshots WHERE account_id = ? AND snapshot_time <= ? ORDER BY snapshot_time DESC LIMIT 1"
)
_THIRTY_DAYS = (
    "SELECT DATE(snapshot_time) AS date, followers, views FROM account_snapshots WHERE account_id = ?"
    " ORDER BY snapshot_time DESC LIMIT 30"
)


def rows(sql: str, *parameters: object) -> list[dict[str, Any]]:
    """What the web app reads: its own connection, for each request a new one."""
    with closing(sqlite3.connect(os.environ["WEB_APP_DATABASE"], timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, parameters)]


def accounts(project_id: str) -> list[dict[str, Any]]:
    """The screen of a project: its accounts, each with its newest snapshot."""
    found = rows("SELECT * FROM project_social_accounts WHERE project_id = ? ORDER BY id", project_id)
    return [account | {"newest": next(iter(rows(_NEWEST, account["id"])), None)} for account in found]


def growth(account_id: str) -> dict[str, int]:
    """What an account has gained against its newest snapshot that is a day old."""
    day_ago = (datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=24)).isoformat()
    newest, before = rows(_NEWEST, account_id), rows(_DAY_AGO, account_id, day_ago)
    if not (newest and before):
        return dict.fromkeys(METRICS, 0)
    return {metric: newest[0][metric] - before[0][metric] for metric in METRICS}


def history(account_id: str) -> list[dict[str, Any]]:
    """The last thirty days of an account."""
    return rows(_THIRTY_DAYS, account_id)


def analytics(project_id: str) -> dict[str, Any]:
    """A project against its target; every column must be something that can be computed with."""
    (project,) = rows("SELECT * FROM projects WHERE id = ?", project_id)
    start, end = date.fromisoformat(project["start_date"]), date.fromisoformat(project["end_date"])
    views = sum(account["newest"]["views"] for account in accounts(project_id) if account["newest"])
    target = project["target_views"]
    return {
        "days": (end - start).days,
        "views": views,
        "progress": views / target if target > 0 else 0.0,
        "platforms": sorted(json.loads(project["allowed_platforms"])),
        "above_kpi": views >= project["kpi_views"],
        "geo": project["geo"].upper(),
        "sheet": project["google_sheet_name"].strip(),
    }


def make() -> FastAPI:
    """The application."""
    app = FastAPI()
    kept: dict[str, tuple[float, dict[str, Any]]] = {}
    app.get("/api/projects/{project_id}/accounts")(accounts)
    app.get("/api/accounts/{account_id}/growth")(growth)
    app.get("/api/accounts/{account_id}/history")(history)

    @app.get("/api/projects/{project_id}/analytics")
    def cached_analytics(project_id: str) -> dict[str, Any]:
        at, answer = kept.get(project_id, (0.0, {}))
        if not answer or time.monotonic() - at > CACHED:
            answer = analytics(project_id)
            kept[project_id] = time.monotonic(), answer
        return answer

    socket = os.environ.get("SMART_SYNC_CONTROL__SOCKET")

    @app.delete("/api/admin/cache")
    def drop_cache(background: BackgroundTasks) -> dict[str, int]:
        dropped = len(kept)
        kept.clear()
        if socket and os.environ.get("WEB_APP_ASKS_BACK"):
            background.add_task(request_sync, socket)
        return {"dropped": dropped}

    if socket:
        app.include_router(router(socket=socket, token=os.environ["SMART_SYNC_API_TOKEN"]))
    return app
