"""Accounts that are created again after the web app has deleted them, while their stored values still exist.

It is the same profile in the same project, so it goes on where it ended.  A pass finds what is left once it has made
the account; a dry run makes none, and asks here.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

from smart_sync.core.model import Account
from smart_sync.store import pin_rows, vote_records
from smart_sync.store.account_states import ACCOUNTS, Stored
from smart_sync.store.engine import Database

_OF_NOBODY = ACCOUNTS.format(
    source=(
        "(SELECT value AS id, '' AS platform, '' AS username, '' AS profile_link, 1 AS is_active FROM json_each(?)) a"
        " CROSS JOIN (SELECT '' AS value) wanted"
    ),
    added_at="NULL",
    where="coalesce(s.account_id, p.account_id, m.account_id, n.account_id) IS NOT NULL",
)
#: Columns of a row of `ACCOUNTS`: the account's own come first, its project's id is the last but one.
_OWN, _PROJECT = 5, -2


async def with_remains(database: Database, stored: Stored, accounts: Sequence[Account]) -> Stored:
    """``stored``, and what is left of ``accounts``, which the database has not; nothing is added for one without."""
    new = {account.id: account for account in accounts}
    ids = json.dumps([*new])
    rows = {project_id: [*several] for project_id, several in stored.rows.items()}
    for row in await database.fetch(_OF_NOBODY, (ids,)):
        one = new[row[0]]
        own = (one.id, one.platform, one.username, one.link, 1)
        rows[one.project_id].append((*own, *row[_OWN:_PROJECT], one.project_id, *row[_PROJECT + 1 :]))
    known = await vote_records.gather(database, "account_id IN (SELECT value FROM json_each(?))", (ids,))
    return replace(
        stored,
        rows=rows,
        known=vote_records.VoteRecords({**stored.known.said, **known.said}, {**stored.known.past, **known.past}),
        pins={**stored.pins, **await pin_rows.of_accounts(database, [*new])},
    )
