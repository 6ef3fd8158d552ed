"""The events outside the passes: parsers, webhooks, the dead man's switch, workers."""

from collections.abc import Mapping

from smart_sync.events.event import Event

_PARSER_COUNTS = {
    "parser": "str: the source its values carry, by default the name of its table in the configuration",
    "fetched": "int: accounts with new values",
    "missing": "int: accounts that the source does not have or show",
    "failed": "int: accounts that could not be fetched this time; they are asked again after a wait that doubles",
    "left": "int?: accounts that its rate or budget did not let it come to; a later pass goes on",
    "calls": "int?: requests made",
    "quota_left": "str?: what the platform says is left, in its own unit",
    "seconds": "float: how long it took",
}

_DELIVERY: Mapping[str, str] = {
    "webhook": "str: its host; of a target its number and scheme",
    "message_id": "str: the same in every attempt",
    "type": "str: the message's type, e.g. project.failed",
    "attempt": "int: its number, from 1",
    "seconds": "float: how long the attempt took",
}

_SPREADSHEET = {
    "spreadsheet": "str: its key, or what the configuration calls it",
    "projects": "str?: the names of its projects",
}

EVENTS = (
    Event(
        "parser.finished",
        "info",
        "a parser has been asked about all accounts that were due",
        _PARSER_COUNTS | {"reason": "str?: what was wrong with accounts, each reason once, with the link of the first"},
    ),
    Event(
        "parser.failed",
        "warning",
        "a parser could not go on; what it had fetched is kept, the other parsed values grow older",
        _PARSER_COUNTS | {"reason": "str: what happened and what to do"},
        "do what the reason says; with an exception, report the bug to the parser's author",
    ),
    Event(
        "parser.failing",
        "error",
        "a parser got nothing of at least five accounts, or has got nothing for longer than [sheets] stale_after;"
        " logged once, webhooks are sent parser.failed",
        {
            "parser": "str: as in parser.finished",
            "since": "str: its first bad pass after the last good one; UTC, ISO 8601",
            "projects": "str?: the names of the projects that it concerns",
            "reason": "str?: what happened and what to do",
        },
        "do what the reason says; parser.recovered reports the end",
    ),
    Event(
        "parser.recovered",
        "info",
        "a parser that was failing brings values again",
        {
            "parser": "str: as in parser.finished",
            "since": "str: since when it had failed; UTC, ISO 8601",
            "projects": "str?: the names of the projects that it concerned",
            "reason": "str?: what was wrong with the accounts that failed this time",
        },
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
        "parser.token_expires",
        "warning",
        "a token of a parser ends within 14 days, and is not renewed by itself any more; reported once for each end",
        {
            "parser": "str: as in parser.finished",
            "account": "str?: whose token it is, where each account has its own",
            "reason": "str: when it ends",
        },
        "grant a new token and put it into the parser's table; smart-sync parse --tokens shows all of them",
    ),
    Event(
        "secret.unreadable",
        "warning",
        "the file of a parser's secret has changed, and holds none now; the parser goes on with the one before",
        {"parser": "str: as in parser.finished", "path": "str: the file", "reason": "str: why"},
        "put the secret into the file, on one line",
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
        "a webhook or target has accepted a message",
        _DELIVERY,
    ),
    Event(
        "webhook.failed",
        "warning",
        "a webhook or target has not accepted a message; it is tried again after 5 s, 5 min, 30 min, 2 h, 5 h and 10 h",
        {**_DELIVERY, "reason": "str: what happened", "retry_at": "str?: UTC, ISO 8601; absent: it is given up"},
        "if it repeats, do what the reason says",
    ),
    Event(
        "webhook.disabled",
        "error",
        "a webhook has answered 410 Gone: it gets nothing any more, what waited for it is dropped",
        {"webhook": "str: its host; of a target its number and scheme", "dropped": "int: messages that waited"},
        "take it out of the configuration; or, when its receiver is back: smart-sync webhooks test",
    ),
    Event(
        "webhook.overflowed",
        "warning",
        "too many messages wait for a webhook or target, the oldest are dropped",
        {"webhook": "str: its host; of a target its number and scheme", "dropped": "int: messages"},
        "see why it does not accept them: smart-sync webhooks",
    ),
    Event(
        "webhook.stalled",
        "warning",
        "the queue of the webhooks cannot be read or written; tried again after a minute",
        {"webhook": "str: its host; of a target its number and scheme", "reason": "str: what happened, and what to do"},
        "fix what the reason names; a message may arrive twice, with the same id",
    ),
    Event(
        "ping.failed",
        "warning",
        "the dead man's switch could not be reached; the pass itself is not affected",
        {"signal": "str: start, success, fail", "reason": "str: what happened"},
        "if it repeats, look at [ping] url and the network: the switch will alarm",
    ),
    # Passes that give their spreadsheets to workers ([sync] workers).
    Event(
        "worker.misconfigured",
        "error",
        "the configuration cannot be read, so a program of Celery's takes its tasks from the broker of this machine",
        {"reason": "str: every mistake, with its key", "broker": "str: where it takes them from"},
        "correct it, and start this program again; or set CELERY_BROKER_URL",
    ),
    Event(
        "workers.unavailable",
        "warning",
        "no task can be sent to the workers, or they refuse some; the process that runs the pass reads and merges by"
        " itself, with its own service account",
        {"reason": "str: what happened and what to do"},
        "start the broker, or correct [sync] broker; reload the daemon after a change of the file",
    ),
    Event(
        "spreadsheet.reassigned",
        "warning",
        "a worker has not brought the projects of a spreadsheet; it is given to another one",
        _SPREADSHEET | {"reason": "str: which worker, and what of it is known"},
        "look at that worker's log",
    ),
    Event(
        "spreadsheet.done",
        "info",
        "a worker has brought the projects of a spreadsheet up to date (in the worker's log)",
        _SPREADSHEET
        | {
            "run_id": "str: of the pass",
            "calls": "int: calls to Google, every try counted",
            "quota_wait_seconds": "float: waited for the quota, summed over the calls",
            "seconds": "float: how long it took",
        },
    ),
    Event(
        "spreadsheet.superseded",
        "warning",
        "a worker came too late: another one has its spreadsheet, so nothing of what it still had to write was written",
        _SPREADSHEET,
        "none, unless it happens often: then the worker is too slow, or was halted",
    ),
    Event(
        "spreadsheet.refused",
        "error",
        "a worker cannot do its part (in the worker's log)",
        _SPREADSHEET | {"reason": "str: what happened and what to do"},
        "do what the reason says; with an exception, report the bug",
    ),
)
