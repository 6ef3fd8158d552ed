"""The Python client: a clear word for everything that can be in its way."""

import asyncio
import gc
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from control_clients import PATIENT, descriptors, echo, served
from smart_sync.control.client import Client, request_sync
from smart_sync.control.request import Request, Response, Route, Stream
from smart_sync.control.server import serve
from smart_sync.errors import DaemonNotRunning, SmartSyncError


async def _events(_: Request) -> Stream:
    async def lines() -> AsyncIterator[Mapping[str, object]]:
        for number in range(3):
            yield {"n": number, "name": "Тест\n" * 20_000}

    return Stream(lines())


_API = {
    "/api/admin/smart_sync": {"POST": Route(echo, mutates=True)},
    "/api/admin/sync_status": {"GET": Route(echo)},
    "/api/admin/events": {"GET": Route(_events)},
}


@contextmanager
def _saying(path: Path, words: bytes | None) -> Iterator[None]:
    """Somebody who answers every client with ``words``; None: with silence."""
    ended = threading.Event()

    def answer() -> None:
        while not ended.is_set():
            try:
                client, _ = listening.accept()
            except TimeoutError:
                continue
            with client:
                client.recv(1000)
                if words is None:
                    ended.wait()
                else:
                    client.sendall(words)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(0.05)
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


async def test_calls(tmp_path: Path) -> None:
    """Each call reaches its endpoint with its arguments, whatever characters they hold."""
    async with served(tmp_path, _API) as path:
        client: Any = Client(str(path))
        assert (await client.sync())["query"] == {}
        assert (await client.sync("Тест & x/?#%", dry_run=True))["query"] == {
            "project_id": "Тест & x/?#%",
            "dry_run": "true",
        }
        assert (await client.status())["method"] == "GET"


async def test_events(tmp_path: Path) -> None:
    """Events come whole and in order, also large ones, until the stream ends."""
    async with served(tmp_path, _API) as path:
        assert [event["n"] async for event in Client(path).events()] == [0, 1, 2]
        async with aclosing(Client(path).events()) as events:
            assert (await anext(events))["name"].startswith("Тест\n")


async def test_events_refused(tmp_path: Path) -> None:
    """A daemon that has no stream to give says why."""
    async with served(tmp_path) as path:
        with pytest.raises(SmartSyncError, match="no such endpoint"):
            async for _ in Client(path).events():
                pass


@pytest.mark.parametrize("what", ["nothing", "file", "stale socket"])
async def test_not_running(tmp_path: Path, what: str) -> None:
    """Where nobody answers, the daemon is not running, and the message says how to start it."""
    path = tmp_path / "control.sock"
    if what == "file":
        path.touch()
    elif what == "stale socket":
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
    started = asyncio.get_running_loop().time()
    with pytest.raises(DaemonNotRunning, match="smart-sync run"):
        await Client(path).status()
    assert asyncio.get_running_loop().time() - started < 5


async def test_reload_gap(tmp_path: Path) -> None:
    """A moment without a socket, as in a reload, goes unnoticed."""
    asked = asyncio.create_task(Client(tmp_path / "control.sock").request("GET", "/echo"))
    await asyncio.sleep(0.1)
    async with served(tmp_path):
        assert (await asked)[0] == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_permission(tmp_path: Path) -> None:
    """Missing rights are named, with the remedy."""
    async with served(tmp_path) as path:
        os.seteuid(65534)
        try:
            with pytest.raises(SmartSyncError, match="member of its group"):
                await Client(path).status()
        finally:
            os.seteuid(0)


async def test_timeout(tmp_path: Path) -> None:
    """A call takes no longer than its timeout."""
    with _saying(tmp_path / "silent", None), pytest.raises(SmartSyncError, match="no answer within"):
        await Client(tmp_path / "silent", timeout=0.1).sync()


async def test_queue_full(tmp_path: Path) -> None:
    """A full queue is waited for, not taken for an answer."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(path))
        listening.listen(0)
        first.connect(str(path))
        with pytest.raises(SmartSyncError, match="no answer within"):
            await Client(path, timeout=0.2).status()


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"])
async def test_daemon_dies(tmp_path: Path, words: bytes) -> None:
    """A daemon that dies in the middle is not running any more."""
    with _saying(tmp_path / "dying", words), pytest.raises(DaemonNotRunning, match="stopped before it answered"):
        await Client(tmp_path / "dying").sync()


@pytest.mark.parametrize(
    "words",
    [
        b"220 mail.example.org ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff",
    ],
)
async def test_somebody_else(tmp_path: Path, words: bytes) -> None:
    """Another program's socket is recognised."""
    with _saying(tmp_path / "other", words), pytest.raises(SmartSyncError, match="not Smart Sync"):
        await Client(tmp_path / "other").sync()


async def test_cut_short(tmp_path: Path) -> None:
    """A daemon that stops tells a waiting client so, as JSON."""
    begun = asyncio.Event()

    async def slow(_: Request) -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    path = tmp_path / "control.sock"
    async with serve(path, {"/api/admin/smart_sync": {"POST": Route(slow)}}, limits=PATIENT):
        asked = asyncio.create_task(Client(path).sync())
        await begun.wait()
    answer = await asked
    assert (answer["success"], "stopping" in answer["error"]) == (False, True)


async def test_blocking(tmp_path: Path) -> None:
    """The blocking call works in a thread with no event loop, and in one whose loop is running."""

    async def in_a_loop() -> Any:
        return request_sync(path, "x", timeout=5)

    async with served(tmp_path, _API) as path:
        for call in (lambda: request_sync(path, "x", timeout=5), lambda: asyncio.run(in_a_loop())):
            answer = await asyncio.to_thread(call)
            assert answer["query"] == {"project_id": "x"}


async def test_nothing_is_left(tmp_path: Path) -> None:
    """A client leaves no descriptor behind, however its call ends."""
    gc.collect()  # what tests before this one have left may go now, not in the middle
    async with served(tmp_path, _API) as path:
        before = descriptors()
        for _ in range(20):
            await Client(path).status()
            async with aclosing(Client(path).events()) as events:
                await anext(events)
            with pytest.raises(SmartSyncError):
                await Client(tmp_path / ("x" * 200)).status()
        await asyncio.sleep(0.05)
        assert descriptors() <= before
