"""The commands that test things and change no number: check, parse, webhooks."""

import asyncio
import sys

import click

from smart_sync.cli.commands.common import config_option, example, json_option, load, show
from smart_sync.errors import ConfigError


@click.command(epilog=example("smart-sync check --offline"))
@click.option("--offline", is_flag=True, help="Ask no platform: leave the parsers out.")
@click.option("--drill", is_flag=True, help="Make mistakes in a copy, and show who would be notified of each.")
@json_option
@config_option
def check(offline: bool, drill: bool, as_json: bool) -> None:
    """Report everything that is wrong, in one run; change nothing.

    Looks at configuration, credentials, database and worksheets, asks each parser about one account, and shows the
    resulting merge rules.  With --drill it makes one mistake of each kind in a copy of the largest project (a digit
    missing, the neighbour's row, a column emptied), and shows for each which alarm there would be, and for whom.

    The exit code is 1 if something is wrong that keeps numbers from being right; warnings leave it at 0.
    """
    from smart_sync import logs
    from smart_sync.admin import checks
    from smart_sync.cli.output.diagnostics import show_check

    _path, settings = load()
    logs.configure(settings.log.format, "error", sys.stderr)
    logs.adopt_libraries()
    report = asyncio.run(checks.check(settings, offline=offline, drilled=drill))
    show(report.answer(), as_json, show_check)
    sys.exit(report.exit_code)


@click.command(epilog=example("smart-sync parse https://www.tiktok.com/@nova"))
@click.argument("links", nargs=-1, metavar="[LINK...]")
@click.option("--tokens", is_flag=True, help="Show the parsers' tokens: kind, end, and whether they work.")
@json_option
@config_option
def parse(links: tuple[str, ...], tokens: bool, as_json: bool) -> None:
    """Ask the parsers about a few links now; store no number.

    Shows each platform's answer, as metrics and raw.  The exit code is 1 if a parser got no value, or a token ended.
    """
    from smart_sync import logs
    from smart_sync.admin.checks.parser_trials import parse_links, token_overview
    from smart_sync.cli.output.diagnostics import show_inspections, show_tokens

    _path, settings = load()
    logs.configure(settings.log.format, "error", sys.stderr)
    if tokens:
        if links:
            raise click.UsageError("give either links or --tokens")
        overview = asyncio.run(token_overview(settings))
        show(overview, as_json, show_tokens)
        sys.exit(0 if overview["success"] else 1)
    if not links:
        raise click.UsageError("Missing argument 'LINK...'.")
    answer = asyncio.run(parse_links(settings, links))
    show(answer, as_json, show_inspections)
    sys.exit(0 if answer["success"] else 1)


@click.group(invoke_without_command=True, epilog=example("smart-sync webhooks"))
@json_option
@config_option
@click.pass_context
def webhooks(context: click.Context, as_json: bool) -> None:
    """List the webhooks and targets, and their newest deliveries."""
    if context.invoked_subcommand is not None:
        return
    from smart_sync.admin import webhooks as queue
    from smart_sync.cli.output.diagnostics import show_webhooks

    _path, settings = load()
    show(asyncio.run(queue.overview(settings)), as_json, show_webhooks)


@webhooks.command("test", epilog=example("smart-sync webhooks test"))
@json_option
@config_option
def webhooks_test(as_json: bool) -> None:
    """Send each webhook and target a message now.

    One that accepts it and was disabled is enabled again.  The exit code is 1 if one did not accept it.
    """
    from smart_sync import logs
    from smart_sync.admin import webhooks as queue
    from smart_sync.cli.output.diagnostics import show_webhook_tests

    path, settings = load()
    if not (settings.webhooks or settings.notify.targets):
        raise ConfigError((f"{path}: webhooks: there is none to test; add [[webhooks]] or [[notify.targets]]",))
    logs.configure(settings.log.format, "error", sys.stderr)
    logs.adopt_libraries()
    answer = asyncio.run(queue.send_tests(settings))
    show(answer, as_json, show_webhook_tests)
    sys.exit(0 if answer["success"] else 1)
