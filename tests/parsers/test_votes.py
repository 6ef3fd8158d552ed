"""Parsed values lose their vote: forgotten, too old, of an earlier link; and a clock that is ahead blocks nothing."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from daemon_process import run_command
from smart_sync.admin.ingest import NothingToForget, forget, format_of, ingest
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS, Metrics, Outcome, ParsedMetrics, Precision
from smart_sync.errors import SmartSyncError
from smart_sync.report.explain import explain
from smart_sync.store import parsed_values
from smart_sync.store.schema import open_existing
from world import World, link

NOTHING: list[int | None] = [None] * 4
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INBOX, FILE, PARSER, QUERY = "the inbox", "a file", "a parser", "a query"
PLACES = [INBOX, FILE, PARSER, QUERY]


async def begun(world: World, sheet: Sequence[int | None] | None = None, strategy: str = "max") -> None:
    """Project P with account a; its row holds ``sheet``."""
    world.add_project("P", ["a"])
    world.execute("CREATE TABLE told (account_id TEXT PRIMARY KEY, followers INTEGER, parsed_at TEXT)")
    world.sections["parsed"] = {"query": "SELECT account_id, followers, parsed_at, 'bot' AS source FROM told"}
    world.sections["merge"] = {"strategy": strategy}
    if sheet is not None:
        world.sheet("P", a=sheet)


async def say(world: World, place: str, followers: int, at: datetime, source: str = "bot") -> None:
    """Some source says how many followers account a has."""
    if place == INBOX:
        world.parsed("a", [followers, *NOTHING], parsed_at=stamp(at), source=source)
    elif place == QUERY:
        world.execute("DELETE FROM told")
        world.execute("INSERT INTO told VALUES ('account-a', ?, ?)", (followers, stamp(at)))
    elif place == FILE:
        text = f"account_id,followers,parsed_at,source\naccount-a,{followers},{stamp(at)},{source}\n"
        await ingest(world.where, text, format_of("x.csv", text), world.now)
    else:
        await put(world, Metrics(followers), at, source)


async def put(world: World, metrics: Metrics, at: datetime, source: str = "bot", **more: Any) -> None:
    async with open_existing(world.where, read_only=False) as database:
        await parsed_values.put(database, [ParsedMetrics("account-a", metrics, source, at, **more)], world.now)


async def taken_back(
    world: World, account: str | None = "account-a", source: str | None = None, metric: str | None = None
) -> int:
    answer = await forget(world.settings, account, source, metric, world.now)
    return int(answer["forgotten"])


async def explained(world: World) -> dict[str, Any]:
    (account,) = (await explain(world.settings, "account-a", METRICS, world.now))["accounts"]
    return cast("dict[str, Any]", account)


# Forgotten.


@pytest.mark.parametrize("place", PLACES)
async def test_a_forgotten_value_leaves_no_trace(world: World, place: str) -> None:
    """The sheet decides, else there is no value, and the snapshot of today follows; the rows of others stay."""
    await begun(world, [5, None, None, None, 7])
    await say(world, place, 999, world.now)
    await world.sync()
    assert world.merged("a") == (999, 0, 0, 0, 7)
    before = [world.execute(f"SELECT * FROM {table}") for table in ("parsed_metrics", "told", "parsed_values")]
    assert await taken_back(world) == 1
    world.now += HOUR
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((5, 0, 0, 0, 7), "sheet")
    assert [row[1] for row in world.snapshots("a")] == [5]
    assert [world.execute(f"SELECT * FROM {table}") for table in ("parsed_metrics", "told", "parsed_values")] == before


@pytest.mark.parametrize("place", PLACES)
async def test_where_nobody_else_has_a_vote_there_is_no_value(world: World, place: str) -> None:
    """The value is not carried: winner NULL, and today's snapshot of ours goes if nothing is left to say."""
    await begun(world)
    await say(world, place, 999, world.now)
    await world.sync()
    await taken_back(world)
    for _ in range(2):
        world.now += HOUR
        result = await world.sync_one()
        assert (world.merged("a"), world.winners("a")) == ((0,) * 5, (None,) * 5)
        assert (world.snapshots("a"), result.counts.carried, result.problems, result.suspects) == ([], 0, (), ())


