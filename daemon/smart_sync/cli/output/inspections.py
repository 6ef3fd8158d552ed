"""What the parsers answer about a link."""

from typing import Any

from rich.text import Text

from smart_sync.cli.output import terminal
from smart_sync.core.wording import counted
from smart_sync.logs import printable


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
