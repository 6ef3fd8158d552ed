"""`http_json` in steps: look-ups, bodies, pages, batches, polling, and what a mistake in any of them costs."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fake_platforms import Call, FakePlatform, Reply, account, drain, troubles, values
from smart_sync.core.model import Account, Metrics, Precision
from smart_sync.parsers import step_settings
from smart_sync.parsers.http_json import HttpJson, HttpJsonSettings
from smart_sync.parsers.inspection import inspect_links
from smart_sync.parsers.parser import Fetched
from smart_sync.parsers.registry import build
from smart_sync.parsers.step_results import StepResults

KEY = "canary-rented-key"
POSTS = "sum([].data.items[].stats.plays)"


def source(url: str, *steps: dict[str, Any], **more: Any) -> HttpJson:
    table = {"source": "rented", "platforms": ["tiktok"], "headers": {"X-Key": KEY}, "api_url": url, "steps": steps}
    return HttpJson(HttpJsonSettings.model_validate(table | more))


LOOK_UP = {
    "url": "user/info?uniqueId={username}",
    "gone": "statusCode == `10221`",
    "failed": "statusCode && statusCode != `0`",
    "take": {"secUid": "userInfo.user.secUid"},
    "metrics": {"followers": "userInfo.stats.followerCount", "likes": "userInfo.stats.heartCount"},
}
LIST = {
    "url": "user/posts",
    "json": {"secUid": "{secUid}", "count": 35},
    "next": "data.hasMore && data.cursor",
    "next_param": "cursor",
    "max_pages": 3,
    "metrics": {"views": POSTS},
}
USER = {
    "statusCode": 0,
    "userInfo": {"user": {"secUid": "MS4w&/?"}, "stats": {"followerCount": 616, "heartCount": 20}},
}


def page(plays: int, cursor: object = None, more: object = False, **also: Any) -> dict[str, Any]:
    return {"data": {"items": [{"stats": {"plays": plays}}], "hasMore": more, "cursor": cursor}} | also


async def asked(
    answer: Callable[[Call], Reply], *steps: dict[str, Any], **more: Any
) -> tuple[list[Fetched], list[Call]]:
    """What the source says of one account, and what it was asked."""
    accounts = more.pop("accounts", [account("tiktok")])
    with FakePlatform(answer) as platform:
        found, stop = await drain(source(platform.url, *steps, **more), accounts)
    assert stop is None
    return found, platform.calls


def in_turn(*replies: object) -> Callable[[Call], Reply]:
    """The replies one after the other; the last for ever."""
    left = list(replies)

    def answer(_call: Call) -> Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        return reply if isinstance(reply, Reply) else Reply(reply)

    return answer


async def test_a_look_up_leads_to_the_list() -> None:
    """What the first step takes goes into the second's body; the page's token goes where the step says."""
    found, calls = await asked(in_turn(USER, page(100, "17", more=True), page(23)), LOOK_UP, LIST)
    assert values(found)[0].metrics == Metrics(followers=616, likes=20, views=123)
    assert [(call.method, call.path, call.body) for call in calls] == [
        ("GET", "/user/info", None),
        ("POST", "/user/posts", {"secUid": "MS4w&/?", "count": 35}),
        ("POST", "/user/posts", {"secUid": "MS4w&/?", "count": 35, "cursor": "17"}),
    ]
    assert {call.headers["x-key"] for call in calls} == {KEY}


async def test_a_form_and_a_query_carry_the_token_too() -> None:
    """A form is sent as one, with the token in it; a GET has it in its address."""
    step = LIST | {"json": None, "form": {"user": "{username}"}}
    _, calls = await asked(in_turn(page(1, "p&2", more=True), page(2)), step)
    assert [call.body for call in calls] == [{"user": "charli"}, {"user": "charli", "cursor": "p&2"}]
    step = LIST | {"json": None, "query": {"user": "{username}"}}
    _, calls = await asked(in_turn(page(1, "p&2", more=True), page(2)), step)
    assert [call.query for call in calls] == [{"user": "charli"}, {"user": "charli", "cursor": "p&2"}]


@pytest.mark.parametrize("more", [0, False, None, "", []])
async def test_no_more_is_what_sources_write_for_it(more: object) -> None:
    """0 is false where a page says that there is no more, though JMESPath thinks otherwise."""
    found, calls = await asked(in_turn(page(5, "1699", more=more)), LIST | {"json": {"u": "{username}"}})
    assert (values(found)[0].metrics.views, len(calls)) == (5, 1)


async def test_a_zero_stays_a_zero() -> None:
    """In a metric 0 is a value: it does not fall through to the next alternative."""
    step = {"url": "u?n={username}", "metrics": {"followers": "a || b"}}
    found, _ = await asked(in_turn({"a": 0, "b": 7}), step)
    assert values(found)[0].metrics == Metrics(followers=0)


async def test_a_cursor_that_stands_still_ends_the_list() -> None:
    """A source that answers the cursor it was sent is not asked for ever, and no page counts twice."""
    found, calls = await asked(
        in_turn(page(5, "9", more=True), page(6, "9", more=True)), LIST | {"json": {"u": "{link}"}}
    )
    assert (values(found)[0].metrics.views, len(calls)) == (11, 2)


async def test_a_cursor_that_arrives_encoded_is_encoded_once() -> None:
    """``AQHR%2Bab%3D%3D`` is sent as it was meant; a cursor with a bare percent sign as it is."""
    step = {"url": "reels", "query": {"url": "{link}"}, "next": "cursor", "metrics": {"views": "sum([].n)"}}
    for sent, meant in (("AQHR%2Bab%3D%3D", "AQHR+ab=="), ("100% more", "100% more"), ("a+b/c=%20", "a+b/c=%20")):
        _, calls = await asked(in_turn({"n": 1, "cursor": sent}, {"n": 2}), step)
        assert calls[1].query["cursor" if "next_param" in step else "page_token"] == meant


async def test_a_failure_on_a_later_page_is_no_exact_sum() -> None:
    """A 200 that says on page 2 that it failed leaves page 1's sum nowhere; what came before the step stays."""
    broken = {"statusCode": 500, "message": "upstream is busy"}
    step = LIST | {"failed": "statusCode"}
    found, _ = await asked(in_turn(USER, page(100, "17", more=True), broken), LOOK_UP, step)
    (value,) = values(found)
    assert value.metrics == Metrics(followers=616, likes=20)
    assert value.flaw == "step 2: the source refuses: upstream is busy"


