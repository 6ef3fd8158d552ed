"""Falls of followers that one read of a parser has found: they count when a second read finds them too.

A platform's answer is wrong now and then: a large account shows a tenth of its followers for an hour.  No large account
loses more than a tenth of them from one read to the next, so the last value stays until two reads have agreed.
"""

from typing import Final

from smart_sync.core.parsed import OWN, ParsedValue

#: Smaller accounts lose followers by the tenth.
LARGE: Final = 100_000
#: What part of them may be lost in one read.
_SHARE: Final = 0.1
#: In one line, why such a value has no vote yet.
ONE_READ: Final = "a fall by more than 10 % that one read alone has found"


def is_doubtful(there: ParsedValue, given: ParsedValue) -> bool:
    """Whether ``given`` is such a fall from what the same source said last, which is ``there``."""
    return (
        given.metric == "followers"
        and there.place == given.place == OWN
        and there.value >= LARGE
        and given.value < there.value * (1 - _SHARE)
    )


def must_wait(there: ParsedValue, given: ParsedValue, doubted: ParsedValue | None) -> bool:
    """Whether ``given`` does not count yet; ``doubted`` is the fall that an earlier read has found, if one did.

    The same read brought twice is one read.
    """
    if not is_doubtful(there, given):
        return False
    return doubted is None or not is_doubtful(there, doubted) or (given.at or "") <= (doubted.at or "")
