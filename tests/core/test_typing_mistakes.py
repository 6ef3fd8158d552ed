"""Accidents of typing: told by cell, with their likely cause; honest growth is left in peace."""

from itertools import pairwise

import pytest
from bench import accidents as measured
from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.merge.growth_band import Point, band, changes_of, steps, without_mistakes
from smart_sync.core.merge.last_read import LastRead, Typed
from smart_sync.core.merge.mistake_causes import Evidence, likely_cause
from smart_sync.core.merge.typing_mistakes import TypingMistake, TypingTerms, find_typing_mistakes, needs_history
from smart_sync.core.model import MAX_COUNT, METRICS, Metrics

COUNTERS = frozenset(METRICS) - {"followers"}
TODAY = 40.0
#: 1 % a day for a month, up to yesterday.
GROWN = [Point(day, round(100_000 * 1.01**day)) for day in range(10, 40)]
LAST = GROWN[-1].value
NO_SHEET = LastRead()
counts = st.integers(0, MAX_COUNT)


def told(
    new: int,
    metric: str = "views",
    parsed: int | None = None,
    sheet: LastRead = NO_SHEET,
    **others: tuple[int, int],
) -> list[TypingMistake]:
    """What is told of an account that has grown by 1 % a day when ``new`` is typed; ``others``: metric=(old, new)."""
    typed = [Typed("a", metric, 5, LAST, new, parsed)]
    typed += [Typed("a", other, 5, old, number) for other, (old, number) in others.items()]
    terms = TypingTerms(TODAY, COUNTERS, {("a", metric): GROWN})
    return [one for one in find_typing_mistakes(typed, sheet, terms) if one.metric == metric]


@pytest.mark.parametrize("new", [LAST, round(LAST * 1.01), round(LAST * 1.02), round(LAST * 0.996)])
def test_growth_as_usual_is_no_accident(new: int) -> None:
    """What has grown as always, or stands still, is not told, nor a fall that is a matter of rounding."""
    assert told(new) == []


def test_a_lifetime_count_may_not_fall_and_followers_may() -> None:
    """A fall of 0.8 % is a mistake of views, likes, comments and videos, and none of followers."""
    for metric in METRICS:
        assert bool(told(round(LAST * 0.992), metric)) == (metric != "followers")
    assert told(round(LAST * 0.8), "followers")


def test_nothing_is_told_where_the_parser_agrees() -> None:
    """A parsed value no more than 5 % away stands for a typed one, however unusual that is."""
    assert told(10 * LAST)
    assert told(10 * LAST, parsed=round(10 * LAST * 1.05)) == []
    assert told(10 * LAST, parsed=9 * LAST)


def test_a_viral_day_is_not_told_one_number_that_leaps_alone_is() -> None:
    """Where the other numbers of the row rise with it, a leap is believed; where they stand still, it is not."""
    assert told(2 * LAST, likes=(1000, 1800), comments=(100, 150)) == []
    assert told(2 * LAST, likes=(1000, 1010), comments=(100, 101))


