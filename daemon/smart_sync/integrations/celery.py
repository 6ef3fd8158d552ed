"""The passes as Celery tasks, every 30 minutes: run ``app``, or `register` them in your own application.

Needs the extra ``celery``.  Each task asks the daemon if one is running, and runs the pass in the worker if none is.
With ``[sync] workers = "celery"`` the same workers do the parts of passes that are given to them (queue `QUEUE`).

    export CELERY_BROKER_URL=redis://localhost:6379/0 SMART_SYNC_CONFIG=/etc/smart-sync/config.toml
    celery -A smart_sync.integrations.celery worker --loglevel=info
    celery -A smart_sync.integrations.celery beat --loglevel=info
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, partial
from importlib import import_module
from typing import Any, cast

from celery import Celery
from celery.signals import worker_init
from kombu.entity import Queue

from smart_sync import config
from smart_sync.aio.tasks import outside_of_loops
from smart_sync.config import Settings
from smart_sync.config.settings import BROKER, BROKER_VARIABLE
from smart_sync.control.client import request_sync
from smart_sync.core.answers import PassAnswer, ProjectAnswer, SyncAnswer
from smart_sync.errors import Busy, DaemonNotRunning, SmartSyncError
from smart_sync.integrations import standalone
from smart_sync.logs import emit, redact
from smart_sync.sync.task_queue import QUEUE, TASK

ALL_PROJECTS = "smart_sync_all_projects"
SINGLE_PROJECT = "smart_sync_single_project"
#: The name of the entry in the schedule of beat.
ENTRY = "smart-sync-every-30-minutes"
#: Seconds between two passes of that entry.
EVERY = 30 * 60.0
#: Seconds for which a daemon may hold the database without answering: it starts, or ends.
_CHANGING = 30.0
_PAUSE = 0.5
#: The part of the time without a sign of life after which one that waits for the daemon does what it waits for.
_WAITS = 3


def smart_sync_all_projects() -> PassAnswer:
    """Run one pass over all active projects; returns what ``POST /api/admin/smart_sync`` answers.

    The configuration is the file that ``SMART_SYNC_CONFIG`` names, else the one that the commands would use.  What an
    operator can fix is ``{"success": False, "error": …}``, never an exception.
    """
    try:
        return cast("PassAnswer", _run(None))
    except SmartSyncError as error:
        return standalone.failed_pass(error)


def smart_sync_single_project(project_id: str) -> ProjectAnswer:
    """As `smart_sync_all_projects`, for one project."""
    try:
        return cast("ProjectAnswer", _run(str(project_id)))
    except SmartSyncError as error:
        return standalone.failed_project(error, project_id)


def smart_sync_spreadsheet(run_id: str, spreadsheet: str) -> str:
    """One spreadsheet of a pass that uses workers (``[sync] workers = "celery"``); returns its result in words.

    The configuration is read anew for each.
    """
    from smart_sync.sync import spreadsheet_task

    try:
        settings = config.load(config.find())
        return outside_of_loops(partial(spreadsheet_task.run, settings, run_id, spreadsheet))
    except SmartSyncError as error:
        reason = redact(str(error))
        emit("spreadsheet.refused", spreadsheet=spreadsheet, reason=reason)
        return reason


def register(app: Celery, *, every: float | None = EVERY) -> None:
    """Add the tasks to ``app``, and a pass over all projects every ``every`` seconds to its schedule (None: none).

    An entry of that name in the schedule of ``app`` is left as it is.  A tick that no worker has taken before the next
    one comes is dropped, so that passes do not pile up.
    """
    app.task(smart_sync_all_projects, name=ALL_PROJECTS, shared=False)
    app.task(smart_sync_single_project, name=SINGLE_PROJECT, shared=False)
    # Acknowledged when it is done: one whose worker is killed goes to the next, and its token keeps it from being two.
    late = {"acks_late": True, "reject_on_worker_lost": True, "ignore_result": True}
    app.task(smart_sync_spreadsheet, name=TASK, shared=False, **late)
    worker_init.connect(_prepare_worker, weak=False)
    if every is None:
        return
    entry = {"task": ALL_PROJECTS, "schedule": every, "options": {"expires": every}}

    def schedule(**_: Any) -> None:
        app.conf.beat_schedule.setdefault(ENTRY, entry)

    if app.configured:
        schedule()
    app.on_after_configure.connect(schedule, weak=False)
    # Once more, because a schedule that the application sets after this call replaces the whole table.
    app.on_after_finalize.connect(schedule, weak=False)


def _run(project_id: str | None) -> SyncAnswer:
    settings = config.load(config.find())
    # This worker cannot do parts of what it waits for: it may be the only one.
    here = settings.model_copy(update={"sync": settings.sync.model_copy(update={"workers": "none"})})
    ends = time.monotonic() + _CHANGING
    while True:
        try:
            return _asked(settings, project_id)
        except DaemonNotRunning:
            try:
                return standalone.run_pass(here, project_id)
            except Busy:
                if time.monotonic() >= ends:
                    raise
        time.sleep(_PAUSE)


def _asked(settings: Settings, project_id: str | None) -> SyncAnswer:
    """The daemon's answer; while this worker waits, it also works on the pass's spreadsheets if no other does."""
    if settings.sync.workers == "none":
        return request_sync(settings.control.socket, project_id)
    from smart_sync.sync import spreadsheet_task

    seconds = settings.sync.worker_timeout / _WAITS
    thread = ThreadPoolExecutor(1, "smart-sync-asks")
    try:
        answer = thread.submit(request_sync, settings.control.socket, project_id)
        while not wait([answer], seconds).done:
            left = partial(spreadsheet_task.find_unclaimed, settings, seconds)
            while not answer.done() and (part := outside_of_loops(left)):
                smart_sync_spreadsheet(*part)
        return answer.result()
    finally:
        thread.shutdown(wait=False)


@cache
def _application() -> Celery:
    """`register` in an application of its own, configured by the environment."""
    application = Celery("smart_sync", broker=_broker(), set_as_current=False)
    default = application.conf.task_default_queue
    application.conf.update(
        broker_connection_retry_on_startup=True,
        # A worker serves both, and has no more spreadsheets in hand than it works at.
        task_queues=[Queue(default), Queue(QUEUE)],  # type: ignore[no-untyped-call]
        worker_prefetch_multiplier=1,
    )
    register(application)
    return application


def _prepare_worker(**_: object) -> None:
    """Import what the worker's processes need, before they are forked."""
    try:
        wanted = config.load(config.find()).sync.workers == "celery"
    except SmartSyncError:
        return  # told by the tasks
    if wanted:
        import_module("smart_sync.sync.spreadsheet_task")
        import_module("smart_sync.sheets.spreadsheet")


def _broker() -> str:
    """The broker: ``CELERY_BROKER_URL``, else ``[sync] broker`` of the configuration, else `BROKER`.

    That a configuration cannot be read is logged; each task answers with it.
    """
    if broker := os.environ.get(BROKER_VARIABLE):
        return broker
    try:
        where = config.find()
    except SmartSyncError:
        return BROKER  # a program that has none, and gives tasks to others
    try:
        return config.load(where).sync.broker_url()
    except SmartSyncError as error:
        emit("worker.misconfigured", reason=redact(str(error)), broker=BROKER)
        return BROKER


def __getattr__(name: str) -> Celery:
    """``app``, made when it is asked for: a program that only registers the tasks keeps its own application."""
    if name == "app":
        return _application()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
