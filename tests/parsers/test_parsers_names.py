"""Whose numbers a parser asks for: those of the account that the link names, and of nobody else."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fake_platforms import GOOD, Call, FakePlatform, Reply, account, drain, parser, settings, troubles, values
from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account
from smart_sync.parsers.http_json import HttpJsonSettings
from smart_sync.parsers.per_account import name_of
from smart_sync.parsers.registry import build

#: Links, and the name that each shows on its platform.
NAMED = {
    "https://www.tiktok.com/@Name?lang=en": "Name",
    "TikTok: https://www.tiktok.com/@name (main)": "name",
    "https://www.tiktok.com/@name/video/7": "name",
    "tiktok:@name": "name",
    "https://www.youtube.com/channel/UC0000000000000000000000": "UC0000000000000000000000",
    "https://facebook.com/profile.php?id=5": "5",
    "": "",
    "their account": "",
    "https://vm.tiktok.com/ZM1/": "",
    "https://www.tiktok.com/@a and https://www.tiktok.com/@b": "",
    "https://www.instagram.com/p/C1/": "",
    "https://example.com/@other": "",
}


@pytest.mark.parametrize("link", NAMED)
def test_the_link_alone_says_the_name(link: str) -> None:
    """The user name in the database, which may be another account's, stands in for no link."""
    assert name_of(Account("1", "p", "tiktok", "stranger", link)) == NAMED[link]


def test_a_bare_name_is_one_of_its_platform() -> None:
    """``@name`` with a platform is the name there, as everywhere else."""
    assert name_of(Account("1", "p", "Tik Tok", "stranger", "@name")) == "name"
    assert name_of(Account("1", "p", "", "stranger", "@name")) == ""


@given(st.text(), st.text(), st.sampled_from(["", "tiktok", "instagram"]))
def test_no_user_name_ever_matters(link: str, name: str, platform: str) -> None:
    """Whatever the database calls the user, the same is asked for."""
    one = Account("1", "p", platform, name, link)
    assert name_of(one) == name_of(replace(one, username=""))


async def test_a_source_of_one_platform_is_asked_for_no_other() -> None:
    """A TikTok source is not asked for an Instagram name, nor for a name whose link leads elsewhere."""
    links = {"https://tiktok.com/@one": "", "https://instagram.com/two": "tiktok", "https://example.com/@x": "tiktok"}
    accounts = [Account(str(n), "p", where, "name", link) for n, (link, where) in enumerate(links.items())]
    with FakePlatform(lambda _call: Reply(GOOD["http_json"][0])) as platform:
        for url in ("URL/u/{username}", "URL/u?link={link}"):
            (source,) = build({"rented": settings("http_json", platform.url, url=url)})
            found, _ = await drain(source.parser, [one for one in accounts if source.serves(one)])
            assert [value.account_id for value in values(found)] == ["0"]
            assert [trouble.account_id for trouble in troubles(found)] == ["2"]
    assert len(platform.calls) == 2


async def test_the_link_is_sent_without_what_stands_around_it() -> None:
    """``{link}`` is the address, not the cell's whole text."""
    one = account("http_json", link="TikTok: https://www.tiktok.com/@charli (main)")
    with FakePlatform(lambda _call: Reply(GOOD["http_json"][0])) as platform:
        await drain(parser("http_json", platform.url, url="URL/u?link={link}", query={}), [one])
    assert platform.calls[0].query["link"] == "https://www.tiktok.com/@charli"


def test_a_name_without_its_platform_is_a_mistake() -> None:
    """A table of two platforms has to say on which of them a name is."""
    table: dict[str, Any] = {"source": "x", "platforms": ["tiktok", "instagram"], "metrics": {"likes": "a"}}
    with pytest.raises(ValidationError, match="each of its platforms"):
        HttpJsonSettings.model_validate(table | {"url": "https://a.example/{username}"})
    for url in ("https://a.example/{platform}/{username}", "https://a.example/?url={link}"):
        HttpJsonSettings.model_validate(table | {"url": url})


async def test_youtube_is_asked_for_what_its_links_certainly_name() -> None:
    """``/c/name`` and ``/name`` are no handles: another channel may have that one."""

    def answer(call: Call) -> Reply:
        ids = call.query.get("id", "UC" + "9" * 22).split(",")
        return Reply(
            {"kind": "youtube#channelListResponse", "items": [{"id": i, "statistics": {"viewCount": "7"}} for i in ids]}
        )

    links = ["youtube.com/@UC0000000000000000000000", "youtube.com/user/Old", "youtube.com/c/Name", "youtube.com/Name"]
    accounts = [account("youtube", n, f"https://{link}") for n, link in enumerate(links)]
    with FakePlatform(answer) as platform:
        found, _ = await drain(parser("youtube", platform.url, concurrency=1), accounts)
    assert [call.query.get("forHandle") or call.query.get("forUsername") for call in platform.calls] == [
        "@UC0000000000000000000000",
        "Old",
    ]
    assert {trouble.account_id: "put the one with @handle" in trouble.reason for trouble in troubles(found)} == {
        "youtube-2": True,
        "youtube-3": True,
    }
    assert len({identity(one.link) for one in accounts}) == 4
