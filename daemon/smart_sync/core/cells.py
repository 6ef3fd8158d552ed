"""What a cell says: a count, no value, or something that is not a count (`Unreadable`).

The grammar; ``␣`` is any space, no-break, narrow, thin or figure space::

    cell     = number | boolean | text | nothing
    text     = novalue | [quote] ["~" | "≈"] ["+"] [word] digits {separator digits} [word] [quote]
    novalue  = "" | "-" | "–" | "—" | "n/a" | "н/д" | "?"
    word     = a compact word of CLDR for the locale, English or Russian: K, M, B, million, тыс., млн, Mio., 万 ...

Around a text, spaces and invisible marks do not count.  Digits of any script are digits.  The value is a
whole number from 0 to 2^63-1; what differs from one by no more than a millionth (a formula's rounding) is one.

Separators, of which one may stand between two digits:

- ``␣ ' ’ ٬`` and the locale's own group sign separate groups, ``٫`` a fraction.
- ``,`` and ``.`` are what they can be: a group sign has three digits after it (or as the locale groups: 12,34,567
  in en_IN), none of the groups before it is longer, all group signs are alike; a fraction's sign comes once, last.
- Where both would do (``1,234``, ``1.234``) the locale decides: its decimal sign separates a fraction, its group
  sign a group, and a sign that is neither (``1.234`` in ru_RU) is a problem, not a guess.  So are three digits after
  a decimal sign that is not the locale's (``1,234.000`` in de_DE).

Compact words: exactly as CLDR writes them for the locale they mean what the locale says (``1,2 B`` is 1,200 in
tr_TR).  Otherwise, and after a decimal sign that is not the locale's, case, spaces and a final full stop are ignored,
and the locale's, English and Russian words are looked up together; a word on which they disagree (``1.2B`` in tr_TR)
is a problem.

Always a problem: errors (``#REF!``), ``Loading...``, words, percentages, currencies, negatives, NaN, infinities,
booleans, dates written as text, exponents, fractions (``1.5``, but not ``1.5K``), anything above 2^63-1.

Formats are not seen: Google sends the plain number behind the format.  A percentage arrives as its fraction, so
45 % is 0.45 and a problem; 100 % is 1 and cannot be told from a count.  A date arrives as the days since 1899-12-30:
with a time of day it has a fraction and is a problem, without one (45292) it cannot be told from a count, so a
metric's column must not be formatted as a date.
"""

import math
import re
import unicodedata

from smart_sync.core.locales import FALLBACK, INVISIBLE, SPACES, Rules, rules
from smart_sync.core.model import MAX_COUNT, Cell

#: Longer texts are not numbers, whatever they hold.
MAX_TEXT = 64

NO_VALUE = frozenset({"", "-", "–", "—", "−", "n/a", "н/д", "?"})

_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»"}
_APOSTROPHES = "'’‘ʼ"
_SAME = str.maketrans(dict.fromkeys(SPACES, " ") | dict.fromkeys(_APOSTROPHES, "'"))
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_NUMBER = re.compile(
    rf"(?:[~≈]\s*)?(?:\+\s*)?([^0-9]*)([0-9](?:[{SPACES}{_APOSTROPHES},.٬٫،⹁]?[0-9])*)([^0-9]*)",
)
_GROUP_SIGNS = frozenset(" '٬,.")
_FRACTION_SIGNS = frozenset(",.٫")
#: One part in so many is a formula's rounding, not a fraction.
_ROUNDING = 10**6


class Unreadable(ValueError):
    """The cell holds something that is not a count; the message is a short reason for a person."""


def read_count(cell: Cell, locale: str = FALLBACK) -> int | None:
    """The count in ``cell``, or None if it holds no value.

    ``locale`` (a CLDR name) decides ambiguous text.  Raises `Unreadable` for whatever is not a count.
    """
    if type(cell) is int and 0 <= cell <= MAX_COUNT:
        return cell
    if cell is None or cell == "":
        return None
    if isinstance(cell, str):
        return _read_text(cell, locale)
    return _read_number(cell)


