"""Which link cells of a worksheet show a text that only the link behind it explains, and whether rows have moved since.

Google's values hold the text of a cell, never the link behind it (rich text, ``=HYPERLINK``, a chip).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smart_sync.core.links.identity import is_link
from smart_sync.core.model import METRICS, Cell
from smart_sync.core.worksheet import headers
from smart_sync.core.worksheet.cells import NO_VALUE
from smart_sync.core.worksheet.headers import letters
from smart_sync.core.worksheet.titles import Titles, is_total

#: Row (from 1) → the links behind its link cell.
Links = Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts in the link cells of a worksheet, without those that are addresses."""

    #: The column's letters, and the first row below the header.
    column: str
    first: int
    #: Row (from 1) → its text with hashes of its other texts (no metric's), and of all its cells.
    cells: Mapping[int, tuple[str, int]]
    contents: Mapping[int, int] = field(default_factory=dict)

    @property
    def range(self) -> str:
        """The cells in A1 notation, from the first row below the header."""
        return f"{self.column}{self.first}:{self.column}"

    def stands(self, earlier: "Texts") -> bool:
        """Whether links found behind ``earlier`` are those behind these: the same texts, and no row in another's place.

        Where every cell says "Profile", only the other texts of a row tell that the rows were sorted; of rows alike
        in these too, two that have changed may have changed places.
        """
        if (self.column, self.cells) != (earlier.column, earlier.cells):
            return False
        changed = [self.cells[row] for row, one in self.contents.items() if one != earlier.contents[row]]
        return len(set(changed)) == len(changed)


def texts(rows: Sequence[Sequence[Cell]], titles: Titles) -> Texts | None:
    """The texts in the link cells of ``rows`` that are no addresses; None if none says anything of an account."""
    header = headers.find(rows, titles)
    if header is None:
        return None
    column = header.columns["link"]
    counts = {header.columns[metric] for metric in METRICS if metric in header.columns}
    cells: dict[int, tuple[str, int]] = {}
    contents: dict[int, int] = {}
    for number, row in enumerate(rows, 1):
        cell = row[column] if column < len(row) else None
        if number <= header.end or not isinstance(cell, str):
            continue
        text = cell.strip()
        if "." in text and is_link(text):
            continue
        if text.casefold() not in NO_VALUE and not text.startswith("#") and not is_total(text):
            others = tuple((at, one) for at, one in enumerate(row) if isinstance(one, str) and at not in counts)
            cells[number], contents[number] = (text, hash(others)), hash(tuple(row))
    return Texts(letters(column), header.end + 1, cells, contents) if cells else None
