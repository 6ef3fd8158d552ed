"""Whether a parser is failing, judged by its passes; reported once when it begins and once when it ends."""

from dataclasses import dataclass
from enum import StrEnum

from smart_sync.core.days import seconds_between
from smart_sync.core.trouble_codes import Code

#: A parser that got nothing of so many accounts is failing, whatever the reason.
MANY = 5
#: Code → words of the reasons that have it, for a reason is on record without its code; the first that matches counts.
_WORDS: dict[Code, tuple[str, ...]] = {
    "google-api-off": ("enable the YouTube Data API",),
    "parsed-values": (
        *("a parsed_at that is no time", "has brought no parsed value since", "there is no file"),
        *("is not a text file in UTF-8", "has a time that no calendar has", "] path", "has no values: "),
    ),
    "csv-file": (" cannot be read: ",),
    "campaign-unclear": (
        *("counts the lifetime", "campaign cannot be counted", "its campaign is not counted", "which videos"),
    ),
    "token-ended": (
        *("refuses the token", "is dead", "grant a new one", "could not be renewed", "the tokens of [parsers."),
        *("parse --tokens", "not a file of tokens"),
    ),
    "parser-quota": (
        *("quota of the day is used up", "the budget of", "the rate of", "too many calls", "asks again at"),
        *("wants to be paid",),
    ),
    "parser-key": (
        *("refuses the credentials", "refuses the key", "refuses the app", "refuses: "),
        *("in a row; if that holds", "] headers, query or key"),
    ),
    "parser-terms": ("accepted = true",),
    "account-gone": (
        *("the platform does not have it", "does not show it", "has no such", "the answer has no row for it"),
    ),
}  # fmt: skip


def trouble_of(reason: str) -> Code:
    """The code of the trouble that a parser's ``reason`` to fail tells of."""
    return next((code for code, words in _WORDS.items() if any(word in reason for word in words)), "parser-failed")


class Verdict(StrEnum):
    """The report due about a parser."""

    FAILED = "parser.failed"
    RECOVERED = "parser.recovered"


@dataclass(slots=True)
class Attempt:
    """The result of one pass of a parser, counted while it runs; counts are accounts."""

    parser: str
    fetched: int = 0
    #: Accounts that the source does not have or show.
    missing: int = 0
    #: Those of them that were known for that: these are asked about ever more rarely.
    known_missing: int = 0
    failed: int = 0
    #: It went through all accounts that were due.
    finished: bool = False
    #: Why it could not go on, or else what was wrong with the accounts that were not read whole; else empty.
    reason: str = ""
    #: Those of the failed that had failed the last time, too.
    known_failed: int = 0
    #: Those that it did not come to, as its rate or budget let no more through.
    left: int = 0
    #: Requests; None where they are not counted.
    calls: int | None = None
    #: What the platform says is left of its quota.
    quota_left: str | None = None
    seconds: float = 0.0
    #: Which of its tokens only a person can replace; "" if none.
    dead: str = ""
    #: What of its source could not be read, though it went on; "" if nothing.
    flaw: str = ""

    @property
    def got_nothing_of_many(self) -> bool:
        """Whether it got no value for `MANY` or more accounts."""
        return not self.fetched and self.failed + self.missing - self.known_missing >= MANY

    @property
    def is_bad(self) -> bool:
        """Whether it got nothing and something went wrong, or a token is dead, which does not recover by itself."""
        return bool(self.dead) or (
            not self.fetched and (not self.finished or self.failed > 0 or self.got_nothing_of_many)
        )

    def says_nothing(self, *, well: bool) -> bool:
        """Whether it proves nothing: it asked only for accounts long missing, or (``well``) failing before."""
        if self.fetched or self.missing > self.known_missing or (well and self.dead):
            return False
        return not self.is_bad or (well and 0 < self.failed == self.known_failed)


@dataclass(frozen=True, slots=True)
class ParserState:
    """The stored state of a parser; times are stamps, None where there is nothing of that kind."""

    #: Its first bad pass after the last good one; None: it is well.
    since: str | None = None
    #: When that was told.
    told_at: str | None = None
    recovered_at: str | None = None
    #: Why it is failing; of one that is well what of its source it cannot read, "" if nothing.
    reason: str = ""
    #: The names of the projects that it concerns, once it was told that it fails.
    projects: str = ""


def judge_parser(
    attempt: Attempt, before: ParserState, now: str, fails_after: float
) -> tuple[ParserState, Verdict | None]:
    """The parser's new state after ``attempt``, and the report due.

    It is failing when it got nothing of `MANY` accounts, or when its passes have been bad for longer than
    ``fails_after`` seconds, or as soon as a token of it is dead.  One that recovered so short a time ago is failing
    only when it lasts.
    """
    if attempt.says_nothing(well=before.since is None):
        return before, None
    if not attempt.is_bad:
        if before.told_at is not None:
            return ParserState(recovered_at=now, reason=attempt.flaw), Verdict.RECOVERED
        return ParserState(recovered_at=before.recovered_at, reason=attempt.flaw), None
    since = min(before.since or now, now)
    relapse = before.recovered_at is not None and 0 <= seconds_between(before.recovered_at, now) <= fails_after
    lasts = seconds_between(since, now) > fails_after
    news = before.told_at is None and (lasts or bool(attempt.dead) or (attempt.got_nothing_of_many and not relapse))
    told_at = now if news else before.told_at
    return ParserState(
        since, told_at, before.recovered_at, attempt.dead or attempt.reason, before.projects
    ), Verdict.FAILED if news else None
