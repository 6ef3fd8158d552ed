"""A pasted web address, split into canonical parts; and redirecting addresses (wrappers).

Mail programs, search engines, chats and login pages make such redirects of a link.

The host in small letters and Unicode, without user-info, port and subdomains that show the same site; the path
unescaped where that is safe.  Addresses are untrusted text: nothing here raises, and no piece holds control
characters or lone surrogates.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from smart_sync.core.foreign_text import INVISIBLE

#: What host labels and names are made of: of ASCII only letters, digits, ``_`` and ``-``.
SIGN = r"[^\x00-,./:-@\[-^`{-\xa0\u061c\u2000-\u206f\u3000-\u3002\ud800-\udfff\ufeff]"

_SCHEME = re.compile(r"(?:https?:[/\\]*)+|[/\\]{2,}", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d+(?:[/\\?#]|$))", re.IGNORECASE)
_HOST = re.compile(rf"{SIGN}+(?:\.{SIGN}+)+")
_SAME_SITE = re.compile(r"(?:(?:www|m)\.)+(?=[^.]+\.)")
_TRACKING = re.compile(
    r"(?:utm_\w*|fbclid|gclid|igshid?|si|_[rt]|mibextid|is_from_webapp|sender_device|hl|lang|locale|feature)(?:=|$)"
)
#: A path with nothing to do: no escapes, nothing unsafe, no empty part and no dots alone.
_PLAIN_PATH = re.compile(r"@?[\w-][\w.-]*(?:/[\w-][\w.-]*)*/?", re.ASCII)
_UNSEEN = r"\s\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
_UNSAFE = re.compile(rf"[{_UNSEEN}]")
_UNSAFE_IN_QUERY = re.compile(rf"[{_UNSEEN}\"'<>“”«»]")
_UNSAFE_IN_PATH = re.compile(rf"[{_UNSEEN}\"'<>“”«»%/?#\\]")
#: Around a pasted link: spaces, quotes, brackets.
_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\"'<>“”«»"
#: Marks one cannot see: no link has them, and a paste may leave them anywhere in it.
_INVISIBLE = INVISIBLE | dict.fromkeys(
    (
        *map(ord, "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u2800\u3164\ufeff\uffa0"),
        *range(0x180B, 0x1810), *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFFC), *range(0xE0000, 0xE1000),
    )
)  # fmt: skip
_BRACKETS = {")": "(", "]": "[", "}": "{", "）": "（", "】": "【"}
#: What a link may end with, besides letters and digits.
_ENDS = frozenset("/\\_-=&%#+$@")


class Address(NamedTuple):
    """The parts of a link; ``path`` without empty parts, ``query`` as written."""

    host: str
    path: list[str]
    query: str
    #: Only where it says which page is meant (``#!/name``), not where on the page.
    fragment: str = ""

    def __str__(self) -> str:
        """The address without scheme and tracking parameters, the others in order."""
        parts = (_escaped(part, _UNSAFE_IN_QUERY) for part in self.query.split("&") if part)
        query = "&".join(sorted(part for part in parts if not _TRACKING.match(part)))
        fragment = f"#{_escaped(self.fragment, _UNSAFE_IN_QUERY)}" if self.fragment else ""
        return "/".join((self.host, *self.path)) + (f"?{query}" if query else "") + fragment

    def parameter(self, name: str) -> str:
        """The value of the query's first ``name``, still escaped; "" if there is none."""
        return _escaped(self.raw_parameter(name), _UNSAFE_IN_QUERY)

    def raw_parameter(self, name: str) -> str:
        """`parameter` as it was written."""
        for part in self.query.split("&"):
            key, _, value = part.partition("=")
            if key.removeprefix("amp;") == name:
                return value
        return ""


def visible(text: str) -> str:
    """``text`` without invisible characters."""
    return text if text.isascii() else text.translate(_INVISIBLE)


def trimmed(text: str) -> str:
    """``text`` without the spaces, quotes and angle brackets around it."""
    return text.strip(_AROUND)


def tidied(link: str) -> str:
    """``link`` without trailing punctuation of the text around it: dots, commas, brackets, arrows, emoji."""
    end = len(link)
    while end:
        last = link[end - 1]
        if opening := _BRACKETS.get(last):
            if link.count(last, 0, end) <= link.count(opening, 0, end):
                break
        elif last in _ENDS or unicodedata.category(last)[0] in "LNM":
            break
        end -= 1
    return link[:end]


def printable(text: str) -> str:
    """``text`` with single spaces and escapes for invisible characters."""
    return " ".join(_escaped(word, _UNSAFE) for word in text.split())


def parse(text: str) -> Address | None:
    """The address in ``text`` (`trimmed`), with or without a scheme; None if it is not a web address."""
    scheme = _SCHEME.match(text)
    if scheme is None and _OTHER_SCHEME.match(text):
        return None
    rest = text[scheme.end() :] if scheme else text
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.replace("\\", "/").partition("/")
    if scheme is None and "@" in authority:
        return None  # an e-mail address
    host = _host(authority.rpartition("@")[2])
    if host is None:
        return None
    return Address(host, _segments(path), query, fragment if fragment.startswith(("!", "/", "@")) else "")


