"""The known platforms: hosts, names, and the owner of the page at an address."""

import re
import unicodedata
from typing import NamedTuple

from smart_sync.core.links.addresses import SIGN, Address

#: Host → platform; the first host of a platform is its main one.
HOSTS = {
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
MAIN_HOST = {platform: host for host, platform in reversed(HOSTS.items())}

_SPELLED = {
    "tiktok": "tiktok tik-tok tt тикток тик-ток",
    "instagram": "instagram insta ig inst инстаграм инстаграмм инста",
    "facebook": "facebook fb face-book фейсбук фб",
    "youtube": "youtube yt you-tube youtube-shorts ютуб ютьюб",
    "threads": "threads тредс",
    "twitter": "twitter x твиттер",
}
_NAMES = {name.replace("-", ""): platform for platform, names in _SPELLED.items() for name in names.split()}

_PAGES = {
    "tiktok": "about academy business channel coin creators discover effect embed explore fb find following foryou "
    "forgotpassword friends hashtag inbox legal link live login messages music passport playlist privacy profile "
    "search setting settings share shop signup sticker t tag topics trending tv upload v video videos web",
    "instagram": "about accounts api ar challenge create developer direct emails explore graphql legal login oauth p "
    "popular press privacy reel reels s session share static stories terms tv web",
    "facebook": "a about ads adsmanager ajax app_scoped_user_id apps badges bookmarks business careers checkpoint "
    "commerce creatorstudio dating dialog directory donate events feed find-friends flx friends fundraisers g games "
    "gaming groups hashtag help home i instantgames jobs l latest legal lists lite live livemap local login "
    "marketplace media media_manager memories messages n note notes notifications nt offers onthisday p pages people "
    "permalink photo photos places plugins policies posts privacy profile public r recover reel reels reg saved search "
    "settings share sharer signup stories story t terms topic trending u v video videos watch",
    "youtube": "about account ads attribution_link audiolibrary c channel channels clip creators embed feed gaming "
    "hashtag howyoutubeworks kids live movies music new oops playlist post premium red redirect reporthistory results "
    "shorts show shows signin source sports t tv upload user v watch",
    "threads": "about activity follow intent legal liked login messages post saved search settings share t",
    "twitter": "about compose explore hashtag home i intent jobs login logout messages notifications privacy search "
    "settings share signup tos",
}
#: First parts of a path that are pages of the platform, not names.
RESERVED = {platform: frozenset(names.split()) for platform, names in _PAGES.items()}

_TABS = (
    "about channels community featured followers following liked likes live media playlists podcasts posts reels "
    "releases replies reposts shop shorts store streams tagged videos"
)
#: Second parts of a path, under a name, that show the same owner.
TABS = frozenset(_TABS.split())
#: More of them, on the platforms whose pages under a name are many.
MORE_TABS = {
    "instagram": re.compile(r"channel|guides?|igtv|p|reel|saved|tv"),
    "facebook": re.compile(
        r"(?:about|activity|albums|books|check-?ins|directory|events|friends|games|groups|info|locations|map|mentions"
        r"|menu|movies|music|notes|offers|photo|photos|posts|reviews|services|sports|stories|timeline|tv|video|videos"
        r"|wall)(?:_\w*)?"
    ),
}

_TWO_LETTERS = (
    "af am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja "
    "ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn no pa pl ps pt ro ru si sk sl sq sr sv sw "
    "ta te tg th tk tl tr tt uk ur uz vi zh zu"
)
_LANGUAGES = frozenset(_TWO_LETTERS.split())
_LOCALE = re.compile(r"[a-z]{2}[-_][a-z]{2,4}", re.IGNORECASE)


def known_platform(text: str) -> str:
    """The platform meant by ``text``, such as "tiktok" for "Tik Tok"; "" if unknown."""
    return _NAMES.get(re.sub(r"[\s_-]+", "", text.casefold()), "")


def is_language(part: str) -> bool:
    """Whether the first ``part`` of a path may be a page's language: ``ru``, ``pt-br``."""
    return part.lower() in _LANGUAGES or is_locale(part)


def is_locale(part: str) -> bool:
    """Whether ``part`` is a language with a country, such as ``pt-br``."""
    return _LOCALE.fullmatch(part) is not None


_NAME = re.compile(rf"@?(?:{SIGN}|\.)+")
_NUMBER = re.compile(r"[0-9]+")
#: /p/Jane-Doe-61550001112223; only Facebook's own links to pages without a name have hyphens.
_NUMBERED = re.compile(r".*-([0-9]+)")
_NUMBERED_NAME = re.compile(r"[^.]+-([0-9]{8,})")
#: What no name has: it begins a note that a person wrote right behind it.
_NOTE = re.compile(r"[()\[\]{}|*–—…•].*", re.DOTALL)


class Page(NamedTuple):
    """A page of a known platform: the identity within it ("" if the address must do), whose it is, and whether
    it is the owner's profile, not something that the owner has published."""

    rest: str = ""
    name: str = ""
    is_profile: bool = False


def page_of(address: Address) -> Page:
    """The page at ``address``, if it is on a known platform's main host."""
    platform = HOSTS.get(address.host)
    if platform is None or not address.path:
        return Page()
    named = _named(platform, address.path)
    if named.name:
        return named
    if platform == "youtube":
        return _youtube(address)
    if platform == "facebook":
        return _facebook(address)
    return Page()


def _named(platform: str, path: list[str]) -> Page:
    """The page of the user name that the path starts with, if any."""
    path = _without_language(platform, path)
    is_story = platform == "instagram" and len(path) > 1 and path[0] == "stories" and path[1] != "highlights"
    if is_story or (len(path) > 1 and (platform, path[0]) in (("instagram", "_u"), ("facebook", "pg"))):
        path = path[1:]
    first, *following = [*path[:-1], *filter(None, [_NOTE.sub("", path[-1])])] or [""]
    if not _NAME.fullmatch(first):
        return Page()
    tab = following[0].lower() if following else ""
    is_profile = not is_story and (not following or (len(following) == 1 and _is_tab(platform, tab)))
    if first.startswith("@"):
        return Page(f"@{folded(first[1:])}", first[1:], is_profile)
    if not _is_bare_name(platform, first):
        return Page()
    # Under a page that we take for a name there may be others: only what we know to be its owner's is.
    if following and not is_story and not (_is_tab(platform, tab) and (platform in MORE_TABS or len(following) == 1)):
        return Page()
    return Page(("" if platform == "youtube" else "@") + folded(first), first, is_profile)


def _without_language(platform: str, path: list[str]) -> list[str]:
    """``path`` without a language before the name; ``/ru`` alone and ``/ru/reels`` are profiles of that name."""
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


def _youtube(address: Address) -> Page:
    kind, *following = address.path
    is_profile = len(following) == 1 or (len(following) == 2 and following[1].lower() in TABS)
    if kind == "channel" and following:
        return Page(f"channel/{_NOTE.sub('', following[0])}", "", is_profile)
    if kind in ("c", "user") and following:
        name = _NOTE.sub("", following[0])
        return Page(f"{kind}/{folded(name)}", name, is_profile)
    if kind == "watch" and (video := address.parameter("v")):
        return Page(f"watch?v={video}")
    return Page()


def _facebook(address: Address) -> Page:
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
            return Page()
    hyphenated = _NUMBERED if path[0] in ("p", "pages") else _NUMBERED_NAME
    if match := hyphenated.fullmatch(number):
        number = match[1]
    if not _NUMBER.fullmatch(number) or not (not following or _is_tab("facebook", following[0].lower())):
        return Page()
    return Page(f"profile.php?id={number}", "", len(following) < 2)


def folded(name: str) -> str:
    """``name`` with case and accents normalised: names that fold to the same text are the same."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())
