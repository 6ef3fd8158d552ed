"""The parsed values of all accounts beside their merged ones, and where the sheet's stand: for the report."""

from typing import NamedTuple

from smart_sync.core.model import METRICS, Metrics
from smart_sync.core.state import as_text, is_rounded, sound
from smart_sync.store.database import Database
from smart_sync.store.days import local_day


class Parsed(NamedTuple):
    """What a parser says of an account, and what was made of it; metric by metric where there are five."""

    parsed: Metrics
    rounded: bool
    #: A stamp; None: never, or unreadable.
    parsed_at: str | None
    merged: Metrics
    winners: tuple[str | None, ...]
    #: The local day on which each merged value became what it is.
    changed_on: tuple[str | None, ...]
    #: "" and None where no row of a worksheet is the account's.
    worksheet: str
    row: int | None


_SQL = f"""
SELECT p.account_id, {", ".join(f"p.{metric}" for metric in METRICS)},
       {", ".join(f"m.{metric}" for metric in METRICS)}, {", ".join(f"m.{metric}_winner" for metric in METRICS)},
       {", ".join(local_day(f"m.{metric}_changed_at") for metric in METRICS)},
       p."precision", strftime('%Y-%m-%dT%H:%M:%S', p.parsed_at), s.worksheet, s."row"
FROM parsed_inbox p LEFT JOIN account_metrics m ON m.account_id = CAST(p.account_id AS TEXT)
LEFT JOIN sheet_metrics s ON s.account_id = CAST(p.account_id AS TEXT)
"""


async def parsed(database: Database) -> dict[str, Parsed]:
    """Account id → what there is of it; only accounts with parsed values."""
    found = {}
    for account_id, *row in await database.fetch(_SQL):
        precision, parsed_at, worksheet, number = row[20:]
        found[str(account_id)] = Parsed(
            sound(row[:5])[0],
            is_rounded(precision),
            parsed_at,
            sound(row[5:10])[0],
            tuple(row[10:15]),
            tuple(row[15:20]),
            as_text(worksheet),
            number,
        )
    return found
