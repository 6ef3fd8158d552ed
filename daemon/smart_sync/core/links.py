"""One account, one identity, however its link was pasted.

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

Links are untrusted text.  Nothing here raises, and an identity has no control characters and no lone surrogates.
"""

import re
import unicodedata
from typing import NamedTuple

from smart_sync.core.addresses import SIGN, Address, parse, printable, tidied, trimmed, visible
from smart_sync.core.linktext import links_in
from smart_sync.core.platforms import (
    HOSTS,
    MAIN_HOST,
    MORE_TABS,
    RESERVED,
    TABS,
    is_language,
    is_locale,
    known_platform,
)
from smart_sync.core.wrappers import unwrapped

_SUBDOMAINS = re.compile(
    r"(?:(?:mobile|web|touch|mtouch|mbasic|free|0|business|studio|music|gaming|[a-z]{2}-[a-z]{2})\.)+(?=[^.]+\.[^.]+$)"
)
_SHORTHAND = re.compile(rf"({'|'.join(MAIN_HOST)}):(?=[^/\\])")
_OUR_OWN = re.compile(
    rf"({'|'.join(MAIN_HOST)}):"
    r"(@?[\w.·-]+|(?:channel|c|user)/[^\s/?#]+|watch\?v=[\w-]+|profile\.php\?id=[0-9]+)"
)
_NAME = re.compile(rf"@?(?:{SIGN}|\.)+")
_HANDLE = re.compile(rf"@{SIGN}(?:{SIGN}|\.)*")
_NUMBER = re.compile(r"[0-9]+")
#: /p/Jane-Doe-61550001112223; only Facebook's own links to pages without a name have hyphens.
_NUMBERED = re.compile(r".*-([0-9]+)")
_NUMBERED_NAME = re.compile(r"[^.]+-([0-9]{8,})")
#: What no name has: it begins a note that somebody wrote right behind it.
_NOTE = re.compile(r"[()\[\]{}|*–—…•].*", re.DOTALL)
_WORD = re.compile(r"\s*[\w@]")


class Owner(NamedTuple):
    """Whose account a link shows: the platform's name ("" if unknown) and the user name ("" if it holds none)."""

    platform: str
    username: str


class _Page(NamedTuple):
    """A page of a known platform: the identity within it ("" if the address must do), whose it is, and whether
    it is the owner's profile, not something that the owner has published."""

    rest: str = ""
    name: str = ""
    is_profile: bool = False


def identity(link: str, platform: str = "") -> str:
    """The canonical identity of the account that ``link`` points to; "" for a blank link.  Never raises.

    ``platform``, as somebody typed it, says whose name a bare ``@name`` is.
    """
    address = _address(link)
    if address is None:
        text = trimmed(visible(link))
        where = known_platform(platform) if _HANDLE.fullmatch(text) else ""
        return f"{where}:@{_folded(text[1:])}" if where else printable(text)
    rest = _page(address).rest
    if rest:
        return f"{HOSTS[address.host]}:{rest}"
    name = str(address)
    again = _address(name)
    # What would be read as something else is nothing but text.
    return name if again is not None and str(again) == name and not _page(again).rest else printable(trimmed(link))


def platform(link: str) -> str:
    """The platform ``link`` is on, such as "tiktok", also for its short links; "" if unknown."""
    return owner(link).platform


def username(link: str) -> str:
    """The user name in ``link`` as it is written there, without ``@``; "" if it holds none (channel ids are none)."""
    return owner(link).username


def owner(link: str) -> Owner:
    """`platform` and `username` of ``link``, both for the price of one."""
    address = _address(link)
    if address is None:
        return Owner("", "")
    platform = HOSTS.get(address.host) or HOSTS.get(".".join(address.host.split(".")[-2:]), "")
    return Owner(platform, _page(address).name)


def is_link(text: str) -> bool:
    """Whether ``text`` is or holds a web address, whatever it shows: it says itself who is meant, or that nobody is."""
    return _address(text) is not None or bool(several(text))


def profile_link(link: str, platform: str = "") -> str:
    """The link of the profile that ``link`` certainly shows, without what stands around it; "" if that is not certain.

    ``platform``, as somebody typed it, says whose name a bare ``@name`` is.
    """
    found = _found(link)
    if found is None:
        text = trimmed(visible(link))
        where = known_platform(platform) if _HANDLE.fullmatch(text) else ""
        name = text if where in ("tiktok", "youtube", "threads") else text[1:]
        return f"https://www.{MAIN_HOST[where]}/{name}" if where else ""
    return found.text if _page(found.address).is_profile else ""


def several(link: str) -> tuple[str, ...]:
    """The links in ``link``, where there are two or more that do not show one and the same; else ()."""
    found = _candidates(trimmed(visible(link)))
    return tuple(one.text for one in found.values()) if len(found) > 1 else ()


def why_no_profile(link: str, platform: str = "") -> str:
    """Why `profile_link` finds none, and what to do about it, for a person."""
    if both := several(link):
        return f"the cell holds several links ({', '.join(both[:3])}); leave one"
    address = _address(link)
    if address is not None and address.host in HOSTS:
        return "the link shows no profile (but a video, a group, a search …); put the profile's link here"
    if address is not None:
        return f"the link is none of a platform that is known ({', '.join(MAIN_HOST)}); put the profile's link here"
    if _HANDLE.fullmatch(trimmed(visible(link))):
        named = f"{platform!r} is none that is known" if platform else "no platform is given"
        return f"a name without its platform ({named}); put the profile's link here"
    return "a text and no link, nor can one be had from behind it; put the profile's link here"


class _Found(NamedTuple):
    """A link in a text: as it stands there (or within its wrapper), and where it leads."""

    text: str
    address: Address


