"""Daemons on one PostgreSQL database: one leads, the others stand by, answer, and take over."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from daemon_process import COMMAND, Daemon, weakened
from postgres_server import Server, absence
from smart_sync.config.database_url import server
from smart_sync.store.postgres import sync_requests
from smart_sync.store.postgres.sync_requests import SyncRequest
from smart_sync.store.schema import open_database
from standby_processes import (
    TAKEOVER,
    Proxy,
    asked,
    busyness,
    late,
    pair,
    taken,
    through,
    until,
    watch,
    write_daemon,
    write_sheet,
    written,
)

#: Take-overs of each kind, half of them by each of two daemons; accounts of the one project.
TIMES = int(os.environ.get("SOAK_TAKEOVERS", "2"))
ACCOUNTS = 5
#: Seconds within which the next one must lead, after those of the lease, on a machine that does nothing else.
SLACK = 1.0


@pytest.fixture
def lines(postgres_server: Server | None) -> Iterator[list[Proxy]]:
    """Two lines to the server that can be stopped."""
    if postgres_server is None:
        pytest.skip(absence())
    both = [Proxy(postgres_server.folder), Proxy(postgres_server.folder)]
    yield both
    for one in both:
        one.close()


def befall(how: str, daemon: Daemon, line: Proxy) -> datetime:
    """Let something befall the daemon that leads; returns when."""
    at = datetime.now(UTC)
    if how == "kill -9":
        daemon.process.kill()
        daemon.process.wait()
    elif how == "SIGSTOP":
        daemon.process.send_signal(signal.SIGSTOP)
    else:
        line.stop()
    return at


def end(how: str, daemon: Daemon, line: Proxy) -> None:
    """And let it be over: it comes back, and stands by."""
    before = len(daemon.events("standby.began"))
    if how == "kill -9":
        daemon.__exit__(None, None, None)
        daemon.__enter__()
        daemon.hang_up()
    elif how == "SIGSTOP":
        daemon.process.send_signal(signal.SIGCONT)
    else:
        line.go_on()
    until(lambda: len(daemon.events("standby.began")) > before)


@pytest.mark.parametrize("how", ["kill -9", "SIGSTOP", "black hole"])
def test_the_other_one_takes_over_and_the_late_write_is_refused(
    tmp_path: Path, postgres: str, lines: list[Proxy], how: str
) -> None:
    """In the middle of passes, back and forth: within the lease and a second, nothing lost, doubled or written late."""
    urls = [through(postgres, line) for line in lines]
    worst = 0.0
    with pair(tmp_path, urls[1], urls[0], every="0.3s") as daemons:
        daemons[1].hang_up()
        watch(postgres)
        for number in range(TIMES):
            leads, waits = daemons if number % 2 == 0 else daemons[::-1]
            typed = 10 + number
            write_sheet(tmp_path / "sheets", "P", ACCOUNTS, typed)
            time.sleep(random.random() * 0.5)  # anywhere in a pass, or between two
            busy = busyness()
            at = befall(how, leads, lines[number % 2])
            seconds = (taken(waits, (number + 3) // 2) - at).total_seconds()
            worst = max(worst, seconds)
            assert seconds <= TAKEOVER + SLACK * max(busy, busyness()), f"taken over after {seconds:.2f} s"
            end(how, leads, lines[number % 2])
            wanted = (ACCOUNTS, ACCOUNTS * typed, ACCOUNTS)
            until(partial(holds, postgres, wanted))
            assert late(postgres) == []
        for daemon in daemons:
            assert len(daemon.events("leader.lost")) == (0 if how == "kill -9" else TIMES // 2)
            for told in ("daemon.crashed", "sync.failed", "project.failed"):
                assert not daemon.events(told), told
    print(f"take-overs: tried {TIMES}, broken 0 ({how}: the last after {worst:.2f} s of {TAKEOVER + SLACK:g})")  # noqa: T201


def holds(url: str, wanted: tuple[int, int, int]) -> bool:
    """Whether there are so many accounts with merged values, such a sum of their views, and so many snapshots."""
    counts = "SELECT count(*), sum(views), (SELECT count(*) FROM account_snapshots) FROM account_metrics"
    with psycopg.connect(url) as admin:
        return admin.execute(counts).fetchone() == wanted


#: A daemon that never asks whether it still leads.
UNFENCED = """
from smart_sync.store.postgres.lease import Lease
async def check(self, connection):
    pass
