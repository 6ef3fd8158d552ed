"""Which of two sources counts where a campaign is counted, and what a change of what is counted means for growth."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.parsers.test_campaign import BERLIN, FOLLOWERS, MARCH, VIDEOS, Imitation, add, configure, no_waiting

from fake_platforms import LINKS, OWN_KEYS
from smart_sync.admin import checks
from smart_sync.core.merge.votes import is_campaign_counted
from smart_sync.core.model import METRICS
from smart_sync.parsers.inspection import inspect_links
from smart_sync.parsers.registry import build
from smart_sync.report.explain import explain
from world import KEY, World

__all__ = ["no_waiting"]
DATES = {"start_date": "2026-03-01", "end_date": "2026-03-31", "kpi_views": 1000}
COUNTED = (FOLLOWERS, *MARCH[BERLIN])
TYPED = (700, 5, 5, 5, 1_204_000)


def typed(world: World, kind: str) -> None:
    world.google.spreadsheets[KEY].worksheets["M"].append(["", LINKS[kind], *TYPED])


async def explained(world: World) -> Any:
    (account,) = (await explain(world.settings, "account-M", METRICS, world.now))["accounts"]
    return account


@pytest.mark.parametrize("old", ["renamed", "disabled", "beside"])
async def test_no_lifetime_of_a_parser_counts_beside_a_campaign(world: World, old: str, no_waiting: None) -> None:
    """Whether its table has another name now, is switched off, or is still there: also while the platform is away."""
    with Imitation("youtube") as platform:
        configure(world, "youtube", platform.url, BERLIN, count="lifetime")
        add(world, "M", "youtube", **DATES)
        typed(world, "youtube")
        await world.sync()
        assert (world.merged("M") or ())[4:] == (1_500_000_000,)
        table = world.sections["parsers"].pop("youtube")
        kept = {"renamed": {}, "disabled": {"youtube": {"enabled": False}}, "beside": {"youtube": table}}[old]
        world.sections["parsers"] = {**kept, "counts": {**table, "count": "campaign"}}
        platform.is_down = lambda _call: True
        world.now += timedelta(minutes=31)
        await world.sync()
        assert world.merged("M") == (777, *TYPED[1:])
        reasons = {(one["metric"], one["reason"]) for one in (await explained(world))["without_vote"]}
        assert ("views", "of the lifetime, not of the campaign") in reasons
        # Asked at different times, the lifetime being the last: it does not win either.
        platform.is_down = lambda _call: False
        for _ in range(2):
            world.now += timedelta(hours=7)
            await world.sync()
    assert world.merged("M") == (777, 140, 14, 5, 1_204_000)


async def test_what_a_person_brings_from_a_file_counts_beside_a_campaign(world: World) -> None:
    """Nobody knows what `smart-sync ingest` brings is of: it keeps its vote."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", **DATES)
        await world.sync()
        world.execute(
            'INSERT INTO parsed_values (account_id, metric, source, value, parsed_at, "precision", link)'
            " VALUES ('account-M', 'likes', 'ingest', 9000, '2027-01-01T00:00:00.000000', 'exact', '')"
        )
        await world.sync()
    assert world.merged("M") == (FOLLOWERS, 9000, *MARCH[BERLIN][1:])


async def test_a_parser_with_tokens_serves_only_their_accounts(world: World) -> None:
    """The lifetime of an account that no campaign parser can be asked about keeps its vote."""
    with Imitation("http_json") as platform:
        configure(world, "http_json", platform.url, BERLIN, count="lifetime")
        world.sections["parsers"]["tiktok"] = {**OWN_KEYS["tiktok"], "api_url": platform.url, "count": "campaign"}
        counting = world.settings.vote_terms("2026-03-10T12:00:00.000000").counting
    assert counting is not None
    assert is_campaign_counted(LINKS["tiktok"], "tiktok", counting)
    assert not is_campaign_counted("https://www.tiktok.com/@somebody.else", "tiktok", counting)
    assert not is_campaign_counted("https://www.instagram.com/charlidamelio", "tiktok", counting)


def test_one_source_with_two_counts_is_refused(world: World) -> None:
    """Its values would stand in one place: likes of the campaign beside views of the lifetime."""
    table = {"kind": "youtube", "key": "k", "source": "youtube"}
    world.sections["parsers"] = {"a": {**table, "count": "campaign"}, "b": table}
    with pytest.raises(ValueError, match="a and b have the source 'youtube', and not the same count"):
        _ = world.settings


# What is counted otherwise begins anew.


async def days_of(world: World, kind: str, changes: list[Any]) -> tuple[list[Any], list[Any]]:
    """The growth of views from day to day, oldest first, and what was suspect, with a change before each day."""
    world.now = datetime.now(UTC)  # what parsers bring bears their own time
    with Imitation(kind) as platform:
        configure(world, kind, platform.url, "UTC", count="lifetime" if kind == "youtube" else "campaign")
        del world.sections["parsers"][kind]["every"]
        add(world, "M", kind, start_date="2026-03-20", end_date=None, kpi_views=5000)
        suspects: list[Any] = []
        for change in changes:
            change(world)
            result = await world.sync()
            suspects += result.results[0].suspects
            world.now += timedelta(days=1)
    return world.execute("SELECT views, views_delta FROM account_growth ORDER BY day"), suspects


def dates(start: str, kpi: int) -> Any:
    return lambda world: world.execute("UPDATE projects SET start_date = ?, kpi_views = ?", (start, kpi))


def count(what: str) -> Any:
    return lambda world: world.sections["parsers"]["youtube"].update(count=what)


