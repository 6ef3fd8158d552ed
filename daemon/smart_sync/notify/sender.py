"""One attempt to deliver a message to a webhook: builds the request and signs it; every failure is a result.

`notify.delivery` decides when, and tries again; `notify.http_post` makes the request.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from pydantic import SecretStr

from smart_sync.config import WebhookSettings
from smart_sync.core.results.webhook_messages import Message
from smart_sync.notify import http_post
from smart_sync.notify.http_post import AddressRefused, Resolve, allowed, resolve

#: Seconds for one attempt, from the name to the status.
TIMEOUT = 15.0
#: Of a host with more, the first ones are tried.
MAX_ADDRESSES = 4
_WITHOUT_BODY = ("GET", "DELETE")


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of an attempt: the HTTP status, None if unknown; ``reason`` is for a person."""

    status: int | None
    reason: str = ""
    #: Whether the receiver has taken the message.
    accepted: bool = False

    @property
    def gone(self) -> bool:
        """Whether the receiver never wants messages again (410)."""
        return self.status == HTTPStatus.GONE


@dataclass(frozen=True, slots=True)
class Sender:
    """How messages are sent: the resolver, and the timeout of an attempt in seconds."""

    resolver: Resolve = resolve
    timeout: float = TIMEOUT

    async def send(self, webhook: WebhookSettings, message: Message, now: datetime) -> AttemptResult:
        """Send ``message``, signed at the time ``now`` if there is a secret; every failure is a result."""
        try:
            async with asyncio.timeout(self.timeout):
                status = await self._post(webhook, message, now)
        except TimeoutError:
            return AttemptResult(None, f"no answer within {self.timeout:g} s")
        except (AddressRefused, http_post.NotReached) as error:
            return AttemptResult(None, str(error))
        except (OSError, ValueError) as error:
            return AttemptResult(
                None, f"the name cannot be resolved: {getattr(error, 'strerror', None) or 'no address'}"
            )
        return AttemptResult(status, _explained(status), 200 <= status < 300)

    async def _post(self, webhook: WebhookSettings, message: Message, now: datetime) -> int:
        url = urlsplit(webhook.url.get_secret_value())
        encrypted = url.scheme == "https"
        host, port = url.hostname or "", url.port or (443 if encrypted else 80)
        addresses = await allowed(host, port, self.resolver, allow_private=webhook.allow_private, encrypted=encrypted)
        headers = {"Host": url.netloc, **_headers(webhook, message, now)}
        refused: http_post.NotReached | None = None
        for address in addresses[:MAX_ADDRESSES]:
            place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            try:
                # To the address itself, so that the name cannot become another one; TLS still asks for the name.
                return await http_post.request_status(
                    webhook.method,
                    url._replace(netloc=place).geturl(),
                    headers=headers,
                    content=_body(webhook, message).encode(),
                    extensions={"sni_hostname": host},
                    connect=self.timeout / (len(addresses[:MAX_ADDRESSES]) + 1),
                )
            except http_post.NotConnected as error:
                refused = error
        raise refused or http_post.NotReached("no address")


def endpoint_of(url: SecretStr) -> str:
    """The receiver's name in the database, which does not reveal ``url``."""
    return hashlib.sha256(url.get_secret_value().encode()).hexdigest()[:16]


def label_of(webhook: WebhookSettings) -> str:
    """A webhook's name for people: its host, because the path may be a secret."""
    return urlsplit(webhook.url.get_secret_value()).netloc


def _headers(webhook: WebhookSettings, message: Message, now: datetime) -> dict[str, str]:
    """The content type, the signatures at the time ``now`` if there is a secret, and the configured headers."""
    configured = {name: value.get_secret_value() for name, value in webhook.headers.items()}
    typed = {} if webhook.method in _WITHOUT_BODY else {"Content-Type": "application/json"}
    own = typed | _signed(webhook, message, now) if webhook.secret else typed
    taken = {name.lower() for name in configured}
    return {name: value for name, value in own.items() if name.lower() not in taken} | configured


def _body(webhook: WebhookSettings, message: Message) -> str:
    """The JSON of ``message``; "" for a method that has no body."""
    return "" if webhook.method in _WITHOUT_BODY else message.body


def _signed(webhook: WebhookSettings, message: Message, now: datetime) -> dict[str, str]:
    from standardwebhooks import Webhook

    signatures = (
        Webhook(secret.get_secret_value()).sign(message.id, now.astimezone(UTC), _body(webhook, message))
        for secret in webhook.secret
    )
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _explained(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}, a redirect, which is not followed; put the final address into url"
    return f"answered {status}"


def failure_reason(lines: Sequence[str]) -> str:
    """Why a service refused a message, from apprise's log; never its words, which may contain the URL."""
    for line in reversed(lines):
        if match := re.search(r"error\s*[=:]\s*(\d{3})\b", line):
            return f"answered {match[1]}" + _HINTS.get(match[1], "")
    if any("Connection error" in line or "connection" in line for line in lines):
        return "could not be reached, or refused to talk; check the URL, the password and the network"
    return "did not take the message; check the URL"


_HINTS = {
    "400": "; check the chat, channel or address in the URL",
    "401": "; check the token or password in the URL",
    "403": "; check the token in the URL, and that it may write there",
    "404": "; check the token, chat or channel in the URL",
    "429": ": too many messages",
}
