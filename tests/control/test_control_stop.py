"""How the control channel's server ends: every client that waits gets an answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from control_clients import ECHO, PATIENT, Connection, connected, served
from smart_sync.control.request import Limits, Request, Response, Route, Stream
from smart_sync.control.server import serve


class _Bug(Exception):
    pass


class _Slow:
    """A handler that can be watched and released."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, _: Request) -> Response:
        self.begun.set()
        await self.go.wait()
        return Response(200, {"success": True})


async def _asked(stack: AsyncExitStack, path: Path, target: str) -> Connection:
    connection = await stack.enter_async_context(connected(path))
    connection.get(target)
    return connection


async def test_finishes(tmp_path: Path) -> None:
    """A handler that ends within the grace gives its own answer, and the connection is closed."""
    slow = _Slow()
    async with AsyncExitStack() as stack:
        async with served(tmp_path, {"/slow": {"GET": Route(slow)}}) as path:
            connection = await _asked(stack, path, "/slow")
            await slow.begun.wait()
            asyncio.get_running_loop().call_later(0.05, slow.go.set)
        got = await connection.answer()
        assert (got.status, got.headers["connection"]) == (200, "close")


async def test_cut_short(tmp_path: Path) -> None:
    """A handler that does not end within the grace is cancelled, and its client is told 503."""
    slow = _Slow()
    async with AsyncExitStack() as stack:
        async with served(tmp_path, {"/slow": {"GET": Route(slow)}}) as path:
            connection = await _asked(stack, path, "/slow")
            await slow.begun.wait()
        got = await connection.answer()
        assert (got.status, got.json["success"]) == (503, False)
        assert await connection.rest() == b""


async def test_own_last_word(tmp_path: Path) -> None:
    """A handler that is cancelled may say itself how far it came."""

    async def handler(_: Request) -> Response:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Response(503, {"success": False, "done": 3})
        raise AssertionError

    async with AsyncExitStack() as stack:
        async with served(tmp_path, {"/own": {"GET": Route(handler)}}) as path:
            connection = await _asked(stack, path, "/own")
            await asyncio.sleep(0.05)
        assert (await connection.answer()).json == {"success": False, "done": 3}


async def test_idle_is_closed_at_once(tmp_path: Path) -> None:
    """A connection that is kept alive does not hold up the stop."""
    async with AsyncExitStack() as stack:
        async with served(tmp_path, limits=Limits(grace_seconds=60)) as path:
            connection = await _asked(stack, path, "/echo")
            await connection.answer()
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 5
        assert await connection.rest() == b""


async def test_queue_is_answered(tmp_path: Path) -> None:
    """Clients that the kernel's queue holds when the server leaves are told 503, not cut off."""
    with ExitStack() as stack:
        waiting = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(300)]
        async with served(tmp_path) as path:
            for client in waiting:  # without an await: the server has no turn meanwhile
                client.connect(str(path))
                client.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        assert {client.recv(12) for client in waiting} == {b"HTTP/1.1 503"}


async def test_half_a_request(tmp_path: Path) -> None:
    """A client in the middle of its request is told 503 when the server leaves."""
    async with AsyncExitStack() as stack:
        async with served(tmp_path) as path:
            connection = await _asked(stack, path, "/echo")
            await connection.answer()
            connection.send(b"GET /ec")
            await asyncio.sleep(0.05)
        assert (await connection.answer()).status == 503


async def test_stream_ends(tmp_path: Path) -> None:
    """A stream ends properly when the server leaves, and its source is closed."""
    closed = asyncio.Event()

    async def lines() -> AsyncIterator[Mapping[str, object]]:
        try:
            yield {"n": 1}
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def stream(_: Request) -> Stream:
        return Stream(lines())

    async with AsyncExitStack() as stack:
        async with served(tmp_path, {"/stream": {"GET": Route(stream)}}) as path:
            connection = await _asked(stack, path, "/stream")
            await connection.reader.readuntil(b'{"n": 1}\n\r\n')
        assert await connection.rest() == b"0\r\n\r\n"
        assert closed.is_set()


async def test_never_reader_does_not_hold_up(tmp_path: Path) -> None:
    """A client that takes nothing holds up the stop no longer than the grace."""

    async def large(_: Request) -> Response:
        return Response(200, {"x": "x" * 3_000_000})

    async with AsyncExitStack() as stack:
        async with served(tmp_path, {"/large": {"GET": Route(large)}}) as path:
            connection = await stack.enter_async_context(connected(path))
            connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads too
            connection.get("/large")
            await asyncio.sleep(0.05)
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < PATIENT.stall_seconds / 2


async def test_owner_is_cancelled(tmp_path: Path) -> None:
    """When the owner is cancelled, clients are answered, and the cancellation goes on."""
    slow, path = _Slow(), tmp_path / "control.sock"

    async def own() -> None:
        async with serve(path, {"/slow": {"GET": Route(slow)}}, limits=PATIENT):
            ready.set()
            await asyncio.Event().wait()

    ready = asyncio.Event()
    owner = asyncio.create_task(own())
    await ready.wait()
    async with connected(path) as connection:
        connection.get("/slow")
        await slow.begun.wait()
        owner.cancel()
        assert (await connection.answer()).status == 503
        await asyncio.wait([owner])
    assert owner.cancelled()
    assert not path.exists()


async def test_owners_error(tmp_path: Path) -> None:
    """What the owner raises in its block comes out as it is."""
    with pytest.raises(_Bug):
        async with served(tmp_path):
            raise _Bug


async def _breaks(_: Request) -> Response:
    raise _Bug


async def _not_json(_: Request) -> Response:
    return Response(200, {"x": object()})


async def _broken_stream(_: Request) -> Stream:
    async def lines() -> AsyncIterator[Mapping[str, object]]:
        yield {"n": 1}
        raise _Bug

    return Stream(lines())


async def _timed_out(_: Request) -> Response:
    raise TimeoutError


@pytest.mark.parametrize("handler", [_breaks, _not_json, _timed_out])
async def test_bug(tmp_path: Path, handler: object) -> None:
    """A bug answers 500 without details, tells the other clients 503, and ends the owner's block loudly."""
    slow, path = _Slow(), tmp_path / "control.sock"
    routes = {"/bug": {"GET": Route(handler)}, "/slow": {"GET": Route(slow)}, **ECHO}  # type: ignore[arg-type]
    async with AsyncExitStack() as stack:
        with pytest.raises(ExceptionGroup) as raised:  # noqa: PT012  # the block is what it ends
            async with serve(path, routes, limits=PATIENT):
                other = await _asked(stack, path, "/slow")
                await slow.begun.wait()
                buggy = await _asked(stack, path, "/bug")
                await asyncio.Event().wait()
        assert raised.group_contains(_Bug if handler is _breaks else (TypeError, TimeoutError))
        got = await buggy.answer()
        assert (got.status, "_Bug" in str(got.json)) == (500, False)
        assert (await other.answer()).status == 503
    assert not path.exists()


async def test_bug_in_a_stream(tmp_path: Path) -> None:
    """A bug in a stream ends it without its end mark, and the owner's block loudly."""
    async with AsyncExitStack() as stack:
        with pytest.raises(ExceptionGroup) as raised:  # noqa: PT012  # the block is what it ends
            async with served(tmp_path, {"/stream": {"GET": Route(_broken_stream)}}) as path:
                connection = await _asked(stack, path, "/stream")
                await asyncio.Event().wait()
        assert raised.group_contains(_Bug)
        assert not (await connection.rest()).endswith(b"0\r\n\r\n")
