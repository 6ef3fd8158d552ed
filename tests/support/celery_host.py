"""A host of the standalone functions as users have it: a Celery application with its own tasks and logging."""

import logging
import os
import sys
from typing import Any

import structlog
from celery import Celery

from smart_sync import sync_all_projects_standalone, sync_single_project_standalone
from smart_sync.core.answers import ProjectAnswer

app = Celery("host", broker=os.environ["HOST_BROKER"], backend=os.environ["HOST_BROKER"])
app.conf.update(broker_connection_retry_on_startup=True, task_track_started=True)


def _state() -> dict[str, Any]:
    """What belongs to the host, and must be the same after a call."""
    return {
        "handlers": [repr(type(handler)) for handler in logging.getLogger().handlers],
        "level": logging.getLogger().level,
        "structlog": structlog.is_configured(),
        "pysqlite3": "pysqlite3" in sys.modules,
    }


@app.task(name="sync_all")  # type: ignore[untyped-decorator, unused-ignore]
def sync_all(db: str, key: str, spreadsheet: str) -> dict[str, Any]:
    """One pass, and what it left of the host."""
    before = _state()
    answer = sync_all_projects_standalone(db, key, spreadsheet)
    return {"answer": answer, "before": before, "after": _state()}


@app.task(name="sync_one")  # type: ignore[untyped-decorator, unused-ignore]
def sync_one(db: str, key: str, spreadsheet: str, project: str) -> ProjectAnswer:
    """A pass over one project."""
    return sync_single_project_standalone(db, key, spreadsheet, project)