@pytest.mark.parametrize("brought_by", PLACES)
@pytest.mark.parametrize("place", [INBOX, PARSER])
async def test_the_same_value_that_is_not_newer_stays_forgotten(world: World, place: str, brought_by: str) -> None:
    """Wherever it is brought again: of the same time or older; the same number parsed later has a vote again."""
    await begun(world, [5, *NOTHING])
    parsed_at = world.now - DAY
    await say(world, place, 999, parsed_at)
    await world.sync()
    await taken_back(world)
    for at in (parsed_at, parsed_at - HOUR):
        await say(world, brought_by, 999, at)
        await world.sync()
        assert world.merged("a") == (5, 0, 0, 0, 0)
    await say(world, brought_by, 999, parsed_at + HOUR)
    await world.sync()
    assert world.merged("a") == (999, 0, 0, 0, 0)


async def test_what_another_source_says_by_itself_stays_if_a_source_is_forgotten(world: World) -> None:
    """`--forget-source` takes nothing away from others, not even the same number; and every account is meant."""
    await begun(world)
    await say(world, PARSER, 500, world.now, "good")
    await say(world, PARSER, 500, world.now, "bad")
    assert await taken_back(world, None, "bad") == 1
    await world.sync()
    assert (world.merged("a"), (await explained(world))["metrics"]["followers"]["source"]) == (
        (500, 0, 0, 0, 0),
        "good",
    )
    assert await taken_back(world, "account-a", None, "followers") == 1
    await world.sync()
    assert world.winners("a") == (None,) * 5


async def test_a_value_that_did_not_count_changes_nothing_when_it_is_forgotten(world: World) -> None:
    """Under "latest" too: the newer value of another source had won, and goes on to win."""
    await begun(world, [5, *NOTHING], "latest")
    await world.sync()
    await say(world, PARSER, 400, world.now, "old")
    await say(world, PARSER, 500, world.now + timedelta(minutes=1), "new")
    world.now += HOUR
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((500, 0, 0, 0, 0), "parsed")
    await taken_back(world, None, "old")
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((500, 0, 0, 0, 0), "parsed")


async def test_what_was_taken_back_once_takes_nothing_along_later(world: World) -> None:
    """The value of another source that has counted since is carried when that source withdraws it, as ever."""
    await begun(world)
    await say(world, INBOX, 400, world.now - HOUR, "script")
    await say(world, PARSER, 999, world.now)
    await world.sync()
    await taken_back(world, None, "bot")
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((400, 0, 0, 0, 0), "parsed")
    world.execute("DELETE FROM parsed_metrics")
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((400, 0, 0, 0, 0), "carried")


async def test_one_metric_alone_can_be_forgotten(world: World) -> None:
    """The others keep their votes."""
    await begun(world)
    await put(world, Metrics(1, 2, 3, 4, 5), world.now)
    assert await taken_back(world, metric="likes") == 1
    await world.sync()
    assert (world.merged("a"), world.winners("a")[1]) == ((1, 0, 3, 4, 5), None)


async def test_a_value_carried_since_it_was_too_old_goes_when_it_is_forgotten(world: World) -> None:
    """It leaves no trace, though by then it only stood in."""
    await begun(world)
    world.sections["parsed"] = {"max_age": "1d"}
    await say(world, PARSER, 999, world.now)
    await world.sync()
    world.now += DAY
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((999, 0, 0, 0, 0), "carried")
    await taken_back(world)
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((0,) * 5, None)


async def test_an_older_file_may_take_the_place_of_a_forgotten_value(world: World) -> None:
    """What is forgotten keeps nothing out: who has ingested a wrong file can ingest the right, older one."""
    await begun(world)
    await say(world, FILE, 999, world.now)
    await taken_back(world)
    await say(world, FILE, 100, world.now - DAY)
    await world.sync()
    assert world.merged("a") == (100, 0, 0, 0, 0)


async def test_lines_of_one_file_may_be_in_any_order(world: World) -> None:
    """A line without a time is of now, whatever the next one says."""
    await begun(world)
    text = f"account_id,followers,parsed_at\naccount-a,10,\naccount-a,9,{stamp(world.now - HOUR)}\n"
    assert (await ingest(world.where, text, "csv", world.now)).older == 1
    await world.sync()
    assert world.merged("a") == (10, 0, 0, 0, 0)


