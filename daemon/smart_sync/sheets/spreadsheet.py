"""One spreadsheet: combines concurrent reads into batches, and gives each project its worksheet."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from smart_sync.clock import Clock
from smart_sync.core.model import Worksheet
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets import requests
from smart_sync.sheets.calls import Calls
from smart_sync.sheets.cell_links import LinksBehind
from smart_sync.sheets.google_errors import RangeRefused, SpreadsheetMissing, SpreadsheetUnavailable
from smart_sync.sheets.requests import next_batch
from smart_sync.sheets.responses import title_of
from smart_sync.sheets.source import NEVER, Memory, dated, locale_fact, title_fact
from smart_sync.sheets.spreadsheet_names import Name, differ_by_case, find, missing_worksheet

#: The projects of a pass start together: a request waits while others still join, looking this often (seconds).
GATHER_SECONDS = 0.001
GATHER_ROUNDS = 100
#: How long a spreadsheet's locale and title are believed, and how long before Google is asked again for the locale
#: when it did not answer.
BELIEVED = timedelta(days=1)
LOCALE_AGAIN = timedelta(minutes=10)
DEFAULT_LOCALE = "en_US"

#: An expected failure travels as a value, so that each who waits raises one of his own.
Answer = Worksheet | SheetUnavailable


class Spreadsheet:
    """Answers `read` for its worksheets by requests for many at once.

    The requests are made one after the other by a task that lives as long as a caller waits.
    """

    def __init__(
        self,
        where: str,
        locale: str,
        calls: Calls,
        memory: Memory,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        titles: Titles,
    ) -> None:
        self._behind = LinksBehind(titles, clock)
        self._calls = calls
        self._manager = calls.manager()
        self._name = Name(where, calls, self._manager, memory)
        self._memory = memory
        self._clock = clock
        self._fixed_locale = locale
        self._locale, self._locale_from, self._locale_until = "", NEVER, NEVER
        self._title, self._title_asked, self._asking_title = "", 0.0, asyncio.Lock()
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
            raise SheetUnavailable(got.reason, got.remedy, got.code, got.step, got.trouble)
        return got

    async def titles(self, ends: float) -> tuple[str, ...]:
        """The titles of all its worksheets.  Raises `SheetUnavailable`."""
        self._ends = ends
        try:
            return await self._titles()
        except SpreadsheetMissing as missing:
            await self._name.correct(missing, ends)
            return await self._titles()

    async def title(self, expected: str, ends: float) -> str:
        """Its own title; if it is not ``expected``, Google is asked again, once per pass.

        Raises `SheetUnavailable`.
        """
        async with self._asking_title:
            key, now = await self._name.key(ends), self._clock()
            stored, answered_at = dated(await self._memory.get(title_fact(key)))
            if stored == expected and answered_at <= now < answered_at + BELIEVED:
                return stored
            if self._title_asked != ends:
                await self.titles(ends)
                await self._memory.put(title_fact(await self._name.key(ends)), f"{now.isoformat()} {self._title}")
                self._title_asked = ends
            return self._title

    def close(self) -> None:
        """Stop reading; all waiting reads fail."""
        self._stop()
        self._answer_all(SheetUnavailable("reading was stopped", trouble="google-away"))

    def _stop(self) -> None:
        """Cancel the task; the next read starts a new one."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _forget(self, title: str, answer: asyncio.Future[Answer]) -> None:
        """Remove one waiting read; when none is left, stop fetching."""
        answers = self._waiting.get(title, [])
        if answer in answers:
            answers.remove(answer)
        if not answers:
            self._waiting.pop(title, None)
        if not self._waiting and answer.cancelled():
            self._stop()

    async def _serve(self) -> None:
        """Fetch batch after batch, including reads that arrive meanwhile, until none waits."""
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
        """Answer some waiting reads, with one request if all goes well.

        ``titles`` are those in the spreadsheet if they had to be asked for, in this burst of reading; returned too.
        """
        batch: Sequence[str] = wanted
        try:
            titles = await self._know_locale(titles)
            if titles is not None:
                batch = wanted = await self._without_missing(wanted, titles)
            batch = next_batch(wanted, self._sizes)
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
        ranges_read = await self._calls.make(str(self._name), self._manager, self._ends, requests.values, key, ranges)
        # By the title in each range: what came in another order than asked is nobody else's numbers.
        named = {values.title: values for values in ranges_read}
        read: list[Worksheet] = []
        for title, cells, at_its_place in zip(batch, ranges, ranges_read, strict=True):
            values = named.get(cells, at_its_place)
            self._sizes[title] = values.size
            if values.flaw:
                self._answer([title], _not_a_worksheet(title, values.flaw))
            elif differ_by_case(cells, values.title):
                self._answer([title], missing_worksheet(title, [values.title]))
            elif values.title != cells:
                self._answer([title], _not_a_worksheet(title, f'it is that of worksheet "{values.title}"'))
            else:
                read.append(Worksheet(title, values.rows, self._fixed_locale or self._locale))
        ask = partial(self._calls.make, str(self._name), self._manager, self._ends, requests.links, key)
        async for title, answer in self._behind.completed(read, self._written, ask):
            self._answer([title], answer)

    async def _know_locale(self, titles: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Find out the locale, from the memory or from Google; return the titles if Google gave them.

        A guess could be wrong by a factor of 1000.  An older locale does while Google does not answer: it hardly ever
        changes.  Raises `SheetUnavailable` if none is known.
        """
        now = self._clock()
        if self._fixed_locale or self._locale_from <= now < self._locale_until:
            return titles
        locale, answered_at = dated(await self._memory.get(locale_fact(await self._name.key(self._ends))))
        if locale and answered_at <= now < answered_at + BELIEVED:
            self._note_locale(locale, answered_at, BELIEVED)
            return titles
        try:
            return await self._titles()
        except SpreadsheetMissing:
            raise
        except SheetUnavailable:
            if not locale:
                raise
            self._note_locale(locale, now, LOCALE_AGAIN)
            return titles

    def _note_locale(self, locale: str, since: datetime, believed: timedelta) -> None:
        self._locale, self._locale_from, self._locale_until = locale, since, since + believed

    async def _titles(self) -> tuple[str, ...]:
        """The worksheet titles; the locale from the same response is stored."""
        key = await self._name.key(self._ends)
        metadata = await self._calls.make(str(self._name), self._manager, self._ends, requests.metadata, key)
        now = self._clock()
        self._note_locale(metadata.locale or DEFAULT_LOCALE, now, BELIEVED)
        await self._memory.put(locale_fact(key), f"{now.isoformat()} {self._locale}")
        self._title = metadata.title
        return metadata.titles

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

    async def _without_missing(self, wanted: Sequence[str], titles: Sequence[str]) -> list[str]:
        """Those of ``wanted`` that exist, in any spelling; reads of the others fail."""
        # Looking for alike names takes milliseconds each: in a thread, so that nobody waits for hundreds of them.
        spellings, missing = await asyncio.to_thread(find, wanted, titles)
        for title, other in spellings.items():
            self._written.pop(title, None)
            if other != title:
                self._written[title] = other
        for title, trouble in missing.items():
            self._written.pop(title, None)
            self._answer([title], trouble)
        return list(spellings)

    def _answer_refused(self, batch: Sequence[str], refused: RangeRefused) -> None:
        """Handle a title that Google lists but does not read: a chart's sheet, or one just renamed."""
        culprit = title_of(refused.reason.partition(": ")[2])
        guilty = [title for title in batch if self._written.get(title, title) == culprit] or batch
        self._answer(
            guilty,
            SheetUnavailable(f'Google cannot read worksheet "{guilty[0]}"', "is it a chart?", trouble="google-away"),
        )

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
        trouble="google-away",
    )
