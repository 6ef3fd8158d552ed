"""The recipes, each against an imitation of its source: `smart_sync.parsers.recipes`."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import pytest
from pydantic import ValidationError

from fake_platforms import Call, FakePlatform, Reply, account, drain, troubles, values
from smart_sync.core.model import Account, Metrics
from smart_sync.parsers import recipes
from smart_sync.parsers.http_json import HttpJson, HttpJsonSettings

KEY = "canary-recipe-key"
TIKTOK, INSTAGRAM = "https://www.tiktok.com/@some.creator", "https://www.instagram.com/some.one/"
FACEBOOK, THREADS = "https://www.facebook.com/some.page", "https://www.threads.net/@meta"


class Imitation(NamedTuple):
    """What a source is asked and answers, in this order, and what comes of it."""

    link: str
    #: Path (and what the request must carry) → answer.
    exchanges: Sequence[tuple[str, Mapping[str, Any], Any]]
    metrics: Metrics
    #: The header that carries the key, and its value.
    header: tuple[str, str]


RAPID = ("x-rapidapi-key", KEY)
IMITATIONS = {
    "tiktok-api23": Imitation(
        TIKTOK,
        [
            (
                "/api/user/info",
                {"uniqueId": "some.creator"},
                {
                    "statusCode": 0,
                    "status_msg": "",
                    "userInfo": {
                        "user": {"uniqueId": "some.creator", "secUid": "MS4wLjAB_example"},
                        "stats": {"followerCount": 61600, "heartCount": 2000000, "videoCount": 274},
                    },
                },
            ),
            (
                "/api/user/posts",
                {"secUid": "MS4wLjAB_example", "count": "35"},
                {
                    "data": {
                        "itemList": [{"id": "1", "stats": {"playCount": 100, "diggCount": 5, "commentCount": 1}}],
                        "hasMore": True,
                        "cursor": "1700",
                    }
                },
            ),
            (
                "/api/user/posts",
                {"secUid": "MS4wLjAB_example", "cursor": "1700"},
                {
                    "data": {
                        "itemList": [{"id": "2", "stats": {"playCount": 23, "commentCount": 2}}],
                        "hasMore": False,
                        "cursor": "1600",
                    }
                },
            ),
        ],
        Metrics(61600, 2000000, 3, 274, 123),
        RAPID,
    ),
    "tiktok-scraper7": Imitation(
        TIKTOK,
        [
            (
                "/user/info",
                {"unique_id": "some.creator"},
                {"code": 0, "data": {"stats": {"followerCount": 141, "heartCount": 6724, "videoCount": 203}}},
            ),
            (
                "/user/posts",
                {"unique_id": "some.creator", "count": "35"},
                {
                    "code": 0,
                    "data": {"videos": [{"play_count": 100, "comment_count": 1}], "cursor": "17", "hasMore": True},
                },
            ),
            (
                "/user/posts",
                {"cursor": "17"},
                {
                    "code": 0,
                    "data": {"videos": [{"play_count": 1, "comment_count": 0}], "cursor": "18", "hasMore": False},
                },
            ),
        ],
        Metrics(141, 6724, 1, 203, 101),
        RAPID,
    ),
    "instagram-scraper-stable": Imitation(
        INSTAGRAM,
        [
            (
                "/get_ig_user_reels.php",
                {"username_or_url": "some.one", "amount": "100"},
                {
                    "reels": [{"node": {"media": {"play_count": 10, "like_count": 1, "comment_count": 0}}}],
                    "pagination_token": "p2",
                },
            ),
            (
                "/get_ig_user_reels.php",
                {"username_or_url": "some.one", "pagination_token": "p2"},
                {"reels": [{"node": {"media": {"play_count": 5, "like_count": 2, "comment_count": 3}}}]},
            ),
        ],
        Metrics(likes=3, comments=3, views=15),
        RAPID,
    ),
    "axesso-facebook": Imitation(
        FACEBOOK,
        [
            (
                "/fba/facebook-lookup-reels",
                {"url": FACEBOOK},
                {
                    "hasNextPage": True,
                    "cursor": "AQHR%2Bab%3D%3D",
                    "details": [{"videoViewCount": 100, "likersCount": 3, "commentCount": 1}],
                },
            ),
            (
                "/fba/facebook-lookup-reels",
                {"url": FACEBOOK, "cursor": "AQHR+ab=="},
                {"hasNextPage": False, "details": {"0": {"videoViewCount": 25}, "1": {"videoViewCount": 5}}},
            ),
        ],
        Metrics(likes=3, comments=1, views=130),
        RAPID,
    ),
    "scrapecreators-tiktok": Imitation(
        TIKTOK,
        [
            (
                "/v1/tiktok/profile",
                {"handle": "some.creator"},
                {
                    "success": True,
                    "stats": {"followerCount": 162000000, "heartCount": -1711236608, "videoCount": 1200},
                    "statsV2": {"followerCount": "162000000", "heartCount": "2583730688", "videoCount": "1200"},
                },
            ),
            (
                "/v3/tiktok/profile/videos",
                {"handle": "some.creator"},
                {
                    "aweme_list": [{"statistics": {"play_count": 10, "comment_count": 1}}],
                    "has_more": 1,
                    "max_cursor": 1699,
                },
            ),
            (
                "/v3/tiktok/profile/videos",
                {"max_cursor": "1699"},
                {"aweme_list": [{"statistics": {"play_count": 4, "comment_count": 1}}], "has_more": 0, "max_cursor": 7},
            ),
        ],
        Metrics(162000000, 2583730688, 2, 1200, 14),
        ("x-api-key", KEY),
    ),
    "hikerapi-instagram": Imitation(
        INSTAGRAM,
        [
            (
                "/v1/user/by/username",
                {"username": "some.one"},
                {"pk": "1000", "username": "some.one", "follower_count": 612, "media_count": 39, "is_private": False},
            ),
            (
                "/v2/user/clips",
                {"user_id": "1000"},
                {"response": {"items": [{"play_count": 5}]}, "next_page_id": "n"},
            ),
            (
                "/v2/user/clips",
                {"user_id": "1000", "page_id": "n"},
                {"response": {"items": [{"play_count": 6}]}, "next_page_id": None},
            ),
        ],
        Metrics(followers=612, videos=39, views=11),
        ("x-access-key", KEY),
    ),
    "apify-tiktok": Imitation(
        TIKTOK,
        [
            (
                "/v2/acts/clockworks~tiktok-profile-scraper/run-sync-get-dataset-items",
                {"profiles": ["some.creator"], "resultsPerPage": 1},
                [{"authorMeta": {"name": "some.creator", "fans": 10, "heart": 20, "video": 3}, "playCount": 5}],
            )
        ],
        Metrics(followers=10, likes=20, videos=3),
        ("authorization", f"Bearer {KEY}"),
    ),
    "brightdata-tiktok": Imitation(
        TIKTOK,
        [
            ("/datasets/v3/trigger", {"dataset_id": "gd_l1villgoiiidt09ci"}, {"snapshot_id": "s_1"}),
            ("/datasets/v3/progress/s_1", {}, {"status": "ready"}),
            (
                "/datasets/v3/snapshot/s_1",
                {"format": "json"},
                [{"url": "https://www.tiktok.com/@some.creator", "followers": 5, "likes": 6, "videos_count": 7}],
            ),
        ],
        Metrics(followers=5, likes=6, videos=7),
        ("authorization", f"Bearer {KEY}"),
    ),
    "threads-profile-lookup": Imitation(
        THREADS,
        [
            (
                "/profile_lookup",
                {"username": "meta"},
                {"username": "meta", "follower_count": 1234567, "likes_count": 4321, "views_count": 99999},
            )
        ],
        Metrics(followers=1234567),
        ("authorization", f"Bearer {KEY}"),
    ),
}


def parser(recipe: str, url: str, **more: Any) -> HttpJson:
    """A parser that has nothing but the recipe's name and a key, at another address."""
    table = {"source": "rented", "recipe": recipe, "key": KEY, "api_url": url}
    return HttpJson(HttpJsonSettings.model_validate(table | more))


