"""A receiver of messages: a real HTTP(S) server that remembers what it got and answers what a test wants."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: str


@dataclass(slots=True)
class Receiver:
    """Answers with ``statuses`` in turn, then with ``status``.  While ``open`` is cleared it answers nothing."""

    received: list[ReceivedRequest] = field(default_factory=list)
    statuses: deque[int] = field(default_factory=deque)
    status: int = 204
    content: str = ""
    extra: str = ""
    #: What follows an answer's head, without an end in sight.
    endless: bool = False
    port: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def got(self, count: int, seconds: float = 10) -> list[ReceivedRequest]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _version = head[0].split()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        async with self._came:
            self.received.append(ReceivedRequest(method, target, headers, body))
            self._came.notify_all()
        await self.open.wait()
        status = self.statuses.popleft() if self.statuses else self.status
        length = "" if self.endless else f"Content-Length: {len(self.content)}\r\n"
        writer.write(f"HTTP/1.1 {status} X\r\n{self.extra}{length}Connection: close\r\n\r\n{self.content}".encode())
        while self.endless:
            writer.write(b"x" * 65536)
            await writer.drain()
        await writer.drain()


@asynccontextmanager
async def receiving(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.open.set()
    server = await asyncio.start_server(receiver.serve, host, 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.open.set()
        server.close()
        await server.wait_closed()


def certificates(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for ``host``, and the file of the authority that signed it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Test Authority")
    authority = _certificate(name, name, key, key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    own = ec.generate_private_key(ec.SECP256R1())
    san = x509.SubjectAlternativeName([_general(host)])
    leaf = _certificate(_name("receiver"), name, key, own.public_key(), san)
    place, chain = folder / "authority.pem", folder / "server.pem"
    place.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    chain.write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, place


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject: x509.Name, issuer: x509.Name, signer: Any, public: Any, extension: Any) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(signer, hashes.SHA256())
    )
