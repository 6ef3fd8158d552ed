"""Answers that show not all videos of a campaign: a part never stands for the whole, unknown is never zero."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.parsers.test_campaign import (
    ANSWERS,
    BERLIN,
    FOLLOWERS,
    MARCH,
    OWN,
    VIDEOS,
    Imitation,
    Shown,
    add,
    configure,
    cursor_of,
    edge,
    no_waiting,
)

from fake_platforms import LINKS, Call, Reply
from smart_sync.core.campaign import Tally, Video, read, tally
from smart_sync.parsers.step_results import StepResults
from smart_sync.parsers.step_settings import StepSettings
from smart_sync.parsers.videos import published_at
from world import KEY, World

__all__ = ["no_waiting"]
DATES = {"start_date": "2026-03-01", "end_date": "2026-03-31", "kpi_views": 1000}
Numbers = tuple[int, ...] | None


def campaign_of(kind: str) -> tuple[int, ...]:
    return (FOLLOWERS, *MARCH[BERLIN])


async def merged(
    world: World, kind: str, answered: Callable[[Call], Any], row: Sequence[int] = (), **more: Any
) -> tuple[Numbers, list[str | None], int]:
    """What a platform that answers so makes of March: the values, who gave them, and the calls it took.

    ``row``: what a manager has typed.
    """
    with Imitation(kind) as platform:
        platform.answer = lambda call: found if isinstance(found := answered(call), Reply) else Reply(found)
        configure(world, kind, platform.url, BERLIN, **more)
        add(world, "M", kind, **DATES)
        if row:
            world.google.spreadsheets[KEY].worksheets["M"].append(["", LINKS[kind], *row])
        await world.sync()
    winners = world.execute("SELECT followers_winner, likes_winner, videos_winner, views_winner FROM account_metrics")
    return world.merged("M"), [*winners[0]] if winners else [], len(platform.calls)


NOBODY = [None, None, None, None]
FOLLOWERS_ALONE = ["parsed", None, None, None]


@pytest.mark.parametrize("kind", ["instagram", "facebook"])
@pytest.mark.parametrize("body", [{}, [], {"id": "1"}])
async def test_an_answer_of_meta_without_the_list_is_no_value(world: World, kind: str, body: Any) -> None:
    """An answer that holds neither followers nor videos is a failure of the account, not 0 videos."""
    assert (await merged(world, kind, lambda _call: body))[1] in ([], NOBODY)


async def test_facebook_is_asked_for_the_videos_that_it_left_out(world: World) -> None:
    """Left out, they may be none or hidden from the token: the list by itself is a list, or an error."""

    def without(call: Call) -> Any:
        return {"data": []} if call.path.endswith("/videos") else {"followers_count": FOLLOWERS, "id": "1"}

    assert (await merged(world, "facebook", without))[:2] == ((FOLLOWERS, 0, 0, 0, 0), ["parsed"] * 4)


async def test_facebook_that_hides_the_videos_has_no_value(world: World, no_waiting: None) -> None:
    """The list by itself is refused: followers alone."""
    error = {"error": {"code": 10, "message": "needs pages_read_engagement"}}

    def hidden(call: Call) -> Any:
        return Reply(error, 400) if call.path.endswith("/videos") else {"followers_count": FOLLOWERS, "id": "1"}

    assert (await merged(world, "facebook", hidden))[1] == FOLLOWERS_ALONE


@pytest.mark.parametrize(("there", "winners"), [(0, ["parsed"] * 4), (5, FOLLOWERS_ALONE), (None, FOLLOWERS_ALONE)])
async def test_instagram_without_media_has_none_only_if_it_says_so(
    world: World, there: int | None, winners: list[str | None]
) -> None:
    """`media` left out is an empty list where `media_count` is 0, else nobody knows."""
    body = {"business_discovery": {"followers_count": FOLLOWERS, "media_count": there}}
    assert (await merged(world, "instagram", lambda _call: body))[1] == winners


@pytest.mark.parametrize("kind", ["instagram", "facebook"])
async def test_a_page_of_meta_that_is_no_list_is_not_the_end(world: World, kind: str) -> None:
    """Page 2 is an empty object: the videos of page 1 are not all."""
    found = await merged(world, kind, lambda call: {} if cursor_of(call) else ANSWERS[kind](call, VIDEOS))
    assert found[1] == FOLLOWERS_ALONE


@pytest.mark.parametrize("kind", ["instagram", "facebook"])
async def test_an_empty_page_of_meta_with_another_cursor_is_not_the_end(world: World, kind: str) -> None:
    """Page 2 is empty and leads to the one that has the videos."""

    def gap(call: Call) -> Any:
        if cursor_of(call) != 3:
            at = "3" if cursor_of(call) == 103 else None
            query = {**call.query, **({"after": at} if "after" in call.query and at else {})}
            query["fields"] = query["fields"].replace("after(103)", "after(3)")
            return ANSWERS[kind](call._replace(query=query), VIDEOS)
        empty = {"data": [], "paging": {"cursors": {"after": "103"}}}
        if call.path.endswith("/videos"):
            return empty
        return {"business_discovery": {"followers_count": FOLLOWERS, "media_count": 11, "media": empty}}

    assert (await merged(world, kind, gap))[0] == campaign_of(kind)


@pytest.mark.parametrize("change", ["has_more", "null"])
async def test_a_list_of_tiktok_that_is_not_whole_is_no_list(world: World, change: str) -> None:
    """It does not say whether it goes on, or has `null` where a video was."""

    def answered(call: Call) -> Any:
        full = ANSWERS["tiktok"](call, VIDEOS)
        if change == "has_more":
            full["data"].pop("has_more", None)
        elif "videos" in full["data"]:
            full["data"]["videos"] = [None if v["id"] == "d" else v for v in full["data"]["videos"]]
        return full

    assert (await merged(world, "tiktok", answered))[1] == FOLLOWERS_ALONE


async def test_an_old_video_pinned_above_pictures_does_not_end_the_list(world: World) -> None:
    """The pictures below it are of March: the reels of March are on the next page."""
    old = {"id": "pin", "timestamp": "2025-01-01T00:00:00+0000", "media_type": "VIDEO", "view_count": 5}
    pictures = [{"id": f"p{n}", "timestamp": "2026-03-20T10:00:00+0000", "media_type": "IMAGE"} for n in range(20)]
    reel = {"id": "r", "timestamp": "2026-03-10T10:00:00+0000", "media_type": "VIDEO", "view_count": 250_000}
    reel |= {"like_count": 10, "comments_count": 3}

    def answered(call: Call) -> Any:
        media = edge([reel], None) if cursor_of(call) else edge([old, *pictures], 9)
        return {"business_discovery": {"followers_count": FOLLOWERS, "media_count": 22, "media": media}}

    assert (await merged(world, "instagram", answered))[0] == (FOLLOWERS, 10, 3, 1, 250_000)


async def test_one_old_video_a_page_does_not_end_the_list(world: World) -> None:
    """Meta gives one video a page, and the first is pinned: the next pages are read."""
    shown = [Shown("pin", "2025-01-01T00:00:00+00:00", 5000), Shown("a", "2026-03-10T00:00:00+00:00", 7000, 2, 3)]

    def answered(call: Call) -> Any:
        start = cursor_of(call)
        found = ANSWERS["facebook"](call._replace(query={**call.query, "after": "0"}), shown[start : start + 1])
        listed = found if call.path.endswith("/videos") else found["videos"]
        listed["paging"] = {"cursors": {"after": "1"}} if start == 0 else {}
        return found

    assert (await merged(world, "facebook", answered))[0] == (FOLLOWERS, 2, 3, 1, 7000)


def of_youtube(answered: Callable[[Call, Any], Any]) -> Callable[[Call], Any]:
    return lambda call: answered(call, ANSWERS["youtube"](call, VIDEOS))


@pytest.mark.parametrize(
    ("status", "winners"), [("public", FOLLOWERS_ALONE), ("private", ["parsed"] * 4), (None, FOLLOWERS_ALONE)]
)
async def test_a_video_that_youtube_leaves_out_is_unknown_unless_it_is_private(
    world: World, status: str | None, winners: list[str | None]
) -> None:
    """The list of uploads says whether a video without figures is one that nobody sees."""

    def answered(call: Call, full: Any) -> Any:
        if call.path.endswith("/playlistItems") and status:
            assert "status" in call.query["part"]
            full["items"] = [item | {"status": {"privacyStatus": status}} for item in full["items"]]
        if call.path.endswith("/videos"):
            full["items"] = [item for item in full["items"] if item["id"] != "d"]
        return full

    found = await merged(world, "youtube", of_youtube(answered))
    assert found[1] == winners
    if status == "private":
        assert found[0] == (FOLLOWERS, 140 - 30, 14 - 3, 3, 269_000 - 250_000)


async def test_an_entry_of_the_uploads_without_a_video_is_no_list(world: World) -> None:
    """Which video it is nobody knows: no value."""

    def answered(call: Call, full: Any) -> Any:
        if call.path.endswith("/playlistItems"):
            full["items"] = [*full["items"], {"contentDetails": {}}]
        return full

    assert (await merged(world, "youtube", of_youtube(answered)))[1] == FOLLOWERS_ALONE


@pytest.mark.parametrize(("videos", "winners"), [("0", ["parsed"] * 4), ("8", FOLLOWERS_ALONE)])
async def test_a_channel_without_videos_has_no_list_of_uploads(
    world: World, videos: str, winners: list[str | None]
) -> None:
    """YouTube answers 404 for the list then: 0 where the channel says that it has none, else unknown."""

    def answered(call: Call, full: Any) -> Any:
        if call.path.endswith("/playlistItems"):
            return Reply({"error": {"code": 404, "errors": [{"reason": "playlistNotFound"}]}}, 404)
        if call.path.endswith("/channels"):
            full["items"][0]["statistics"]["videoCount"] = videos
        return full

    found = await merged(world, "youtube", of_youtube(answered))
    assert (found[0], found[1]) == ((FOLLOWERS, 0, 0, 0, 0), winners)


async def test_rounded_followers_do_not_make_the_sums_rounded(world: World) -> None:
    """777,000 subscribers are rounded, 269,000 views are not: they win over the 268,700 of the sheet."""

    def answered(call: Call, full: Any) -> Any:
        if call.path.endswith("/channels"):
            full["items"][0]["statistics"]["subscriberCount"] = "777000"
        return full

    row = (776_900, 139, 13, 3, 268_700)
    found = await merged(world, "youtube", of_youtube(answered), row)
    assert found[0] == (776_900, 140, 14, 4, 269_000)


# Sources by configuration.


def page_of(*videos: dict[str, Any], following: Any = None) -> Any:
    shown = [{"made": 1773100000, "seen": "5000", "hearts": 1, "said": 1} | video for video in videos]
    return {"user": {"fans": FOLLOWERS}, "videos": shown, "next": following}


async def test_a_video_on_two_pages_counts_once(world: World) -> None:
    """The last of page 1 is the first of page 2, as one has come meanwhile."""

    def answered(call: Call) -> Any:
        return page_of({"key": "d"}, following=None if "page_token" in call.query else "2")

    assert (await merged(world, "http_json", answered))[0] == (FOLLOWERS, 1, 1, 1, 5000)


@pytest.mark.parametrize("key", [None, "", ["d"]])
async def test_a_video_without_its_id_is_no_list(world: World, key: Any) -> None:
    """What tells it from others is not there: no value of the videos."""
    assert (await merged(world, "http_json", lambda _call: page_of({"key": key})))[1] == FOLLOWERS_ALONE


async def test_a_list_that_names_the_same_page_again_has_no_value(world: World) -> None:
    """It does not go on, so that nobody knows what is behind: the account has failed."""
    found = await merged(world, "http_json", lambda _call: page_of({"key": "d"}, following="2"))
    assert found[1] in ([], NOBODY)


async def test_the_one_answer_with_all_videos_is_the_whole(world: World) -> None:
    """`pages = "one"` says that there are no others."""
    table = {"next": None, "id": None, "pages": "one", "items": "videos", "metrics": {"followers": "user.fans"}}
    step = {key: value for key, value in {**OWN["http_json"], **table}.items() if value is not None}
    with Imitation("http_json") as platform:
        platform.answer = lambda _call: Reply(page_of({}, {}))
        configure(world, "http_json", platform.url, BERLIN)
        base = {key: world.sections["parsers"]["http_json"][key] for key in ("kind", "api_url", "count", "every")}
        world.sections["parsers"]["http_json"] = base | step
        add(world, "M", "http_json", **DATES)
        await world.sync()
    assert world.merged("M") == (FOLLOWERS, 0, 0, 2, 10_000)


async def test_rounded_figures_make_only_their_own_sum_rounded(world: World) -> None:
    """Plays are shown as "1.2M", likes and the number of videos are exact."""
    await merged(world, "http_json", lambda _call: page_of({"key": "d", "seen": "1.2M"}))
    found = dict(world.execute('SELECT metric, "precision" FROM parsed_values'))
    assert found == dict.fromkeys(("followers", "likes", "comments", "videos"), "exact") | {"views": "rounded"}


@pytest.mark.parametrize(
    ("kpi", "reaches"), [(1_150_000, True), (1_150_001, None), (1_200_000, None), (1_299_999, None), (1_300_000, False)]
)
def test_a_rounded_figure_reaches_a_kpi_only_if_it_does_so_surely(kpi: int, reaches: bool | None) -> None:
    """A figure of "1.2M" is anything from 1,150,000 to 1,299,999: rounded or cut."""
    step = StepSettings.model_validate(
        {"url": "{username}", "items": "@", "published": "at", "plays": "n", "pages": "one"}
    )
    found = StepResults()
    found.take(step, [{"at": 1773100000, "n": "1.2M"}], read("2026-03-01", None, kpi, "UTC"))
    expected = {True: {"videos": 1, "views": 1_200_000}, False: {"videos": 0, "views": 0}, None: {}}
    assert found.counts == expected[reaches]
    assert any(f"whether they have {kpi} views" in flaw for flaw in found.flaws) is (reaches is None)


# Times that are none.


@pytest.mark.parametrize("kind", ["instagram", "tiktok"])
async def test_a_placeholder_for_a_time_costs_its_own_account_alone(world: World, kind: str) -> None:
    """A video of the year 9999: its account has no value of the videos; the parser goes on."""

    def answered(call: Call) -> Any:
        full = ANSWERS[kind](call, VIDEOS)
        if kind == "instagram":
            full["business_discovery"]["media"]["data"][0]["timestamp"] = "9999-12-31T23:30:00+0000"
        elif "videos" in full["data"]:
            full["data"]["videos"][0]["create_time"] = 253402300799
        return full

    assert (await merged(world, kind, answered))[1] == FOLLOWERS_ALONE


@pytest.mark.parametrize("written", ["20260301120000", 253402300799, "9999-12-31T23:59:59Z", 32503680000])
def test_a_time_that_is_to_come_is_none(written: object) -> None:
    """No video is published later than now; YYYYMMDDHHMMSS read as milliseconds is the year 2612."""
    assert published_at(written) is None
    tomorrow = datetime.now(UTC) + timedelta(hours=12)
    assert published_at(tomorrow.isoformat()) == tomorrow


@pytest.mark.parametrize("moment", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_the_ends_of_time_have_a_day(moment: datetime) -> None:
    """Also on clocks on which they would lie beyond."""
    for timezone in (BERLIN, "America/New_York"):
        found = tally([Video(moment, 5, 1, 1)], read("2026-03-01", "2026-03-31", 0, timezone))
        assert found == Tally({"videos": 0, "likes": 0, "comments": 0, "views": 0})


# When an account is asked again.


async def test_a_list_that_breaks_off_is_asked_for_again_soon(world: World, no_waiting: None) -> None:
    """One 500, `every = "1d"`: the account failed, so that a quarter of an hour later its campaign is counted."""
    with Imitation("tiktok") as platform:
        platform.is_down = lambda call: call.path.endswith("/video/list/")
        configure(world, "tiktok", platform.url, BERLIN, every="1d")
        add(world, "M", "tiktok", **DATES)
        await world.sync()
        assert world.merged("M") == (FOLLOWERS, 0, 0, 0, 0)
        platform.is_down = lambda _call: False
        world.now += timedelta(minutes=16)
        await world.sync()
    assert world.merged("M") == campaign_of("tiktok")


async def test_a_budget_of_youtube_starves_no_channel(world: World) -> None:
    """Eight channels, and calls for four of them a day: the other four come first on the next."""
    with Imitation("youtube") as platform:
        platform.shown = VIDEOS[:1]
        configure(world, "youtube", platform.url, "UTC", budget="9/d", every="6h")
        for number in range(8):
            add(world, f"P{number}", "youtube", start_date="2026-03-20")
            link = f"https://www.youtube.com/channel/UC{'x' * 21}{number}"
            world.execute(
                "UPDATE project_social_accounts SET profile_link = ? WHERE id = ?", (link, f"account-P{number}")
            )
        known = []
        for _ in range(2):
            await world.sync()
            known.append(len(world.execute("SELECT 1 FROM parsed_values WHERE metric = 'views'")))
            world.execute("DELETE FROM parser_requests")  # the next day
            world.now += timedelta(hours=25)
    assert known == [4, 8]