ONE_STEP = LIST | {"json": {"u": "{username}"}}
QUOTA = {"message": "You have exceeded the quota"}


async def test_an_error_in_a_200_is_no_sum() -> None:
    """Without ``failed``, too: a page that lacks the array is reported with its number, and leaves no sum."""
    found, _ = await asked(in_turn(QUOTA), ONE_STEP)
    assert values(found) == []
    assert f"page 1 has nothing where {POSTS} looks; the source says: You have" in troubles(found)[0].reason
    found, _ = await asked(in_turn(USER, page(100, "17", more=True), QUOTA), LOOK_UP, LIST)
    (value,) = values(found)
    assert value.metrics == Metrics(followers=616, likes=20)
    assert value.flaw == (
        f"views: page 2 has nothing where {POSTS} looks; the source says: You have exceeded the quota"
    )


#: An expression with ``next``, pages, and the value: None where something is missing.
SUMS = [
    ("sum([].data.items[].stats.plays)", [page(5), {"data": {"items": []}}], 5),
    ("sum([].data.items[].stats.plays)", [{"data": {"items": []}}], 0),
    ("sum([].data.items[].stats.plays)", [page(0)], 0),
    ("sum([].data.items[].stats.plays)", [page(5), {"data": {"items": None}}], None),
    ("sum([].data.items[].stats.plays)", [{"data": {"items": [{"stats": {"views": 9}}]}}], None),
    ("sum([].data.items[].stats.plays)", [page(5), {"data": {"items": [{"id": "a photo"}]}}], 5),
    ("sum([].n)", [{"n": 1}, {"m": 1}], None),
    ("sum([].n)", [[{"n": 1}], []], 1),
    ("sum([].n)", [[{"n": 1}], QUOTA], None),
    ("sum([*].items[*].n | [])", [{"items": [{"n": 1}]}, {"items": []}], 1),
    ("sum([*].items[*].n | [])", [{"items": [{"n": 1}]}, QUOTA], None),
    ("sum([].items[?kind == 'reel'][].n)", [{"items": [{"kind": "photo"}]}], 0),
    ("sum([].items[?kind == 'reel'][].n)", [{"items": [{"kind": "reel", "n": 2}]}, QUOTA], None),
    ("length([].items[])", [{"items": [1, 2]}, QUOTA], None),
    ("length([].items[])", [{"items": []}], 0),
    ("sum([].[details[], details.*][][].n)", [{"details": [{"n": 1}]}, {"details": {"0": {"n": 2}}}], 3),
    ("sum([].[details[], details.*][][].n)", [{"details": []}, {"details": {}}], 0),
    ("sum([].[details[], details.*][][].n)", [{"details": [{"n": 1}]}, QUOTA], None),
    ("[0].user.fans", [{"user": {"fans": 3}}, {}], 3),
]


