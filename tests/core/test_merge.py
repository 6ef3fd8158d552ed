"""core.merge: which side wins, for every strategy."""

from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.merge.strategies import (
    STRATEGIES,
    Before,
    Decision,
    Strategy,
    Winner,
    consistent,
    decide,
    highest,
    latest,
    parsed_first,
    sheet_first,
)
from smart_sync.core.model import MAX_COUNT

counts = st.integers(0, MAX_COUNT)
values = st.none() | counts
strategies = st.sampled_from(list(STRATEGIES.values()))


def settled(sheet: int | None, parsed: int | None, decision: Decision) -> Before:
    """How a pass that decided so leaves a metric behind."""
    return Before(sheet, parsed, decision.value or 0, decision.winner)


@given(values, values)
def test_max_is_never_below_either_side(sheet: int | None, parsed: int | None) -> None:
    """MAX is one of the two sides, and not below the other."""
    value, winner, _ = highest(sheet, parsed)
    sides = [side for side in (sheet, parsed) if side is not None]
    assert value == (max(sides) if sides else None)
    assert (winner is None) == (not sides)


@given(values, values)
def test_max_does_not_care_which_side_is_which(sheet: int | None, parsed: int | None) -> None:
    """Exchanging the sides exchanges the winner and leaves the value."""
    mirrored = {Winner.SHEET: Winner.PARSED, Winner.PARSED: Winner.SHEET, Winner.BOTH: Winner.BOTH, None: None}
    one, other = highest(sheet, parsed), highest(parsed, sheet)
    assert (one.value, one.winner) == (other.value, mirrored[other.winner])


@given(counts, values, counts)
def test_max_is_monotone(sheet: int, parsed: int | None, more: int) -> None:
    """A larger sheet value never gives a smaller merged one."""
    larger = min(sheet + more, MAX_COUNT)
    assert (highest(larger, parsed).value or 0) >= (highest(sheet, parsed).value or 0)


@given(strategies, values, values, st.booleans(), st.booleans())
def test_every_strategy_is_idempotent(
    strategy: Strategy, sheet: int | None, parsed: int | None, rounded: bool, carried: bool
) -> None:
    """Deciding again with nothing changed decides the same."""
    first = decide(strategy, sheet, parsed, None, rounded=rounded, carried=carried)
    again = decide(strategy, sheet, parsed, settled(sheet, parsed, first), rounded=rounded, carried=carried)
    assert (again.value, again.winner) == (first.value, first.winner)


@given(strategies, values, values)
def test_a_missing_side_never_wins(strategy: Strategy, sheet: int | None, parsed: int | None) -> None:
    """A side with a value wins over one without; if neither has one, there is no winner."""
    value, winner, _ = decide(strategy, sheet, parsed)
    if sheet is None and parsed is None:
        assert (value, winner) == (None, None)
    else:
        assert value in (sheet, parsed)
        assert value is not None
    if winner is Winner.BOTH:
        assert sheet == parsed


def test_sheet_first_takes_parsed_only_where_the_sheet_has_nothing_positive() -> None:
    """`sheet`: the sheet when it has a positive value, else parsed."""
    assert sheet_first(5, 9)[:2] == (5, Winner.SHEET)
    assert sheet_first(0, 9)[:2] == (9, Winner.PARSED)
    assert sheet_first(None, 9)[:2] == (9, Winner.PARSED)
    assert sheet_first(0, None)[:2] == (0, Winner.SHEET)


def test_parsed_first_takes_the_sheet_only_where_parsed_has_nothing_positive() -> None:
    """`parsed`: parsed when it has a positive value, else the sheet."""
    assert parsed_first(9, 5)[:2] == (5, Winner.PARSED)
    assert parsed_first(9, 0)[:2] == (9, Winner.SHEET)
    assert parsed_first(9, None)[:2] == (9, Winner.SHEET)
    assert parsed_first(None, 0)[:2] == (0, Winner.PARSED)


def test_latest_follows_the_side_that_changed() -> None:
    """`latest`: a manual correction downwards holds until the platform reports something newer."""
    before = Before(sheet=100, parsed=120, merged=120, winner="parsed")
    assert latest(90, 120, before)[:2] == (90, Winner.SHEET)
    corrected = Before(sheet=90, parsed=120, merged=90, winner="sheet")
    assert latest(90, 120, corrected)[:2] == (90, Winner.SHEET)
    assert latest(90, 121, corrected)[:2] == (121, Winner.PARSED)


