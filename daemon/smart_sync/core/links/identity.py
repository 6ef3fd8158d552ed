"""The identity of an account, the same for every form of its link.

An identity is ``platform:rest`` for what is known and ``host/path`` for what is not; an identity is its own identity.

- Dropped: what stands around the link in its cell, marks one cannot see, wrappers (``google.com/url?q=``,
  ``l.facebook.com``, login pages), scheme, user-info, port, ``www.`` and ``m.``, a language before the name, trailing
  slashes, fragments, tracking parameters.
- Hosts fold (case, IDN, aliases such as ``fb.com``, ``threads.net`` and ``vt.tiktok.com``); user names fold; channel
  ids, video ids, short links (``vm.tiktok.com``) and the paths of unknown hosts do not.
- What follows an owner's name in the path (``/reels``, ``/videos``, ``/video/123``) is that owner's and is dropped;
  under a name without ``@`` only what is known to be.
- ``youtube.com/channel/ID``, ``/c/name``, ``/user/name`` and ``/@handle`` are different identities: only YouTube
  knows which of them are one account.
- Unknown hosts keep their path and query, and a text with two different links is none of them: when in doubt two
  links are two accounts.

Every search for the account of a link uses `same_profile` or `by_identity`: for a row of a worksheet among its
project's accounts (`core.matching.match`, which chooses among several that are one), for a line of a file among all
(`parsers.csv_files.match`), for a person (`store.accounts.find`), and between two links that an account had.

Links are untrusted text.  Nothing here raises, and an identity has no control characters and no lone surrogates.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

from smart_sync.core.links.addresses import SIGN, Address, parse, printable, tidied, trimmed, unwrapped, visible
from smart_sync.core.links.link_text import links_in
from smart_sync.core.links.platforms import HOSTS, MAIN_HOST, folded, known_platform, page_of

_SUBDOMAINS = re.compile(
    r"(?:(?:mobile|web|touch|mtouch|mbasic|free|0|business|studio|music|gaming|[a-z]{2}-[a-z]{2})\.)+(?=[^.]+\.[^.]+$)"
)
_SHORTHAND = re.compile(rf"({'|'.join(MAIN_HOST)}):(?=[^/\\])")
_OUR_OWN = re.compile(
    rf"({'|'.join(MAIN_HOST)}):"
    r"(@?[\w.·-]+|(?:channel|c|user)/[^\s/?#]+|watch\?v=[\w-]+|profile\.php\?id=[0-9]+)"
)
_HANDLE = re.compile(rf"@{SIGN}(?:{SIGN}|\.)*")
_WORD = re.compile(r"\s*[\w@]")


class Owner(NamedTuple):
    """The account that a link shows: the platform ("" if unknown) and the user name ("" if it has none)."""

    platform: str
    username: str


@lru_cache(maxsize=2**15)
def identity(link: str, platform: str = "") -> str:
    """The canonical identity of the account that ``link`` points to; "" for a blank link. Never raises.

    ``platform``, as a person typed it, says whose name a bare ``@name`` is.  Each pass asks about the same links again:
    those of so many accounts are remembered, in some 10 MB.
    """
    address = _address(link)
    if address is None:
        text = trimmed(visible(link))
        where = known_platform(platform) if _HANDLE.fullmatch(text) else ""
        return f"{where}:@{folded(text[1:])}" if where else printable(text)
    rest = page_of(address).rest
    if rest:
        return f"{HOSTS[address.host]}:{rest}"
    name = str(address)
    again = _address(name)
    # What would be read as something else is nothing but text.
    return name if again is not None and str(again) == name and not page_of(again).rest else printable(trimmed(link))


def same_profile(one: str, other: str, platform: str = "") -> bool:
    """Whether two links mean the same account; ``platform`` says whose a bare ``@name`` is.  Blank ones mean none."""
    return identity(one, platform) == identity(other, platform) != ""


class Linked(Protocol):
    """An account, or anything with a link and a platform."""

    @property
    def link(self) -> str:
        """Its ``profile_link``."""

    @property
    def platform(self) -> str:
        """Its ``platform``."""


A = TypeVar("A", bound=Linked)


def by_identity(accounts: Iterable[A]) -> dict[str, list[A]]:
    """The accounts by identity, several if they share one; accounts without a link are left out."""
    groups: dict[str, list[A]] = {}
    for account in accounts:
        if name := identity(account.link, account.platform):
            groups.setdefault(name, []).append(account)
    return groups


def platform(link: str) -> str:
    """The platform ``link`` is on, such as "tiktok", also for its short links; "" if unknown."""
    return owner(link).platform


def platform_for_parsers(link: str, own: str) -> str:
    """The platform whose parsers are asked: the link's, else the account's ``own`` field."""
    return platform(link) or known_platform(own) or own.casefold()


def username(link: str) -> str:
    """The user name in ``link`` as written, without ``@``; "" if it has none (channel ids do not count)."""
    return owner(link).username


def owner(link: str) -> Owner:
    """`platform` and `username` of ``link`` in one parse."""
    address = _address(link)
    if address is None:
        return Owner("", "")
    platform = HOSTS.get(address.host) or HOSTS.get(".".join(address.host.split(".")[-2:]), "")
    return Owner(platform, page_of(address).name)


def is_link(text: str) -> bool:
    """Whether ``text`` is or contains a web address, of any page."""
    return _address(text) is not None or bool(several(text))


def profile_link(link: str, platform: str = "") -> str:
    """The link of the profile that ``link`` certainly shows, without text around it; "" if that is not certain.

    ``platform``, as a person typed it, says whose name a bare ``@name`` is.
    """
    only_link = _found(link)
    if only_link is None:
        text = trimmed(visible(link))
        where = known_platform(platform) if _HANDLE.fullmatch(text) else ""
        name = text if where in ("tiktok", "youtube", "threads") else text[1:]
        return f"https://www.{MAIN_HOST[where]}/{name}" if where else ""
    return only_link.text if page_of(only_link.address).is_profile else ""


def link_in(text: str) -> str:
    """The one web address in ``text``, without text around it; "" if there is none, or several."""
    only_link = _found(text)
    return only_link.text if only_link else ""


def several(link: str) -> tuple[str, ...]:
    """The links in ``link`` if there are two or more with different targets; else ()."""
    candidates = _candidates(trimmed(visible(link)))
    return tuple(one.text for one in candidates) if len(candidates) > 1 else ()


def why_no_profile(link: str, platform: str = "") -> str:
    """Why `profile_link` finds none in a text without `several` links, and what to do about it, in words."""
    address = _address(link)
    if address is not None and address.host in HOSTS:
        return "the link shows no profile (but a video, a group, a search …); put the profile's link here"
    if address is not None and address.host in _SHORTENED:
        return "the link is shortened and does not show whose it is; open it, and put the profile's link here"
    if address is not None:
        unknown = (
            f"the link is of none of the platforms that Smart Sync knows ({', '.join(dict.fromkeys(HOSTS.values()))})"
        )
        return (
            f"{unknown}; no account is created for the row; put the link of a profile on one of them, or delete the row"
        )
    if _HANDLE.fullmatch(trimmed(visible(link))):
        named = f"{platform!r} is none that is known" if platform else "no platform is given"
        return f"a name without its platform ({named}); put the profile's link here"
    return "a text and no link, nor can one be had from behind it; put the profile's link here"


#: Whose links lead to another address, which only their server knows.
_SHORTENED = frozenset(("vm.tiktok.com", "bit.ly", "t.co", "tinyurl.com", "goo.gl", "cutt.ly", "clck.ru", "vk.cc"))


class _Found(NamedTuple):
    """A link in a text: as written (or inside its wrapper), and its address."""

    text: str
    address: Address


def _address(link: str) -> Address | None:
    """The one address in ``link``, with its host replaced by the platform's main host."""
    only_link = _found(link)
    return only_link.address if only_link else None


