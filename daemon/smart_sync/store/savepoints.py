"""Writing together, and where that is refused apart: what one part does wrong is not the others' loss."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from smart_sync.store.engine import OF_THE_WHOLE, StoreError, Transaction

T = TypeVar("T")
R = TypeVar("R")


async def together_or_apart(
    transaction: Transaction, whole: T, parts: Callable[[T], Iterable[T]], write: Callable[[T], Awaitable[R]]
) -> tuple[list[R], list[tuple[T, str]]]:
    """What ``write`` returned, for the whole or for each part of it, and the parts that were refused, with the reason.

    ``parts`` divides what was refused; a part that it cannot divide any further (it gives none) is left out, and leaves
    nothing behind.  Raises `StoreError` if the file is in trouble, or if it has ended the transaction, which must
    then be given up.
    """
    done, reason = await _try(transaction, whole, write)
    if not reason:
        return done, []
    refused, smaller = [], list(parts(whole))
    for part in smaller:
        more, worse = await together_or_apart(transaction, part, parts, write)
        done += more
        refused += worse
    return done, refused if smaller else [(whole, reason)]


async def _try(transaction: Transaction, part: T, write: Callable[[T], Awaitable[R]]) -> tuple[list[R], str]:
    """What ``write`` returned, or why ``part`` was refused."""
    await transaction.execute("SAVEPOINT part")
    try:
        done, reason = [await write(part)], ""
    except StoreError as error:
        if not transaction.open or isinstance(error, OF_THE_WHOLE):
            raise
        await transaction.execute("ROLLBACK TO part")
        done, reason = [], str(error) or type(error).__name__
    await transaction.execute("RELEASE part")
    return done, reason