def _address(link: str) -> Address | None:
    """The one address in ``link``, on the platform's main host if it is on any of its hosts."""
    found = _found(link)
    return found.address if found else None


def _found(link: str) -> _Found | None:
    """The one link in ``link``; None if there is none, or several, or one of which a part may stand beside it."""
    text = trimmed(visible(link))
    if own := _OUR_OWN.fullmatch(text):
        address = parse(f"{MAIN_HOST[own[1]]}/{own[2]}")
        return _Found(f"https://www.{MAIN_HOST[own[1]]}/{own[2]}", _main(address)) if address else None
    candidates = _candidates(text)
    if len(candidates) > 1:
        return None
    if candidates:
        (one,) = candidates.values()
        return one if _is_whole(one.address, text) else None
    if short := _SHORTHAND.match(text):
        text = f"{MAIN_HOST[short[1]]}/{text[short.end() :]}"
    return _read(tidied(text))


def _candidates(text: str) -> dict[str, _Found]:
    """The links in ``text`` by what they show."""
    found: dict[str, _Found] = {}
    for _, link in links_in(text):
        if one := _read(link):
            found.setdefault(f"{one.address.host}:{_page(one.address).rest or one.address}", one)
    return found


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
    """Whether nothing in ``text`` can belong to its only link: ``https://www.tiktok.com/ @user`` was torn apart."""
    if _page(address).rest:
        return True
    at, link = links_in(text)[0]
    if _WORD.match(text, at + len(link)) is None:
        return True
    return bool(address.path) and link[-1] not in "/=?&"


def _main(address: Address) -> Address:
    """``address`` on the platform's main host, if it is on any of its hosts; what is one page has one address."""
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


def _page(address: Address) -> _Page:
    """What ``address`` shows, if it is on a known platform's main host."""
    platform = HOSTS.get(address.host)
    if platform is None or not address.path:
        return _Page()
    named = _named(platform, address.path)
    if named.name:
        return named
    if platform == "youtube":
        return _youtube(address)
    if platform == "facebook":
        return _facebook(address)
    return _Page()


def _named(platform: str, path: list[str]) -> _Page:
    """The page of the user name that the path begins with, if it begins with one."""
    path = _without_language(platform, path)
    is_story = platform == "instagram" and len(path) > 1 and path[0] == "stories" and path[1] != "highlights"
    if is_story or (len(path) > 1 and (platform, path[0]) in (("instagram", "_u"), ("facebook", "pg"))):
        path = path[1:]
    first, *following = [*path[:-1], *filter(None, [_NOTE.sub("", path[-1])])] or [""]
    if not _NAME.fullmatch(first):
        return _Page()
    tab = following[0].lower() if following else ""
    is_profile = not is_story and (not following or (len(following) == 1 and _is_tab(platform, tab)))
    if first.startswith("@"):
        return _Page(f"@{_folded(first[1:])}", first[1:], is_profile)
    if not _is_bare_name(platform, first):
        return _Page()
    # Under a page that we take for a name there may be others: only what we know to be its owner's is.
    if following and not is_story and not (_is_tab(platform, tab) and (platform in MORE_TABS or len(following) == 1)):
        return _Page()
    return _Page(("" if platform == "youtube" else "@") + _folded(first), first, is_profile)


def _without_language(platform: str, path: list[str]) -> list[str]:
    """``path`` without a language before the name; ``/ru`` alone and ``/ru/reels`` are somebody's called so."""
    if len(path) < 2 or not is_language(path[0]):
        return path
    second = path[1]
    if second.startswith("@"):
        return path[1:] if platform != "facebook" or is_locale(path[0]) else path
    if platform == "instagram" or (platform == "facebook" and is_locale(path[0])):
        is_name = _NAME.fullmatch(second) and _is_bare_name(platform, second) and not _is_tab(platform, second.lower())
        return path[1:] if is_name else path
    return path


def _is_bare_name(platform: str, part: str) -> bool:
    """Whether ``part``, without ``@``, can be a name and not one of the platform's own pages."""
    if platform == "facebook" and (_NUMBER.fullmatch(part) or part.endswith(".php") or _NUMBERED_NAME.fullmatch(part)):
        return False
    return part.lower() not in RESERVED[platform]


def _is_tab(platform: str, part: str) -> bool:
    more = MORE_TABS.get(platform)
    return part in TABS or (more is not None and more.fullmatch(part) is not None)


def _youtube(address: Address) -> _Page:
    kind, *following = address.path
    is_profile = len(following) == 1 or (len(following) == 2 and following[1].lower() in TABS)
    if kind == "channel" and following:
        return _Page(f"channel/{_NOTE.sub('', following[0])}", "", is_profile)
    if kind in ("c", "user") and following:
        name = _NOTE.sub("", following[0])
        return _Page(f"{kind}/{_folded(name)}", name, is_profile)
    if kind == "watch" and (video := address.parameter("v")):
        return _Page(f"watch?v={video}")
    return _Page()


def _facebook(address: Address) -> _Page:
    path = _without_language("facebook", address.path)
    following: list[str] = []
    match path:
        case ["profile.php"]:
            number = _NOTE.sub("", address.parameter("id"))
        case ["pages", *_, number]:
            pass
        case ["p", number, *following] | ["people", _, number, *following] | [number, *following]:
            pass
        case _:
            return _Page()
    hyphenated = _NUMBERED if path[0] in ("p", "pages") else _NUMBERED_NAME
    if found := hyphenated.fullmatch(number):
        number = found[1]
    if not _NUMBER.fullmatch(number) or not (not following or _is_tab("facebook", following[0].lower())):
        return _Page()
    return _Page(f"profile.php?id={number}", "", len(following) < 2)


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())
