"""How often a parser may ask: its rate, and its budget per 24 hours across all processes."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

from smart_sync.clock import Clock
from smart_sync.config import ParserSettings
from smart_sync.config.parser_options import options
from smart_sync.parsers.parser import RoundOver
from smart_sync.store import parser_records
from smart_sync.store.engine import Database, StoreError

#: Requests are taken from the budget in blocks, so that the database is not written for each.
LARGEST_BLOCK = 50
BLOCKS = 20
#: What an account is taken to need until one has been asked about to the end.
PROBABLY = 50


def read_budget(value: object) -> object:
    """``"1000/d"`` → 1000.  Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = re.fullmatch(r"\s*([1-9][0-9]{0,8})\s*/\s*d\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected the requests of a day, such as "1000/d"')
    return int(match[1])


Budget = Annotated[int, BeforeValidator(read_budget)]


class Turn:
    """One account, or one batch, that is being asked for."""

    def __init__(self) -> None:
        #: What was taken for it from the budget.
        self.used = 0
        self.is_first = asyncio.Event()
        #: Whether a request was made for it, and one that may have started a job that is paid for.
        self.has_asked = False
        self.has_started_job = False


class Allowance:
    """What one pass of a parser may use of its ``budget``; ``seconds``: how long the pass may take.

    Where it may not last for all accounts that are being asked about, they go on one after the other, in the order in
    which they began: what several begin and none ends is spent for nothing.
    """

    def __init__(self, database: Database, parser: str, budget: int, seconds: float, clock: Clock) -> None:
        self._database = database
        self._parser = parser
        self._budget = budget
        self._seconds = timedelta(seconds=seconds)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._left = 0
        self._until = clock()
        self._block = ""
        #: Block → the requests that were made of it.
        self._made: dict[str, int] = {}
        #: What others had left when the last block was reserved.
        self._beyond = 0
        self._turns: list[Turn] = []
        #: The most that an account has used that was asked about to the end.
        self._most: int | None = None

    @contextlib.contextmanager
    def under_way(self, turn: Turn) -> Iterator[None]:
        """Take requests for ``turn`` inside; without an error at the end, it was asked for completely."""
        self._turns.append(turn)
        try:
            yield
            self._most = max(self._most or 0, turn.used)
        finally:
            self._turns.remove(turn)
            if self._turns:
                self._turns[0].is_first.set()

    async def take(self, turn: Turn | None = None) -> None:
        """Call before each request; ``turn``: the one it is for, if it is `under_way`.

        Raises `RoundOver` if the budget is used up, and `SmartSyncError` of the database.
        """
        if turn is not None:
            async with self._lock:
                if not self._made:
                    await self._reserve()
            if self._is_scarce() and self._turns[0] is not turn:
                await turn.is_first.wait()
            turn.used += 1
        async with self._lock:
            if self._left == 0 or self._clock() >= self._until:
                await self._reserve()
            self._left -= 1
            self._made[self._block] += 1

    @property
    def taken(self) -> int:
        """The requests made so far."""
        return sum(self._made.values())

    async def settle(self) -> None:
        """Release the unused budget at the end of a pass."""
        if self._made:
            # Where it cannot be written, the budget has less than it might, never more.
            with contextlib.suppress(StoreError):
                await parser_records.settle(self._database, self._made, self._clock())

    def _is_scarce(self) -> bool:
        """Whether the rest may not suffice for all that are under way."""
        most = max(self._most if self._most is not None else PROBABLY, *(turn.used for turn in self._turns))
        return self._left + self._beyond < most * len(self._turns)

    async def _reserve(self) -> None:
        now = self._clock()
        self._block, self._until = uuid.uuid4().hex, now + self._seconds
        self._made[self._block] = self._left = 0
        wanted = max(1, min(LARGEST_BLOCK, self._budget // BLOCKS))
        try:
            grant = await parser_records.reserve(
                self._database, self._parser, self._budget, wanted, now, self._until, self._block
            )
        except StoreError as error:
            raise error.meaning from None
        if grant.requests <= 0:
            raise RoundOver(f"the budget of {self._budget:,} requests in 24 hours is used up", grant.free_at)
        self._left, self._beyond = grant.requests, grant.beyond


def daily_requests(settings: ParserSettings) -> int | None:
    """The requests that a parser may make in any 24 hours; None if it has no budget."""
    return options(settings).budget


def allowance(database: Database, parser: str, settings: ParserSettings, clock: Clock) -> Allowance | None:
    """What one pass of ``parser`` (its table's name) may use; None if it has no budget."""
    allowed = daily_requests(settings)
    return None if allowed is None else Allowance(database, parser, allowed, settings.deadline, clock)


_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``calls`` in any ``seconds``."""

    calls: int
    seconds: float

    def __str__(self) -> str:
        unit = next((name for name, seconds in _SECONDS.items() if seconds == self.seconds), f"{self.seconds:g}s")
        return f"{self.calls}/{unit}"


def read_rate(value: object) -> object:
    """``"600/min"`` → `Rate`; also per s, h, d.  Raises ValueError."""
    if isinstance(value, Rate):
        return value
    match = re.fullmatch(r"\s*([1-9][0-9]{0,5})\s*/\s*(s|min|h|d)\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a rate such as "10/s", "600/min", "200/h" or "5000/d"')
    return Rate(int(match[1]), _SECONDS[match[2]])


ApiRate = Annotated[Rate, BeforeValidator(read_rate)]
