"""The platforms we know: their hosts, their names as people type them, and which of their pages are nobody's."""

import re

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
    """The platform that a person means by ``text``, such as "tiktok" for "Tik Tok"; "" if none that we know."""
    return _NAMES.get(re.sub(r"[\s_-]+", "", text.casefold()), "")


def is_language(part: str) -> bool:
    """Whether the first ``part`` of a path may say in which language a page is shown: ``ru``, ``pt-br``."""
    return part.lower() in _LANGUAGES or is_locale(part)


def is_locale(part: str) -> bool:
    """Whether ``part`` is a language with its country, such as ``pt-br``."""
    return _LOCALE.fullmatch(part) is not None
