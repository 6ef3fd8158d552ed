"""Rude clients of the control channel cost the honest ones nothing; everything is bounded."""

import asyncio
import contextlib
import resource
import socket
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from control_clients import QUICK, Connection, clients, connected, descriptors, exchange, served, until
from smart_sync.control import server
from smart_sync.control.client import Client
from smart_sync.control.request import Limits, Request, Response, Route, Stream
from smart_sync.errors import SmartSyncError

_LARGE = "x" * 1_500_000


async def _large(_: Request) -> Response:
    return Response(200, {"large": _LARGE})


async def test_slow_loris(tmp_path: Path) -> None:
    """A head that does not arrive in time is 408, and an honest client is served at once meanwhile."""
    async with served(tmp_path, limits=QUICK) as path, connected(path) as connection:
        connection.send(b"GET /echo HTTP/1.1\r\nHost: x\r\n")
        assert (await Client(path).request("GET", "/echo"))[0] == 200
        got = await connection.answer()
        assert (got.status, got.headers["connection"]) == (408, "close")
        assert await connection.rest() == b""


async def test_dribble(tmp_path: Path) -> None:
    """A byte now and then buys no time."""
    async with served(tmp_path, limits=QUICK) as path, connected(path) as connection:

        async def dribble() -> None:
            while True:
                connection.send(b"X")
                await asyncio.sleep(0.02)

        dribbling = asyncio.create_task(dribble())
        assert (await connection.answer()).status == 408
        dribbling.cancel()


async def test_slow_body(tmp_path: Path) -> None:
    """A body that does not arrive in time is 408."""
    async with served(tmp_path, limits=QUICK) as path, connected(path) as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert (await connection.answer()).status == 408


async def test_idle(tmp_path: Path) -> None:
    """A connection without a request is closed without a word, the first time and between requests."""
    async with served(tmp_path, limits=QUICK) as path:
        async with connected(path) as connection:
            assert await connection.rest() == b""
        async with connected(path) as connection:
            connection.get()
            await connection.answer()
            assert await connection.rest() == b""


async def test_never_reader(tmp_path: Path) -> None:
    """A client that takes no answer is cut off, and the others are served meanwhile."""
    async with served(tmp_path, {"/large": {"GET": Route(_large)}}, QUICK) as path, connected(path) as connection:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads and writes
        for _ in range(5):
            connection.get("/large")
        assert (await Client(path).request("GET", "/echo"))[0] == 200
        await until(lambda: clients() == 0)


async def test_slow_reader(tmp_path: Path) -> None:
    """A client that takes a large answer slowly gets all of it."""
    async with served(tmp_path, {"/large": {"GET": Route(_large)}}, QUICK) as path, connected(path) as connection:
        connection.get("/large")
        await connection.reader.readuntil(b"\r\n\r\n")
        received = 0
        started = time.monotonic()
        while received < len(_LARGE):
            received += len(await connection.reader.read(20_000))
            await asyncio.sleep(0.01)
        assert time.monotonic() - started > QUICK.stall_seconds


@pytest.mark.parametrize("connections", [25, 1200])
async def test_thousand_clients(tmp_path: Path, connections: int) -> None:
    """A thousand clients at once are all served, whether they are held or wait in the queue."""
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    async with served(tmp_path, limits=Limits(connections=connections)) as path:
        client = Client(path)
        got = await asyncio.gather(*(client.request("GET", f"/echo?n={number}") for number in range(1000)))
    assert [(status, answer["query"]["n"]) for status, answer in got] == [(200, str(number)) for number in range(1000)]


async def test_thousand_share(tmp_path: Path) -> None:
    """A thousand clients can wait for the same thing together, and one more still gets in."""
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    waiting, enough, go = 0, asyncio.Event(), asyncio.Event()

    async def together(_: Request) -> Response:
        nonlocal waiting
        waiting += 1
        if waiting == 1000:
            enough.set()
        await go.wait()
        return Response(200, {"success": True})

    async with served(tmp_path, {"/together": {"POST": Route(together)}}) as path:
        client = Client(path)
        asked = [asyncio.create_task(client.request("POST", "/together")) for _ in range(1000)]
        await asyncio.wait_for(enough.wait(), 20)
        assert (await client.request("GET", "/echo"))[0] == 200
        go.set()
        assert {status for status, _ in await asyncio.gather(*asked)} == {200}