@pytest.mark.parametrize(("expression", "pages", "value"), SUMS)
async def test_what_is_missing_is_no_zero(expression: str, pages: list[Any], value: int | None) -> None:
    """Over pages an array that is not there makes no sum; one that is empty adds nothing to it."""
    found = StepResults()
    found.read({"views": expression}, pages, paged=True)
    assert (found.counts.get("views"), bool(found.flaws)) == (value, value is None)


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ({"a": []}, 0),
        ({"a": [{"b": 2}, {}]}, 2),
        ({"a": [{"c": 1}]}, None),
        (QUOTA, None),
        ({"a": [{"b": 2_583_730_688}, {"b": -1_711_236_608}]}, None),
    ],
)
async def test_one_page_without_the_figures_is_no_zero(document: object, value: int | None) -> None:
    """Without ``next`` an array whose elements all lack the figure makes no sum either, nor does a count below 0."""
    found = StepResults()
    found.read({"views": "sum(a[].b)"}, document)
    assert (found.counts.get("views"), bool(found.flaws)) == (value, value is None)


async def test_an_answer_that_does_not_fit_is_told_in_its_own_words() -> None:
    """Beside the expression that does not fit stands what the source says."""
    step = {"url": "u?n={username}", "metrics": {"views": "sum(a[].b)"}}
    found, _ = await asked(in_turn({"error": "quota exceeded"}), step)
    assert troubles(found)[0].reason.endswith("sum() is given what is null; the source says: quota exceeded")
    found, _ = await asked(in_turn({"error": "quota exceeded"}), step | {"metrics": {"views": "n"}})
    assert troubles(found)[0].reason.endswith("the source says: quota exceeded")
    found, _ = await asked(in_turn({"error": "quota exceeded"}), {"url": "u?n={username}", "take": {"a": "a"}}, step)
    assert troubles(found)[0].reason == "step 1: the answer has no a (a): quota exceeded"


@pytest.mark.parametrize(("cursor", "kind"), [({"id": 5}, "an object"), ([5], "an array"), (0.5, "a fraction")])
async def test_a_token_that_can_be_none_is_told(cursor: object, kind: str) -> None:
    """A page that has a next one whose token cannot be sent is no last page."""
    found, _ = await asked(in_turn(page(5, cursor, more=True)), ONE_STEP)
    assert values(found) == []
    assert troubles(found)[0].reason == f"the token of the next page is {kind}; correct next ({LIST['next']})"


async def test_a_token_written_as_a_fraction_is_a_number() -> None:
    """``1.7e12`` is sent as the whole number that it is."""
    found, calls = await asked(in_turn(page(5, 1.7e12, more=True), page(6)), ONE_STEP)
    assert (values(found)[0].metrics.views, calls[1].body["cursor"]) == (11, "1700000000000")


