"""The project that a request names, and the answer if it is not synced."""

from dataclasses import dataclass

from smart_sync.core.answers import ProjectAnswer
from smart_sync.core.model import Project
from smart_sync.core.project_names import written
from smart_sync.core.state import as_text
from smart_sync.core.wording import nearest
from smart_sync.errors import SmartSyncError
from smart_sync.logs import printable
from smart_sync.store.accounts import active_project
from smart_sync.store.engine import Database

_FINISHED = "the project is marked as finished; it is synced as long as it is active"


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen ``project``; None if nothing is to be synced, for the reason ``refusal``."""

    project: Project | None
    refusal: ProjectAnswer
    #: What is to be known of the project; "" if nothing is.
    note: str = ""

    def with_note(self, answer: ProjectAnswer) -> ProjectAnswer:
        """``answer`` with the note."""
        return {**answer, "note": self.note} if self.note else answer


@dataclass(frozen=True, slots=True)
class _Row:
    project: Project
    active: bool
    finished: bool


async def choose(database: Database, requested: str, *, by_name: bool = False) -> Choice:
    """The active project with the id ``requested``; with ``by_name`` else the one with that name."""
    rows = await _rows(database)
    active = [row for row in rows if row.active]
    chosen = [row for row in active if row.project.id == requested]
    if by_name and not chosen:
        name = written(requested, [row.project.name for row in active])
        chosen = [row for row in active if row.project.name == name]
    if not chosen:
        return Choice(None, _refusal(requested, rows))
    return Choice(chosen[0].project, _refusal(requested, rows), _FINISHED if chosen[0].finished else "")


class UnknownProject(SmartSyncError):
    """No project has that id or name."""


async def projects_shown(database: Database, wanted: str | None) -> list[Project]:
    """The active projects by name, or the ``wanted`` one (id, else name), active or not. Raises `UnknownProject`."""
    rows = await _rows(database)
    if wanted is None:
        return [row.project for row in rows if row.active]
    name = written(wanted, [row.project.name for row in rows])
    named = sorted((row for row in rows if row.project.name == name), key=lambda row: not row.active)
    chosen = [row.project for row in rows if row.project.id == wanted] or [row.project for row in named]
    if not chosen:
        meant = nearest(wanted, [row.project.name for row in rows])
        remedy = f'did you mean "{meant}"?' if meant else "see smart-sync status"
        raise UnknownProject(f"no project has the id or name {printable(wanted, 100)!r}; {remedy}")
    return chosen[:1]


async def _rows(database: Database) -> list[_Row]:
    existing = await database.dialect.columns(database, "projects")
    finished = "CAST(is_finished AS BIGINT) = 1" if "is_finished" in existing else "0"
    rows = await database.glance(
        f"SELECT id, name, google_sheet_name, {active_project()}, {finished} FROM projects WHERE id IS NOT NULL"
        " ORDER BY name, id"
    )
    return [_Row(Project(str(row[0]), as_text(row[1]), as_text(row[2])), bool(row[3]), bool(row[4])) for row in rows]


def _refusal(requested: str, rows: list[_Row]) -> ProjectAnswer:
    name = written(requested, [row.project.name for row in rows])
    off = next((row for row in rows if row.project.id == requested), None)
    off = off or next((row for row in rows if row.project.name == name and not row.active), None)
    answer: ProjectAnswer = {"success": False, "error": "Project not found", "project_id": requested}
    active = {row.project.name: row.project.id for row in rows if row.active}
    if off is not None:
        answer["error"] = "Project is finished" if off.finished else "Project is not active"
        answer["project_name"] = off.project.name
        answer["remedy"] = "set its is_active to 1 in projects to sync it"
    elif name in active:
        answer["remedy"] = f"that is a name; the id is {active[name]}"
    elif meant := nearest(requested, active):
        answer["remedy"] = f'did you mean "{meant}"?'
    return answer
