"""What people type, and what has to become of it: ``tests/cases/sheets.jsonl``."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from smart_sync.store.engine import Database
from smart_sync.store.sqlite.database import SqliteDatabase

FILE = Path(__file__).parents[1] / "cases" / "sheets.jsonl"


@dataclass(frozen=True)
class Case:
    """One input, and its outcome: a value, or what is to be told."""

    id: str
    kind: str
    input: str
    expected: Any

    def cell(self) -> tuple[str, str]:
        """The text of the cell and the locale of its worksheet: ``12,5 Tsd. (de_DE)``."""
        found = re.fullmatch(r"(?:text cell )?(.+?)(?: \(text\))?(?: \((?:([a-z]{2}_[A-Z]{2})|-)\))?", self.input)
        assert found is not None, self.input
        return signs(found[1].split(" in a CSV worksheet")[0].removesuffix(" in an ingest CSV")), found[2] or "en_US"


def cases(*kinds: str) -> list[Case]:
    """The cases of these kinds."""
    found = [case for case in _all() if case.kind in kinds]
    assert found, kinds
    return found


def signs(text: str) -> str:
    """``text`` with ``U+2002`` replaced by that sign, and the spaces around it gone."""
    return re.sub(r" ?U\+([0-9A-F]{4}) ?", lambda found: chr(int(found[1], 16)), text)


@cache
def _all() -> list[Case]:
    return [Case(**json.loads(line)) for line in FILE.read_text(encoding="utf-8").splitlines()]


def sqlite(database: Database) -> SqliteDatabase:
    """A database that is SQLite's, for what only that one has."""
    assert isinstance(database, SqliteDatabase)
    return database
