"""`smart-sync report`: how the accounts have grown, as one HTML file that mails and opens from disk."""

import asyncio
from datetime import datetime
from pathlib import Path

from smart_sync.core.parsed import VoteTerms
from smart_sync.report.build import page
from smart_sync.report.inputs import Options, ReportInputs
from smart_sync.report.query import DEFAULT, read


def make(
    path: Path,
    project: str | None,
    days: int,
    now: datetime,
    judged_by: VoteTerms | None = None,
    options: Options = DEFAULT,
) -> bytes:
    """The report on the database at ``path``, which is only read: over all active projects, or one (id or name).

    Charts show the last ``days`` days; ``judged_by`` is what parsed values are judged by,
    ``options`` whom it is for and how it says it.  Raises `SmartSyncError`
    where the database or the project is missing.
    """
    if path.is_file() and not path.stat().st_size:  # nobody has made a table yet
        return page(ReportInputs(), days, now, options).encode()
    return page(asyncio.run(read(path, project, days, now, judged_by, options)), days, now, options).encode()
