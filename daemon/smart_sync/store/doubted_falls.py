"""Falls of followers that one read alone has found: the table ``doubted_falls``."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from smart_sync.core.explain_answer import WithoutVote
from smart_sync.core.merge.falls import ONE_READ
from smart_sync.core.parsed import OWN, ParsedValue
from smart_sync.core.state import as_text
from smart_sync.store.engine import Database, Reader, Transaction, upsert

#: An account, a metric, and who says so.
Place = tuple[str, str, str]

_PUT = upsert("doubted_falls", "account_id, metric, source, value, parsed_at", "account_id, metric, source")
_OF = "SELECT account_id, metric, source, value, parsed_at FROM doubted_falls WHERE account_id IN"


async def read(source: Reader, account_ids: Iterable[str]) -> dict[Place, ParsedValue]:
    """Those of some accounts."""
    rows = await source.fetch(f"{_OF} (SELECT value FROM json_each(?))", (json.dumps(sorted(account_ids)),))
    return {
        (account_id, metric, who): ParsedValue(metric, value, as_text(at), who, False, "", OWN)
        for account_id, metric, who, value, at in rows
    }


async def keep(transaction: Transaction, waiting: Mapping[Place, ParsedValue], over: Collection[Place]) -> None:
    """Remember the falls that wait for a second read, and forget those that are ``over``."""
    await transaction.execute_many(
        "DELETE FROM doubted_falls WHERE account_id = ? AND metric = ? AND source = ?", sorted(over)
    )
    await transaction.execute_many(_PUT, [(*place, one.value, one.at or "") for place, one in waiting.items()])


async def of_account(database: Database, account_id: str, metrics: Sequence[str]) -> list[WithoutVote]:
    """Those of an account, as ``explain`` lists values without a vote."""
    found = await read(database, [account_id])
    return [
        {"metric": metric, "value": one.value, "source": who, "parsed_at": one.at, "reason": ONE_READ}
        for (_, metric, who), one in sorted(found.items())
        if metric in metrics
    ]