@pytest.mark.parametrize(
    ("new", "cause"),
    [
        (LAST // 10, "a digit is missing"),
        (LAST * 10 + 7, "a digit too many"),
        (int(str(LAST)[1] + str(LAST)[0] + str(LAST)[2:]), "two digits are swapped"),
        (int("7" + str(LAST)[1:]), "a digit is wrong"),
        (LAST // 1000, "looks like thousands"),
        (2011, "looks like the growth, not the total"),
        (5 * LAST + 99_999, "far above how it has grown"),
        (23_456, "it has fallen"),
        (GROWN[-7].value, "looks like last week's"),
        (GROWN[-15].value, "looks like that of 15 days ago"),
        (654_321, "this is @other's number"),
        (777_777, "this is the number of its likes"),
        (0, "it has fallen"),
    ],
)
def test_the_likely_cause_is_told(new: int, cause: str) -> None:
    """A person reads what probably happened."""
    sheet = LastRead({5: Metrics(1, 777_777, 3, 4, LAST), 6: Metrics(1, 2, 3, 4, 654_321)}, {6: "@other"})
    assert [one.cause for one in told(new, sheet=sheet)] == [cause]


@pytest.mark.parametrize(
    ("new", "cause"),
    [
        (475_010, "it has fallen"),
        (50_001, "a digit is missing"),
        (5_000_117, "a digit too many"),
        (500, "looks like thousands"),
    ],
)
def test_while_little_is_known_a_fall_is_no_missing_digit(new: int, cause: str) -> None:
    """A mistake explains a number only if what was meant is nearer to the last one than what was typed."""
    assert likely_cause(Evidence("views", new, [(497_511, 5_000_110)], [500_011])) == cause


def test_a_number_of_a_cell_nearby_is_told_though_it_would_be_usual() -> None:
    """The neighbour's number is a mistake even inside the band; a far row's is a coincidence there."""
    new = round(LAST * 1.025)
    assert told(new) == []
    for row, expected in ((4, 1), (6, 1), (8, 1), (9, 0), (50, 0)):
        assert len(told(new, sheet=LastRead({row: Metrics(views=new)}, {row: "@other"}))) == expected


def test_a_row_that_was_anothers_is_told_though_all_its_numbers_rise() -> None:
    """A link that has moved against the numbers makes a row another's; one that moved with its numbers is its own."""

    def rise(sheet: LastRead) -> list[TypingMistake]:
        return told(round(LAST * 1.025), sheet=sheet, likes=(1000, 1022), comments=(4561, 4672))

    sheet = LastRead({5: Metrics(likes=1022, comments=4672, views=round(LAST * 1.025))}, {5: "@other"}, {5: "other"})
    assert [one.cause for one in rise(sheet)] == ["this is @other's number"]
    moved = LastRead({6: Metrics(likes=1000, comments=4561, views=LAST)}, {6: "@a"}, {6: "a", 5: "other"})
    assert rise(moved) == []
    (own,) = told(round(LAST * 1.025), sheet=LastRead({6: Metrics(likes=round(LAST * 1.025))}, {6: "@a"}, {6: "a"}))
    assert own.cause == "this is the number of its likes"


@pytest.mark.parametrize(("first", "step"), [(100, 4), (1000, 40), (123_456, 3210)])
def test_accounts_that_grow_alike_are_not_told_as_each_other(first: int, step: int) -> None:
    """What an account has today its neighbour had yesterday; where several of the row are theirs, it is told."""
    past = [Point(day, first + step * day) for day in range(22)]

    def told(known: int, *metrics: str) -> list[TypingMistake]:
        old, new = past[known - 1].value, past[known].value
        typed = [Typed("a", metric, 5, old, new) for metric in metrics]
        sheet = LastRead({6: Metrics(**dict.fromkeys(metrics, new))}, {6: "@other"})
        return find_typing_mistakes(
            typed, sheet, TypingTerms(known, COUNTERS, dict.fromkeys((("a", m) for m in metrics), past[:known]))
        )

    assert not any(told(known, metric) for metric in ("followers", "videos", "views") for known in range(6, 22))
    assert len(told(9, "likes", "views")) == 2


def test_a_gauge_that_wavers_may_return_and_one_that_has_only_grown_may_not() -> None:
    """Followers that go up and down by 3 % are often where they were; with two more of that day they are told."""
    wavering = [Point(day, 50_123 + 1_500 * abs(day % 6 - 3)) for day in range(20, 40)]
    one = Typed("a", "followers", 5, wavering[-1].value, wavering[-2].value)
    assert needs_history(one, counter=False)
    histories = {("a", "followers"): wavering, ("a", "likes"): GROWN, ("a", "views"): GROWN}
    assert find_typing_mistakes([one], NO_SHEET, TypingTerms(TODAY, COUNTERS, histories)) == []
    others = [Typed("a", metric, 5, LAST, GROWN[-2].value) for metric in ("likes", "views")]
    assert len(find_typing_mistakes([one, *others], NO_SHEET, TypingTerms(TODAY, COUNTERS, histories))) == 3
    assert told(GROWN[-4].value, "followers")


def test_small_numbers_are_told_with_the_row_they_belong_to() -> None:
    """12 is anybody's number of videos, but not where all the other numbers are a neighbour's."""
    sheet = LastRead({6: Metrics(5000, 60_000, 300, 12, 712_345)}, {6: "@other"})
    videos, views = Typed("a", "videos", 5, 11, 12), Typed("a", "views", 5, 1000, 712_345)
    terms = TypingTerms(TODAY, COUNTERS, {("a", "videos"): [Point(39, 11)]})
    assert find_typing_mistakes([videos], sheet, terms) == []
    assert {one.metric: one.cause for one in find_typing_mistakes([videos, views], sheet, terms)} == {
        "videos": "this is @other's number", "views": "this is @other's number",
    }  # fmt: skip


def test_an_accident_of_last_week_does_not_make_the_next_one_usual() -> None:
    """What went back later is left out of the history; a baseline that learns from it would believe the same again."""
    past = [point if point.at != 30 else Point(30, 10 * point.value) for point in GROWN]
    for metric in ("followers", "views"):
        typed = [Typed("a", metric, 5, LAST, 9 * LAST)]
        terms = TypingTerms(TODAY, COUNTERS, {("a", metric): past})
        assert find_typing_mistakes(typed, LastRead(), terms)
        learning = TypingTerms(TODAY, COUNTERS, {("a", metric): past}, learns_from_mistakes=True)
        assert not find_typing_mistakes(typed, LastRead(), learning)


def test_the_correction_of_an_accident_is_none() -> None:
    """Back at the last sound number, whatever was typed between, and whether that is still in doubt or believed."""
    past = [*GROWN, Point(39.9, 10 * LAST)]
    for doubted in (True, False):
        typed = [Typed("a", "views", 5, 10 * LAST, round(LAST * 1.005), doubted=doubted)]
        assert find_typing_mistakes(typed, LastRead(), TypingTerms(TODAY, COUNTERS, {("a", "views"): past})) == []


def test_what_is_taken_back_within_a_day_is_no_old_number() -> None:
    """Followers that were 1,233 until a typo inside the band may be so again at once, but no more the day after."""
    typed = [Typed("a", "followers", 5, 1_120, 1_233)]
    for later, began, causes in (
        (0, 20, []),
        (1, 20, ["looks like that of 21 days ago"]),
        (1, 0.2, ["looks like yesterday's"]),
    ):
        past = [Point(TODAY - began, 1_233), Point(TODAY - 0.01, 1_120)]
        terms = TypingTerms(TODAY + later, COUNTERS, {("a", "followers"): past})
        assert [one.cause for one in find_typing_mistakes(typed, NO_SHEET, terms)] == causes


def test_a_new_account_is_measured_by_the_others_of_its_project() -> None:
    """With no history of its own, an account may grow as the project's others do; with none at all, ten times."""
    typed = [Typed("new", "views", 5, 10_000, 12_000)]
    past = {("new", "views"): [Point(39, 10_000)]}
    assert find_typing_mistakes(typed, LastRead(), TypingTerms(TODAY, COUNTERS, past)) == []
    assert find_typing_mistakes([typed[0]._replace(new=100_000)], LastRead(), TypingTerms(TODAY, COUNTERS, past))
    assert find_typing_mistakes(typed, LastRead(), TypingTerms(TODAY, COUNTERS, past, {"views": band([0.01] * 9)}))
    lively = {"views": band([0.1, 0.12, 0.09, 0.11, 0.1])}
    assert find_typing_mistakes(typed, LastRead(), TypingTerms(TODAY, COUNTERS, past, lively)) == []


@given(st.lists(st.tuples(st.floats(0, 60), counts), max_size=12), st.lists(st.none() | counts, min_size=5, max_size=5),
       st.lists(counts, min_size=5, max_size=5), st.none() | counts, st.booleans())  # fmt: skip
def test_any_numbers_can_be_judged(
    past: list[tuple[float, int]], old: list[int | None], new: list[int], parsed: int | None, doubted: bool
) -> None:
    """Whatever the history and the cells say, judging ends with mistakes of what was typed."""
    typed = [Typed("a", m, 5, o, n, parsed, doubted) for m, o, n in zip(METRICS, old, new, strict=True)]
    terms = TypingTerms(TODAY, COUNTERS, {("a", m): [Point(*one) for one in past] for m in METRICS})
    found = find_typing_mistakes(typed, LastRead({4: Metrics(*new), 5: Metrics(*old)}), terms)
    assert {(one.metric, one.new) for one in found} <= {(one.metric, one.new) for one in typed}
    assert all(one.cause for one in found)


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(1, MAX_COUNT)), max_size=20), st.booleans())
def test_what_is_left_of_a_history_is_a_part_of_it(past: list[tuple[float, int]], counter: bool) -> None:
    """Nothing is made up, and of a lifetime count no part is left that falls."""
    changes = changes_of(Point(*one) for one in past)
    left = without_mistakes(changes, counter=counter)
    assert [point for point in changes if point in left] == left
    if counter:
        assert all(after.value >= before.value * 0.994 for before, after in pairwise(left))
    assert band(steps(left)).width >= band(steps(left)).calm >= 0.02


@given(counts, counts, st.sampled_from(METRICS))
def test_what_hardly_moves_needs_no_history(old: int, new: int, metric: str) -> None:
    """What is not looked at closely is no mistake, whosever number it is."""
    typed = Typed("a", metric, 5, old, new)
    if not needs_history(typed, counter=metric in COUNTERS):
        assert abs(new - old) <= 0.02 * old
        assert find_typing_mistakes([typed], LastRead({4: Metrics(*[new] * 5)}), TypingTerms(TODAY, COUNTERS, {})) == []


def test_the_rule_reaches_what_the_others_do_not() -> None:
    """95 % of material mistakes are told and honest growth is not; jumps alone, or a learning baseline, reach less."""
    size = {"projects": 1, "accounts": 40, "seed": 7}
    ours = measured.reach(measured.by_rule(), **size)
    assert measured.share(ours) >= measured.REACH
    alarms, days = measured.false_alarms(measured.by_rule(), **size)
    assert alarms <= max(1, measured.FALSE * days)
    assert measured.share(measured.reach(measured.by_jumps, **size)) < 0.65
    assert measured.share(measured.reach(measured.by_rule(learns=True), **size)) < measured.share(ours)
