"""The commands about the numbers in the database; none of them needs the daemon."""

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO

import click

from smart_sync.cli.commands.common import SOME_FAILED, config_option, json_option, load, load_readable, show
from smart_sync.core.model import MAX_COUNT, METRICS
from smart_sync.logs import printable


@click.command()
@click.argument("account", metavar="LINK|@USERNAME")
@click.option("--metric", type=click.Choice(METRICS), help="One metric alone.")
@json_option
@config_option
def explain(account: str, metric: str | None, as_json: bool) -> None:
    """Say why the numbers of an account are what they are.

    Both sides, the rule, the winner, what happened when.
    """
    from smart_sync.cli import output
    from smart_sync.report import explain

    settings = load_readable()
    chosen = METRICS if metric is None else (metric,)
    show(asyncio.run(explain.explain(settings, account, chosen, _now())), as_json, output.show_explanations)


@click.command()
@click.argument("what", metavar="LINK|@USERNAME|PROJECT")
@click.option("--metric", type=click.Choice(METRICS), help="One metric alone.")
@json_option
@config_option
def confirm(what: str, metric: str | None, as_json: bool) -> None:
    """Say that what the last pass reported is meant.

    Of an account or of a whole project: rows that are gone, cells and columns that were emptied, suspect values,
    rows for which no account was created, a worksheet that is not there.  The next pass goes by it.
    """
    from smart_sync.admin import confirm as findings
    from smart_sync.cli import output

    _path, settings = load()
    show(asyncio.run(findings.confirm(settings, what, metric, _now())), as_json, output.show_confirmed)


@click.command()
@click.argument("account", metavar="LINK|@USERNAME")
@click.argument("metric", type=click.Choice(METRICS))
@click.argument("value", type=click.IntRange(0, MAX_COUNT), required=False)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The last day on which it counts."
)
@click.option("--why", default="", metavar="TEXT", help="For those who see it later.")
@json_option
@config_option
def pin(account: str, metric: str, value: int | None, until: datetime | None, why: str, as_json: bool) -> None:
    """Fix a value, whatever worksheet and parsers say.

    Without VALUE the one that it has.  It wins over everything until unpin takes it back, or the day has passed; the
    next pass goes by it.  In a worksheet the same is typed with a mark: 950!
    """
    from smart_sync.admin import pin as pins
    from smart_sync.cli import output
    from smart_sync.store.pin_requests import PinRequest

    _path, settings = load()
    asked = PinRequest(account, metric, value, until.date() if until else None, why)
    show(asyncio.run(pins.pin(settings, asked, _now())), as_json, output.show_pinned)


@click.command()
@click.argument("account", metavar="LINK|@USERNAME")
@click.argument("metric", type=click.Choice(METRICS), required=False)
@json_option
@config_option
def unpin(account: str, metric: str | None, as_json: bool) -> None:
    """Take back a pin, or all of an account.

    Worksheet and parsers decide again, from the next pass on.  The mark of a cell is taken away in the worksheet.
    """
    from smart_sync.admin import pin as pins
    from smart_sync.cli import output

    _path, settings = load()
    show(asyncio.run(pins.unpin(settings, account, metric)), as_json, output.show_unpinned)


@click.command()
@json_option
@config_option
def pins(as_json: bool) -> None:
    """List the values that people have pinned."""
    from smart_sync.admin import pin
    from smart_sync.cli import output

    show(asyncio.run(pin.listed(load_readable())), as_json, output.show_pins)


@click.command()
@click.option("--project", metavar="P", help="One project: its id or name.")
@click.option("--failed", is_flag=True, help="Only passes with a failed project (degraded is not failed), or cut off.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many passes.")
@json_option
@config_option
def history(project: str | None, failed: bool, limit: int, as_json: bool) -> None:
    """List the last passes: who asked, outcome, how long it took."""
    from smart_sync.admin import history as history_of
    from smart_sync.cli import output

    settings = load_readable()
    answer = asyncio.run(history_of.history(settings.database.where, limit, project, failed=failed))
    show(answer, as_json, output.show_history)


@click.command()
@click.argument("project", required=False)
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How far back.")
@click.option("--metric", type=click.Choice(METRICS), default="views", show_default=True)
@json_option
@config_option
def growth(project: str | None, days: int, metric: str, as_json: bool) -> None:
    """Show growth per account, project and platform.

    PROJECT is an id or a name; without it, all active projects.
    """
    from smart_sync.admin import history as history_of
    from smart_sync.cli import output

    _path, settings = load()
    answer = asyncio.run(history_of.growth(settings.database.where, project, metric, days, _now()))
    show(answer, as_json, output.show_growth)


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.File("wb", atomic=True),
    default="growth.html",
    show_default=True,
    help="The file to write; - is standard output.",
)
@click.option("--project", metavar="P", help="One project alone: its id or name.  [default: all active projects]")
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="Days that the charts show.")
@config_option
def report(output: IO[bytes], project: str | None, days: int) -> None:
    """Write the growth as one HTML file that opens from disk."""
    from smart_sync import report as growth
    from smart_sync.core.days import stamp

    _path, settings = load()
    now = _now()
    page = growth.make(settings.database.where, project, days, now, settings.vote_terms(stamp(now)))
    output.write(page)
    click.echo(f"smart-sync: {output.name}: {len(page):,} bytes", err=True)


