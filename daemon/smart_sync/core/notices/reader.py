"""The reader of a message, and how foreign text is shown to them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from smart_sync.core.notices.phrases import METRIC_NAMES, Language, number, phrase
from smart_sync.core.notices.translation import translated

#: Characters of a line: a reason and what to do about it, whole.  Where a service takes fewer than ten such lines, its
#: message has fewer lines.
MAX_LINE = 400
#: Names that a line lists.
MAX_NAMES = 8
#: How our sentences tell a moment.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC\b")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028-\u202f\u2066-\u2069]+")
#: What calls everybody in a chat.
_CALL = re.compile(r"@(?=(?:everyone|here|channel|all)\b)", re.IGNORECASE)
#: What begins a tag, or a call, where a service reads markup.
_TAGS = str.maketrans("<>", "‹›")

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader: their language and time zone."""

    lang: Language = "en"
    timezone: str = "UTC"

    def say(self, key: str, **values: object) -> str:
        """A phrase in the reader's language."""
        return phrase(self.lang, key, **values)

    def when(self, moment: str) -> str:
        """A moment (ISO 8601, UTC) in the reader's time zone: ``2026-03-10 14:00``; anything else unchanged."""
        try:
            at = datetime.fromisoformat(moment.removesuffix("Z")).replace(tzinfo=UTC)
            return f"{at.astimezone(ZoneInfo(self.timezone)):%Y-%m-%d %H:%M}"
        except (ValueError, OverflowError):
            return plain(moment)

    def translated(self, text: str) -> str:
        """A reason or remedy of ours in the reader's language, as far as it has translations, on their clock."""
        told = translated(plain(text, MAX_LINE), self.lang)
        return _MOMENT.sub(lambda found: self.when(found[1]), told)

    def problem(self, place: str, reason: str, value: str) -> str:
        """A worksheet's problem on one line: where, why and what to do, and the value unless that names it."""
        told = self.translated(reason)
        shown = plain(value, 58)
        return f"{place}: {told} ({shown})" if shown and shown not in told else f"{place}: {told}"

    def names(self, names: Sequence[str]) -> str:
        """``A, B and 3 more``."""
        shown = ", ".join(plain(name, 40) for name in names[:MAX_NAMES])
        more = len(names) - MAX_NAMES
        return self.say("and_more", names=shown, number=more) if more > 0 else shown


def plain(text: object, limit: int = MAX_LINE) -> str:
    """``text`` on one line that mentions nobody and holds no markup; cut at ``limit`` characters."""
    line = _CALL.sub(lambda match: f"{match[0]}\u200b", _CONTROL.sub(" ", str(text)).strip().translate(_TAGS))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def jump(reader: Reader, one: Data) -> str:
    """A suspect value in one line."""
    before, after = ("–" if one[name] is None else number(reader.lang, one[name]) for name in ("before", "after"))
    metric = METRIC_NAMES[reader.lang].get(one["metric"], one["metric"])
    project, link = plain(one["project_name"], 40), plain(one["link"], 60)
    line = reader.say("jump", project=project, link=link, metric=metric, before=before, after=after)
    line = reader.say("in_cell", jump=line, place=plain(one["place"], 40)) if one["place"] else line
    why = [reader.translated(one["cause"])] if one["cause"] else []
    why += [reader.say("held")] if one["held"] else []
    return f"{line}: {'; '.join(why)}" if why else line
