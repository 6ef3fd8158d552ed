"""Terminal output of `status`: once, or live."""

import asyncio
import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Literal, NoReturn, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from smart_sync.cli.output import terminal
from smart_sync.cli.output.diagnostics import tokens
from smart_sync.cli.output.passes import NO_PROJECTS, coverage_lines, merged_notes, outcome_cell, totals, troubles
from smart_sync.cli.output.terminal import Column, ago, duration, fitted, until
from smart_sync.control.client import Client
from smart_sync.core.answers import ProjectAnswer, Run
from smart_sync.core.daemon_answers import ParserReport, ReadingAnswer, StatusAnswer
from smart_sync.core.days import moment
from smart_sync.core.wording import counted
from smart_sync.errors import DaemonNotRunning, SmartSyncError
from smart_sync.logs import printable

_Count = Literal["fetched", "missing", "failed", "left", "calls"]
#: What needs attention comes first.
_ORDER = ("failed", "degraded", "", "synced", "unchanged")
_BAR_WIDTH = 30
#: Seconds that a daemon which says that it stops may take to end the stream of its events.
LEAVING = 5.0


def show_status(answer: StatusAnswer) -> None:
    """Show what the daemon is doing."""
    console = terminal.console()
    console.print(screen(answer, moment(answer["timestamp"]), console.width))


