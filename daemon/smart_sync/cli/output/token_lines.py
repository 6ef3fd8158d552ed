"""What is shown of the parsers' tokens, in `status` and by `parse --tokens`."""

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from smart_sync.cli.output import terminal
from smart_sync.cli.output.tables import Column, fitted, print_line
from smart_sync.core.daemon_answers import ParserReport, ParserTokens, TokenAnswer, TokensAnswer
from smart_sync.logs import printable

_COLUMNS = [Column(name) for name in ("parser", "token of", "kind", "ends", "renewed", "")]


def show_tokens(answer: TokensAnswer) -> None:
    """The parsers' tokens: kind, end, and what a person has to do."""
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
    """A table with each token of ``parsers`` in a row, below an empty line; nothing where there is none."""
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
