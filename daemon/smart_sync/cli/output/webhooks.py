"""The webhooks: whom they tell, and what became of the messages."""

from typing import Any

from rich.table import Table
from rich.text import Text

from smart_sync.cli.output import terminal
from smart_sync.logs import printable


def show_webhooks(answer: dict[str, Any]) -> None:
    """The webhooks, and what became of the newest messages."""
    console = terminal.console()
    if not answer["webhooks"]:
        console.print("no webhooks; add [[webhooks]] with url and secret to the configuration", markup=False)
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
