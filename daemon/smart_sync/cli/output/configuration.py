"""What people see of the configuration as it is in effect."""

from typing import Any

from smart_sync.cli.output.tables import Column, print_line, print_table
from smart_sync.cli.output.terminal import console


def show_effective(answer: dict[str, Any]) -> None:
    """A table, section by section; what is not set says where its value comes from, too."""
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
    """As the file would have it, nearly."""
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(_written(key, one) for one in value)
    if key == "control.mode" and isinstance(value, int):
        return f"{value:04o}"
    return f"{value:g}" if isinstance(value, float) else str(value)