async def test_without_a_match_nothing_is_forgotten(world: World) -> None:
    """An unknown account or source, a metric nobody has, what is forgotten already: each is an error that says so."""
    await begun(world)
    await say(world, PARSER, 999, world.now)
    for account, source, metric in (("nobody", None, None), (None, "other", None), ("account-a", None, "views")):
        with pytest.raises(NothingToForget):
            await taken_back(world, account, source, metric)
    assert await taken_back(world) == 1
    with pytest.raises(NothingToForget, match="explain"):
        await taken_back(world)


async def test_a_daemon_that_lives_on_notices(world: World) -> None:
    """What another process forgets counts from its next pass on, though nothing else has changed."""
    await begun(world, [5, *NOTHING])
    del world.sections["parsed"]  # a query would be asked in each pass anyway
    await say(world, PARSER, 999, world.now)
    async with world.opened() as run:
        await run()
        await run()
        await taken_back(world)
        await run()
        assert world.merged("a") == (5, 0, 0, 0, 0)


def test_the_command(world: World) -> None:
    """--forget and --forget-source: exit 0 with what was taken back, 1 if nothing matched, 2 if too much is given."""
    world.add_project("P", ["a"])
    world.parsed("a", [999, *NOTHING], source="bot")
    config = world.config()

    def run(*arguments: str) -> tuple[int, str, str]:
        ended = run_command("ingest", *arguments, "--config", str(config))
        return ended.returncode, ended.stdout, ended.stderr

    code, said, _ = run("--forget", link("a"), "--metric", "followers", "--json")
    assert (code, json.loads(said)) == (
        0,
        {
            "success": True,
            "forgotten": 1,
            "values": [
                {"account_id": "account-a", "link": link("a"), "metric": "followers", "value": 999, "source": "bot"}
            ],
        },
    )
    code, said, told = run("--forget-source", "bot")
    assert (code, said, len(told.splitlines())) == (1, "", 1)
    world.parsed("a", [1000, *NOTHING], source="bot")
    code, said, _ = run("--forget-source", "bot")
    assert (code, "followers 1,000 (bot)" in said, "next pass" in said) == (0, True, True)
    for wrong in ((), (str(config), "--forget", "a"), (str(config), "--metric", "views"), ("--metric", "views")):
        assert run(*wrong)[0] == 2


# Too old.


async def test_what_is_too_old_has_no_vote(world: World) -> None:
    """The sheet decides; where it says nothing the last merged value is carried, and reported."""
    await begun(world, [5, None, None, None, None])
    world.sections["parsed"] = {"max_age": "2d"}
    await put(world, Metrics(999, 80), world.now)
    world.now += DAY
    await world.sync()
    assert world.merged("a") == (999, 80, 0, 0, 0)
    world.now += DAY
    result = await world.sync_one()
    assert (world.merged("a"), world.winners("a")[:2]) == ((5, 80, 0, 0, 0), ("sheet", "carried"))
    assert result.counts.carried == 1
    assert any("likes: neither the worksheet nor a parser" in str(problem) for problem in result.problems)
    await put(world, Metrics(999, 81), world.now)
    await world.sync()
    assert (world.merged("a"), world.winners("a")[:2]) == ((999, 81, 0, 0, 0), ("parsed", "parsed"))


async def test_going_over_to_the_sheet_and_back_is_no_growth_and_no_suspect(world: World) -> None:
    """The sheet's number is another one than the parser's that ended: nobody grew, nobody mistyped; nor on the way
    back.  A number that is carried meanwhile goes on, and its jump is a jump."""
    await begun(world, [100, None, None, None, None])
    world.sections["parsed"] = {"max_age": "2d"}
    suspects: list[Any] = []
    seen = []
    for value in (5000, 5001, None, None, None, 5100, 5103):
        if value is not None:
            await put(world, Metrics(value, value), world.now)
        result = await world.sync_one()
        suspects += result.suspects
        seen.append((world.merged("a") or ())[:2])
        world.now += DAY
    assert seen == [(5000, 5000), (5001, 5001), (5001, 5001), (100, 5001), (100, 5001), (5100, 5100), (5103, 5103)]
    assert suspects == []
    grown = world.execute("SELECT followers_delta, likes_delta FROM account_growth ORDER BY day")
    assert [one[0] for one in grown] == [None, None, None, None, None, None, 3]
    assert [one[1] for one in grown][-2:] == [99, 3]


