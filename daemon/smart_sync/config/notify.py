"""The sections ``[[webhooks]]``, ``[notify]`` and ``[ping]``: who is notified of what.

The URLs of ``[[notify.targets]]`` are apprise's; each holds a secret somewhere.
"""

import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import time
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from smart_sync import logs
from smart_sync.config import secrets
from smart_sync.config.sections import Section
from smart_sync.config.values import Headers, SigningSecrets, Url

if TYPE_CHECKING:
    from apprise import NotifyBase

#: The loggers of what sends: their lines may hold parts of a URL.
_LOGGERS = ("apprise", "urllib3.connectionpool", "requests_oauthlib")
_URL = re.compile(r"([a-z][a-z0-9]{1,19})://[!-~]+", re.IGNORECASE)
#: Of a piece of a URL that is a word (``smart-sync``, ``alerts``) only the whole URL is kept secret.
_WORD = re.compile(r"[a-z]+(?:[-_.][a-z]+)*", re.IGNORECASE)


def scheme_of(url: SecretStr) -> str:
    """The scheme of a target's URL, which people may see: ``tgram``, ``mailtos``, ``ntfy``."""
    return url.get_secret_value().partition("://")[0].lower()


@contextmanager
def apprise_log() -> Iterator[list[str]]:
    """Inside, collects what apprise logs in this thread and keeps it out of the log."""
    lines: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.thread != this_thread:
            return True
        if record.levelno >= logging.WARNING:
            lines.append(record.getMessage())
        return False

    this_thread = threading.get_ident()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield lines
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


@cache
def _instantiate() -> Callable[[str], Any]:
    """Import apprise, which takes 0.2 s and 40 MB, and return its factory. Raises ImportError."""
    with warnings.catch_warnings():
        # Its modules, all of which are loaded with the first URL, use what Python gives up.
        warnings.simplefilter("ignore")
        from apprise import Apprise, AppriseAsset

        asset = AppriseAsset(app_id="Smart Sync", app_desc="Smart Sync", app_url="", image_url_mask="")
        Apprise.instantiate("json://localhost")
    return lambda url: Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def service(url: SecretStr) -> "NotifyBase":
    """The apprise service for ``url``. Raises ValueError, without any part of it, if apprise rejects it."""
    try:
        instantiate = _instantiate()
    except ImportError:
        raise ValueError("apprise is not installed; install it: pip install 'smart-sync-daemon[notify]'") from None
    try:
        with apprise_log():
            sender = instantiate(url.get_secret_value())
    except Exception:  # a plugin may raise anything, and its message may hold the URL
        sender = None
    if sender is None:
        raise ValueError(
            "apprise knows no service with this URL; see https://appriseit.com/services/ for what it has to hold"
        )
    return sender  # type: ignore[no-any-return]  # apprise says too little


