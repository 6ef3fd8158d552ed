"""Numbers of a campaign: by the dates and the KPI of the project, on the clocks of the schedule, each by hand."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_platforms import LINKS, OWN_KEYS, Call, FakePlatform, Reply
from old_database import schema_4
from smart_sync.admin import checks
from smart_sync.cli.output.explanation import _notes
from smart_sync.core.campaign import EVERYTHING, Campaign, Video, read, tally
from smart_sync.core.model import METRICS
from smart_sync.errors import ConfigError
from smart_sync.parsers import videos as videos_module
from smart_sync.parsers.videos import published_at
from smart_sync.report.explain import explain
from world import World

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
FOLLOWERS = 777
HOUR = timedelta(hours=1)


class Shown(NamedTuple):
    """A video as a platform has it."""

    id: str
    at: str
    views: int | None
    likes: int | None = 1
    comments: int | None = 1

    @property
    def epoch(self) -> int:
        return int(datetime.fromisoformat(self.at).timestamp())


#: Newest first.  In March Berlin is 1 hour ahead of UTC, from the 29th on 2; New York is 5 behind, from the 8th on 4.
VIDEOS = (
    Shown("g", "2026-04-01T04:00:00+00:00", 8000, 70, 7),  # 1 April in both, in New York its first second
    Shown("f", "2026-03-31T22:00:00+00:00", 4000, 50, 5),  # Berlin: 1 April 0:00, New York: 31 March 18:00
    Shown("e", "2026-03-31T21:59:59+00:00", 2000, 40, 4),  # the last second of 31 March in Berlin
    Shown("d", "2026-03-20T10:00:00+00:00", 250_000, 30, 3),
    Shown("c", "2026-03-15T12:00:00+00:00", 999, 20, 2),  # one view below the KPI
    Shown("h", "2026-03-01T05:00:00+00:00", 16_000, 60, 6),  # the first second of 1 March in New York
    Shown("b", "2026-02-28T23:00:00+00:00", 1000, 10, 1),  # the first second of 1 March in Berlin, and just the KPI
    Shown("a", "2026-02-28T22:59:59+00:00", 5000, 90, 9),  # the last second of February in Berlin
)
PER_PAGE = 3
#: Time zone → what March comes to with a KPI of 1000: likes, comments, videos, views.
MARCH = {
    BERLIN: (10 + 60 + 30 + 40, 1 + 6 + 3 + 4, 4, 1000 + 16_000 + 250_000 + 2000),
    NEW_YORK: (60 + 30 + 40 + 50, 6 + 3 + 4 + 5, 4, 16_000 + 250_000 + 2000 + 4000),
}
#: From 20 March on, without an end, with a KPI of 5000: d and g, in both.
FROM_20TH = (30 + 70, 3 + 7, 2, 250_000 + 8000)
#: March in Berlin with a KPI that is NULL: c counts, too.
MARCH_OF_ALL = (140 + 20, 14 + 2, 5, 269_000 + 999)


def page(shown: Sequence[Shown], start: int) -> tuple[Sequence[Shown], int | None]:
    """The videos from ``start`` on, and where the next page begins."""
    end = start + PER_PAGE
    return shown[start:end], end if end < len(shown) else None


def tiktok(call: Call, shown: Sequence[Shown]) -> Any:
    if call.path.endswith("/user/info/"):
        return {"data": {"user": {"follower_count": FOLLOWERS}}, "error": {"code": "ok"}}
    some, following = page(shown, call.body.get("cursor", 0))
    listed = [
        {
            "id": v.id,
            "create_time": v.epoch,
            "view_count": v.views,
            "like_count": v.likes,
            "comment_count": v.comments,
        }
        for v in some
    ]
    more = {"cursor": following, "has_more": True} if following else {"cursor": 0, "has_more": False}
    return {"data": {"videos": listed, **more}, "error": {"code": "ok"}}


def youtube(call: Call, shown: Sequence[Shown]) -> Any:
    if call.path.endswith("/channels"):
        ids = call.query["id"].split(",")
        items = [
            {
                "id": one,
                "statistics": {"subscriberCount": str(FOLLOWERS), "viewCount": "1500000000", "videoCount": "8"},
                "contentDetails": {"relatedPlaylists": {"uploads": "UU1"}},
            }
            for one in ids
        ]
        return {"kind": "youtube#channelListResponse", "items": items}
    if call.path.endswith("/playlistItems"):
        some, following = page(shown, int(call.query.get("pageToken", 0)))
        items = [{"contentDetails": {"videoId": v.id, "videoPublishedAt": v.at.replace("+00:00", "Z")}} for v in some]
        more = {"nextPageToken": str(following)} if following else {}
        return {"kind": "youtube#playlistItemListResponse", "items": items, **more}
    asked = call.query["id"].split(",")
    figures = [
        {"id": v.id, "statistics": {"viewCount": v.views, "likeCount": v.likes, "commentCount": v.comments}}
        for v in shown
        if v.id in asked
    ]
    return {"kind": "youtube#videoListResponse", "items": figures}


def cursor_of(call: Call) -> int:
    """Where a page of Meta's begins: of an edge by itself, or of one among the fields."""
    return int(call.query.get("after") or call.query["fields"].partition(".after(")[2].partition(")")[0] or 0)