async def watch(client: Client, *, as_json: bool = False) -> None:
    """Show the status and redraw it after every event, until cancelled.

    On a terminal in place; elsewhere one after the other, with ``as_json`` one a line.  Raises `DaemonNotRunning`
    once the daemon has stopped.  Returns when nobody reads the output any more.
    """
    with _shown(as_json) as show:
        following = asyncio.create_task(_follow_with_reconnects(client, show), name="cli:status")
        unread = asyncio.create_task(_until_reader_leaves(sys.stdout), name="cli:output")
        try:
            await asyncio.wait({following, unread}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = following.done()
            for task in (following, unread):
                task.cancel()
            await asyncio.wait({following, unread})
        if ended:
            following.result()


async def _follow_with_reconnects(client: Client, show: Callable[[StatusAnswer], None]) -> NoReturn:
    while True:
        await _follow_until_closed(client, show)


async def _until_reader_leaves(stream: TextIO) -> None:
    """Wait until the reader of ``stream`` has closed its end, if it is a pipe; else forever.

    Nothing is written while nothing happens, and only who writes would notice.
    """
    left, loop = asyncio.Event(), asyncio.get_running_loop()
    if not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
        await left.wait()
    # A pipe that is written to is never readable: what comes is its end.
    loop.add_reader(stream.fileno(), left.set)
    try:
        await left.wait()
    finally:
        loop.remove_reader(stream.fileno())


@contextlib.contextmanager
def _shown(as_json: bool) -> Iterator[Callable[[StatusAnswer], None]]:
    console = terminal.console()
    if as_json:
        yield lambda answer: print(json.dumps(answer, ensure_ascii=False), flush=True)  # noqa: T201 - it is data
    elif not console.is_terminal:
        yield show_status
    else:
        drawing = _Drawing(console)
        # Between two answers only the ages change; nobody is asked for that.
        with Live(get_renderable=drawing, console=console, refresh_per_second=1, vertical_overflow="crop") as live:

            def redraw(answer: StatusAnswer) -> None:
                drawing.take(answer)
                live.refresh()

            yield redraw


class _Drawing:
    """The last answer on the screen, with ages that keep counting."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._held: tuple[StatusAnswer, float] | None = None

    def take(self, answer: StatusAnswer) -> None:
        """Draw ``answer`` from now on."""
        self._held = answer, time.monotonic()

    def __call__(self) -> RenderableType:
        if self._held is None:
            return Text()
        answer, since = self._held
        return screen(
            answer, moment(answer["timestamp"]) + timedelta(seconds=time.monotonic() - since), self._console.width
        )


async def _follow_until_closed(client: Client, show: Callable[[StatusAnswer], None]) -> None:
    """Redraw until the event stream ends because the daemon stops or reloads."""
    happened = asyncio.Event()
    following = asyncio.create_task(_follow(client, happened), name="cli:events")
    try:
        while not following.done():
            # What happens while the answer is under way shares the next one.
            happened.clear()
            try:
                show(await client.status())
            except DaemonNotRunning:
                raise
            except SmartSyncError:
                # A daemon that reloads says so and ends the stream; after the reload it answers again.
                await asyncio.wait({following}, timeout=LEAVING)
                if not following.done():
                    raise
            await happened.wait()
    finally:
        following.cancel()
        await asyncio.wait({following})
    following.result()


async def _follow(client: Client, happened: asyncio.Event) -> None:
    try:
        async with aclosing(client.events()) as events:
            async for _event in events:
                happened.set()
    except DaemonNotRunning:
        # Whether it is gone for good, the next question for its status will tell.
        pass
    finally:
        happened.set()


def screen(answer: StatusAnswer, now: datetime, width: int = terminal.UNBOUNDED) -> RenderableType:
    """The whole status, as it is at ``now``, no wider than ``width``."""
    parts: list[RenderableType] = [_head(answer, now)]
    if not answer["projects"]:
        parts += [Text(), Text(NO_PROJECTS, style="yellow")]
    else:
        parts += [Text(), _projects(answer, now, width), *_troubles(answer), *coverage_lines(answer["projects"])]
    if answer["parsers"]:
        parts += [Text(), _parsers(answer, now, width), *_parser_notes(answer, now)]
        parts += tokens(answer["parsers"], width)
    return Group(*parts)


def _head(answer: StatusAnswer, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    up = f"{answer['version']}, up {duration(answer['uptime_seconds'])}, "
    health = ("healthy", "green") if answer.get("healthy", True) else ("unhealthy", "bold red")
    grid.add_row("smart-sync", Text.assemble(up, health))
    grid.add_row("now", _state_text(answer))
    grid.add_row("last pass", Text(_last_pass(answer["last_pass"], now)))
    next_pass = "by the one that leads" if answer["state"] == "standby" else _next_pass(answer["next_run_at"], now)
    grid.add_row("next pass", Text(next_pass))
    grid.add_row("projects", Text(f"{answer['active_projects']:,} active of {answer['total_projects']:,}"))
    grid.add_row("worksheets", Text(_reading(answer["reading"])))
    if answer["last_error"]:
        grid.add_row("last error", Text(printable(answer["last_error"]), style="red"))
    for reason in answer.get("reasons", []):
        grid.add_row("unhealthy", Text(printable(reason), style="red"))
    for warning in answer.get("warnings", []):
        grid.add_row("warning", Text(printable(warning), style="yellow"))
    return grid


def _state_text(answer: StatusAnswer) -> RenderableType:
    current = answer["current"]
    if answer["state"] == "standby":
        return Text(f"standing by; {printable(answer.get('leader') or 'nobody')} leads")
    if not current:
        return Text(str(answer["state"]))
    done, projects = current["done"], current["projects"]
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(f"syncing ({current['trigger']})"),
        ProgressBar(total=max(projects, 1), completed=done, width=_BAR_WIDTH),
        Text(f"{done:,} of {counted(projects, 'project')}"),
    )
    waiting = current.get("waiting")
    return Group(grid, Text(printable(waiting), style="yellow")) if waiting else grid


def _last_pass(last: Run | None, now: datetime) -> str:
    if last is None or last["finished_at"] is None:
        return "none yet"
    took = (moment(last["finished_at"]) - moment(last["started_at"])).total_seconds()
    text = totals(last["projects"], last["succeeded"], last["degraded"], last["failed"])
    # Less than nothing: the clock was put back meanwhile, so nobody knows.
    measured = f"; took {duration(took)}" if took >= 0 else ""
    return f"{ago(last['finished_at'], now)} ({last['trigger']}) over {text}{measured}"


def _next_pass(next_run_at: str | None, now: datetime) -> str:
    if next_run_at is None:
        return "now"
    return f"{until(next_run_at, now)}, at {moment(next_run_at).astimezone():%H:%M %Z}"


def _reading(reading: ReadingAnswer) -> str:
    if not (reading["calls"] or reading["files"]):
        return f"{reading['source']}: nothing read yet"
    if reading["source"] != "google":
        return f"{reading['source']}: {counted(reading['files'], 'file')} read in the last pass"
    text = f"google: {counted(reading['calls'], 'call')} in the last pass, of {reading['reads_per_minute']:,} a minute"
    if reading["retries"]:
        text += f", {reading['retries']:,} of them repeated"
    if reading["quota_wait_seconds"] >= 1:
        text += f"; waited {duration(reading['quota_wait_seconds'])} for the quota"
    return text


def _projects(answer: StatusAnswer, now: datetime, width: int) -> Table:
    columns = [Column("project"), Column("outcome"), Column("when"), Column("accounts", True), Column("problems", True)]
    rows: list[list[str | Text]] = []
    for project in _by_urgency(answer):
        when = ago(project["timestamp"], now) if project.get("outcome") else ""
        counts = (project.get("total_accounts"), project.get("problem_count"))
        rows.append(
            [project["project_name"], outcome_cell(project), when, *("" if n is None else f"{n:,}" for n in counts)]
        )
    return fitted(columns, rows, width)


def _by_urgency(answer: StatusAnswer) -> list[ProjectAnswer]:
    return sorted(
        answer["projects"], key=lambda project: (not project.get("stale"), _ORDER.index(project.get("outcome", "")))
    )


def _troubles(answer: StatusAnswer) -> Iterator[Text]:
    notes = [(p["project_name"], trouble) for p in _by_urgency(answer) for trouble in troubles(p)]
    yield from (Text(printable(line)) for line in merged_notes(notes))


def _parsers(answer: StatusAnswer, now: datetime, width: int) -> Table:
    counts: tuple[_Count, ...] = ("fetched", "missing", "failed", "left", "calls")
    rows = [
        [
            parser["parser"],
            ago(parser["reported_at"], now) if "reported_at" in parser else "not asked yet",
            *("" if parser.get(name) is None else f"{parser[name]:,}" for name in counts),
        ]
        for parser in answer["parsers"]
    ]
    return fitted([Column("parser"), Column("reported"), *(Column(name, True) for name in counts)], rows, width)


def _parser_notes(answer: StatusAnswer, now: datetime) -> Iterator[Text]:
    """Notes about a parser besides its counts: its remaining budget, and its trouble."""
    for parser in answer["parsers"]:
        name, notes = printable(parser["parser"]), []
        if parser.get("quota_left") not in (None, ""):
            notes.append(f"quota left: {printable(parser['quota_left'])}")
        if parser.get("budget") is not None:
            notes.append(f"{parser['budget_used']:,} of {parser['budget']:,} requests a day used")
        if notes:
            yield Text(f"{name}: {', '.join(notes)}", style="dim")
        if trouble := _trouble_of(parser, now):
            yield Text(f"{name}: {trouble}", style="yellow")


def _trouble_of(parser: ParserReport, now: datetime) -> str:
    since, paused = parser.get("failing_since"), parser.get("paused_until")
    reason = printable(parser.get("reason", ""))
    if paused:
        reason = f"paused until {paused[:16].replace('T', ' ')} UTC{': ' if reason else ''}{reason}"
    return f"failing since {ago(since, now)}: {reason}" if since else reason
