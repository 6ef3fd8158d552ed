"""The commands about pins: pin, unpin, pins."""

import asyncio
from datetime import UTC, datetime

import click

from smart_sync.cli.commands.common import config_option, example, json_option, load, load_readable, show
from smart_sync.cli.complete import account_names
from smart_sync.core.model import MAX_COUNT, METRICS


@click.command(epilog=example('smart-sync pin nova views 950 --until 2026-12-31 --why "counted by hand"'))
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
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

    ACCOUNT is a link, a name or an id.  Without VALUE the one that it has.  It wins over everything until unpin takes
    it back, or the day has passed; the next pass goes by it.  In a worksheet the same is typed with a mark: 950!
    """
    from smart_sync.admin import pin as pins
    from smart_sync.cli import output
    from smart_sync.store.pin_requests import PinRequest

    _path, settings = load()
    asked = PinRequest(account, metric, value, until.date() if until else None, why)
    show(asyncio.run(pins.pin(settings, asked, datetime.now(UTC))), as_json, output.show_pinned)


@click.command(epilog=example("smart-sync unpin nova views"))
@click.argument("account", metavar="ACCOUNT", shell_complete=account_names)
@click.argument("metric", type=click.Choice(METRICS), required=False)
@json_option
@config_option
def unpin(account: str, metric: str | None, as_json: bool) -> None:
    """Take back a pin, or all of an account.

    ACCOUNT is a link, a name or an id.  Worksheet and parsers decide again, from the next pass on.  The mark of a cell
    is taken away in the worksheet.
    """
    from smart_sync.admin import pin as pins
    from smart_sync.cli import output

    _path, settings = load()
    show(asyncio.run(pins.unpin(settings, account, metric)), as_json, output.show_unpinned)


@click.command(epilog=example("smart-sync pins"))
@json_option
@config_option
def pins(as_json: bool) -> None:
    """List the values that people have pinned."""
    from smart_sync.admin import pin
    from smart_sync.cli import output

    show(asyncio.run(pin.listed(load_readable())), as_json, output.show_pins)


COMMANDS = (pin, unpin, pins)
