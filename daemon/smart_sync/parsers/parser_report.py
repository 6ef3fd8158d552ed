"""What a pass of one parser came to, counted and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from smart_sync.core.results.parser_health import Attempt
from smart_sync.core.wording import counted

#: So many reasons are told, each with an account; accounts with others are counted.
MAX_REASONS = 3


@dataclass(slots=True)
class ParserReport:
    """What a pass of one parser came to."""

    parser: str
    fetched: int = 0
    #: Accounts the source does not have or show.
    missing: int = 0
    #: Those of the missing that were known for it: they are asked about ever more rarely.
    known_missing: int = 0
    failed: int = 0
    #: Accounts that it did not come to, as its rate or budget let no more through.
    left: int = 0
    #: Those of the failed that had failed the last time, too.
    known_failed: int = 0
    calls: int | None = None
    quota_left: str | None = None
    seconds: float = 0.0
    #: Why it could not go on, or else what was wrong with the accounts that were not read whole; else empty.
    reason: str = ""
    #: It went through all accounts that were due.
    finished: bool = False

    def attempt(self) -> Attempt:
        """The same as `core.results.parser_health` judges it."""
        return Attempt(
            self.parser,
            self.fetched,
            self.missing,
            self.known_missing,
            self.failed,
            self.finished,
            self.reason,
            self.known_failed,
        )


def told(troubles: Mapping[str, Sequence[str]]) -> str:
    """What was wrong, each reason once, with the first account's link and how many more there are."""
    shown = []
    for reason, links in islice(troubles.items(), MAX_REASONS):
        more = f" (and {counted(len(links) - 1, 'more account')})" if len(links) > 1 else ""
        shown.append(f"{links[0]}: {reason}{more}")
    rest = sum(map(len, troubles.values())) - sum(map(len, islice(troubles.values(), MAX_REASONS)))
    return "; ".join([*shown, f"{counted(rest, 'account')} for other reasons"] if rest else shown)
