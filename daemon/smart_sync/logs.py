"""Structured logs: one event per line, as the catalogue (`events`) declares it.

JSON lines begin with ``level``, ``logger``, ``event``; console lines read ``LEVEL [SmartSync] event key=value`` behind
the local time, without what is empty or false, without the counts of `QUIET` that are 0, and above the level debug
without ids beside names.  Nothing that was handed to `protect` is ever written.

A process of our own calls `configure`.  In anybody else's, who did not, events go to the standard library's logger
``SmartSync`` and what becomes of them is theirs to say; neither logging nor structlog is set up there.
"""

import contextlib
import functools
import logging
import os
import re
import sys
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, TextIO, cast

import stamina
import structlog

from smart_sync.core.counts import Counts, PassCounts, Where, names
from smart_sync.core.redaction import KnownSecrets
from smart_sync.events import EVENTS

NAME = "SmartSync"
MAX_TEXT = 2000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

#: Counts that a console leaves out where they are 0: they say something only above it.  Any other 0 is shown.
QUIET = frozenset(
    {
        *(name for record in (Counts, PassCounts) for name in names(record, Where.QUIET)),
        *("left_out", "stale", "retries", "quota_wait_seconds", "bytes", "calls", "missing"),
    }
)
#: Ids → the fields beside which people need none.
_NAMED_BY = {
    "run_id": ("trigger", "project", "projects", "worksheet", "link", "parser", "reason"),
    "project_id": ("project", "worksheet", "link"),
    "project_ids": ("projects",),
    "account_id": ("link",),
    "message_id": ("webhook",),
}
_COLOURS = {"ERROR": "\x1b[1;31m", "WARNING": "\x1b[33m", "INFO": "\x1b[32m", "DEBUG": "\x1b[2m"}
_PLAIN = "\x1b[0m"
#: As syslog counts them; the journal takes ``<N>`` before a line for its priority.
_PRIORITIES = {"ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}

_BEGIN: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)

_protected = KnownSecrets()

#: Where events go once `configure` has been called.
_own: Any = None


def protect(secret: str, *, pieces: str | None = None) -> None:
    """Keep ``secret`` out of every field of the log, and long runs of ``pieces`` (default: of itself).

    Shorter than 6 characters is ignored.
    """
    _protected.add(secret, pieces=pieces)


def protect_passing(secret: str) -> None:
    """`protect` for a secret that will be replaced: only the latest ones are remembered."""
    _protected.add_passing(secret)


def redact(text: str) -> str:
    """``text`` without anything that is, or looks like, a secret."""
    return _protected.removed_from(text)


def redacted(value: Any) -> Any:
    """A JSON value with `redact` applied to all its texts and keys."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redacted(key): redacted(item) for key, item in value.items()}
    return [redacted(item) for item in value] if isinstance(value, list | tuple) else value


def printable(text: object, limit: int = MAX_TEXT) -> str:
    """``text`` on one line without control characters: it can neither forge a line nor control a terminal."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], str(text)[:limit])


def emit(event: str, *, exc_info: BaseException | None = None, **fields: Any) -> None:
    """Log ``event`` at the level its declaration in `events.EVENTS` gives.

    Fields that are None are left out.  Raises KeyError for an event that nobody declared.
    """
    present = {key: value for key, value in fields.items() if value is not None}
    if exc_info is not None:
        present["exc_info"] = exc_info
    getattr(_guest() if _own is None else _own, EVENTS[event].level)(event, **present)


