"""The counts of a pass: one record, told everywhere under the names that people know."""

from dataclasses import asdict, fields
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.answers import ConflictInPass, PassAnswer, ProjectAnswer, ProjectRun, Run, SuspectInPass
from smart_sync.core.counts import Counts, PassCounts, Where, as_json, meanings, names
from smart_sync.core.merge.plan import Conflict
from smart_sync.core.merge.suspects import Suspect
from smart_sync.core.model import Outcome, Project, Trigger
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.events import EVENTS
from world import World

STAMP = "2025-06-01T12:00:00.000000"
COUNTS = st.builds(Counts, **{one.name: st.integers(0, 10**9) for one in fields(Counts)})
#: What users rely on; another name here breaks their scripts.
NAMES = {
    Where.ANSWER: {
        "problem_count", "new_accounts", "suspect_count", "conflict_count", "unmatched_rows", "unmatched_accounts",
    },
    Where.GOOD_ANSWER: {"total_accounts", "updated_count", "changed_count", "snapshot_count", "carried_count"},
    Where.LINE: {
        "accounts", "sheet", "parsed", "updated", "changed", "snapshots", "problems", "suspects", "conflicts",
        "unmatched_rows", "unmatched_accounts",
    },
    Where.RECORD: {"accounts", "sheet", "parsed", "updated", "changed", "snapshots", "problem_count"},
    Where.TOTAL_ANSWER: {"total_projects", "success_count", "error_count", "degraded_count"},
    Where.TOTAL_LINE: {
        "projects", "succeeded", "failed", "degraded", "unchanged", "accounts", "updated", "changed", "snapshots",
        "problems",
    },
    Where.TOTAL_RECORD: {
        "projects", "succeeded", "failed", "degraded", "accounts", "updated", "changed", "snapshots",
    },
    Where.MESSAGE: {
        "total_projects", "success_count", "error_count", "degraded_count", "unchanged_count", "accounts", "updated",
        "changed", "snapshots", "problem_count",
    },
    Where.QUIET: {
        "problems", "suspects", "conflicts", "unmatched_rows", "unmatched_accounts", "changed", "failed", "degraded",
        "unchanged",
    },
}  # fmt: skip


@given(COUNTS, COUNTS)
def test_counts_add_up_field_by_field(one: Counts, other: Counts) -> None:
    """A sum has of each count what both have together."""
    both, mine, theirs = asdict(one + other), asdict(one), asdict(other)
    assert both == {name: mine[name] + theirs[name] for name in mine}


@pytest.mark.parametrize("where", Where, ids=lambda where: where.name)
def test_counts_keep_the_names_that_users_know(where: Where) -> None:
    """Keys of answers and messages, fields of events and columns are the same as ever, each with its meaning."""
    told = [*names(Counts, where).values(), *names(PassCounts, where).values()]
    assert (set(told), len(told)) == (NAMES[where], len(NAMES[where]))
    assert all(meanings(Counts, where).values())
    assert all(meanings(PassCounts, where).values())


def test_counts_are_typed_where_they_are_answered() -> None:
    """Whoever reads an answer or the history with types finds every count in them."""
    of_project = {*names(Counts, Where.ANSWER).values(), *names(Counts, Where.GOOD_ANSWER).values()}
    assert of_project <= set(ProjectAnswer.__annotations__)
    assert set(names(PassCounts, Where.TOTAL_ANSWER).values()) <= set(PassAnswer.__annotations__)
    assert set(names(Counts, Where.RECORD).values()) <= set(ProjectRun.__annotations__)
    assert NAMES[Where.TOTAL_RECORD] <= set(Run.__annotations__)


def test_each_count_reaches_somebody() -> None:
    """No count is made for nobody."""
    for record in (Counts, PassCounts):
        assert {own for where in Where for own in names(record, where)} == {one.name for one in fields(record)}


def test_lines_declare_the_counts_they_carry() -> None:
    """The catalogue of events has every count of a line, as a whole number."""
    for event, where in (("project.synced", Where.LINE), ("sync.finished", Where.TOTAL_LINE)):
        assert all(EVENTS[event].fields[name].startswith("int: ") for name in NAMES[where])


def test_a_failed_project_answers_nothing_that_was_written() -> None:
    """A project that failed has no count of accounts in its answer; one that did not has all, and a pass their sum."""
    counts = Counts(**{one.name: number for number, one in enumerate(fields(Counts), 1)})
    good, failed = (
        ProjectResult(Project(outcome, outcome), outcome, STAMP, counts) for outcome in (Outcome.SYNCED, Outcome.FAILED)
    )
    assert as_json(counts, Where.ANSWER).items() <= failed.answer().items()
    assert NAMES[Where.GOOD_ANSWER].isdisjoint(failed.answer())
    assert as_json(counts, Where.ANSWER, Where.GOOD_ANSWER).items() <= good.answer().items()
    both = PassResult("run", Trigger.CLI, STAMP, STAMP, (good, failed))
    assert both.counts == counts + counts
    assert both.outcomes == PassCounts(projects=2, succeeded=1, failed=1)


async def test_a_pass_records_what_it_answers(world: World) -> None:
    """The rows of sync_runs and sync_project_runs have the numbers that the answer, made by the planner, has."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[1, 2, 3, 4, 5], b=["junk", 1, 1, 1, 1], nobody=[1] * 5)
    result = await world.sync()
    (one,) = result.results
    assert (one.counts.accounts, one.counts.problems, one.counts.all_problems, one.counts.unmatched_rows) == (
        2,
        1,
        2,
        1,
    )
    columns = ", ".join(names(Counts, Where.RECORD).values())
    assert world.execute(f"SELECT {columns} FROM sync_project_runs") == [
        tuple(as_json(one.counts, Where.RECORD).values())
    ]
    of_pass = as_json(result.outcomes, Where.TOTAL_RECORD) | as_json(result.counts, Where.TOTAL_RECORD)
    assert world.execute(f"SELECT {', '.join(of_pass)} FROM sync_runs") == [tuple(of_pass.values())]


def test_single_values_are_answered_as_they_are_decided() -> None:
    """The types of answers about suspects and conflicts have the fields and types that the core decides with."""
    for answered, decided in ((SuspectInPass, Suspect), (ConflictInPass, Conflict)):
        assert get_type_hints(answered) == get_type_hints(decided)
