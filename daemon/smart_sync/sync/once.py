"""One pass without a daemon: for cron and Python callers."""

import asyncio

from smart_sync.config import Settings
from smart_sync.core.answers import SyncAnswer
from smart_sync.core.model import Trigger
from smart_sync.errors import SmartSyncError
from smart_sync.store import instance_lock, parser_records
from smart_sync.store.engine import StoreError
from smart_sync.store.requested_project import choose
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import allow_threads, opened, report_projects
from smart_sync.sync.sync_pass import PassRequest, SyncPass

#: Seconds that a process which ends after its pass waits for those who are told of it.
TELLING = 10.0


def once(
    settings: Settings,
    project: str | None = None,
    *,
    patience: float = 0.0,
) -> SyncAnswer:
    """Run a pass without a daemon, over one project (id or name) or all; answers as the control channel does.

    Raises `Busy` if another pass holds the database for longer than ``patience`` seconds, or a daemon holds it, and
    other `SmartSyncError`.
    """
    with instance_lock.InstanceLock() as instance:
        instance.take(settings.database.where, patience=patience)
        try:
            return asyncio.run(_once(settings, project, patience))
        except StoreError as error:
            raise error.meaning from None


async def _once(settings: Settings, project: str | None, patience: float) -> SyncAnswer:
    allow_threads()
    async with opened(settings, Reporter(), waiting=patience) as resources:
        await report_projects(resources)
        choice = None if project is None else await choose(resources.database, project, by_name=True)
        if choice is not None and choice.project is None:
            return choice.refusal
        chosen = choice.project if choice else None
        ids = frozenset([chosen.id]) if chosen else None
        try:
            result = await SyncPass(resources).run(PassRequest(Trigger.CLI, ids))
        except SmartSyncError:
            await resources.ping.flush(TELLING)
            raise
        await resources.digest.tell_if_due()
        await asyncio.gather(resources.ping.flush(TELLING), resources.webhooks.flush(TELLING))
        if chosen is None or choice is None:
            names = {str(parser["parser"]) for parser in resources.parsers()}
            failing = parser_records.to_tell(await parser_records.failing(resources.database), names)
            return {
                **result.answer(),
                "refused_projects": dict(resources.announce.refused_projects),
                "warnings": [f"parser {one}" for one in failing],
            }
        project_result = result.of(chosen.id)
        # It may have been switched off since it was chosen.
        return (
            choice.with_note(project_result.answer())
            if project_result
            else (await choose(resources.database, chosen.id)).refusal
        )
