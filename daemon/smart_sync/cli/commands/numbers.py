"""The commands that show numbers of the database; they need no daemon and change nothing."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smart_sync.cli.commands.common import (
    complain,
    config_option,
    example,
    json_option,
    load,
    load_readable,
    printing,
    show,
)
from smart_sync.cli.complete import account_names, project_names
from smart_sync.clock import utc_now
from smart_sync.core.history.growth import SORTS
from smart_sync.core.model import METRICS

if TYPE_CHECKING:
    from smart_sync.core.notices.phrases import Language
    from smart_sync.report.inputs import Audience


@click.command(epilog=example("smart-sync explain nova --metric views --days 30"))
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.option("--metric", type=click.Choice(METRICS), help="One metric alone.")
@click.option(
    "--days", type=click.IntRange(1, 3660), metavar="N", default=7, show_default=True, help="Days of history."
)
@click.option("--all", "everything", is_flag=True, help="The whole history.")
@json_option
@config_option
def explain(account: str, metric: str | None, days: int, everything: bool, as_json: bool) -> None:
    """Say why the numbers of an account are what they are.

    ACCOUNT is a link, a name or an id.  Shows a sentence for each metric, both sides, the rule and the winner, the last
    days, and what was typed into the worksheet.
    """
    from smart_sync.cli.output.explanation import show_explanations
    from smart_sync.report import explain

    settings = load_readable()
    chosen = METRICS if metric is None else (metric,)
    past = explain.ALL_DAYS if everything else days
    show(asyncio.run(explain.explain(settings, account, chosen, utc_now(), past)), as_json, show_explanations)


@click.command(epilog=example("smart-sync history --failed --limit 5"))
@click.option("--project", metavar="P", shell_complete=project_names, help="One project: its id or name.")
@click.option("--failed", is_flag=True, help="Only passes with a failed project (degraded is not failed), or cut off.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), metavar="N", default=20, show_default=True, help="How many passes."
)
@json_option
@config_option
def history(project: str | None, failed: bool, limit: int, as_json: bool) -> None:
    """List the last passes: who asked, outcome, how long it took."""
    from smart_sync.admin import history as history_of
    from smart_sync.cli.output.data import show_history

    settings = load_readable()
    answer = asyncio.run(history_of.history(settings.database.where, limit, project, failed=failed))
    show(answer, as_json, show_history)


@click.command(epilog=example('smart-sync growth "Spring Launch" --days 7 --top 5'))
@click.argument("project", required=False, shell_complete=project_names)
@click.option(
    "--days", type=click.IntRange(1, 3660), metavar="N", default=30, show_default=True, help="Days to look back."
)
@click.option("--metric", type=click.Choice(METRICS), default="views", show_default=True, help="What has grown.")
@click.option("--sort", type=click.Choice(SORTS), default="growth", show_default=True, help="The order of accounts.")
@click.option("--top", type=click.IntRange(1), metavar="N", help="The first N accounts of each project.")
@json_option
@config_option
def growth(project: str | None, days: int, metric: str, sort: str, top: int | None, as_json: bool) -> None:
    """Show growth per account, project and platform.

    PROJECT is an id or a name; without it, all active projects.
    """
    from smart_sync.admin import history as history_of
    from smart_sync.cli.output.growth_table import show_growth
    from smart_sync.core.days import stamp

    _path, settings = load()
    path, now = settings.database.where, utc_now()
    vote_terms = settings.vote_terms(stamp(now))
    answer = asyncio.run(history_of.growth(path, project, metric, days, now, vote_terms, sort=sort, top=top))
    show(answer, as_json, show_growth)


@click.command(epilog=example('smart-sync report --project "Spring Launch" -o spring.html'))
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True, path_type=Path),
    default="growth.html",
    show_default=True,
    help="The file to write; - is standard output.",
)
@click.option(
    "--project",
    metavar="P",
    shell_complete=project_names,
    help="One project alone: its id or name.  [default: all active projects]",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    metavar="N",
    default=90,
    show_default=True,
    help="Days that the charts show.",
)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="The first day, in place of --days.")
@click.option(
    "--for",
    "audience",
    type=click.Choice(["manager", "operator"]),
    default="manager",
    show_default=True,
    help="An operator is shown passes and outcomes too.",
)
@click.option("--lang", type=click.Choice(["en", "ru"]), default="en", show_default=True, help="The language.")
@click.option(
    "--csv", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Also CSV files, into DIR."
)
@click.option("--title", default="", help='The heading.  [default: "Growth"]')
@config_option
def report(
    output: Path, project: str | None, days: int, since: datetime | None, audience: "Audience", lang: "Language",
    title: str, folder: Path | None,
) -> None:  # fmt: skip
    """Write the growth as one HTML file that opens from disk.

    It shows whether each project is on target, its totals, and what to correct.  Days and times are in [schedule]
    timezone.
    """
    from smart_sync.core.days import day_of, stamp
    from smart_sync.report import build, csv_tables, query
    from smart_sync.report.inputs import Options

    _path, settings = load()
    now = utc_now()
    if since is not None and since.date().isoformat() > day_of(now, settings.schedule.timezone).label:
        raise click.UsageError("--since lies ahead; give a day that has been")
    options = Options(
        audience, lang, settings.schedule.timezone, title, since.date() if since else None, settings.lifetime_sources()
    )
    path, vote_terms = settings.database.where, settings.vote_terms(stamp(now))
    facts = asyncio.run(query.read(path, project, days, now, vote_terms, options))
    if folder is not None:
        csv_tables.write(folder, csv_tables.tables(facts, days, options.since, options.lifetime))
    page = build.page(facts, days, now, options).encode()
    if str(output) == "-":
        with printing():
            sys.stdout.buffer.write(page)
            sys.stdout.buffer.flush()
        return
    csv_tables.write_page(output, page)
    complain(f"{output}: {len(page):,} bytes")
