"""What is typed into a worksheet is judged in the pass that reads it: told with its cell and cause, held if wanted."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from tests.core.test_suspects import log, logged

from smart_sync.admin.confirm import confirm
from smart_sync.core.days import stamp
from smart_sync.core.merge.suspects import Suspect
from smart_sync.errors import DatabaseError
from smart_sync.report.explain import explain
from world import KEY, World, link

__all__ = ["log"]

NOTHING = [None] * 4
#: What the accounts grow by in a day.
RATE = 1.01


@pytest.fixture
async def lived(world: World) -> World:
    """A project of three accounts whose managers have typed followers and views for ten days."""
    world.add_project("P", ["a", "b", "c"])
    world.sheet("P", **rows(9))
    await world.sync()
    edits = [
        (
            f"account-{name}",
            metric,
            rows(day - 1)[name][place],
            cells[place],
            stamp(world.now - timedelta(days=9 - day)),
        )
        for day in range(1, 10)
        for name, cells in rows(day).items()
        for metric, place in (("followers", 0), ("views", 4))
    ]
    marks = ", ".join(["(?, ?, ?, ?, ?, 'P', '')"] * len(edits))
    sql = "INSERT INTO sheet_edits (account_id, metric, old, new, read_at, worksheet, cell) VALUES "
    world.execute(sql + marks, [field for edit in edits for field in edit])
    world.now += timedelta(days=1)
    return world


def rows(day: int, **changed: int) -> dict[str, list[Any]]:
    """What stands in the rows on a day; ``changed`` views by account.  c is two and a half days ahead of a."""
    views = {name: round(base * RATE**day) for name, base in (("a", 123_456), ("b", 456_789), ("c", 126_563))}
    return {name: [1000 + day, None, None, None, changed.get(name, number)] for name, number in views.items()}


async def suspects(world: World, **changed: int) -> tuple[Suspect, ...]:
    """Type these views, and what a pass then finds."""
    world.sheet("P", **rows(10, **changed))
    return (await world.sync_one()).suspects


def views(world: World) -> int:
    """The merged views of a."""
    merged = world.merged("a")
    assert merged is not None
    return merged[4]


async def test_growth_as_always_is_not_told(lived: World) -> None:
    """One more day like the others."""
    assert await suspects(lived) == ()


async def test_an_accident_is_told_with_its_cell_and_likely_cause(lived: World, log: StringIO) -> None:
    """It is written, as a person may mean it, and named once in the log; the correction is none."""
    for _ in range(2):
        (told,) = await suspects(lived, a=13_637)
        assert (told.link, told.metric, told.place) == (link("a"), "views", "P!G2")
        assert (told.new, told.cause) == (13_637, "a digit is missing")
    assert lived.merged("a") == (1010, 0, 0, 0, 13_637)
    (line,) = logged(log, "value.suspected")
    assert (line["place"], line["cause"], line["before"]) == ("P!G2", "a digit is missing", round(123_456 * RATE**9))
    lived.now += timedelta(hours=1)
    assert await suspects(lived) == ()


async def test_a_number_too_low_is_told_though_a_larger_parsed_one_is_merged(lived: World) -> None:
    """Its author is told: nobody would see it in the merged values."""
    right = round(123_456 * RATE**10)
    lived.parsed("a", [None, None, None, None, right])
    (told,) = await suspects(lived, a=right // 10)
    assert lived.merged("a") == (1010, 0, 0, 0, right)
    assert told.place == "P!G2"
    assert await suspects(lived, a=round(right * 0.96)) == ()


async def test_an_accident_is_told_though_the_pass_that_found_it_was_cut_off(lived: World) -> None:
    """Its row is written with the project; whoever was to be told with the end of the pass hears of it in the next."""
    lived.sheet("P", **rows(10, a=13_637))
    lived.execute("ALTER TABLE sync_project_runs RENAME TO away")
    with pytest.raises(DatabaseError):
        await lived.sync()
    lived.execute("ALTER TABLE away RENAME TO sync_project_runs")
    assert lived.execute("SELECT new, told FROM suspects") == [(13_637, 0)]
    assert [one.new for one in (await lived.sync_one(dry_run=True)).new_suspects] == [13_637]
    assert [one.new for one in (await lived.sync_one()).new_suspects] == [13_637]
    assert (await lived.sync_one()).new_suspects == ()


async def test_the_neighbours_number_is_told_as_theirs(lived: World) -> None:
    """A row that says what another said in the last read."""
    (told,) = await suspects(lived, a=round(456_789 * RATE**9))
    assert told.cause == "this is @b's number"


async def test_links_that_move_against_the_numbers_are_told(lived: World) -> None:
    """The account that gets another's larger row in the place where that stood: all of it, though each has risen."""
    sheet = lived.google.spreadsheets[KEY].worksheets["P"]
    for cells, (likes, comments) in zip(sheet[1:], ((7000, 410), (7070, 415), (7140, 420)), strict=True):
        cells[3:5] = [likes, comments]
    await lived.sync()
    lived.now += timedelta(hours=1)
    a, b, c = ([*cells[:2]] for cells in sheet[1:])
    for cells, name in zip(sheet[1:], (b, c, a), strict=True):  # a is where c was: 2.5 % above
        cells[:2] = name
    told = (await lived.sync_one()).suspects
    assert {(one.metric, one.cause) for one in told if one.link == link("a")} == {
        (metric, "this is @c's number") for metric in ("likes", "comments", "views")
    }
    assert {one.cause for one in told} == {"this is @a's number", "this is @b's number", "this is @c's number"}