def _found(link: str) -> _Found | None:
    """The only link in ``link``; None if there is none, several, or one that may continue in the text next to it."""
    text = trimmed(visible(link))
    if own := _OUR_OWN.fullmatch(text):
        address = parse(f"{MAIN_HOST[own[1]]}/{own[2]}")
        return _Found(f"https://www.{MAIN_HOST[own[1]]}/{own[2]}", _main(address)) if address else None
    candidates = _candidates(text)
    if len(candidates) > 1:
        return None
    if candidates:
        one = candidates[0]
        return one if one.text == text or _is_whole(one.address, text) else None
    if short := _SHORTHAND.match(text):
        text = f"{MAIN_HOST[short[1]]}/{text[short.end() :]}"
    return _read(tidied(text))


def _candidates(text: str) -> list[_Found]:
    """The links in ``text``; of several for the same page the first."""
    links = [one for _, link in links_in(text) if (one := _read(link))]
    if len(links) < 2:
        return links
    different: dict[str, _Found] = {}
    for one in links:
        different.setdefault(f"{one.address.host}:{page_of(one.address).rest or one.address}", one)
    return list(different.values())


def _read(link: str) -> _Found | None:
    address = parse(link)
    if address is None:
        return None
    target = unwrapped(address)
    main = _main(target)
    return _Found(link if target is address else _text_of(target), main)


def _text_of(address: Address) -> str:
    query = f"?{address.query}" if address.query else ""
    return f"https://{'/'.join((address.host, *address.path))}{query}"


def _is_whole(address: Address, text: str) -> bool:
    """Whether the text around the only link can be no part of it: ``https://www.tiktok.com/ @user`` is broken."""
    if page_of(address).rest:
        return True
    at, link = links_in(text)[0]
    if _WORD.match(text, at + len(link)) is None:
        return True
    return bool(address.path) and link[-1] not in "/=?&"


def _main(address: Address) -> Address:
    """``address`` with its host replaced by the platform's main host, if it is one of the platform's."""
    host, path, query, fragment = address
    if host in ("vm.tiktok.com", "vt.tiktok.com"):
        return Address("vm.tiktok.com", path, query)
    if host not in HOSTS:
        host = _SUBDOMAINS.sub("", host, count=1)
    platform = HOSTS.get(host)
    if platform is None:
        return address
    host = MAIN_HOST[platform]
    if fragment[:1] == "!" or (fragment[:1] == "/" and not path):
        inner = parse(f"{host}/{fragment.lstrip('!').lstrip('/')}")
        if inner is not None:
            path, query = inner.path, inner.query
    if address.host == "youtu.be" and len(path) == 1 and not path[0].startswith("@"):
        path, query = ["watch"], f"v={path[0]}"
    if platform == "tiktok" and len(path) == 2 and path[0] == "t":
        return Address("vm.tiktok.com", path[1:], query)
    return Address(host, path, query)