@click.group()
def snapshots() -> None:
    """Fix the snapshots of past days."""


def _value_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for each metric."""
    for metric in reversed(METRICS):
        command = click.option(f"--{metric}", type=click.IntRange(0, MAX_COUNT), help="What it was that day.")(command)
    return command


@snapshots.command("repair")
@click.argument("account", metavar="LINK|@USERNAME")
@click.argument("day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD")
@_value_options
@json_option
@config_option
def snapshots_repair(account: str, day: datetime, as_json: bool, **values: int | None) -> None:
    """Correct what Smart Sync wrote on a past day, such as a typo that stood at midnight.

    Only its own snapshot of that day; explain shows what it said before.
    """
    from smart_sync.admin import snapshot_repair
    from smart_sync.cli import output

    _path, settings = load()
    typed = {metric: value for metric, value in values.items() if value is not None}
    if not typed:
        raise click.UsageError("say what it should have been, such as --views 1200")
    answer = asyncio.run(snapshot_repair.repair(settings, account, day.date(), typed, _now()))
    show(answer, as_json, output.show_repaired)


@click.command()
@click.argument("file", type=click.File("rb"), metavar="[FILE|-]", required=False)
@click.option("--forget", metavar="LINK|@USERNAME", help="Take back the parsed values of an account.")
@click.option("--forget-source", metavar="NAME", help="Take back the parsed values of a source.")
@click.option("--metric", type=click.Choice(METRICS), help="Take back one metric alone.")
@json_option
@config_option
def ingest(
    file: BinaryIO | None, forget: str | None, forget_source: str | None, metric: str | None, as_json: bool
) -> None:
    """Store parsed values from a file, or take some back.

    CSV or JSON lines; the next pass merges them.  Lines that cannot be used are named on standard error and left
    out; the exit code is then 4.  What is taken back counts no more, whichever source brings it again, unless
    it was parsed later; where there is nothing to take back, the exit code is 1.
    """
    from smart_sync.admin import ingest
    from smart_sync.cli import output

    if (file is None) == (forget is None and forget_source is None):
        raise click.UsageError("give a file, or --forget, or --forget-source")
    if file is not None and metric is not None:
        raise click.UsageError("--metric goes with --forget and --forget-source")
    _path, settings = load()
    if file is None:
        answer = asyncio.run(ingest.forget(settings, forget, forget_source, metric, _now()))
        show(answer, as_json, output.show_forgotten)
        return
    text = ingest.read_text(file, file.name)
    done = asyncio.run(ingest.ingest(settings.database.where, text, ingest.format_of(file.name, text), _now()))
    for mistake in done.mistakes:
        click.echo(f"smart-sync: {printable(file.name)}: {printable(mistake)}", err=True)
    show(done.answer(), as_json, output.show_ingested)
    sys.exit(SOME_FAILED if done.mistakes else 0)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@config_option
def backup(file: Path, as_json: bool) -> None:
    """Copy the database to FILE, consistent and verified.

    The daemon and the web app go on meanwhile.
    """
    from smart_sync.admin.backup import back_up

    if str(file) == "-":
        raise click.UsageError("a backup is verified before it has its name, so it needs one; give a file, not -")
    _path, settings = load()
    made = back_up(settings.database.where, file).answer()
    show(made, as_json, lambda answer: click.echo(f"{answer['path']}: {answer['bytes']} bytes, verified"))


@click.command("migrate-store")
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path))
@click.argument("target", metavar="TO")
@json_option
def migrate_store(source: Path, target: str, as_json: bool) -> None:
    """Copy an SQLite database to PostgreSQL.

    FROM is the file, TO an empty database: env:NAME of a variable that holds its postgresql:// address.  Stop the
    daemon first.  Counts and sums are compared before anything is kept; nothing is changed in FROM.
    """
    from smart_sync.cli import output
    from smart_sync.config import database_url
    from smart_sync.store.postgres.moving import move

    try:
        server = database_url.looked_up(target)
    except ValueError as error:
        raise click.UsageError(f"TO: {error}") from None
    moved = asyncio.run(move(source, server))
    answer = {"success": True, "to": str(server), "rows": moved.rows, "left": moved.left, "odd": moved.odd}
    show(answer | {"told": moved.told}, as_json, output.show_moved)


def _now() -> datetime:
    return datetime.now(UTC)
