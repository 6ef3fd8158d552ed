"""The codes of troubles on a screen, and of recorded troubles that have none.

A code is for people who look a message up in ``docs/faq.md``.  A trouble has it from where it is decided
(`core.trouble_codes`).  Only two kinds of text in the database are without: the problems that versions before 1.0 have
recorded, and why a parser fails; those get one by their words.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, cast, get_args

from smart_sync.core.model import Problem
from smart_sync.core.trouble_codes import Code

#: Code → words that only texts about this trouble hold.  The first code with a match counts.
_WORDS: dict[Code, tuple[str, ...]] = {
    # The database, and parsed values.
    "two-masters": (
        *("two programs write snapshots", "another program has written snapshots lately"),
        *("Smart Sync's row of the day", "refuses a row of Smart Sync next to the web app's"),
        *("have several snapshots; the last counts", "a program has written what is no count"),
        "refuses the row of the day of",
    ),
    "database-columns": (
        *("is this the web app's database?", "correct that row in the file", "has no UNIQUE"),
        "has no unique account_id",
        *("that Smart Sync has not made", "runs for each row that a pass writes", "journal mode"),
        *("the database refuses ", "the database refused every account"),
        *("holds numbers and has no type",),
        *("is named smart_sync", "what arrived is not what was sent"),
    ),
    "google-api-off": ("is not enabled for the service account", "enable the YouTube Data API"),
    "parsed-values": (
        *("the inbox holds", "have a parsed_at more than", "the query gives", "the query failed"),
        *("a parsed_at that is no time", "has brought no parsed value since",),
        *("parsed.query:", "there is no file", "is not a text file in UTF-8", "has a time that no calendar has"),
        *("check [parsers] path", "has no values: "),
    ),
    "csv-file": (
        *(" is not UTF-8 in line", "is not valid CSV", "the directory of worksheets", "cannot be a file"),
        *("check that it is a file, not a link or a folder", "split the worksheet", " cannot be read: "),
        *(" fields where the header has ", "the file ends after "),
    ),
    # A worksheet.
    "rows-gone": (
        *("gone at once", "the row is gone", "its row is gone for good", "may be it; ", "and the row of"),
        *("no row has the link of", "no row has their link", "which came from another project"),
    ),
    "column-emptied": ("has lost its values at once", "with its whole column"),
    "column-missing": (
        *("has no column for", "no column for", "is gone; its last known values are used"),
        *("those cells below are not read", "this header has no column", "the header is written with"),
        *("another column has this name already", "this makes another number of", "a unit above the header"),
    ),
    "same-account": ("are the same account", "are one and the same on the platform"),
    "no-account": (
        *("no account has this link", "no account is created for this row", "it may be the row of"),
        *("looks like a copy", ", renamed: no account is created", "so this one looks like it, renamed"),
    ),
    "link-unreadable": (
        "the link is shortened",
        *("the cell holds several links", "the link shows no profile", "the link is none of a platform"),
        *("a name without its platform", "a text and no link", "values without a link"),
        *("link: an error of the spreadsheet", "link: not computed yet", "link cells show no profile"),
        "more than one line, or signs that no link has",
    ),
    "number-ambiguous": ("can be read in more than one way", "an arrow before a number can mean a change"),
    "suspect-value": (
        *("jumped from", "this is the number of its", "'s number", "looks like", "unlike what the parser says"),
        *("a digit is missing", "a digit too many", "two digits are swapped", "zeros are missing"),
        *("a digit is wrong", "it has fallen", "far above how it has grown"),
    ),
    "number-unreadable": (
        *("not a number", "not a whole number", "not a count", "negative", "too large"),
        *("true or false, not a count", "two units, which would multiply", "a number cannot begin so"),
        *("an error of the spreadsheet", "not computed yet", "a percentage", ", in the column for"),
        *("a mark that pins, and no number", "more problems"),
    ),
    "value-carried": ("neither the worksheet nor a parser has a value any more",),
    "pinned": (" pinned to ",),
    # Parsers.
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
    "parser-failed": (
        *("parser ", "parsers are not tried", "the API answers", "Meta answers", "TikTok answers"),
        *("no answer within", "cannot be reached:", "the answer", "finds no", "the list", "what it finds is"),
        *("is no count:", "redirects", "of the next page", "not ready within", "pages; raise max_pages"),
        *("in a row; nothing to do", "account of the batch", "the channel's answer", "does not say whose it is"),
    ),
}  # fmt: skip


def recorded_code(text: str) -> Code | Literal[""]:
    """The code of a trouble recorded as ``text`` alone; "" if it has no entry."""
    return next((code for code, words in _WORDS.items() if any(word in text for word in words)), "")


def with_code(message: str, code: str) -> str:
    """A message for a screen, followed by its ``code`` in brackets if it has one."""
    return f"{message} [{code}]" if code else message


_CODES: Final = frozenset(get_args(Code))
#: A problem as versions before 1.0 have put it on record: the place, the reason, and what the cell says.
_SENTENCE = re.compile(
    r"(?P<worksheet>.*?)(?:!(?P<column>[A-Z]{0,3})(?P<row>[0-9]{1,9}))?: (?P<reason>.*?)(?: \((?P<value>.*)\))?",
    re.DOTALL,
)
_MORE = re.compile(r"([\d,]{1,20}) more (?:problems|link cells show no profile)")  # as before 1.0


def problem_on_record(recorded: object) -> Problem:
    """A recorded problem: an object of this version, one without a code, or a sentence."""
    fields: Mapping[str, Any] = recorded if isinstance(recorded, Mapping) else _parse_sentence(str(recorded))
    reason, code, count = str(fields.get("reason") or ""), fields.get("code"), fields.get("count")
    more = _MORE.fullmatch(reason)
    return Problem(
        reason,
        str(fields.get("worksheet") or ""),
        fields.get("row"),
        fields.get("column"),
        str(fields.get("value") or ""),
        cast("Code", code) if code in _CODES else recorded_code(reason),
        count if type(count) is int else int(more[1].replace(",", "")) if more else 1,
    )


def _parse_sentence(sentence: str) -> dict[str, object]:
    found = _SENTENCE.fullmatch(sentence)
    if found is None:
        return {"reason": sentence}
    row = found["row"]
    return found.groupdict() | {"row": int(row) if row else None, "column": found["column"] or None}
