"""The catalogue of log events: a contract with whoever monitors the daemon.

Every line the program logs is one of these, with these fields; README's table is made from here.
Names are ``noun.past_verb``.  Durations are seconds, sizes bytes, times UTC in ISO 8601.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of log line: when it appears, what its fields mean, what to do about it."""

    name: str
    level: Level
    when: str
    #: Field → "type: meaning"; a ``?`` after the type marks a field that may be absent.
    fields: Mapping[str, str]
    action: str = "nothing"


#: In every line, besides the event's own fields.
COMMON_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "level": "str: DEBUG, INFO, WARNING, ERROR",
        "logger": "str: always SmartSync",
        "event": "str: the event's name",
        "timestamp": "str: UTC, ISO 8601 with microseconds",
        "run_id": "str?: the pass it belongs to, as in sync_runs.id",
        "exception": "list?: the traceback, without local variables; only with our own bugs",
    }
)

#: What the line of a project carries; counts are accounts unless they say otherwise.
_PROJECT: Mapping[str, str] = {
    "project_id": "str: projects.id",
    "project": "str: its name",
    "outcome": "str: synced, unchanged, degraded, failed",
    "accounts": "int: active accounts found",
    "sheet": "int: read from the sheet",
    "parsed": "int: with parsed values",
    "merged": "int: merged",
    "updated": "int: whose merged values are in SQLite",
    "changed": "int: whose merged values changed",
    "snapshots": "int: snapshots created",
    "problems": "int: problems in the worksheet and the inbox",
    "suspects": "int: values that jumped, until they are confirmed, change again or have stood for a day",
    "conflicts": "int: values that both sides had changed (strategy latest)",
    "unmatched_rows": "int: worksheet rows that match no account",
    "unmatched_accounts": "int: accounts that no row matches",
    "seconds": "float: all together",
    "read_seconds": "float?: waiting for the worksheet and the parsers",
    "decide_seconds": "float?: merging",
    "write_seconds": "float?: writing",
}
#: A reload begins another lap of the daemon, with ``run_on_start`` as at the first.
_TRIGGER = "str: startup (of the daemon, or again after a reload), timer, socket, cli"
_FAILURE: Mapping[str, str] = {"reason": "str: what happened", "remedy": "str?: who must do what"}

_PARSER_COUNTS = {
    "parser": "str: the source its values carry, by default the name of its table in the configuration",
    "fetched": "int: accounts with new values",
    "missing": "int: accounts that the source does not have or show",
    "failed": "int: accounts that could not be fetched this time; the next pass asks again",
    "calls": "int?: requests made",
    "quota_left": "str?: what the platform says is left, in its own unit",
    "seconds": "float: how long it took",
}

_DELIVERY: Mapping[str, str] = {
    "webhook": "str: its host",
    "message_id": "str: the same in every attempt",
    "type": "str: the message's type, e.g. project.failed",
    "attempt": "int: its number, from 1",
    "seconds": "float: how long the attempt took",
}

