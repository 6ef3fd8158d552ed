"""What every source of worksheets promises, and what it may ask for."""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from smart_sync.core.model import Project, Worksheet


@dataclass(frozen=True, slots=True)
class ReadUsage:
    """What reading has cost since `Source.begin`."""

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


class Memory(Protocol):
    """Remembers the keys of spreadsheets known by title, so that Drive is asked once and not every run."""

    async def get(self, title: str) -> str | None:
        """The key put for ``title``, if any."""

    async def put(self, title: str, key: str) -> None:
        """Remember ``key`` for ``title``, in place of an earlier one."""


class Source(Protocol):
    """Where worksheets come from; an ``async with`` that is entered and left in one task."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self) -> None:
        """A pass begins: `usage` counts from here, and every read of the pass shares one deadline."""

    async def read(self, project: Project) -> Worksheet:
        """The worksheet of ``project``.  Raises `SheetUnavailable` for every failure a person can mend."""

    async def titles(self) -> list[str]:
        """The titles of all worksheets of the default spreadsheet.  Raises `SheetUnavailable`."""

    def usage(self) -> ReadUsage:
        """What reading has cost since the pass began."""


class Forgetful:
    """A `Memory` that lasts as long as the process."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    async def get(self, title: str) -> str | None:
        """The key put for ``title``, if any."""
        return self._keys.get(title)

    async def put(self, title: str, key: str) -> None:
        """Remember ``key`` for ``title``."""
        self._keys[title] = key
