"""A short digest of a worksheet: the same digest, the same cells."""

import hashlib
import marshal

from smart_sync.core.model import Worksheet


def fingerprint(worksheet: Worksheet) -> bytes:
    """The digest of all that a worksheet says."""
    # marshal is the fastest serialisation of plain lists; version 2, because later ones write
    # back-references that depend on which objects happen to be shared.
    cells = marshal.dumps((worksheet.title, worksheet.locale, worksheet.rows), 2)
    return hashlib.blake2b(cells, digest_size=16).digest()