def edge(listed: list[dict[str, Any]], following: int | None) -> dict[str, Any]:
    return {"data": listed, "paging": {"cursors": {"after": str(following)}} if following else {}}


def instagram(call: Call, shown: Sequence[Shown]) -> Any:
    some, following = page(shown, cursor_of(call))
    media = [
        {
            "id": v.id,
            "timestamp": v.at.replace("+00:00", "+0000"),
            "media_type": "VIDEO",
            "view_count": v.views,
            "like_count": v.likes,
            "comments_count": v.comments,
        }
        for v in some
    ]
    # Pictures are no videos, whenever they were published.
    media.append({"id": f"p{cursor_of(call)}", "timestamp": "2026-03-20T10:00:00+0000", "media_type": "IMAGE"})
    counts = {"followers_count": FOLLOWERS, "media_count": len(shown) + 3}
    return {"business_discovery": counts | {"media": edge(media, following)}}


def facebook(call: Call, shown: Sequence[Shown]) -> Any:
    some, following = page(shown, cursor_of(call))
    listed = [
        {
            "id": v.id,
            "created_time": v.at.replace("+00:00", "+0000"),
            "views": v.views,
            "likes": {"data": [], "summary": {"total_count": v.likes}},
            "comments": {"data": [], "summary": {"total_count": v.comments}},
        }
        for v in some
    ]
    found = edge(listed, following)
    return found if call.path.endswith("/videos") else {"followers_count": FOLLOWERS, "videos": found}


def http_json(call: Call, shown: Sequence[Shown]) -> Any:
    some, following = page(shown, int(call.query.get("page_token", 0)))
    listed = [
        {"key": v.id, "made": v.epoch * 1000, "seen": str(v.views), "hearts": v.likes, "said": v.comments} for v in some
    ]
    return {"user": {"fans": FOLLOWERS, "hearts": 10**9}, "videos": listed, "next": following}


ANSWERS: dict[str, Callable[[Call, Sequence[Shown]], Any]] = {
    "tiktok": tiktok,
    "youtube": youtube,
    "instagram": instagram,
    "facebook": facebook,
    "http_json": http_json,
}
OWN = {
    **OWN_KEYS,
    "http_json": {
        "platforms": ["tiktok"],
        "url": "videos/{username}",
        "next": "next",
        "items": "[].videos[]",
        "id": "key",
        "published": "made",
        "plays": "seen",
        "metrics": {"followers": "[0].user.fans", "likes": "hearts", "comments": "said"},
    },
}


