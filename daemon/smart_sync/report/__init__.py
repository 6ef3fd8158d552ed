"""`smart-sync report`: the accounts' growth as one HTML file that can be mailed and opened from disk."""

import asyncio
from datetime import datetime
from pathlib import Path

from smart_sync.config.database_url import Location
from smart_sync.core.parsed import VoteTerms
from smart_sync.report.build import page
from smart_sync.report.inputs import Options, ReportInputs
from smart_sync.report.query import DEFAULT, read

__all__ = ["gathered", "make", "page"]


def gather_inputs(
    where: Location,
    project: str | None,
    days: int,
    now: datetime,
    vote_terms: VoteTerms | None = None,
    options: Options = DEFAULT,
) -> ReportInputs:
    """The report's inputs: all active projects in the database at ``where``, or one (id or name).

    Charts show the last ``days`` days; parsed values are judged by ``vote_terms``.  The database is only read.
    Raises `SmartSyncError` where it or the project is missing.
    """
    if isinstance(where, Path) and where.is_file() and not where.stat().st_size:  # nobody has made a table yet
        return ReportInputs()
    return asyncio.run(read(where, project, days, now, vote_terms, options))


def make(
    where: Location,
    project: str | None,
    days: int,
    now: datetime,
    vote_terms: VoteTerms | None = None,
    options: Options = DEFAULT,
) -> bytes:
    """The `page` for `gather_inputs`; ``options`` say for whom, and in which form."""
    return page(gather_inputs(where, project, days, now, vote_terms, options), days, now, options).encode()
