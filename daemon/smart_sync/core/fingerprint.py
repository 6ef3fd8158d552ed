"""A short digest of all that a plan is decided from: the same digest, the same decision."""

import hashlib
import marshal
from collections.abc import Sequence

from smart_sync.core.model import Worksheet
from smart_sync.core.plan import Plan
from smart_sync.core.state import AccountState


def fingerprint(worksheet: Worksheet, states: Sequence[AccountState], day: str) -> bytes:
    """The digest of a worksheet, what SQLite holds of its accounts, and the day."""
    digest = hashlib.blake2b(digest_size=16)
    # marshal is the fastest serialisation of plain lists; version 2, because later ones write
    # back-references that depend on which objects happen to be shared.
    digest.update(marshal.dumps((worksheet.title, worksheet.locale, worksheet.rows, day), 2))
    digest.update(marshal.dumps([_plain(state) for state in states], 2))
    return digest.digest()


def _plain(s: AccountState) -> tuple[object, ...]:
    return (
        *(s.id, s.platform, s.username, s.link, s.active, s.sheet_row, s.rounded, tuple(s.winners)),
        *(None if metrics is None else tuple(metrics) for metrics in (s.sheet, s.parsed, s.merged, s.seen)),
    )


def after(plan: Plan, states: Sequence[AccountState]) -> list[AccountState]:
    """What the next pass finds of the accounts when ``plan`` has been written and nobody else has written."""
    sheet = {row.account_id: row for row in plan.sheet}
    merged = {row.account_id: row for row in plan.merged}
    gone, seen = set(plan.sheet_gone), dict(plan.seen)
    found = []
    for was in states:
        state = was
        if state.id in merged:
            row = merged[state.id]
            winners = tuple([winner and str(winner) for winner in row.winners])  # as SQLite gives them back
            state = state._replace(merged=row.values, winners=winners)
        if state.id in sheet:
            state = state._replace(sheet=sheet[state.id].metrics, sheet_row=sheet[state.id].row)
        elif state.id in gone:
            state = state._replace(sheet=None, sheet_row=None)
        if state.id in seen:
            state = state._replace(seen=seen[state.id])
        found.append(state)
    return found