class Imitation(FakePlatform):
    """A platform that shows ``shown``; ``broken`` pages answer 500."""

    def __init__(self, kind: str) -> None:
        super().__init__(self._answered)
        self.kind = kind
        self.shown: Sequence[Shown] = VIDEOS
        self.is_down: Callable[[Call], bool] = lambda _call: False

    def _answered(self, call: Call) -> Reply:
        return Reply({"error": {}}, 500) if self.is_down(call) else Reply(ANSWERS[self.kind](call, self.shown))


def configure(world: World, kind: str, url: str, timezone: str, **more: Any) -> None:
    world.sections["schedule"] = {"timezone": timezone}
    table = {"kind": kind, "api_url": url, "count": "campaign", "every": "6h", **OWN[kind], **more}
    world.sections["parsers"] = {kind: table}


def add(world: World, name: str, kind: str, **columns: Any) -> None:
    """A project with the account that ``kind`` serves, as a web app makes it."""
    world.add_project(name)
    for column, value in columns.items():
        world.execute(f"UPDATE projects SET {column} = ? WHERE name = ?", (value, name))
    world.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, profile_link) VALUES (?, ?, ?, ?)",
        (f"account-{name}", f"project-{name}", LINKS[kind].split(".")[1], LINKS[kind]),
    )


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that fails is not tried again."""
    monkeypatch.setattr("smart_sync.parsers.api_client.TRIES", 1)


@pytest.mark.parametrize("timezone", [BERLIN, NEW_YORK])
@pytest.mark.parametrize("kind", list(ANSWERS))
async def test_only_what_counts_is_counted_on_the_clocks_of_the_schedule(
    world: World, kind: str, timezone: str
) -> None:
    """Both ends are included, an end that is open has none, and an account in two projects has two numbers."""
    with Imitation(kind) as platform:
        configure(world, kind, platform.url, timezone)
        add(world, "M", kind, start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        add(world, "N", kind, start_date="2026-03-20", end_date=None, kpi_views=5000)
        await world.sync()
    assert world.merged("M") == (FOLLOWERS, *MARCH[timezone])
    assert world.merged("N") == (FOLLOWERS, *FROM_20TH)


@pytest.mark.parametrize("kind", list(ANSWERS))
async def test_a_kpi_that_is_null_is_zero_and_the_dates_of_new_projects_are_open(world: World, kind: str) -> None:
    """2000-01-01 to 2099-12-31 with a KPI of 0, which Smart Sync gives its projects, is no campaign: all count."""
    with Imitation(kind) as platform:
        configure(world, kind, platform.url, BERLIN)
        add(world, "M", kind, start_date="2026-03-01", end_date="2026-03-31", kpi_views=None)
        add(world, "N", kind, start_date="2000-01-01", end_date="2099-12-31", kpi_views=0)
        await world.sync()
    assert world.merged("M") == (FOLLOWERS, *MARCH_OF_ALL)
    everything = [sum(getattr(v, name) or 0 for v in VIDEOS) for name in ("likes", "comments")]
    assert everything == [370, 37]
    assert world.merged("N") == (FOLLOWERS, *everything, 8, 286_999)


async def test_the_pages_before_the_first_day_are_not_read(world: World) -> None:
    """A list that goes on for years is read until twenty entries in a row lie before the dates."""
    years = [Shown(f"o{n}", f"2025-06-{1 + n % 28:02}T12:00:00+00:00", 10) for n in range(300)]
    with Imitation("tiktok") as platform:
        platform.shown = [*VIDEOS, *years]
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        await world.sync()
        lists = [call for call in platform.calls if call.path.endswith("/video/list/")]
    assert len(lists) == 9  # the third has one of February, and the first of 300 before it
    assert world.merged("M") == (FOLLOWERS, *MARCH[BERLIN])


def unfinished(world: World) -> list[tuple[Any, ...]]:
    return world.execute(
        "SELECT followers, likes_winner, comments_winner, videos_winner, views_winner FROM account_metrics"
    )


@pytest.mark.parametrize("kind", list(ANSWERS))
async def test_a_list_that_breaks_off_is_no_number(world: World, kind: str, no_waiting: None) -> None:
    """Where a page cannot be had, no metric of the videos has a value; followers have, and the reason is told."""

    def is_second_page(call: Call) -> bool:
        said = f"{call.query}{call.body}"
        marks = ("'cursor': 3", "'pageToken': '3'", "after(3)", "'after': '3'", "'page_token': '3'")
        return any(mark in said for mark in marks)

    with Imitation(kind) as platform:
        platform.is_down = is_second_page
        configure(world, kind, platform.url, BERLIN)
        add(world, "M", kind, start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        async with world.opened() as sync:
            await sync()
        report = await checks.check(world.settings, lambda: world.now)
    found = unfinished(world)
    if kind == "http_json":  # its followers stand in the same answer
        assert found == [(0, None, None, None, None)]
    else:
        assert found == [(FOLLOWERS, None, None, None, None)]
    assert any("500" in finding.message and finding.level != "ok" for finding in report.findings)


async def test_a_list_without_an_end_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More pages than are read of one account: reported, and no number."""
    monkeypatch.setattr(videos_module, "MAX_PAGES", 2)
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="2026-03-01", kpi_views=0)
        await world.sync()
        report = await checks.check(world.settings, lambda: world.now)
    assert unfinished(world) == [(FOLLOWERS, None, None, None, None)]
    assert any("more than 2 pages" in finding.message for finding in report.findings)


