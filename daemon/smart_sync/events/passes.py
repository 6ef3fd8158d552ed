"""The events of a pass: of its projects, worksheets, accounts and values."""

from collections.abc import Mapping

from smart_sync.core.counts import Counts, PassCounts, Where, meanings
from smart_sync.events.event import Event


def _counted(record: type[Counts | PassCounts], where: Where) -> dict[str, str]:
    return {name: f"int: {meaning}" for name, meaning in meanings(record, where).items()}


#: What the line of a project carries; counts are accounts unless they say otherwise.
_PROJECT: Mapping[str, str] = {
    "project_id": "str: projects.id",
    "project": "str: its name",
    "outcome": "str: synced, unchanged, degraded, failed",
    **_counted(Counts, Where.LINE),
    "merged": "int: the same as updated",
    "seconds": "float: all together",
    "read_seconds": "float?: waiting for the worksheet and the parsers",
    "decide_seconds": "float?: merging",
    "write_seconds": "float?: writing",
}
#: After a reload ``run_on_start`` counts as after a start.
_TRIGGER = "str: startup (of the daemon, or again after a reload), timer, socket, cli"
_OF_LINKS: Mapping[str, str] = {
    "project_id": "str: projects.id",
    "project": "str: its name",
    "link": "str?: the account's profile_link",
    "more": "int?: in its place: how many more than are logged one by one (200 in a pass)",
}
_FAILURE: Mapping[str, str] = {"reason": "str: what happened", "remedy": "str?: who must do what"}

EVENTS = (
    Event(
        "request.retried",
        "info",
        "a request to Google failed temporarily and is retried after a delay",
        {
            "spreadsheet": "str: which one, as the configuration names it",
            "reason": "str: what went wrong",
            "seconds": "float: the delay before the retry, at least",
            "tries": "int: the number of the coming try",
            "most": "int: how many tries there are",
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
            **_counted(PassCounts, Where.TOTAL_LINE),
            "stale": "int: all projects that are stale now, whichever took part",
            **_counted(Counts, Where.TOTAL_LINE),
            "calls": "int: calls to Google, every try counted",
            "retries": "int: those of them that repeated a failed one",
            "quota_wait_seconds": "float: waited for Google's quota",
            "bytes": "int: received from Google",
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
        "fix what the reason names; the next pass makes up for it",
    ),
    Event("project.synced", "info", "a project's numbers are up to date; one line per pass", _PROJECT),
    Event(
        "project.degraded",
        "warning",
        "a worksheet could not be read, its last known values were used; one line per pass",
        {**_PROJECT, **_FAILURE},
        "do what the remedy says; parsed values are taken all the same",
    ),
    Event(
        "project.failed",
        "error",
        "a project could not be synced; the database is as it was",
        {**_PROJECT, **_FAILURE},
        "do what the reason says; the next pass tries again",
    ),
    Event(
        "projects.troubled",
        "warning",
        "several projects have one trouble (of a spreadsheet, of the database); logged once for all of them",
        {
            "projects": "list: their names",
            "left_out": "int: more projects than are named",
            "reason": "str: what happened, and who must do what",
        },
        "do what the reason says",
    ),
    Event(
        "project.stale",
        "error",
        "worksheets have not been read for longer than [sheets] stale_after; one line for all projects that a pass"
        " made stale, not repeated",
        {
            "projects": "list: their names, each with its last good read",
            "project_ids": "list: projects.id of each, in the same order",
            "left_out": "int: more projects than are named",
            "reason": "str: why the first could not be read, and who must do what",
            "other_reasons": "list?: those of the others, if they differ",
        },
        "do what the reasons say; project.recovered reports the end",
    ),
    Event(
        "project.recovered",
        "info",
        "projects that were stale have been read again; one line for all of a pass",
        {
            "projects": "list: their names",
            "project_ids": "list: projects.id of each, in the same order",
            "left_out": "int: more projects than are named",
        },
    ),
    Event(
        "history.prune_failed",
        "warning",
        "the history of old passes could not be deleted after a pass; the pass itself is not affected",
        {"reason": "str: what the database said and what to do"},
        "if it repeats, do what the reason says",
    ),
    Event(
        "clock.doubted",
        "warning",
        "by the passes on record the clock of this machine may have jumped: nothing is deleted as too old",
        {"reason": "str: between which passes, and until when nothing is deleted"},
        "set the clock right if it is wrong; else nothing",
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
        "the database refused to write an account; the others were written",
        {
            "project_id": "str: projects.id",
            "account_id": "str?: project_social_accounts.id; missing: of several",
            "reason": "str: what the database said",
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
        "account.left",
        "warning",
        "an account's row is gone for good and no parser has a value: no further snapshots, in no total",
        _OF_LINKS,
        "nothing if it is meant; a row with its link brings it back",
    ),
    Event(
        "account.returned",
        "info",
        "an account that had left has a row or a parsed value again",
        _OF_LINKS,
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
        "the database refused an account that a worksheet's row asks for; the others are created and synced",
        {
            "project_id": "str: projects.id",
            "project": "str: its name",
            "link": "str?: of the row; missing: of several",
            "reason": "str: what the database said",
        },
        "look at the constraints and triggers that the web app put on its tables",
    ),
    Event(
        "projects.refused",
        "warning",
        "the database refused a project that a new worksheet asks for; the others are created and synced",
        {"project": "str?: its name; missing: of several", "reason": "str: what the database said"},
        "look at the constraints and triggers that the web app put on its tables",
    ),
    Event(
        "worksheet.problem_found",
        "warning",
        "something in a worksheet or in the inbox was found for the first time",
        {
            "project_id": "str: projects.id",
            "worksheet": "str: its title; for parsed values parsed_metrics (the inbox), parsed_values or parsed.query",
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
        "a typed number is unlike its own history, or stood in another cell; or a merged value has jumped",
        {
            "project_id": "str: projects.id",
            "account_id": "str: project_social_accounts.id",
            "link": "str: its profile_link",
            "metric": "str: which one",
            "before": "int?: what it was; of a typed number, what its cell said before; absent if there was no value",
            "after": "int: what it is now",
            "place": "str?: the cell, if it was typed",
            "cause": "str?: what probably happened, if it was typed",
            "held": "bool?: true: the value before stands in until then ([merge] hold_suspects); else it was written",
        },
        "correct the value, or: smart-sync confirm LINK --metric METRIC; what has stood for a day is believed",
    ),
    Event(
        "values.suspected",
        "warning",
        "more values of a project are suspect than are logged one by one (200 in a pass, of all projects together)",
        {
            "project_id": "str: projects.id",
            "project": "str: its name",
            "more": "int: how many more",
            "remedy": "str: the command that lists them",
        },
        "do what the remedy says",
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
        "the list of worksheets could not be read, so no new project could be found",
        _FAILURE,
        "do what the remedy says",
    ),
)
