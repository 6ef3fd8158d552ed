"""The parsers' HTTP: its certificates, its bounds, and what it costs those who do not use it."""

import asyncio
import ssl
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smart_sync.aio.rate_limit import RateLimit
from smart_sync.aio.tasks import each
from smart_sync.clock import utc_now
from smart_sync.parsers.api_client import ApiClient, ApiSettings
from smart_sync.parsers.error_responses import judge
from smart_sync.parsers.failures import CallFailed
from smart_sync.parsers.http import HttpRequest, opened


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_certificates_are_checked(tmp_path: Path) -> None:
    """A server whose certificate nobody vouches for gets no request, and so no token."""
    reached = asyncio.Event()

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    async with server, opened() as wire:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CallFailed, match="cannot be reached"):
            await wire.send(HttpRequest(f"https://127.0.0.1:{port}/", {}, {"Authorization": "Bearer canary"}), 5)
    assert not reached.is_set()


async def test_a_trickle_is_cut() -> None:
    """The time-out is for the whole answer: a byte now and then does not hold a call for ever."""

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with suppress(ConnectionError), closing(writer):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server, opened() as wire:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CallFailed, match=r"no answer within 0\.2 s"):
            await wire.send(HttpRequest(f"http://127.0.0.1:{port}/", {}, {}), 0.2)


def test_who_uses_no_api_pays_for_none() -> None:
    """With the csv parser alone neither httpx2 nor jmespath is imported."""
    code = (
        "import sys, pathlib; from smart_sync import config; from smart_sync.parsers.registry import build;"
        "from smart_sync.parsers.collect import collect;"
        "assert build(config.load(pathlib.Path('config.toml')).parsers);"
        "print([name for name in ('httpx2', 'jmespath') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


async def test_the_rate_counts_from_the_end_of_a_call() -> None:
    """A slow call keeps its place until its window is over, so that the platform never sees more."""
    quota = RateLimit(2, 0.2)
    ended: list[float] = []
    began: list[float] = []
    loop = asyncio.get_running_loop()

    async def call(seconds: float) -> None:
        async with quota.slot():
            began.append(loop.time())
            await asyncio.sleep(seconds)
            ended.append(loop.time())

    async with asyncio.TaskGroup() as group:
        for seconds in (0.1, 0.1, 0, 0):
            group.create_task(call(seconds), name="call")
    assert all(later - earlier >= 0.199 for earlier, later in zip(ended, began[2:], strict=False))


async def test_each_gives_results_before_failures_and_leaves_nothing_behind() -> None:
    """What is done is given, then the failure; the others are ended, and never are more under way than allowed."""
    under_way = most = 0

    async def work(item: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            await asyncio.sleep(0 if item < 3 else 60)
        finally:
            under_way -= 1
        if item == 2:
            raise ValueError(item)
        return item

    found = []

    async def gather() -> None:
        async for result in each(range(100), work, 4, "work"):
            found.append(result)  # noqa: PERF401

    with pytest.raises(ValueError, match="2"):
        await gather()
    assert (sorted(found), under_way, most) == ([0, 1], 0, 4)


async def test_overlapping_passes_of_one_parser_count_for_themselves() -> None:
    """A session that begins while another is under way takes nothing from the other's count."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-RateLimit-Remaining: 7\r\n\r\n{}")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        api = ApiClient(ApiSettings(api_url=url), judge, utc_now)
        began, other = asyncio.Event(), asyncio.Event()

        async def first() -> tuple[int, str | None]:
            async with api.session() as session:
                await session.get("", {}, {})
                began.set()
                await other.wait()
            return session.asking.usage.calls, session.asking.usage.quota_left

        async def second() -> tuple[int, str | None]:
            await began.wait()
            async with api.session() as session:
                other.set()
            return session.asking.usage.calls, session.asking.usage.quota_left

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(), name="session") for one in (first, second)]
    assert [task.result() for task in tasks] == [(1, "7"), (0, None)]