async def test_a_figure_that_is_not_shown_is_no_zero(world: World) -> None:
    """A video that counts and hides its likes leaves the likes without a value; one that hides its views, all."""
    with Imitation("tiktok") as platform:
        platform.shown = [v._replace(likes=None) if v.id == "d" else v for v in VIDEOS]
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        await world.sync()
        assert unfinished(world) == [(FOLLOWERS, None, "parsed", "parsed", "parsed")]
        platform.shown = [v._replace(views=None) if v.id == "d" else v for v in VIDEOS]
        world.execute("DELETE FROM parsed_values")
        world.now += 7 * HOUR
        await world.sync()
    told = world.execute("SELECT metric FROM parsed_values ORDER BY metric")
    assert told == [("followers",)]


# Old values lose their vote at once.


CHANGES: dict[str, tuple[str, str]] = {
    "start": ("UPDATE projects SET start_date = '2026-03-02'", "of other dates or another KPI"),
    "end": ("UPDATE projects SET end_date = NULL", "of other dates or another KPI"),
    "kpi": ("UPDATE projects SET kpi_views = 999", "of other dates or another KPI"),
    "count": ("", "of a campaign, not of the lifetime"),
}


@pytest.mark.parametrize("change", list(CHANGES))
async def test_what_was_counted_otherwise_loses_its_vote_at_once(world: World, change: str, no_waiting: None) -> None:
    """Also where the platform is away and nothing new can be had: the values leave no trace; followers keep theirs."""
    sql, reason = CHANGES[change]
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        await world.sync()
        assert world.merged("M") == (FOLLOWERS, *MARCH[BERLIN])
        platform.is_down = lambda _call: True
        if sql:
            world.execute(sql)
        else:
            world.sections["parsers"]["tiktok"]["count"] = "lifetime"
        world.now += timedelta(minutes=30)
        await world.sync()
        assert unfinished(world) == [(FOLLOWERS, None, None, None, None)]
        (account,) = (await explain(world.settings, "account-M", METRICS, world.now))["accounts"]
        assert {(one["metric"], one["reason"]) for one in account["without_vote"]} == {
            (metric, reason) for metric in METRICS if metric != "followers"
        }
        # As soon as it is there again it is asked, though an account is due every six hours only.
        platform.is_down = lambda _call: False
        world.execute("UPDATE projects SET start_date = '2026-03-01', end_date = '2026-03-31', kpi_views = 1000")
        world.sections["parsers"]["tiktok"]["count"] = "campaign"
        world.now += timedelta(minutes=30)
        await world.sync()
    assert world.merged("M") == (FOLLOWERS, *MARCH[BERLIN])


