"""What `check` says: one line for each thing that it looked at; and names in the configuration that mean nothing."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from smart_sync.config import Settings
from smart_sync.core.command_answers import CheckAnswer, RulesRow
from smart_sync.core.model import Project
from smart_sync.core.project_names import name_key, written
from smart_sync.core.trouble_codes import Code
from smart_sync.core.wording import listed, nearest
from smart_sync.logs import redact, redacted
from smart_sync.store.sqlite.scratch_copy import Names

Level = Literal["ok", "warning", "error"]
#: What a finding can be about.
OF_DATABASE: Final = "database"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and how it is."""

    level: Level
    message: str
    #: `OF_DATABASE`: it is about the file or the server itself; "": about anything else.
    about: str = ""
    #: What docs/faq.md has it under; "" where it has no entry.
    trouble: Code | Literal[""] = ""

    @property
    def code(self) -> str:
        """Its ``trouble``; "" where there is nothing to do."""
        return "" if self.level == "ok" else self.trouble


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]
    #: The resolved strategies: project, platform ("" for all others), and per metric strategy and rule.
    merge: tuple[RulesRow, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if the daemon can run with this, 1 if something needs fixing."""
        return 1 if any(finding.level == "error" for finding in self.findings) else 0

    def answer(self) -> CheckAnswer:
        """For ``--json``."""
        return {
            "success": self.exit_code == 0,
            # What the configuration, Google or SQLite say is in them, as it came.
            "findings": [
                {"level": finding.level, "message": redact(finding.message), "code": finding.code}
                for finding in self.findings
            ],
            "merge": redacted(list(self.merge)),
        }


def unknown_names(settings: Settings, names: Names) -> Iterator[Finding]:
    """The names in ``[merge]`` and ``[sheets.spreadsheets]`` that no project, account or spreadsheet has."""
    if not names.projects:  # A database that is still to be filled.
        return
    of_no_project = [name for name in settings.merge.projects if written(name, names.projects) is None]
    yield from _unknown("merge.projects", of_no_project, names.projects, "project")
    if names.platforms:
        platforms = [platform.lower() for platform in settings.merge.platforms]
        yield from _unknown("merge.platforms", platforms, names.platforms, "account's platform")
    yield from _unknown(
        "sheets.spreadsheets", settings.sheets.spreadsheets, names.spreadsheets, "project's google_sheet_name"
    )


def _unknown(section: str, names: Iterable[str], known: Collection[str], what: str) -> Iterator[Finding]:
    for name in names:
        if name not in known:
            near = nearest(name, known)
            meant = f"; did you mean {near!r}?" if near else ""
            yield Finding(
                "warning", f"{section}: {name!r} is no {what}, so it has no effect{meant}", trouble="config-mistake"
            )


def default_spreadsheets(settings: Settings, projects: Iterable[Project]) -> Iterator[Finding]:
    """The one name that stands for the default spreadsheet, though nothing in the configuration says so."""
    if settings.sheets.source != "google" or not settings.sheets.spreadsheet:
        return
    taken = [one for one in projects if not (one.one_of_several or settings.sheets.explains(one.spreadsheet))]
    for name in dict.fromkeys(project.spreadsheet for project in taken):
        message = (
            f"google_sheet_name {name!r} stands for the default spreadsheet: [sheets.spreadsheets] does not have it"
        )
        yield Finding("ok", f"{listed([one.name for one in taken if one.spreadsheet == name])}: {message}")


def shared_names(projects: Iterable[Project]) -> Iterator[Finding]:
    """Active projects of one spreadsheet that have one name, and so one worksheet."""
    seen: dict[tuple[str, str], Project] = {}
    for project in projects:
        first = seen.setdefault((project.spreadsheet, name_key(project.name)), project)
        if first is not project:
            yield Finding(
                "warning",
                f"projects {first.name!r} (id {first.id}) and {project.name!r} (id {project.id}) have one name, and a"
                " worksheet counts for one project; rename one of them",
                trouble="sheet-unclaimed",
            )
