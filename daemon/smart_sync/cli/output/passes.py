"""Terminal output of a pass: its result, and what a dry run would change."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.text import Text

from smart_sync import __version__
from smart_sync.cli.output import terminal
from smart_sync.cli.output.terminal import Column, count, duration, print_line, print_table
from smart_sync.config import ENVIRONMENT
from smart_sync.core.answers import MetricChangeAnswer, ProjectAnswer, SyncAnswer
from smart_sync.core.model import METRICS
from smart_sync.core.results.coverage import Coverage
from smart_sync.core.wording import by_text, counted, last_read, listed, with_code
from smart_sync.logs import printable


def show_changes(screen: Console, results: Iterable[ProjectAnswer]) -> None:
    """Show each project's accounts with their metrics as ``12,480 → 12,655 (+175)``; then totals per metric."""
    every: list[MetricChangeAnswer] = []
    for result in results:
        changes = result.get("changes", [])
        every += changes
        if changes:
            screen.print()
            print_line(screen, f"project {printable(result.get('project_name', result['project_id']))}", "bold")
        accounts: dict[str, list[MetricChangeAnswer]] = {}
        for change in changes:
            accounts.setdefault(change["link"], []).append(change)
        for link, own in accounts.items():
            print_line(screen, f"  {printable(link)}", hang=2)
            for change in own:
                print_line(screen, f"    {change['metric']:9}  {_change_text(change)}", hang=2)
    if every:
        screen.print()
        _print_totals(screen, every)
        screen.print()


def _change_text(change: MetricChangeAnswer) -> str:
    before, after = change["before"], change["after"]
    if before is None:
        return f"new: {count(after)}"
    return f"{count(before)} → {count(after)}" + (f" ({after - before:+,})" if after is not None else "")


def _print_totals(screen: Console, changes: Iterable[MetricChangeAnswer]) -> None:
    every = list(changes)
    columns = [Column("would change"), *(Column(head, True) for head in ("accounts", "before", "after", "change"))]
    rows = []
    for metric in METRICS:
        own = [change for change in every if change["metric"] == metric]
        if own:
            before, after = (sum(change[when] or 0 for change in own) for when in ("before", "after"))
            rows.append([metric, f"{len(own):,}", count(before), count(after), f"{after - before:+,}"])
    print_table(screen, columns, rows)
    print_line(screen, f"{counted(len({change['link'] for change in every}), 'account')} would change")


#: What to type while the daemon runs.
_NEXT = {"status": "what it is doing", "growth": "how the numbers grow", "sync": "a pass now", "--help": "all commands"}
#: What there is to say where there is nothing to sync.
NO_PROJECTS = "no active project; see: smart-sync check"
#: What a result counts besides its problems, and how that is said.
_ODD: dict[Literal["suspect_count", "unmatched_accounts", "unmatched_rows"], tuple[str, ...]] = {
    "suspect_count": ("suspect value",),
    "unmatched_accounts": ("account without a row", "accounts without a row"),
    "unmatched_rows": ("row without an account", "rows without an account"),
}


def show_welcome(config: Path) -> None:
    """Show what to type next, when a person starts the daemon on a terminal."""
    screen = terminal.console()
    program = "smart-sync" if shutil.which("smart-sync") else os.path.relpath(sys.argv[0])
    more = "" if config in (Path("config.toml"), ENVIRONMENT) else f" --config {shlex.quote(str(config))}"
    print_line(screen, f"Smart Sync {__version__} starts on {config}; Ctrl-C stops it.  In another terminal:", "bold")
    for command, what in _NEXT.items():
        print_line(screen, f"  {program} {command}{more}  # {what}", hang=4)


def show_answer(answer: SyncAnswer) -> None:
    """Show the result of a pass."""
    console = terminal.console()
    if "results" not in answer:
        _show_single(console, answer)
        return
    for name, reason in answer.get("refused_projects", {}).items():
        print_line(console, f"{name or 'projects'}: could not be created: {reason}")
    if not answer["results"]:
        print_line(console, answer.get("no_projects") or NO_PROJECTS)
        return
    _print_projects(console, answer["results"])
    if answer["dry_run"]:
        show_changes(console, answer["results"])
    text = totals(answer["total_projects"], answer["success_count"], answer["degraded_count"], answer["error_count"])
    if answer.get("stale_count"):
        text += f", {answer['stale_count']} stale"
    dry = "; a dry run, nothing was written" if answer["dry_run"] else ""
    print_line(console, f"{text}; took {duration(answer['duration_seconds'])}{dry}")
    for warning in answer.get("warnings", []):
        print_line(console, f"warning: {warning}")
    if new := answer.get("new_projects"):
        print_line(console, f"{counted(len(new), 'new project')}: {printable(', '.join(new))}")


