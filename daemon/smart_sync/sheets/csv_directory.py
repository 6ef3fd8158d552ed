"""Worksheets from a directory: ``<title>.csv`` for each, in UTF-8, separated by comma, semicolon or tab."""

import asyncio
import csv
import errno
import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from smart_sync.aio import plain_files
from smart_sync.aio.tasks import DetachedThreads
from smart_sync.config import SheetsSettings
from smart_sync.core.foreign_text import DELIMITER_LINES, declared_delimiter, delimiter_of, storable
from smart_sync.core.model import Project, Worksheet
from smart_sync.core.project_names import written
from smart_sync.core.wording import nearest_of
from smart_sync.core.worksheet.grid import Grid
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.source import ReadUsage

MAX_FILE_BYTES = 32 * 2**20

T = TypeVar("T")


class CsvSheets:
    """The worksheets of a directory; see `source.SheetSource`. Files are read in threads."""

    def __init__(self, settings: SheetsSettings) -> None:
        if settings.directory is None:
            raise ValueError("a CSV source needs a directory")
        self._directory = settings.directory
        self._locale = settings.locale or "en_US"
        self._titles = Titles(settings.columns)
        self._deadline = settings.deadline
        #: Until when the reads of this pass must be done, by the event loop's clock; None: of no pass.
        self._ends: float | None = None
        self._files = DetachedThreads(settings.concurrency)
        #: One is taken apart at a time: threads that compute side by side only take the interpreter from each other,
        #: and a client of the daemon waits for each (p99 of its status in a pass of 100,000 accounts: half of before).
        self._turn = asyncio.Lock()
        self._usage = ReadUsage()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def begin(self) -> None:
        """A pass begins: `usage` counts from here, and its reads must be done within ``[sheets] deadline``."""
        self._usage = ReadUsage()
        self._ends = asyncio.get_running_loop().time() + self._deadline

    def usage(self) -> ReadUsage:
        """The files read since `begin`."""
        return self._usage

    async def read(self, project: Project) -> Worksheet:
        """The worksheet of ``project``.  Raises `SheetUnavailable`."""
        content = await self._looked(read_file, project.name)
        async with self._turn:
            rows = await asyncio.to_thread(rows_of, content, project.name, self._titles)
        self._usage = ReadUsage(files=self._usage.files + 1)
        unfinished = not content.endswith((b"\n", b"\r"))
        return Worksheet(project.name, rows, self._locale, delimited=True, unfinished=unfinished)

    async def titles(self) -> list[str]:
        """The titles of all worksheets.  Raises `SheetUnavailable`."""
        return await self._looked(titles_in)

    async def _looked(self, look: Callable[..., T], *arguments: object) -> T:
        """The result of ``look`` in the directory; a drive that hangs is reported at the deadline."""
        now = asyncio.get_running_loop().time()
        seconds = self._deadline if self._ends is None else self._ends - now
        try:
            return await self._files.run(max(0.0, seconds), look, self._directory, *arguments)
        except TimeoutError:
            raise SheetUnavailable(
                f"the directory of worksheets {self._directory} cannot be read: no answer within {self._deadline:g} s",
                "if it is on a network drive, check that drive",
                trouble="csv-file",
            ) from None


def read_file(directory: Path, title: str) -> bytes:
    """The content of ``title``'s file, in any spelling of its name.

    Nothing outside of ``directory`` is ever opened, and nothing waited for.
    """
    if not title or title in {".", ".."} or "/" in title or "\\" in title or "\0" in title:
        raise SheetUnavailable(
            f'worksheet "{title}" cannot be a file', "a title for a CSV file has no / \\ in it", trouble="csv-file"
        )
    return _content(directory, title, directory / f"{title}.csv")


def _content(directory: Path, title: str, path: Path) -> bytes:
    """The content of ``path``, else of another file of ``title``."""
    try:
        # A link could lead out of the directory.
        return plain_files.read_file(path, MAX_FILE_BYTES, links=False)[0]
    except FileNotFoundError:
        files = _files(directory)
        other = written(title, files)
        if other is None or files[other] == path:
            raise _missing(directory, title) from None
        return _content(directory, other, files[other])
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise SheetUnavailable(
                f"{path} cannot be read: {error.strerror}", "split the worksheet", trouble="csv-file"
            ) from None
        raise SheetUnavailable(
            f"{path} cannot be read: {error.strerror}",
            "check that it is a file, not a link or a folder, and its permissions",
            trouble="csv-file",
        ) from None


def rows_of(content: bytes, title: str, titles: Titles | None = None) -> Grid:
    """The cells of a CSV file, all of them text; a line ``sep=;`` at the top is a blank row.

    ``titles`` are those of columns that tell the delimiter.
    """
    titles_known = titles or Titles()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SheetUnavailable(
            f"{title}.csv is not UTF-8 in line {line}", "save it as CSV UTF-8", trouble="csv-file"
        ) from None
    content = content.replace(b"\0", "\ufffd".encode())  # `storable`
    head = list(islice(_lines(content), DELIMITER_LINES))
    delimiter = delimiter_of(head, lambda cell: titles_known.meaning(cell) is not None)
    rows = csv.reader(_lines(content), delimiter=delimiter, strict=True)
    try:
        return Grid.of(
            () if number == 0 and head and declared_delimiter(head[0]) else row for number, row in enumerate(rows)
        )
    except csv.Error as error:
        raise SheetUnavailable(
            f"{title}.csv is not valid CSV: {error}", "look for an unclosed quote", trouble="csv-file"
        ) from None


def _lines(content: bytes) -> Iterator[str]:
    # Line by line, because the whole as text is up to four times as large as the file.
    with io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="") as lines:
        yield from lines


def titles_in(directory: Path) -> list[str]:
    """The titles of the files in `directory` that `read_file` would open, sorted."""
    return sorted(_files(directory))


def _files(directory: Path) -> dict[str, Path]:
    """The files of worksheets by title; of ``Summer.csv`` and ``Summer.CSV`` the first."""
    try:
        found = [path for path in directory.iterdir() if _is_worksheet(path)]
        return {storable(path.stem): path for path in sorted(found, key=lambda path: path.suffix == ".csv")}
    except OSError as error:
        raise SheetUnavailable(
            f"the directory of worksheets {directory} cannot be read: {error.strerror}",
            "correct [sheets] directory",
            trouble="csv-file",
        ) from None


def _is_worksheet(path: Path) -> bool:
    return path.suffix.lower() == ".csv" and not path.name.startswith("._") and path.is_file() and not path.is_symlink()


def _missing(directory: Path, title: str) -> SheetUnavailable:
    titles = titles_in(directory)
    alike = nearest_of(title, titles, 5) or titles[:5]
    names = ", ".join(f'"{other}"' for other in alike) or "none"
    remedy = f"add {title}.csv; there is {names}"
    return SheetUnavailable(f'worksheet "{title}" is not in {directory}', remedy, "missing", trouble="sheet-missing")
