"""The events of the daemon itself: its start and end, configuration, control socket and libraries."""

from smart_sync.events.event import Event

EVENTS = (
    Event(
        "daemon.started",
        "info",
        "the daemon serves: after the start, and after each reload",
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
    Event("config.reloaded", "info", "the configuration was read again, and the daemon goes on with it", {}),
    Event(
        "config.rejected",
        "error",
        "a reload found mistakes; the daemon goes on with the old configuration",
        {"problems": "list: every mistake, with its key"},
        "fix them and reload again",
    ),
    Event(
        "sqlite.at_risk",
        "warning",
        "this SQLite can corrupt a WAL file that two processes write (before 3.51.3)",
        {"sqlite_version": "str: of the library in use"},
        "install the extra for the daemon alone: pip install 'smart-sync-daemon[sqlite]'; update the web app's SQLite",
    ),
    Event(
        "database.locked",
        "warning",
        "another process has held the database locked for 5 s; the pass waits, for 120 s at most",
        {"path": "str: the database", "seconds": "float: how long it has been waited for"},
        "find the process with fuser, and let it commit",
    ),
    Event(
        "database.created",
        "warning",
        "there was no database at the path, so one was made",
        {"path": "str: the database", "reason": "str: what to look at"},
        "if the web app has a database, correct [database] path and remove the new file",
    ),
    Event(
        "database.upgraded",
        "info",
        "its tables were of an earlier version and are of this one now; there is no way back but a backup",
        {
            "path": "str: the database",
            "before": "int: the version of its schema until now",
            "now": "int: the version from now on",
            "backup": "str?: a copy of the file as it was before; of a server there is none, pg_dump makes one",
        },
        "to go back: stop, restore the backup, install the version before",
    ),
    Event(
        "projects.missing",
        "error",
        "the table projects is empty, and nothing fills it: there is nothing to sync; logged at each start",
        {"reason": "str: what happened and what to do"},
        "do what the reason says",
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
        "library.logged",
        "warning",
        "a library we use logged a warning or an error of its own",
        {"library": "str: its logger's name", "message": "str: what it said"},
        "read the message; report it if it repeats",
    ),
)
