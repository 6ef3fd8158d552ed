"""Columns that lose their values at once: an accident of the worksheet, so each cell's last value stands in.

A column is in such an accident if it held values above 0 in `AT_LEAST` rows that are still there, and now all of its
cells are blank, 0 or unreadable, or it has no header any more.  Each cell stands in until it holds a value above 0
again, or a person says that it is meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from smart_sync.core.matching.missing_rows import AT_LEAST, Terms
from smart_sync.core.model import METRICS, Problem, SheetRow, Table
from smart_sync.core.state import AccountState
from smart_sync.core.wording import confirm


class Columns(NamedTuple):
    """What has happened to the columns of a worksheet."""

    #: Per account the metrics whose cells an accident holds; accounts without any are not in it.
    held: Mapping[str, frozenset[str]]
    #: Metrics that have last values and no column.
    lost: frozenset[str]
    #: Metrics in an accident, and how many values of each stand in.
    accidents: Mapping[str, int]
    problems: tuple[Problem, ...]


def watch(table: Table, rows: Mapping[str, SheetRow], active: Sequence[AccountState], terms: Terms) -> Columns:
    """Compare the columns of a worksheet with the last sheet values of the accounts that still have a row."""
    known = [state for state in active if state.sheet is not None and state.id in rows]
    held: dict[str, frozenset[str]] = {}
    lost: set[str] = set()
    accidents: dict[str, int] = {}
    problems = []
    for index, metric in enumerate(METRICS):
        had = [state for state in known if state.sheet and state.sheet[index]]
        if metric not in table.columns:
            # A cell that was held before its column went is held when the column is back.
            for state in had:
                if metric in state.held:
                    held[state.id] = held.get(state.id, frozenset()) | {metric}
            if any(s.sheet and s.sheet[index] is not None for s in known):
                lost.add(metric)
                problems.append(_lost(table, metric, terms))
                if len(had) >= AT_LEAST:
                    accidents[metric] = len(had)
            continue
        at_once = len(had) >= AT_LEAST and not any(rows[state.id].metrics[index] for state in known)
        ids = [s.id for s in had if (at_once or metric in s.held) and not rows[s.id].metrics[index]]
        for account_id in ids:
            held[account_id] = held.get(account_id, frozenset()) | {metric}
        if ids:
            accidents[metric] = len(ids)
            problems += _held(table, metric, sorted(ids, key=lambda account_id: rows[account_id].row), rows)
    return Columns(held, frozenset(lost), accidents, tuple(problems))


def _lost(table: Table, metric: str, terms: Terms) -> Problem:
    seen = ", ".join(repr(header) for header in table.headers[:20])
    return Problem(
        f"the column for {metric} is gone; its last known values are used; headers seen: {seen}; name it again, "
        f"or if it is meant: {confirm(terms.name, metric)}",
        table.worksheet,
        code="column-missing",
    )


def _held(table: Table, metric: str, ids: Iterable[str], rows: Mapping[str, SheetRow]) -> Iterable[Problem]:
    for account_id in ids:
        row = rows[account_id]
        if metric not in row.unreadable:  # that is a problem already
            yield Problem(
                f"{metric}: blank or 0 with its whole column; the last known value is used",
                table.worksheet,
                row.row,
                table.letters.get(metric),
                row.link,
                "column-emptied",
            )
