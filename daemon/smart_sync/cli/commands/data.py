"""The commands that change, copy or move numbers in the database; none needs the daemon."""

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from smart_sync.cli.commands.common import (
    COUNT,
    SOME_FAILED,
    TakesCount,
    complain,
    config_option,
    example,
    json_option,
    load,
    load_readable,
    show,
)
from smart_sync.cli.complete import account_names, all_names
from smart_sync.clock import utc_now
from smart_sync.core.model import METRICS


@click.command(epilog=example('smart-sync confirm "Spring Launch" --metric likes'))
@click.argument("what", metavar="ACCOUNT|PROJECT", shell_complete=all_names)
@click.option("--metric", type=click.Choice(METRICS), help="One metric alone.")
@json_option
@config_option
def confirm(what: str, metric: str | None, as_json: bool) -> None:
    """Accept what the last pass reported.

    For an account (its link, name or id) or a whole project: rows that are gone, cells and columns that were
    emptied, suspect values, rows for which no account was created, a missing worksheet.  It counts from the
    next pass on.  The exit code is 1 if there was nothing to confirm.
    """
    from smart_sync.admin import confirm as findings
    from smart_sync.cli.output.data import show_confirmed

    _path, settings = load()
    show(asyncio.run(findings.confirm(settings, what, metric, utc_now())), as_json, show_confirmed)


@click.command(
    cls=TakesCount, epilog=example('smart-sync pin nova views 950 --until 2026-12-31 --why "counted by hand"')
)
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.argument("metric", type=click.Choice(METRICS))
@click.argument("value", type=COUNT, required=False)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The last day on which it counts."
)
@click.option("--why", default="", metavar="TEXT", help="For those who see it later.")
@json_option
@config_option
def pin(account: str, metric: str, value: int | None, until: datetime | None, why: str, as_json: bool) -> None:
    """Set a value that wins over worksheet and parsers.

    ACCOUNT is a link, a name or an id.  Without VALUE the current one is pinned.  It counts from the next pass on,
    until unpin removes it or the --until day has passed.  In a worksheet a mark does the same: 950!
    """
    from smart_sync.admin import corrections as pins
    from smart_sync.cli.output.explanation import show_pinned
    from smart_sync.store.pin_rows import PinRequest

    _path, settings = load()
    request = PinRequest(account, metric, value, until.date() if until else None, why)
    show(asyncio.run(pins.pin(settings, request, utc_now())), as_json, show_pinned)


@click.command(epilog=example("smart-sync unpin nova views"))
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.argument("metric", type=click.Choice(METRICS), required=False)
@json_option
@config_option
def unpin(account: str, metric: str | None, as_json: bool) -> None:
    """Remove one pin of an account, or all.

    ACCOUNT is a link, a name or an id.  Worksheet and parsers decide again, from the next pass on.  A mark in a cell
    is removed in the worksheet.  The exit code is 1 if there is nothing to remove.
    """
    from smart_sync.admin import corrections as pins
    from smart_sync.cli.output.explanation import show_unpinned

    _path, settings = load()
    show(asyncio.run(pins.unpin(settings, account, metric)), as_json, show_unpinned)


@click.command(epilog=example("smart-sync pins"))
@json_option
@config_option
def pins(as_json: bool) -> None:
    """List the values that people have pinned."""
    from smart_sync.admin import corrections
    from smart_sync.cli.output.explanation import show_pins

    show(asyncio.run(corrections.list_pins(load_readable())), as_json, show_pins)


@click.group(epilog=example("smart-sync snapshots repair nova 2026-03-09 --views 1200"))
def snapshots() -> None:
    """Correct the snapshots of past days."""