Lease.check = check
Lease.require_held = lambda self: None
Lease.lose = lambda self, reason: None
"""


def test_without_the_token_the_late_write_is_seen(tmp_path: Path, postgres: str) -> None:
    """The control: a daemon that does not ask writes after it was taken over from, and the tests would see it."""
    with pair(tmp_path, postgres, every="0.3s", environment=weakened(tmp_path, UNFENCED)) as (one, two):
        two.hang_up()
        watch(postgres)
        until(lambda: written(postgres))
        one.process.send_signal(signal.SIGSTOP)
        taken(two, 1)
        one.process.send_signal(signal.SIGCONT)
        until(lambda: late(postgres))


def test_a_daemon_that_stands_by_answers(tmp_path: Path, postgres: str) -> None:
    """Status, health and events are its own; a pass is the leader's, whose answer comes back; a clean end hands on."""
    with pair(tmp_path, postgres) as (one, two):
        leader = one.events("leader.taken")[0]["leader"]
        assert two.wait_for("STATUS=standing by") == f"STATUS=standing by; {leader} leads"
        _, status = asked(two, "/api/admin/sync_status")
        assert (status["state"], status["leader"], status["healthy"]) == ("standby", leader, True)
        assert status["last_pass"]["succeeded"] == 1
        assert asked(one, "/api/admin/sync_status")[1]["leader"] == leader
        for path, key in (("/healthz", "healthy"), ("/livez", "alive")):
            code, body = asked(two, path)
            assert (code, body[key]) == (200, True), path
        with events_of(two) as events:
            assert f"standing by; {leader} leads" in shown(two)
            write_sheet(tmp_path / "sheets", "P", 5, 4)
            code, answer = asked(two, "/api/admin/smart_sync?dry_run=true", "POST")
            assert (code, answer["dry_run"], answer["results"][0]["changed_count"]) == (200, True, 5)
            code, answer = asked(two, "/api/admin/smart_sync", "POST")
            assert (code, answer["results"][0]["changed_count"], "warnings" in answer) == (200, 5, True)
            assert asked(two, "/api/admin/smart_sync?project_id=x", "POST") == (
                404, {"success": False, "error": "Project not found", "project_id": "x"})  # fmt: skip
            assert asked(two, "/api/admin/smart_sync?project_id=", "POST")[0] == 400
            assert len(one.events("sync.finished")) == 3
            assert not two.events("sync.started")
            refused = subprocess.run(
                [*COMMAND, "once", "--config", str(one.config)], capture_output=True, text=True, check=False
            )
            assert refused.returncode == 75
            assert f"another instance ({leader}) holds the database; ask it with: smart-sync sync" in refused.stderr
            since = datetime.now(UTC)
            assert one.stop() == 0
            assert (taken(two, 1) - since).total_seconds() < TAKEOVER * busyness()
            assert until(lambda: [line for line in events if '"leader.taken"' in line])
        until(lambda: two.events("sync.finished"))
        assert asked(two, "/api/admin/sync_status")[1]["state"] in ("idle", "syncing")
        with psycopg.connect(postgres) as admin:
            assert admin.execute("SELECT count(*) FROM sync_requests WHERE status IS NULL").fetchone() == (0,)


