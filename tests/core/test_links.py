"""One account, one identity: `smart_sync.core.links.identity`."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import NASTY_IDS, NASTY_TEXTS
from smart_sync.core.links.identity import identity, platform, username

#: identity → ways to paste it
SAME = {
    "tiktok:@user": [
        "https://www.tiktok.com/@user",
        "http://tiktok.com/@user/",
        "https://m.tiktok.com/@User?lang=en&is_from_webapp=1",
        "HTTPS://WWW.TIKTOK.COM/@USER#top",
        "tiktok.com/%40user",
        "tiktok.com/user",
        "//www.tiktok.com/@user",
        "https://www.tiktok.com/@user/video/7123456789",
        "https://name:word@www.tiktok.com:443/@user",
        "https://https://www.tiktok.com/@user",
        "https:\\\\www.tiktok.com\\@user",
        "  <https://www.tiktok.com/@user>\n",
        '"https://www.tiktok.com/@user"',
        "\u200bhttps://www.tiktok.com/@user\u200e",
        "https://www．ｔｉｋｔｏｋ．com./@user",
        "https://www.tiktok.com/./@other/../@user",
        "tiktok:@user",
        "https://www.tiktok.com/ru/@user",
        "https://www.tiktok.com/ru-RU/@user?lang=ru",
        "https://www.tiktok.com/#/@user",
    ],
    "instagram:@some.user_1": [
        "https://www.instagram.com/some.user_1/",
        "https://instagram.com/Some.User_1?igsh=abc",
        "instagr.am/some.user_1",
        "https://www.instagram.com/some.user_1/reels/",
        "https://www.instagram.com/@some.user_1",
        "https://www.instagram.com/_u/some.user_1",
        "https://www.instagram.com/stories/some.user_1/3141592653/",
        "https://www.instagram.com/ru/some.user_1/",
        "https://www.instagram.com/pt-br/some.user_1?hl=pt",
        "https://www.instagram.com/some.user_1/p/Abc/",
        "https://www.instagram.com/accounts/login/?next=/some.user_1/",
        "https://www.instagram.com/accounts/login/?next=https%3A%2F%2Fwww.instagram.com%2Fsome.user_1%2F",
    ],
    "instagram:@ru": ["https://www.instagram.com/ru", "https://www.instagram.com/ru/reels/", "instagram.com/ru/p/Abc"],
    "threads:@user": [
        "https://www.threads.net/@user",
        "https://www.threads.com/@User?xmt=1",
        "threads.net/user",
        "https://www.threads.net/%40user/replies",
    ],
    "facebook:@some.page": [
        "https://www.facebook.com/some.page",
        "https://m.facebook.com/Some.Page/videos/?ref=page_internal",
        "fb.com/some.page/reels",
        "https://ru-ru.facebook.com/some.page/",
        "https://www.facebook.com/pg/some.page/posts",
        "https://www.facebook.com/#!/some.page",
        "https://www.facebook.com/home.php#!/some.page?ref=x",
        "https://business.facebook.com/some.page",
        "https://www.facebook.com/ru-ru/some.page",
        "https://www.facebook.com/login/?next=https%3A%2F%2Fwww.facebook.com%2Fsome.page",
    ],
    "facebook:profile.php?id=100012345": [
        "https://www.facebook.com/profile.php?id=100012345",
        "https://facebook.com/profile.php?sk=reels_tab&id=100012345&mibextid=x",
        "fb.com/100012345",
        "https://www.facebook.com/people/Some-Name/100012345/",
        "https://www.facebook.com/p/Some-Name-100012345/",
        "https://www.facebook.com/p/Имя-100012345/?mibextid=x",
        "https://www.facebook.com/pages/Some-Name/100012345",
        "https://www.facebook.com/pages/category/Public-Figure/Some-Name-100012345/",
        "https://www.facebook.com/Some-Name-100012345",
        "https://www.facebook.com/100012345/photos",
        "https://www.facebook.com/#!/profile.php?id=100012345",
    ],
    "youtube:@handle": [
        "https://www.youtube.com/@handle",
        "https://m.youtube.com/@Handle/videos?si=x",
        "youtube.com/%40handle/shorts",
        "https://youtu.be/@handle",
    ],
    "youtube:@имя": ["https://youtube.com/@имя", "https://www.youtube.com/@%D0%98%D0%BC%D1%8F/about"],
    "youtube:channel/UCabcDEF": [
        "https://www.youtube.com/channel/UCabcDEF",
        "youtube.com/channel/UCabcDEF/videos?view_as=subscriber",
        "https://studio.youtube.com/channel/UCabcDEF/analytics/tab-overview",
        "https://music.youtube.com/channel/UCabcDEF",
        "https://consent.youtube.com/m?continue=https%3A%2F%2Fwww.youtube.com%2Fchannel%2FUCabcDEF&gl=DE",
    ],
    "youtube:c/name": ["https://www.youtube.com/c/Name", "youtube.com/c/name/featured"],
    "youtube:user/name": ["https://www.youtube.com/user/Name"],
    "youtube:name": ["https://www.youtube.com/Name", "youtube.com/name/videos"],
    "youtube:watch?v=dQw4w9WgXcQ": [
        "https://youtu.be/dQw4w9WgXcQ?t=3",
        "https://www.youtube.com/watch?t=3&v=dQw4w9WgXcQ",
    ],
    "twitter:@user": ["https://x.com/User", "https://mobile.twitter.com/user"],
    "vm.tiktok.com/ZMabCdef": [
        "https://vm.tiktok.com/ZMabCdef/",
        "vm.tiktok.com/ZMabCdef?_t=8a&_r=1",
        "https://vt.tiktok.com/ZMabCdef/",
        "https://www.tiktok.com/t/ZMabCdef/",
    ],
    "пример.рф/Путь": ["https://www.пример.рф/Путь/", "http://XN--E1AFMKFD.xn--p1ai/%D0%9F%D1%83%D1%82%D1%8C"],
    "example.com/a?id=1&x=2": ["https://example.com:8443/a/?x=2&id=1&utm_source=y#z", "example.com/a?id=1&x=2"],
    "Maria (ask her)": ["  Maria  (ask her) "],
    "": ["", "  ", "\u200b\n"],
}

DIFFERENT = [
    "https://www.tiktok.com/@user",
    "https://www.tiktok.com/@user1",
    "https://www.tiktok.com/user/a-page-we-do-not-know",
    "https://www.tiktok.com/@us.er",
    "https://www.tiktok.com/@user_",
    "https://www.instagram.com/user",
    "https://www.threads.net/@user",
    "https://x.com/user",
    "https://www.facebook.com/user",
    "https://www.facebook.com/us.er",
    "https://www.facebook.com/profile.php?id=1",
    "https://www.facebook.com/profile.php?id=12",
    "https://www.facebook.com/profile.php?id=abc",
    "https://www.facebook.com/groups/user",
    "https://www.facebook.com/groups/other",
    "https://www.facebook.com/share/AbC1/",
    "https://www.facebook.com/share/abc1/",
    "https://www.facebook.com/app_scoped_user_id/101/",
    "https://www.facebook.com/app_scoped_user_id/202/",
    "https://www.facebook.com/#!/alpha",
    "https://www.facebook.com/#!/beta",
    "https://www.facebook.com/live/alpha",
    "https://www.facebook.com/live/?v=1",
    "https://www.facebook.com/live/?v=2",
    "https://www.facebook.com/p/Jane-Doe",
    "https://www.facebook.com/p/Jane-Roe",
    "https://www.facebook.com/pages/category/Band/Jane",
    "https://business.facebook.com/latest/home?asset_id=1",
    "https://business.facebook.com/latest/home?asset_id=2",
    "https://www.instagram.com/ru/alpha",
    "https://www.instagram.com/ru/beta",
    "https://www.instagram.com/ru/",
    "https://www.instagram.com/channel/Abc/",
    "https://www.instagram.com/channel/Abd/",
    "https://www.tiktok.com/ru/@alpha",
    "https://www.tiktok.com/ru/@beta",
    "https://www.tiktok.com/ @alpha",
    "https://www.tiktok.com/ @gamma",
    "https://www.tiktok.com/",
    "https://www.youtube.com/channel/ UCone",
    "https://www.youtube.com/channel/ UCtwo",
    "https://www.facebook.com/profile.php?id= 1",
    "https://www.facebook.com/profile.php?id= 2",
    "https://www.tiktok.com/@one, https://www.tiktok.com/@two",
    "https://www.tiktok.com/@one, https://www.tiktok.com/@three",
    "https://www.tiktok.com/@ahttps://www.tiktok.com/@b",
    "https://www.tiktok.com/@a/https://www.tiktok.com/@c",
    "https://example.com/#!/alpha",
    "https://example.com/#!/beta",
    "https://www.google.com/url?q=https://example.com/alpha",
    "https://www.google.com/url?q=https://example.com/beta",
    "https://www.google.com/url?q=alpha",
    "https://www.google.com/url?q=beta",
    "https://www.google.com.evil.example/url?q=https://www.tiktok.com/@one",
    "https://vk.com/alpha",
    "https://www.facebook.com/story.php?story_fbid=1&id=2",
    "https://www.facebook.com/story.php?story_fbid=1&id=3",
    "https://www.youtube.com/@user",
    "https://www.youtube.com/c/user",
    "https://www.youtube.com/user/user",
    "https://www.youtube.com/user",
    "https://www.youtube.com/channel/UCabc",
    "https://www.youtube.com/channel/UCABC",
    "https://www.youtube.com/watch?v=abc",
    "https://www.youtube.com/watch?v=ABC",
    "https://www.youtube.com/shorts/abc",
    "https://vm.tiktok.com/ZMabc",
    "https://vm.tiktok.com/ZMABC",
    "https://www.instagram.com/p/Abc",
    "https://www.instagram.com/p/abc",
    "https://www.tiktok.com@evil.example/@user",
    "https://www.tiktok.com.evil.example/@user",
    "https://evil.example/www.tiktok.com/@user",
    "https://www.t\u0456ktok.com/@user",
    "https://xn--tiktok-.com/@user",
    "https://straße.example/a",
    "https://strasse.example/a",
    "https://example.com/A",
    "https://example.com/a",
    "https://example.com/a/b",
    "https://example.com/a%2Fb",
    "https://example.com/a?id=1",
    "https://example.com/a?id=2",
    "https://example.com/%FF",
    "https://example.com/%FE",
    "maria@gmail.com",
    "ivan@gmail.com",
    "@user",
    "@User",
    "ftp://example.com/a",
    "javascript:alert(1)",
]

OWNERS = [
    ("https://www.tiktok.com/@User", "tiktok", "User"),
    ("https://vm.tiktok.com/ZMabc", "tiktok", ""),
    ("https://www.instagram.com/some.user/reels", "instagram", "some.user"),
    ("https://www.instagram.com/p/Abc", "instagram", ""),
    ("https://fb.com/Some.Page", "facebook", "Some.Page"),
    ("https://www.facebook.com/profile.php?id=1", "facebook", ""),
    ("https://www.youtube.com/@Handle/videos", "youtube", "Handle"),
    ("https://www.youtube.com/channel/UCabc", "youtube", ""),
    ("https://www.youtube.com/c/Name", "youtube", "Name"),
    ("https://www.threads.com/@user", "threads", "user"),
    ("https://www.tiktok.com", "tiktok", ""),
    ("https://nottiktok.com/@user", "", ""),
    ("https://www.tiktok.com@evil.example/@user", "", ""),
    ("some words", "", ""),
    ("", "", ""),
]

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,20}[A-Za-z0-9_]", fullmatch=True)
hosts = st.sampled_from(["tiktok.com/@", "threads.net/@", "youtube.com/@", "instagram.com/@", "facebook.com/@"])
PIECES = (
    "https: // / \\ www. m. tiktok.com youtu.be facebook.com xn-- @ % %40 %2F profile.php ?id= & # channel watch ?v= "
    "' \" . .. : user İ ß é рф 。 1"
)
pieces = st.sampled_from([*PIECES.split(), " ", "e\u0301", "\u200b", "\ud800", "\0"])
links = st.one_of(st.text(), st.text(st.characters()), st.lists(pieces, max_size=12).map("".join))


@pytest.mark.parametrize(("name", "link"), [(name, link) for name, several in SAME.items() for link in several])
def test_same_account_however_pasted(name: str, link: str) -> None:
    """However a link to an account was pasted, its identity is the same."""
    assert identity(link) == name


def test_different_accounts_differ() -> None:
    """Links that may lead to different accounts have different identities."""
    found: dict[str, str] = {}
    for link in DIFFERENT:
        assert found.setdefault(identity(link), link) == link


@pytest.mark.parametrize(("link", "where", "who"), OWNERS)
def test_owner(link: str, where: str, who: str) -> None:
    """The platform and the user name are read from the link where it holds them, as they are written there."""
    assert (platform(link), username(link)) == (where, who)


@given(links)
def test_identity_is_its_own(link: str) -> None:
    """The identity of an identity is itself, so that it may stand where a link stands."""
    assert identity(identity(link)) == identity(link)


@given(links)
def test_identity_is_plain_text(link: str) -> None:
    """Nothing raises, and an identity can be stored, hashed and shown, whatever the link."""
    _assert_plain(link)


@pytest.mark.parametrize("link", NASTY_TEXTS, ids=NASTY_IDS)
def test_lives_through_nasty_links(link: str) -> None:
    """No text, however long or broken, makes an identity that is not plain text and its own identity."""
    _assert_plain(link)
    assert identity(identity(link)) == identity(link)


@given(
    st.sampled_from(["", "http://", "https://", "HTTPS://", "//", "https://me:pw@"]),
    st.sampled_from(["", "www.", "m.", "WWW."]),
    hosts,
    names,
    st.sampled_from(["", "/", "//", "/?utm_source=a", "#x", "?igsh=1#y", "/videos", "/reels/", "/live?lang=ru"]),
    st.booleans(),
)
def test_decoration_does_not_matter(scheme: str, sub: str, host: str, name: str, tail: str, escaped: bool) -> None:
    """Scheme, subdomain, case, escapes, tabs, query and fragment change nothing about who it is."""
    place, at = host[:-1], quote("@") if escaped else "@"
    pasted = f"{scheme}{sub}{place.upper()}{at}{name.swapcase()}{tail}"
    assert identity(pasted) == identity(f"https://{host}{name}") == f"{place.split('.')[0]}:@{name.lower()}"


@given(hosts, names, hosts, names)
def test_names_and_platforms_stay_apart(host: str, name: str, other_host: str, other_name: str) -> None:
    """Two links have one identity only where platform and name, but for case, are the same."""
    same = (host, name.lower()) == (other_host, other_name.lower())
    assert (identity(host + name) == identity(other_host + other_name)) == same


def _assert_plain(link: str) -> None:
    name = identity(link)
    name.encode()
    assert not any(sign < " " or "\x7f" <= sign <= "\x9f" or "\u202a" <= sign <= "\u202e" for sign in name)
    assert isinstance(platform(link), str)
    username(link).encode()