def outcome_cell(result: ProjectAnswer) -> Text:
    """A project's outcome, and whether it is stale."""
    outcome = result.get("outcome", "")
    if result.get("stale"):
        return Text(f"{outcome or 'not yet'}, stale", style=terminal.STYLES["failed"])
    return Text(outcome or "not yet", style=terminal.STYLES.get(outcome, "dim"))


def coverage_lines(projects: Iterable[ProjectAnswer]) -> Iterator[Text]:
    """A line for each metric whose values in ``projects`` are not all exact."""
    coverages = [project["coverage"] for project in projects if project.get("coverage")]
    for metric in METRICS:
        together = sum((Coverage(**own[metric]) for own in coverages), Coverage())
        if together.exact < together.accounts:
            yield Text(f"{metric} {together.text()}", style="dim")


def totals(projects: int, succeeded: int, degraded: int, failed: int) -> str:
    """The outcome counts of a pass; degraded projects are among the succeeded ones and not up to date."""
    counts = (f"{succeeded - degraded} up to date", f"{degraded} degraded" if degraded else "", f"{failed} failed")
    return f"{counted(projects, 'project')}: {', '.join(filter(None, counts))}"


def _show_single(console: Console, answer: ProjectAnswer) -> None:
    if "outcome" not in answer:
        text = f"smart-sync: {answer.get('error', 'failed')}"
        if "project_id" in answer:
            remedy = answer.get("remedy") or "name an active project, by its id or its name"
            text += f": {answer['project_id']}; {remedy}"
        print_line(terminal.console(stderr=True), text, hang=2)
        return
    _print_projects(console, [answer])
    if note := answer.get("note"):
        print_line(console, note)
    show_changes(console, [answer])
    if "changes" in answer:
        print_line(console, "a dry run, nothing was written")


def _print_projects(console: Console, results: Iterable[ProjectAnswer]) -> None:
    columns = [Column("project"), Column("outcome")]
    columns += [Column(name, True) for name in ("accounts", "changed", "snapshots", "problems")]
    rows: list[list[str | Text]] = []
    notes = []
    for result in results:
        name = printable(result.get("project_name", result["project_id"]))
        counts = (result.get(key) for key in ("total_accounts", "changed_count", "snapshot_count", "problem_count"))
        rows.append([name, outcome_cell(result), *("" if number is None else f"{number:,}" for number in counts)])
        notes += [(name, note) for note in notes_of(result)]
    print_table(console, columns, rows)
    for told in merged_notes(notes):
        print_line(console, told, hang=2)


def merged_notes(notes: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each note, with the names of all projects that have it."""
    for note, names in by_text(notes).items():
        # A problem of the worksheet begins with its title, mostly as part of a cell.
        named = len(names) == 1 and note.startswith((f"{names[0]}!", f"{names[0]}: "))
        yield note if named else f"{listed(names)}: {note}"


def notes_of(result: ProjectAnswer) -> Iterable[str]:
    """What a person has to look at in a project, line by line, each with its code if it has one."""
    yield from troubles(result)
    if new := result.get("new_accounts"):
        yield f"{counted(new, 'new account')}, for rows that had none"
    if left := result.get("left"):
        yield f"{counted(len(left), 'account')} left, as no row has their link any more: {listed(left, 5)}"
    if back := result.get("returned"):
        yield f"{counted(len(back), 'account')} back, with their rows: {listed(back, 5)}"
    for account_id, reason in result.get("failed_accounts", {}).items():
        yield f"account {account_id} could not be written: {reason}"
    # A daemon of an earlier version answers no codes.
    codes = result.get("problem_codes", [])
    yield from (with_code(told, code) for told, code in zip_longest(result.get("problems", []), codes, fillvalue=""))


def troubles(result: ProjectAnswer) -> Iterable[str]:
    """A line for each thing that needs a look in a project, with the command that shows more."""
    trouble = result.get("error") or result.get("warning")
    if trouble:
        # A daemon of an earlier version answers no code.
        yield with_code(trouble + (f"; {result['remedy']}" if result.get("remedy") else ""), result.get("code", ""))
    if result.get("stale"):
        yield f"stale: {last_read(result.get('sheet_read_at'))}"
    odd = [counted(result[name], *nouns) for name, nouns in _ODD.items() if result.get(name)]
    if odd:
        yield f"{', '.join(odd)}; see: smart-sync check"
