"""Addresses in the configuration, and text that nothing could be made of: refused where they stand, not in a pass."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_BYTES = 8000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_KEY_IN_URL = re.compile(r"/spreadsheets/d/([A-Za-z0-9_-]+)|[?&]key=([A-Za-z0-9_-]+)(?=[&#]|$)")


def split(address: str) -> SplitResult:
    """The parts of a web address.  Raises ValueError unless it is one of http(s), whose host and port can be used."""
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
    """As `split`, of an address that is shown.  Raises ValueError if it names a user, perhaps with a password."""
    parts = split(address)
    if parts.username is not None:
        raise ValueError("a user name or password in an address is not supported")
    return parts


#: What an address is that leads to no spreadsheet, and what to do.
NOT_AN_ADDRESS, COPY_IT = "not the address of a Google spreadsheet", "copy it from the browser's address bar"


def spreadsheet_key(where: str) -> str | None:
    """The key in the URL of a Google spreadsheet; None if ``where`` is no URL, but a key or a title.

    Raises ValueError for any other URL.
    """
    if "://" not in where and not where.startswith("docs.google.com/"):
        return None
    found = _KEY_IN_URL.search(where)
    if found is None:
        raise ValueError(f"{NOT_AN_ADDRESS}; {COPY_IT}")
    return found[1] or found[2]


def key_or_title(where: str) -> str:
    """The key in the URL of a spreadsheet; ``where``, trimmed, if it is anything else."""
    try:
        return spreadsheet_key(where.strip()) or where.strip()
    except ValueError:
        return where.strip()


def web_address(address: str) -> str:
    """``address`` if `split_public` can make something of it, or if it is empty."""
    if address:
        split_public(address)
    return address


def spreadsheet(where: str) -> str:
    """``where`` if it is a key, a title or the URL of a spreadsheet."""
    spreadsheet_key(where.strip())
    return where


def header_name(name: str) -> str:
    """``name`` if a header of HTTP may have it."""
    if not _HEADER.fullmatch(name):
        raise ValueError("not the name of an HTTP header")
    return name


def demand_text(value: object) -> object:
    """``value``, whatever it is.  Raises ValueError if a text in it can be no path, name, address or query."""
    for text in _texts(value):
        if "\0" in text:
            raise ValueError("holds a NUL character")
        if not _is_storable(text):
            raise ValueError("holds what is no character in UTF-8 (a lone surrogate)")
    return value


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