def configure(form: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Log to ``stream`` (default: standard error) as ``json`` or ``console``: for a process of our own."""
    global _own
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    to_json = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    render: structlog.typing.Processor = _Console(stream, ids=level == "debug") if console else to_json
    _own = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", _Lossy(stream))),
        processors=[
            *_BEGIN,
            structlog.processors.format_exc_info if console else _exception_as_data(),
            _clean,
            _order_keys,
            _journal_renderer(render) if is_journal(stream) else render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    # Retries are counted in our own events.
    stamina.instrumentation.set_on_retry_hooks([])


def reset() -> None:
    """Undo `configure` and `adopt_libraries`."""
    global _own
    _own = None
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _FromLibraries)]:
        # Without a log of our own, what it hands on would come back to it.
        root.removeHandler(handler)


@functools.cache
def _guest() -> Any:
    """Log through the standard library, as the host program has configured it."""
    return structlog.wrap_logger(
        logging.getLogger(NAME),
        processors=[
            structlog.stdlib.filter_by_level,
            *_BEGIN,
            structlog.processors.format_exc_info,
            _clean,
            _order_keys,
            _render_for_guest,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        context_class=dict,
        cache_logger_on_first_use=False,
    )


class _Lossy:
    """A stream that drops lines it cannot write: a full disk or closed pipe costs the log, never a pass."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write ``text``, or drop it."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, or do nothing if that fails."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def adopt_libraries() -> None:
    """Turn libraries' log records into events of ours; in our own process only, not as a guest."""
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    # It tells of each odd header with a traceback; what comes of an answer is told by our own events.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # Where a statement is refused it tells that its pipeline was aborted; why, our own events tell.
    logging.getLogger("psycopg").setLevel(logging.ERROR)


def _exception_as_data() -> structlog.typing.Processor:
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
    return structlog.processors.ExceptionRenderer(transformer)


class _FromLibraries(logging.Handler):
    """A logging handler that turns libraries' records into events."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record`` as ``library.logged``."""
        exception = record.exc_info[1] if record.exc_info else None
        emit("library.logged", library=record.name, message=record.getMessage(), exc_info=exception)


def _clean(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Redact secrets, and escape foreign text so that it cannot forge a line or control a terminal."""
    return {key: _cleaned(value, keep_lines=key == "exception") for key, value in line.items()}


def _cleaned(value: Any, *, keep_lines: bool = False) -> Any:
    if isinstance(value, str):
        text = redact(value)
        if keep_lines:
            return "\n".join(printable(row, len(row)) for row in text.split("\n"))
        return printable(text)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _cleaned(str(value))


def _order_keys(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = {"level": line.pop("level").upper(), "logger": NAME, "event": line.pop("event")}
    last = {"timestamp": line.pop("timestamp")} | ({"exception": line.pop("exception")} if "exception" in line else {})
    return {**first, **line, **last}


def _journal_renderer(render: structlog.typing.Processor) -> structlog.typing.Processor:
    """Wrap ``render`` for the journal: one record with a priority, since the journal splits at line breaks."""

    def prefixed(logger: object, method: str, line: MutableMapping[str, Any]) -> str:
        priority = _PRIORITIES[line["level"]]
        return f"<{priority}>" + str(render(logger, method, line)).replace("\n", "\\n")

    return prefixed


def _render_for_guest(_logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
    """Render as on a console; the host's logging adds level and time."""
    del line["timestamp"], line["level"]
    exception = line.pop("exception", None)
    text = f"[{line.pop('logger')}] {line.pop('event')}{_fields(line)}"
    return f"{text}\n{exception}" if exception else text


class _Console:
    """Renders lines for people: ``2026-11-27 11:05:33 INFO [SmartSync] event key=value``, coloured on a terminal."""

    def __init__(self, stream: TextIO, *, ids: bool) -> None:
        self._ids = ids
        # The journal has its own time.
        self._timed = not is_journal(stream)
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> str:
        exception, at = line.pop("exception", None), datetime.fromisoformat(line.pop("timestamp"))
        level = line.pop("level")
        begin = f"{level} [{line.pop('logger')}] {line.pop('event')}"
        if self._coloured:
            # Around all of it, so that it can be searched for as it stands.
            begin = f"{_COLOURS.get(level, '')}{begin}{_PLAIN}"
        if not self._ids:
            line = {key: value for key, value in line.items() if not _is_known_by_name(key, line)}
        time = f"{at.astimezone():%Y-%m-%d %H:%M:%S} " if self._timed else ""
        text = f"{time}{begin}{_fields(line)}"
        return f"{text}\n{exception}" if exception else text


def _fields(line: MutableMapping[str, Any]) -> str:
    return "".join(f" {key}={_shown(value)}" for key, value in line.items() if _is_shown(key, value))


def _is_shown(key: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return bool(value) or (is_number and key not in QUIET)


def _is_known_by_name(key: str, line: MutableMapping[str, Any]) -> bool:
    """Whether ``key`` is an id whose name is in another field."""
    return key in _NAMED_BY and any(line.get(name) for name in _NAMED_BY[key])


def _shown(value: Any) -> str:
    text = str(value)
    return text if re.fullmatch(r"[^\s\"'=]+", text) else repr(text)


def is_journal(stream: TextIO) -> bool:
    """Whether ``stream`` goes to the journal, which reads a ``<priority>`` before each line.

    ``$JOURNAL_STREAM`` names device and inode, because a child may inherit the variable and not the stream.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # no file behind it, or a closed one
        return False
    return os.environ.get("JOURNAL_STREAM", "") == f"{status.st_dev}:{status.st_ino}"