async def test_who_is_gone_is_gone_on_any_page() -> None:
    """``gone`` ends the account, with the seller's own words."""
    found, _ = await asked(in_turn({"statusCode": 10221, "status_msg": "user doesn't exist"}), LOOK_UP, LIST)
    (trouble,) = troubles(found)
    assert (trouble.gone, trouble.reason) == (True, "the source does not have it: user doesn't exist")


async def test_too_many_pages_are_said() -> None:
    """More pages than ``max_pages`` give no value, unless ``on_more`` takes what is there."""
    pages = [page(1, str(number), more=True) for number in range(9)]
    step = LIST | {"json": {"u": "{username}"}}
    found, calls = await asked(in_turn(*pages), step)
    assert len(calls) == 3
    assert "more than 3 pages" in troubles(found)[0].reason
    found, _ = await asked(in_turn(*pages), step | {"on_more": "take"})
    assert values(found)[0].metrics.views == 3


async def test_an_expression_that_fails_costs_its_metric_only() -> None:
    """One metric that cannot be read is named; the others count."""
    step = {"url": "u?n={username}", "metrics": {"followers": "a", "views": "sum(b)", "likes": "c", "videos": "d"}}
    found, _ = await asked(in_turn({"a": 5, "b": "x", "c": -1711236608, "d": [1]}), step)
    (value,) = values(found)
    assert value.metrics == Metrics(followers=5)
    assert [part.split(":")[0] for part in value.flaw.split("; ")] == ["views", "likes", "videos"]


@pytest.mark.parametrize(("text", "precision"), [("1.2M", "rounded"), ("1,234", "exact"), ("1234", "exact")])
async def test_a_short_figure_is_rounded(text: str, precision: str) -> None:
    """A figure written as text is rounded where it is written short, whatever the table says."""
    found, _ = await asked(in_turn({"a": text}), {"url": "u?n={username}", "metrics": {"likes": "a"}})
    assert values(found)[0].precision is Precision(precision)


async def test_a_short_figure_leaves_the_others_exact() -> None:
    """Followers of 1000 beside likes of "1.2M" are 1000: the sheet's 960 does not count as the same figure."""
    step = {"url": "u?n={username}", "metrics": {"followers": "a", "likes": "b"}}
    (told,) = values((await asked(in_turn({"a": 1000, "b": "1.2M"}), step))[0])
    assert (told.precision_of("followers"), told.precision_of("likes")) == (Precision.EXACT, Precision.ROUNDED)


async def test_a_paid_job_is_not_started_twice() -> None:
    """A POST that fails is not repeated in the same pass; a GET is."""
    found, calls = await asked(in_turn(Reply({}, 502)), LIST | {"json": {"u": "{username}"}})
    assert (len(calls), "502" in troubles(found)[0].reason) == (1, True)


async def test_what_was_taken_is_remembered() -> None:
    """A look-up for nothing but an id is made once; if the id is not known any more, once again."""
    look_up = {"url": "id?n={username}", "take": {"pk": "pk"}}
    clips = {"url": "clips?id={pk}", "metrics": {"views": "n"}}
    replies = iter([{"pk": "1"}, {"n": 5}, {"n": 6}, Reply({}, 404), {"pk": "2"}, {"n": 7}])

    def answer(_call: Call) -> Reply:
        reply = next(replies)
        return reply if isinstance(reply, Reply) else Reply(reply)

    with FakePlatform(answer) as platform:
        asking = source(platform.url, look_up, clips)
        seen = [values((await drain(asking, [account("tiktok")]))[0])[0].metrics.views for _ in range(3)]
    assert seen == [5, 6, 7]
    assert [call.path for call in platform.calls] == ["/id", "/clips", "/clips", "/clips", "/id", "/clips"]


async def test_a_call_that_failed_is_not_paid_for_twice() -> None:
    """After a failed call the steps are not gone through again in the same pass, and what was taken is kept."""
    look_up = {"url": "id?n={username}", "take": {"pk": "pk"}}
    clips = {"url": "clips", "json": {"pk": "{pk}"}, "metrics": {"views": "n"}}
    answer = in_turn({"pk": "1"}, {"n": 5}, Reply({}, 502), {"n": 6})
    with FakePlatform(answer) as platform:
        asking = source(platform.url, look_up, clips)
        found = [(await drain(asking, [account("tiktok")]))[0] for _ in range(3)]
    assert [value.metrics.views for one in found for value in values(one)] == [5, 6]
    assert [call.path for call in platform.calls] == ["/id", "/clips", "/clips", "/clips"]


