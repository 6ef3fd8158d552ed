"""Random worksheets, damaged at random over passes and days: nothing becomes 0, nothing doubles, all is named."""

import asyncio
import csv
import os
import random
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lengths import examples
from smart_sync.config import Settings
from smart_sync.core.matching import doubtful_rows, missing
from smart_sync.core.merge import decisions
from smart_sync.core.model import METRICS, Metrics, ParsedMetrics, Trigger
from smart_sync.core.results.results import ProjectResult
from smart_sync.store import parsed_values
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import NOON, link

HEADER = ["Link", *(metric.title() for metric in METRICS)]
NAMES = {
    "P": ["alpha_one", "bravo_two", "charlie_x", "delta_four", "echo_five_5", "foxtrot"],
    "Q": ["golf_club", "hotel_inn", "india_ink", "juliet_cap", "kilo_gram", "lima_bean"],
}
HOME = {name: project for project, names in NAMES.items() for name in names}
EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", examples(10, 50)))
JUNK = ["#REF!", "#N/A", "Loading...", "see notes", "12/10/2026"]

Sheets = dict[str, list[list[Any]]]


@dataclass(frozen=True)
class Damage:
    """What somebody does to the worksheets; ``takes``: rows of which project it takes away."""

    name: str
    apply: Callable[[Sheets], None]
    takes: str = ""
    #: An account that the web app moves to the other project.
    moves: str = ""


def _row(sheets: Sheets, name: str) -> list[Any] | None:
    return next((row for row in sheets[HOME[name]] if row[0] == link(name)), None)


def junk_a_cell(choice: random.Random) -> Damage:
    name, column, junk = choice.choice(sorted(HOME)), choice.randrange(1, 6), choice.choice(JUNK)

    def apply(sheets: Sheets) -> None:
        if (row := _row(sheets, name)) is not None:
            row[column] = junk

    return Damage(f"{name}: {junk} in column {column}", apply)


def take_a_row(choice: random.Random) -> Damage:
    """Cut, pasted into the other worksheet, or with a link that is mistyped, an error, or of another name."""
    name = choice.choice(sorted(HOME))
    own = HOME[name]
    other = "Q" if own == "P" else "P"
    how = choice.choice(["cut", "paste", "typo", "error", "rename"])

    def apply(sheets: Sheets) -> None:
        row = _row(sheets, name)
        if row is None:
            return
        if how in ("cut", "paste"):
            sheets[own].remove(row)
        if how == "paste":
            sheets[other].append(row)
        if how == "typo":
            row[0] = link(name[:2] + "z" + name[3:])
        if how == "error":
            row[0] = "#REF!"
        if how == "rename":
            row[0] = link(f"{name}_x")

    return Damage(f"{name}: {how}", apply, takes=own)


def half_load(choice: random.Random) -> Damage:
    project, count = choice.choice(sorted(NAMES)), choice.randrange(1, 4)

    def apply(sheets: Sheets) -> None:
        del sheets[project][max(1, len(sheets[project]) - count) :]

    return Damage(f"{project}: the last {count} rows are not loaded", apply, takes=project)


def break_a_column(choice: random.Random) -> Damage:
    project, column, filler = choice.choice(sorted(NAMES)), choice.randrange(1, 6), choice.choice(["", 0, "#REF!"])

    def apply(sheets: Sheets) -> None:
        for row in sheets[project][1:]:
            row[column] = filler

    return Damage(f"{project}: column {column} is {filler!r}", apply)


def rename_a_column(choice: random.Random) -> Damage:
    project, column = choice.choice(sorted(NAMES)), choice.randrange(1, 6)

    def apply(sheets: Sheets) -> None:
        sheets[project][0][column] = "Remarks"

    return Damage(f"{project}: column {column} is renamed", apply)


def swap_rows(choice: random.Random) -> Damage:
    project, seed = choice.choice(sorted(NAMES)), choice.random()

    def apply(sheets: Sheets) -> None:
        rows = sheets[project][1:]
        random.Random(seed).shuffle(rows)
        sheets[project][1:] = rows

    return Damage(f"{project}: sorted", apply)


def empty_a_worksheet(choice: random.Random) -> Damage:
    project = choice.choice(sorted(NAMES))
    return Damage(f"{project}: emptied", lambda sheets: sheets.update({project: []}), takes=project)


