"""Translates our reasons and remedies; foreign text in them (Google's, a server's) stays as it is."""

import re
from collections.abc import Iterator
from functools import cache

from smart_sync.core.notices.phrases import METRIC_NAMES, Language
from smart_sync.core.notices.reasons import BEFORE, PINS, RUSSIAN


@cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Patterns of sentence parts, with their translations."""
    # Those that say the most of their own first: a text of others may hold anything.
    specific = sorted(RUSSIAN.items(), key=lambda pair: -len(re.sub(r"\{\w+\}", "", pair[0])))
    return tuple((_pattern(english), russian) for english, russian in specific)


def _pattern(english: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", english)
    fixed = [re.escape(part) if place % 2 == 0 else f"(?P<{part}>.{{1,300}}?)" for place, part in enumerate(parts)]
    return re.compile("".join(fixed), re.DOTALL)


#: Places for a number, whose noun the Russian sentence has itself.
_NUMBERS = frozenset({"rows", "n"})
_NOUN = re.compile(r" (?:rows?|accounts?|last values?|of it)$")
#: What `list_reasons` of the parsers writes behind and before a reason.
_MORE_ACCOUNTS = re.compile(r"(?P<reason>.+) \(and (?P<number>[\d,]+) more accounts?\)", re.DOTALL)
_LINK = re.compile(r"https?://\S+$")
#: Words of ours that stand in places.
_WORDS = {**METRIC_NAMES["ru"], "the inbox": "входящих", "an unnamed source": "безымянного источника"}


def translated(text: str, lang: Language) -> str:
    """``text``, a reason or remedy of ours, in ``lang``; parts without a translation stay as they are."""
    if lang == "en":
        return text
    return "; ".join(_part(part) for part in text.split("; "))


def unknown(text: str) -> Iterator[str]:
    """The parts of ``text`` that have no translation."""
    return (part for part in text.split("; ") if _known(part) is None)


def _part(part: str) -> str:
    return _known(part) or part


def _known(part: str) -> str | None:
    if match := _MORE_ACCOUNTS.fullmatch(part):
        translation = _known(match["reason"])
        return None if translation is None else f"{translation} (и ещё аккаунтов: {match['number']})"
    before, colon, rest = part.partition(": ")
    if colon and before in BEFORE:
        return f"{BEFORE[before]}: {_part(rest)}"
    for pattern, russian in _rules():
        if match := pattern.fullmatch(part):
            return russian.format(**{name: _filled(name, text) for name, text in match.groupdict().items()})
    if colon and (_LINK.match(before) or all(name in METRIC_NAMES["ru"] for name in before.split(", "))):
        translation = _known(rest)
        return None if translation is None else f"{_filled('', before)}: {translation}"
    return None


def _filled(name: str, text: str) -> str:
    """The translation of what fills a placeholder: names of metrics, reasons, and notes about pins."""
    if name == "why":
        return _part(text)
    if name == "pin":
        for english, russian in PINS.items():
            if match := _pattern(english).fullmatch(text):
                return russian.format(**{own: _filled(own, said) for own, said in match.groupdict().items()})
    if name in _NUMBERS:
        return _NOUN.sub("", text).replace(" of ", " из ")
    return ", ".join(_WORDS.get(part, part) for part in _and_more(text).split(", "))


def _and_more(text: str) -> str:
    return re.sub(r" and ([\d,]+) more$", r" и ещё \1", text)
