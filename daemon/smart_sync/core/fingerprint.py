"""A short digest of all that a plan is decided from: the same digest, the same decision."""

import hashlib
import marshal
from collections.abc import Sequence

from smart_sync.core.model import Worksheet
from smart_sync.core.state import AccountState


def fingerprint(worksheet: Worksheet, states: Sequence[AccountState], *context: str) -> bytes:
    """The digest of a worksheet, the accounts, their parsed values, and ``context`` (the day, the configuration)."""
    digest = hashlib.blake2b(digest_size=16)
    # marshal is the fastest serialisation of plain lists; version 2, because later ones write
    # back-references that depend on which objects happen to be shared.
    digest.update(marshal.dumps((worksheet.title, worksheet.locale, worksheet.rows, context), 2))
    inputs = [
        (s.id, s.platform, s.username, s.link, s.active, tuple(s.parsed) if s.parsed else None, s.rounded)
        for s in states
    ]
    digest.update(marshal.dumps(inputs, 2))
    return digest.digest()
