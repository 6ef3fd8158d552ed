"""How the parsers are, kept over restarts and reloads: the table ``parser_states``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from smart_sync.core.results.parser_health import ParserState
from smart_sync.store.database import Database, Transaction

_COLUMNS = "parser, since, told_at, recovered_at, reason, projects"


@dataclass(frozen=True, slots=True)
class FailingParser:
    """A parser that is failing; times are stamps.  ``told_at``: when that was told, None before."""

    parser: str
    since: str
    told_at: str | None
    reason: str
    #: The names of the projects whose accounts it is asked about.
    projects: str = ""

    def __str__(self) -> str:
        concerned = f" (of {self.projects})" if self.projects else ""
        return f"{self.parser}{concerned} has been failing since {self.since[:16].replace('T', ' ')} UTC: {self.reason}"


async def known(transaction: Transaction, parsers: Iterable[str]) -> dict[str, ParserState]:
    """What is remembered of ``parsers``; others are forgotten."""
    rows = await transaction.fetch(f"SELECT {_COLUMNS} FROM parser_states")
    states = {row[0]: ParserState(*row[1:]) for row in rows}
    wanted = set(parsers)
    await transaction.execute_many(
        "DELETE FROM parser_states WHERE parser = ?", [(name,) for name in states if name not in wanted]
    )
    return {name: state for name, state in states.items() if name in wanted}


async def remember(transaction: Transaction, states: Mapping[str, ParserState]) -> None:
    """Keep how parsers are now."""
    await transaction.execute_many(
        f"INSERT OR REPLACE INTO parser_states ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        [(name, s.since, s.told_at, s.recovered_at, s.reason, s.projects) for name, s in states.items()],
    )


async def failing(database: Database) -> list[FailingParser]:
    """The parsers whose last passes were bad, by name."""
    rows = await database.glance(
        "SELECT parser, since, told_at, reason, projects FROM parser_states WHERE since IS NOT NULL ORDER BY parser"
    )
    return [FailingParser(*row) for row in rows]
