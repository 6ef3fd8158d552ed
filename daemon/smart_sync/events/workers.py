"""The events of passes that give their spreadsheets to workers (``[sync] workers``)."""

from smart_sync.events.event import Event

_SPREADSHEET = {
    "spreadsheet": "str: its key, or what the configuration calls it",
    "projects": "str?: the names of its projects",
}

EVENTS = (
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
