"""Troubles by code: what ``docs/faq.md`` has an entry for, and which messages are about it.

A code is for people who look a message up; nothing is decided by it.  What has none from where it is decided (errors of
the database and of parsers, and what versions before 1.0 have left on record) gets one by its words, here alone.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from smart_sync.core.model import Problem
from smart_sync.core.trouble_codes import Code

#: Code → words that only messages about this trouble hold.  The first code with a match counts.
TROUBLES: dict[Code, tuple[str, ...]] = {
    # The daemon and its configuration.
    "daemon-not-running": ("the daemon is not running", "the daemon stopped before it answered"),
    "instance-busy": ("another instance (pid", "this instance no longer leads"),
    "control-socket": (
        *("another program listens there", "cannot listen there"),
        *("locked by another process; find it with lslocks", "there is no group", "too long for a socket"),
        *("[control] socket",),
    ),
    "config-mistake": (
        *("no such key", "not valid TOML", "no configuration: there is no", "expected a duration"),
        *("so it has no effect", "cannot be made: "),
    ),
    "secret-readable": ("may read the secret",),
    "drill": ("drill: ",),
    # The database.
    "disk-full": ("disk is full", "MB are free", "server is short of something"),
    "database-locked": (
        *("held the database locked", "another session has held what is to be written", "find it with fuser"),
        *("find it in pg_stat_activity",),
    ),
    "database-damaged": (
        *("not an intact SQLite database", "the file is corrupted", "the copy is corrupted"),
        *("reports damaged data", "reports a damaged index", "the disk refused", "its server's disk refused"),
    ),
    "database-replaced": ("while it was open; stop the daemon before restoring",),
    "database-version": (
        *("its tables are of an earlier version", "its tables are of an older version"),
        *("written by a newer Smart Sync", "its tables are not those of this version", "is too old; PostgreSQL"),
        *("can corrupt a WAL file",),
    ),
    "database-rights": (
        *("read-only", "permission denied", "a right is missing", "SQLite has to make"),
        *("check the folder's owner", "check that the folder exists and may be written to", "cannot be created:"),
    ),
    "database-server": (
        *("its server cannot be reached", "its server does not answer", "refuses the user or the password"),
        *("its server has no such database", "has no connection left", "is shutting down or starting"),
        *("the connection was lost", "its search_path leads to no schema", "[database] url needs psycopg"),
        *("the transaction had failed",),
    ),
    "no-projects": (
        *("there is no active project yet", "the table projects is empty", "its table projects is empty"),
        *("no project could be created", "no project is active"),
        *("is_active is neither",),
    ),
    "database-missing": (
        *("no pass has been here yet", "there is no database"),
        *("not a SQLite database", "not a database that can be read", ": not a file; "),
        *("there is no such file; name the", "will be created at the first start"),
        *("expected the path of the SQLite file", "name an empty database"),
    ),
    "two-masters": (
        *("two programs write snapshots", "another program has written snapshots lately"),
        *("Smart Sync's row of the day", "refuses a row of Smart Sync next to the web app's"),
        *("have several snapshots; the last counts", "a program has written what is no count"),
    ),
    "database-clock": (
        *("dated ahead", "the web app seems to write local time", "snapshots bear a zone"),
        *("whose snapshot_time is no text in ISO 8601",),
    ),
    "database-columns": (
        *("is this the web app's database?", "correct that row in the file", "has no UNIQUE"),
        "has no unique account_id",
        *("that Smart Sync has not made", "runs for each row that a pass writes", "journal mode"),
        *("the database refuses ", "the database refused every account"),
        *("holds numbers and has no type",),
        *("is named smart_sync", "what arrived is not what was sent"),
    ),
    "snapshot-zeros": ("snapshots hold nothing but 0", "more such zeros", "snapshots repair"),
    # Where the worksheets are.
    "google-api-off": ("is not enabled for the service account", "enable the YouTube Data API"),
    "google-key": (
        *("there are no credentials for Google", "the Google credentials", "is not the key of a service account"),
        *("is not a JSON key of a service account", "is neither JSON, nor base64", "the private key of"),
        *("Google refuses the credentials", "Google does not accept the token", "an OAuth client or an API key"),
    ),
    "google-quota": ("Google's read quota is used up", "Google's quota is used up"),
    "sheet-not-shared": (" may not read ", "there is no spreadsheet "),
    "not-a-spreadsheet": ("is not a Google spreadsheet", "spreadsheets are called", "not the address of a Google"),
    "no-spreadsheet": ("no spreadsheet is configured for", "has no name, so no worksheet"),
    "no-worker": ("no worker ", "its worker (", "the broker of the workers", "[sync] workers", 'workers = "celery"'),
    "google-away": (
        *("Google cannot be reached", "Google did not answer in time", "Google did not give", "Google answers"),
        *("Google refuses to read", "Google's answer for", "Google cannot read worksheet", "reading was stopped"),
        *("could not be made:", "was not asked for"),
    ),
    "parsed-values": (
        *("the inbox holds", "have a parsed_at more than", "the query gives", "the query failed"),
        *("a parsed_at that is no time", "has brought no parsed value since",),
        *("parsed.query:", "there is no file", "is not a text file in UTF-8", "has a time that no calendar has"),
        *("check [parsers] path", "has no values: ", "that cannot be used: "),
    ),
    "csv-file": (
        *(" is not UTF-8 in line", "is not valid CSV", "the directory of worksheets", "cannot be a file"),
        *("check that it is a file, not a link or a folder", "split the worksheet", " cannot be read: "),
        *(" fields where the header has ", "the file ends after "),
    ),
    "stale": (": stale, ", "is stale:", "are stale:"),
    "sheet-missing": ("is not in the spreadsheet", "worksheet \"", "is not there"),
    "sheet-unclaimed": ("belongs to no active project", "have one name, and a worksheet counts for one"),
    # What a worksheet says.
    "rows-gone": (
        *("gone at once", "the row is gone", "its row is gone for good", "may be it; ", "and the row of"),
        *("no row has the link of", "no row has their link", "which came from another project"),
    ),
    "column-emptied": ("has lost its values at once", "with its whole column"),
    "sheet-empty": (" is empty",),
    "column-missing": (
        *("has no column for", "no column for", "is gone; its last known values are used"),
        *("those cells below are not read", "this header has no column", "the header is written with"),
        *("another column has this name already", "this makes another number of", "a unit above the header"),
    ),
    "same-account": ("are the same account", "are one and the same on the platform"),
    "no-account": (
        *("no account has this link", "no account is created for this row", "it may be the row of"),
        *("looks like a copy",),
    ),
    "link-unreadable": (
        *("the cell holds several links", "the link shows no profile", "the link is none of a platform"),
        *("a name without its platform", "a text and no link", "values without a link"),
        *("link: an error of the spreadsheet", "link: not computed yet", "link cells show no profile"),
        "more than one line, or signs that no link has",
    ),
    "number-ambiguous": ("can be read in more than one way", "an arrow before a number can mean a change"),
    "suspect-value": (
        *("jumped from", "this is the number of its", "'s number", "looks like", "unlike what the parser says"),
        *("a digit is missing", "a digit too many", "two digits are swapped", "zeros are missing"),
        *("a digit is wrong", "it has fallen", "far above how it has grown"),
    ),
    "number-unreadable": (
        *("not a number", "not a whole number", "not a count", "negative", "too large"),
        *("true or false, not a count", "two units, which would multiply", "a number cannot begin so"),
        *("an error of the spreadsheet", "not computed yet", "a percentage", ", in the column for"),
        *("a mark that pins, and no number", "more problems"),
    ),
    "value-carried": ("neither the worksheet nor a parser has a value any more",),
    "pinned": (" pinned to ",),
    # Parsed values.
    "campaign-unclear": (
        *("counts the lifetime", "campaign cannot be counted", "its campaign is not counted", "which videos"),
    ),
    "token-ended": (
        *("refuses the token", "is dead", "grant a new one", "could not be renewed", "the tokens of [parsers."),
        *("parse --tokens", "not a file of tokens"),
    ),
    "parser-quota": (
        *("quota of the day is used up", "the budget of", "the rate of", "too many calls", "asks again at"),
        *("wants to be paid",),
    ),
    "parser-key": (
        *("refuses the credentials", "refuses the key", "refuses the app", "refuses: "),
        *("in a row; if that holds", "] headers, query or key"),
    ),
    "parser-terms": ("accepted = true",),
    "account-gone": (
        *("the platform does not have it", "does not show it", "has no such", "the answer has no row for it"),
    ),
    "parser-failed": (
        *("parser ", "parsers are not tried", "the API answers", "Meta answers", "TikTok answers"),
        *("no answer within", "cannot be reached:", "the answer", "finds no", "the list", "what it finds is"),
        *("is no count:", "redirects", "of the next page", "not ready within", "pages; raise max_pages"),
        *("in a row; nothing to do", "account of the batch", "the channel's answer", "does not say whose it is"),
    ),
}  # fmt: skip


def code_of(message: str) -> Code | Literal[""]:
    """The code of the trouble that a message is about; "" where there is no entry for it."""
    return next((code for code, words in TROUBLES.items() if any(word in message for word in words)), "")


def with_code(message: str, code: str = "") -> str:
    """A message for a screen, with its ``code`` in brackets behind it; by its words where it brings none."""
    code = code or code_of(message)
    return f"{message} [{code}]" if code else message


_CODES: Final = frozenset(TROUBLES)
#: A problem as versions before 1.0 have put it on record: the place, the reason, and what the cell says.
_SENTENCE = re.compile(
    r"(?P<worksheet>.*?)(?:!(?P<column>[A-Z]{0,3})(?P<row>[0-9]{1,9}))?: (?P<reason>.*?)(?: \((?P<value>.*)\))?",
    re.DOTALL,
)
_MORE = re.compile(r"([\d,]{1,20}) more (?:problems|link cells show no profile)")  # as before 1.0


def problem_on_record(told: object) -> Problem:
    """A problem as a pass has put it on record: an object of this version, one without a code, or a sentence."""
    one: Mapping[str, Any] = told if isinstance(told, Mapping) else _parse_sentence(str(told))
    reason, code, count = str(one.get("reason") or ""), one.get("code"), one.get("count")
    more = _MORE.fullmatch(reason)
    return Problem(
        reason,
        str(one.get("worksheet") or ""),
        one.get("row"),
        one.get("column"),
        str(one.get("value") or ""),
        code if code in _CODES else code_of(reason),
        count if type(count) is int else int(more[1].replace(",", "")) if more else 1,
    )


def _parse_sentence(told: str) -> dict[str, object]:
    found = _SENTENCE.fullmatch(told)
    if found is None:
        return {"reason": told}
    row = found["row"]
    return found.groupdict() | {"row": int(row) if row else None, "column": found["column"] or None}
