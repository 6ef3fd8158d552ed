"""Random and mutated frames at the control socket; counts and seed are arguments, so that a soak can send millions.

SOAK_FUZZ_FRAMES=2000000 SOAK_FUZZ_SEED=7 pytest -s tests/control/test_control_fuzz.py
"""

import asyncio
import json
import os
import random
import resource
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from control_clients import clients, descriptors, exchange, served, until
from smart_sync.control.client import Client
from smart_sync.control.request import Limits, Request, Route, Stream

FRAMES = int(os.environ.get("SOAK_FUZZ_FRAMES", "3000"))
SEED = int(os.environ.get("SOAK_FUZZ_SEED", "1"))
#: Buffers, caches and arenas of eight clients at once; a leak of a hundred bytes a frame is 200 MB in a soak.
MAX_GROWN_KB = 30_000
_WORKERS = 8
_HONEST_EVERY = 50
_LIMITS = Limits(head_bytes=2000, body_bytes=1000, request_seconds=2, idle_seconds=2, stall_seconds=2, grace_seconds=1)
_STATUSES = {100, 200, 400, 404, 405, 408, 413, 431}

_VALID = (
    b"GET /echo?project_id=%D0%A2 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    b"GET http://x/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"OPTIONS * HTTP/1.0\r\n\r\n",
)
_TOKENS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b" ",
        b"\t",
        b":",
        b"%",
        b"?",
        b"&",
        b"=",
        b"\xff",
        b"0",
        b"-",
        b"+",
        b"\x0b",
        b",",
    ),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: y\r\n", b"Upgrade: h2c\r\n", b"CONNECT "),
    *(
        b"HTTP/1.1",
        b"HTTP/9.9",
        b"Connection: close\r\n",
        b"ffffffffffffffff\r\n",
        b"99999999999999999999",
        b"\r\n\r\n",
    ),
)


def frame(chance: random.Random) -> bytes:
    """Noise, or one or more valid requests with a few wounds."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.choice((0, 1, 10, 100, 5000)))
    data = bytearray(b"".join(chance.choices(_VALID, k=chance.choice((1, 1, 1, 2, 5)))))
    for _ in range(chance.choice((0, 1, 1, 2, 5, 20))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 10)))
        match chance.randrange(5):
            case 0:
                data[start:end] = chance.randbytes(end - start)
            case 1:
                data[start:end] = b""
            case 2:
                data[start:start] = data[start:end] * chance.choice((1, 2, 500))
            case 3:
                del data[start:]
            case _:
                data[start:end] = chance.choice(_TOKENS)
    return bytes(data)


def check(received: bytes) -> None:
    """What came back must be whole answers with the right kind of status, and nothing else."""
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        status = int(lines[0].removeprefix("HTTP/1.1 ").split()[0])
        assert status in _STATUSES, head
        if headers.get("transfer-encoding") == "chunked":
            assert received.endswith(b"0\r\n\r\n"), received
            return
        if headers.get("content-type") == "application/x-ndjson":
            return
        length = int(headers.get("content-length", "0"))
        assert len(received) >= length
        if status != 100:
            assert json.loads(received[:length])["success"] is (status == 200)
        received = received[length:]


async def _lines() -> AsyncIterator[Mapping[str, object]]:
    yield {"n": 1}


async def _stream(_: Request) -> Stream:
    return Stream(_lines())


async def test_frames(tmp_path: Path) -> None:
    """Whatever is sent: nothing but whole answers, no crash, no descriptor or task left, honest clients served fast."""
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    before, tasks, broken, waits = descriptors(), len(asyncio.all_tasks()), 0, list[float]()
    memory = _peak_kb()

    async def worker(number: int) -> None:
        nonlocal broken
        chance = random.Random(SEED * 1000 + number)
        for count in range(FRAMES // _WORKERS):
            sent = frame(chance)
            try:
                received = await asyncio.wait_for(exchange(path, sent), 10)
                assert bool(received) == bool(sent), "no answer"
                check(received)
            except Exception as error:
                broken += 1
                print(f"seed {SEED}, worker {number}, frame {count}: {error!r}: {sent!r}")  # noqa: T201
            if count % _HONEST_EVERY == 0:
                waits.append(await _honest(path))

    async with served(tmp_path, {"/stream": {"GET": Route(_stream)}}, _LIMITS) as path:
        await asyncio.gather(*(worker(number) for number in range(_WORKERS)))
        await until(lambda: clients() == 0)
    slow = sorted(waits)[int(len(waits) * 0.99)]
    grown = _peak_kb() - memory
    print(f"frames: tried {FRAMES}, broken {broken}; honest p99 {slow * 1000:.1f} ms; peak +{grown} kB")  # noqa: T201
    assert broken == 0
    # A few requests on a busy machine have no percentiles worth a name.
    assert slow < (0.05 if FRAMES >= 100_000 else 1.0)
    assert grown < MAX_GROWN_KB
    assert (descriptors(), len(asyncio.all_tasks())) == (before, tasks)


async def _honest(path: Path) -> float:
    loop = asyncio.get_running_loop()
    started = loop.time()
    status, answer = await Client(path).request("GET", "/echo?n=1")
    assert (status, answer["query"]) == (200, {"n": "1"})
    return loop.time() - started


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
