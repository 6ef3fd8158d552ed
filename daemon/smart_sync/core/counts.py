"""The counts of a pass: one record from the plan to the log, the answers, the messages and the history.

A count is one field here.  Beside it stands what it means, and where it is told under which name: nobody else lists
the counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from operator import add, attrgetter
from typing import Any, Final


class Where(Enum):
    """The places where counts are published."""

    #: In the answer about a project, whatever became of it; and only if it has not failed.
    ANSWER = "answer"
    GOOD_ANSWER = "answer, unless failed"
    #: In a project's line of the log, and in its row of sync_project_runs.
    LINE = "line"
    RECORD = "record"
    #: In the answer about a pass, its line of the log, its row of sync_runs, and the message that it is finished.
    TOTAL_ANSWER = "answer of a pass"
    TOTAL_LINE = "line of a pass"
    TOTAL_RECORD = "record of a pass"
    MESSAGE = "message"
    #: Not on a console while it is 0: it says something only above it.
    QUIET = "console, above 0"


_LOGGED: Final = (Where.LINE, Where.TOTAL_LINE)
_RECORDED: Final = (Where.RECORD, Where.TOTAL_RECORD)
_TOTAL: Final = (Where.TOTAL_LINE, Where.TOTAL_RECORD)


def _count(meaning: str, *told: Where, **named: str) -> Any:
    """A count: its meaning, the places that publish it under its own name, and its name elsewhere."""
    others = {Where[where.upper()]: name for where, name in named.items()}
    return field(default=0, metadata={"meaning": meaning, "told": dict.fromkeys(told, "") | others})


@dataclass(frozen=True)
class Counts:
    """The counts of a project's part in a pass, or of several together: whole numbers from 0."""

    accounts: int = _count("active accounts found", *_LOGGED, *_RECORDED, Where.MESSAGE, good_answer="total_accounts")
    sheet: int = _count("accounts read from the sheet", Where.LINE, Where.RECORD)
    parsed: int = _count("accounts with parsed values", Where.LINE, Where.RECORD)
    updated: int = _count(
        "accounts whose merged values are in the database",
        *_LOGGED, *_RECORDED, Where.MESSAGE, good_answer="updated_count",
    )  # fmt: skip
    changed: int = _count(
        "accounts whose merged values changed",
        *_LOGGED, *_RECORDED, Where.MESSAGE, Where.QUIET, good_answer="changed_count",
    )  # fmt: skip
    snapshots: int = _count("snapshots created", *_LOGGED, *_RECORDED, Where.MESSAGE, good_answer="snapshot_count")
    carried: int = _count(
        "values (account × metric) that stand in for one that cannot be read or was withdrawn",
        good_answer="carried_count",
    )
    problems: int = _count(
        "problems in the worksheet and the inbox",
        *_LOGGED, Where.QUIET, answer="problem_count", message="problem_count",
    )  # fmt: skip
    all_problems: int = _count(
        "the same with those left out of long lists and with the rows that match no account", record="problem_count"
    )
    new_accounts: int = _count(
        "accounts created for rows that had none; of a dry run, those that would be", Where.ANSWER
    )
    suspects: int = _count(
        "values that jumped, until they are confirmed, change again or have stood for a day",
        Where.LINE, Where.QUIET, answer="suspect_count",
    )  # fmt: skip
    conflicts: int = _count(
        "values that both sides had changed (strategy latest)", Where.LINE, Where.QUIET, answer="conflict_count"
    )
    unmatched_rows: int = _count("worksheet rows that match no account", Where.LINE, Where.ANSWER, Where.QUIET)
    unmatched_accounts: int = _count("accounts that no row matches", Where.LINE, Where.ANSWER, Where.QUIET)

    def __add__(self, other: "Counts") -> "Counts":
        """Of both together."""
        return Counts(*map(add, _values(self), _values(other)))


_values: Final = attrgetter(*(one.name for one in fields(Counts)))


@dataclass(frozen=True)
class PassCounts:
    """The number of projects per outcome of a pass: whole numbers from 0."""

    projects: int = _count("projects in the pass", *_TOTAL, total_answer="total_projects", message="total_projects")
    succeeded: int = _count(
        "projects that did not fail, the degraded ones included",
        *_TOTAL,
        total_answer="success_count",
        message="success_count",
    )
    failed: int = _count(
        "projects that failed", *_TOTAL, Where.QUIET, total_answer="error_count", message="error_count"
    )
    degraded: int = _count(
        "projects of which something could not be read, created or written",
        *_TOTAL,
        Where.QUIET,
        total_answer="degraded_count",
        message="degraded_count",
    )
    unchanged: int = _count(
        "projects of which nothing changed", Where.TOTAL_LINE, Where.QUIET, message="unchanged_count"
    )


_NAMES: Final[Mapping[tuple[type, Where], dict[str, str]]] = {
    (record, where): {} for record in (Counts, PassCounts) for where in Where
}
for _record in (Counts, PassCounts):
    for _one in fields(_record):
        for _where, _name in _one.metadata["told"].items():
            _NAMES[_record, _where][_one.name] = _name or _one.name


def names(record: type[Counts | PassCounts], where: Where) -> Mapping[str, str]:
    """The counts published in ``where``: field → its name there."""
    return _NAMES[record, where]


def meanings(record: type[Counts | PassCounts], where: Where) -> Mapping[str, str]:
    """The counts published in ``where``: name → meaning."""
    names_there = names(record, where)
    return {names_there[one.name]: one.metadata["meaning"] for one in fields(record) if one.name in names_there}


def as_json(counts: Counts | PassCounts, *where: Where) -> dict[str, int]:
    """The counts published at any of ``where``: name → number."""
    return {name: getattr(counts, own) for one in where for own, name in names(type(counts), one).items()}
