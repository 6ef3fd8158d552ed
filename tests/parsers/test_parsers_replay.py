"""Recorded answers of the real APIs through the real parsers, over HTTP."""

from datetime import UTC, datetime
from typing import Any

from fake_platforms import GOOD, Call, FakePlatform, Reply, account, drain, parser, recorded, troubles, values
from smart_sync.core.model import Metrics, Precision
from smart_sync.core.schedule import pacific_midnight


async def youtube(answer: Any, **changes: Any) -> tuple[list[Any], list[Call]]:
    with FakePlatform(answer) as platform:
        found, stop = await drain(parser("youtube", platform.url, **changes), [account("youtube")])
    assert stop is None
    return found, platform.calls


async def test_youtube_channel() -> None:
    """The recorded channel's strings become counts; its old, unrounded subscribers are exact; the key is no URL's."""
    found, calls = await youtube(lambda _call: Reply(GOOD["youtube"][0]))
    (value,) = values(found)
    assert value.metrics == Metrics(followers=1927873, videos=5026, views=160361638)
    assert (value.source, value.precision) == ("youtube", Precision.EXACT)
    assert value.parsed_at.tzinfo is UTC
    assert calls[0].query == {"part": "statistics", "maxResults": "50", "id": "UC_x5XG1OV2P6uZZ5FSM9Ttw"}
    assert calls[0].headers["x-goog-api-key"] == "canary-youtube-key"


async def test_youtube_rounds_and_hides() -> None:
    """Three-digit subscribers mark the row as rounded; hidden ones are no value, not 0."""
    channel = recorded("youtube/channel_info_single.json")
    channel["items"][0]["statistics"]["subscriberCount"] = "1930000"
    found, _calls = await youtube(lambda _call: Reply(channel))
    assert values(found)[0].precision is Precision.ROUNDED
    channel["items"][0]["statistics"] |= {"hiddenSubscriberCount": True, "subscriberCount": "0"}
    found, _calls = await youtube(lambda _call: Reply(channel))
    assert values(found)[0].metrics == Metrics(videos=5026, views=160361638)


def uploads(call: Call) -> Reply:
    if call.path == "/channels":
        channel = recorded("youtube/channel_info_single.json")
        channel["items"][0]["contentDetails"] = {"relatedPlaylists": {"uploads": "UU_x5"}}
        return Reply(channel)
    if call.path == "/playlistItems":
        page = recorded("youtube/playlist_items_paged_1.json")
        if "pageToken" in call.query:
            del page["nextPageToken"]
        return Reply(page)
    video = recorded("youtube/videos_info_single.json")
    # The recording is of other parts.
    video["items"][0]["statistics"] = {"viewCount": "90", "likeCount": "7", "commentCount": "2"}
    video["items"] *= len(call.query["id"].split(","))
    return Reply(video)


async def test_youtube_uploads() -> None:
    """Likes and comments are sums over the latest uploads, page by page, in batches."""
    found, calls = await youtube(uploads, videos=15)
    assert values(found)[0].metrics[1:3] == (20 * 7, 20 * 2)
    assert [call.path for call in calls] == ["/channels", *["/playlistItems", "/videos"] * 2]
    assert [call.query.get("maxResults") for call in calls[1::2]] == ["15", "5"]


async def test_youtube_keeps_the_channel_when_the_quota_ends_in_its_videos() -> None:
    """Quota that ends between a channel and its videos costs the videos' sums only."""
    refusal = Reply({"error": {"errors": [{"reason": "quotaExceeded"}]}}, 403)
    with FakePlatform(lambda call: refusal if call.path == "/videos" else uploads(call)) as platform:
        found, stop = await drain(parser("youtube", platform.url, videos=10), [account("youtube")])
    assert values(found)[0].metrics == Metrics(followers=1927873, videos=5026, views=160361638)
    assert stop is not None


async def test_youtube_asks_fifty_at_a_time() -> None:
    """120 channels by id are three calls, a handle is one of its own, and who is not in the answer is gone."""

    def answer(call: Call) -> Reply:
        ids = call.query["id"].split(",") if "id" in call.query else ["UChandle"]
        items = [{"id": one, "statistics": {"viewCount": "7"}} for one in ids if not one.endswith("000")]
        return Reply({"kind": "youtube#channelListResponse"} | ({"items": items} if items else {}))

    links = [f"https://youtube.com/channel/UC{n:022d}" for n in range(120)] + ["https://youtube.com/@google"]
    accounts = [account("youtube", n, link) for n, link in enumerate(links)]
    with FakePlatform(answer) as platform:
        found, _stop = await drain(parser("youtube", platform.url), accounts)
    assert len(platform.calls) == 4
    assert [call.query["forHandle"] for call in platform.calls if "forHandle" in call.query] == ["@google"]
    assert {value.account_id for value in values(found)} == {f"youtube-{n}" for n in range(1, 121)}
    assert [(trouble.account_id, trouble.gone) for trouble in troubles(found)] == [("youtube-0", True)]


