"""What totals consist of: exact + rounded + carried + stale + pinned + unknown are all accounts, on every screen."""

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from report_data import report_of
from smart_sync.admin import history
from smart_sync.cli.output.growth_table import show_growth
from smart_sync.core.merge.strategies import Winner
from smart_sync.core.model import METRICS
from smart_sync.core.results.coverage import KINDS, Coverage, by_metric, covered, kind_of
from world import KEY, World

NOTHING = [None] * 5
winners = st.none() | st.sampled_from([Winner.SHEET, Winner.PARSED, Winner.BOTH, Winner.CARRIED, Winner.PINNED])
given_so = st.tuples(st.tuples(*[winners] * 5), st.frozensets(st.sampled_from(METRICS)))


@given(st.dictionaries(given_so, st.integers(1, 9), max_size=9))
def test_the_kinds_together_are_all_accounts(accounts: dict[Any, int]) -> None:
    """Whoever gave the values, none is left out and none counted twice; in a stale project nothing is carried."""
    for coverage in by_metric(accounts).values():
        assert coverage.accounts == sum(accounts.values())
        assert coverage.as_stale().accounts == coverage.accounts
        assert coverage.as_stale().carried == 0


@given(winners, st.booleans())
def test_every_winner_is_of_one_kind(winner: str | None, rounded: bool) -> None:
    """Only a rounded figure that counts is rounded, only NULL unknown."""
    kind = kind_of(winner, rounded=rounded)
    assert kind in KINDS
    assert (kind == "unknown") == (winner is None)
    assert (kind == "rounded") == (rounded and winner == Winner.PARSED)


def test_coverage_is_told_in_words() -> None:
    """The kinds that there are; two totals together have both."""
    assert (
        Coverage(exact=9, carried=2) + Coverage(unknown=1)
    ).text() == "of 12 accounts: 9 exact, 2 carried, 1 unknown"
    assert covered([None, {"views": "pinned"}], "views") == Coverage(pinned=1, unknown=1)


async def test_every_screen_tells_the_same_coverage(world: World, capsys: Any) -> None:
    """Pass, growth and report; of a stale project what stands in is stale."""
    world.add_project("P", ["sheet", "rounded", "empty", "pinned", "left"])
    rows: dict[str, list[Any]] = {"sheet": [10] * 5, "pinned": [*NOTHING[:4], "9!"], "left": [1] * 5, "empty": NOTHING}
    world.sheet("P", **rows)
    world.parsed("rounded", [None, None, None, None, 6_800_000], precision="rounded")
    (result,) = (await world.sync()).results
    told = result.answer()["coverage"]["views"]
    assert told == Coverage(exact=2, rounded=1, pinned=1, unknown=1)._asdict()
    grown = await history.growth(world.where, None, "views", 7, world.now)
    assert grown["projects"][0]["coverage"] == told
    assert sum(told.values()) == grown["projects"][0]["accounts"]
    show_growth(grown)
    assert "(2 exact, 1 rounded, 1 pinned, 1 unknown)" in capsys.readouterr().out
    world.google.spreadsheets[KEY].worksheets.pop("P")
    for _ in range(2):
        world.now += timedelta(hours=7)
        (result,) = (await world.sync()).results
    assert result.stale
    stale = result.answer()["coverage"]["views"]
    assert stale == Coverage(rounded=1, stale=3, unknown=1)._asdict()
    grown = await history.growth(world.where, None, "views", 7, world.now)
    assert grown["projects"][0]["coverage"] == stale


async def test_the_report_ends_with_what_we_do_not_know(world: World) -> None:
    """Who has no value, whose stand in since when, what is pinned, and what a platform does not say."""
    world.add_project("P", ["full", "empty", "carried", "pinned"])
    world.sheet("P", full=[10] * 5, carried=[1] * 5, pinned=["95!", 1, 1, 1, 1], empty=[None, 1, 1, 1, 1])
    world.parsed("full", [10, None, None, None, 10])
    await world.sync()
    world.now += timedelta(days=1)
    world.sheet("P", full=[10] * 5, carried=[1, 1, "#REF!", 1, 1], pinned=["95!", 1, 1, 1, 1], empty=[None, 1, 1, 1, 1])
    await world.sync()
    page = (await asyncio.to_thread(report_of, world.where, None, 30, world.now)).decode()
    end = page[page.index("What we do not know") :]
    assert "of 4 accounts: 2 exact, 1 pinned, 1 unknown" in page
    for title, *cells in (
        ("What the totals consist of", "comments", "followers"),
        ("No value", "empty", "followers"),
        ("Values that stand in", "carried", "comments", "11 Mar 2026"),
        ("Pinned values", "pinned", "95", "P!4"),
        ("Not said by a platform", "tiktok", "likes, comments, videos"),
    ):
        of_table = end[end.index(title) : end.index("</table>", end.index(title))]
        assert [cell for cell in cells if cell not in of_table] == []


async def test_a_report_on_what_is_all_known_says_so(world: World) -> None:
    """The section is there, and says that there is nothing."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[10] * 5)
    await world.sync()
    page = (await asyncio.to_thread(report_of, world.where, None, 30, world.now)).decode()
    assert "Nothing: every account has a value of every metric" in page
