"""What is shown of `check`, `init`, `parse` and `webhooks`."""

from typing import Any

from rich.table import Table
from rich.text import Text

from smart_sync.admin.init import SetupStep
from smart_sync.cli.output import data, terminal
from smart_sync.core.wording import counted
from smart_sync.logs import printable


def show_check(answer: dict[str, Any]) -> None:
    """Everything that is wrong, and what was found in order."""
    console = terminal.console()
    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}
    for finding in answer["findings"]:
        mark, style = marks[finding["level"]]
        console.print(Text.assemble((mark, style), " ", printable(finding["message"])), soft_wrap=True)
    if answer["merge"]:
        data.show_rules(answer["merge"])
    errors = sum(finding["level"] == "error" for finding in answer["findings"])
    warnings = sum(finding["level"] == "warning" for finding in answer["findings"])
    terminal.line(console, f"{counted(errors, 'error')}, {counted(warnings, 'warning')}")


def show_inspections(answer: dict[str, Any]) -> None:
    """What each parser made of each link: mapped first, then the raw answers."""
    console = terminal.console()
    for link in answer["links"]:
        console.print(Text(printable(link["link"]), style="bold"))
        for parser in link["parsers"]:
            said = parser["failure"] or ("" if parser["values"] or parser["unfetched"] else "nothing")
            cost = f"  {parser['parser']} ({counted(parser['calls'], 'call')})"
            console.print(Text(f"{cost}: {printable(said)}" if said else cost))
            for values in parser["values"]:
                console.print(Text("    " + "  ".join(f"{name}={shown}" for name, shown in values.items())))
            for reason in parser["unfetched"]:
                console.print(Text(f"    {printable(reason)}"))
            for exchange in parser["exchanges"]:
                asked = f"{exchange['method']} {printable(exchange['url'])} → {exchange['status']}"
                console.print(Text(f"    {exchange['label']}: {asked}" if exchange["label"] else f"    {asked}"))
                console.print(Text(f"      {printable(exchange['body'])}"), soft_wrap=True)
        if not link["parsers"]:
            console.print(Text("  no parser serves it; see [parsers] in the configuration", style="yellow"))


def show_webhooks(answer: dict[str, Any]) -> None:
    """The webhooks, and what became of the newest messages."""
    console = terminal.console()
    if not answer["webhooks"]:
        console.print("no webhooks; add [[webhooks]] or [[notify.targets]] to the configuration", markup=False)
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
    console = terminal.console()
    for result in answer["results"]:
        mark = ("✓", "green") if result["accepted"] else ("✗", "red")
        said = f"accepted {result['message_id']}" if result["accepted"] else result["reason"]
        console.print(Text.assemble(mark, " ", printable(result["webhook"]), "  ", printable(said)), soft_wrap=True)


def show_step(step: SetupStep) -> None:
    """What came of one step, and what to click or type if it failed."""
    console = terminal.console()
    mark = ("✓", "green") if step.ok else ("✗", "red")
    told = f"{printable(step.name)}: {printable(step.message)}"
    console.print(Text.assemble(mark, " ", told), soft_wrap=True)
    if step.how:
        console.print(Text(f"  → {step.how}", style="yellow"), soft_wrap=True)
