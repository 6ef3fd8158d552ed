"""Where a webhook may be sent to, and that it is sent exactly there."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from receiver import certificates, receiving
from smart_sync.config import WebhookSettings
from smart_sync.core.results.webhook_messages import message
from smart_sync.notify import http_post
from smart_sync.notify.http_post import is_public
from smart_sync.notify.sender import AttemptResult, Sender

SECRET = "whsec_" + "A" * 44
MESSAGE = message("name", "webhook.test", "2026-03-10T12:00:00.000000", {})

PRIVATE = (
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::127.0.0.1", "fe80::1", "fe80::1%1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1",
    "2002:7f00:1::", "2002:a00:1::", "2001:db8::1",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808")


def webhook(url: str, **more: Any) -> WebhookSettings:
    return WebhookSettings(url=url, secret=SECRET, **more)  # type: ignore[arg-type]


async def send(url: str, *addresses: str, **more: Any) -> AttemptResult:
    """Send to a name that has just these addresses."""

    async def resolver(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return await Sender(resolver, timeout=5).send(webhook(url, **more), MESSAGE, datetime.now(UTC))


@pytest.mark.parametrize("address", PRIVATE)
async def test_private_addresses_are_refused(address: str) -> None:
    """A name that leads into the machine or its network is refused, in whatever notation."""
    answer = await send("https://hooks.example.com/", address)
    assert answer == AttemptResult(
        None, f"hooks.example.com has the private address {address}; if it is meant, set allow_private = true"
    )


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    """What the whole internet reaches is not refused."""
    assert is_public(address)


@pytest.mark.parametrize("addresses", [("8.8.8.8", "127.0.0.1"), ("2606:4700:4700::1111", "::1")])
async def test_one_private_address_among_several_is_enough(addresses: tuple[str, ...]) -> None:
    """A mixed answer is refused as a whole: nobody chooses which of them is connected to."""
    answer = await send("https://hooks.example.com/", *addresses)
    assert f"private address {addresses[1]}" in answer.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "localhost"])
async def test_addresses_in_the_url_are_looked_at_too(host: str) -> None:
    """An address, in any notation that the system reads, is refused as a name with that address is."""
    answer = await Sender(timeout=5).send(webhook(f"https://{host}/"), MESSAGE, datetime.now(UTC))
    assert "private address" in answer.reason


async def test_without_tls_only_private_addresses() -> None:
    """``allow_private`` lets plain HTTP into the own network, never out to the internet."""
    answer = await send("http://hooks.example.com/", "8.8.8.8", allow_private=True)
    assert answer == AttemptResult(None, "hooks.example.com has the public address 8.8.8.8; use https")


async def test_a_name_without_an_address_is_an_answer_too() -> None:
    """What cannot be resolved is told in one line."""
    assert (await send("https://hooks.example.com/")).reason == "the name cannot be resolved: no address"

    async def resolver(_host: str, _port: int) -> list[str]:
        raise UnicodeError("label too long")

    answer = await Sender(resolver).send(webhook("https://hooks.example.com/"), MESSAGE, datetime.now(UTC))
    assert answer.reason.startswith("the name cannot be resolved")


async def test_when_one_address_refuses_the_next_is_tried() -> None:
    """A host has several addresses so that one may be down: the first one that can be reached gets the message."""
    async with receiving() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/"
        answer = await send(url, "127.0.0.3", "::1", "127.0.0.1", "127.0.0.2", allow_private=True)
        assert answer.accepted
        assert len(receiver.received) == 1
        assert (await send(url, "127.0.0.3", "127.0.0.2", allow_private=True)).reason == "Connection refused"


async def test_what_may_have_arrived_is_sent_to_no_other_address() -> None:
    """Once there was a connection, the other addresses are left for the next attempt: nobody gets it twice at once."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with receiving() as receiver, await asyncio.start_server(hang_up, "127.0.0.2", receiver.port):
        url = f"http://hooks.example.com:{receiver.port}/"
        answer = await send(url, "127.0.0.2", "127.0.0.1", allow_private=True)
    assert answer.status is None
    assert receiver.received == []


@pytest.mark.parametrize("proxy", ["http://[::1", "nonsense://x", "http://x:y"])
async def test_a_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A malformed proxy in the environment is a failure with a remedy wherever a proxy is used."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(http_post.NotReached):
        await http_post.request_status("GET", "https://127.0.0.9:9/", proxied=True)


async def test_tls_asks_for_the_name_at_the_address_that_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to the checked address; certificate and Host are those of the name."""
    context, authority = certificates(tmp_path, "hooks.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    async with receiving(context) as receiver:
        url = f"https://hooks.example.com:{receiver.port}/a/b?c=d"
        answer = await send(url, "127.0.0.1", allow_private=True)
        assert (answer.status, answer.reason) == (204, "")
        (told,) = receiver.received
    assert (told.method, told.target, told.headers["host"]) == ("POST", "/a/b?c=d", url.split("/")[2])
    assert json.loads(told.body)["type"] == "webhook.test"


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the address is right does not make up for a certificate that is not."""
    context, authority = certificates(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    async with receiving(context) as receiver:
        answer = await send(f"https://hooks.example.com:{receiver.port}/", "127.0.0.1", allow_private=True)
        assert answer.status is None
        assert "certificate is not valid: Hostname mismatch" in answer.reason
        assert receiver.received == []


async def test_the_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name once more: the message goes to the address itself."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with receiving() as receiver:
        answer = await send(f"http://hooks.example.com:{receiver.port}/", "127.0.0.1", allow_private=True)
    assert answer.accepted
