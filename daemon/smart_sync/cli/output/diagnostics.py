"""Terminal output of `check`, `init`, `parse`, `webhooks`, `config show` and the parsers' tokens."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from smart_sync.admin.init import SetupStep
from smart_sync.admin.systemd_files import Written, hidden_program
from smart_sync.cli.output import data, terminal
from smart_sync.cli.output.terminal import Column, console, count, fitted, print_line, print_table, when
from smart_sync.core.command_answers import CheckAnswer, InspectionsAnswer, WebhooksAnswer, WebhookTests
from smart_sync.core.daemon_answers import ParserReport, ParserTokens, TokenAnswer, TokensAnswer
from smart_sync.core.wording import counted
from smart_sync.logs import printable


def show_check(answer: CheckAnswer) -> None:
    """Show everything that is wrong, and what is in order."""
    console = terminal.console()
    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}
    for finding in answer["findings"]:
        mark, style = marks[finding["level"]]
        code = f" [{finding['code']}]" if finding["code"] else ""
        print_line(console, Text.assemble((mark, style), " ", printable(finding["message"]), (code, "dim")), hang=2)
    if answer["merge"]:
        data.show_rules(answer["merge"])
    errors = sum(finding["level"] == "error" for finding in answer["findings"])
    warnings = sum(finding["level"] == "warning" for finding in answer["findings"])
    print_line(console, f"{counted(errors, 'error')}, {counted(warnings, 'warning')}")
    if any(finding["code"] for finding in answer["findings"]):
        print_line(console, "what is in brackets has an entry in docs/faq.md: what it means, what to do", "dim")


def show_inspections(answer: InspectionsAnswer) -> None:
    """Show each parser's result for each link: first the values, then the raw responses."""
    console = terminal.console()
    for link in answer["links"]:
        print_line(console, link["link"], "bold")
        for parser in link["parsers"]:
            text = parser["failure"] or ("" if parser["values"] or parser["unfetched"] else "nothing")
            cost = f"  {parser['parser']} ({counted(parser['calls'], 'call')})"
            print_line(console, f"{cost}: {text}" if text else cost, hang=2)
            for values in parser["values"]:
                print_line(console, f"    {'  '.join(_value(name, value) for name, value in values.items())}", hang=2)
            for reason in parser["unfetched"]:
                print_line(console, f"    {reason}", hang=2)
            for exchange in parser["exchanges"]:
                label = f"{exchange['label']}: " if exchange["label"] else ""
                request = f"{exchange['method']} {exchange['url']} → {exchange['status']}"
                print_line(console, f"    {label}{request}", hang=2)
                print_line(console, f"      {exchange['body']}")
        if not link["parsers"]:
            print_line(console, "  no parser serves it; see [parsers] in the configuration", "yellow", hang=2)


def show_written(files: Iterable[Written]) -> None:
    """Show the files for systemd by folder; a file whose content is not ours has a line of its own."""
    console = terminal.console()
    folders: dict[Path, list[str]] = {}
    for file in files:
        if file.outcome == "kept":
            text = f"{file.path} is another one than this version's, and is kept; move it away and run this again"
            print_line(console, Text.assemble(("!", "yellow"), f" {printable(text)}"), hang=2)
        elif file.outcome == "written":
            folders.setdefault(file.path.parent, []).append(file.path.name)
    for folder, names in folders.items():
        print_line(console, f"written to {printable(str(folder))}: {', '.join(names)}", hang=2)
    if hidden_program():
        text = f"{sys.prefix} is hidden from the unit by ProtectHome=; install Smart Sync into /opt/smart-sync"
        print_line(console, Text.assemble(("!", "yellow"), f" {printable(text)}"), hang=2)


def _value(name: str, value: object) -> str:
    return f"{name} {count(value) if value is None or type(value) is int else value}"


