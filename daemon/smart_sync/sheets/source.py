"""What every source of worksheets promises, and what it may ask for."""

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
    """What reading has cost since `SheetSource.begin`."""

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
        """Both together."""
        return ReadUsage(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class SharedLimits(Protocol):
    """Gives the limits of quotas that several processes share: `Database.limit`."""

    def __call__(self, name: str, calls: int, seconds: float) -> Limit | None:
        """The limit of a quota; None: this process is the only one."""


class Memory(Protocol):
    """Remembers what Google need not be asked again in every run: keys of spreadsheets by title, locales by key."""

    async def get(self, name: str) -> str | None:
        """The fact put for ``name``, if any."""

    async def put(self, name: str, value: str) -> None:
        """Remember ``value`` for ``name``, in place of an earlier one."""


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
        """What reading has cost since the pass began."""


class ProcessMemory:
    """A `Memory` that lasts as long as the process."""

    def __init__(self) -> None:
        self._facts: dict[str, str] = {}

    async def get(self, name: str) -> str | None:
        """The fact put for ``name``, if any."""
        return self._facts.get(name)

    async def put(self, name: str, value: str) -> None:
        """Remember ``value`` for ``name``."""
        self._facts[name] = value


def locale_fact(key: str) -> str:
    """What a spreadsheet's locale is remembered by; no title has a line end."""
    return f"locale\n{key}"


def title_fact(key: str) -> str:
    """What a spreadsheet's own title is remembered by."""
    return f"title\n{key}"


def dated(fact: str | None) -> tuple[str, datetime]:
    """The remembered locale or title, and when Google answered it; "" if it was not remembered, or cannot be read."""
    date, _, value = (fact or "").partition(" ")
    try:
        return value, datetime.fromisoformat(date).astimezone(UTC)
    except (ValueError, OverflowError):
        return "", NEVER
