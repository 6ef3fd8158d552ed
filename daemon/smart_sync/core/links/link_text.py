"""Finds links in a cell's text: people number links, bracket them, name them and write notes next to them."""

import re

from smart_sync.core.links.addresses import tidied
from smart_sync.core.links.platforms import HOSTS

#: Texts are looked through up to here; a link behind is not found.
MAX_TEXT = 4096

_KNOWN = "|".join(map(re.escape, HOSTS))
#: A scheme that begins a link, a host before its path; not what goes on with an address.
_START = re.compile(
    r"(?<![=?&#%/\\])https?:[/\\]+(?=[^\s/\\])"
    r"|(?<![^\W_]|[@.%/\\=&?#-])"
    rf"(?:(?P<number>\d{{1,3}}\.)(?=www\.|(?:{_KNOWN})/))?"
    r"(?:www\.(?=\w)|(?:[^\W_][\w-]*\.)+(?:[^\W\d_]{2,}|xn--[\w-]+)(?=/[^\s/]))",
    re.IGNORECASE,
)
#: What begins another link inside of one.
_INNER = re.compile(
    rf"(?<![=?&#%])https?:[/\\]+(?=[^\s/\\])|(?<=[,;|()\[\]{{}}+*])(?:www\.)?(?:[\w-]+\.)?(?:{_KNOWN})/(?=[^\s/])",
    re.IGNORECASE,
)
#: A link of the usual kind, in which no other one can be.
PLAIN_LINK = re.compile(r"https?://[\w.-]+(?:/[\w@.-]*)*")
_SCHEMES = re.compile(r"(?:https?:[/\\]*)+", re.IGNORECASE)
_END = re.compile(r"[\s<>\"“”«»„]")


def links_in(text: str) -> list[tuple[int, str]]:
    """The links in ``text`` in order, each with its offset, without text around it."""
    text = text[:MAX_TEXT]
    if PLAIN_LINK.fullmatch(text):
        return [(0, tidied(text))]
    links: list[tuple[int, str]] = []
    at = 0
    while inner := (_INNER.match(text, at) if at else None) or _START.search(text, at):
        start = max(inner.start(), inner.end("number") if inner.re is _START else 0)
        at = _end(text, start)
        link = tidied(text[start:at])
        # _like this_: a name may end with the sign, so only if one stands before it, too.
        links.append((start, link.removesuffix("_") if text[:start].endswith("_") else link))
    return links


def _end(text: str, start: int) -> int:
    """The end of the link that starts at ``start``: a space, a quote, or the start of another link."""
    scheme = _SCHEMES.match(text, start)
    after = scheme.end() if scheme else start + 1
    ends = [match.start() for pattern in (_END, _INNER) if (match := pattern.search(text, after))]
    return min(ends, default=len(text))
