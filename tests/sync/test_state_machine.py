"""Managers, parsers, passes, outages, crashes, day and config changes, at random, against a model of a few lines.

After every step the database holds exactly what the model says: values, winners, stand-ins, snapshots, growth by the
days of whatever time zone is configured; after a crash each project is as it was before the pass or as it is after it,
and nothing in between.  `explain`, `growth` and the view say the same, and a web app that reads snapshots finds the
merged values.
SOAK_EXAMPLES and SOAK_STEPS make longer runs.
"""

import asyncio
import contextlib
import io
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest
import structlog
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from fake_google import FakeGoogle
from lengths import examples
from postgres_server import Server, absence
from smart_sync import logs
from smart_sync.admin.history import growth
from smart_sync.admin.ingest import NothingToForget, forget
from smart_sync.core.days import stamp
from smart_sync.core.merge import strategies
from smart_sync.core.merge.strategies import consistent
from smart_sync.core.model import MAX_COUNT, METRICS, NAMESPACE, Outcome, Trigger
from smart_sync.report.explain import DAYS, Explainer
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import Resources, opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from statements import watched
from world import HEADER, KEY, PostgresWorld, World, link

LONG = {
    "max_examples": int(os.environ.get("SOAK_EXAMPLES", examples(8, 40))),
    "stateful_step_count": int(os.environ.get("SOAK_STEPS", "35")),
}
PROJECTS = {"P": ["a", "b", "d", "e"], "Q": ["c"]}
HOME = {account: project for project, accounts in PROJECTS.items() for account in accounts}
JUNK = "#REF!"
#: How a web app looks at an account.
NEWEST = f"SELECT {', '.join(METRICS)} FROM account_snapshots WHERE account_id = ? ORDER BY snapshot_time DESC LIMIT 1"
A_DAY_AGO = (
    "SELECT views FROM account_snapshots WHERE account_id = ?1 AND datetime(snapshot_time) <="
    " datetime(?2, '-24 hours') ORDER BY snapshot_time DESC LIMIT 1"
)
BY_DATE = (
    f"SELECT date(snapshot_time), {', '.join(METRICS)} FROM account_snapshots WHERE account_id = ?"
    " ORDER BY snapshot_time"
)
GUIDE = (
    "SELECT DATE(snapshot_time) AS date, followers, views FROM account_snapshots WHERE account_id = ?"
    " ORDER BY snapshot_time DESC LIMIT 30"
)
#: [sheets] gone_after, in hours.
PATIENCE = 48

Values = dict[str, Any]

accounts = st.sampled_from(sorted(HOME))
cells = st.lists(st.none() | st.integers(0, 30), min_size=5, max_size=5)
#: Two of the five will do: fewer cells, more meetings in one cell.
metrics = st.sampled_from(["followers", "views"])
projects = st.sampled_from(sorted(PROJECTS))
counts = st.integers(0, 30) | st.integers(0, 10**7) | st.just(MAX_COUNT)
strategy_names = st.sampled_from(["max", "sheet", "parsed", "latest"])
zones = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles"])
#: A day or two before clocks change in one of them, or in none.
modes = st.sampled_from(["update", "update", "skip"])
beginnings = st.sampled_from(
    [datetime(2026, *day, 12, tzinfo=UTC) for day in ((3, 7), (3, 28), (7, 1), (10, 24), (10, 31))]
)


def nothing() -> Values:
    return dict.fromkeys(METRICS)


# --- the model -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The log of thousands of passes goes nowhere."""
    logs.configure("json", "error", io.StringIO())
    yield
    structlog.reset_defaults()


@dataclass
class Read:
    """What passes know of a worksheet: seconds of good reads, the last one, and whether one has failed since."""

    clock: float = 0.0
    at: datetime | None = None
    interrupted: bool = False

    def after(self, now: datetime, *, readable: bool) -> "Read":
        """Once it was read, or could not be."""
        if not readable:
            return Read(self.clock, self.at, self.at is not None)
        good = 0.0 if self.at is None or self.interrupted else (now - self.at).total_seconds()
        return Read(self.clock + good, now)