@pytest.mark.parametrize("hold", [False, True])
async def test_the_first_row_of_an_account_that_has_values_is_judged(lived: World, hold: bool) -> None:
    """By what its parser has said; held, the parser's value counts on.  Zeros where a row is begun are no fall."""
    lived.sections["merge"] = {"hold_suspects": hold}
    lived.add_project("Q", ["q", "r"])
    lived.sheet("Q")
    for day in range(8):
        for name in "qr":
            lived.parsed(name, [None, None, None, None, 50_000 + 500 * day])
        await lived.sync()
        lived.now += timedelta(days=1)
    lived.sheet("P", **rows(9))
    lived.sheet("Q", q=[None, None, None, None, 485_000], r=[0, 0, 0, 0, 53_700])
    for _ in range(2):
        result = (await lived.sync()).results[1]
        assert [(one.link, one.metric, one.held) for one in result.suspects] == [(link("q"), "views", hold)]
        assert lived.merged("q") == (0, 0, 0, 0, 53_500 if hold else 485_000)
        assert lived.merged("r") == (0, 0, 0, 0, 53_700)


@pytest.mark.parametrize(("strategy", "told"), [("max", []), ("sheet", [link("q"), link("r")])])
async def test_first_rows_below_the_parsers_numbers_are_no_accidents(
    lived: World, strategy: str, told: list[str]
) -> None:
    """A campaign's views beside a lifetime's, of each account, do no harm where the larger value counts."""
    lived.sections["merge"] = {"strategy": strategy}
    lived.add_project("Q", ["q", "r"])
    lived.sheet("Q")
    for day in range(8):
        for name in "qr":
            lived.parsed(name, [None, None, None, None, 5_000_000 + 5_000 * day])
        await lived.sync()
        lived.now += timedelta(days=1)
    lived.sheet("P", **rows(9))
    lived.sheet("Q", q=[None, None, None, None, 52_000], r=[None, None, None, None, 53_700])
    result = (await lived.sync()).results[1]
    assert [one.link for one in result.suspects] == told
    assert (lived.merged("q") or ())[4] == (5_035_000 if strategy == "max" else 52_000)


async def test_a_number_typed_into_an_empty_cell_is_held(holding: World) -> None:
    """The parser's value, or the last one, stands in for it as for any other."""
    holding.parsed("a", [None, None, None, None, 135_000])
    typed = rows(10)
    typed["a"][4] = None
    holding.sheet("P", **typed)
    await holding.sync()
    assert views(holding) == 135_000
    (told,) = await suspects(holding, a=1_350_000)
    assert (told.old, told.held, views(holding)) == (None, True, 135_000)