def test_quota_begins_at_midnight_in_california() -> None:
    """The YouTube quota begins anew at midnight Pacific, in winter and in summer."""
    assert pacific_midnight(datetime(2026, 1, 10, 12, tzinfo=UTC)) == datetime(2026, 1, 11, 8, tzinfo=UTC)
    assert pacific_midnight(datetime(2026, 7, 10, 6, 59, tzinfo=UTC)) == datetime(2026, 7, 10, 7, tzinfo=UTC)


async def test_instagram_media() -> None:
    """The recorded media are summed; what no medium shows is no value."""
    with FakePlatform(lambda _call: Reply(recorded("instagram/medias_p1.json"))) as platform:
        found, _stop = await drain(parser("instagram", platform.url, videos=25), [account("instagram")])
    assert values(found)[0].metrics == Metrics(likes=273, comments=27)
    (call,) = platform.calls
    assert call.path == "/17841406338772941"
    assert call.query == {
        "fields": "business_discovery.username(facebookfordevelopers){followers_count,media_count,"
        "media.limit(25){like_count,comments_count,view_count}}"
    }
    assert call.headers["authorization"] == "Bearer canary-instagram-token"


async def test_facebook_page() -> None:
    """A page without a follower count has its fans; with one, that; views are those of its latest videos."""
    page = recorded("facebook/single_fields_page.json")
    with FakePlatform(lambda _call: Reply(page)) as platform:
        asked = parser("facebook", platform.url, videos=2)
        found, _stop = await drain(asked, [account("facebook")])
        assert values(found)[0].metrics == Metrics(followers=214507731)
        page |= {"followers_count": 5, "videos": {"data": [{"views": 3, "id": "1"}, {"views": 4, "id": "2"}]}}
        found, _stop = await drain(asked, [account("facebook", link="https://facebook.com/profile.php?id=20531316728")])
    assert values(found)[0].metrics == Metrics(followers=5, views=7)
    assert [call.path for call in platform.calls] == ["/facebookapp", "/20531316728"]


async def test_tiktok_videos() -> None:
    """Comments and views are sums over the video list, which is read by its cursor."""

    def answer(call: Call) -> Reply:
        if call.method == "GET":
            return Reply(GOOD["tiktok"][0])
        videos = [{"id": str(n), "comment_count": 2, "view_count": 10} for n in range(call.body["max_count"])]
        data = {"videos": videos, "cursor": call.body.get("cursor", 0) + len(videos), "has_more": True}
        return Reply({"data": data, "error": {"code": "ok"}})

    with FakePlatform(answer) as platform:
        found, _stop = await drain(parser("tiktok", platform.url, videos=30), [account("tiktok")])
    assert values(found)[0].metrics == Metrics(155000123, 99, 60, 7, 300)
    assert [call.body for call in platform.calls[1:]] == [{"max_count": 20}, {"max_count": 10, "cursor": 20}]


async def test_http_json_by_configuration_alone() -> None:
    """Address, headers, query, pages, words and precision of a rented API, without a line of code."""
    pages = {
        None: {"data": {"fans": "6.8M", "videos": [{"likes": 1}, {"likes": 2}]}, "next": "p2"},
        "p2": {"data": {"videos": [{"likes": 4}]}, "next": None},
    }
    with FakePlatform(lambda call: Reply(pages[call.query.get("cursor")])) as platform:
        metrics = {"followers": "[0].data.fans", "likes": "sum([].data.videos[].likes)"}
        more = {"metrics": metrics, "next": "next", "next_param": "cursor", "precision": "rounded"}
        asked = parser("http_json", platform.url, **more)
        found, _stop = await drain(asked, [account("http_json")])
    assert values(found)[0].metrics == Metrics(followers=6_800_000, likes=7)
    assert values(found)[0].precision is Precision.ROUNDED
    first, second = platform.calls
    assert (first.path, first.query) == ("/users/charli", {"full": "1", "apikey": "canary-query-key"})
    assert second.query == first.query | {"cursor": "p2"}
    assert first.headers["x-key"] == "canary-reseller-key"


async def test_http_json_gone() -> None:
    """A source that says in its own words that it has no such account is believed."""
    with FakePlatform(lambda _call: Reply({"error": "not_found"})) as platform:
        asked = parser("http_json", platform.url, gone="error == 'not_found'")
        found, _stop = await drain(asked, [account("http_json")])
    assert [trouble.gone for trouble in troubles(found)] == [True]