@dataclass
class Known:
    """What passes know of an account: its last good sheet values (None: no row), the parsed values seen, the result."""

    sheet: Values | None = None
    #: The clock of the worksheet when the row was missed; whether it is gone for good; whether the account has left.
    gone: float | None = None
    accepted: bool = False
    left: bool = False
    #: Gone with too many others; metrics whose cells an accident of their column has emptied.
    at_once: bool = False
    held: set[str] = field(default_factory=set)
    seen: Values | None = None
    #: Parsed values without which it was decided: metric, value, time.
    taken_back: set[tuple[str, int, str]] = field(default_factory=set)
    merged: Values = field(default_factory=nothing)
    winner: Values = field(default_factory=nothing)
    #: By their id: the time, as a stamp, and the values.
    snapshots: dict[str, tuple[str, Values]] = field(default_factory=dict)


def decide(strategy: str, sheet: int | None, parsed: int | None, before: Any) -> tuple[int | None, str | None]:
    """The merge, once more and as the README tells it."""
    both = "both" if sheet == parsed else None
    if sheet is None and parsed is None:
        return None, None
    if strategy == "max" and (parsed is None or (sheet is not None and sheet > parsed)):
        return sheet, "sheet"
    if strategy == "max":
        return parsed, both or "parsed"
    if strategy == "sheet" or (strategy == "latest" and (before is None or before[3] is None)):
        by_hand = sheet is not None if strategy == "latest" else bool(sheet) or parsed is None
        return (sheet, both or "sheet") if by_hand else (parsed, both or "parsed")
    if strategy == "parsed":
        return (parsed, both or "parsed") if parsed or sheet is None else (sheet, both or "sheet")
    old_sheet, old_parsed, old, winner = before
    if sheet is not None and sheet != old_sheet:
        return sheet, both or "sheet"
    if parsed is not None and (parsed != old_parsed or sheet != old_sheet or (sheet is None and winner != "parsed")):
        return parsed, "parsed"
    return old, "sheet" if winner == "carried" else winner


def local_day(at: str, zone: str) -> date:
    """The day of a stamp on the clocks of ``zone``."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()


def start_of(day: date, zone: str) -> str:
    """When a day begins on the clocks of ``zone``, as a stamp."""
    return stamp(datetime.combine(day, datetime.min.time(), ZoneInfo(zone)))


Snapshots = dict[str, tuple[str, Values]]


def in_order(snapshots: Snapshots) -> list[tuple[str, tuple[str, Values]]]:
    """By time, the last one last; of two of one moment, which another time zone may make, the lesser id."""
    return sorted(sorted(snapshots.items(), key=lambda one: one[0], reverse=True), key=lambda one: one[1][0])


def own_id(account: str, day: date, zone: str) -> str:
    """The id of our snapshot of a day."""
    return str(uuid.uuid5(NAMESPACE, f"account-{account}:{start_of(day, zone)}"))


def photographed(account: str, snapshots: Snapshots, merged: Values, now: str, zone: str, mode: str) -> Snapshots:
    """The snapshots after a pass that gives an account the ``merged`` values."""
    day, utc = local_day(now, zone), now[:10]
    today = [(at, key) for key, (at, _) in in_order(snapshots) if local_day(at, zone) == day]
    own = own_id(account, day, zone)
    if not today:
        return {**snapshots, own: (now, merged)}
    at, newest = today[-1]
    new_date = at[:10] < day.isoformat() == utc
    if mode == "skip" or (snapshots[newest][1] == merged and not new_date):
        return snapshots
    if own in snapshots and utc > day.isoformat():  # its time must not leave the date that bears the day's label
        return {**snapshots, own: (snapshots[own][0], merged)}
    return {**snapshots, own: (now, merged)}


def grown(
    snapshots: Snapshots, zone: str, metric: str, known_since: str | None
) -> list[tuple[str, int | None, int | None]]:
    """Each day of ``zone``, its last value and the difference to the day before, if the value was known then."""
    days = {local_day(at, zone): values[metric] for _, (at, values) in in_order(snapshots)}
    first = local_day(known_since, zone) if known_since else date.max
    known = {day: value if day >= first else None for day, value in days.items()}
    before = {day: known.get(day - timedelta(days=1)) for day in days}
    return [
        (day.isoformat(), v, None if v is None or (b := before[day]) is None else v - b) for day, v in known.items()
    ]


def side(
    known: Values | None, typed: Values | None, lost: set[str], *, readable: bool, gone: bool
) -> tuple[Values | None, set[str]]:
    """An account's sheet values in this pass, and the metrics for which an earlier one stands in."""
    if gone and not (readable and typed is not None):
        return nothing(), set()
    if not readable or typed is None:
        return known, set(METRICS)
    standing_in = lost | {metric for metric, value in typed.items() if value == JUNK}
    return {m: (known or nothing())[m] if m in standing_in else v for m, v in typed.items()}, standing_in