def _read_number(cell: float | bool) -> int:
    if isinstance(cell, bool):
        raise Unreadable("true or false, not a count")
    if isinstance(cell, float):
        if not math.isfinite(cell):
            raise Unreadable("not a number")
        if abs(cell - round(cell)) * _ROUNDING > 1:
            raise Unreadable("not a whole number")
    return _in_range(round(cell))


def _in_range(count: int) -> int:
    if count < 0:
        raise Unreadable("negative")
    if count > MAX_COUNT:
        raise Unreadable("too large")
    return count


def _read_text(cell: str, locale: str) -> int | None:
    if len(cell) < 19 and cell.isascii() and cell.isdigit():
        return int(cell)
    text = _unquoted((cell if cell.isascii() else cell.translate(INVISIBLE)).strip())
    if text.casefold() in NO_VALUE:
        return None
    if len(text) > MAX_TEXT:
        raise Unreadable(_why_not(text))
    speaking = rules(locale)
    if speaking.grouped.fullmatch(text):  # the usual case, in a tenth of the time
        return _in_range(int(re.sub("[^0-9]", "", text)))
    found = _NUMBER.fullmatch(_with_ascii_digits(text))
    if found is None:
        raise Unreadable(_why_not(text))
    before, number, after = found.groups()
    digits, decimals, foreign = _digits(number.translate(_SAME), speaking)
    power = speaking.power(before, after, foreign=foreign) if before or after else 0
    if power is None:
        raise Unreadable(_why_not(text))
    return _in_range(_whole(int(digits) * 10**power, 10**decimals))


def _unquoted(text: str) -> str:
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    # A spreadsheet's mark for "this is text", which a file may have kept.
    return text.removeprefix("'")


def _with_ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    text = text.translate(_FULL_WIDTH)
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def _digits(number: str, speaking: Rules) -> tuple[str, int, bool]:
    """All digits of ``number``, how many of them are decimals, and whether their sign is not the locale's own."""
    *signs, last_sign = [sign for sign in number if not sign.isdigit()] or [""]
    if not last_sign:
        return number, 0, False
    *groups, last = re.split(r"\D", number)
    as_group = _are_groups([*groups, last], {*signs, last_sign}, speaking)
    as_fraction = last_sign in _FRACTION_SIGNS - {*signs} and _are_groups(groups, {*signs}, speaking)
    foreign = as_fraction and last_sign not in (speaking.decimal, "٫")
    if foreign and as_group:
        as_fraction, as_group = False, last_sign in speaking.groups
    elif foreign:
        as_fraction = len(last) != 3 or groups == ["0"]
    elif as_fraction:
        as_group = False
    if as_group == as_fraction:
        raise Unreadable("its separators can be read in more than one way, or in none")
    return "".join((*groups, last)), len(last) if as_fraction else 0, foreign and as_fraction


def _are_groups(groups: list[str], signs: set[str], speaking: Rules) -> bool:
    """Whether ``signs`` can have grouped the digits so: all signs alike, all groups but the first full."""
    first, *others = groups
    if len(first) > 1 and first[0] == "0":
        return False
    if not signs:
        return True
    if len(signs) > 1 or first == "0" or not signs <= _GROUP_SIGNS | speaking.groups:
        return False
    sizes = [len(group) for group in others]
    if sizes == [3] and signs == {"'"} and not speaking.groups.isdisjoint(_APOSTROPHES):
        # CLDR has Swiss numbers in which only the thousands are set apart (12345678'901); the sign does nothing else.
        return True
    return any(
        len(first) <= max(before, 3 * (before == after)) and sizes[-1] == after and set(sizes[:-1]) <= {before}
        for after, before in ((3, 3), speaking.sizes)
    )


def _whole(value: int, unit: int) -> int:
    """``value`` / ``unit``, where that is whole but for rounding."""
    nearest = (2 * value + unit) // (2 * unit)
    if abs(value - nearest * unit) * _ROUNDING > unit:
        raise Unreadable("not a whole number")
    return nearest


def _why_not(text: str) -> str:
    if text.startswith("#"):
        return "an error of the spreadsheet"
    if text.casefold().startswith(("loading", "загрузка")):
        return "not computed yet"
    if "%" in text:
        return "a percentage, not a count"
    if re.match(r"[-−–(]\W*\d", text):
        return "negative"
    return "not a count"