async def test_what_was_taken_outlives_what_ends_the_pass() -> None:
    """A look-up that was paid for is not made again after a throttle or a cut in the step that follows it."""
    look_up = {"url": "id?n={username}", "take": {"pk": "pk"}}
    clips = {"url": "clips", "json": {"pk": "{pk}"}, "metrics": {"views": "n"}}
    for ending in (Reply({}, 429), Reply({}, 402), Reply({}, 401)):
        with FakePlatform(in_turn({"pk": "1"}, ending, {"n": 6})) as platform:
            asking = source(platform.url, look_up, clips)
            await drain(asking, [account("tiktok")])
            assert list(asking.remembered.values()) == [{"pk": "1"}]
            found, _ = await drain(asking, [account("tiktok")])
        assert [call.path for call in platform.calls] == ["/id", "/clips", "/clips"]
        assert values(found)[0].metrics.views == 6


async def test_what_is_taken_is_kept_at_once() -> None:
    """While the second step is under way, what the first has taken is remembered already; a cut does not lose it."""
    look_up = {"url": "id?n={username}", "take": {"pk": "pk"}}
    clips = {"url": "clips", "json": {"pk": "{pk}"}, "metrics": {"views": "n"}}
    reached, release = threading.Event(), threading.Event()

    def answer(call: Call) -> Reply:
        if call.path == "/id":
            return Reply({"pk": "1"})
        reached.set()
        release.wait(30)
        return Reply({"n": 1})

    with FakePlatform(answer) as platform:
        asking = source(platform.url, look_up, clips)
        running = asyncio.create_task(drain(asking, [account("tiktok")]), name="drain")
        await asyncio.to_thread(reached.wait, 30)
        assert list(asking.remembered.values()) == [{"pk": "1"}]
        running.cancel()
        await asyncio.wait([running])
        release.set()
    assert list(asking.remembered.values()) == [{"pk": "1"}]


async def test_a_secret_that_is_taken_is_not_shown() -> None:
    """What an answer brings under the name of a secret stands in nothing that ``parse`` shows."""
    login = {"url": "login?u={username}", "take": {"tok": "data.access_token", "api_key": "k"}}
    read = {"url": "n?t={tok}&user={username}", "query": {"k": "{api_key}"}, "metrics": {"views": "n"}}
    with FakePlatform(in_turn({"data": {"access_token": "tok-QQ88"}, "k": "plain/word"}, {"n": 1})) as platform:
        table = HttpJsonSettings.model_validate(
            {"kind": "http_json", "source": "rented", "platforms": ["tiktok"], "api_url": platform.url}
            | {"steps": [login, read]}
        )
        shown = json.dumps(await inspect_links(build({"rented": table}), ["https://www.tiktok.com/@some.creator"]))
    assert '"views": 1' in shown
    assert "tok-QQ88" not in shown
    assert "plain/word" not in shown
    assert "plain%2Fword" not in shown
    assert "&user=some.creator&k=" in shown


ELSEWHERE = {
    "json": {"json": {"a": ["{link}", {"api": "env:NAME"}]}},
    "form": {"form": {"a": "{link}", "api": "file:key.txt"}},
    "query": {"query": {"a": "{link}", "api": "credential:name"}},
    "url": {"url": "u?a={link}&api=env:NAME"},
}