async def test_time_alone_ends_a_vote_in_a_daemon_that_lives_on(world: World) -> None:
    """Though nothing has changed, and though the only change is a cell of another account."""
    world.add_project("P", ["a", "b"])
    world.sections["parsed"] = {"max_age": "2h"}
    world.sheet("P", a=[5, *NOTHING], b=[1, *NOTHING])
    await put(world, Metrics(999), world.now)
    async with world.opened() as run:
        for edit in (False, True):
            await run()
            world.now += HOUR
            world.sheet("P", a=[5, *NOTHING], b=[2, *NOTHING])
            await run()
            assert world.merged("a") == (999, 0, 0, 0, 0)
            world.now += HOUR
            if edit:
                world.sheet("P", a=[5, *NOTHING], b=[3, *NOTHING])
            await run()
            assert world.merged("a") == (5, 0, 0, 0, 0)
            await put(world, Metrics(999), world.now)


async def test_an_account_whose_parsed_values_are_too_old_can_leave(world: World) -> None:
    """Its row is gone for good, and no parser has a value that counts."""
    world.add_project("P", ["a", "b"])
    world.sections["sheets"] = world.sections["sheets"].model_copy(update={"gone_after": DAY.total_seconds()})
    world.sections["parsed"] = {"max_age": "9d"}
    world.sheet("P", a=[5, *NOTHING], b=[6, *NOTHING])
    await put(world, Metrics(4), world.now)
    await world.sync()
    world.sheet("P", b=[6, *NOTHING])
    left: list[str] = []
    for _ in range(10):
        await world.sync()
        world.now += DAY
        left += (await world.sync_one()).left
    assert left == [link("a")]


# Of an earlier link.


def relink(world: World, to: str) -> None:
    world.execute("UPDATE project_social_accounts SET profile_link = ? WHERE id = 'account-a'", (to,))


@pytest.mark.parametrize("place", [INBOX, FILE])
async def test_a_value_of_an_earlier_link_is_taken_back(world: World, place: str) -> None:
    """The account means another profile now: what was parsed before is of the old one, what is parsed later is not."""
    await begun(world)
    await say(world, place, 999, world.now)
    await world.sync()
    relink(world, link("other"))
    world.now += HOUR
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0], world.snapshots("a")) == ((0,) * 5, None, [])
    await say(world, place, 998, world.now - 2 * HOUR)
    await world.sync()
    assert world.winners("a")[0] is None
    await say(world, place, 999, world.now + timedelta(minutes=1))
    world.now += HOUR
    await world.sync()
    assert world.merged("a") == (999, 0, 0, 0, 0)
    relink(world, link("a"))
    await world.sync()
    assert world.winners("a")[0] is None


@pytest.mark.parametrize("blank", ["", "  ", None])
async def test_a_link_that_is_empty_meanwhile_hides_no_change_of_profile(world: World, blank: str | None) -> None:
    """The old profile's value counts as long as no other profile is meant, and no longer, whatever else changes."""
    await begun(world, [5, *NOTHING])
    await say(world, PARSER, 999, world.now)
    await world.sync()
    world.execute("UPDATE project_social_accounts SET profile_link = ? WHERE id = 'account-a'", (blank,))
    for likes in (None, 7):
        world.now += HOUR
        world.parsed("a", [None, likes, None, None, None])
        await world.sync()
        assert world.merged("a") == (999, likes or 0, 0, 0, 0)
    relink(world, link("other"))
    world.now += HOUR
    await world.sync()
    assert world.merged("a")[0] != 999  # type: ignore[index]
    assert sorted(told["value"] for told in (await explained(world))["without_vote"]) == [7, 999]


async def test_odd_rows_of_what_links_there_were_end_nothing(world: World) -> None:
    """Somebody has deleted the first of them: the earliest that is left stands for it."""
    await begun(world)
    await say(world, PARSER, 999, world.now)
    await world.sync()
    relink(world, link("other"))
    world.now += HOUR
    await world.sync()
    world.execute("DELETE FROM account_link_changes WHERE since = ''")
    result = await world.sync_one()
    assert (result.outcome, world.merged("a")) == (Outcome.SYNCED, (999, 0, 0, 0, 0))