def move_an_account(choice: random.Random) -> Damage:
    name = choice.choice(sorted(HOME))
    return Damage(f"{name}: moved", lambda sheets: None, takes=HOME[name], moves=name)


DAMAGES = [
    junk_a_cell, junk_a_cell, take_a_row, take_a_row, half_load, break_a_column, break_a_column, rename_a_column,
    swap_rows, swap_rows, empty_a_worksheet, move_an_account,
]  # fmt: skip


@dataclass
class Agency:
    """Two projects, what their managers have typed, and what is wrong with their worksheets now."""

    folder: Path
    strategy: str
    typed: dict[str, list[int]]
    parsed: dict[str, Metrics]
    now: datetime = NOON
    damages: list[Damage] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "database": {"path": self.folder / "a.db"},
                "sheets": {"source": "csv", "directory": self.folder},
                "sync": {"create_missing": "projects"},
                "merge": {"strategy": self.strategy},
            }
        )

    def sheets(self) -> Sheets:
        """The worksheets as they are now: rows are sorted and taken first, so that columns are broken as they are."""
        found: Sheets = {p: [[*HEADER], *([link(n), *self.typed[n]] for n in names)] for p, names in NAMES.items()}
        for damage in sorted(self.damages, key=lambda damage: ("emptied" in damage.name, "column" in damage.name)):
            project = damage.name[0]
            known = [row for row in found.get(project, ())[1:] if row[0] in self.at_home(project)]
            # Of fewer than three rows it would be taken for a correction.
            if "column" not in damage.name or "is renamed" in damage.name or len(known) >= 3:
                damage.apply(found)
        return found

    def at_home(self, project: str) -> set[str]:
        """The links of the accounts that belong to a project now and before."""
        moved = {damage.moves for damage in self.damages}
        return {link(name) for name in NAMES[project] if name not in moved}

    def type(self) -> None:
        for project, rows in self.sheets().items():
            with (self.folder / f"{project}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(rows)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "a.db", timeout=30)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    def move(self) -> None:
        """The web app: the accounts that are moved are in the other project, all others at home."""
        moved = {damage.moves for damage in self.damages}
        for name, home in HOME.items():
            project = ("Q" if home == "P" else "P") if name in moved else home
            self.execute(
                "UPDATE OR IGNORE project_social_accounts SET project_id = (SELECT id FROM projects WHERE name = ?)"
                " WHERE profile_link = ?",
                (project, link(name)),
            )

    def merged(self) -> dict[str, tuple[tuple[int, ...], tuple[str | None, ...]]]:
        winners = ", ".join(f"{m}_winner" for m in METRICS)
        rows = self.execute(
            f"SELECT profile_link, {', '.join(METRICS)}, {winners} FROM project_social_accounts"
            " JOIN account_metrics ON account_id = id WHERE is_active AND left_since IS NULL"
        )
        return {row[0].rpartition("@")[2]: (row[1:6], row[6:]) for row in rows}


def check(agency: Agency, results: Sequence[ProjectResult], before: dict[str, Any]) -> None:
    """What holds after every pass; ``before``: what the first pass made of the undamaged worksheets."""
    after = agency.merged()
    assert set(after) <= set(before), f"accounts were made of nothing: {set(after) - set(before)}"
    told = [text for result in results for text in (result.error, *map(str, result.problems))]
    sheets = agency.sheets()
    for name, (values, winners) in after.items():
        row = next((row for row in sheets[HOME[name]] if row[0] == link(name)), None)
        for index, metric in enumerate(METRICS):
            assert winners[index] is not None, f"{name}: nobody has {metric} any more"
            assert values[index] > 0, f"{name}: {metric} has become 0"
            readable = row is not None and type(row[index + 1]) is int and sheets[HOME[name]][0][index + 1] != "Remarks"
            moved = name in {damage.moves for damage in agency.damages}
            if readable and not moved and agency.strategy == "max" and row is not None:
                assert values[index] >= row[index + 1], f"{name}: {metric} is below what is typed"
            if (values[index], winners[index]) != (before[name][0][index], before[name][1][index]):
                project = HOME[name] if not moved else "P" if HOME[name] == "Q" else "Q"
                named = is_named(name, metric, row, sheets, told) or f"worksheet '{project}' is empty" in " ".join(told)
                assert named, f"{name}: {metric} differs, told is {told}"
    for index, metric in enumerate(METRICS):
        total, undamaged = (sum(values[index] for values, _ in one.values()) for one in (after, before))
        assert total <= undamaged, f"the total of {metric} has risen from {undamaged} to {total}"


def is_named(name: str, metric: str, row: list[Any] | None, sheets: Sheets, told: Sequence[str]) -> bool:
    """Whether some problem names the account, its cell, the metric's column or the whole worksheet."""
    project = HOME[name]
    cells = [f"{project}!{'ABCDEF'[METRICS.index(metric) + 1]}{sheets[project].index(row) + 1}:"] if row else []
    wanted = [f"{link(name)} ", f"{link(name)};", f"{link(name)})", f"the column for {metric} ", *cells]
    return any(any(text in one for text in wanted) or f"worksheet '{project}' is empty" in one for one in told)


async def live(agency: Agency, choice: random.Random, passes: int) -> None:
    """Damage and repair, pass after pass, within the week that rows may be gone; then all is repaired."""
    clock = lambda: agency.now  # noqa: E731 - the clock of the daemon
    agency.type()
    async with opened(agency.settings, Reporter(), clock=clock) as resources:
        sync = SyncPass(resources)
        await sync.run(PassRequest(Trigger.TIMER))
        ids = dict(await resources.database.fetch("SELECT profile_link, id FROM project_social_accounts"))
        values = [ParsedMetrics(ids[link(name)], one, "ours", agency.now) for name, one in agency.parsed.items()]
        await parsed_values.put(resources.database, values, agency.now)
        await sync.run(PassRequest(Trigger.TIMER))
        before = agency.merged()
        for number in range(passes + 1):
            agency.now += timedelta(hours=choice.choice([1, 12, 24]))
            if number == passes or choice.random() < 0.2:
                agency.damages.clear()
            else:
                agency.damages += [choice.choice(DAMAGES)(choice) for _ in range(choice.randrange(4))]
            agency.type()
            agency.move()
            results = (await sync.run(PassRequest(Trigger.TIMER))).results
            check(agency, results, before)
    assert {n: values for n, (values, _) in agency.merged().items()} == {n: values for n, (values, _) in before.items()}
    assert [problem for result in results for problem in result.problems] == []


numbers = st.integers(1, 10**6)
#: What is damaged is drawn by a generator of its own: hypothesis prefers what is simple, and so hardly any damage.
seeds = st.integers(0, 2**32)


def world(data: st.DataObject, folder: str, strategy: str) -> Agency:
    typed = {name: data.draw(st.lists(numbers, min_size=5, max_size=5)) for name in HOME}
    some = data.draw(st.sets(st.sampled_from(sorted(HOME))))
    parsed = {name: Metrics(*data.draw(st.lists(st.none() | numbers, min_size=5, max_size=5))) for name in sorted(some)}
    return Agency(Path(folder), strategy, typed, parsed)


@given(st.data(), st.sampled_from(["max", "sheet", "parsed", "latest"]), seeds)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_becomes_of_worksheets_nothing_is_lost_doubled_or_kept_quiet(
    data: st.DataObject, strategy: str, seed: int
) -> None:
    """No value becomes 0 or falls below a typed one, no total rises, all that differs is named; repaired it is well."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(world(data, folder, strategy), random.Random(seed), passes=5))


@pytest.mark.parametrize("weak", ["absences", "carried", "doubtful"])
def test_the_mutations_find_what_is_broken(weak: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are at once gone for good, values that nobody carries, accounts for every row: all are found out."""
    if weak == "absences":
        plain = missing.judge_absence
        monkeypatch.setattr(missing, "judge_absence", lambda *rest, **how: plain(*rest, **{**how, "settled": True}))
    elif weak == "carried":
        monkeypatch.setattr(
            decisions, "sheet_sides", lambda state, row, sheet: (row.metrics if row else Metrics(), frozenset())
        )
    else:
        monkeypatch.setattr(doubtful_rows, "find_doubtful", lambda *rest: ())
        monkeypatch.setattr("smart_sync.sync.planner.find_doubtful", lambda *rest: ())

    @given(st.data(), seeds)
    @settings(
        max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        database=None, report_multiple_bugs=False,
    )  # fmt: skip
    def run(data: st.DataObject, seed: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(live(world(data, folder, "max"), random.Random(seed), passes=5))

    with pytest.raises((AssertionError, ExceptionGroup)) as found:
        run()
    assert isinstance(found.value, AssertionError) or found.group_contains(AssertionError)
