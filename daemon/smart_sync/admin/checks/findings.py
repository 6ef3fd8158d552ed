"""What `check` says: one line for each thing that it looked at."""

from dataclasses import dataclass
from typing import Any, Literal

from smart_sync.logs import redact, redacted

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and how it is."""

    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]
    #: The resolved strategies: project, platform ("" for all others), and per metric strategy and rule.
    merge: tuple[dict[str, Any], ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if the daemon can run with this, 1 if something needs fixing."""
        return 1 if any(finding.level == "error" for finding in self.findings) else 0

    def answer(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "success": self.exit_code == 0,
            # What the configuration, Google or SQLite say is in them, as it came.
            "findings": [{"level": finding.level, "message": redact(finding.message)} for finding in self.findings],
            "merge": redacted(list(self.merge)),
        }