def _value_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each metric."""
    for metric in reversed(METRICS):
        command = click.option(f"--{metric}", type=COUNT, help=f"The {metric} of that day.")(command)
    return command


@snapshots.command("repair", epilog=example("smart-sync snapshots repair nova 2026-03-09 --views 1200"))
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD")
@_value_options
@json_option
@config_option
def snapshots_repair(account: str, day: datetime, as_json: bool, **values: int | None) -> None:
    """Correct what Smart Sync wrote on a past day, such as a typo that stood at midnight.

    ACCOUNT is a link, a name or an id.  Only the snapshot that Smart Sync wrote is changed; explain shows its earlier
    values.  The exit code is 1 if there is none of that day.
    """
    from smart_sync.admin import corrections
    from smart_sync.cli.output.data import show_repaired

    _path, settings = load()
    typed = {metric: value for metric, value in values.items() if value is not None}
    if not typed:
        raise click.UsageError("say what it should have been, such as --views 1200")
    answer = asyncio.run(corrections.repair(settings, account, day.date(), typed, utc_now()))
    show(answer, as_json, show_repaired)


@click.command(epilog=example("smart-sync ingest parsed.csv"))
@click.argument("file", type=click.File("rb"), metavar="[FILE|-]", required=False)
@click.option(
    "--forget", metavar="ACCOUNT", shell_complete=account_names, help="Take back the parsed values of an account."
)
@click.option("--forget-source", metavar="NAME", help="Take back the parsed values of a source.")
@click.option("--metric", type=click.Choice(METRICS), help="Take back one metric alone.")
@json_option
@config_option
def ingest(
    file: BinaryIO | None, forget: str | None, forget_source: str | None, metric: str | None, as_json: bool
) -> None:
    """Store parsed values from a file, or take some back.

    CSV or JSON lines; the next pass merges them.  Lines that cannot be used are named on standard error and left
    out; the exit code is then 4.  A value that is taken back no longer counts, even if a source brings it
    again, unless it was parsed later; the exit code is 1 if there is nothing to take back.
    """
    from smart_sync.admin import ingest
    from smart_sync.cli.output.data import show_forgotten, show_ingested

    if (file is None) == (forget is None and forget_source is None):
        raise click.UsageError("give a file, or --forget, or --forget-source")
    if file is not None and metric is not None:
        raise click.UsageError("--metric goes with --forget and --forget-source")
    _path, settings = load()
    if file is None:
        answer = asyncio.run(ingest.forget(settings, forget, forget_source, metric, utc_now()))
        show(answer, as_json, show_forgotten)
        return
    text = ingest.read_text(file, file.name)
    done = asyncio.run(ingest.ingest(settings.database.where, text, ingest.format_of(file.name, text), utc_now()))
    for mistake in done.mistakes:
        complain(f"{file.name}: {mistake}")
    show(done.answer(), as_json, show_ingested)
    sys.exit(SOME_FAILED if done.mistakes else 0)


@click.command(epilog=example("smart-sync backup view_counter.backup.db"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@config_option
def backup(file: Path, as_json: bool) -> None:
    """Copy the database to FILE, consistent and verified.

    The daemon and the web app go on meanwhile.
    """
    from smart_sync.admin.backup import back_up
    from smart_sync.cli.output.data import show_backup

    if str(file) == "-":
        raise click.UsageError("a backup is verified before it has its name, so it needs one; give a file, not -")
    _path, settings = load()
    show(back_up(settings.database.where, file), as_json, show_backup)


@click.command("migrate-store", epilog=example("smart-sync migrate-store view_counter.db env:DATABASE_URL"))
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path))
@click.argument("target", metavar="TO")
@json_option
def migrate_store(source: Path, target: str, as_json: bool) -> None:
    """Copy an SQLite database to PostgreSQL.

    FROM is the file, TO an empty database: env:NAME of a variable that holds its postgresql:// address.  Stop the
    daemon first.  Counts and sums are compared before anything is kept; nothing is changed in FROM.
    """
    from smart_sync.cli.output.data import show_moved
    from smart_sync.config import database_url
    from smart_sync.store.postgres.sqlite_to_postgres import move

    try:
        server = database_url.looked_up(target)
    except ValueError as error:
        raise click.UsageError(f"TO: {error}") from None
    moved = asyncio.run(move(source, server))
    answer = {"success": True, "to": str(server), "rows": moved.rows, "left": moved.left, "odd": moved.odd}
    show(answer | {"told": moved.odd_values}, as_json, show_moved)