async def test_an_honest_client_among_a_thousand_rude_ones(tmp_path: Path) -> None:
    """Silent, dribbling, deaf and half-spoken clients, a thousand together, cost an honest one nothing: p99 < 50 ms."""
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    limits = Limits(request_seconds=60, idle_seconds=60, stall_seconds=60)
    async with served(tmp_path, {"/large": {"GET": Route(_large)}}, limits) as path, AsyncExitStack() as stack:
        rude = [await stack.enter_async_context(connected(path)) for _ in range(1000)]
        for number, connection in enumerate(rude):
            if number % 50 == 0:
                connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # as above
                connection.get("/large")
            elif number % 2:
                connection.send(b"GET /ec")
        await until(lambda: clients() == 1000)
        dribbling = asyncio.create_task(_dribble(rude[1::2]))
        # Of three rounds the best: what else the machine does is no fault of ours.
        best = min([await _p99(Client(path)) for _ in range(3)])
        assert clients() >= 1000, "the rude ones must not have been sent away yet"
        dribbling.cancel()
    print(f"honest p99 among a thousand rude clients: {best * 1000:.1f} ms")  # noqa: T201
    assert best < 0.05


async def _dribble(rude: Sequence[Connection]) -> None:
    while True:
        for connection in rude:
            connection.send(b"x")
            await asyncio.sleep(0.001)


async def test_what_holds_up_the_loop_is_seen(tmp_path: Path) -> None:
    """Negative control: where each answer keeps the event loop for 60 ms, an honest client's p99 says so."""

    async def blocking(_: Request) -> Response:
        time.sleep(0.06)  # noqa: ASYNC251  # that is what must be seen
        return Response(200, {"success": True})

    async with served(tmp_path, {"/blocking": {"GET": Route(blocking)}}) as path:
        assert await _p99(Client(path), "/blocking", 10) >= 0.05


