"""Where a worksheet's header is, and which of its columns means what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from smart_sync.core.locales import INVISIBLE
from smart_sync.core.model import METRICS, Cell

#: What a column can be; everything else in a worksheet is somebody else's.
FIELDS = ("link", *METRICS, "platform", "username")

_NAMES: Mapping[str, Sequence[str]] = {
    "link": (
        "link", "account url", "account link", "profile link", "profile url", "url",
        "ссылка", "ссылка на аккаунт", "ссылка на профиль",
    ),
    "followers": ("followers", "subscribers", "подписчики"),
    "likes": ("likes", "лайки"),
    "comments": ("comments", "комментарии"),
    "videos": ("videos", "видео"),
    "views": ("views", "просмотры"),
    "platform": ("platform", "платформа"),
    "username": ("username", "имя пользователя"),
}  # fmt: skip

#: Rows with anything in them that are looked at; a header further down is none.
MAX_ROWS_ABOVE = 50


@dataclass(frozen=True, slots=True)
class Header:
    """Where the header is, and which column (from 0) holds what."""

    #: Rows (from 0): the one that names the link, the first one below the header.
    row: int
    end: int
    columns: Mapping[str, int]
    #: Columns that repeat a field another column has already.
    duplicates: tuple[int, ...]


def names(synonyms: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Header name → field, with the built-in names and ``synonyms`` (field → more names), which win."""
    found = {normal(name): field for field, several in _NAMES.items() for name in several}
    for field in FIELDS:
        found.update({normal(name): field for name in synonyms.get(field, ())})
    return found


def find(rows: Sequence[Sequence[Cell]], known: Mapping[str, str]) -> Header | None:
    """The header: the first row with a name for the link and one more, else the first with a name for the link.

    ``known`` is what `names` made.  None if no column is named for the link.
    """
    best: Header | None = None
    for row in _first_rows(rows):
        header = _header(rows, row, known)
        if header is not None and (best is None or len(header.columns) > 1):
            best = header
        if best is not None and len(best.columns) > 1:
            break
    return best


def seen(rows: Sequence[Sequence[Cell]], known: Mapping[str, str]) -> tuple[str, ...]:
    """The texts of the row that looks most like a header: most known names, then most texts; () if all is blank."""
    best: list[str] = []
    rank = (0, 0)
    for row in _first_rows(rows):
        texts = [cell.strip() for cell in rows[row] if isinstance(cell, str) and normal(cell)]
        of_this = (sum(normal(text) in known for text in texts), len(texts))
        if of_this > rank:
            best, rank = texts, of_this
    return tuple(best)


def normal(name: str) -> str:
    """A header name as it is compared: small letters, single spaces, without ``@`` before and ``:`` or ``*`` after."""
    plain = name.translate(INVISIBLE).replace("_", " ").casefold()
    return " ".join(plain.split()).lstrip("@ ").rstrip(":* ")


@lru_cache(maxsize=1024)
def letters(column: int) -> str:
    """The letters of ``column`` (from 0): A, B, …, Z, AA."""
    text = ""
    column += 1
    while column:
        column, last = divmod(column - 1, 26)
        text = chr(ord("A") + last) + text
    return text


def _first_rows(rows: Sequence[Sequence[Cell]]) -> list[int]:
    found: list[int] = []
    for number, row in enumerate(rows):
        if any(cell is not None and cell != "" for cell in row):
            found.append(number)
            if len(found) == MAX_ROWS_ABOVE:
                break
    return found


def _header(rows: Sequence[Sequence[Cell]], row: int, known: Mapping[str, str]) -> Header | None:
    """The header whose link stands in ``row``, with what merged cells have put into the row below or above."""
    columns: dict[str, int] = {}
    duplicates: list[int] = []
    for column, field in _fields(rows[row], known):
        if columns.setdefault(field, column) != column:
            duplicates.append(column)
    if "link" not in columns:
        return None
    # A cell merged over two rows has its name in the upper one, so that either row may lack some.
    end = row + 1
    if end < len(rows) and _blank(rows[end], columns["link"]):
        below = {field: column for column, field in reversed(_fields(rows[end], known)) if field not in columns}
        end += bool(below)
        columns |= below
    if row:
        above = [(column, field) for column, field in _fields(rows[row - 1], known) if _blank(rows[row], column)]
        columns = {field: column for column, field in reversed(above)} | columns
    return Header(row, end, columns, tuple(duplicates))


def _fields(row: Sequence[Cell], known: Mapping[str, str]) -> list[tuple[int, str]]:
    return [
        (column, field)
        for column, cell in enumerate(row)
        if isinstance(cell, str) and (field := known.get(normal(cell))) is not None
    ]


def _blank(row: Sequence[Cell], column: int) -> bool:
    cell = row[column] if column < len(row) else None
    return cell is None or (isinstance(cell, str) and not cell.strip())
