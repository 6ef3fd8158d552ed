"""Shows the progress of a requested pass while it runs."""

import asyncio
import sys
from contextlib import aclosing

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from smart_sync.cli.output import terminal
from smart_sync.control.client import Client
from smart_sync.core.answers import SyncAnswer
from smart_sync.core.wording import wait
from smart_sync.errors import SmartSyncError
from smart_sync.logs import printable

#: So wide that a wait can be told next to it.
_BAR_WIDTH = 10


async def sync_with_progress(client: Client, project: str | None, *, dry_run: bool = False) -> SyncAnswer:
    """Ask for a pass and wait for its answer, with a progress bar where standard error is a terminal."""
    project_id = None if project is None else await _resolve(client, project)
    if not sys.stderr.isatty():
        return await client.sync(project_id, dry_run=dry_run)
    bar = BarColumn(bar_width=_BAR_WIDTH)
    columns = (TextColumn("{task.description}", markup=False), bar, MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal.console(stderr=True), transient=True) as progress:
        following = asyncio.create_task(_follow(client, progress), name="cli:events")
        try:
            return await client.sync(project_id, dry_run=dry_run)
        finally:
            following.cancel()
            await asyncio.wait({following})


async def _resolve(client: Client, project: str) -> str:
    """The id of the requested project: ids before names; an unknown one is left to the daemon to refuse."""
    projects = (await client.status()).get("projects", [])
    if any(entry["project_id"] == project for entry in projects):
        return project
    return next((str(entry["project_id"]) for entry in projects if entry["project_name"] == project), project)


async def _follow(client: Client, progress: Progress) -> None:
    """Advance the bar with each event; without events there is no bar."""
    task = progress.add_task("waiting", total=None)
    try:
        async with aclosing(client.events()) as events:
            async for event in events:
                if event["event"] == "sync.started":
                    progress.reset(task, description="syncing", total=event["projects"])
                elif event["event"] == "request.retried":
                    progress.update(task, description=printable(wait(event)))
                elif event["event"].startswith("project.") and "outcome" in event:
                    progress.update(task, description=printable(event["project"], 30), advance=1)
    except SmartSyncError:
        progress.update(task, description="syncing")