@pytest.mark.parametrize("hold", [False, True])
async def test_another_profile_has_no_history(lived: World, hold: bool) -> None:
    """An account whose link and row are another profile's now: its numbers are right at once, and no fall of it."""
    lived.sections["merge"] = {"hold_suspects": hold}
    lived.execute(
        "UPDATE project_social_accounts SET profile_link = ?, username = 'z' WHERE id = 'account-a'", (link("z"),)
    )
    new = rows(9)
    del new["a"]
    lived.sheet("P", z=[7, None, None, None, 12_345], **new)
    result = await lived.sync_one()
    assert (result.suspects, result.problems) == ((), ())
    assert (lived.merged("a"), lived.winners("a")) == ((7, 0, 0, 0, 12_345), ("sheet", None, None, None, "sheet"))
    deltas = "SELECT views_delta FROM account_growth WHERE account_id = 'account-a' ORDER BY day DESC"
    assert lived.execute(deltas)[0][0] is None
    lived.now += timedelta(hours=1)
    assert (await lived.sync_one()).suspects == ()


async def test_zeros_of_a_column_that_has_lost_its_values_are_not_typed(lived: World, log: StringIO) -> None:
    """The column is told once; of its cells, in which the last values stand in, no pass finds anything more."""
    for _ in range(3):
        assert await suspects(lived, a=0, b=0, c=0) == ()
        lived.now += timedelta(hours=12)
    assert not logged(log, "value.suspected")
    assert views(lived) == round(123_456 * RATE**9)


async def test_where_there_was_no_value_none_is_told(lived: World, log: StringIO) -> None:
    """A cell that was empty was not 0: neither the result, the log, a later pass nor `explain` says so."""
    typed = rows(10)
    typed["a"][1] = round(123_456 * RATE**9)  # its views of yesterday
    for _ in range(2):
        lived.sheet("P", **typed)
        (told,) = (await lived.sync_one()).suspects
        assert (told.metric, told.old, told.place) == ("likes", None, "P!D2")
    (line,) = logged(log, "value.suspected")
    assert "before" not in line
    (account,) = (await explain(lived.settings, link("a"), ("likes",), lived.now))["accounts"]
    suspect = account["metrics"]["likes"]["suspect"]
    assert suspect is not None
    assert suspect["old"] is None


async def test_the_first_read_of_a_row_is_no_typing(world: World) -> None:
    """There is nothing yet that it could differ from."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[5_000_000, *NOTHING], b=[5_000_000, *NOTHING])
    assert (await world.sync_one()).suspects == ()


async def test_a_first_mark_is_not_judged(lived: World) -> None:
    """A person who pins a number means it."""
    lived.sheet("P", **{**rows(10), "a": [1010, None, None, None, "13!"]})
    assert (await lived.sync_one()).suspects == ()


@pytest.fixture
def holding(lived: World) -> World:
    """The same, where suspect numbers are held."""
    lived.sections["merge"] = {"hold_suspects": True}
    return lived


async def test_a_held_number_waits_until_it_has_stood_for_a_day(holding: World) -> None:
    """The last good value stands in and is reported as such; then the number is believed, and no suspect any more."""
    before = round(123_456 * RATE**9)
    (told,) = await suspects(holding, a=13_637)
    assert told.held
    assert (holding.merged("a"), holding.winners("a")[4]) == ((1010, 0, 0, 0, before), "carried")
    answer = await explain(holding.settings, link("a"), ("views",), holding.now)
    assert answer["accounts"][0]["metrics"]["views"]["suspect"]["held"] is True  # type: ignore[index]
    holding.now += timedelta(hours=23)
    assert await suspects(holding, a=13_637) == (told,)
    holding.now += timedelta(hours=1)
    assert await suspects(holding, a=13_637) == ()
    assert holding.merged("a") == (1010, 0, 0, 0, 13_637)
    assert holding.execute("SELECT * FROM suspects") == []


async def test_a_held_number_waits_though_the_cells_nearby_have_moved_on(holding: World) -> None:
    """The neighbour's number, pasted in the edit that also gave the neighbour a new one: no later pass lets it in."""
    before, pasted = (round(base * RATE**9) for base in (123_456, 126_563))
    (told,) = await suspects(holding, a=pasted)
    assert (told.cause, told.held, views(holding)) == ("this is @c's number", True, before)
    for _ in range(2):
        holding.now += timedelta(minutes=30)
        assert await suspects(holding, a=pasted) == (told,)
        assert views(holding) == before
    holding.parsed("a", [None, None, None, None, pasted])
    assert await suspects(holding, a=pasted) == ()
    assert views(holding) == pasted