def _target(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not _URL.fullmatch(text):
        raise ValueError('expected a URL of apprise such as "tgram://<token>/<chat>" or "mailtos://…"')
    rest = text.partition("://")[2]
    host = re.split(r"[/?#]", rest)[0].rpartition("@")[2].partition(":")[0]
    for piece in re.split(r"[/?&@:=#,]+", rest):
        # A host or an address is no secret; without a dot it is a token.
        if not _WORD.fullmatch(piece) and not (piece == host and "." in host):
            secrets.protect(piece)
            secrets.protect(unquote(piece))
    if password := re.search(r":([^:@/]+)@", rest):
        logs.protect(password[1])
        logs.protect(unquote(password[1]))
    service(value)
    return value


#: ``env:NAME``, ``file:PATH``, ``credential:NAME``, or the URL itself.
TargetUrl = Annotated[secrets.Secret, AfterValidator(_target)]


#: What a webhook is told unless it lists its events.
_UsualEvent = Literal[
    "sync.finished",
    "sync.failed",
    "project.failed",
    "project.degraded",
    "project.recovered",
    "project.stale",
    "parser.failed",
    "parser.recovered",
]
#: What managers cause every day is reported only where it is listed, and the end of `sync.failed`, which the next
#: sync.finished tells.
WebhookEvent = Literal[_UsualEvent, "value.suspected", "worksheet.problem_found", "accounts.created", "sync.recovered"]
TargetEvent = Literal[WebhookEvent, "digest"]
#: People are notified of trouble and of its end, of numbers that look like accidents, and once a day of everything.
_FOR_PEOPLE: tuple[TargetEvent, ...] = (
    *("sync.failed", "sync.recovered", "project.failed", "project.degraded", "project.recovered", "project.stale"),
    *("parser.failed", "parser.recovered", "value.suspected", "digest"),
)

#: What the delivery itself sets; a configured header would spoil the request or its signature.
_OWN_HEADERS = {"host", "content-length", "transfer-encoding", "connection"}
_SIGNATURE_HEADERS = {"webhook-id", "webhook-timestamp", "webhook-signature"}


class WebhookSettings(Section):
    """An endpoint that is notified over HTTP, and its events."""

    #: Where messages are sent; or ``env:NAME``, ``file:PATH``, ``credential:NAME``. It is kept like a secret.
    url: Url
    #: ``"standard"``: signed as Standard Webhooks says; ``"plain"``: for whatever endpoint there is, such as one of a
    #: web app that drops its cache; it needs no secret.
    format: Literal["standard", "plain"] = "standard"
    #: The HTTP method of ``plain`` messages; the message is the body, but a GET or DELETE has none.
    method: Literal["POST", "PUT", "PATCH", "GET", "DELETE"] = "POST"
    #: Headers of each request; a value may be ``env:NAME``, ``file:PATH`` or ``credential:NAME``.
    headers: Headers = Field(default_factory=dict)
    #: ``whsec_…``, with which messages are signed, or where it is kept. A list: each message is signed with every one;
    #: give the new and the old one while you change it.
    secret: SigningSecrets = Field(default=(), validate_default=True)
    #: Whether a pass is left out that changed nothing which readers of the database see.
    only_changed: bool = False
    #: What it is told. Default: passes and troubles of projects and parsers; with ``only_changed``: ``sync.finished``.
    events: Annotated[tuple[WebhookEvent, ...], Field(min_length=1)] = get_args(_UsualEvent)
    #: Whether the URL may lead to a private address, and then without TLS too.
    allow_private: bool = False

    @field_validator("secret", mode="wrap")
    @classmethod
    def _as_the_format_needs(
        cls, value: object, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> tuple[SecretStr, ...]:
        if value == ():
            if info.data.get("format") == "plain":
                return ()
            raise ValueError('missing; or, for an endpoint that checks no signature: format = "plain"')
        secrets: tuple[SecretStr, ...] = check(value)
        return secrets

    @field_validator("headers", mode="after")
    @classmethod
    def _no_header_of_ours(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if taken := sorted({name.lower() for name in value} & (_OWN_HEADERS | _SIGNATURE_HEADERS)):
            raise ValueError(f"{', '.join(taken)}: set by each delivery itself")
        return value

    @model_validator(mode="after")
    def _method_of_the_format(self) -> Self:
        if self.format == "standard" and self.method != "POST":
            raise ValueError('method is for format = "plain"; Standard Webhooks are sent by POST')
        return self

    @model_validator(mode="before")
    @classmethod
    def _changes_alone(cls, value: object) -> object:
        """``only_changed`` without ``events`` means finished passes alone."""
        if isinstance(value, dict) and value.get("only_changed") is True and "events" not in value:
            return {**value, "events": ("sync.finished",)}
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if not self.allow_private and not self.url.get_secret_value().lower().startswith("https:"):
            raise ValueError("url must begin with https:// (or set allow_private = true for a private address)")
        return self


class TargetSettings(Section):
    """A person, chat or mailbox that is notified in plain text."""

    #: A chat or mailbox as an apprise URL: ``tgram://<token>/<chat>``, ``mailtos://…``; or ``env:NAME``,
    #: ``file:PATH``, ``credential:NAME``.
    url: TargetUrl
    #: What it is told. Default: troubles and their ends, numbers that look like accidents, and the digest.
    events: Annotated[tuple[TargetEvent, ...], Field(min_length=1)] = _FOR_PEOPLE
    #: The language of its messages; without it that of ``[notify]``.
    lang: Literal["en", "ru"] | None = None


def _time_of_day(text: str) -> str:
    if text and not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError('expected a time of day such as "09:00"')
    return text


def _different(targets: tuple[TargetSettings, ...]) -> tuple[TargetSettings, ...]:
    if len({target.url.get_secret_value() for target in targets}) < len(targets):
        raise ValueError("two of them have the same url; give one of them the events of both")
    return targets


class NotifySettings(Section):
    """Messages to people: the language, the recipients, and the time of the daily digest."""

    #: The language of messages to people.
    lang: Literal["en", "ru"] = "en"
    #: The people, chats and mailboxes that are told, each a table ``[[notify.targets]]``. Needs the extra ``notify``.
    targets: Annotated[tuple[TargetSettings, ...], Field(max_length=20), AfterValidator(_different)] = ()
    #: The time of day at which one message tells of everything, such as ``"09:00"``, on the clocks of ``[schedule]
    #: timezone``; empty: no digest.
    digest: Annotated[str, AfterValidator(_time_of_day)] = ""

    @model_validator(mode="after")
    def _somebody_reads_it(self) -> Self:
        if self.digest and not any("digest" in target.events for target in self.targets):
            raise ValueError("digest: nobody gets it; add [[notify.targets]] whose events have it")
        return self

    @property
    def digest_at(self) -> time | None:
        """The local time of the digest, in ``[schedule] timezone``."""
        return time.fromisoformat(self.digest) if self.digest else None


class PingSettings(Section):
    """The dead man's switch: a URL whose service raises an alarm when the pings stop."""

    #: The address of the dead man's switch, which alarms when the pings stop; or ``env:NAME``, ``file:PATH``,
    #: ``credential:NAME``.
    url: Url | None = None
    #: ``"healthchecks"``: URL/start, URL and URL/fail, as healthchecks.io; ``"push"``: one URL with ``status`` and
    #: ``msg``, as Uptime Kuma's push monitor.
    style: Literal["healthchecks", "push"] = "healthchecks"
