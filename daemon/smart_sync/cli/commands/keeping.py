"""The commands that keep and move the database as a whole: backup, migrate-store."""

import asyncio
from pathlib import Path

import click

from smart_sync.cli.commands.common import config_option, example, json_option, load, show


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
    made = back_up(settings.database.where, file).answer()
    show(made, as_json, show_backup)


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
    from smart_sync.store.postgres.moving import move

    try:
        server = database_url.looked_up(target)
    except ValueError as error:
        raise click.UsageError(f"TO: {error}") from None
    moved = asyncio.run(move(source, server))
    answer = {"success": True, "to": str(server), "rows": moved.rows, "left": moved.left, "odd": moved.odd}
    show(answer | {"told": moved.told}, as_json, show_moved)
