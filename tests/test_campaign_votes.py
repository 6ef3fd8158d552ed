"""Which of two sources counts where a campaign is counted, and what a change of what is counted means for growth."""

from datetime import timedelta
from typing import Any

import pytest

from fake_platforms import LINKS, OWN_KEYS
from smart_sync.core.model import METRICS
from smart_sync.report.explain import explain
from test_campaign import BERLIN, FOLLOWERS, MARCH, Imitation, add, configure, no_waiting
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
    assert counting.serves(LINKS["tiktok"], "tiktok")
    assert not counting.serves("https://www.tiktok.com/@somebody.else", "tiktok")
    assert not counting.serves("https://www.instagram.com/charlidamelio", "tiktok")


def test_one_source_with_two_counts_is_refused(world: World) -> None:
    """Its values would stand in one place: likes of the campaign beside views of the lifetime."""
    table = {"kind": "youtube", "key": "k", "source": "youtube"}
    world.sections["parsers"] = {"a": {**table, "count": "campaign"}, "b": table}
    with pytest.raises(ValueError, match="a and b have the source 'youtube', and not the same count"):
        _ = world.settings
