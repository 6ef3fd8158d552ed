"""The result of `check`: one line per item checked; and names in the configuration that match nothing."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from smart_sync.config import Settings
from smart_sync.core.command_answers import CheckAnswer, RulesRow
from smart_sync.core.model import Project
from smart_sync.core.project_names import written
from smart_sync.core.trouble_codes import Code
from smart_sync.core.wording import listed, nearest
from smart_sync.logs import redact, redacted
from smart_sync.store.sqlite.scratch_copy import Names

Level = Literal["ok", "warning", "error"]
#: What a finding can be about.
OF_DATABASE: Final = "database"


@dataclass(frozen=True, slots=True)
class Finding:
    """One item that was checked, and its state."""

    level: Level
    message: str
    #: `OF_DATABASE`: it is about the file or the server itself; "": about anything else.
    about: str = ""
    #: Its code in docs/faq.md; "" if it has none.
    trouble: Code | Literal[""] = ""

    @property
    def code(self) -> str:
        """Its ``trouble`` code; "" if nothing needs to be done."""
        return "" if self.level == "ok" else self.trouble


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one run of `check`."""

    findings: tuple[Finding, ...]
    #: The resolved strategies: project, platform ("" for all others), and per metric strategy and rule.
    merge: tuple[RulesRow, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if the daemon can run with this, 1 if something needs fixing."""
        return 1 if any(finding.level == "error" for finding in self.findings) else 0

    def answer(self) -> CheckAnswer:
        """The report as JSON, for ``--json``."""
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
    """The names in ``[merge]`` and ``[sheets.spreadsheets]`` that match no project, account or spreadsheet."""
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
    """A finding if the database has a name for the default spreadsheet that the configuration does not mention."""
    if settings.sheets.source != "google" or not settings.sheets.spreadsheet:
        return
    taken = [one for one in projects if not (one.one_of_several or settings.sheets.explains(one.spreadsheet))]
    for name in dict.fromkeys(project.spreadsheet for project in taken):
        message = (
            f"google_sheet_name {name!r} stands for the default spreadsheet: [sheets.spreadsheets] does not have it"
        )
        yield Finding("ok", f"{listed([one.name for one in taken if one.spreadsheet == name])}: {message}")