_EVENTS = (
    Event(
        "request.retried",
        "info",
        "a request to Google failed in a way that may pass, and is made again",
        {
            "spreadsheet": "str: which one, as the configuration names it",
            "reason": "str: the kind of failure",
            "tries": "int: the number of this try",
        },
        "nothing, unless it happens in every pass: then look at the network and the quota",
    ),
    Event(
        "sync.started",
        "info",
        "a pass begins",
        {
            "trigger": _TRIGGER,
            "requested_by": "str?: who asked: uid and pid of the socket's peer",
            "projects": "int: projects in the pass",
            "dry_run": "bool: nothing will be written",
        },
    ),
    Event(
        "sync.finished",
        "info",
        "a pass has ended; one line per pass",
        {
            "trigger": _TRIGGER,
            "projects": "int: projects in the pass",
            "succeeded": "int: projects, the degraded ones included",
            "failed": "int: projects",
            "degraded": "int: projects",
            "unchanged": "int: projects",
            "accounts": "int: active accounts found",
            "updated": "int: accounts whose merged values are in SQLite",
            "changed": "int: accounts whose merged values changed",
            "snapshots": "int: snapshots created",
            "problems": "int: problems in worksheets and the inbox",
            "calls": "int: calls to Google, every try counted",
            "retries": "int: those of them that repeated a failed one",
            "quota_wait_seconds": "float: waited for Google's quota",
            "bytes": "int: of Google's answers, or of the CSV files",
            "seconds": "float: from start to end",
            "dry_run": "bool: nothing was written",
        },
        "alert if none came for two intervals",
    ),
    Event(
        "sync.failed",
        "error",
        "a pass could not be run at all",
        {"trigger": _TRIGGER, "reason": "str: what happened, and what to do"},
        "mend what the reason names; the next pass makes up for it",
    ),
    Event("project.synced", "info", "a project's numbers are up to date; one line per pass", _PROJECT),
    Event(
        "project.degraded",
        "warning",
        "a worksheet could not be read, its last known values stood in; one line per pass",
        {**_PROJECT, **_FAILURE},
        "do what the remedy says; parsed values are taken all the same",
    ),
    Event(
        "project.failed",
        "error",
        "a project could not be synced; SQLite is as it was",
        {**_PROJECT, **_FAILURE},
        "do what the reason says; the next pass tries again",
    ),
    Event(
        "project.crashed",
        "error",
        "a bug of ours in merging a project; the others go on",
        {"project_id": "str: projects.id", "project": "str: its name"},
        "report it with the traceback",
    ),
    Event(
        "account.failed",
        "error",
        "SQLite refused to write an account; the others were written",
        {
            "project_id": "str: projects.id",
            "account_id": "str: project_social_accounts.id",
            "reason": "str: what SQLite said",
        },
        "look at the constraints and triggers that the web app put on its tables",
    ),
    Event(
        "accounts.created",
        "info",
        "a worksheet had rows without an account ([sync] create_missing)",
        {"project_id": "str: projects.id", "project": "str: its name", "accounts": "int: accounts created"},
    ),
    Event(
        "projects.created",
        "info",
        "the spreadsheet had worksheets without a project ([sync] create_missing)",
        {"projects": "list: their names"},
    ),
    Event(
        "accounts.refused",
        "warning",
        "SQLite refused the accounts that a worksheet's rows ask for; the others are synced",
        {"project_id": "str: projects.id", "project": "str: its name", "reason": "str: what SQLite said"},
        "look at the constraints and triggers that the web app put on its tables",
    ),
    Event(
        "projects.refused",
        "warning",
        "SQLite refused the projects that new worksheets ask for; the others are synced",
        {"reason": "str: what SQLite said"},
        "look at the constraints and triggers that the web app put on its tables",
    ),
    Event(
        "worksheet.problem_found",
        "warning",
        "something in a worksheet or in the inbox was found for the first time",
        {
            "project_id": "str: projects.id",
            "worksheet": "str: its title; parsed_metrics for the inbox",
            "row": "int?: from 1, as the sheet shows it",
            "column": "str?: its letters",
            "reason": "str: what is wrong, and what counts instead",
            "value": "str?: what the cell says",
        },
        "a manager corrects the cell",
    ),
    Event(
        "value.suspected",
        "warning",
        "a merged value has jumped against its own history; it was written all the same",
        {
            "project_id": "str: projects.id",
            "account_id": "str: project_social_accounts.id",
            "link": "str: its profile_link",
            "metric": "str: which one",
            "before": "int: its value before the jump",
            "after": "int: its value now",
            "place": "str?: the cell, if the sheet won",
        },
        "correct the value, or: smart-sync confirm LINK; what has stood for a day is believed",
    ),
    Event(
        "value.conflicted",
        "warning",
        'both sides of a metric under strategy "latest" had changed; the sheet\'s value was taken',
        {
            "project_id": "str: projects.id",
            "account_id": "str: project_social_accounts.id",
            "link": "str: its profile_link",
            "metric": "str: which one",
            "sheet": "int: the sheet's value, which was taken",
            "parsed": "int: the parsed value, which was not",
            "place": "str?: the cell",
        },
    ),
    Event(
        "sheets.unavailable",
        "warning",
        "the list of worksheets could not be read, so no new project was looked for",
        _FAILURE,
        "do what the remedy says",
    ),
    Event(
        "daemon.started",
        "info",
        "a lap begins: at the start, and after each reload",
        {
            "version": "str: of Smart Sync",
            "database": "str: path",
            "socket": "str: path",
            "source": "str: csv or google",
            "sqlite_version": "str: of the library in use",
        },
    ),
    Event("daemon.stopped", "info", "the daemon has stopped as it was told", {}),
    Event(
        "daemon.crashed",
        "error",
        "a bug of ours ended the daemon; systemd restarts it",
        {"reason": "str: the exception"},
        "report it with the traceback",
    ),
    Event("config.reloaded", "info", "the configuration was read again, and a new lap begins", {}),
    Event(
        "config.rejected",
        "error",
        "a reload found mistakes; the daemon goes on with the old configuration",
        {"problems": "list: every mistake, with its key"},
        "mend them and reload again",
    ),
    Event(
        "sqlite.at_risk",
        "warning",
        "this SQLite can corrupt a WAL file that two processes write (before 3.51.3)",
        {"sqlite_version": "str: of the library in use"},
        "install the extra: pip install 'smart-sync-daemon[sqlite]', and update the web app's SQLite",
    ),
    Event(
        "control.listening",
        "info",
        "the control socket is open",
        {
            "socket": "str: its path",
            "mode": "str: its file mode, octal",
            "gid": "int: the group that may ask for changes",
        },
    ),
    Event(
        "control.requested",
        "info",
        "a client that may do so asked for something that changes the daemon's work",
        {
            "method": "str: of the request",
            "path": "str: of the request",
            "pid": "int: the client's process when it connected, as the kernel says",
            "uid": "int: the client's user, as the kernel says",
        },
    ),
    Event(
        "control.denied",
        "warning",
        "a user without the right asked for a change; logged once per user",
        {
            "method": "str: of the request",
            "path": "str: of the request",
            "pid": "int: the client's process when it connected, as the kernel says",
            "uid": "int: the client's user, as the kernel says",
        },
        "make the user a member of the socket's group if it should have the right",
    ),
    Event(
        "control.exhausted",
        "warning",
        "no client can be accepted for want of descriptors or memory; tried again after a second",
        {"reason": "str: what the kernel said"},
        "raise LimitNOFILE",
    ),
    Event(
        "parser.finished",
        "info",
        "a parser has been asked about all accounts that were due",
        _PARSER_COUNTS | {"reason": "str?: why the first of the failed accounts failed"},
    ),
    Event(
        "parser.failed",
        "warning",
        "a parser could not go on; what it had fetched is kept, the other parsed values grow older",
        _PARSER_COUNTS | {"reason": "str: what happened and what to do"},
        "do what the reason says; with an exception, report the bug to the parser's author",
    ),
    Event(
        "parser.account_gone",
        "info",
        "an account is private, deleted or misspelt; it is asked again ever more rarely, up to daily",
        {
            "parser": "str: as in parser.finished",
            "account_id": "str: project_social_accounts.id",
            "link": "str: its profile_link",
            "reason": "str: what the platform said",
        },
        "correct the link, or deactivate the account",
    ),
    Event(
        "parser.line_skipped",
        "warning",
        "a line of a file of parsed values cannot be read; logged once per version of the file",
        {"parser": "str: as in parser.finished", "path": "str: the file", "line": "int: from 1", "reason": "str: why"},
        "correct the line",
    ),
    Event(
        "parsers.skipped",
        "warning",
        "the accounts to ask the parsers about cannot be read; the next pass asks again",
        {"reason": "str: what the database said and what to do"},
        "do what the reason says",
    ),
    Event(
        "webhook.delivered",
        "info",
        "a webhook has accepted a message",
        _DELIVERY,
    ),
    Event(
        "webhook.failed",
        "warning",
        "a webhook has not accepted a message; it is tried again after 5 s, 5 min, 30 min, 2 h, 5 h and 10 h",
        {**_DELIVERY, "reason": "str: what happened", "retry_at": "str?: UTC, ISO 8601; absent: it is given up"},
        "if it repeats, do what the reason says",
    ),
    Event(
        "webhook.disabled",
        "error",
        "a webhook has answered 410 Gone: it gets nothing any more, what waited for it is dropped",
        {"webhook": "str: its host", "dropped": "int: messages that waited"},
        "take it out of the configuration; or, when its receiver is back: smart-sync webhooks test",
    ),
    Event(
        "webhook.overflowed",
        "warning",
        "too many messages wait for a webhook, the oldest are dropped",
        {"webhook": "str: its host", "dropped": "int: messages"},
        "see why it does not accept them: smart-sync webhooks",
    ),
    Event(
        "webhook.stalled",
        "warning",
        "the queue of the webhooks cannot be read or written; tried again after a minute",
        {"webhook": "str: its host", "reason": "str: what happened, and what to do"},
        "mend what the reason names; a message may arrive twice, with the same id",
    ),
    Event(
        "ping.failed",
        "warning",
        "the dead man's switch could not be told; the pass is none the worse",
        {"signal": "str: start, success, fail", "reason": "str: what happened"},
        "if it repeats, look at [ping] url and the network: the switch will alarm",
    ),
    Event(
        "library.logged",
        "warning",
        "a library we use logged a warning or an error of its own",
        {"library": "str: its logger's name", "message": "str: what it said"},
        "read the message; report it if it repeats",
    ),
)

EVENTS: Mapping[str, Event] = MappingProxyType({event.name: event for event in _EVENTS})


def as_markdown() -> str:
    """The catalogue as README shows it."""
    lines = [
        "Every line has " + ", ".join(f"`{name}` ({meaning})" for name, meaning in COMMON_FIELDS.items()) + ".",
        "",
    ]
    lines += ["| event | level | when | fields | what to do |", "|---|---|---|---|---|"]
    for event in sorted(EVENTS.values(), key=lambda event: event.name):
        fields = "; ".join(f"`{name}` {meaning}" for name, meaning in event.fields.items())
        lines.append(f"| `{event.name}` | {event.level} | {event.when} | {fields or 'none'} | {event.action} |")
    return "\n".join(lines)
