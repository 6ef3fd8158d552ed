"""Falls of followers that a parser brings: a second read must find them too before they count."""

from datetime import timedelta

import pytest

from smart_sync.core.model import Metrics, ParsedMetrics
from smart_sync.report.explain import explain
from smart_sync.store import parsed_values
from smart_sync.store.schema import open_database
from world import World, link

NOTHING = [None] * 5


async def bring(world: World, followers: int, *, from_parser: bool = True, likes: int | None = None) -> int:
    """What is merged after a parser has said so an hour later."""
    world.now += timedelta(hours=1)
    async with open_database(world.where) as database:
        said = ParsedMetrics("account-a", Metrics(followers, likes), "parser", world.now)
        await parsed_values.put(database, [said], world.now, from_parser=from_parser)
    await world.sync()
    merged = world.merged("a")
    assert merged is not None
    return merged[0]


@pytest.fixture
def large(world: World) -> World:
    """A project of one account."""
    world.add_project("P", ["a"])
    world.sheet("P", a=NOTHING)
    return world


async def test_a_large_fall_counts_when_two_reads_agree(large: World) -> None:
    """Until then the last value stays, and explain shows the raw one at once; the rest of the answer counts."""
    assert await bring(large, 200_000) == 200_000
    assert await bring(large, 20_000, likes=5) == 200_000
    assert large.merged("a") == (200_000, 5, 0, 0, 0)
    answer = await explain(large.settings, link("a"), ("followers",), large.now)
    (told,) = answer["accounts"][0]["without_vote"]
    assert (told["value"], told["source"]) == (20_000, "parser")
    assert "one read alone" in told["reason"]
    assert await bring(large, 21_000) == 21_000
    answer = await explain(large.settings, link("a"), ("followers",), large.now)
    assert answer["accounts"][0]["without_vote"] == []
    assert large.execute("SELECT * FROM doubted_falls") == []


async def test_a_wrong_answer_in_between_leaves_no_trace(large: World) -> None:
    """A good read ends the doubt, so that the next wrong one is the first again."""
    await bring(large, 200_000)
    for _ in range(2):
        assert await bring(large, 20_000) == 200_000
        assert await bring(large, 200_000) == 200_000
    assert large.execute("SELECT * FROM doubted_falls") == []


async def test_the_same_read_twice_is_one_read(large: World) -> None:
    """An answer that is brought again says nothing new."""
    await bring(large, 200_000)
    assert await bring(large, 20_000) == 200_000
    large.now -= timedelta(hours=1)
    assert await bring(large, 20_000) == 200_000


@pytest.mark.parametrize(("before", "after"), [(200_000, 180_000), (99_999, 20_000), (200_000, 300_000)])
async def test_small_falls_and_small_accounts_do_not_wait(large: World, before: int, after: int) -> None:
    """A tenth of the followers, an account below 100,000, and a rise count at once."""
    await bring(large, before)
    assert await bring(large, after) == after


async def test_what_a_person_ingests_does_not_wait(large: World) -> None:
    """Who brings a file knows what is in it."""
    await bring(large, 200_000)
    assert await bring(large, 20_000, from_parser=False) == 20_000
