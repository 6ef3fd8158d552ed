"""Spreadsheets that a pass has given to workers: whether to wait, give one to another worker, or give it up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: Workers that may begin with a spreadsheet before it is given up: one that kills its workers must not kill all.
MAX_TRIES = 3
START = "start one: celery -A smart_sync.integrations.celery worker"
#: What a worker says that would decide otherwise than the pass: nothing is wrong with the spreadsheet.
OTHER_VERSION, OTHER_RULES = "its Smart Sync is another version", "its configuration decides otherwise"
REFUSALS = (OTHER_VERSION, OTHER_RULES)
VANISHED = ("no worker can take it: the database has lost the task", "")


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A spreadsheet given to the workers."""

    spreadsheet: str
    #: How many workers have begun it, and the last of them.
    tries: int = 0
    worker: str = ""
    #: Seconds since its worker has given a sign of life; None: nobody is at work on it.
    silent: float | None = None
    finished: bool = False
    #: Why its worker could not do it.
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do now."""

    #: Those that are done.
    done: tuple[str, ...] = ()
    #: Spreadsheet → why it is given to another worker.
    again: Mapping[str, str] = field(default_factory=dict)
    #: Spreadsheet → why the workers refuse it; the process that runs the pass does it.
    refused: Mapping[str, str] = field(default_factory=dict)
    #: Spreadsheet → why no worker has brought it: what happened, and what to do.
    given_up: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def log_hint(worker: str) -> str:
    """Where to read what happened to the worker."""
    return f"see the log of the worker {worker}"


def next_steps(tasks: Iterable[OpenTask], quiet: float, limit: float, *, sent: Mapping[str, int]) -> Steps:
    """Decide what to do about ``tasks``.

    ``quiet``: seconds since any worker has given a sign of life; ``limit``: of silence, in seconds; ``sent``: how often
    each that is waited for was given to the workers.
    """
    everything = list(tasks)
    anybody = any(turn.tries for turn in everything)
    done, again, refused = [], {}, {}
    # Of a database that was restored, say: waited for in vain.
    given_up = dict.fromkeys(sent.keys() - {turn.spreadsheet for turn in everything}, VANISHED)
    for turn in everything:
        if turn.finished and not turn.trouble:
            done.append(turn.spreadsheet)
        elif turn.finished:
            if turn.tries < MAX_TRIES:
                again[turn.spreadsheet] = turn.trouble
            elif turn.trouble.startswith(REFUSALS):
                refused[turn.spreadsheet] = turn.trouble
            else:
                given_up[turn.spreadsheet] = (f"no worker could read it: {turn.trouble}", log_hint(turn.worker))
        elif turn.silent is not None:
            if turn.silent > limit:
                reason = f"its worker ({turn.worker}) has given no sign of life for {limit:g} s"
                if turn.tries < MAX_TRIES:
                    again[turn.spreadsheet] = reason
                else:
                    given_up[turn.spreadsheet] = (reason, log_hint(turn.worker))
        elif quiet > limit:
            # A task may have been lost with the broker, or with a worker that did not come as far as the database.
            if anybody and max(turn.tries, sent.get(turn.spreadsheet, 0)) < MAX_TRIES:
                again[turn.spreadsheet] = f"no worker has taken it within {limit:g} s"
            else:
                given_up[turn.spreadsheet] = (f"no worker has taken it within {limit:g} s", START)
    return Steps(tuple(done), again, refused, given_up)
