"""A forced pass: its progress while it runs, and its result."""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from smart_sync.control.client import Client
from smart_sync.errors import SmartSyncError
from smart_sync.logs import printable

#: How an outcome is written.
STYLES = {"synced": "green", "unchanged": "dim", "degraded": "yellow", "failed": "red"}


async def sync_with_progress(client: Client, project: str | None, *, dry_run: bool = False) -> dict[str, Any]:
    """Ask for a pass and wait for its answer, with a progress bar where standard error is a terminal."""
    project_id = None if project is None else await _resolve(client, project)
    if not sys.stderr.isatty():
        return await client.sync(project_id, dry_run=dry_run)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        following = asyncio.create_task(_follow(client, progress), name="cli:events")
        try:
            return await client.sync(project_id, dry_run=dry_run)
        finally:
            following.cancel()
            await asyncio.wait({following})


async def _resolve(client: Client, project: str) -> str:
    """The id of the project that is meant: ids go before names; an unknown word is left for the daemon to refuse."""
    known = (await client.status()).get("projects", [])
    if any(entry["project_id"] == project for entry in known):
        return project
    return next((str(entry["project_id"]) for entry in known if entry["project_name"] == project), project)


async def _follow(client: Client, progress: Progress) -> None:
    """Move the bar as the events come; without events there is just no bar."""
    task = progress.add_task("waiting", total=None)
    try:
        async with aclosing(client.events()) as events:
            async for event in events:
                if event["event"] == "sync.started":
                    progress.reset(task, description="syncing", total=event["projects"])
                elif event["event"].startswith("project.") and "outcome" in event:
                    progress.update(task, description=printable(event["project"], 30), advance=1)
    except SmartSyncError:
        progress.update(task, description="syncing")


def show_answer(answer: dict[str, Any]) -> None:
    """The result of a pass."""
    console = Console()
    if "results" not in answer:
        _show_single(console, answer)
        return
    _print_projects(console, answer["results"])
    good, failed, degraded = answer["success_count"], answer["error_count"], answer["degraded_count"]
    console.print(
        f"{answer['total_projects']} projects: {good} in step ({degraded} of them degraded), {failed} failed, "
        f"{answer['duration_seconds']} s",
        highlight=False,
    )
    _print_changes(console, answer["results"])


def _show_single(console: Console, answer: dict[str, Any]) -> None:
    if "outcome" not in answer:
        Console(stderr=True).print(Text(f"smart-sync: {printable(answer.get('error', 'failed'))}"))
        return
    _print_projects(console, [answer])
    _print_changes(console, [answer])


def _print_projects(console: Console, results: Iterable[dict[str, Any]]) -> None:
    table = Table("project", "outcome", box=None, pad_edge=False)
    for name in ("accounts", "changed", "snapshots", "problems"):
        table.add_column(name, justify="right")
    notes = []
    for result in results:
        outcome = result["outcome"]
        name = printable(result.get("project_name", result["project_id"]))
        table.add_row(
            Text(name),
            Text(outcome, style=STYLES.get(outcome, "")),
            str(result.get("total_accounts", "")),
            str(result.get("changed_count", "")),
            str(result.get("snapshot_count", "")),
            str(result["problem_count"]),
        )
        notes += [f"{name}: {printable(note)}" for note in _notes(result)]
    console.print(table)
    for note in notes:
        console.print(Text(note), soft_wrap=True)


def _notes(result: dict[str, Any]) -> Iterable[str]:
    trouble = result.get("error") or result.get("warning")
    if trouble:
        yield trouble + (f"; {result['remedy']}" if result.get("remedy") else "")
    for account_id, reason in result.get("failed_accounts", {}).items():
        yield f"account {account_id} could not be written: {reason}"
    yield from result.get("problems", [])


def _print_changes(console: Console, results: Iterable[dict[str, Any]]) -> None:
    for result in results:
        for change in result.get("changes", []):
            before = "new" if change["before"] is None else change["before"]
            console.print(Text(f"{printable(change['link'])}  {change['metric']}: {before} → {change['after']}"))