def test_latest_prefers_the_hand_when_both_changed_and_records_the_conflict() -> None:
    """`latest`: both changed: the sheet wins, and the conflict is recorded unless they agree."""
    before = Before(sheet=100, parsed=120, merged=120, winner="parsed")
    assert latest(90, 130, before) == (90, Winner.SHEET, True)
    assert latest(130, 130, before) == (130, Winner.BOTH, False)


def test_latest_gives_way_to_the_parser_when_a_cell_is_emptied() -> None:
    """`latest`: a manager who empties a cell withdraws its value; nobody left means no value."""
    before = Before(sheet=100, parsed=120, merged=100, winner="sheet")
    assert latest(None, 120, before)[:2] == (120, Winner.PARSED)
    assert latest(None, None, before)[:2] == (None, None)


def test_latest_forgets_an_outage() -> None:
    """`latest`: a value that stood in during an outage is the sheet's again once the sheet is read."""
    before = Before(sheet=100, parsed=120, merged=100, winner="carried")
    assert latest(100, 120, before)[:2] == (100, Winner.SHEET)


def test_latest_takes_a_silent_parser_for_unchanged() -> None:
    """`latest`: a parser that has no value has not changed."""
    before = Before(sheet=None, parsed=120, merged=120, winner="parsed")
    assert latest(50, None, before)[:2] == (50, Winner.SHEET)


@given(values, values, values, values)
def test_latest_never_overrules_a_hand_that_just_moved(
    s0: int | None, p0: int | None, s1: int | None, p1: int | None
) -> None:
    """`latest`: whenever the sheet's value has changed to a count, that count is the result."""
    first = latest(s0, p0, None)
    second = latest(s1, p1, settled(s0, p0, first))
    if s1 is not None and s1 != s0:
        assert second.value == s1


def test_a_rounded_figure_is_consistent_with_what_it_may_stand_for() -> None:
    """A figure is consistent with an exact one that a platform would round or cut to it."""
    for rounded, exact in [(6_800_000, 6_790_312), (6_800_000, 6_849_000), (1_230, 1_234), (12_500, 12_480), (7, 7)]:
        assert consistent(rounded, exact), (rounded, exact)
    for rounded, exact in [
        (6_800_000, 6_700_000),
        (6_800_000, 6_900_000),
        (1_230, 1_245),
        (7, 8),
        (48, 47),
        (48, 49),
        (931, 930),
        (1_230, 1_224),
        (7_000_000, 6_600_000),
    ]:
        assert not consistent(rounded, exact), (rounded, exact)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_figure_with_all_its_digits_stands_for_itself_alone(rounded: int, exact: int) -> None:
    """What does not end in a zero has not been rounded, so that nothing else is consistent with it."""
    if rounded % 10 or rounded < 10:
        assert consistent(rounded, exact) == (rounded == exact)


@given(st.integers(10, MAX_COUNT), st.integers(2, 5))
def test_rounding_to_some_digits_is_always_consistent(exact: int, digits: int) -> None:
    """Cutting an exact count to two or more digits gives a figure consistent with it."""
    place = 10 ** max(len(str(exact)) - digits, 0)
    assert consistent(exact // place * place, exact)


@given(st.sampled_from([highest, sheet_first, parsed_first, latest]), st.integers(100, 10**12))
def test_a_rounded_figure_never_beats_the_exact_one_it_stands_for(strategy: Strategy, exact: int) -> None:
    """A rounded parsed value that is consistent with the sheet's exact one leaves the exact one standing."""
    place = 10 ** (len(str(exact)) - 2)
    rounded_up = -(-exact // place) * place
    if consistent(rounded_up, exact):
        assert decide(strategy, exact, rounded_up, rounded=True).value == exact


@given(counts, counts)
def test_a_stand_in_is_never_passed_off_as_read(sheet: int, parsed: int) -> None:
    """An earlier sheet value that wins is called carried."""
    decision = decide(highest, sheet, parsed, carried=True)
    assert decision.winner is not Winner.SHEET
    assert (decision.winner is Winner.CARRIED) == (sheet > parsed)
