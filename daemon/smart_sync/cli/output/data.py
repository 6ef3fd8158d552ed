"""Terminal output of history, rules, confirm, backup, repair, ingest and migrate-store."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.text import Text

from smart_sync.cli.output.terminal import STYLES, Column, console, count, print_line, print_table, when
from smart_sync.core.answers import HistoryAnswer, ProjectRun
from smart_sync.core.command_answers import (
    BackupAnswer,
    ConfirmAnswer,
    ForgetAnswer,
    IngestAnswer,
    RepairedAnswer,
    RulesRow,
)
from smart_sync.core.model import METRICS
from smart_sync.core.wording import counted, listed
from smart_sync.logs import printable


def show_history(answer: HistoryAnswer) -> None:
    """Show the passes, newest first, each with who asked for it and the projects in trouble."""
    screen = console()
    for run in answer["runs"]:
        seconds = "" if run["seconds"] is None else f", {run['seconds']:.1f} s"
        counts = ", ".join(
            (
                counted(run["projects"], "project"),
                counted(run["accounts"], "account"),
                f"{run['changed']:,} changed",
                counted(run["snapshots"], "snapshot"),
            )
        )
        outcome = run["outcome"]
        print_line(
            screen, f"{when(run['started_at'])}  {run['trigger']:7}  {outcome}: {counts}{seconds}", _style(outcome)
        )
        if run["requested_by"]:
            print_line(screen, f"    asked by {run['requested_by']}", "dim")
        for names, result in _troubled_alike(run["results"]):
            print_line(screen, f"    {_project(names, result)}", _style(result["outcome"]), hang=2)
            for problem in result["problems"]:
                print_line(screen, f"        {problem}", hang=2)
    if not answer["runs"]:
        print_line(screen, "no pass like that is on record")


def _troubled_alike(results: Sequence[ProjectRun]) -> Iterator[tuple[list[str], ProjectRun]]:
    """The results grouped by trouble (one spreadsheet's, mostly), with the names of the projects."""
    groups: dict[tuple[str, str], list[ProjectRun]] = {}
    for number, result in enumerate(results):
        alone = "" if result["error"] and not result["problems"] else str(number)
        groups.setdefault((f"{result['outcome']} {result['error']}", alone), []).append(result)
    for several in groups.values():
        yield [result["project_name"] for result in several], several[0]


def _project(names: Sequence[str], result: ProjectRun) -> str:
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result["stages"].items())
    text = result["error"] or f"{result['changed']:,} of {counted(result['accounts'], 'account')} changed"
    once = f" ({stages})" if stages and len(names) == 1 else ""
    return f"{listed(names)}  {result['outcome']}: {text}{once}"


def _style(outcome: str) -> str:
    return STYLES.get(outcome, "")


def show_rules(rows: Iterable[RulesRow]) -> None:
    """Show the resolved strategies, each with the key that set it if it is not the default."""
    cells: list[list[str | Text]] = [
        [row["project"] or "all others", row["platform"] or "all others", *(_rule(row[metric]) for metric in METRICS)]
        for row in rows
    ]
    print_table(console(), [Column("project"), Column("platform"), *(Column(metric) for metric in METRICS)], cells)


def _rule(rule: dict[str, str]) -> Text:
    if rule["rule"] == "merge.strategy":
        return Text(rule["strategy"])
    return Text.assemble(rule["strategy"], "\n", (printable(rule["rule"].removeprefix("merge.")), "dim"))


#: How many of the things confirmed are shown one by one.
_SHOWN = 50
_CONFIRMED = {
    "gone": "its row is gone",
    "emptied": "{metric}: {value} is not used any more",
    "column": "{metric}: {value} is not used any more",
    "suspect": "{metric}: {value} is meant",
    "doubtful": "the account is created",
    "worksheet": "project {project_id} has no worksheet",
}


def show_confirmed(answer: ConfirmAnswer) -> None:
    """Show what was confirmed, which the next passes accept."""
    screen = console()
    findings = answer["findings"]
    for finding in findings[:_SHOWN]:
        value = count(finding.get("value"))
        text = _CONFIRMED[finding["kind"]].format(**{"metric": "", **finding, "value": value})
        print_line(screen, f"{finding['link']}: {text}" if "link" in finding else text)
    if len(findings) > _SHOWN:
        print_line(screen, f"and {counted(len(findings) - _SHOWN, 'more', 'more')}")
    print_line(screen, f"{counted(len(findings), 'finding')} confirmed; the next pass goes by it")


def show_backup(answer: BackupAnswer) -> None:
    """Show the copy that was made."""
    print_line(console(), f"{answer['path']}: {answer['bytes']:,} bytes, verified")


def show_repaired(answer: RepairedAnswer) -> None:
    """Show the snapshot's new values, and whether they count as the day's."""
    screen = console()
    for metric, change in answer["changes"].items():
        old = "-" if change["old"] is None else f"{change['old']:,}"
        print_line(screen, f"{answer['link']}: snapshot of {answer['day']}, {metric}: {old} → {change['new']:,}")
    if not answer["counts"]:
        print_line(screen, "a later snapshot of that day, by another writer, is the one that counts", "yellow")


#: How many values are shown one by one.
_INGESTED_SHOWN = 50


def show_ingested(answer: IngestAnswer) -> None:
    """Show the result of the lines; mistakes go to standard error."""
    stored = f"{counted(answer['accounts'], 'account')}: {counted(answer['stored'], 'line')} stored"
    older = f"{answer['older']:,} older than what there is"
    print_line(console(), f"{stored}, {older}, {counted(len(answer['mistakes']), 'mistake')}")
    if answer["ahead"]:
        text = f"{counted(answer['ahead'], 'line')} with a parsed_at that is ahead"
        print_line(console(), f"{text}: it counts as now; set the clock of their source right", "yellow")


def show_forgotten(answer: ForgetAnswer) -> None:
    """Show the values that were taken back."""
    screen = console()
    for one in answer["values"][:_INGESTED_SHOWN]:
        print_line(screen, f"{one['link']}: {one['metric']} {one['value']:,} ({one['source'] or 'unnamed'})")
    if len(answer["values"]) > _INGESTED_SHOWN:
        print_line(screen, f"and {counted(len(answer['values']) - _INGESTED_SHOWN, 'more', 'more')}")
    print_line(screen, f"{counted(answer['forgotten'], 'value')} taken back; the next pass goes by it")


def show_moved(answer: dict[str, Any]) -> None:
    """Show what `migrate-store` copied, and which values it had to change."""
    screen, rows = console(), sum(answer["rows"].values())
    print_line(screen, f"{answer['to']}: {counted(rows, 'row')} of {counted(len(answer['rows']), 'table')}, compared")
    for text in answer["told"]:
        print_line(screen, f"  {text}")
    if answer["odd"] > len(answer["told"]):
        print_line(screen, f"  and {answer['odd'] - len(answer['told'])} more odd values")
    if answer["left"]:
        print_line(screen, f"not copied, for they are the web app's alone: {', '.join(answer['left'])}")