def one(link: str) -> Account:
    return account("tiktok", 0, link)


def test_every_recipe_is_tried() -> None:
    """Each recipe has an imitation here, says where its shape was seen and when, and has an address of its own."""
    assert set(IMITATIONS) == set(recipes.names())
    for name in recipes.names():
        about = recipes.read(name)["about"]
        assert about["source"], name
        assert about["where"], name
        assert date(2026, 1, 1) <= about["seen"]
        assert recipes.read(name)["api_url"].startswith("https://")


@pytest.mark.parametrize("recipe", IMITATIONS)
async def test_recipe(recipe: str) -> None:
    """With nothing but a key the recipe asks what its source expects and finds the metrics in its answers."""
    imitation = IMITATIONS[recipe]
    left = list(imitation.exchanges)
    wrong: list[str] = []

    def answer(call: Call) -> Reply:
        path, carried, reply = left.pop(0)
        sent = {**call.query, **(call.body if isinstance(call.body, dict) else {})}
        if call.path != path or not carried.items() <= sent.items():
            wrong.append(f"{call.method} {call.path} {sent}, expected {path} {dict(carried)}")
        return Reply(reply)

    with FakePlatform(answer) as platform:
        found, stop = await drain(parser(recipe, platform.url), [one(imitation.link)])
    assert stop is None
    assert wrong == []
    assert left == []
    (value,) = values(found)
    assert (value.metrics, value.flaw) == (imitation.metrics, "")
    name, content = imitation.header
    assert {call.headers[name] for call in platform.calls} == {content}


