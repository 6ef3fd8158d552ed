"""Links that only lead to another one: what mail programs, search engines, chats and login pages make of a link."""

import re
from functools import lru_cache
from urllib.parse import unquote

from smart_sync.core.links.addresses import Address, parse, tidied, trimmed, visible

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
    """Where ``address`` leads to in the end; itself if it wraps nothing."""
    for _ in range(MAX_DEPTH):
        target = _target(address)
        if target is None:
            break
        address = target
    return address


@lru_cache(maxsize=1024)
def _wrappers(host: str) -> tuple[tuple[re.Pattern[str], list[str]], ...]:
    """The pages on ``host`` that lead to another link: most hosts have none, and most links are on a few hosts."""
    return tuple((pages, names) for hosts, pages, names in _WRAPPERS if hosts.fullmatch(host))


def _target(address: Address) -> Address | None:
    wrappers = _wrappers(address.host)
    path = "/".join(address.path).lower() if wrappers else ""
    for pages, names in wrappers:
        if pages.fullmatch(path):
            values = (value for name in names if (value := address.raw_parameter(name)))
            return next((found for value in values if (found := _read(value, address.host))), None)
    return None


def _read(value: str, host: str) -> Address | None:
    """The address that a parameter's ``value`` is, on ``host`` if it is a path alone."""
    for _ in range(_MAX_ESCAPED):
        value = trimmed(visible(unquote(value)))
        if value.startswith("/") and not value.startswith("//"):
            return parse(host + tidied(value))
        if found := parse(tidied(value)):
            return found
    return None
