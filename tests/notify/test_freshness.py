"""Which projects are stale, who is notified and how often: judged from results alone, then over restarts."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from old_database import schema_4
from smart_sync.core.days import stamp
from smart_sync.core.model import Outcome, Project
from smart_sync.core.results.results import ProjectResult
from smart_sync.core.results.stale import Unread, judge_freshness
from smart_sync.store import unread_projects
from world import KEY, World

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = 3600.0
STALE_AFTER = 6 * HOUR


def result(hours: float, *, read: bool, project: str = "a", error: str = "away") -> ProjectResult:
    outcome = Outcome.SYNCED if read else Outcome.DEGRADED
    at = stamp(NOON + timedelta(hours=hours))
    return ProjectResult(Project(project, project), outcome, at, worksheet_read=read, error="" if read else error)


class Memory:
    """What the database would remember between passes."""

    def __init__(self) -> None:
        self.unread: dict[str, Unread] = {}
        self.read_at: dict[str, str] = {}
        self.became: list[float] = []
        self.again: list[float] = []

    def attempt(self, hours: float, *, read: bool) -> ProjectResult:
        judged = judge_freshness([result(hours, read=read)], self.unread, self.read_at, STALE_AFTER)
        for key, one in judged.unread.items():
            self.unread.pop(key, None)
            if one is not None:
                self.unread[key] = one
        if read:
            self.read_at["a"] = judged.results[0].timestamp
        self.became += [hours] * len(judged.became_stale)
        self.again += [hours] * len(judged.read_again)
        return judged.results[0]


#: Attempts (hours, whether the worksheet was read), and when the project becomes stale and is read again.
STORIES: dict[str, tuple[list[tuple[float, bool]], list[float], list[float]]] = {
    "never read, failing for seven hours": ([(n / 2, False) for n in range(15)], [6.5], []),
    "read, then failing for seven hours": ([(0, True), *((n / 2, False) for n in range(1, 16))], [7.0], []),
    "a night without passes, then read": ([(0, True), (14, True)], [], []),
    "a weekend switched off, then one failure": ([(0, True), (62, False)], [], []),
    "one failure after a weekend, then read": ([(0, True), (62, False), (62.5, True)], [], []),
    "every 24 h, one failure": ([(0, True), (24, False), (48, True)], [], []),
    "every 24 h, two failures": ([(0, True), (24, False), (48, False)], [48], []),
    "flapping": ([(n / 2, n % 2 == 0) for n in range(40)], [], []),
    "stale and read again, twice": (
        [(0, False), (7, False), (8, False), (9, True), (10, False), (17, False), (18, True)], [7, 17], [9, 18],
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_a_project_is_stale_when_its_reads_have_failed_for_too_long(story: str) -> None:
    """Counted from the first failed attempt after the last good read; reported once at the beginning and at the end."""
    attempts, became, again = STORIES[story]
    memory = Memory()
    for hours, read in attempts:
        memory.attempt(hours, read=read)
    assert (memory.became, memory.again) == (became, again)


@given(st.lists(st.tuples(st.floats(-100, 100), st.booleans()), max_size=30))
def test_whatever_the_clock_does_stale_is_told_once_and_ends_with_a_good_read(
    attempts: list[tuple[float, bool]],
) -> None:
    """Beginnings and ends alternate, a good read is never stale, and a clock put back does not hide a failure."""
    memory = Memory()
    for hours, read in attempts:
        marked = memory.attempt(hours, read=read)
        assert not (read and marked.stale)
        assert len(memory.became) - len(memory.again) == int(marked.stale)
        assert ("a" in memory.unread) is not read


def test_the_last_good_read_is_in_the_result() -> None:
    """``sheet_read_at``: this read if it was good, else the one before, else none."""
    memory = Memory()
    assert memory.attempt(0, read=False).sheet_read_at is None
    read = memory.attempt(1, read=True)
    assert memory.attempt(2, read=False).sheet_read_at == read.sheet_read_at == read.timestamp


def lines(log: StringIO, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == event]


async def test_stale_is_kept_over_restarts_and_told_once_for_all_projects(world: World, log: StringIO) -> None:
    """Each pass here is a process of its own, as by cron: one line for both projects, not repeated, and its end."""
    world.add_project("P", ["ann"])
    world.add_project("Q", ["bob"])
    await world.sync()
    kept = dict(world.google.spreadsheets[KEY].worksheets)
    world.google.spreadsheets[KEY].worksheets.clear()
    answers = []
    for hours in (1, 5, 7.5, 8, 20):
        world.now = NOON + timedelta(hours=hours)
        answers.append((await world.sync()).answer())
    assert [answer["stale_count"] for answer in answers] == [0, 0, 2, 2, 2]
    (line,) = lines(log, "project.stale")
    assert (line["level"], line["project_ids"], line["left_out"]) == ("ERROR", ["project-P", "project-Q"], 0)
    assert line["projects"][0] == "P (last read 2026-03-10 12:00 UTC)"
    assert all(entry["sheet_read_at"] == stamp(NOON) for entry in answers[-1]["results"])
    world.google.spreadsheets[KEY].worksheets.update(kept)
    answer = (await world.sync()).answer()
    assert answer["stale_count"] == 0
    (line,) = lines(log, "project.recovered")
    assert line["projects"] == ["P", "Q"]


async def test_a_dry_run_foresees_staleness_and_keeps_nothing(world: World) -> None:
    """It judges by the same function; a project that is switched off is forgotten."""
    world.add_project("P", ["ann"])
    del world.google.spreadsheets[KEY].worksheets["P"]
    await world.sync()
    world.now = NOON + timedelta(hours=7)
    assert (await world.sync(dry_run=True)).results[0].stale
    assert world.execute("SELECT stale_since FROM unread_projects") == [(None,)]
    assert (await world.sync()).results[0].stale
    world.execute("UPDATE projects SET is_active = 0")
    await world.sync()
    assert world.execute("SELECT * FROM unread_projects") == []


@pytest.mark.sqlite  # no server has had a schema that old
async def test_a_database_of_schema_4_is_brought_up_to_date(world: World, tmp_path: Path) -> None:
    """A read of the schema before counts as the last good one; a project that fails since then is stale in time."""
    path = schema_4(
        tmp_path / "old.db",
        "INSERT INTO projects (id, name, is_active) VALUES ('p', 'P', 1)",
        f"INSERT INTO worksheet_reads VALUES ('p', 'P', '{stamp(NOON - timedelta(days=9))}', 1)",
    )
    world.path = path
    world.now = NOON
    assert not (await world.sync_one()).stale
    world.now = NOON + timedelta(hours=6.1)
    again = await world.sync_one()
    assert (again.stale, again.sheet_read_at) == (True, stamp(NOON - timedelta(days=9)))


async def test_control_who_remembers_nothing_is_never_red(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof above catches a daemon that counts from its own start: by cron nothing would ever be stale."""

    async def forget(_transaction: object, _unread: object) -> None:
        """Nothing is kept."""

    monkeypatch.setattr(unread_projects, "write_reasons", forget)
    world.add_project("P", ["ann"])
    del world.google.spreadsheets[KEY].worksheets["P"]
    for hours in (0, 7, 100):
        world.now = NOON + timedelta(hours=hours)
        assert not (await world.sync_one()).stale
