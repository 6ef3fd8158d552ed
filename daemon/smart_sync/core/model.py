"""The data types shared by the whole program, as immutable values.

Counts are whole numbers from 0 to 2^63-1 (what SQLite stores); ``None`` is "no value", which is
never the same as 0.  Times are aware `datetime` in UTC unless a name says otherwise.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from smart_sync.core.campaign import EVERYTHING, Campaign
from smart_sync.core.trouble_codes import Code

MAX_COUNT = 2**63 - 1

#: Deterministic ids: the same account and day, or the same worksheet row, make the same id on every machine.
NAMESPACE = uuid.UUID("5e0dd5a1-9c4d-5a2c-8b43-1f0a3c6f7a10")

#: A cell as a worksheet gives it.  Google sends JSON scalars; a CSV file sends text.
Cell = str | int | float | bool | None


class Metrics(NamedTuple):
    """The five counts of an account, always in this order; ``None`` where there is no value.

    A tuple, because there is one per account and side: it is the row that SQLite is given.
    """

    followers: int | None = None
    likes: int | None = None
    comments: int | None = None
    videos: int | None = None
    views: int | None = None


METRICS = Metrics._fields
NO_METRICS = Metrics()


class Precision(StrEnum):
    """How exact a parsed value is: "6.8M" is rounded."""

    EXACT = "exact"
    ROUNDED = "rounded"


class Outcome(StrEnum):
    """A project's outcome in a pass."""

    SYNCED = "synced"
    UNCHANGED = "unchanged"
    DEGRADED = "degraded"
    FAILED = "failed"


class Trigger(StrEnum):
    """The reason for a pass."""

    STARTUP = "startup"
    TIMER = "timer"
    SOCKET = "socket"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Project:
    """A row of ``projects``.  Its worksheet has the project's name as its title."""

    id: str
    name: str
    #: ``projects.google_sheet_name``: which spreadsheet; empty means the default one.
    spreadsheet: str = ""
    #: Whether active projects name several spreadsheets: then one that nobody explains is not the default one.
    one_of_several: bool = False
    #: The ids of the active projects that share its worksheet, its own too, as they have one name; () if none does.
    namesakes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A row of ``project_social_accounts``."""

    id: str
    project_id: str
    platform: str
    username: str
    link: str
    #: As typed in the worksheet that the account was made from; not read back.
    topic: str = ""
    telegram: str = ""
    #: That of its project, where a parser is to count it.
    campaign: Campaign = EVERYTHING


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a worksheet that a manager should look at.

    ``row`` is the number Google and the CSV file show (from 1), ``column`` its letters.
    """

    reason: str
    worksheet: str
    row: int | None = None
    column: str | None = None
    #: What the cell says, shortened and made printable.
    value: str = ""
    #: Its code in docs/faq.md; "" if it has none.
    code: Code | Literal[""] = ""
    #: For how many it stands: one that says how many more there are, for those.
    count: int = 1

    @property
    def place(self) -> str:
        """The cell, row or worksheet that it is about."""
        return self.worksheet if self.row is None else f"{self.worksheet}!{self.column or ''}{self.row}"

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" + (f" ({self.value})" if self.value else "")


@dataclass(frozen=True, slots=True)
class Worksheet:
    """The cells of one worksheet as they were read, not yet interpreted."""

    title: str
    #: Not to be changed; a large worksheet makes each row anew when it is looked at (`core.worksheet.grid`).
    rows: Sequence[Sequence[Cell]]
    #: Decides ambiguous text such as ``1.234``: a CLDR name, e.g. ``en_US``.
    locale: str = "en_US"
    #: Row (from 1) → the links behind its link cell, where no cell of that column shows an address.
    links: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    #: Rows of a file whose rows all have as many fields as the header; one with more has been taken apart wrongly.
    delimited: bool = False
    #: The last line of the file has no end: it may have been written while it was read.
    unfinished: bool = False


class SheetRow(NamedTuple):
    """One account's row of a worksheet: its number, and the values typed in it."""

    row: int
    link: str
    metrics: Metrics
    #: Names of metrics whose cell holds something that is not a count (``#REF!``, words, ...).
    unreadable: frozenset[str] = frozenset()
    #: As typed; "" where the worksheet has no such column, and the link alone says it.
    platform: str = ""
    username: str = ""
    topic: str = ""
    telegram: str = ""
    #: Names of metrics whose cell bears the mark that pins its number.
    pinned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Table:
    """An interpreted worksheet: its rows in order, and its problems."""

    worksheet: str
    rows: tuple[SheetRow, ...]
    problems: tuple[Problem, ...] = ()
    #: Metrics that have a column at all.
    columns: frozenset[str] = field(default=frozenset(METRICS))
    #: Their letters, as the sheet shows them, and those of "link".
    letters: Mapping[str, str] = field(default_factory=dict)
    #: The texts of the header's row, whatever they mean.
    headers: tuple[str, ...] = ()
    #: Rows with values whose link cell cannot be read (``#REF!``, ``Loading...``, blank): they are nobody's.
    without_link: tuple[SheetRow, ...] = ()
    #: The titles of columns that hold counts, and that nobody understood.
    not_understood: tuple[str, ...] = ()
    #: Rows above the header with the link of a profile: they are not read.
    above: tuple[SheetRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedMetrics:
    """A parser's values for one account."""

    account_id: str
    metrics: Metrics
    #: Who says so: the parser's name, or whatever an outside writer put into the inbox.
    source: str
    parsed_at: datetime
    precision: Precision = Precision.EXACT
    #: What of the answer could not be read, for a person; the metrics concerned have no value.
    flaw: str = ""
    #: The account's link that was asked for; "" if its id alone says whose they are, None: that of the account.
    link: str | None = None
    #: The `Campaign.key` of the videos that all but the followers are of; "": of the lifetime.
    counted: str = ""
    #: The metrics that are exact even where ``precision`` says that the others are rounded.
    exact: frozenset[str] = frozenset()
    #: Something could not be read now, as ``flaw`` says, and may be in a moment: the account is asked again soon.
    unfinished: bool = False

    def precision_of(self, metric: str) -> Precision:
        """How exact the value of one metric is."""
        return Precision.EXACT if metric in self.exact else self.precision