async def test_another_spelling_of_the_link_takes_nothing_back(world: World) -> None:
    """`tiktok.com/@A/?lang=de` is the same profile."""
    await begun(world)
    await put(world, Metrics(999), world.now, link=link("a"))
    world.parsed("a", [None, 5, None, None, None])
    await world.sync()
    relink(world, "tiktok.com/@A/?lang=de")
    world.now += HOUR
    await world.sync()
    assert world.merged("a") == (999, 5, 0, 0, 0)
    assert world.execute("SELECT link FROM account_metrics") == [("tiktok.com/@A/?lang=de",)]
    assert world.execute("SELECT count(*) FROM account_link_changes") == [(0,)]


async def test_an_answer_that_comes_after_the_link_has_changed_is_of_the_earlier_link(world: World) -> None:
    """A parser was asked for the old profile, and its answer is newer than the change: it has no vote."""
    await begun(world)
    await world.sync()
    relink(world, link("other"))
    world.now += HOUR
    await world.sync()
    world.now += HOUR
    await put(world, Metrics(999), world.now, link=link("a"))
    await world.sync()
    assert world.winners("a")[0] is None
    (told,) = (await explained(world))["without_vote"]
    assert (told["metric"], told["value"], told["reason"]) == ("followers", 999, "earlier link")
    await put(world, Metrics(8), world.now, link=link("other"))
    await world.sync()
    assert world.merged("a") == (8, 0, 0, 0, 0)


async def test_a_row_that_names_a_link_is_of_that_link(world: World) -> None:
    """Whatever its time is: what was ingested under the old link has no vote, what is of the new one has one."""
    await begun(world)
    text = f"link,followers,parsed_at\n{link('a')},999,{stamp(world.now + timedelta(minutes=4))}\n"
    await ingest(world.where, text, "csv", world.now)
    await world.sync()
    assert world.merged("a") == (999, 0, 0, 0, 0)
    relink(world, link("other"))
    await world.sync()
    assert world.winners("a")[0] is None
    assert [bad.line for bad in (await ingest(world.where, text, "csv", world.now)).mistakes] == [2]
    older = f"link,followers,parsed_at\n{link('other')}/?lang=de,8,{stamp(world.now - DAY)}\n"
    await ingest(world.where, older, "csv", world.now)
    await world.sync()
    assert world.merged("a") == (8, 0, 0, 0, 0), "what is of another profile keeps nothing out"


async def test_the_inbox_of_a_web_app_that_keeps_no_times(world: World) -> None:
    """Its values count until a parser of ours has one, are never too old, and go with the link that they came under."""
    world.add_project("P", ["a"])
    world.drop("parsed_metrics")
    counts = ", ".join(f"{metric} BIGINT" for metric in METRICS)
    world.execute(f"CREATE TABLE parsed_metrics (account_id TEXT PRIMARY KEY, {counts})")
    world.execute("INSERT INTO parsed_metrics (account_id, followers, views) VALUES ('account-a', 999, 7)")
    world.sections["parsed"] = {"max_age": "1d"}
    world.now += 3 * DAY
    await world.sync()
    await put(world, Metrics(8), world.now)
    await world.sync()
    assert world.merged("a") == (8, 0, 0, 0, 7)
    relink(world, link("other"))
    for _ in range(2):
        await world.sync()
        assert world.winners("a") == (None,) * 5
    world.execute("UPDATE parsed_metrics SET views = 6")
    await world.sync()
    assert world.merged("a") == (0, 0, 0, 0, 6)


# A clock that is ahead.


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("later", PLACES)
async def test_a_time_ahead_counts_as_now_and_blocks_nothing(world: World, place: str, later: str) -> None:
    """A clock that is 400 days ahead: what comes later counts all the same, and the next pass names that clock."""
    await begun(world)
    await say(world, place, 10, world.now + 400 * DAY)
    result = await world.sync_one()
    assert world.merged("a") == (10, 0, 0, 0, 0)
    assert any("more than 5 minutes ahead" in str(problem) for problem in result.problems)
    world.now += HOUR
    await say(world, later, 20, world.now, "bot" if place == later else "other")
    world.now += HOUR
    result = await world.sync_one()
    assert world.merged("a") == (20, 0, 0, 0, 0)
    assert bool(result.problems) == (place != later)


async def test_up_to_five_minutes_ahead_is_as_good_as_now(world: World) -> None:
    """Clocks differ; nobody is notified."""
    await begun(world)
    await say(world, INBOX, 10, world.now + timedelta(minutes=5))
    assert (await world.sync_one()).problems == ()