async def test_other_dates_are_no_growth_and_no_suspect(world: World) -> None:
    """Widened, then narrowed to a hundredth: the number of each is the first of its kind."""
    days, suspects = await days_of(
        world, "tiktok", [dates("2026-03-20", 5000), dates("2026-01-01", 0), dates("2026-04-01", 8000)]
    )
    assert days == [(258_000, None), (286_999, None), (8000, None)]
    assert suspects == []


async def test_another_count_is_no_growth_and_no_suspect(world: World) -> None:
    """From 1.5 billion of the lifetime to the campaign, behind which growth goes on."""
    changes = [count("lifetime"), count("lifetime"), count("campaign"), count("campaign")]
    days, suspects = await days_of(world, "youtube", changes)
    assert days[2:] == [(258_000, None), (258_000, 0)]
    assert suspects == []


async def test_the_way_back_to_the_lifetime_is_no_growth(world: World) -> None:
    """258,000 becomes 1.5 billion: no delta, and nothing to doubt."""
    days, suspects = await days_of(world, "youtube", [count("campaign"), count("lifetime")])
    assert days == [(258_000, None), (1_500_000_000, None)]
    assert suspects == []


async def test_what_the_sheet_says_does_not_begin_anew_with_the_campaign(world: World) -> None:
    """The sheet's number won before and wins after: its growth goes on."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, "UTC")
        del world.sections["parsers"]["tiktok"]["every"]
        add(world, "M", "tiktok", start_date="2026-03-20", end_date=None, kpi_views=5000)
        typed(world, "tiktok")
        for start in ("2026-03-20", "2026-01-01"):
            world.execute("UPDATE projects SET start_date = ?", (start,))
            await world.sync()
            world.now += timedelta(days=1)
    found = world.execute("SELECT views, views_delta, followers_delta FROM account_growth ORDER BY day")
    assert found == [(1_204_000, None, None), (1_204_000, 0, 0)]


# What is said of it.


async def test_sums_that_stand_are_named_with_their_time(world: World) -> None:
    """Same dates, and a video that hides its views now: the last sums stand, and pass and `explain` say since when."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN, every="1h")
        add(world, "M", "tiktok", **DATES)
        await world.sync()
        platform.shown = [v._replace(views=None) if v.id == "d" else v for v in VIDEOS]
        world.now += timedelta(hours=2)
        (result,) = (await world.sync()).results
        told = [str(problem) for problem in result.problems if "not counted since" in problem.reason]
        assert world.merged("M") == COUNTED
        assert len(told) == 1
        assert "likes, comments, videos, views: not counted since" in told[0]
        assert LINKS["tiktok"] in told[0]
        assert any("not counted since" in warning for warning in (await explained(world))["warnings"])


async def test_dates_that_are_not_clear_are_a_problem_of_each_pass(world: World) -> None:
    """The start is after the end: named in the first pass, and in those that change nothing."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", start_date="2026-04-01", end_date="2026-03-31")
        async with world.opened() as sync:
            for _ in range(2):
                (result,) = (await sync()).results
                told = [str(problem) for problem in result.problems]
                assert any("start_date 2026-04-01 is after its end_date 2026-03-31" in one for one in told)
                world.now += timedelta(minutes=30)


async def test_what_does_not_say_of_which_videos_it_is_is_warned_of(world: World) -> None:
    """The inbox makes 269,000 to 1.5 billion: `check` and `explain` name its source."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", **DATES)
        await world.sync()
        world.now = datetime.now(UTC) + timedelta(minutes=1)
        world.parsed("M", [800, 1, 1, 9, 1_500_000_000], source="theirs")
        await world.sync()
        assert (world.merged("M") or ())[4] == 1_500_000_000
        report = await checks.check(world.settings, lambda: world.now, offline=True)
        warned = [finding.message for finding in report.findings if "nobody says of which videos" in finding.message]
        assert [one.partition("; ")[0] for one in warned] == [
            "M: likes, comments, videos, views of theirs count, and nobody says of which videos they are"
        ]
        assert warned[0] in (await explained(world))["warnings"]


async def test_a_look_at_a_link_says_that_it_counts_all_videos(world: World) -> None:
    """`smart-sync parse` knows of no project: its numbers are not those that a pass would store."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        found = await inspect_links(build(world.settings.parsers), [LINKS["tiktok"]])
    (values,) = found["links"][0]["parsers"][0]["values"]
    assert (values["views"], values["of"]) == (286_999, "all videos, whatever the dates and the KPI of its project are")


async def test_explain_foresees_that_there_is_no_value(world: World) -> None:
    """After a change of the KPI the old sums have no vote, and nothing new is there yet."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", **DATES)
        await world.sync()
    assert not (await explained(world))["metrics"]["views"]["next_is_no_value"]
    world.execute("UPDATE projects SET kpi_views = 0")
    account = await explained(world)
    views = account["metrics"]["views"]
    assert (views["value"], views["next"], views["next_is_no_value"]) == (269_000, None, True)
    assert "it has no value from the next pass on" in views["sentence"]


async def test_a_dry_run_shows_that_a_value_goes(world: World) -> None:
    """After a change of the KPI: from 269,000 to no value, which is not 0."""
    with Imitation("tiktok") as platform:
        configure(world, "tiktok", platform.url, BERLIN)
        add(world, "M", "tiktok", **DATES)
        await world.sync()
    world.execute("UPDATE projects SET kpi_views = 0")
    (result,) = (await world.sync(dry_run=True)).results
    assert {(one.metric, one.before, one.after) for one in result.changes if one.metric == "views"} == {
        ("views", 269_000, None)
    }
