"""The cells of a worksheet with another number than in its last read, and which of them are mistakes.

In the first read of an account's row nothing counts as typed, unless the account has had values before, as those of its
parser.  Then a number below the parser's is another one, such as a campaign's: where the larger one counts it is no
mistake.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from smart_sync.core.days import moment
from smart_sync.core.matching.sheet_side import Sheet
from smart_sync.core.merge.growth_band import ENOUGH, FALL, NARROWEST, Point
from smart_sync.core.merge.last_read import LastRead, Typed
from smart_sync.core.merge.suspects import Doubts, Judged, Suspect, Suspects
from smart_sync.core.merge.typing_mistakes import (
    TypingMistake,
    TypingTerms,
    agrees,
    find_typing_mistakes,
    grown_from,
    needs_history,
)
from smart_sync.core.model import METRICS, NO_METRICS, SheetRow
from smart_sync.core.pins import cell_pins, is_far
from smart_sync.core.state import AccountState

#: Accounts whose growth a new account is measured by.
MAX_OTHERS = 20


class Cells(NamedTuple):
    """The cells typed since the last read that must be judged."""

    #: All cells typed into the rows that need a history, row by row.
    rows: Sequence[Sequence[Typed]] = ()
    #: Account id → the metrics that must be compared with their history (`needs_history`).
    close: Mapping[str, Collection[str]] = {}
    #: The cells with an open suspect whose number has changed: an account id and a metric.
    edited: frozenset[tuple[str, str]] = frozenset()


def typed_cells(
    sheet: Sheet,
    states: Sequence[AccountState],
    doubted: Suspects,
    counters: Collection[str],
    larger_counts: Callable[[str], Collection[str]] = lambda _platform: (),
) -> Cells:
    """The cells of ``sheet`` whose number differs from that in ``states``.

    A pinned cell (``950!``) is among them only if it was pinned in the last read (a new pin is meant, whatever the
    number) and the parser does not contradict it (`core.merge.pinning` says so then).  Cells that were emptied with
    their whole column are not, for nobody has typed that.  ``doubted`` are the open suspects; ``larger_counts`` gives,
    by platform, the metrics of which the larger of sheet value and parsed value counts.
    """
    sheet = _unread(sheet, sheet.emptied)
    rows: list[list[Typed]] = []
    close: dict[str, list[str]] = {}
    lowest = [FALL if metric in counters else NARROWEST for metric in METRICS]
    for state in states:
        row, last = sheet.rows.get(state.id), state.sheet
        if row is None or row.metrics == last or not state.active:
            continue
        if last is None:
            if not any(state.winners):
                continue
            last = NO_METRICS
        # `needs_history`, written out for speed: most rows end here.
        for low, old, new in zip(lowest, last, row.metrics, strict=True):
            if new is not None and new != old and not (old and -low * old <= new - old <= NARROWEST * old):
                break
        else:
            continue
        typed = list(_typed(state, row, doubted))
        if state.sheet is None:
            hidden = larger_counts(state.platform)
            typed = [one for one in typed if one.metric not in hidden or one.new >= (one.parsed or 0)]
        near = [one.metric for one in typed if needs_history(one, counter=one.metric in counters)]
        if near:
            rows.append(typed)
            close[state.id] = near
    return Cells(rows, close, frozenset(_edited(sheet, states, doubted)) if doubted else frozenset())


def _edited(sheet: Sheet, states: Sequence[AccountState], doubted: Suspects) -> Iterator[tuple[str, str]]:
    by_id = {state.id: state for state in states}
    for account_id, metric in doubted:
        row, state = sheet.rows.get(account_id), by_id.get(account_id)
        if row is not None and state is not None and state.sheet is not None and metric not in row.unreadable:
            index = METRICS.index(metric)
            if row.metrics[index] != state.sheet[index]:
                yield account_id, metric


def _typed(state: AccountState, row: SheetRow, doubted: Suspects) -> Iterator[Typed]:
    parsed = state.parsed or NO_METRICS
    last = state.sheet or NO_METRICS
    marked = cell_pins(state.pins)
    for metric, old, new, theirs in zip(METRICS, last, row.metrics, parsed, strict=True):
        if new is not None and new != old:
            # A new row is often begun with zeros, which are not meant as numbers.
            if state.sheet is None and not new:
                continue
            if metric in row.pinned and (metric not in marked or is_far(new, theirs)):
                continue
            open_ = doubted.get((state.id, metric))
            is_doubted = open_ is not None and open_.new == old
            yield Typed(state.id, metric, row.row, old, new, theirs, is_doubted)


def unknown(cells: Cells, histories: Mapping[tuple[str, str], Sequence[Point]]) -> list[str]:
    """The metrics for which the history of some of ``cells`` is too short for a band."""
    short = {
        metric
        for account_id, metrics in cells.close.items()
        for metric in metrics
        if len(histories.get((account_id, metric), ())) <= ENOUGH
    }
    return [metric for metric in METRICS if metric in short]


def comparable_accounts(states: Iterable[AccountState], cells: Cells) -> list[str]:
    """A sample of accounts without typed cells, whose growth is the measure for accounts without a history."""
    ids = sorted(state.id for state in states if state.sheet is not None and state.id not in cells.close)
    return ids[:: max(1, len(ids) // MAX_OTHERS)][:MAX_OTHERS]


def judge_cells(
    cells: Cells, sheet: Sheet, states: Sequence[AccountState], terms: TypingTerms, doubts: Doubts, name: str
) -> Judged:
    """Judge ``cells`` of the worksheet ``name``.

    A mistake that has been confirmed, or has stood long enough, is none any more; a known one keeps its ``since``.
    """
    by_id = {state.id: state for state in states} if cells.rows or doubts.open else {}
    before = _before(states) if cells.rows else LastRead()
    mistakes = [
        known for known in doubts.open.values() if _stays_held(known, by_id.get(known.account_id), sheet, doubts)
    ]
    for row in cells.rows:
        for mistake in find_typing_mistakes(row, before, terms):
            key = (mistake.account_id, mistake.metric)
            known = doubts.open.get(key)
            if known is None or not known.typed or known.new != mistake.new:
                one = _suspect(mistake, by_id[key[0]], sheet, doubts, name)
                if known is not None and known.held and _grows_from_held(known, mistake, terms, doubts):
                    one = one._replace(since=known.since)
                if one.since > doubts.believed:
                    mistakes.append(one)
            elif known.since > doubts.believed and not known.held:
                mistakes.append(known)
    judged_cells = frozenset((one.account_id, one.metric) for row in cells.rows for one in row)
    return Judged(mistakes, judged_cells, cells.edited, sheet.rows)


def _stays_held(suspect: Suspect, state: AccountState | None, sheet: Sheet, doubts: Doubts) -> bool:
    """Whether a held number stays held: the cell still has it, and neither a person nor the parser confirms it.

    It is not judged anew: the cells nearby and the other numbers of the row have changed since.
    """
    row = sheet.rows.get(suspect.account_id)
    if not suspect.held or suspect.since <= doubts.believed or row is None or state is None or not state.active:
        return False
    index = METRICS.index(suspect.metric)
    parsed = (state.parsed or NO_METRICS)[index]
    return row.metrics[index] == suspect.new and suspect.metric not in row.pinned and not agrees(suspect.new, parsed)


def _grows_from_held(suspect: Suspect, mistake: TypingMistake, terms: TypingTerms, doubts: Doubts) -> bool:
    """Whether a cell grew as usual from the held number: then it stays held as long as that one.

    Else an account that is typed each day would be held for ever.
    """
    days = (moment(doubts.now) - moment(suspect.since)) / timedelta(days=1) if suspect.since else 1.0
    return grown_from(suspect.new, days, mistake, terms)


def _before(states: Iterable[AccountState]) -> LastRead:
    """The worksheet as it was in the last read."""
    # Where two accounts have had the same row, the one that still has a row counts.
    by_age = sorted(states, key=lambda state: state.absence.gone_since is None)
    rows = [(state.sheet_row, state, state.sheet) for state in by_age if state.sheet is not None]
    by_row = {row: (state, values) for row, state, values in rows if row is not None}
    return LastRead(
        {row: values for row, (_, values) in by_row.items()},
        {row: f"@{state.username}" if state.username else state.link for row, (state, _) in by_row.items()},
        {row: state.id for row, (state, _) in by_row.items()},
    )


def _suspect(mistake: TypingMistake, state: AccountState, sheet: Sheet, doubts: Doubts, name: str) -> Suspect:
    place = f"{name}!{sheet.letters.get(mistake.metric, '')}{sheet.row_number(state)}"
    return Suspect(
        mistake.account_id,
        state.link,
        mistake.metric,
        mistake.old,
        mistake.new,
        doubts.now,
        place,
        mistake.cause,
        typed=True,
        # A pinned number is meant.  Without an earlier value there is none that could be carried.
        held=doubts.hold
        and (mistake.old is not None or state.winners[METRICS.index(mistake.metric)] is not None)
        and mistake.metric not in sheet.rows[state.id].pinned,
    )


def hold(sheet: Sheet, suspects: Iterable[Suspect]) -> Sheet:
    """``sheet`` with the held cells of ``suspects`` marked unread: their earlier values are carried."""
    cells: dict[str, set[str]] = {}
    for one in suspects:
        if one.held:
            cells.setdefault(one.account_id, set()).add(one.metric)
    return _unread(sheet, cells)


def _unread(sheet: Sheet, cells: Mapping[str, Set[str]]) -> Sheet:
    """``sheet`` with ``cells`` (metrics by account id) marked as unreadable."""
    if not cells:
        return sheet
    rows = dict(sheet.rows)
    for account_id, metrics in cells.items():
        row = rows[account_id]
        rows[account_id] = row._replace(
            metrics=row.metrics._replace(**dict.fromkeys(metrics)), unreadable=row.unreadable | metrics
        )
    return replace(sheet, rows=rows)
