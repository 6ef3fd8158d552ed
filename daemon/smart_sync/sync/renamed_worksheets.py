"""Worksheets without a project that are renamed ones of other projects: no project is created for them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smart_sync.core.matching.doubtful_rows import renamed_from
from smart_sync.core.matching.missing import AbsenceTerms
from smart_sync.core.matching.sheet_side import Reading, read_sheet
from smart_sync.core.model import Project
from smart_sync.core.project_names import name_key
from smart_sync.core.worksheet.titles import Titles
from smart_sync.errors import SheetUnavailable
from smart_sync.store import absences, projects
from smart_sync.sync.resources import Means


@dataclass(frozen=True, slots=True)
class Listed:
    """The worksheets of the default spreadsheet: those of no project, each as the one to create, and all titles."""

    #: None: not known, and ``why``.
    new: Sequence[Project] | None = ()
    titles: Sequence[str] = ()
    why: str = ""
    #: Project → the title of the one of ``new`` that is its worksheet; by id.
    renamed: Mapping[str, str] = field(default_factory=dict)


async def without_renamed(means: Means, listed: Listed, now: str, default: str) -> Listed:
    """``listed`` without those of ``new`` that are worksheets of active projects, renamed.

    ``default``: what projects of the default spreadsheet call it.  Costs a read of each new worksheet, and only while
    a project misses its own, which no person has accepted.
    """
    active = await projects.active_projects(means.database) if listed.new else ()
    known, own = {name_key(title) for title in listed.titles}, {"", name_key(default)}
    lost = [one for one in active if name_key(one.name) not in known and name_key(one.spreadsheet) in own]
    if not (lost and listed.new):
        return listed
    reads = await absences.last_reads(means.database, [one.id for one in lost], now)
    ids = [one.id for one in lost if reads[one.id].accepted != "missing"]
    others = await absences.other_accounts(means.database, (), {}, ids)
    titles = Titles(means.settings.sheets.columns)
    readings = await asyncio.gather(*(_reading(means, one) for one in listed.new))

    def found() -> list[str | None]:
        return [
            renamed_from(
                read_sheet(reading, (), AbsenceTerms(now, "", one.name), titles=titles), others.of(one.id), ids
            )
            for one, reading in zip(listed.new or (), readings, strict=True)
        ]

    owners = await asyncio.to_thread(found)
    renamed = {owner: one.name for one, owner in zip(listed.new, owners, strict=True) if owner is not None}
    new = [one for one, owner in zip(listed.new, owners, strict=True) if owner is None]
    return Listed(new, listed.titles, listed.why, renamed)


async def _reading(means: Means, project: Project) -> Reading:
    try:
        return await means.sheets.read(project)
    except SheetUnavailable as trouble:
        return trouble


def told(trouble: SheetUnavailable, project: Project, title: str) -> SheetUnavailable:
    """That the worksheet of ``project`` is not there, and which one has its accounts."""
    return SheetUnavailable(
        trouble.reason,
        f'worksheet "{title}" has its accounts; name it "{project.name}" again, or rename the project',
        trouble.code,
        trouble.step,
        trouble.trouble,
    )
