"""``smart-sync check --drill``: makes one mistake of each kind in a copy and shows who would be notified.

The copy's largest project is taken as its last pass left it; the worksheet is made anew from its last sheet values,
with one accident planted, and decided about as a pass would.  Nothing is written, and nothing leaves the machine.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from smart_sync.admin.checks.findings import Finding
from smart_sync.clock import Clock, utc_now
from smart_sync.config import Settings
from smart_sync.core.days import day_of, stamp
from smart_sync.core.matching.sheet_side import Reading
from smart_sync.core.merge.plan import Plan
from smart_sync.core.model import METRICS, Cell, Metrics, Project, Worksheet
from smart_sync.core.state import AccountState
from smart_sync.errors import SheetUnavailable
from smart_sync.store import account_states, projects
from smart_sync.store.schema import open_database
from smart_sync.sync.planner import Case, Draft, Planner

HEADER: list[Cell] = ["Link", *(metric.capitalize() for metric in METRICS)]
#: A smaller number is no place to try an accident on.
_LEAST = 1000

Rows = dict[int, list[Cell]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where mistakes are made: a row, its neighbour, and a metric's column (from 0)."""

    row: int
    neighbour: int
    column: int


def _typed(change: Callable[[str], str]) -> Callable[[Rows, _Place], None]:
    """A typing mistake in one cell: ``change`` alters the digits of its number."""

    def plant(rows: Rows, at: _Place) -> None:
        rows[at.row][at.column] = int(change(str(rows[at.row][at.column])) or "0")

    return plant


def _neighbours(rows: Rows, at: _Place) -> None:
    rows[at.row][at.column] = rows[at.neighbour][at.column]


def _other_column(rows: Rows, at: _Place) -> None:
    others = [cell for cell in rows[at.row][1:] if isinstance(cell, int) and cell != rows[at.row][at.column]]
    rows[at.row][at.column] = max(others, default=0)


def _shifted(rows: Rows, at: _Place) -> None:
    numbers = [cells[at.column] for cells in rows.values()]
    for cells, number in zip(rows.values(), [*numbers[1:], numbers[0]], strict=True):
        cells[at.column] = number


def _swapped(rows: Rows, at: _Place) -> None:
    rows[at.row][1:], rows[at.neighbour][1:] = rows[at.neighbour][1:], rows[at.row][1:]


def _deleted(rows: Rows, at: _Place) -> None:
    del rows[at.row]


def _error(column: int | None) -> Callable[[Rows, _Place], None]:
    def plant(rows: Rows, at: _Place) -> None:
        rows[at.row][at.column if column is None else column] = "#REF!"

    return plant


def _emptied(rows: Rows, at: _Place) -> None:
    for cells in rows.values():
        cells[at.column] = None


