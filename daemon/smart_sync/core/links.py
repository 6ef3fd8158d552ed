"""One account, one identity, however its link was pasted.

An identity is ``platform:rest`` for what is known and ``host/path`` for what is not; an identity is its own identity.

- Dropped: scheme, user-info, port, ``www.`` and ``m.``, trailing slashes, fragments, tracking parameters.
- Hosts fold (case, IDN, aliases such as ``fb.com`` and ``threads.net``); user names fold; channel ids, video ids,
  short links (``vm.tiktok.com``) and the paths of unknown hosts do not.
- What follows an owner's name in the path (``/reels``, ``/videos``, ``/video/123``) is that owner's and is dropped.
- ``youtube.com/channel/ID``, ``/c/name``, ``/user/name`` and ``/@handle`` are different identities: only YouTube
  knows which of them are one account.
- Unknown hosts keep their path and query: when in doubt two links are two accounts.

Links are untrusted text.  Nothing here raises, and an identity has no control characters and no lone surrogates.
"""

import re
import unicodedata
from typing import NamedTuple

from smart_sync.core.addresses import SIGN, Address, parse, printable, trimmed

_HOSTS = {
    "tiktok.com": "tiktok",
    "instagram.com": "instagram",
    "instagr.am": "instagram",
    "facebook.com": "facebook",
    "fb.com": "facebook",
    "youtube.com": "youtube",
    "youtu.be": "youtube",
    "threads.net": "threads",
    "threads.com": "threads",
    "twitter.com": "twitter",
    "x.com": "twitter",
}
_MAIN_HOST = {platform: host for host, platform in reversed(_HOSTS.items())}

#: First path segments that are pages of the platform, not names.
_PAGES = {
    "tiktok": "about business discover embed explore following foryou friends legal live login messages music place "
    "profile search share shop sticker t tag upload v video",
    "instagram": "about accounts api challenge developer direct emails explore legal oauth p popular press privacy "
    "reel reels s share static stories terms tv web",
    "facebook": "ads business events gaming groups hashtag help login marketplace media messages notes p pages people "
    "permalink photo photos plugins posts public reel search settings share sharer stories story video videos watch",
    "youtube": "account ads attribution_link c channel clip creators embed feed gaming hashtag kids live movies music "
    "oops playlist post premium red redirect results shorts signin source sports t tv user v watch",
    "threads": "about activity follow intent legal liked login post search settings share t",
    "twitter": "about compose explore hashtag home i intent jobs login logout messages notifications privacy search "
    "settings share signup tos",
}
_RESERVED = {platform: frozenset(names.split()) for platform, names in _PAGES.items()}
_TABS_LIST = (
    "about channels community featured followers following liked live media playlists posts reels replies shorts "
    "store streams tagged videos"
)
#: Second path segments under a bare name that show the same owner.
_TABS = frozenset(_TABS_LIST.split())

_SHORTHAND = re.compile(rf"({'|'.join(_MAIN_HOST)}):(?=[^/\\])")
_SUBDOMAINS = re.compile(r"(?:(?:mobile|web|touch|mbasic|[a-z]{2}-[a-z]{2})\.)+(?=[^.]+\.[^.]+$)")
_NAME = re.compile(rf"@?(?:{SIGN}|\.)+")
_NUMBER = re.compile(r"[0-9]+")


class Owner(NamedTuple):
    """Whose account a link shows: the platform's name ("" if unknown) and the user name ("" if it holds none)."""

    platform: str
    username: str


def identity(link: str) -> str:
    """The canonical identity of the account that ``link`` points to; "" for a blank link.  Never raises."""
    address = _address(link)
    if address is None:
        return printable(trimmed(link))
    platform = _HOSTS.get(address.host)
    rest = _known(platform, address) if platform and address.path else ""
    return f"{platform}:{rest}" if rest else str(address)


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
    platform = _HOSTS.get(address.host)
    if platform is None:
        return Owner(_HOSTS.get(".".join(address.host.split(".")[-2:]), ""), "")
    name = _name(platform, address.path)
    if not name and platform == "youtube" and len(address.path) > 1 and address.path[0] in ("c", "user"):
        name = address.path[1]
    return Owner(platform, name)


def _known(platform: str, address: Address) -> str:
    """The identity within ``platform``; "" if the whole address must do."""
    path = address.path
    if name := _name(platform, path):
        is_vanity = platform == "youtube" and not path[0].startswith("@")
        return _folded(name) if is_vanity else f"@{_folded(name)}"
    if platform == "youtube":
        return _youtube(address)
    if platform == "facebook":
        return _facebook(address)
    return ""


def _name(platform: str, path: list[str]) -> str:
    """The user name that the path begins with, or "" if it begins with something else."""
    if platform == "instagram" and len(path) > 1 and path[0] in ("_u", "stories") and path[1] != "highlights":
        path = path[1:]
    if platform == "facebook" and len(path) > 1 and path[0] == "pg":
        path = path[1:]
    first = path[0] if path else ""
    if not _NAME.fullmatch(first):
        return ""
    if first.startswith("@"):
        return first[1:]
    if first.lower() in _RESERVED[platform] or (
        platform == "facebook" and (_NUMBER.fullmatch(first) or first.endswith(".php"))
    ):
        return ""
    # Under /name the path may be a page that we do not know; only these platforms keep theirs apart.
    return first if platform in ("instagram", "facebook") or {*path[1:]} <= _TABS else ""


def _youtube(address: Address) -> str:
    kind, *following = address.path
    if kind == "channel" and following:
        return f"channel/{following[0]}"
    if kind in ("c", "user") and following:
        return f"{kind}/{_folded(following[0])}"
    if kind == "watch" and (video := address.parameter("v")):
        return f"watch?v={video}"
    return ""


def _facebook(address: Address) -> str:
    match address.path:
        case ["profile.php"]:
            number = address.parameter("id")
        case [number] | ["people" | "pages", _, number]:
            pass
        case _:
            return ""
    return f"profile.php?id={number}" if _NUMBER.fullmatch(number) else ""


def _address(link: str) -> Address | None:
    """The address in ``link``, on the platform's main host if it is on any of its hosts."""
    text = trimmed(link)
    if short := _SHORTHAND.match(text):
        text = f"{_MAIN_HOST[short[1]]}/{text[short.end() :]}"
    address = parse(text)
    if address is None:
        return None
    host, path, query = address
    if host not in _HOSTS:
        host = _SUBDOMAINS.sub("", host, count=1)
    if host not in _HOSTS:
        return address
    if host == "youtu.be" and len(path) == 1 and not path[0].startswith("@"):
        path, query = ["watch"], f"v={path[0]}"
    return Address(_MAIN_HOST[_HOSTS[host]], path, query)


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())
