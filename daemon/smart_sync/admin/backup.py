"""``smart-sync backup FILE``: a consistent copy of the database, made while others keep writing."""

import os
from pathlib import Path

from smart_sync.config.database_url import Location, Server
from smart_sync.core.command_answers import BackupAnswer
from smart_sync.errors import DatabaseUnusable, SmartSyncError
from smart_sync.store.sqlite import file_copy


def back_up(database: Location, target: Path) -> BackupAnswer:
    """Copy ``database`` to ``target``, which must not exist; only its owner may read it (mode 0600).

    The name appears when the copy is whole, verified and on the disk.  With WAL nobody waits for it.
    Raises `SmartSyncError`, and then leaves nothing behind.
    """
    if isinstance(database, Server):
        raise SmartSyncError(
            f"{database}: a server's database is backed up by its own tool: {database.dump_command(str(target))}"
        )
    if not database.exists():
        raise DatabaseUnusable(
            f"{database}: there is no database yet; check [database] path", trouble="database-missing"
        )
    if os.path.lexists(target):
        raise SmartSyncError(f"{target}: exists already, and a backup overwrites nothing; name another file")
    file_copy.copy(database, target)
    return {"success": True, "path": str(target), "bytes": target.stat().st_size}