@pytest.mark.parametrize("step", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_secret_in_a_step_is_refused(step: dict[str, Any]) -> None:
    """``env:NAME`` in a step would be sent as these words: the key is named, and where a secret belongs."""
    with pytest.raises(ValidationError, match=r"api names a secret .* headers or query of \[parsers"):
        source("https://api.example.com", {"url": "u", "metrics": {"likes": "a"}} | step)


NAMES = [f"name{number}" for number in range(5)]


def accounts(names: list[str] = NAMES) -> list[Account]:
    return [account("tiktok", number, f"https://www.tiktok.com/@{name}") for number, name in enumerate(names)]


async def test_a_batch_is_one_request_for_many() -> None:
    """Rows find their accounts by link or user name, however written; who has no row is gone."""

    def answer(call: Call) -> Reply:
        rows = [{"url": item["url"].replace("www.", "m.") + "?lang=en", "fans": 7} for item in call.body]
        return Reply([row for row in rows if "name1" not in row["url"]])

    step = {
        "url": "jobs",
        "json": [{"url": "{each.link}"}],
        "rows": "[]",
        "key": "url",
        "metrics": {"followers": "fans"},
    }
    found, calls = await asked(answer, step, batch=3, accounts=accounts())
    assert sorted(len(call.body) for call in calls) == [2, 3]
    assert {value.account_id for value in values(found)} == {f"tiktok-{number}" for number in (0, 2, 3, 4)}
    assert [(trouble.account_id, trouble.gone) for trouble in troubles(found)] == [("tiktok-1", True)]


async def test_a_page_of_rows_that_fails_says_of_nobody_that_he_is_gone() -> None:
    """Where a later page of a batch's rows is an error in a 200, who has no row yet is not taken for gone."""
    step = {"url": "jobs", "json": {"links": "{links}"}, "next": "cursor", "rows": "[].rows[]", "key": "who"}
    step |= {"metrics": {"followers": "fans"}}
    first = {"rows": [{"who": "name0", "fans": 7}], "cursor": "p2"}
    found, _ = await asked(in_turn(first, QUOTA), step, batch=9, accounts=accounts(NAMES[:2]))
    assert values(found) == []
    assert not any(trouble.gone for trouble in troubles(found))
    assert "page 2 has nothing where [].rows[] looks: You have exceeded" in troubles(found)[0].reason


async def test_a_batch_by_names() -> None:
    """``"{usernames}"`` is the list of names; a row is found by its name in any case."""

    def answer(call: Call) -> Reply:
        return Reply({"rows": [{"who": "@" + name.upper(), "fans": 1} for name in call.body["names"]]})

    step = {
        "url": "jobs",
        "json": {"names": "{usernames}", "deep": 1},
        "rows": "rows",
        "key": "who",
        "metrics": {"likes": "fans"},
    }
    found, calls = await asked(answer, step, batch=20, accounts=accounts())
    assert [call.body for call in calls] == [{"names": NAMES, "deep": 1}]
    assert len(values(found)) == 5


async def test_an_account_without_a_name_is_not_asked_for_by_name() -> None:
    """In a batch by names an account whose link holds none is neither sent as nothing nor taken for gone."""
    nameless = account("tiktok", 9, "https://vm.tiktok.com/ZMabc/")
    step = {"url": "jobs", "json": {"names": "{usernames}"}, "rows": "@", "key": "who", "metrics": {"likes": "fans"}}
    found, calls = await asked(in_turn([]), step, batch=20, accounts=[*accounts(["a"]), nameless])
    assert [call.body for call in calls] == [{"names": ["a"]}]
    assert {trouble.account_id: trouble.gone for trouble in troubles(found)} == {"tiktok-0": True, "tiktok-9": False}
    found, calls = await asked(in_turn([]), step, batch=20, accounts=[nameless])
    assert (calls, [trouble.gone for trouble in troubles(found)]) == ([], [False])


async def test_a_job_is_waited_for() -> None:
    """A job is started once, asked about until it is ready, then read."""
    replies = in_turn({"id": "s/1"}, {"status": "collecting"}, {"status": "ready"}, [{"url": NAMES[0], "f": 3}])
    start = {"url": "jobs", "json": [{"url": "{each.link}"}], "take": {"job": "id"}}
    wait = {"url": "progress/{job}", "until": "status == 'ready'", "failed": "status == 'failed'", "wait": 0.01}
    read = {"url": "result/{job}", "rows": "@", "key": "url", "metrics": {"followers": "f"}}
    found, calls = await asked(replies, start, wait, read, batch=9, accounts=accounts()[:1])
    assert values(found)[0].metrics.followers == 3
    assert [call.path for call in calls] == ["/jobs", "/progress/s%2F1", "/progress/s%2F1", "/result/s%2F1"]


async def test_a_job_that_never_ends_is_given_up() -> None:
    """``timeout`` bounds the waiting, and the accounts of the batch fail with the reason."""
    start = {"url": "jobs", "json": [{"url": "{each.link}"}], "take": {"job": "id"}}
    wait = {"url": "p/{job}", "until": "status == 'ready'", "wait": 0.01, "timeout": 0.2}
    read = {"url": "r/{job}", "rows": "@", "key": "url", "metrics": {"followers": "f"}}
    found, _ = await asked(in_turn({"id": "s"}, {"status": "x"}), start, wait, read, batch=9, accounts=accounts())
    assert {trouble.reason for trouble in troubles(found)} == {"step 2: not ready within 0.2 s (status == 'ready')"}


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        ("@Charli", ""),
        ("https://m.tiktok.com/@charli?lang=en", ""),
        ("else", 'the answer is of "else", asked was for "charli"'),
        ("https://www.tiktok.com/@else", 'the answer is of "https://www.tiktok.com/@else", asked was for "charli"'),
        (None, "the answer does not say whose it is (user.name)"),
    ],
)
async def test_the_answer_of_another_account_is_no_value(said: str | None, trouble: str) -> None:
    """With ``who`` the numbers of somebody else are not taken for the account's, and both are named."""
    step = {"url": "u?n={username}", "who": "user.name", "metrics": {"likes": "n"}}
    found, _ = await asked(in_turn({"user": {"name": said}, "n": 5}), step)
    assert [value.metrics.likes for value in values(found)] == ([] if trouble else [5])
    assert [one.reason for one in troubles(found)] == ([trouble] if trouble else [])


