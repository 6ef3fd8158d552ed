"""The types of configuration values (duration, size, URL, …) and how they are validated."""

import base64
import ipaddress
import math
import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from smart_sync.config import secrets
from smart_sync.config.database_url import protect_password
from smart_sync.core.foreign_text import storable

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_BYTES = 8000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_KEY_IN_URL = re.compile(r"/spreadsheets/d/([A-Za-z0-9_-]+)|[?&]key=([A-Za-z0-9_-]+)(?=[&#]|$)")


def split(address: str) -> SplitResult:
    """The parts of a web address. Raises ValueError unless it is http(s) with a usable host and port."""
    if not address.isprintable() or " " in address or len(address) > _MAX_BYTES:
        raise ValueError("not an address: it is too long, or holds a space or what cannot be seen")
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
        if ":" in host:
            ipaddress.IPv6Address(host.replace("%", " "))  # with a zone it leads elsewhere on each machine
    except ValueError:
        raise ValueError("its host or port can be none") from None
    if parts.scheme not in ("http", "https") or port == 0:
        raise ValueError("expected an address that begins with https:// (or http://)")
    if ":" not in host and (not _HOST.fullmatch(host) or len(host) > 253):
        raise ValueError("its host can be none; an internationalised one is written as xn--…")
    return parts


def split_public(address: str) -> SplitResult:
    """`split` for an address that is shown. Raises ValueError if it contains a user, perhaps with a password."""
    parts = split(address)
    if parts.username is not None:
        raise ValueError("a user name or password in an address is not supported")
    return parts


#: What an address is that leads to no spreadsheet, and what to do.
NOT_AN_ADDRESS, COPY_IT = "not the address of a Google spreadsheet", "copy it from the browser's address bar"


def spreadsheet_key(where: str) -> str | None:
    """The key in a Google spreadsheet's URL; None if ``where`` is not a URL.

    Raises ValueError for any other URL.
    """
    if "://" not in where and not where.startswith("docs.google.com/"):
        return None
    match = _KEY_IN_URL.search(where)
    if match is None:
        raise ValueError(f"{NOT_AN_ADDRESS}; {COPY_IT}")
    return match[1] or match[2]


def key_or_title(where: str) -> str:
    """The key in a spreadsheet's URL; anything else trimmed."""
    try:
        return spreadsheet_key(where.strip()) or where.strip()
    except ValueError:
        return where.strip()


def web_address(address: str) -> str:
    """``address`` if `split_public` accepts it, or if it is empty."""
    if address:
        split_public(address)
    return address


def spreadsheet(where: str) -> str:
    """``where`` if it is a key, title or URL of a spreadsheet."""
    spreadsheet_key(where.strip())
    return where


def header_name(name: str) -> str:
    """``name`` if it is valid as an HTTP header's name."""
    if not _HEADER.fullmatch(name):
        raise ValueError('a key is not the name of an HTTP header (not shown); write Name = "its value"')
    return name


def check_text(value: object) -> object:
    """``value`` unchanged. Raises ValueError if a text in it cannot be stored or used."""
    for text in secrets.texts(value):
        if "\0" in text:
            raise ValueError("holds a NUL character")
        if storable(text) != text:
            raise ValueError("holds what is no character in UTF-8 (a lone surrogate)")
    return value


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: object) -> object:
    """``"30m"`` → 1800.0; plain numbers are seconds already."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", value)
    if match is None:
        raise ValueError('expected a duration such as "30s", "15m", "1h" or "90d"')
    return float(match[1]) * _UNITS[match[2]]


def _mode(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"0?[0-7]{3}", value):
        return int(value, 8)
    raise ValueError('expected an octal file mode in quotes, such as "0660"')


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f'no such time zone: "{name}"; expected a name such as "UTC" or "Europe/Berlin"') from None
    return name


def _cron(expression: str) -> str:
    try:
        next(CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise ValueError(f'not a cron expression that ever comes true: "{expression}"') from None
    return expression


#: A duration: "30s", "15m", "1h", "90d", or a number of seconds.
Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=10 * 365 * 86400)]
Strategy = Literal["max", "sheet", "parsed", "latest"]
MetricName = Literal["followers", "likes", "comments", "videos", "views"]


def _url(value: SecretStr) -> SecretStr:
    try:
        parts = split(value.get_secret_value())
    except ValueError:
        raise ValueError('expected a URL such as "https://hooks.example.com/smart-sync"') from None
    if parts.username is not None or parts.fragment:
        raise ValueError("a URL with a user name, password or #fragment is not supported")
    return value


def broker(value: SecretStr) -> SecretStr:
    """The URL of a message broker, whose password is kept out of all output. Raises ValueError."""
    url = value.get_secret_value()
    for one in url.split(";"):
        protect_password(one)
    if not re.fullmatch(r"[a-z][a-z0-9+]*://[^\s]+", url):
        raise ValueError('expected the URL of a broker such as "redis://localhost:6379/0" or "amqp://…" (not shown)')
    return value


def _signing_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if not (text.startswith("whsec_") and 24 <= size <= 64):
        raise ValueError(
            "expected whsec_ and 24 to 64 bytes in base64; make one with: echo whsec_$(openssl rand -base64 32)"
        )
    return value


def _several(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _column_value(value: object) -> object:
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    fits = not isinstance(value, int) or -(2**63) <= value < 2**63
    if isinstance(value, str | int | float) and fits and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    raise ValueError("expected what a column holds: text, a number, true or false, or a date")


def _google_key(value: object) -> object:
    if not isinstance(value, str):
        if value is None or isinstance(value, Path | SecretStr):
            return value
        raise ValueError("expected a path, the JSON key or base64 of it, in quotes")
    return secrets.path_or_secret(value) if value.strip() else None


Mode = Annotated[int, BeforeValidator(_mode)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Cron = Annotated[str, AfterValidator(_cron)]
#: What is shown and stored as it is, so that no secret may stand there.
PlainPath = Annotated[Path, AfterValidator(secrets.check_path)]
PlainText = Annotated[str, AfterValidator(secrets.refuse_secret)]
#: A URL may carry a token, so it is kept like a secret; an internationalised host is written as xn--….
Url = Annotated[secrets.Secret, AfterValidator(_url)]
#: Of Redis, RabbitMQ or whatever else Celery can use.
Broker = Annotated[secrets.Secret, AfterValidator(broker)]
SigningSecret = Annotated[secrets.Secret, AfterValidator(_signing_secret)]
#: Headers of a request; a value may be looked up like a secret.
Headers = Annotated[
    dict[Annotated[str, AfterValidator(header_name)], secrets.Value], AfterValidator(secrets.protect_named)
]
#: A value of a column: text, a whole or decimal number, true or false; a date or time of TOML becomes text.
ColumnValue = Annotated[str | int | float | bool, BeforeValidator(_column_value)]
#: The file of Google's key, or the key itself.
GoogleKey = Annotated[Path | SecretStr, BeforeValidator(_google_key)]
#: One, or a list of up to five.
SigningSecrets = Annotated[tuple[SigningSecret, ...], BeforeValidator(_several), Field(min_length=1, max_length=5)]
