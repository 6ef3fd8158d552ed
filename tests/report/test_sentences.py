"""The sentence that `explain` says of each metric."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.merge.strategies import STRATEGIES, Winner
from smart_sync.report.sentences import sentence

TOLD: Any = {
    "value": 1_258_400, "winner": Winner.SHEET, "sheet": 1_258_400, "parsed": 32_277, "strategy": "max",
    "rule": "merge.strategy", "source": "csv", "precision": "exact", "carried_since": None, "next": None,
    "next_is_no_value": False, "suspect": None,
}  # fmt: skip
HELD = {"old": 1_258_400, "new": 100_700, "since": "", "place": "P!H4", "cause": "", "held": True}
BOTH = "1,258,400 from the sheet (H4); the parser csv says 32,277"
SIDES = "the sheet says 1,258,400 (H4); the parser csv says 32,277"
ROUNDED = "the parsed value is rounded, and the exact one counts"
SINCE: Any = {"winner": Winner.CARRIED, "carried_since": "2026-03-10T12:00:00.000000"}
CARRIED = "views: 1,258,400, the last known value, is used since 2026-03-10 12:00 UTC: "


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "1,258,400 from the sheet (H4); the parser csv says 32,277; the larger counts"),
        ({"parsed": None, "source": None}, "1,258,400 from the sheet (H4); no parser has a value"),
        (
            {"sheet": 7, "parsed": 9, "value": 9, "winner": Winner.PARSED},
            "9 from the parser csv; the sheet says 7 (H4); the larger counts",
        ),
        (
            {"sheet": None, "parsed": 9, "value": 9, "winner": Winner.PARSED},
            "9 from the parser csv; the sheet has no value",
        ),
        (
            {"sheet": 9, "parsed": 9, "value": 9, "winner": Winner.BOTH},
            "9 from the sheet (H4); the parser csv says the same",
        ),
        (
            {"sheet": 1199, "value": 1199, "parsed": 1200, "precision": "rounded"},
            f"1,199 from the sheet (H4); the parser csv says 1,200; {ROUNDED}",
        ),
        (
            {"strategy": "sheet", "sheet": 0, "parsed": 9, "value": 9, "winner": Winner.PARSED},
            "9 from the parser csv; the sheet says 0 (H4); a 0 of the sheet gives way (merge.strategy)",
        ),
        (
            {"value": None, "winner": None, "sheet": None, "parsed": None},
            "no value: neither side has ever given one",
        ),
        (
            {"next": 1_300_000},
            f"{BOTH}; the larger counts; one side has changed since: the next pass makes it 1,300,000",
        ),
        (
            {"value": 950, "winner": Winner.PINNED},
            f"950, which a person has pinned, whatever the sides say; {SIDES}",
        ),
    ],
)  # fmt: skip
def test_who_won_and_why_is_one_sentence(change: Any, said: str) -> None:
    """The value, where it is from, what the other side says, and the reason."""
    assert sentence("views", TOLD | change, "H4") == f"views: {said}"


def test_a_value_that_stands_in_says_since_when_and_why() -> None:
    """A cell that cannot be read, a row that is gone, or nobody who has a value any more."""
    told = TOLD | SINCE | {"parsed": None}
    unread = "the sheet's cell (H4) cannot be read, or was emptied by accident"
    assert sentence("views", told, "H4") == f"{CARRIED}{unread}"
    assert sentence("views", told, "H4", gone=True) == f"{CARRIED}its row is gone"
    assert sentence("views", told | {"sheet": None}) == f"{CARRIED}no side has one any more"
    assert (
        sentence("views", told | {"suspect": HELD}, "H4") == f"{CARRIED}the sheet's 100,700 (H4) is suspect, and held"
    )
    assert sentence("views", told | {"suspect": {**HELD, "held": False}}, "H4") == f"{CARRIED}{unread}"


_counts = st.none() | st.integers(0, 10**12)


@given(
    _counts, _counts, _counts,
    st.sampled_from([None, Winner.SHEET, Winner.PARSED, Winner.BOTH, Winner.CARRIED, Winner.PINNED]),
    st.sampled_from(sorted(STRATEGIES)), _counts, st.booleans(),
)  # fmt: skip
def test_there_is_a_sentence_for_whatever_was_decided(
    value: int | None,
    sheet: int | None,
    parsed: int | None,
    winner: str | None,
    strategy: str,
    coming: int | None,
    gone: bool,
) -> None:
    """One line that begins with the metric, and names the value where there is one."""
    told = TOLD | {
        "value": value, "sheet": sheet, "parsed": parsed, "winner": winner, "strategy": strategy, "next": coming,
        "next_is_no_value": False,
    }  # fmt: skip
    said = sentence("views", told, gone=gone)
    assert said.startswith("views: ")
    assert "\n" not in said
    assert value is None or f"{value:,}" in said