@lru_cache(maxsize=1024)
def _host(authority: str) -> str | None:
    """The host without port and ``www.`` or ``m.``, in lower case and Unicode; None if it cannot be one."""
    host = re.sub(r":\d*$", "", authority)
    if not host.isascii():
        host = host.replace("。", ".")
    host = _fold_host(host).removesuffix(".")
    if not _HOST.fullmatch(host) or _fold_host(host) != host:
        return None
    if "xn--" in host:
        host = ".".join(map(_unicode_label, host.split(".")))
    return _SAME_SITE.sub("", host, count=1) if _SAME_SITE.match(host) else host


def _fold_host(host: str) -> str:
    return (
        host.lower() if host.isascii() else unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", host).lower())
    )


def _unicode_label(label: str) -> str:
    """The IDN ``label`` in Unicode, if it round-trips to exactly this label."""
    try:
        decoded = label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
        is_same = decoded.encode("punycode").decode("ascii") == label[4:]
    except UnicodeError:
        return label
    well_formed = not decoded.isascii() and _fold_host(decoded) == decoded and _HOST.fullmatch(f"{decoded}.x")
    return decoded if is_same and well_formed else label


def _segments(path: str) -> list[str]:
    """The parts of ``path``, unescaped where that is safe, without empty ones, ``.`` and ``..``."""
    if _PLAIN_PATH.fullmatch(path):
        return path.strip("/").split("/")
    segments: list[str] = []
    for part in path.split("/"):
        segment = _segment(part)
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return segments


def _segment(part: str) -> str:
    try:
        return _escaped(visible(unquote(part, errors="strict")), _UNSAFE_IN_PATH)
    except UnicodeDecodeError:
        return _escaped(part, _UNSAFE_IN_QUERY)


def _escaped(text: str, unsafe: re.Pattern[str]) -> str:
    return unsafe.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass")), text)


#: A wrapper in a wrapper in …; deeper ones are left as they are.
MAX_DEPTH = 6
_MAX_ESCAPED = 3

#: Host, path (both as `Address` has them), and the parameters of which one holds the link.
_WRAPPERS = tuple(
    (re.compile(host), re.compile(path), names.split())
    for host, path, names in (
        (r"google\.(?:[a-z]{2,3}|com?\.[a-z]{2})", r"url", "q url"),
        (r"(?:images|maps|mail)\.google\.(?:[a-z]{2,3}|com?\.[a-z]{2})", r"url", "q url"),
        (r"translate\.google\.com", r"translate", "u"),
        (r"consent\.(?:google|youtube)\.[a-z.]+", r".*", "continue"),
        (r"accounts\.google\.com", r".*", "continue"),
        (r"(?:[a-z-]+\.)?facebook\.com", r"l\.php|flx/warn|login(?:\.php|/.*)?|login", "u next"),
        (r"lm?\.(?:facebook|instagram|threads)\.(?:com|net)", r".*", "u"),
        (r"instagram\.com", r"accounts/login|linkshim|challenge", "next u"),
        (r"threads\.(?:com|net)", r"login", "next"),
        (r"tiktok\.com", r"login(?:/.*)?|link/v2", "redirect_url target"),
        (r"(?:away\.)?vk\.(?:com|ru)", r"away(?:\.php)?", "to"),
        (r"(?:t|telegram)\.me", r"iv", "url"),
        (r"out\.reddit\.com", r".*", "url"),
        (r"youtube\.com", r"redirect", "q url"),
        (r"(?:[a-z0-9-]+\.)*safelinks\.protection\.outlook\.com", r".*", "url"),
        (r"statics\.teams\.cdn\.office\.net|teams\.microsoft\.com", r".*", "url"),
        (r"slack-redir\.net", r"link", "url"),
        (r"linkedin\.com", r"safety/go|redir/redirect|redir/general-malware-page", "url"),
        (r"duckduckgo\.com", r"l", "uddg"),
        (r"steamcommunity\.com", r"linkfilter", "url u"),
        (r"exit\.sc|disq\.us|href\.li|nullrefer\.com|anonym\.to", r".*", "url"),
    )
)


def unwrapped(address: Address) -> Address:
    """The address that ``address`` redirects to in the end; itself if it is no wrapper."""
    for _ in range(MAX_DEPTH):
        target = _target(address)
        if target is None:
            break
        address = target
    return address


@lru_cache(maxsize=1024)
def _wrappers(host: str) -> tuple[tuple[re.Pattern[str], list[str]], ...]:
    """The redirecting pages on ``host``; cached, for most links are on a few hosts."""
    return tuple((pages, names) for hosts, pages, names in _WRAPPERS if hosts.fullmatch(host))


def _target(address: Address) -> Address | None:
    wrappers = _wrappers(address.host)
    path = "/".join(address.path).lower() if wrappers else ""
    for pages, names in wrappers:
        if pages.fullmatch(path):
            values = (value for name in names if (value := address.raw_parameter(name)))
            return next((target for value in values if (target := _read(value, address.host))), None)
    return None


def _read(value: str, host: str) -> Address | None:
    """The address in a parameter's ``value``; on ``host`` if it is only a path."""
    for _ in range(_MAX_ESCAPED):
        value = trimmed(visible(unquote(value)))
        if value.startswith("/") and not value.startswith("//"):
            return parse(host + tidied(value))
        if address := parse(tidied(value)):
            return address
    return None