KINDS: Mapping[str, Callable[[Rows, _Place], None]] = {
    "a digit is missing": _typed(lambda text: text[0] + text[2:]),
    "a digit is typed twice": _typed(lambda text: text[0] + text),
    "a digit is wrong": _typed(lambda text: str((int(text[0]) + 3) % 9 + 1) + text[1:]),
    "two digits are swapped": _typed(lambda text: "".join(sorted(text[:2], reverse=text[0] < text[1])) + text[2:]),
    "thousands are typed": _typed(lambda text: text[:-3]),
    "a zero too many": _typed(lambda text: text + "0"),
    "the neighbour's number": _neighbours,
    "the number of another column": _other_column,
    "a column shifted by one row": _shifted,
    "two rows swapped": _swapped,
    "an old number": _typed(lambda text: str(int(text) * 9 // 10)),
    "the growth for the total": _typed(lambda text: str(int(text) // 150)),
    "a row deleted": _deleted,
    "#REF! in a value's cell": _error(None),
    "#REF! in a link's cell": _error(0),
    "a column emptied": _emptied,
}


async def drill(settings: Settings, clock: Clock = utc_now) -> list[Finding]:
    """Make every kind of mistake in the database of ``settings``, which is a copy; one line for each."""
    now = clock()
    day = day_of(now, settings.schedule.timezone)
    async with open_database(settings.database.where) as database:
        largest: tuple[Project, list[AccountState]] | None = None
        for project in await projects.active_projects(database):
            states, _ = await account_states.read(database, project, settings.vote_terms(stamp(now)))
            candidates = [state for state in states if state.active and state.sheet and (state.sheet_row or 0) > 1]
            if largest is None or len(candidates) > len(largest[1]):
                largest = project, candidates
        if largest is None or (at := _place(largest[1])) is None:
            return [
                Finding(
                    "warning",
                    "drill: no worksheet with two rows and a number of 1,000 has been read yet",
                    trouble="drill",
                )
            ]
        project, candidates = largest
        planner = Planner(database, settings, "")

        async def decided(reading: Reading) -> Plan:
            draft = (await planner.decide([Case(project, reading)], now, day))[project.id]
            if not isinstance(draft, Draft):
                raise draft
            return draft.plan

        quiet = await decided(_worksheet(project, _rows(candidates)))
        findings = []
        for kind, plant in KINDS.items():
            rows = _rows(candidates)
            plant(rows, at)
            findings.append(_finding(settings, kind, dict(_alarms(await decided(_worksheet(project, rows)), quiet))))
        gone = SheetUnavailable(
            f"worksheet {project.name!r} is not there", "restore it", "missing", trouble="sheet-missing"
        )
        return [*findings, _finding(settings, "the worksheet deleted", dict(_alarms(await decided(gone), quiet)))]


def _rows(states: list[AccountState]) -> Rows:
    ordered = sorted(states, key=lambda state: state.sheet_row or 0)
    return {state.sheet_row or 0: [state.link, *(state.sheet or Metrics())] for state in ordered}


def _place(states: list[AccountState]) -> _Place | None:
    """The cell with the largest number, in a row that has a neighbour."""
    rows = _rows(states)
    numbers = list(rows)
    cells = [(v, row, c) for row, cells in rows.items() for c, v in enumerate(cells) if isinstance(v, int)]
    value, row, column = max(cells, default=(0, 0, 0))
    if len(numbers) < 2 or value < _LEAST:
        return None
    index = numbers.index(row)
    return _Place(row, numbers[index + 1 if index + 1 < len(numbers) else index - 1], column)


def _worksheet(project: Project, rows: Rows) -> Worksheet:
    grid: list[list[Cell]] = [HEADER, *([] for _ in range(max(rows) - 1))]
    for number, cells in rows.items():
        grid[number - 1] = cells
    return Worksheet(project.name, grid)


def _alarms(plan: Plan, quiet: Plan) -> Iterator[tuple[str, str]]:
    """The events that would report a mistake, each with its text."""
    for trouble in (*plan.accidents, *([plan.trouble] if plan.trouble else [])):
        yield "project.degraded", trouble.reason
    for suspect in plan.suspects.new:
        yield "value.suspected", f"{suspect.place}, {suspect.cause or 'a jump'}"
    for problem in plan.problems:
        if problem not in quiet.problems:
            yield "worksheet.problem_found", str(problem)


def _finding(settings: Settings, kind: str, alarms: Mapping[str, str]) -> Finding:
    if not alarms:
        return Finding("warning", f"drill: {kind}: no alarm", trouble="drill")
    reports, beyond = [], False
    for event, text in alarms.items():
        listeners = list(_listeners(settings, event))
        beyond = beyond or bool(listeners)
        reports.append(f"{event} ({text}) → {', '.join(['log', *listeners])}")
    health = "healthz stays 200"
    if "worksheet" in kind:
        health = f"healthz 503 when it has lasted for {settings.sheets.stale_after / 3600:g} h"
    nobody = "" if beyond else "; nobody but the log: name the event in [[webhooks]] or [[notify.targets]]"
    return Finding(
        "ok" if beyond else "warning", f"drill: {kind}: {'; '.join(reports)}; {health}{nobody}", trouble="drill"
    )


def _listeners(settings: Settings, event: str) -> Iterator[str]:
    """The configured receivers of an event."""
    for number, webhook in enumerate(settings.webhooks, 1):
        if event in webhook.events:
            yield f"webhook {number}"
    for number, target in enumerate(settings.notify.targets, 1):
        if event in target.events:
            yield f"notify target {number}"
