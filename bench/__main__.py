"""``make bench``: a table of ratios, both sides of each measured side by side in this run.

``make bench ARGS=--json`` for programs, ``--quick`` for a look at whether it works (its figures mean nothing),
``--only passes`` (or network, rival, growth, reader, reading, serving, judging, suspects, living, postgres, fan_out)
for a part.
"""

import json
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench import engines, fan_out, growth, judging, living, network, passes, reader, reading, rival, serving, suspects
from bench.measure import QUICK, Row, Sizes

GROUPS: Mapping[str, Callable[[Sizes, Path], Iterator[Row]]] = {
    "network": network.rows,
    "rival": rival.rows,
    "passes": passes.rows,
    "growth": growth.rows,
    "reader": reader.rows,
    "reading": reading.rows,
    "serving": serving.rows,
    "judging": judging.rows,
    "suspects": suspects.rows,
    "living": living.rows,
    "postgres": engines.rows,
    "fan_out": fan_out.rows,
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print data for programs.")
@click.option("--quick", is_flag=True, help="Tiny sizes: whether it works, not how fast.")
@click.option("--only", type=click.Choice(list(GROUPS)), multiple=True, help="These parts alone.")
def main(as_json: bool, quick: bool, only: tuple[str, ...]) -> None:
    """Measure Smart Sync against things that anyone can run."""
    sizes = QUICK if quick else Sizes()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="smart-sync-bench-") as folder:
        for name in only or GROUPS:
            print(f"measuring: {name}", file=sys.stderr, flush=True)  # noqa: T201
            place = Path(folder) / name
            place.mkdir()
            rows.extend(GROUPS[name](sizes, place))
    if as_json:
        click.echo(json.dumps({"machine": _machine(), "rounds": sizes.rounds, "rows": [r.as_data() for r in rows]}))
    else:
        _show(rows, sizes)


def _machine() -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "cpu": models[0] if models else platform.processor(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": round(os.getloadavg()[0], 2),
    }


def _show(rows: list[Row], sizes: Sizes) -> None:
    machine = _machine()
    title = (
        f"medians of {sizes.rounds}, alternating; {machine['cores']} cores, {machine['cpu']},"
        f" Python {machine['python']}, SQLite {machine['sqlite']}, load {machine['load']}"
    )
    table = Table(title=title)
    for column in ("what", "ours", "against", "that", "ratio", "reach", ""):
        table.add_column(column, justify="right" if column in ("ours", "that", "ratio", "reach") else "left")
    for row in rows:
        table.add_row(
            row.what,
            shown(row.ours, row.unit),
            row.against or "a limit",
            shown(row.other, row.unit),
            f"{row.ratio:.3g}",
            f"{row.sign} {row.reach:.3g}",
            "yes" if row.met else "NO",
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def shown(value: float, unit: str) -> str:
    """A figure in a unit that suits it."""
    if unit != "s":
        return f"{value:,.0f} {unit}".strip()
    for scale, name in ((1, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value / 1e-6:.3g} µs"


if __name__ == "__main__":
    main()