async def test_a_change_of_the_dates_is_asked_about_at_once(world: World) -> None:
    """An account that was asked half an hour ago, and is due every six hours, is asked for the new dates."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        async with world.opened() as sync:
            await sync()
            asked = len(platform.calls)
            world.now += timedelta(minutes=30)
            await sync()
            assert len(platform.calls) == asked
            world.execute("UPDATE projects SET start_date = '2026-03-20', end_date = '', kpi_views = '5000'")
            world.now += timedelta(minutes=30)
            await sync()
    assert world.merged("M") == (FOLLOWERS, *FROM_20TH)


async def test_a_number_of_the_lifetime_does_not_win_where_the_campaign_is_counted(world: World) -> None:
    """The 1,500,000,000 views of a channel give way to the 1,204,000 of the sheet once the campaign is counted."""
    with Imitation("youtube") as platform:
        configure(world, "youtube", platform.url, BERLIN, count="lifetime")
        add(world, "M", "youtube", start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        rows = world.google.spreadsheets[next(iter(world.google.spreadsheets))].worksheets["M"]
        rows.append(["", LINKS["youtube"], 700, 5, 5, 5, 1_204_000])
        await world.sync()
        merged = world.merged("M")
        assert merged is not None
        assert merged[4] == 1_500_000_000
        report = await checks.check(world.settings, lambda: world.now, offline=True)
        (told,) = [f.message for f in report.findings if "counts the lifetime" in f.message]
        assert told.startswith("M: parser youtube counts the lifetime")
        assert "dates (from 2026-03-01 to 2026-03-31) and a KPI of 1000 views" in told
        (account,) = (await explain(world.settings, "account-M", METRICS, world.now))["accounts"]
        assert account["warnings"] == [told]
        assert f"{told} [campaign-unclear]" in list(_notes(account))
        world.sections["parsers"]["youtube"]["count"] = "campaign"
        platform.is_down = lambda _call: True
        world.now += timedelta(minutes=1)
        await world.sync()
        assert world.merged("M") == (777, 5, 5, 5, 1_204_000)
        report = await checks.check(world.settings, lambda: world.now, offline=True)
    assert not [f for f in report.findings if "counts the lifetime" in f.message]


@pytest.mark.sqlite  # a file of schema 9: no server has had that
async def test_what_parsers_brought_before_an_upgrade_is_of_the_lifetime(world: World, no_waiting: None) -> None:
    """It counts as before, and has no vote as soon as the campaign is counted; nobody is asked anew by the upgrade."""
    at = "2026-03-10T11:00:00.000000"
    world.path.unlink()
    schema_4(
        world.path,
        "INSERT INTO projects (id, name, is_active, start_date) VALUES ('p', 'M', 1, '2026-03-01')",
        f"INSERT INTO project_social_accounts (id, project_id, platform, profile_link)"
        f" VALUES ('account-M', 'p', 'tiktok', '{LINKS['tiktok']}')",
        *(
            f"INSERT INTO parsed_values VALUES ('account-M', '{metric}', 'tiktok', {value}, '{at}', 'exact', '')"
            for metric, value in zip(METRICS, (5, 6, 7, 8, 9), strict=True)
        ),
        "INSERT INTO parser_accounts (parser, account_id, link, asked_at)"
        f" VALUES ('tiktok', 'account-M', '{LINKS['tiktok']}', '{at}')",
        version=9,
    )
    world.sheet("M")
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN, count="lifetime")
        await world.sync()
        assert world.merged("M") == (5, 6, 7, 8, 9)
        assert platform.calls == []
        platform.is_down = lambda _call: True
        configure(world, "tiktok", platform.url, BERLIN)
        await world.sync()
    assert unfinished(world) == [(5, None, None, None, None)]


async def test_open_dates_and_no_kpi_are_no_reason_to_warn(world: World) -> None:
    """Nor is a parser that has only followers."""
    with Imitation("facebook") as platform:
        configure(world, "youtube", platform.url, BERLIN, count="lifetime")
        add(world, "M", "youtube", start_date="2000-01-01", end_date="2099-12-31", kpi_views=0)
        configure_facebook = {"api_url": platform.url, **OWN["facebook"]}
        world.sections["parsers"]["facebook"] = configure_facebook
        add(world, "N", "facebook", start_date="2026-03-01")
        report = await checks.check(world.settings, lambda: world.now, offline=True)
    assert not [f for f in report.findings if "counts the lifetime" in f.message]


async def test_dates_that_cannot_be_read_are_reported_and_not_guessed(world: World) -> None:
    """Followers come all the same; `check` and `explain` name the project and the column."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="01.03.2026", end_date="2026-03-31", kpi_views=1000)
        await world.sync()
        report = await checks.check(world.settings, lambda: world.now)
        (account,) = (await explain(world.settings, "account-M", METRICS, world.now))["accounts"]
    assert unfinished(world) == [(FOLLOWERS, None, None, None, None)]
    assert "M: its start_date is no date (01.03.2026)" in " ".join(f.message for f in report.findings)
    assert "start_date is no date (01.03.2026)" in " ".join(account["warnings"])


