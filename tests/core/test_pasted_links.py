"""Links as people really leave them in a cell: numbered, bracketed, wrapped, two at a time, or none at all."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import NASTY_IDS, NASTY_TEXTS
from smart_sync.core.links.identity import identity, is_link, profile_link, several, username, why_no_profile
from smart_sync.core.worksheet.link_cells import why_unreadable

LINK = "https://www.tiktok.com/@user"
#: What stands around a link, ``{}``.
AROUND = [
    "\u202a{}\u202c", "{}\u00ad", "\ufeff{}", "{}\u200b", "\u2066{}\u2069", "{};", "{},", "{}.", "{})", "({})", "[{}]",
    "{}).", "({}).", "{} (main)", "{}(main)", "{} — основной", "{}—основной", "1) {}", "1. {}", "1.{}", "№ 1 {}",
    "- {}", "• {}", "→ {}", "🔥{}🔥", "TikTok: {}", "TikTok:{}", "Ссылка: {}", "[user]({})", "[{}]({})",
    "**{}**", "_{}_", "~~{}~~", "`{}`", "<{}>", "«{}»", "“{}”", '"{}"', "'{}'", '<a href="{}">TikTok</a>',
    "{}\n(main)", "main\n{}", "{}!", "{}…", "{}?", "{} ✅", "{}✅", "see {} and mail maria@example.com",
    "{}, {}", "{} {}", "{}\n{}", "{} 24/7", "{}\t", "\u3000{}", "{}*", "{}】", "【{}】", "{} | {}",
]  # fmt: skip
PROFILES = {
    "tiktok:@user": LINK,
    "tiktok:@a_": "tiktok.com/@a_",
    "instagram:@some.user": "https://www.instagram.com/some.user/",
    "facebook:@delta.page": "https://www.facebook.com/delta.page",
    "facebook:profile.php?id=100012345": "https://www.facebook.com/profile.php?id=100012345",
    "youtube:channel/UCabc-_1": "https://www.youtube.com/channel/UCabc-_1",
    "youtube:@имя": "https://www.youtube.com/@имя",
    "threads:@user": "www.threads.net/@user",
}
#: What leads to a link, ``{}`` escaped, ``{raw}`` not.
WRAPPERS = [
    "https://www.google.com/url?q={}&sa=D&source=editors&ust=1&usg=x",
    "https://www.google.com/url?sa=t&rct=j&url={}&ved=2",
    "https://google.co.uk/url?q={raw}&sa=D",
    "https://www.google.com.ua/url?q={}",
    "google.ru/url?q={}",
    "https://l.facebook.com/l.php?u={}&h=AT0",
    "https://lm.facebook.com/l.php?u={}&h=AT0",
    "https://www.facebook.com/l.php?u={}",
    "https://m.facebook.com/flx/warn/?u={}",
    "https://l.instagram.com/?u={}&e=AT0",
    "https://l.threads.net/?u={}",
    "https://vk.com/away.php?to={}&cc_key=",
    "https://m.vk.com/away?to={}",
    "https://t.me/iv?url={}&rhash=1",
    "https://out.reddit.com/t3_1?url={}&token=x",
    "https://www.youtube.com/redirect?event=video_description&q={}&v=1",
    "https://eur01.safelinks.protection.outlook.com/?url={}&data=05&reserved=0",
    "https://slack-redir.net/link?url={}",
    "https://www.linkedin.com/safety/go?url={}&trk=x",
    "https://www.google.com/url?q={}&amp;sa=D",
]
NO_PROFILES = [
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://youtu.be/dQw4w9WgXcQ",
    "https://www.youtube.com/shorts/abc",
    "https://www.youtube.com/results?search_query=cats",
    "https://www.youtube.com/hashtag/cats",
    "https://www.youtube.com/playlist?list=PL1",
    "https://www.instagram.com/p/Abc/",
    "https://www.instagram.com/reel/Abc/",
    "https://www.instagram.com/explore/tags/cats/",
    "https://www.instagram.com/channel/Abc/",
    "https://www.instagram.com/stories/highlights/123/",
    "https://www.facebook.com/groups/cats",
    "https://www.facebook.com/groups/cats/posts/1/",
    "https://www.facebook.com/share/1AbC/",
    "https://www.facebook.com/watch/?v=1",
    "https://www.facebook.com/live/alpha",
    "https://www.facebook.com/hashtag/cats",
    "https://www.facebook.com/search/top?q=cats",
    "https://www.facebook.com/app_scoped_user_id/101/",
    "https://www.tiktok.com/tag/cats",
    "https://www.tiktok.com/search?q=cats",
    "https://www.tiktok.com/music/song-1",
    "https://vm.tiktok.com/ZMabc/",
    "https://vt.tiktok.com/ZMabc/",
    "https://www.tiktok.com/",
    "https://www.threads.net/search?q=cats",
    "https://www.threads.net/t/Abc",
    "https://fb.watch/abc/",
    "https://vk.com/cats",
    "https://example.com/cats",
    "https://bit.ly/1",
]
NO_LINKS = [
    "#N/A", "#REF!", "Loading...", "Profile", "Итого:", "TOTAL:", "12345", "1.234", "True", "name@example.com",
    "mailto:name@example.com", "name@tiktok.com", "@name", "name", "Maria (ask her)", "", "https://", "www.",
    "tiktok.com", "ftp://tiktok.com/@user", "javascript:alert(1)",
]  # fmt: skip

names = st.from_regex(r"[a-z0-9_][a-z0-9_.]{0,20}[a-z0-9_]", fullmatch=True)
profiles = st.sampled_from(
    ["https://www.tiktok.com/@", "threads.net/@", "youtube.com/@", "https://www.facebook.com/@", "instagram.com/@"]
)
unseen = st.sampled_from("\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202e\u2060\u2066\u2069\ufeff\ufe0f\u061c")


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", PROFILES)
def test_what_stands_around_a_link_does_not_matter(around: str, name: str) -> None:
    """Numbers, brackets, notes, marks and signs around a link change nothing about whose it is."""
    pasted = around.replace("{}", PROFILES[name])
    assert identity(pasted) == name
    assert identity(profile_link(pasted)) == name
    assert not several(pasted)


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", PROFILES)
def test_a_wrapped_link_is_the_link_in_it(wrapper: str, name: str) -> None:
    """What a search engine, a mail program or a chat made of a link leads to the same account, also twice over."""
    wrapped = wrapper.replace("{}", quote(PROFILES[name], safe="")).replace("{raw}", PROFILES[name])
    assert identity(wrapped) == name
    assert identity(f"1) {wrapped};") == name
    twice = f"https://www.google.com/url?q={quote(wrapped, safe='')}"
    assert identity(twice) == name
    assert identity(profile_link(twice)) == name


def test_wrappers_without_end_are_left_alone() -> None:
    """A wrapper in a wrapper hundreds of times over costs little, and is its own identity."""
    link = LINK
    for _ in range(12):
        link = f"https://www.google.com/url?q={quote(link, safe='')}"
    assert identity(identity(link)) == identity(link) != "tiktok:@user"
    endless = "https://www.google.com/url?q=" * 300
    assert identity(identity(endless)) == identity(endless)


@pytest.mark.parametrize("link", NO_PROFILES)
@pytest.mark.parametrize("around", ["{}", "1) {};", "({})"])
def test_what_is_no_profile_is_itself_alone(link: str, around: str) -> None:
    """A video, a group, a search or a share link is exactly itself: no profile, and no name for a parser."""
    pasted = around.replace("{}", link)
    assert identity(pasted) == identity(link)
    assert not profile_link(pasted)
    assert not profile_link(pasted, "tiktok")
    assert not username(pasted)
    assert is_link(pasted)
    assert why_no_profile(pasted)


def test_a_shortened_link_is_told_as_one() -> None:
    """What an app's Share button gives is on a known platform, and yet says nothing of whose profile it is."""
    for pasted in ("https://vm.tiktok.com/ZMabCdef/", "https://www.tiktok.com/t/ZMabCdef/", "bit.ly/3xYz"):
        assert why_no_profile(pasted) == (
            "the link is shortened and does not show whose it is; open it, and put the profile's link here"
        )