def shown(daemon: Daemon) -> str:
    """What `smart-sync status` shows."""
    told = subprocess.run(
        [*COMMAND, "status", "--config", str(daemon.config)], capture_output=True, text=True, check=True,
        env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    return told.stdout


@contextlib.contextmanager
def events_of(daemon: Daemon) -> Iterator[list[str]]:
    """The lines of its stream of events, as they come."""
    lines: list[str] = []
    curl = subprocess.Popen(
        ["curl", "-sN", "--unix-socket", str(daemon.socket), "http://x/api/admin/events"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert curl.stdout is not None
    reading = threading.Thread(target=lambda: lines.extend(iter(curl.stdout.readline, "")), daemon=True)  # type: ignore[union-attr]
    reading.start()
    try:
        yield lines
    finally:
        curl.kill()
        curl.wait()
        reading.join()
        curl.stdout.close()


DEAF = "import smart_sync.store.postgres.lease as it\nit.CHANNEL = 'nothing_is_told_here'\n"


def test_who_has_asked_a_daemon_that_stands_by_is_answered_whoever_leads(tmp_path: Path, postgres: str) -> None:
    """Also where NOTIFY is not heard (a pooler): within 5 s; and where the leader dies first, by the next one."""
    with pair(tmp_path, postgres, environment=weakened(tmp_path, DEAF)) as (one, two):
        two.hang_up()
        began = time.monotonic()
        assert asked(two, "/api/admin/smart_sync", "POST")[0] == 200
        assert time.monotonic() - began < 5.5
        one.process.send_signal(signal.SIGSTOP)
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(asked(two, "/api/admin/smart_sync", "POST")))
        asking.start()
        with psycopg.connect(postgres, autocommit=True) as admin:
            until(lambda: admin.execute("SELECT 1 FROM sync_requests WHERE status IS NULL").fetchone())
        one.process.kill()
        asking.join(30)
        ((code, answer),) = answers
        assert (code, answer["success_count"]) == (200, 1)
        assert len(two.events("leader.taken")) == 1


@contextlib.contextmanager
def leading(folder: Path, postgres: str) -> Iterator[tuple[Daemon, psycopg.Connection[Any]]]:
    """A daemon that leads and has made its first pass, and what people do to the database beside it."""
    write_sheet(folder / "sheets", "P", 1, 3)
    with (
        Daemon(write_daemon(folder, "one", postgres, folder / "sheets")) as one,
        psycopg.connect(postgres, autocommit=True) as admin,
    ):
        one.hang_up()
        until(lambda: one.events("sync.finished"))
        yield one, admin


def ask_beside(admin: psycopg.Connection[Any], name: str, begun: str | None = None) -> None:
    """Ask for a pass, as a daemon that stands by does; ``begun``: how many leaders have begun with it."""
    admin.execute(
        "INSERT INTO sync_requests (id, asked_by, asked_at, answer)"
        " VALUES (%s, 'a', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), %s)",
        (name, begun),
    )


def test_a_request_that_ends_daemons_does_not_end_them_all(tmp_path: Path, postgres: str) -> None:
    """Three leaders have begun with it and never answered: the next one refuses it, and serves the others."""
    with leading(tmp_path, postgres) as (one, admin):
        ask_beside(admin, "deadly", "3")
        ask_beside(admin, "late", "2")
        look = "SELECT id, status FROM sync_requests WHERE status IS NOT NULL ORDER BY id"
        assert until(lambda: (found := admin.execute(look).fetchall())[1:] and found) == [
            ("deadly", 500),
            ("late", 200),
        ]
        assert len(one.events("sync.finished")) == 2


def test_a_daemon_that_is_stopped_has_not_ended_over_a_request(tmp_path: Path, postgres: str) -> None:
    """What it had begun for a stand-by when it was told to stop is no try: the next leader begins anew."""
    with leading(tmp_path, postgres) as (one, admin):
        with psycopg.connect(postgres) as web_app:
            web_app.execute("LOCK TABLE account_metrics IN EXCLUSIVE MODE")
            ask_beside(admin, "x")
            until(lambda: admin.execute("SELECT 1 FROM sync_requests WHERE answer = '1'").fetchall())
            until(lambda: len(one.events("sync.started")) == 2)
            assert one.stop() == 0
        assert admin.execute("SELECT status, answer FROM sync_requests").fetchall() == [(None, None)]


def test_what_the_server_refuses_of_requests_is_told(tmp_path: Path, postgres: str) -> None:
    """That their table is away is an error in the log, once each time; when it is back what waits there is done."""
    # When the daemon last looked for requests.
    look = (
        "SELECT max(query_start) FROM pg_stat_activity"
        " WHERE query LIKE '%FROM sync_requests%' AND pid <> pg_backend_pid()"
    )
    with leading(tmp_path, postgres) as (one, admin):
        for times in (1, 2):
            ask_beside(admin, f"x{times}")
            admin.execute("ALTER TABLE sync_requests RENAME TO away; NOTIFY smart_sync")
            told = until(partial(_nth, one, times))
            assert "sync_requests" in told["reason"]
            for _ in range(2):
                before = admin.execute(look).fetchone()
                admin.execute("NOTIFY smart_sync")
                until(partial(_has_changed, admin, look, before))
            admin.execute("ALTER TABLE away RENAME TO sync_requests; NOTIFY smart_sync")
            done = f"SELECT 1 FROM sync_requests WHERE id = 'x{times}' AND status = 200"
            until(partial(_rows, admin, done))
            assert len(one.events("requests.refused")) == times


def _has_changed(admin: Any, query: str, before: object) -> bool:
    return bool(admin.execute(query).fetchone() != before)


def _rows(admin: Any, query: str) -> list[Any]:
    return list(admin.execute(query).fetchall())


def _nth(daemon: Daemon, times: int) -> dict[str, Any] | None:
    """The event that its requests were refused, of this time."""
    told = daemon.events("requests.refused")
    return told[times - 1] if len(told) >= times else None


async def test_who_has_asked_is_told_that_the_request_is_lost(postgres: str) -> None:
    """As by a restore: nobody will answer it, and nobody waits for ever."""
    request = SyncRequest("id", None, False, "a")
    async with open_database(server(postgres)) as database:
        await sync_requests.ask(database, request, datetime.now(UTC))
        assert await sync_requests.answer_to(database, request) is None
        async with database.transaction() as transaction:
            await transaction.execute("DELETE FROM sync_requests")
        status, text = await sync_requests.answer_to(database, request) or (0, "")
        assert (status, "lost the request" in text) == (503, True)


def test_one_that_is_too_old_waits_and_says_so(tmp_path: Path, postgres: str) -> None:
    """The tables are of a newer version: it goes on answering, says which versions, and does not take over."""
    with pair(tmp_path, postgres) as (one, two):
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute("UPDATE smart_sync_schema SET version = 999")
            admin.execute("ALTER TABLE unread_projects RENAME TO of_another_version")
        one.process.kill()
        (line,) = until(lambda: two.events("standby.outdated"))
        assert line["version"] == 999
        two.wait_for("STATUS=its tables are newer (schema 999); upgrade this one; nobody leads")
        code, status = asked(two, "/api/admin/sync_status")
        assert (code, status["state"], status["leader"], status["projects"]) == (200, "standby", None, [])
        assert any("this daemon waits and will not lead; upgrade it" in told for told in status["warnings"])
        assert any("cannot be read here" in told for told in status["warnings"])
        assert asked(two, "/healthz")[0] == 200
        assert not two.events("leader.taken")


def test_a_daemon_that_stands_by_reloads(tmp_path: Path, postgres: str) -> None:
    """Its own configuration, without taking over; a mistake is refused; the leader's reload keeps the lease."""
    with pair(tmp_path, postgres) as (one, two):
        two.hang_up()
        config = two.config.read_text()
        two.config.write_text(config.replace("[schedule]", "[schedule]\nnonsense = 1"))
        assert asked(two, "/api/admin/reload", "POST")[0] == 422
        two.config.write_text(config.replace('every = "1h"', 'every = "2h"'))
        assert asked(two, "/api/admin/reload", "POST")[0] == 200
        until(lambda: len(two.events("daemon.started")) == 2)
        until(lambda: len(two.events("standby.began")) == 2)
        one.process.send_signal(signal.SIGHUP)
        until(lambda: len(one.events("daemon.started")) == 2)
        assert asked(two, "/api/admin/sync_status")[1]["state"] == "standby"
        assert not two.events("leader.taken")
