"""Interprets a link cell: the link in it or behind it, or why it identifies no account."""

import re
from collections.abc import Sequence

from smart_sync.core.links.identity import identity, platform, profile_link, several, username
from smart_sync.core.links.link_text import PLAIN_LINK
from smart_sync.core.links.platforms import folded
from smart_sync.core.wording import shown

#: Links that a problem names.
_NAMED = 3
#: No spreadsheet shows an error in more signs.
MAX_ERROR = 16
_LINES = re.compile(r"\s*[\t\n\x0b\x0c\r\x85\u2028\u2029]\s*")
#: Control characters and lone surrogates: not in any link, and SQLite takes no surrogates.
UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HANDLE = re.compile(r"@[\w.-]+")


def link_of(text: str, behind: Sequence[str]) -> str:
    """The link of a cell that shows ``text``: the one ``behind`` it, if any."""
    link = text
    if behind:
        link = behind[0] if len({identity(one) for one in behind}) == 1 else " ".join(behind)
    if _LINES.search(link) and profile_link(link):
        return _LINES.sub(" ", link)  # a link and a note below it
    return link


def why_unreadable(link: str, text: str, behind: Sequence[str]) -> str:
    """Why a cell identifies no account, "" if it may: an error of the spreadsheet is no link.

    ``link`` is that of `link_of`.  A name that is shown and the link behind it must be of one account: of a row that
    was copied only one of them may have been changed.
    """
    if not PLAIN_LINK.fullmatch(link) and (both := several(link)):
        return f"the cell holds several links ({', '.join(shown(one) for one in both[:_NAMED])}); leave one"
    if UNUSABLE.search(link):
        return "more than one line, or signs that no link has"
    # "#REF!", "#N/A", "#ИМЯ?": in capitals, whatever the language.
    if link.startswith("#") and len(link) <= MAX_ERROR and link.isprintable() and link.isupper():
        return "an error of the spreadsheet"
    if link.casefold().startswith(("loading", "загрузка")) and "/" not in link:
        return "not computed yet"
    # The name in the older addresses of a channel or page need not be its handle.
    has_handle = behind and _HANDLE.fullmatch(text) and ("/@" in link or platform(link) == "instagram")
    handle = username(link) if has_handle else ""
    if handle and folded(handle) != folded(text[1:]):
        return f"the cell shows {shown(text)}, and the link behind it is @{shown(handle)}'s; correct one of them"
    return ""