# The columns of the web app, and the times of platforms.


@pytest.mark.parametrize(
    ("start", "end", "kpi", "expected"),
    [
        (None, None, None, EVERYTHING._replace(timezone=BERLIN)),
        ("", "", "", EVERYTHING._replace(timezone=BERLIN)),
        ("2000-01-01", "2099-12-31", 0, EVERYTHING._replace(timezone=BERLIN)),
        ("2026-03-01 00:00:00", "2026-03-31T23:59:59.999", 1000.0, read("2026-03-01", "2026-03-31", "1000", BERLIN)),
        # A time with a zone is a moment: in Berlin it is the begin of the first of March, and the end of the last.
        ("2026-02-28T23:00:00Z", "2026-03-31T21:59:59.999Z", None, read("2026-03-01", "2026-03-31", 0, BERLIN)),
        ("2000-01-01T00:00:00Z", "2099-12-31T23:59:59Z", 0, EVERYTHING._replace(timezone=BERLIN)),
        (date(2026, 3, 1), datetime(2026, 3, 31), None, read("2026-03-01", "2026-03-31", 0, BERLIN)),  # noqa: DTZ001
    ],
)
def test_dates_and_kpi_are_read_as_web_apps_write_them(
    start: object, end: object, kpi: object, expected: Campaign
) -> None:
    """NULL and empty are open; a time counts as its date."""
    assert read(start, end, kpi, BERLIN) == expected


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2026-03-01T00:00:00Z", None, "its start_date is within a day of Europe/Berlin"),
        ("2026-02-28T22:59:59Z", None, "its start_date is within a day of Europe/Berlin"),
        (None, "2026-03-31T23:59:59.999Z", "(2026-03-31T23:59:59.999Z is 2026-04-01 01:59 there)"),
        ("2026-03-01-15", None, "its start_date is no date (2026-03-01-15)"),
        ("2026-03-01/15", None, "its start_date is no date (2026-03-01/15)"),
        (None, "2026-03-01_10", "its end_date is no date (2026-03-01_10)"),
        (None, "2026-03-01 15", "its end_date is no date (2026-03-01 15)"),
    ],
)
def test_what_may_mean_other_dates_is_named(start: object, end: object, told: str) -> None:
    """A moment within a day would take in or leave out hours of it; a range is no time."""
    assert told in read(start, end, 0, BERLIN).flaw


