"""Clients of the control channel for its tests: honest ones and rude ones, all on real sockets."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smart_sync.control.request import Limits, Request, Response, Route, Routes
from smart_sync.control.server import serve

#: Short enough for tests, long enough for two busy cores.
QUICK = Limits(request_seconds=0.4, idle_seconds=0.4, stall_seconds=0.4, grace_seconds=0.4, patience_seconds=0.1)
PATIENT = Limits(grace_seconds=0.4)
#: Seconds until a test gives up.
_PATIENCE = float(os.environ.get("CLIENTS_PATIENCE", "10"))


@dataclass(frozen=True, slots=True)
class Got:
    """One answer, as a client sees it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A raw connection: bytes out, answers in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def get(self, target: str = "/echo") -> None:
        self.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    async def answer(self, *, bodiless: bool = False) -> Got:
        async with asyncio.timeout(_PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            length = 0 if bodiless else int(headers.get("content-length", "0"))
            return Got(int(head[0].split()[1]), headers, await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(_PATIENCE):
            return await self.reader.read()


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def exchange(path: Path, sent: bytes) -> bytes:
    """Send, shut the sending side, and read everything until the server closes."""
    async with connected(path) as connection:
        connection.send(sent)
        try:
            connection.writer.write_eof()
            return await connection.rest()
        except ConnectionError:
            return b""


async def echo(request: Request) -> Response:
    """Says what was understood."""
    return Response(
        200,
        {
            "success": True,
            "method": request.method,
            "query": dict(request.query),
            "length": len(request.body),
            "uid": request.peer.uid,
        },
    )


ECHO: Routes = {"/echo": {"GET": Route(echo), "POST": Route(echo)}}


@asynccontextmanager
async def served(
    directory: Path, routes: Routes | None = None, limits: Limits = PATIENT, mode: int = 0o660
) -> AsyncIterator[Path]:
    path = directory / "control.sock"
    async with serve(path, {**ECHO, **(routes or {})}, limits=limits, mode=mode):
        yield path


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def clients() -> int:
    """How many clients the server holds."""
    return sum(task.get_name().startswith("control:client-") for task in asyncio.all_tasks())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110  # there is no event: that is the point
            await asyncio.sleep(0.005)