GONE = {
    "tiktok-api23": {"statusCode": 10221, "status_msg": "user doesn't exist", "userInfo": {}},
    "tiktok-scraper7": {"code": -1, "msg": "unique_id is invalid"},
    "hikerapi-instagram": {"pk": "1", "is_private": True, "follower_count": 3},
}


@pytest.mark.parametrize("recipe", GONE)
async def test_who_is_gone(recipe: str) -> None:
    """Sources that answer 200 for an account that they do not have, or that is private, are understood."""
    with FakePlatform(lambda _call: Reply(GONE[recipe])) as platform:
        found, _ = await drain(parser(recipe, platform.url), [one(IMITATIONS[recipe].link)])
    assert [trouble.gone for trouble in troubles(found)] == [True]


EXHAUSTED = {"message": "You have exceeded the MONTHLY quota"}


@pytest.mark.parametrize("recipe", IMITATIONS)
async def test_an_error_in_a_200_is_no_value(recipe: str) -> None:
    """Whichever request a source answers with 200 and an error, a later page too: what that step is for has no value.

    It is told in the source's words; the steps before it count.
    """
    imitation = IMITATIONS[recipe]
    paths = [path for path, _, _ in imitation.exchanges]
    for failing, path in enumerate(paths):
        answered: list[str] = []

        def answer(call: Call, failing: int = failing, answered: list[str] = answered) -> Reply:
            answered.append(call.path)
            at = len(answered) - 1
            return Reply(EXHAUSTED if at >= failing else imitation.exchanges[at][2])

        with FakePlatform(answer) as platform:
            found, stop = await drain(parser(recipe, platform.url), [one(imitation.link)])
        assert stop is None
        assert not any(trouble.gone for trouble in troubles(found))
        told = [value.flaw for value in values(found)] + [trouble.reason for trouble in troubles(found)]
        assert all("You have exceeded the MONTHLY quota" in words for words in told), (path, told)
        # Only the first step of a look-up and a list has counts of its own.
        had = paths.index(path) > 0 and any(step.get("metrics") for step in recipes.read(recipe)["steps"][:-1])
        counts = [count for value in values(found) for count in value.metrics if count is not None]
        assert 0 not in counts
        listed = recipes.read(recipe)["steps"][-1]["metrics"]
        assert all(getattr(value.metrics, name) is None for value in values(found) for name in listed)
        assert bool(counts) == had, (path, counts)


async def test_the_users_own_keys_go_first() -> None:
    """What stands in the user's table replaces the recipe's; headers are joined."""
    with FakePlatform(lambda _call: Reply(GONE["tiktok-api23"])) as platform:
        asked = parser("tiktok-api23", platform.url, headers={"X-RapidAPI-Host": "other.example"}, rate="7/min")
        await drain(asked, [one(TIKTOK)])
    (call,) = platform.calls
    assert (call.headers["x-rapidapi-host"], call.headers["x-rapidapi-key"]) == ("other.example", KEY)


def test_a_recipe_without_a_key_is_refused() -> None:
    """A recipe whose source wants a key says so when the configuration is read."""
    with pytest.raises(ValidationError, match="has no key"):
        HttpJsonSettings.model_validate({"source": "rented", "recipe": "tiktok-api23"})


def test_an_unknown_recipe_names_those_there_are() -> None:
    """A misspelt recipe is answered with the list."""
    with pytest.raises(ValidationError, match="no recipe 'tiktok'; there are apify-tiktok"):
        HttpJsonSettings.model_validate({"source": "rented", "recipe": "tiktok", "key": KEY})