async def test_a_value_dated_ahead_grows_old_and_can_be_forgotten(world: World) -> None:
    """It counts as of when it was first seen, however often it is brought again."""
    await begun(world, [5, *NOTHING])
    world.sections["parsed"] = {"max_age": "2d"}
    ahead = world.now + 400 * DAY
    for place in (INBOX, PARSER):
        await say(world, place, 10, ahead)
        await world.sync()
        assert world.merged("a") == (10, 0, 0, 0, 0)
        world.now += DAY
        await say(world, place, 10, ahead)
        await world.sync()
        world.now += DAY
        await say(world, place, 10, ahead)
        await world.sync()
        assert world.merged("a") == (5, 0, 0, 0, 0)
    del world.sections["parsed"]
    await world.sync()
    assert world.merged("a") == (10, 0, 0, 0, 0)
    await taken_back(world)
    for _ in range(2):
        await say(world, INBOX, 10, ahead)
        await say(world, PARSER, 10, ahead)
        await world.sync()
        assert world.merged("a") == (5, 0, 0, 0, 0)
        world.now += DAY


def test_check_names_the_clock(world: World) -> None:
    """With the source and an account; and writes nothing."""
    world.add_project("P", ["a"])
    world.parsed("a", [1, *NOTHING], source="bot", parsed_at="2999-01-01 00:00:00")
    config = world.config()
    ended = run_command("check", "--json", "--config", str(config))
    (said,) = [one["message"] for one in json.loads(ended.stdout)["findings"] if "ahead" in one["message"]]
    assert said.startswith("parsed_metrics: values of bot have a parsed_at more than 5 minutes ahead")
    assert said.endswith(f"({link('a')})")
    assert world.execute("SELECT count(*) FROM values_ahead") == [(0,)]


# Strategy "latest".


@pytest.mark.parametrize("loss", ["forgotten", "too old", "earlier link"])
async def test_latest_falls_to_the_other_side(world: World, loss: str) -> None:
    """When the side that won loses its vote; and the same number parsed later is news again."""
    await begun(world, [5, *NOTHING], "latest")
    world.sections["parsed"] = {"max_age": "3d"}
    await world.sync()
    await put(world, Metrics(999), world.now, link=link("a"))
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((999, 0, 0, 0, 0), "parsed")
    if loss == "forgotten":
        await taken_back(world)
    elif loss == "earlier link":
        relink(world, "https://www.instagram.com/other")
        world.sheet("P", a=[5, *NOTHING])
        world.execute("UPDATE project_social_accounts SET profile_link = ? WHERE id = 'account-a'", (link("b"),))
        world.sheet("P", b=[5, *NOTHING])
    world.now += 3 * DAY if loss == "too old" else HOUR
    for _ in range(2):
        await world.sync()
        assert (world.merged("a"), world.winners("a")[0]) == ((5, 0, 0, 0, 0), "sheet")
    await put(world, Metrics(999), world.now, link=link("b" if loss == "earlier link" else "a"))
    await world.sync()
    assert (world.merged("a"), world.winners("a")[0]) == ((999, 0, 0, 0, 0), "parsed")


# One per metric and source.


async def test_two_sources_of_one_platform_keep_their_own_precision_and_time(world: World) -> None:
    """A rounded figure does not become exact by another table's values, nor is one's freshness the other's."""
    await begun(world, [6_812_345, None, None, None, None])
    world.sections["parsed"] = {"max_age": "2d"}
    await put(world, Metrics(6_900_000, views=70), world.now, "rough", precision=Precision.ROUNDED)
    world.now += DAY
    await put(world, Metrics(likes=3), world.now, "fine")
    await world.sync()
    told = (await explained(world))["metrics"]
    assert [told[m]["precision"] for m in ("followers", "likes", "views")] == ["rounded", "exact", "rounded"]
    world.now += DAY
    await world.sync()
    assert world.merged("a") == (6_812_345, 3, 0, 0, 70)
    assert world.winners("a") == ("sheet", "parsed", None, None, "carried")


