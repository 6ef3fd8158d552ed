"""Daemons of one PostgreSQL database as processes, and what may befall the one that leads."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from daemon_process import Daemon

TAKEOVER = 2.0
HEADER = "@Username,Link,Followers,Likes,Comments,Videos,Views"


def busyness() -> float:
    """How many times longer than alone a piece of work takes on this machine just now: 1.0 where nobody else works."""
    began, used = time.monotonic(), time.thread_time()
    while (done := time.thread_time() - used) < 0.05:
        pass
    return max((time.monotonic() - began) / done, 1.0)


class Proxy:
    """A TCP line to the server of a test; `stop` lets it be one into which everything vanishes."""

    def __init__(self, folder: Path) -> None:
        self._target = str(folder / ".s.PGSQL.5432")
        self._stopped = threading.Event()
        #: The line is lost before, or after, the server is sent what has this in it.
        self.lost_before = self.lost_after = b""
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Forward nothing any more, and close nothing."""
        self._stopped.set()

    def go_on(self) -> None:
        """Forward what was held up, and what comes."""
        self._stopped.clear()

    def close(self) -> None:
        for one in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._ends += [client, server]
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(one, other), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self._stopped.is_set():
                    time.sleep(0.01)
                if self.lost_before and self.lost_before in data:
                    break
                target.sendall(data)
                if self.lost_after and self.lost_after in data:
                    source.shutdown(socket.SHUT_RDWR)
            target.shutdown(socket.SHUT_WR)


def through(url: str, proxy: Proxy) -> str:
    """The ``url`` of a test's database, over ``proxy``."""
    name = url.partition("?")[0].rpartition("/")[2]
    return f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}"


def write_daemon(
    folder: Path, name: str, url: str, sheets: Path, *, every: str = "1h", takeover: float = TAKEOVER
) -> Path:
    """The configuration of one daemon, in a folder of its own; the worksheets are shared."""
    own = folder / name
    own.mkdir()
    path = own / "config.toml"
    path.write_text(
        f'[database]\nurl = "{url}"\ntakeover = {takeover}\n[control]\nsocket = "control.sock"\n'
        f'[schedule]\nevery = "{every}"\n[sheets]\nsource = "csv"\ndirectory = "{sheets}"\n'
        '[sync]\ncreate_missing = "projects"\n'
    )
    return path


def write_sheet(sheets: Path, name: str, rows: int, value: int) -> None:
    """A worksheet with so many accounts, each of whose metrics is ``value``."""
    sheets.mkdir(exist_ok=True)
    lines = [f"@{name}{n},https://www.tiktok.com/@{name}{n},{','.join([str(value)] * 5)}" for n in range(rows)]
    part = sheets / f"{name}.part"
    part.write_text("\n".join([HEADER, *lines]) + "\n")
    part.rename(sheets / f"{name}.csv")


def until(happened: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What ``happened`` gives, once that is true."""
    ends = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < ends, "it has not happened"
        time.sleep(0.02)
    return found


def asked(daemon: Daemon, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    """The status and the JSON of an answer at the daemon's socket."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as line:
        line.settimeout(60)
        line.connect(str(daemon.socket))
        line.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := line.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


#: Keeps, for each statement that writes and is committed, the token of who has written and the one that counted then.
WATCHED = ("sync_runs", "account_metrics", "account_snapshots", "sheet_metrics", "projects", "project_social_accounts")
_WATCH = """
CREATE TABLE audit (at timestamptz DEFAULT clock_timestamp(), who text, token bigint, what text);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.audit (who, token, what)
  SELECT current_setting('application_name'), l.token, TG_TABLE_NAME FROM public.smart_sync_leases l
  WHERE l.resource = 'leader';
  RETURN NULL; END $$;
"""
LATE = (
    "SELECT who, token, what FROM audit WHERE who LIKE 'smart-sync leader %' AND split_part(who, ' ', 3) <> token::text"
)


def watch(url: str) -> None:
    """Keep from now on who writes; `late` tells what was written by one that had lost the lease."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(_WATCH)
        for table in WATCHED:
            admin.execute(
                f"CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON public.{table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION audited()"
            )


def written(url: str) -> bool:
    """Whether anything was written since `watch`."""
    with psycopg.connect(url, autocommit=True) as admin:
        return admin.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is not None


def late(url: str) -> list[tuple[Any, ...]]:
    """What was written, since `watch`, by one that had lost the lease before."""
    assert written(url), "nothing was written at all"
    with psycopg.connect(url, autocommit=True) as admin:
        return admin.execute(LATE).fetchall()


def taken(daemon: Daemon, times: int) -> datetime:
    """When the daemon has taken the lead for the so manyth time."""
    lines = until(lambda: (found := daemon.events("leader.taken"))[times - 1 :] and found)
    return datetime.fromisoformat(lines[times - 1]["timestamp"])


@contextlib.contextmanager
def pair(
    folder: Path,
    url: str,
    first_url: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> Iterator[tuple[Daemon, Daemon]]:
    """Two daemons on one database and one folder of worksheets: the first leads, over ``first_url`` if given."""
    sheets = folder / "sheets"
    write_sheet(sheets, "P", 5, 3)
    with Daemon(write_daemon(folder, "one", first_url or url, sheets, **more), environment) as one:
        one.hang_up()
        until(lambda: one.events("sync.finished"))
        with Daemon(write_daemon(folder, "two", url, sheets, **more), environment) as two:
            until(lambda: two.events("standby.began"))
            yield one, two