# --- the machine ---------------------------------------------------------------------------------------------------


class Machine(RuleBasedStateMachine):
    """One installation, and everybody who works on it."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = contextlib.ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.google = self.stack.enter_context(FakeGoogle())
        self.world = self.runner.run(self.world_in(folder).create())
        self.sheets = self.google.settings(folder, KEY, reads_per_minute=3000, deadline=5.0)
        self.sheets = self.sheets.model_copy(update={"gone_after": PATIENCE * 3600.0})
        self.world.sections["sheets"] = self.sheets
        self.open: contextlib.AsyncExitStack | None = None
        self.resources: Resources
        self.strategy, self.mode = "max", "update"
        self.zone, self.moved, self.was_skipped = "UTC", False, False
        #: What was merged in the last pass of each local day: account → label → values.
        self.seen: dict[str, dict[str, tuple[int, ...]]] = {}
        self.typed: dict[str, Values | None] = {account: nothing() for account in HOME}
        self.parsed: dict[str, Values] = {account: nothing() for account in HOME}
        self.rounded: dict[str, bool] = dict.fromkeys(HOME, False)
        self.parsed_at: dict[str, str] = dict.fromkeys(HOME, "")
        self.forgotten: dict[str, set[tuple[str, int, str]]] = {account: set() for account in HOME}
        self.renamed: dict[str, set[str]] = {project: set() for project in PROJECTS}
        self.gone: set[str] = set()
        self.known = {account: Known() for account in HOME}
        self.reads = {project: Read() for project in PROJECTS}

    def world_in(self, folder: Path) -> World:
        """The installation: with a file of SQLite's."""
        return World(folder, self.google)

    @initialize(
        mode=modes,
        now=beginnings,
        sheet=st.lists(cells, min_size=5, max_size=5),
        parsed=st.lists(cells, min_size=5, max_size=5),
    )
    def begin(self, mode: str, now: datetime, sheet: list[list[int | None]], parsed: list[list[int | None]]) -> None:
        self.world.now = now
        self.another_way_of_snapshots(mode)
        for project, names in PROJECTS.items():
            self.world.add_project(project, names)
        for account, typed, collected in zip(HOME, sheet, parsed, strict=True):
            self.typed[account] = dict(zip(METRICS, typed, strict=True))
            self.parsed[account] = dict(zip(METRICS, collected, strict=True))
            self.parsed_at[account] = stamp(now)
            self.world.parsed(account, collected)

    def teardown(self) -> None:
        self.runner.run(self.close())
        self.runner.close()
        self.stack.close()

    # managers

    @rule(account=accounts, metric=metrics, value=st.none() | counts | st.just(JUNK))
    def type_into_a_cell(self, account: str, metric: str, value: Any) -> None:
        self.typed[account] = {**(self.typed[account] or nothing()), metric: value}

    @rule(account=accounts)
    def delete_a_row(self, account: str) -> None:
        self.typed[account] = None

    @rule(project=projects, count=st.integers(3, 4))
    def delete_several_rows(self, project: str, count: int) -> None:
        for account in PROJECTS[project][:count]:
            self.typed[account] = None

    @rule(project=projects, metric=metrics, filler=st.sampled_from([None, 0, JUNK, 7]))
    def fill_a_column(self, project: str, metric: str, filler: Any) -> None:
        for account in PROJECTS[project]:
            if (typed := self.typed[account]) is not None:
                self.typed[account] = {**typed, metric: filler}

    @rule(project=projects, metric=metrics)
    def rename_a_column_or_name_it_back(self, project: str, metric: str) -> None:
        self.renamed[project] ^= {metric}

    @rule(project=projects)
    def delete_a_worksheet_or_restore_it(self, project: str) -> None:
        self.gone ^= {project}

    # parsers

    @rule(account=accounts, metric=metrics, value=st.none() | counts, rounded=st.booleans())
    def parse(self, account: str, metric: str, value: int | None, rounded: bool) -> None:
        self.parsed[account][metric] = value
        self.rounded[account], self.parsed_at[account] = rounded, stamp(self.world.now)
        precision = "rounded" if rounded else "exact"
        self.world.parsed(account, list(self.parsed[account].values()), precision=precision)

    @rule(account=accounts)
    def take_back(self, account: str) -> None:
        with contextlib.suppress(NothingToForget):
            self.runner.run(forget(self.world.settings, f"account-{account}", None, None, self.world.now))
        said = {(m, v, self.parsed_at[account]) for m, v in self.parsed[account].items() if v is not None}
        self.forgotten[account] |= said

    # time and administrators

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.world.now += timedelta(hours=hours)

    @rule(strategy=strategy_names)
    def another_strategy(self, strategy: str) -> None:
        self.strategy = strategy
        self.reopen(merge={"strategy": strategy})

    @rule(mode=modes)
    def another_way_of_snapshots(self, mode: str) -> None:
        self.mode = mode
        self.was_skipped |= mode == "skip"
        self.reopen(snapshots={"on_existing": mode})

    @rule(zone=zones)
    def another_time_zone(self, zone: str) -> None:
        self.moved |= zone != self.zone
        self.zone = zone
        # No two passes are of one moment: of two snapshots of one moment none is the newest.
        self.world.now += timedelta(seconds=1)
        self.reopen(schedule={"timezone": zone})

    # passes

    @rule()
    def a_pass(self) -> None:
        self.write_worksheets()
        self.expect_a_good_pass({p for p in PROJECTS if p not in self.gone})

    @rule(status=st.sampled_from([401, 403, 404]))
    def a_pass_that_google_refuses(self, status: int) -> None:
        self.write_worksheets()
        with self.broken(status=status):
            self.expect_a_good_pass(set())

    @rule(how=st.sampled_from(["reset", "truncate", "html", "garbage"]))
    def a_pass_while_google_is_away(self, how: str) -> None:
        self.write_worksheets()
        self.reopen(sheets=self.sheets.model_copy(update={"deadline": 0.02}))
        with self.broken(how=how):
            self.expect_a_good_pass(set())
        self.reopen(sheets=self.sheets)

    @rule(statements=st.integers(0, 100))
    def a_pass_that_is_cut_off(self, statements: int) -> None:
        self.write_worksheets()
        before = self.known
        after = {
            account: known for p in PROJECTS for account, known in self.after(p, readable=p not in self.gone).items()
        }
        self.runner.run(self.cut_off(statements))
        held = self.observe()
        self.known = {}
        for names in PROJECTS.values():
            state = {account: held[account] for account in names}
            possible = [{account: known[account] for account in names} for known in (before, after)]
            assert state in possible, (
                f"a project was written by halves: {state}, neither {possible[0]} nor {possible[1]}"
            )
            self.known |= state
            if state == possible[1]:
                self.remember_the_day(names)
        self.reads = self.observe_reads()
        self.check()

    # what holds after every step that can change anything

    def check(self) -> None:
        assert self.observe() == self.known, "the database holds something else than the model"
        assert self.observe_reads() == self.reads, "the database's clocks of good reads are not the model's"
        for known in self.known.values():
            days = [local_day(at, self.zone) for at, _ in known.snapshots.values()]
            assert self.moved or len(days) == len(set(days)), "a day has two snapshots"
        self.runner.run(self.check_explanations())

    # how it is done

    def write_worksheets(self) -> None:
        worksheets = self.google.spreadsheets[KEY].worksheets
        worksheets.clear()
        for project, names in PROJECTS.items():
            header = ["Notes" if name.lower() in self.renamed[project] else name for name in HEADER]
            rows = [["", link(name), *typed.values()] for name in names if (typed := self.typed[name]) is not None]
            if project not in self.gone:
                worksheets[project] = [header, *rows]

    def reopen(self, **sections: Any) -> None:
        """Another lap of life, with other settings."""
        self.runner.run(self.close())
        self.world.sections |= sections

    @contextlib.contextmanager
    def broken(self, **how: Any) -> Iterator[None]:
        for kind in ("batch", "values", "metadata"):
            self.google.fail(kind, times=1000, **how)
        yield
        self.google.faults.clear()

    def expect_a_good_pass(self, readable: set[str]) -> None:
        for project in PROJECTS:
            self.known |= self.after(project, readable=project in readable)
            self.reads[project] = self.reads[project].after(self.world.now, readable=project in readable)
            self.remember_the_day(PROJECTS[project])
        result = self.runner.run(self.run_pass())
        assert [one.error for one in result.results if one.outcome is Outcome.FAILED] == []
        for one in result.results:
            assert one.counts.snapshots <= one.counts.accounts
            expected = one.project.name not in readable or self.degraded(one.project.name)
            assert (one.outcome is Outcome.DEGRADED) == expected, one
        if self.strategy == "max":
            self.no_typed_number_is_lost(readable)
        if self.mode == "update":
            self.a_web_app_finds_the_merged_values()
        self.check()

    def no_typed_number_is_lost(self, readable: set[str]) -> None:
        """The first promise, without any model: what stands in a cell now is in the database, or something larger."""
        held = self.observe()
        for account, typed in self.typed.items():
            if HOME[account] in readable and typed is not None:
                for metric in set(METRICS) - self.renamed[HOME[account]]:
                    if isinstance(typed[metric], int):  # one that is held is 0 there
                        assert held[account].merged[metric] >= typed[metric]

    def remember_the_day(self, names: list[str]) -> None:
        """What a pass has merged last on this local day, of the accounts that get a snapshot."""
        label = local_day(stamp(self.world.now), self.zone).isoformat()
        for account in names:
            known = self.known[account]
            if any(known.winner.values()) and not known.left:
                self.seen.setdefault(account, {})[label] = tuple(known.merged.values())

    def a_web_app_finds_the_merged_values(self) -> None:
        """As its screens read: the newest snapshot, the last of a UTC date, one of a day ago, the guide's 30 days."""
        today, names = self.world.now.date().isoformat(), ", ".join(METRICS)
        for account, known in self.known.items():
            if known.left or not any(known.winner.values()):
                continue
            of_account = (f"account-{account}",)
            merged = tuple(known.merged.values())
            assert self.world.execute(NEWEST, of_account) == [merged]
            label = local_day(stamp(self.world.now), self.zone).isoformat()
            by_date = {row[0]: row[1:] for row in self.world.execute(BY_DATE, of_account)}
            if today <= label:
                assert by_date[today] == merged, "the last of this UTC date"
            if self.moved or self.was_skipped:
                continue
            assert next(row[1:] for row in self.world.execute(GUIDE, of_account)) == (merged[0], merged[4])
            # Of each day what was merged in its last pass, in the snapshot that bears its date or the one before.
            for at, *values in self.world.execute(
                f"SELECT snapshot_time, {names} FROM account_snapshots WHERE account_id = ?", of_account
            ):
                assert tuple(values) == self.seen[account][local_day(at, self.zone).isoformat()]
            old = self.world.execute(A_DAY_AGO, (*of_account, stamp(self.world.now)))
            days = [
                day
                for day in self.seen[account]
                if day < local_day(stamp(self.world.now - timedelta(hours=24)), self.zone).isoformat()
            ]
            assert not days or old, "there is one to compare with"

    def after(self, project: str, *, readable: bool) -> dict[str, Known]:
        """What a pass makes of a project: the whole model."""
        now = stamp(self.world.now)
        clock = self.reads[project].after(self.world.now, readable=readable).clock
        had = [known.sheet for a in PROJECTS[project] if (known := self.known[a]).sheet is not None]
        lost = {m for m in self.renamed[project] if any(sheet[m] is not None for sheet in had)}
        at_once, held = self.accidents(project) if readable else (set(), {})
        result = {}
        for account in PROJECTS[project]:
            old, at = self.known[account], self.parsed_at[account]
            silent = {m: (m, v, at) for m, v in self.parsed[account].items() if self.is_forgotten(account, m, v)}
            parsed = self.parsed[account] | dict.fromkeys(silent)
            typed = self.typed[account]
            if typed is not None:
                typed = {m: None if m in self.renamed[project] else v for m, v in typed.items()}
            new = Known(
                gone=old.gone, accepted=old.accepted, at_once=old.at_once, held=set(old.held),
                seen=old.seen, snapshots=dict(old.snapshots), taken_back=set(silent.values()),
            )  # fmt: skip
            if readable and typed is not None:
                new.gone, new.accepted, new.at_once, new.held = None, False, False, held.get(account, set())
            elif readable and old.sheet is not None:
                new.gone = clock if old.gone is None else old.gone
                new.at_once = old.at_once or account in at_once
                new.accepted = old.accepted or (not new.at_once and clock - new.gone >= PATIENCE * 3600)
                new.held = set() if new.accepted else new.held
            new.sheet, standing_in = side(old.sheet, typed, lost | new.held, readable=readable, gone=new.accepted)
            for m in METRICS:
                of_sheet, of_parser = (new.sheet or nothing())[m], parsed[m]
                if self.rounded[account] and None not in (of_sheet, of_parser) and consistent(of_parser, of_sheet):
                    of_parser = None
                before = None
                if old.merged[m] is not None and m not in silent:
                    before = (old.sheet or nothing())[m], (old.seen or parsed)[m], old.merged[m], old.winner[m]
                value, winner = decide(self.strategy, of_sheet, of_parser, before)
                traces = m in silent and silent[m] not in old.taken_back
                traces = traces and (old.winner[m] in ("parsed", "both") or old.merged[m] == self.parsed[account][m])
                if winner is None and old.winner[m] is not None and not traces:  # nobody has a vote any more
                    value, winner = old.merged[m], "carried"
                new.merged[m] = value or 0
                new.winner[m] = "carried" if winner == "sheet" and m in standing_in else winner
            new.left = new.accepted and not any(value is not None for value in parsed.values())
            if self.strategy == "latest":
                seen = (old.seen or nothing()) | dict.fromkeys(silent)
                new.seen = {m: v if v is not None else seen[m] for m, v in parsed.items()}
            if any(new.winner.values()) and not new.left:
                new.snapshots = photographed(account, old.snapshots, new.merged, now, self.zone, self.mode)
            if not any(new.winner.values()) and self.mode == "update":  # all was taken back
                new.snapshots.pop(own_id(account, local_day(now, self.zone), self.zone), None)
            result[account] = new
        return result

    def is_forgotten(self, account: str, metric: str, value: int | None) -> bool:
        """Whether that number was taken back, and nobody has parsed it since."""
        at = self.parsed_at[account]
        return any((m, v) == (metric, value) and at <= until for m, v, until in self.forgotten[account])

    def accidents(self, project: str) -> tuple[set[str], dict[str, set[str]]]:
        """The accounts whose rows are gone at once, and the cells that are held, in a pass that reads a worksheet."""
        had = {a for a in PROJECTS[project] if self.known[a].sheet is not None}
        there = {a for a in had if self.typed[a] is not None}
        before = {a for a in had if self.known[a].gone is None}
        gone = before - there
        held: dict[str, set[str]] = {}
        for m in set(METRICS) - self.renamed[project]:
            positive = {a for a in there if (self.known[a].sheet or nothing())[m]}
            now = {a for a in there if isinstance(value := (self.typed[a] or nothing())[m], int) and value > 0}
            for a in positive - now:
                if (len(positive) >= 3 and not now) or m in self.known[a].held:
                    held.setdefault(a, set()).add(m)
        return gone if len(gone) >= 3 and len(gone) > len(before) / 2 else set(), held

    def degraded(self, project: str) -> bool:
        """Whether a worksheet that was read has had an accident that is not over."""
        known = [self.known[a] for a in PROJECTS[project]]
        there = [one for a, one in zip(PROJECTS[project], known, strict=True) if self.typed[a] is not None]
        lost = any(sum(bool(one.sheet and one.sheet[m]) for one in there) >= 3 for m in self.renamed[project])
        return lost or any(one.at_once and not one.accepted for one in known) or any(one.held for one in there)

    def observe_reads(self) -> dict[str, Read]:
        """The clocks of the worksheets, as the database holds them."""
        held = {project: Read() for project in PROJECTS}
        for project, clock, at, interrupted in self.world.execute(
            "SELECT project_id, clock, read_at, interrupted FROM worksheet_reads"
        ):
            moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
            held[project.removeprefix("project-")] = Read(clock, moment, bool(interrupted))
        return held

    def observe(self) -> dict[str, Known]:
        """What the database holds, in the model's words."""
        names = ", ".join(METRICS)
        winners = ", ".join(f"{metric}_winner" for metric in METRICS)
        held = {account: Known() for account in HOME}

        def rows(sql: str) -> list[tuple[Known, tuple[Any, ...]]]:
            return [(held[row[0].removeprefix("account-")], row[1:]) for row in self.world.execute(sql)]

        for known, row in rows(f"SELECT account_id, {names}, {winners} FROM account_metrics"):
            known.merged = dict(zip(METRICS, row[:5], strict=True))
            known.winner = dict(zip(METRICS, row[5:], strict=True))
        gone = "gone_since, gone_clock, gone_accepted, gone_at_once, held"
        for known, row in rows(f"SELECT account_id, {names}, {gone} FROM sheet_metrics"):
            known.sheet = dict(zip(METRICS, row[:5], strict=True))
            known.gone, known.accepted = None if row[5] is None else row[6], bool(row[7])
            known.at_once, known.held = bool(row[8]), set(filter(None, row[9].split(",")))
        for known, _ in rows("SELECT account_id FROM account_metrics WHERE left_since IS NOT NULL"):
            known.left = True
        for known, row in rows(f"SELECT account_id, {names} FROM parsed_seen"):
            known.seen = dict(zip(METRICS, row, strict=True))
        for known, row in rows("SELECT account_id, metric, value, parsed_at FROM values_taken_back"):
            known.taken_back.add((row[0], row[1], row[2]))
        for known, row in rows(f"SELECT account_id, id, snapshot_time, {names} FROM account_snapshots"):
            known.snapshots[row[0]] = row[1], dict(zip(METRICS, row[2:], strict=True))
        return held

    async def sync(self) -> SyncPass:
        if self.open is None:
            self.open = contextlib.AsyncExitStack()
            settings = self.world.settings
            self.resources = await self.open.enter_async_context(
                opened(settings, Reporter(), clock=lambda: self.world.now)
            )
        return SyncPass(self.resources)

    async def close(self) -> None:
        if self.open is not None:
            await self.open.aclose()
            self.open = None

    async def run_pass(self) -> Any:
        return await (await self.sync()).run(PassRequest(Trigger.CLI))

    async def cut_off(self, statements: int) -> None:
        """Cancel a pass at the n-th statement that it sends."""
        sync = await self.sync()
        loop = asyncio.get_running_loop()
        left = iter(range(statements))

        def count(_statement: str) -> None:
            if next(left, None) is None:
                loop.call_soon_threadsafe(task.cancel)

        async with watched(self.resources.database, count):
            task = loop.create_task(sync.run(PassRequest(Trigger.CLI)))
            await asyncio.wait({task})
        await self.close()

    def known_since(self, account: str, metric: str) -> str | None:
        sql = f"SELECT {metric}_known_since FROM account_metrics WHERE account_id = ?"
        rows = self.world.execute(sql, (f"account-{account}",))
        return rows[0][0] if rows else None

    async def check_explanations(self) -> None:
        await self.sync()
        explainer = Explainer(self.resources.database, self.resources.settings.merge.policy(), self.world.now)
        for account, known in self.known.items():
            (told,) = await explainer.explain(link(account))
            for metric, why in told["metrics"].items():
                value = known.merged[metric] if known.winner[metric] else None
                assert why["value"] == value
                assert why["winner"] == known.winner[metric]
                assert why["sheet"] == (known.sheet or nothing())[metric]
                said = self.parsed[account][metric]
                assert why["parsed"] == (None if self.is_forgotten(account, metric, said) else said)
                assert why["strategy"] == self.strategy
                last = [e["value"] for e in told["timeline"] if (e["event"], e.get("metric")) == ("changed", metric)]
                shown = [values[metric] for _, values in known.snapshots.values()]
                merged = known.merged[metric]
                # A 0 that nobody has typed or parsed is shown as no value.
                told_now = merged or None if value is None else merged
                assert last == [told_now] or (last == [] and merged in [None, *shown])
                days = [(day["day"], day[metric], day[f"{metric}_delta"]) for day in reversed(told["days"])]
                since = self.known_since(account, metric)
                assert (since is None) == (known.winner[metric] is None)
                assert days == grown(known.snapshots, self.zone, metric, since)[-DAYS:], "growth by other days"
        await self.check_growth("views")

    async def check_growth(self, metric: str) -> None:
        """Of one metric the command and the view."""
        told = await growth(self.world.where, None, metric, 2 * DAYS, self.world.now)
        entries = {one["username"]: one for one in told["accounts"]}
        assert {one["username"] for one in told["left"]} == {a for a, known in self.known.items() if known.left}
        for account, known in self.known.items():
            days = grown(known.snapshots, self.zone, metric, self.known_since(account, metric))
            view = f"SELECT day, {metric}_delta FROM account_growth WHERE account_id = ? ORDER BY day"
            assert self.world.execute(view, (f"account-{account}",)) == [(day, less) for day, _, less in days]
            if not known.left:
                values = {day: value for day, value, _ in days}
                assert entries[account]["values"] == [values.get(day) for day in told["days"]]


