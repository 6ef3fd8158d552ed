"""The other side of the first rows: what one would write in place of this program.

`sync` is a competent first version, before anyone has counted calls or commits: one worksheet after the other with
gspread's `get_all_records`, a dictionary of rows by link, MAX, and for each account an upsert, a snapshot if the day
has none, and a commit.  `script` is the least that brings the numbers over: one `values_batch_get` and one
`executemany`, no merge, no snapshots.  Neither has retries or a quota: those would make it slower.

Run as ``python -m bench.reference URL KEYFILE KEY DATABASE`` it is the script.
"""

import sqlite3
import sys
import uuid
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import gspread
import requests
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.service_account import Credentials
from gspread.utils import absolute_range_name
from requests.adapters import HTTPAdapter

METRICS = ("followers", "likes", "comments", "videos", "views")
SCOPES = ["https://www.googleapis.com/auth/spreadsheets.readonly"]


def connect(api_url: str, key_file: Path) -> gspread.Client:
    """gspread as its manual shows it, but for the address of Google's hosts."""
    credentials = Credentials.from_service_account_file(key_file, scopes=SCOPES)  # type: ignore[no-untyped-call]
    tokens = requests.Session()
    session = AuthorizedSession(credentials, auth_request=Request(tokens))  # type: ignore[no-untyped-call]
    for one in (tokens, session):
        one.mount("https://", _Redirected(api_url))
    return gspread.Client(credentials, session=session)


class _Redirected(HTTPAdapter):
    """Sends what is meant for any of Google's hosts to ``api_url``."""

    def __init__(self, api_url: str) -> None:
        super().__init__()
        self._api_url = api_url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As `HTTPAdapter.send`."""
        request.url = self._api_url + request.path_url
        return super().send(request, *args, **kwargs)


def script(client: gspread.Client, spreadsheet_key: str, database: Path) -> int:
    """All worksheets in one call, all rows in one statement; returns how many were written."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"CREATE TABLE IF NOT EXISTS current (link TEXT PRIMARY KEY, {', '.join(METRICS)})")
        names = [row[0] for row in connection.execute("SELECT name FROM projects WHERE is_active = 1")]
        answer = client.http_client.values_batch_get(spreadsheet_key, [absolute_range_name(name) for name in names])
        rows = [row[1:7] for values in answer["valueRanges"] for row in values["values"][1:]]
        connection.executemany("INSERT OR REPLACE INTO current VALUES (?, ?, ?, ?, ?, ?)", rows)
    return len(rows)


def sync(client: gspread.Client, spreadsheet_key: str, database: Path, now: datetime) -> int:
    """One pass over all projects; returns how many accounts were written."""
    spreadsheet = client.open_by_key(spreadsheet_key)
    written = 0
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"CREATE TABLE IF NOT EXISTS current (account_id TEXT PRIMARY KEY, {', '.join(METRICS)})")
        for project_id, name in connection.execute("SELECT id, name FROM projects WHERE is_active = 1").fetchall():
            records = spreadsheet.worksheet(name).get_all_records()
            by_link = {record["Link"]: record for record in records}
            for account_id, link in connection.execute(
                "SELECT id, profile_link FROM project_social_accounts WHERE project_id = ?", (project_id,)
            ).fetchall():
                _write_account(connection, account_id, by_link.get(link, {}), now)
                connection.commit()
                written += 1
    return written


def _write_account(connection: sqlite3.Connection, account_id: str, record: dict[str, Any], now: datetime) -> None:
    parsed = connection.execute(
        f"SELECT {', '.join(METRICS)} FROM parsed_metrics WHERE account_id = ?", (account_id,)
    ).fetchone() or (0,) * len(METRICS)
    merged = [
        max(int(record.get(metric.capitalize()) or 0), value or 0)
        for metric, value in zip(METRICS, parsed, strict=True)
    ]
    connection.execute("INSERT OR REPLACE INTO current VALUES (?, ?, ?, ?, ?, ?)", (account_id, *merged))
    exists = connection.execute(
        "SELECT 1 FROM account_snapshots WHERE account_id = ? AND date(snapshot_time) = ?",
        (account_id, now.date().isoformat()),
    ).fetchone()
    if not exists:
        connection.execute(
            f"INSERT INTO account_snapshots (id, account_id, {', '.join(METRICS)}, snapshot_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (str(uuid.uuid4()), account_id, *merged, now.isoformat()),
        )


if __name__ == "__main__":
    url, key_file, key, path = sys.argv[1:]
    script(connect(url, Path(key_file)), key, Path(path))