async def test_what_grows_from_a_held_number_stands_as_long(holding: World) -> None:
    """A leap that was true, typed on each day as it goes on, is believed after a day; another leap begins anew."""
    (first,) = await suspects(holding, a=1_363_700)
    holding.now += timedelta(hours=12)
    (leap,) = await suspects(holding, a=40_000_000)
    assert leap.since > first.since
    holding.now += timedelta(hours=12)
    (grown,) = await suspects(holding, a=40_300_000)
    assert (grown.new, grown.since, grown.held) == (40_300_000, leap.since, True)
    holding.now += timedelta(hours=12)
    assert await suspects(holding, a=40_600_000) == ()
    assert views(holding) == 40_600_000


async def test_a_held_number_waits_until_it_is_confirmed(holding: World) -> None:
    """A person who means it says so; the next pass writes it."""
    await suspects(holding, a=13_637)
    done = await confirm(holding.settings, link("a"), "views", holding.now)
    assert done["confirmed"] >= 1
    assert await suspects(holding, a=13_637) == ()
    assert holding.merged("a") == (1010, 0, 0, 0, 13_637)
    assert holding.execute("SELECT * FROM suspects") == []


async def test_a_held_number_is_taken_when_the_parser_agrees(holding: World) -> None:
    """Both sides together are right."""
    await suspects(holding, a=1_363_700)
    holding.parsed("a", [None, None, None, None, 1_363_000])
    assert await suspects(holding, a=1_363_700) == ()
    assert holding.merged("a") == (1010, 0, 0, 0, 1_363_700)


async def test_a_held_number_that_is_corrected_leaves_nothing(holding: World) -> None:
    """Back at what it was, or at what it should have been."""
    await suspects(holding, a=13_637)
    assert await suspects(holding, a=round(123_456 * RATE**9)) == ()
    await suspects(holding, a=13_637)
    assert await suspects(holding) == ()
    assert holding.merged("a") == (1010, 0, 0, 0, round(123_456 * RATE**10))
    assert holding.execute("SELECT * FROM suspects") == []


async def test_an_outage_leaves_what_is_held(holding: World) -> None:
    """What could not be read says nothing about the cell."""
    await suspects(holding, a=13_637)
    worksheets = holding.google.spreadsheets["k" * 44].worksheets
    kept = worksheets.pop("P")
    holding.now += timedelta(days=2)
    (waiting,) = (await holding.sync_one()).suspects
    assert waiting.held
    worksheets["P"] = kept


async def test_a_dry_run_says_what_a_pass_would(holding: World) -> None:
    """By the same functions, and nothing is written."""
    holding.sheet("P", **rows(10, a=13_637))
    (foreseen,) = (await holding.sync_one(dry_run=True)).suspects
    assert holding.execute("SELECT * FROM suspects") == []
    (told,) = (await holding.sync_one()).suspects
    assert foreseen == told


async def test_a_typo_with_a_mark_is_told_and_counts(holding: World) -> None:
    """Where the number changes under its mark: a pin wins over everything, so its author is told; it is never held."""
    right = round(123_456 * RATE**9)
    for cell, number, cause in ((f"{right}!", right, ""), (f"{right // 10}!", right // 10, "a digit is missing")):
        holding.sheet("P", **{**rows(10), "a": [1010, None, None, None, cell]})
        told = (await holding.sync_one()).suspects
        assert [(one.cause, one.held) for one in told] == ([(cause, False)] if cause else [])
        assert (views(holding), holding.winners("a")[4]) == (number, "pinned")
    assert (await holding.sync_one()).suspects == told
    await confirm(holding.settings, link("a"), "views", holding.now)
    assert (await holding.sync_one()).suspects == ()


async def test_a_pin_that_the_parser_contradicts_is_told_once(lived: World) -> None:
    """As a pin that is far off, which it is as long as it stands; it is no suspect beside."""
    right = round(123_456 * RATE**9)
    lived.parsed("a", [None, None, None, None, right])
    for number, told in ((right, 0), (13_637, 1)):
        lived.sheet("P", **{**rows(10), "a": [1010, None, None, None, f"{number}!"]})
        result = await lived.sync_one()
        assert result.suspects == ()
        assert len([one for one in result.problems if "off what the parser says" in one.reason]) == told


async def test_a_mark_lets_a_held_number_in(holding: World) -> None:
    """A person who has been told, and insists, is not told again."""
    await suspects(holding, a=13_637)
    holding.sheet("P", **{**rows(10), "a": [1010, None, None, None, "13637!"]})
    assert (await holding.sync_one()).suspects == ()
    assert views(holding) == 13_637