def settings(**changes: Any) -> hypothesis.settings:
    return hypothesis.settings(
        **(LONG | changes), deadline=None, suppress_health_check=list(hypothesis.HealthCheck), print_blob=True
    )


@pytest.mark.hypothesis
def test_every_promise_holds_whatever_happens_in_whatever_order() -> None:
    """No typed number lost, nothing by halves, one snapshot a day, every number explained."""
    run_state_machine_as_test(Machine, settings=settings(phases=[hypothesis.Phase.generate]))


@pytest.mark.hypothesis
def test_every_promise_holds_on_a_server(postgres_server: Server | None) -> None:
    """The same with PostgreSQL."""
    if postgres_server is None:
        pytest.skip(absence())
    there = postgres_server

    class OnServer(Machine):
        def world_in(self, folder: Path) -> World:
            return PostgresWorld(folder, self.google, self.stack.enter_context(there.prepared()))

    # Half of them: a world on a server takes twice as long.
    half = {"max_examples": (LONG["max_examples"] + 1) // 2}
    run_state_machine_as_test(OnServer, settings=settings(phases=[hypothesis.Phase.generate], **half))


@pytest.mark.parametrize(
    "weakened",
    [
        lambda sheet, parsed, before: strategies.parsed_first(sheet, parsed),
        lambda sheet, parsed, before: strategies.highest(sheet or 0, parsed),
    ],
    ids=["the-parser-wins", "no-value-is-zero"],
)
def test_a_broken_merge_is_caught(monkeypatch: pytest.MonkeyPatch, weakened: strategies.Strategy) -> None:
    """The machine is no ornament: each of these mistakes in MAX makes it fail."""
    monkeypatch.setitem(strategies.STRATEGIES, "max", weakened)
    only = settings(
        phases=[hypothesis.Phase.generate],
        report_multiple_bugs=False,
        max_examples=100,
        database=None,
        stateful_step_count=12,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=only)