def test_a_link_of_another_platform_is_told_as_one() -> None:
    """It says which platforms there are, and what becomes of the row; X is one of them."""
    for pasted in (
        "https://vk.com/nova",
        "https://t.me/nova",
        "https://www.linkedin.com/in/nova",
        "docs.google.com/d/1",
    ):
        assert why_no_profile(pasted) == (
            "the link is of none of the platforms that Smart Sync knows (tiktok, instagram, facebook, youtube, threads,"
            " twitter); no account is created for the row; put the link of a profile on one of them, or delete the row"
        )
    assert profile_link("https://x.com/nova")


def test_what_are_no_profiles_differ() -> None:
    """No two of them are one account."""
    found = {identity(link) for link in NO_PROFILES}
    assert len(found) == len(NO_PROFILES) - 2  # vt. and vm. are one, so are the two forms of one video


@pytest.mark.parametrize("text", NO_LINKS)
def test_what_is_no_link_is_no_profile(text: str) -> None:
    """Errors, labels, numbers, mail addresses and bare names are nobody's profile."""
    assert not profile_link(text)
    assert not username(text)


@pytest.mark.parametrize(
    "link",
    [
        "https://www.tiktok.com/@user/video/7123",
        "https://www.tiktok.com/@user/photo/7123",
        "https://www.instagram.com/user/reel/Abc/",
        "https://www.instagram.com/stories/user/123/",
        "https://www.facebook.com/user/posts/pfbid0",
        "https://www.facebook.com/100012345/videos/1",
        "https://www.threads.net/@user/post/Abc",
    ],
)
def test_what_somebody_published_is_theirs_and_no_profile(link: str) -> None:
    """A video under its owner's name is that owner's, but not certainly meant as the owner's profile."""
    assert identity(link).partition(":")[2] in ("@user", "profile.php?id=100012345")
    assert not profile_link(link)