START = {"url": "jobs", "json": [{"url": "{each.link}"}], "take": {"job": "id"}}
WAIT = {"url": "progress/{job}", "until": "status == 'ready'", "wait": 0.01}
READ = {"url": "result/{job}", "rows": "data || @", "key": "url", "metrics": {"followers": "f"}}


@pytest.mark.parametrize(
    "odd", [Reply({}, 404), Reply(b"<html>"), Reply({"data": {}}), Reply([{"url": "x"}]), Reply({"status": "x"}, 202)]
)
async def test_an_odd_answer_starts_no_second_job(odd: Reply) -> None:
    """Whatever the later steps answer, one job is started for a batch, and nobody is gone by it."""
    found, calls = await asked(
        in_turn({"id": "s"}, {"status": "ready"}, odd), START, WAIT, READ, batch=20, accounts=accounts()
    )
    assert [call.method for call in calls].count("POST") == 1
    assert [trouble.gone for trouble in troubles(found)] == [False] * 5


async def test_not_ready_yet_is_waited_for() -> None:
    """A 202 is no answer: polling goes on after it however often it comes, and accepting a POST by it is fine."""
    building = Reply({"status": "building"}, 202)
    replies = in_turn(Reply({"id": "s"}, 202), *[building] * 30, {"status": "ready"}, [{"url": NAMES[0], "f": 3}])
    found, calls = await asked(replies, START, WAIT, READ, batch=9, accounts=accounts()[:1])
    assert values(found)[0].metrics.followers == 3
    assert len(calls) == 33
    soon = Reply({"message": "Snapshot is building"}, 202, {"Retry-After": "1"})
    replies = in_turn({"id": "s"}, {"status": "ready"}, soon, [{"url": NAMES[0], "f": 3}])
    found, _ = await asked(replies, START, WAIT, READ, batch=9, accounts=accounts()[:1])
    assert values(found)[0].metrics.followers == 3