def show_webhooks(answer: WebhooksAnswer) -> None:
    """Show the webhooks and the state of their newest messages."""
    console = terminal.console()
    if not answer["webhooks"]:
        print_line(console, "no webhooks; add [[webhooks]] or [[notify.targets]] to the configuration")
    for webhook in answer["webhooks"]:
        off = ("  disabled: it answered 410 Gone", "red") if webhook["disabled"] else ""
        text = Text.assemble(printable(webhook["webhook"]), "  ", (" ".join(webhook["events"]), "dim"), off)
        print_line(console, text, hang=2)
    styles = {"delivered": "green", "waiting": "yellow", "failed": "red", "dropped": "red"}
    columns = [Column("when"), Column("webhook"), Column("message"), Column("status"), Column("attempts", True)]
    rows: list[list[str | Text]] = [
        [
            when(delivery["created_at"]),
            delivery["webhook"],
            delivery["type"],
            Text(delivery["status"], style=styles.get(delivery["status"], "")),
            f"{delivery['attempts']:,}",
            delivery["answer"],
            when(delivery["due_at"]),
        ]
        for delivery in answer["deliveries"]
    ]
    if rows:
        print_table(console, [*columns, Column("answer"), Column("next attempt")], rows)


def show_webhook_tests(answer: WebhookTests) -> None:
    """Show each webhook's response to a test."""
    console = terminal.console()
    for result in answer["results"]:
        mark = ("✓", "green") if result["accepted"] else ("✗", "red")
        text = f"accepted {result['message_id']}" if result["accepted"] else result["reason"]
        print_line(console, Text.assemble(mark, " ", printable(result["webhook"]), "  ", printable(text)), hang=2)


def show_step(step: SetupStep) -> None:
    """Show the result of one step, and what to click or type if it failed."""
    console = terminal.console()
    mark = ("✓", "green") if step.ok else ("✗", "red")
    text = f"{printable(step.name)}: {printable(step.message)}"
    print_line(console, Text.assemble(mark, " ", text), hang=2)
    if step.how:
        print_line(console, f"  → {step.how}", "yellow", hang=2)


_COLUMNS = [Column(name) for name in ("parser", "token of", "kind", "ends", "renewed", "")]


def show_tokens(answer: TokensAnswer) -> None:
    """Show the parsers' tokens: kind, expiry, and what a person has to do."""
    console = terminal.console()
    table = tokens(answer["parsers"], console.width)
    if table:
        console.print(table[-1])
    else:
        print_line(console, "no parser has a token that may end")
    for parser in answer["parsers"]:
        if parser["failure"]:
            print_line(console, f"{parser['parser']}: {parser['failure']}", "yellow", hang=2)


def tokens(parsers: Iterable[ParserTokens | ParserReport], width: int) -> Sequence[RenderableType]:
    """A table with one row per token of ``parsers``, after an empty line; empty if there are none."""
    rows = [_row(parser["parser"], token) for parser in parsers for token in parser.get("tokens", ())]
    return [Text(), fitted(_COLUMNS, rows, width)] if rows else []


def _row(parser: str, token: TokenAnswer) -> list[str | Text]:
    ends = "never" if token["never_expires"] else (token["expires_at"] or "not known")[:16].replace("T", " ")
    return [
        parser,
        token["account"],
        token["kind"] or "",
        "" if token["dead"] else ends,
        "by itself" if token["renews"] else "by you",
        Text(printable(token["warning"] or ""), style="red" if token["dead"] else "yellow"),
    ]


def show_effective(answer: dict[str, Any]) -> None:
    """Show a table per section, with the origin of every value, including defaults."""
    screen = console()
    print_line(screen, f"{answer['file']}; variables that begin with SMART_SYNC_ go before it", "bold")
    rows: list[list[str]] = []
    for one in answer["settings"]:
        if not rows or rows[-1][0].partition(".")[0] != one["key"].partition(".")[0]:
            rows.append(["", "", ""])
        origin = "the file" if one["origin"] == answer["file"] else one["origin"]
        rows.append([one["key"], _written(one["key"], one["value"]), origin])
    print_table(screen, [Column("key"), Column("value"), Column("from")], rows)


def _written(key: str, value: object) -> str:
    """A value roughly as it would be written in the file."""
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(_written(key, one) for one in value)
    if key == "control.mode" and isinstance(value, int):
        return f"{value:04o}"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
