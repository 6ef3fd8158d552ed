"""What people see on a terminal.  Names come from sheets: they are shown as text, never as markup or control codes."""

import asyncio
import sys
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from smart_sync import views
from smart_sync.control.client import Client
from smart_sync.errors import SmartSyncError
from smart_sync.logs import printable

_STYLES = {"synced": "green", "unchanged": "dim", "degraded": "yellow", "failed": "red"}


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
            Text(outcome, style=_STYLES.get(outcome, "")),
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


def show_status(answer: dict[str, Any]) -> None:
    """What the daemon is doing."""
    console = Console(highlight=False)
    console.print(Text(f"smart-sync {answer['version']}, up {_duration(answer['uptime_seconds'])}, {_doing(answer)}"))
    console.print(Text(f"last pass  {answer['last_sync'] or 'none yet'}   next pass  {answer['next_run_at'] or 'now'}"))
    console.print(Text(f"projects   {answer['active_projects']} active of {answer['total_projects']}"))
    if answer["last_error"]:
        console.print(Text(f"last error {printable(answer['last_error'])}", style="red"))
    if answer["sqlite_at_risk"]:
        console.print(
            Text(f"SQLite {answer['sqlite_version']} can corrupt a file that two processes write", style="yellow")
        )
    table = Table("project", "outcome", "when", box=None, pad_edge=False)
    for name in ("accounts", "problems"):
        table.add_column(name, justify="right")
    for project in answer["projects"]:
        outcome = project.get("outcome", "")
        table.add_row(
            Text(printable(project["project_name"])),
            Text(outcome or "not yet", style=_STYLES.get(outcome, "dim")),
            project.get("timestamp", "")[:19],
            str(project.get("total_accounts", "")),
            str(project.get("problem_count", "")),
        )
    if answer["projects"]:
        console.print(table)


def _doing(answer: dict[str, Any]) -> str:
    current = answer["current"]
    if not current:
        return str(answer["state"])
    return f"syncing {current['done']} of {current['projects']} projects ({current['trigger']})"


def _duration(seconds: float) -> str:
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {int(seconds % 60)} s"


def show_check(answer: dict[str, Any]) -> None:
    """Everything that is wrong, and what was found in order."""
    console = Console(highlight=False)
    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}
    for finding in answer["findings"]:
        mark, style = marks[finding["level"]]
        console.print(Text.assemble((mark, style), " ", printable(finding["message"])), soft_wrap=True)
    views.show_rules(answer["merge"])
    errors = sum(finding["level"] == "error" for finding in answer["findings"])
    warnings = sum(finding["level"] == "warning" for finding in answer["findings"])
    console.print(f"{errors} errors, {warnings} warnings")


def show_webhooks(answer: dict[str, Any]) -> None:
    """The webhooks, and what became of the newest messages."""
    console = Console(highlight=False)
    if not answer["webhooks"]:
        console.print("no webhooks; add [[webhooks]] with url and secret to the configuration")
    for webhook in answer["webhooks"]:
        off = ("  disabled: it answered 410 Gone", "red") if webhook["disabled"] else ""
        console.print(Text.assemble(printable(webhook["webhook"]), "  ", (" ".join(webhook["events"]), "dim"), off))
    table = Table(
        "when", "webhook", "message", "status", "attempts", "answer", "next attempt", box=None, pad_edge=False
    )
    styles = {"delivered": "green", "waiting": "yellow", "failed": "red", "dropped": "red"}
    for delivery in answer["deliveries"]:
        table.add_row(
            delivery["created_at"][:19],
            Text(printable(delivery["webhook"])),
            delivery["type"],
            Text(delivery["status"], style=styles.get(delivery["status"], "")),
            str(delivery["attempts"]),
            Text(printable(delivery["answer"])),
            (delivery["due_at"] or "")[:19],
        )
    if answer["deliveries"]:
        console.print(table)


def show_webhook_tests(answer: dict[str, Any]) -> None:
    """What each webhook answered to a test."""
    console = Console(highlight=False)
    for result in answer["results"]:
        mark = ("✓", "green") if result["accepted"] else ("✗", "red")
        said = f"accepted {result['message_id']}" if result["accepted"] else result["reason"]
        console.print(Text.assemble(mark, " ", printable(result["webhook"]), "  ", printable(said)), soft_wrap=True)


def show_inspections(answer: dict[str, Any]) -> None:
    """What each parser made of each link: mapped first, then the raw answers."""
    console = Console(highlight=False)
    for link in answer["links"]:
        console.print(Text(printable(link["link"]), style="bold"))
        for parser in link["parsers"]:
            said = parser["failure"] or ("" if parser["values"] or parser["unfetched"] else "nothing")
            console.print(Text(f"  {parser['parser']}: {printable(said)}" if said else f"  {parser['parser']}"))
            for values in parser["values"]:
                console.print(Text("    " + "  ".join(f"{name}={shown}" for name, shown in values.items())))
            for reason in parser["unfetched"]:
                console.print(Text(f"    {printable(reason)}"))
            for exchange in parser["exchanges"]:
                console.print(Text(f"    {exchange['method']} {printable(exchange['url'])} → {exchange['status']}"))
                console.print(Text(f"      {printable(exchange['body'])}"), soft_wrap=True)
        if not link["parsers"]:
            console.print(Text("  no parser serves it; see [parsers] in the configuration", style="yellow"))