async def _p99(client: Client, target: str = "/echo", requests: int = 200) -> float:
    """Seconds within which 99 of 100 requests of a client are answered."""
    took = []
    for _ in range(requests):
        started = time.perf_counter()
        assert (await client.request("GET", target))[0] == 200
        took.append(time.perf_counter() - started)
    return sorted(took)[-1 - requests // 100]


@pytest.mark.parametrize("said", [b"", b"GET /ec"])
async def test_silent_give_way(tmp_path: Path, said: bytes) -> None:
    """When all places are taken, clients that say nothing give way long before their time is over."""
    limits = Limits(connections=5, patience_seconds=0.05)
    async with served(tmp_path, limits=limits) as path:
        rude = [await asyncio.open_unix_connection(str(path)) for _ in range(20)]
        for _, writer in rude:
            writer.write(said)
        started = time.monotonic()
        assert (await Client(path).request("GET", "/echo"))[0] == 200
        assert time.monotonic() - started < limits.request_seconds / 2
        for _, writer in rude:
            writer.transport.abort()


async def test_stream(tmp_path: Path) -> None:
    """A stream's lines arrive as they happen, one JSON object each."""
    happened: asyncio.Queue[Mapping[str, object]] = asyncio.Queue()

    async def lines() -> AsyncIterator[Mapping[str, object]]:
        while True:
            yield await happened.get()

    async with served(tmp_path, _stream(lines)) as path:
        events = Client(path)._asked("GET", "/stream")
        async with events as answer:
            assert await answer.status() == 200
            data = answer.data()
            for number in range(3):
                happened.put_nowait({"n": number})
                assert await anext(data) == b'{"n": %d}\n' % number


async def test_stream_is_open_at_once(tmp_path: Path) -> None:
    """A client is told that it follows before anything happens."""

    async def lines() -> AsyncIterator[Mapping[str, object]]:
        await asyncio.Event().wait()
        yield {}

    async with served(tmp_path, _stream(lines)) as path, connected(path) as connection:
        connection.get("/stream")
        assert (await connection.answer(bodiless=True)).status == 200


async def test_stream_left(tmp_path: Path) -> None:
    """When a client leaves a stream, its source is closed at once, though nothing happens there."""
    begun, closed = asyncio.Event(), asyncio.Event()

    async def lines() -> AsyncIterator[Mapping[str, object]]:
        try:
            begun.set()
            await asyncio.Event().wait()
            yield {}
        finally:
            closed.set()

    async with served(tmp_path, _stream(lines)) as path:
        async with connected(path) as connection:
            connection.get("/stream")
            connection.send(b"junk" * 50_000)
            await begun.wait()
        await asyncio.wait_for(closed.wait(), 5)


async def test_stream_to_slow_reader(tmp_path: Path) -> None:
    """A stream is drawn no faster than the client takes it: nothing piles up."""
    drawn = 0

    async def lines() -> AsyncIterator[Mapping[str, object]]:
        nonlocal drawn
        while True:
            drawn += 1
            yield {"x": "y" * 1000}

    async with served(tmp_path, _stream(lines), QUICK) as path, connected(path) as connection:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads and writes
        tracemalloc.start()
        connection.get("/stream")
        await until(lambda: drawn > 0 and clients() == 0)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()
    assert drawn < 1000


async def test_too_many_streams(tmp_path: Path) -> None:
    """Streams beyond their number are 503, their source is let go, and there is still room for everything else."""
    closed = 0

    class Lines:
        """Has a source from the start on, unlike a generator that has not begun."""

        said = False

        def __aiter__(self) -> AsyncIterator[Mapping[str, object]]:
            return self

        async def __anext__(self) -> Mapping[str, object]:
            if self.said:
                await asyncio.Event().wait()
            self.said = True
            return {}

        async def aclose(self) -> None:
            nonlocal closed
            closed += 1

    async with served(tmp_path, _stream(Lines), Limits(streams=2, grace_seconds=0.4)) as path:
        async with connected(path) as one, connected(path) as two, connected(path) as three:
            for connection in (one, two):
                connection.get("/stream")
                await connection.reader.readuntil(b"{}\n")
            three.get("/stream")
            assert (await three.answer()).status == 503
            assert closed == 1
            three.get("/echo")
            assert (await three.answer()).status == 200
        await until(lambda: closed == 3)


async def test_head_of_a_stream(tmp_path: Path) -> None:
    """HEAD of a stream draws no line and leaves nothing open."""
    drawn = False

    async def lines() -> AsyncIterator[Mapping[str, object]]:
        nonlocal drawn
        drawn = True
        yield {}

    async with served(tmp_path, _stream(lines)) as path:
        answer = await exchange(path, b"HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n")
    assert not drawn


async def test_no_descriptors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Out of descriptors, the server says so, waits and goes on."""
    async with served(tmp_path) as path:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        waiting = socket.socket(socket.AF_UNIX)
        waiting.setblocking(False)
        resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
        try:
            waiting.connect(str(path))
            reader, writer = await asyncio.open_unix_connection(sock=waiting)
            writer.write(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.05)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.transport.abort()
    assert caplog.text.count("control.exhausted") == 1


async def test_nothing_is_left(tmp_path: Path) -> None:
    """After all kinds of clients, rude ones among them, no descriptor and no task is left."""
    before, tasks = descriptors(), len(asyncio.all_tasks())
    async with served(tmp_path, {"/large": {"GET": Route(_large)}}, QUICK) as path:
        for _ in range(20):
            await asyncio.gather(
                exchange(path, b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
                exchange(path, b"GET /echo HT"),
                exchange(path, b"\x00" * 40_000),
                exchange(path, b""),
            )
            async with connected(path) as connection:
                connection.get("/large")
        await until(lambda: clients() == 0)
        await until(lambda: descriptors() == before + 1)  # the listening socket
    assert (descriptors(), len(asyncio.all_tasks())) == (before, tasks)


def _stream(lines: Callable[[], AsyncIterator[Mapping[str, object]]]) -> dict[str, dict[str, Route]]:
    async def stream(_: Request) -> Stream:
        return Stream(lines())

    return {"/stream": {"GET": Route(stream)}}


#: Holds as many connections as it is told, says nothing on them, and opens each anew as soon as it is closed.
_REOPENS = """
import select, socket, sys
path, count = sys.argv[1], int(sys.argv[2])
def connect():
    one = socket.socket(socket.AF_UNIX)
    one.connect(path)
    return one
held = {one.fileno(): one for one in (connect() for _ in range(count))}
poll = select.poll()
for number in held:
    poll.register(number, select.POLLIN)
print("holds", flush=True)
while True:
    for number, _ in poll.poll():
        poll.unregister(number)
        held.pop(number).close()
        one = connect()
        held[one.fileno()] = one
        poll.register(one.fileno(), select.POLLIN)
"""
_FEW = Limits(connections=64, waiting=64, idle_seconds=60, patience_seconds=0.5)


async def _slowest_beside_one_who_reopens(directory: Path) -> float:
    """Seconds of the slowest of 30 requests while another process holds 300 connections, for 64 places."""
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    async with served(directory, limits=_FEW) as path:
        rude = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _REOPENS, str(path), "300", stdout=asyncio.subprocess.PIPE
        )
        try:
            assert rude.stdout is not None
            await asyncio.wait_for(rude.stdout.readline(), 20)
            took = []
            for _ in range(30):
                started = time.perf_counter()
                with contextlib.suppress(SmartSyncError, OSError):  # turned away: the slowest there is
                    async with asyncio.timeout(5):
                        status, _answer = await Client(path).request("GET", "/echo")
                        assert status == 200
                        took.append(time.perf_counter() - started)
                        continue
                took.append(5.0)
            return max(took)
        finally:
            rude.kill()
            await rude.wait()


async def test_one_who_reopens_idle_connections_starves_nobody(tmp_path: Path) -> None:
    """A process that holds more connections than there are places, and reopens each, costs another one no wait."""
    assert await _slowest_beside_one_who_reopens(tmp_path) < _FEW.patience_seconds


async def test_without_places_kept_it_would_starve_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: where all count as one process, the same rude client is felt."""
    monkeypatch.setattr(server, "process_of", lambda _connected: (0, 0))
    assert await _slowest_beside_one_who_reopens(tmp_path) >= _FEW.patience_seconds
