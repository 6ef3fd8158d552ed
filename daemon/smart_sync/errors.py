"""Failures that have a remedy; each class says who must act.

The message is one line for a person: what happened, where, what to do.  Everything that is not a
`SmartSyncError` is a bug of ours and is shown with its traceback.
"""

from typing import Literal

from smart_sync.core.trouble_codes import Code

#: What the command line returns, and when.
EXIT_CODES = {
    0: "ok",
    1: "failed",
    2: "usage or configuration",
    3: "the daemon is not running",
    4: "some projects failed or are stale, or there is none to sync",
    75: "another instance holds the database",
}


class SmartSyncError(Exception):
    """The base of failures that a person can fix; ``exit_code`` is what the command line returns.

    ``trouble`` is its code in docs/faq.md, "" if it has none.  A class whose messages are all about one trouble has one
    for all of them.
    """

    exit_code = 1
    trouble: Code | Literal[""] = ""

    def __init__(self, message: str, *, trouble: Code | Literal[""] = "") -> None:
        super().__init__(message)
        if trouble:
            self.trouble = trouble


class ConfigError(SmartSyncError):
    """The administrator must fix the configuration; ``problems`` lists every mistake."""

    exit_code = 2
    trouble: Code | Literal[""] = "config-mistake"

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class DatabaseError(SmartSyncError):
    """The administrator must look at the database file: missing, read-only, corrupted, locked."""


class DatabaseUnusable(DatabaseError):
    """The database cannot be used at all; the daemon refuses to start."""

    exit_code = 2


class NotLeading(DatabaseError):
    """Another instance has taken over and continues this one's work; nothing needs to be done."""

    trouble: Code | Literal[""] = "instance-busy"


class DatabaseReplaced(SmartSyncError):
    """The database file was removed or replaced while it was open; start again with the file that is there now."""

    trouble: Code | Literal[""] = "database-replaced"


class SocketUnusable(SmartSyncError):
    """The control socket cannot be opened: path occupied or permissions missing; the daemon refuses to start."""

    exit_code = 2
    trouble: Code | Literal[""] = "control-socket"


class DaemonNotRunning(SmartSyncError):
    """Nothing answers on the control socket."""

    exit_code = 3
    trouble: Code | Literal[""] = "daemon-not-running"


class Busy(SmartSyncError):
    """Another instance holds the database."""

    exit_code = 75
    trouble: Code | Literal[""] = "instance-busy"


class SheetUnavailable(SmartSyncError):
    """A worksheet could not be read; the last known sheet values are carried.

    ``reason`` says what happened and ``remedy`` who must do what; neither holds a secret.  ``code`` is for the
    troubles that a person may mean: "missing" (no such worksheet), "empty", "no_header".  ``step`` is what a person has
    to do at Google, where that is it: "key", "new_key", "share", "enable", "convert", "header".
    """

    def __init__(
        self, reason: str, remedy: str = "", code: str = "", step: str = "", trouble: Code | Literal[""] = ""
    ) -> None:
        super().__init__(f"{reason}; {remedy}" if remedy else reason, trouble=trouble)
        self.reason = reason
        self.remedy = remedy
        self.code = code
        self.step = step


class ParserFailed(SmartSyncError):
    """A parser could not continue; what it fetched so far is kept."""

    trouble: Code | Literal[""] = "parser-failed"