async def test_followers_alone_neither_revive_nor_freshen_views(world: World) -> None:
    """A parser that brings one metric has said nothing of the others."""
    await begun(world)
    await put(world, Metrics(1, views=999), world.now)
    await taken_back(world, metric="views")
    world.now += HOUR
    await put(world, Metrics(2), world.now)
    await world.sync()
    assert (world.merged("a"), world.winners("a")[4]) == ((2, 0, 0, 0, 0), None)


async def test_the_newest_value_counts_wherever_it_stands(world: World) -> None:
    """Per metric: of the inbox, the query and our own."""
    await begun(world)
    at = world.now - DAY
    for number, place in enumerate([INBOX, PARSER, QUERY, PARSER, INBOX], 1):
        await say(world, place, number, at + number * HOUR)
        await world.sync()
        assert world.merged("a")[:1] == (number,)  # type: ignore[index]


# What is said about it.


async def test_explain_says_which_values_have_no_vote_and_why(world: World) -> None:
    """With value, source, time and reason; what the next pass will make of it is reported before it does."""
    await begun(world, [5, *NOTHING])
    await say(world, PARSER, 999, world.now)
    await world.sync()
    await taken_back(world)
    account = await explained(world)
    assert account["without_vote"] == [
        {"metric": "followers", "value": 999, "source": "bot", "parsed_at": stamp(world.now), "reason": "forgotten"}
    ]
    followers = account["metrics"]["followers"]
    assert (followers["parsed"], followers["value"], followers["next"]) == (None, 999, 5)


async def test_looking_ahead_writes_nothing(world: World) -> None:
    """A dry run decides as the pass after it does, and leaves no note of links, clocks or what was taken back."""
    await begun(world)
    await say(world, INBOX, 999, world.now)
    await world.sync()
    relink(world, link("other"))
    await say(world, PARSER, 5, world.now + DAY)
    tables = ("account_link_changes", "values_ahead", "values_taken_back", "account_metrics")
    before = [world.execute(f"SELECT * FROM {table}") for table in tables]
    foreseen = await world.sync_one(dry_run=True)
    assert [world.execute(f"SELECT * FROM {table}") for table in tables] == before
    done = await world.sync_one()
    assert (foreseen.counts.changed, foreseen.counts.carried, foreseen.problems) == (
        done.counts.changed,
        done.counts.carried,
        done.problems,
    )


@pytest.mark.sqlite
async def test_what_another_program_has_spoilt_is_no_value(world: World) -> None:
    """Rows of ours with nonsense in them stop nothing."""
    await begun(world, [5, *NOTHING])
    await put(world, Metrics(999, 80), world.now)
    world.sections["parsed"] = {"max_age": "1d"}
    world.execute("UPDATE parsed_values SET value = 'many', parsed_at = x'ff', source = 5 WHERE metric = 'followers'")
    world.execute("UPDATE parsed_values SET metric = 'fans', link = x'ff' WHERE metric = 'likes'")
    result = await world.sync_one()
    assert (result.outcome, world.merged("a")) == (Outcome.SYNCED, (5, 0, 0, 0, 0))


@pytest.mark.sqlite
@pytest.mark.parametrize("table", ["parsed_values", "forgotten_values", "values_ahead", "account_link_changes"])
async def test_what_another_program_does_to_the_tables_of_votes_stops_nothing(world: World, table: str) -> None:
    """Whatever stands in their columns, and in the link of the account as it was decided about."""
    await begun(world, [5, *NOTHING])
    await say(world, PARSER, 999, world.now + DAY)
    await say(world, INBOX, 998, world.now + DAY)
    await world.sync()
    await taken_back(world, metric="followers")
    relink(world, link("other"))
    world.now += HOUR
    await world.sync()
    for junk in (b"\xff\xfe", 5, "many"):
        for _, column, *_ in world.execute(f"PRAGMA table_info({table})")[1:]:
            world.execute(f'UPDATE OR IGNORE {table} SET "{column}" = ?', (junk,))
        world.execute("UPDATE account_metrics SET link = ?", (junk,))
        world.execute("UPDATE values_taken_back SET parsed_at = ?", (junk,))
        assert (await world.sync_one()).outcome is not Outcome.FAILED


async def test_a_query_that_is_none_is_told(world: World) -> None:
    """`--forget` reports a configuration that cannot be used, in one line."""
    await begun(world)
    world.sections["parsed"] = {"query": "SELECT 1"}
    with pytest.raises(SmartSyncError, match="query"):
        await taken_back(world)