@pytest.mark.sqlite  # what is a name, and a generated column, is another thing there
async def test_columns_count_in_any_case_and_made_of_others(world: World) -> None:
    """`Start_Date` is start_date to SQLite, and a generated column is one."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="2026-03-01", end_date="2026-03-31", kpi_views=1000)
        world.execute("ALTER TABLE projects RENAME COLUMN start_date TO Start_Date")
        world.execute("ALTER TABLE projects RENAME COLUMN end_date TO last_day")
        world.execute("ALTER TABLE projects ADD COLUMN end_date TEXT GENERATED ALWAYS AS (last_day) VIRTUAL")
        await world.sync()
    assert world.merged("M") == (FOLLOWERS, *MARCH[BERLIN])


@given(st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none(), st.dates().map(str)), st.text())
def test_whatever_stands_in_the_columns_is_a_campaign_or_named(given_one: object, text: str) -> None:
    """Never an exception, and a key that says what was read."""
    for campaign in (read(given_one, text, given_one, BERLIN), read(None, given_one, text, BERLIN)):
        assert campaign.flaw or campaign.kpi >= 0
        assert campaign.key
        assert tally([Video(None, None)], campaign).counts.keys() <= set(METRICS)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.integers())))
def test_whatever_a_platform_calls_a_time_is_one_or_none(written: object) -> None:
    """Never an exception."""
    at = published_at(written)
    assert at is None or at.tzinfo is not None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1772323200, datetime(2026, 3, 1, tzinfo=UTC)),
        ("1772323200", datetime(2026, 3, 1, tzinfo=UTC)),
        (1772323200000, datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T01:00:00+0100", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00", None),  # on whose clocks?
        (0, None),
        ("2 days ago", None),
    ],
)
def test_times_of_platforms(written: object, expected: datetime | None) -> None:
    """Seconds, milliseconds, ISO 8601 with a zone; anything else is not known."""
    assert published_at(written) == expected


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2000)), max_size=12),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(0, 2000),
)
def test_the_views_of_a_campaign_are_those_of_its_videos_alone(
    shown: list[tuple[int, int]], start: int, end: int, kpi: int
) -> None:
    """The web app's own sum, day by day and video by video."""
    first = datetime(2026, 3, 1, 12, tzinfo=UTC)
    start, end = min(start, end), max(start, end)
    campaign = read(
        (first + timedelta(days=start)).date().isoformat(), (first + timedelta(days=end)).date().isoformat(), kpi, "UTC"
    )
    videos = [Video(first + timedelta(days=day), views, 1, 1) for day, views in shown]
    counted = [views for day, views in shown if start <= day <= end and views >= kpi]
    found = tally(videos, campaign)
    assert found.flaws == ()
    assert found.counts == {
        "videos": len(counted), "likes": len(counted), "comments": len(counted), "views": sum(counted),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"items": None}, "items, published and plays belong together"),
        ({"items": None, "published": None, "plays": None}, "needs one step with items"),
        ({"metrics": {"views": "seen"}}, "counted from items and plays"),
        ({"on_more": "take"}, "all pages are needed"),
        ({"id": None}, "what tells it from others"),
        ({"next": None}, "say where the next one is"),
        ({"pages": "one"}, "say where the next one is"),
    ],
)
def test_a_table_that_would_count_something_else_is_refused(world: World, changes: dict[str, Any], told: str) -> None:
    """`http_json` says which videos there are, or it does not count a campaign."""
    table = {**OWN["http_json"], "kind": "http_json", "api_url": "http://127.0.0.1:9", "count": "campaign"}
    table = {key: value for key, value in {**table, **changes}.items() if value is not None}
    world.sections["parsers"] = {"x": table}
    with pytest.raises((ConfigError, ValueError), match=told):
        _ = world.settings


def test_a_video_that_moves_to_the_next_page_counts_once() -> None:
    """While a list is read a new video may come, and the last of a page is the first of the next."""
    at = datetime(2026, 3, 2, tzinfo=UTC)
    found = tally([Video(at, 5, 1, 1, "a"), Video(at, 5, 1, 1, "a"), Video(at, 7, 1, 1)], EVERYTHING)
    assert json.loads(json.dumps(found.counts)) == {"videos": 2, "likes": 2, "comments": 2, "views": 12}
