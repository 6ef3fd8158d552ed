"""The interface of a source of worksheets, and what it may use."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from smart_sync.aio.rate_limit import Limit
from smart_sync.core.model import Project, Worksheet

#: When nobody has been asked yet.
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReadUsage:
    """The cost of reading since `SheetSource.begin`."""

    #: Requests to the Sheets and Drive APIs, every try counted.
    calls: int = 0
    #: Those of the calls that repeated a failed one.
    retries: int = 0
    #: Seconds spent waiting for the quota (``reads_per_minute``), summed over the requests.
    waited: float = 0.0
    #: Bytes of the answers.
    bytes: int = 0
    #: Files of a directory of worksheets; with them there are no calls.
    files: int = 0

    def plus(self, other: "ReadUsage") -> "ReadUsage":
        """The sum of both."""
        return ReadUsage(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class SharedLimits(Protocol):
    """Provides limits for quotas shared by several processes: `Database.limit`."""

    def __call__(self, name: str, calls: int, seconds: float) -> Limit | None:
        """The limit of a quota; None: this process is the only one."""


class Memory(Protocol):
    """Remembers facts across runs that need not be asked for again: spreadsheet keys by title, locales by key."""

    async def get(self, name: str) -> str | None:
        """The value stored for ``name``, if any."""

    async def put(self, name: str, value: str) -> None:
        """Store ``value`` for ``name``, replacing an earlier one."""


class SheetSource(Protocol):
    """Where worksheets come from; an ``async with`` that is entered and left in one task."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self) -> None:
        """A pass begins: `usage` counts from here, and every read of the pass shares one deadline."""

    async def read(self, project: Project) -> Worksheet:
        """The worksheet of ``project``.  Raises `SheetUnavailable` for every failure a person can fix."""

    async def titles(self) -> list[str]:
        """The titles of all worksheets of the default spreadsheet.  Raises `SheetUnavailable`."""

    def usage(self) -> ReadUsage:
        """The cost of reading since the pass began."""


class ProcessMemory:
    """A `Memory` that lasts as long as the process."""

    def __init__(self) -> None:
        self._facts: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        """The value stored for ``name``, if any."""
        return self._facts.get(name)

    async def put(self, name: str, value: str) -> None:
        """Store ``value`` for ``name``."""
        self._facts[name] = value


def locale_fact(key: str) -> str:
    """The name under which a spreadsheet's locale is stored; no title contains a line break."""
    return f"locale\n{key}"


def title_fact(key: str) -> str:
    """The name under which a spreadsheet's own title is stored."""
    return f"title\n{key}"


def dated(fact: str | None) -> tuple[str, datetime]:
    """The stored locale or title, and when Google reported it; "" if there is none, or it is unreadable."""
    date, _, value = (fact or "").partition(" ")
    try:
        return value, datetime.fromisoformat(date).astimezone(UTC)
    except (ValueError, OverflowError):
        return "", NEVER
