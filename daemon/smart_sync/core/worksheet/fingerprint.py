"""A short digest of a worksheet: the same digest, the same cells."""

import hashlib
import marshal

from smart_sync.core.model import Worksheet
from smart_sync.core.worksheet.grid import Grid


def fingerprint(worksheet: Worksheet) -> bytes:
    """The digest of all that a worksheet says."""
    digest = hashlib.blake2b(digest_size=16)
    if worksheet.links:
        digest.update(marshal.dumps(sorted(worksheet.links.items()), 2))
    if isinstance(worksheet.rows, Grid):
        digest.update(marshal.dumps((worksheet.title, worksheet.locale), 2))
        for text in worksheet.rows.texts():
            digest.update(text)
        return digest.digest()
    # marshal is the fastest serialisation of plain lists; version 2, because later ones write
    # back-references that depend on which objects happen to be shared.
    digest.update(marshal.dumps((worksheet.title, worksheet.locale, [[*row] for row in worksheet.rows]), 2))
    return digest.digest()