def test_two_links_are_none() -> None:
    """A cell with links of two accounts is neither's, and both are named."""
    for joint in (", ", " ", "\n", ";", " и ", ",", "|", "/", ""):
        pasted = f"https://www.tiktok.com/@a{joint}https://www.tiktok.com/@b"
        assert several(pasted) == (f"https://www.tiktok.com/@a{joint * (joint == '/')}", "https://www.tiktok.com/@b")
        assert identity(pasted) not in ("tiktok:@a", "tiktok:@b")
        assert not profile_link(pasted)
        assert not username(pasted)
        assert ", ".join(several(pasted)) in why_unreadable(pasted, pasted, ())
    assert several("tiktok.com/@a,instagram.com/b") == ("tiktok.com/@a", "instagram.com/b")
    assert several("https://www.tiktok.com/@a https://youtu.be/abc")
    assert not several("https://www.tiktok.com/@a https://m.tiktok.com/@A?lang=ru")


def test_a_bare_name_needs_its_platform() -> None:
    """``@name`` is an account where the row's platform is one we know, however that is spelled; else it is text."""
    for platform in ("tiktok", "TikTok", " Tik Tok ", "ТикТок", "TT"):
        assert profile_link("@Name", platform) == "https://www.tiktok.com/@Name"
        assert identity("@Name", platform) == identity("@name\u200b", platform) == "tiktok:@name"
    assert identity("@name", "Instagram") == identity("https://www.instagram.com/name")
    for platform in ("", "VK", "?", "website"):
        assert not profile_link("@name", platform)
        assert identity("@name", platform) == "@name"
        assert "without its platform" in why_no_profile("@name", platform)
    assert identity("name", "tiktok") == "name"
    assert identity(LINK, "instagram") == "tiktok:@user"


@given(profiles, names, st.sampled_from(AROUND), st.lists(st.tuples(st.integers(0, 60), unseen), max_size=6))
def test_decorating_never_changes_who_it_is(host: str, name: str, around: str, marks: list[tuple[int, str]]) -> None:
    """Whatever stands around a link, and whatever one cannot see inside it, it shows the same account."""
    link = host + name
    for place, mark in marks:
        link = link[:place] + mark + link[place:]
    assert identity(around.replace("{}", link)) == identity(host + name)


@given(profiles, names, st.lists(st.sampled_from(WRAPPERS), max_size=3))
def test_wrapping_never_changes_who_it_is(host: str, name: str, wrappers: list[str]) -> None:
    """However often a link was wrapped, it shows the same account."""
    link = host + name
    for wrapper in wrappers:
        escaped = quote(link, safe="")
        link = wrapper.replace("{}", escaped).replace("{raw}", escaped)
    assert identity(link) == identity(host + name)


@given(
    st.tuples(profiles, names), st.tuples(profiles, names), st.sampled_from(AROUND), st.sampled_from([*WRAPPERS, "{}"])
)
def test_two_accounts_never_become_one(one: tuple[str, str], other: tuple[str, str], around: str, wrapper: str) -> None:
    """Links to two accounts have two identities, decorated and wrapped alike."""
    pasted = [
        around.replace("{}", wrapper.replace("{}", quote("".join(who))).replace("{raw}", quote("".join(who))))
        for who in (one, other)
    ]
    assert (identity(pasted[0]) == identity(pasted[1])) == (one == other)


PIECES = (
    "https:// "
    "http: // / www. tiktok.com/@a instagram.com/b example.com/ пример.рф/ google.com/url?q= %2F %253A # ! #!/ "
    ", ; | ( ) [ ] = & ? : . @ - _ ru a 1 1.5/2 t/ p/ -12345678 profile.php?id= youtube: tiktok: watch?v= groups/ ``"
)
texts = st.lists(st.sampled_from([*PIECES.split(), " ", "\n", "\u200b", "\u00ad", "\ud800"]), max_size=10).map("".join)


@given(st.one_of(texts, st.text()))
def test_reading_a_cell_is_total(text: str) -> None:
    """Nothing raises, an identity is its own, and what is certainly a profile has the identity of its link."""
    name = identity(text)
    assert identity(name) == name
    name.encode()
    if profile := profile_link(text):
        assert identity(profile) == name
        assert profile_link(profile) == profile
        assert not several(text)
    if not username(text):
        assert why_no_profile(text)


@pytest.mark.parametrize("text", NASTY_TEXTS, ids=NASTY_IDS)
def test_lives_through_nasty_cells(text: str) -> None:
    """No text, however long or broken, is certainly a profile or stops the reading."""
    assert not profile_link(text, "tiktok") or is_link(text) or text.lstrip().startswith("@")
    assert isinstance(several(text), tuple)
    assert why_no_profile(text)
