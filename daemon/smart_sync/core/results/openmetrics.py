"""The figures for monitoring in OpenMetrics format: ``GET /metrics``, and node_exporter's textfile collector."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from smart_sync.core.days import moment
from smart_sync.core.model import Outcome

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"'})
#: What would end a line, for one reader or another.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class MeasuredProject:
    """An active project; ``read_at`` is the stamp of its last good read, ``outcome`` that of its last pass, if any."""

    id: str
    name: str
    read_at: str | None
    stale: bool
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """The database's part of the metrics; stamps are those of the last finished pass."""

    projects: Sequence[MeasuredProject] = ()
    started_at: str | None = None
    finished_at: str | None = None
    #: Messages that wait in the outbox, for webhooks and targets alike.
    waiting: int = 0
    database_bytes: int = 0
    #: Accounts with a carried value.
    carried: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost of reading since the daemon started: calls to Google, and seconds waited for its quota."""

    calls: int = 0
    waited: float = 0.0


def exposition(measured: Measured | None, parsers: Mapping[str, bool], spent: Spent | None) -> str:
    """The text in OpenMetrics format, ending with ``# EOF``.

    ``measured`` is None where the daemon is down and no database can be read, ``spent`` where the daemon is down.
    ``parsers``: those of the configuration, and whether each is failing.
    """
    lines = [*_family("up", "gauge", "Whether the daemon answers.", [({}, int(spent is not None))])]
    if spent is not None:
        lines += _family("leader", "gauge", "Whether the daemon runs passes, or stands by.", [({}, 1)])
    if measured is not None:
        lines += _standing(measured, parsers)
    if spent is not None:
        lines += _family("google_calls", "counter", "Requests to Google since the start.", [({}, spent.calls)])
        waited: _Samples = [({}, round(spent.waited, 3))]
        lines += _family("google_quota_wait_seconds", "counter", "Seconds waited for Google's quota.", waited)
    return "".join(f"{line}\n" for line in (*lines, "# EOF"))


def standby_exposition(*, led: bool) -> str:
    """The text of a standby daemon, without the figures that the leader reports; ``led``: whether one leads."""
    lines = [*_family("up", "gauge", "Whether the daemon answers.", [({}, 1)])]
    lines += _family("leader", "gauge", "Whether the daemon runs passes, or stands by.", [({}, 0)])
    lines += _family("led", "gauge", "Of a daemon that stands by: whether another one leads.", [({}, int(led))])
    return "".join(f"{line}\n" for line in (*lines, "# EOF"))


_Samples = Iterable[tuple[Mapping[str, str], int | float]]


def _standing(measured: Measured, parsers: Mapping[str, bool]) -> Iterator[str]:
    named = _labels(measured.projects)
    read = [({"project": name}, _seconds(one.read_at)) for name, one in named if one.read_at is not None]
    yield from _family("project_read_timestamp_seconds", "gauge", "When the worksheet was last read.", read)
    stale = [({"project": name}, int(one.stale)) for name, one in named]
    yield from _family("project_stale", "gauge", "Whether the project is stale.", stale)
    outcomes = [
        ({"project": name, "outcome": outcome.value}, int(one.outcome == outcome))
        for name, one in named
        if one.outcome is not None
        for outcome in Outcome
    ]
    yield from _family("project_outcome", "gauge", "1 for the outcome of the project's last pass.", outcomes)
    if measured.started_at is not None and measured.finished_at is not None:
        ended = _seconds(measured.finished_at)
        yield from _family("last_pass_timestamp_seconds", "gauge", "When the last pass ended.", [({}, ended)])
        took = max(round(ended - _seconds(measured.started_at), 3), 0)
        yield from _family("pass_seconds", "gauge", "How long the last pass took.", [({}, took)])
    failing = [({"parser": name}, int(failing)) for name, failing in parsers.items()]
    yield from _family("parser_failing", "gauge", "Whether the parser brings no values.", failing)
    waiting: _Samples = [({}, measured.waiting)]
    yield from _family("webhooks_waiting", "gauge", "Messages that wait for webhooks and targets.", waiting)
    yield from _family("database_bytes", "gauge", "Bytes of the database.", [({}, measured.database_bytes)])
    yield from _family("accounts_carried", "gauge", "Accounts with a carried value.", [({}, measured.carried)])


def _family(name: str, kind: str, meaning: str, samples: _Samples) -> Iterator[str]:
    rows = list(samples)
    if not rows:
        return
    yield f"# HELP smart_sync_{name} {meaning}"
    yield f"# TYPE smart_sync_{name} {kind}"
    suffix = "_total" if kind == "counter" else ""
    for labels, value in rows:
        shown = {label: _CONTROL.sub(" ", text).translate(_ESCAPED) for label, text in labels.items()}
        inner = ",".join(f'{label}="{text}"' for label, text in shown.items())
        yield f"smart_sync_{name}{suffix}{{{inner}}} {value}" if inner else f"smart_sync_{name}{suffix} {value}"


def _labels(projects: Sequence[MeasuredProject]) -> list[tuple[str, MeasuredProject]]:
    """Each project with a unique label: its name, or name and id if another has the same name."""
    times = Counter(_CONTROL.sub(" ", one.name) for one in projects)
    labels: dict[str, MeasuredProject] = {}
    for one in projects:
        label = _CONTROL.sub(" ", one.name)
        while times[label] > 1 or label in labels:
            label += f" ({_CONTROL.sub(' ', one.id)})"
        labels[label] = one
    return list(labels.items())


def _seconds(stamp: str) -> float:
    """A stamp as Unix time; 0 if it is none."""
    try:
        return moment(stamp).timestamp()
    except ValueError:
        return 0.0