async def test_a_row_that_is_found_by_a_number() -> None:
    """A name that is all digits may come as a number; rows of others are the table's mistake, and nobody is gone."""
    step = {"url": "jobs", "json": "{usernames}", "rows": "@", "key": "who", "metrics": {"likes": "n"}}
    found, _ = await asked(in_turn([{"who": 4711, "n": 5}]), step, batch=9, accounts=accounts(["4711"]))
    assert values(found)[0].metrics.likes == 5
    for rows, says in (([{"who": 99}], 'it says "99"'), ([{"who": None}, {}], "it says neither a text nor a number")):
        found, _ = await asked(in_turn(rows), step, batch=9, accounts=accounts())
        assert {(one.gone, one.reason) for one in troubles(found)} == {
            (False, f"no row's who names an account of the batch; {says}; correct key")
        }


async def test_a_name_that_two_platforms_have() -> None:
    """One batch never mixes platforms: a row that is found by its user name is no other platform's account."""
    both = [
        account("tiktok", 0, "https://www.tiktok.com/@same"),
        account("instagram", 1, "https://www.instagram.com/same"),
        account("tiktok", 2, "https://www.tiktok.com/@other"),
    ]

    def answer(call: Call) -> Reply:
        rows = [{"who": link.rpartition("/")[2].strip("@"), "n": 1 + ("tiktok" in link)} for link in call.body]
        return Reply(rows)

    step = {"url": "jobs", "json": "{links}", "rows": "@", "key": "who", "metrics": {"likes": "n"}}
    table = {"platforms": ["tiktok", "instagram"], "batch": 9, "accounts": both}
    found, calls = await asked(answer, step, **table)
    assert {value.account_id: value.metrics.likes for value in values(found)} == {
        "tiktok-0": 2,
        "instagram-1": 1,
        "tiktok-2": 2,
    }
    assert sorted(len(call.body) for call in calls) == [1, 2]


MISTAKES = {
    "a job longer than the pass": ([{**LOOK_UP, "until": "a", "timeout": "10m"}], "steps.1.timeout: 600 s is not less"),
    "a placeholder of a later step": ([LIST], "no such placeholder: {secUid}"),
    "two bodies": ([{**LIST, "json": {"a": "{link}"}, "form": {}}], "both json and form"),
    "polling by POST": ([{**LIST, "json": {"a": "{link}"}, "next": None, "until": "a"}], "poll with a GET"),
    "rows without a batch": ([{"url": "u?{link}", "rows": "a", "key": "b", "metrics": {"likes": "c"}}], "batch"),
    "nobody is meant": ([{"url": "u", "metrics": {"likes": "c"}}], "which one is meant"),
    "no metric": ([{"url": "u?{link}"}], "no step has metrics"),
    "an open brace": ([{"url": "u?{link", "metrics": {"likes": "c"}}], "brace"),
    "a brace in a body": ([{"url": "u?{link}", "json": {"a": ["{"]}, "metrics": {"likes": "c"}}], "brace"),
    "a host of the account's": ([{"url": "https://{username}.example.com", "metrics": {"likes": "c"}}], "the host"),
    "in the clear": ([{"url": "http://example.com/{link}", "metrics": {"likes": "c"}}], "https"),
}


@pytest.mark.parametrize(("steps", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_found_at_the_start(steps: list[dict[str, Any]], words: str) -> None:
    """A table that cannot work is refused when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        source("https://api.example.com", *steps)


def test_platforms_are_required() -> None:
    """Without them a source would be asked for the accounts of other platforms."""
    with pytest.raises(ValidationError, match="platforms"):
        HttpJsonSettings.model_validate({"source": "x", "url": "https://a.example/{link}", "metrics": {"likes": "a"}})


@given(st.text(), st.text())
def test_no_value_is_taken_for_a_template(name: str, text: str) -> None:
    """Whatever an account is called, its name is filled in as it is: braces are not read again."""
    filled = {"username": name, "link": text}
    assert step_settings.body({"a": ["{username}/{link}"]}, filled) == {"a": [f"{name}/{text}"]}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_name_leaves_its_place_in_the_address(name: str) -> None:
    """A name adds no path, no option and no host."""
    address = step_settings.address("https://api.example.com/u/{username}?full=1", {"username": name})
    assert address.count("/") == 4
    assert address.count("?") == 1
    assert "#" not in address
    assert json.dumps(address).isascii()
