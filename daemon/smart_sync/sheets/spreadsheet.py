"""One spreadsheet: gathers what is asked of it into batches, and hands each worksheet to whoever waits for it."""

import asyncio
from collections.abc import Sequence
from difflib import get_close_matches

from smart_sync.core.model import Worksheet
from smart_sync.core.names import written
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets import fetches
from smart_sync.sheets.answers import Values
from smart_sync.sheets.batches import differ_by_case, next_batch, title_of
from smart_sync.sheets.calls import Calls
from smart_sync.sheets.faults import RangeRefused, SpreadsheetMissing, SpreadsheetUnavailable
from smart_sync.sheets.names import Name
from smart_sync.sheets.source import Memory

#: The projects of a pass start together: whoever asks waits while others still join, looking this often (seconds).
GATHER_SECONDS = 0.005
GATHER_ROUNDS = 20
LOCALE_SECONDS = 86_400.0
DEFAULT_LOCALE = "en_US"

#: An expected failure travels as a value, so that each who waits raises one of his own.
Answer = Worksheet | SheetUnavailable


class Spreadsheet:
    """Answers `read` for each of its worksheets, asking Google for many at once.

    The requests are made one after the other by a task that lives as long as somebody waits.
    """

    def __init__(self, where: str, locale: str, calls: Calls, memory: Memory, tasks: asyncio.TaskGroup) -> None:
        self._calls = calls
        self._manager = calls.manager()
        self._name = Name(where, calls, self._manager, memory)
        self._fixed_locale = locale
        self._locale, self._locale_until = "", 0.0
        self._sizes: dict[str, int] = {}
        #: Titles that are asked for → how the spreadsheet writes them, where that is another writing of one name.
        self._written: dict[str, str] = {}
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}
        self._ends = 0.0

    async def read(self, title: str, ends: float) -> Worksheet:
        """The worksheet ``title``, before ``ends`` (loop time).  Raises `SheetUnavailable`."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(title, []).append(answer)
        self._ends = ends
        if self._task is None or self._task.done():
            self._task = self._tasks.create_task(self._serve(), name=f"spreadsheet {self._name}")
        try:
            got = await answer
        finally:
            self._forget(title, answer)
        if isinstance(got, SheetUnavailable):
            raise SheetUnavailable(got.reason, got.remedy)
        return got

    async def titles(self, ends: float) -> tuple[str, ...]:
        """The titles of all its worksheets.  Raises `SheetUnavailable`."""
        self._ends = ends
        try:
            return await self._titles()
        except SpreadsheetMissing as missing:
            await self._name.correct(missing, ends)
            return await self._titles()

    def close(self) -> None:
        """Stop asking; all who wait are told."""
        self._stop()
        self._answer_all(SheetUnavailable("reading was stopped"))

    def _stop(self) -> None:
        """End the task; whoever asks next gets a new one."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _forget(self, title: str, answer: asyncio.Future[Answer]) -> None:
        """One waits no longer; when nobody does, nothing more is fetched."""
        answers = self._waiting.get(title, [])
        if answer in answers:
            answers.remove(answer)
        if not answers:
            self._waiting.pop(title, None)
        if not self._waiting and answer.cancelled():
            self._stop()

    async def _serve(self) -> None:
        """Batch after batch, with whoever comes in the meantime, until nobody waits."""
        try:
            await self._gather()
            titles: tuple[str, ...] | None = None
            while self._waiting:
                titles = await self._serve_batch(list(self._waiting), titles)
        except Exception as bug:
            # Everybody who waits raises it: there it ends the program.
            self._answer_all(bug)

    async def _gather(self) -> None:
        for _ in range(GATHER_ROUNDS):
            before = len(self._waiting)
            await asyncio.sleep(GATHER_SECONDS)
            if len(self._waiting) == before:
                return

    async def _serve_batch(self, wanted: Sequence[str], titles: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Answer some of those who wait, with one request if all is well.

        ``titles`` are those in the spreadsheet if they had to be asked for, in this burst of reading; returned too.
        """
        batch: Sequence[str] = wanted
        try:
            if titles is not None:
                batch = wanted = self._without_missing(wanted, titles)
            batch = next_batch(await self._name.key(self._ends), wanted, fetches.QUERY, self._sizes, self._written)
            if batch:
                await self._read(batch)
        except RangeRefused as refused:
            if titles is None:
                return await self._titles_for(batch)
            self._answer_refused(batch, refused)
        except SpreadsheetMissing as missing:
            await self._correct(missing)
        except SpreadsheetUnavailable as failure:
            self._answer_all(failure)
        except SheetUnavailable as failure:
            self._answer(batch, failure)
        return titles

    async def _read(self, batch: Sequence[str]) -> None:
        key = await self._name.key(self._ends)
        ranges = [self._written.get(title, title) for title in batch]
        found = await self._calls.make(str(self._name), self._manager, self._ends, fetches.values, key, ranges)
        puzzling: list[tuple[str, Values]] = []
        for title, values in zip(batch, found, strict=True):
            self._sizes[title] = values.size
            if values.flaw:
                self._answer([title], _not_a_worksheet(title, values.flaw))
            elif differ_by_case(self._written.get(title, title), values.title):
                self._answer([title], _missing(title, [values.title]))
            elif values.needs_locale and not self._known_locale():
                puzzling.append((title, values))
            else:
                self._answer([title], Worksheet(title, values.rows, self._known_locale() or DEFAULT_LOCALE))
        if puzzling:
            await self._solve(puzzling)

    async def _solve(self, puzzling: Sequence[tuple[str, Values]]) -> None:
        """Answer those that only the spreadsheet's locale makes clear: a guess could be wrong by a factor of 1000."""
        try:
            await self._titles()
        except SheetUnavailable as failure:
            self._answer([title for title, _ in puzzling], failure)
            return
        for title, values in puzzling:
            self._answer([title], Worksheet(title, values.rows, self._known_locale()))

    def _known_locale(self) -> str:
        fresh = asyncio.get_running_loop().time() < self._locale_until
        return self._fixed_locale or (self._locale if fresh else "")

    async def _titles(self) -> tuple[str, ...]:
        """The titles in the spreadsheet; its locale is noted on the way."""
        key = await self._name.key(self._ends)
        said = await self._calls.make(str(self._name), self._manager, self._ends, fetches.metadata, key)
        self._locale = said.locale or DEFAULT_LOCALE
        self._locale_until = asyncio.get_running_loop().time() + LOCALE_SECONDS
        return said.titles

    async def _titles_for(self, batch: Sequence[str]) -> tuple[str, ...] | None:
        try:
            return await self._titles()
        except SheetUnavailable as failure:
            self._answer(batch, failure)
            return None

    async def _correct(self, missing: SpreadsheetMissing) -> None:
        try:
            await self._name.correct(missing, self._ends)
        except SheetUnavailable as failure:
            self._answer_all(failure)

    def _without_missing(self, wanted: Sequence[str], titles: Sequence[str]) -> list[str]:
        """Those of ``wanted`` that are there, if only in another writing; who waits for the others is told."""
        # The worksheet of another project is none that was renamed.
        free = [title for title in titles if title not in wanted]
        there = []
        for title in wanted:
            self._written.pop(title, None)
            if title in titles:
                there.append(title)
            elif other := written(title, free):
                free.remove(other)
                self._written[title] = other
                there.append(title)
            else:
                self._answer([title], _missing(title, free))
        return there

    def _answer_refused(self, batch: Sequence[str], refused: RangeRefused) -> None:
        """Google does not read what it says it has: a chart's sheet, or one renamed just now."""
        culprit = title_of(refused.reason.partition(": ")[2])
        guilty = [title for title in batch if self._written.get(title, title) == culprit] or batch
        self._answer(guilty, SheetUnavailable(f'Google cannot read worksheet "{guilty[0]}"', "is it a chart?"))

    def _answer(self, titles: Sequence[str], answer: Answer | Exception) -> None:
        for title in titles:
            for waiting in self._waiting.pop(title, ()):
                if waiting.done():
                    continue
                if isinstance(answer, Worksheet | SheetUnavailable):
                    waiting.set_result(answer)
                else:
                    waiting.set_exception(answer)

    def _answer_all(self, answer: Answer | Exception) -> None:
        self._answer(list(self._waiting), answer)


def _not_a_worksheet(title: str, flaw: str) -> SheetUnavailable:
    return SheetUnavailable(
        f'Google\'s answer for worksheet "{title}" is not what it should be: {flaw}',
        "if it lasts, look for a proxy between here and Google",
    )


def _missing(title: str, titles: Sequence[str]) -> SheetUnavailable:
    close = get_close_matches(title.casefold(), {other.casefold(): other for other in titles}, cutoff=0.5)
    alike = [other for other in titles if other.casefold() in close] or titles[:5]
    there = ", ".join(f'"{other}"' for other in alike[:5]) or "none"
    return SheetUnavailable(
        f'worksheet "{title}" is not in the spreadsheet', f"rename the worksheet or the project; there is {there}"
    )
