"""Interprets a cell: a count, no value, or something that is not a count (`Unreadable`).

The one grammar of numbers: worksheets, `ingest`, CSV files and parsers read by it.  ``␣`` is any space of Unicode::

    cell     = number | boolean | text | nothing
    text     = novalue | [quote] {mark} [label] {mark} (compact | exponent) [noun] {mark} [quote]
    novalue  = "" | "-" | "–" | "—" | "n/a" | "н/д" | "?"
    compact  = [word] digits {separator digits} ["."] [word]
    exponent = digits [sign digits] "E" ["+" | "-"] digits
    word     = a compact word: K, M, B, million, тыс., млн, Mio., 万, lakh ...
    noun     = a word for the metric, in any case or number: views, подписчиков ...; label = noun [":"]
    mark     = "~" | "≈" | "+" | "*" | emoji | arrow | bullet

Around and inside a text, spaces at its ends and invisible marks do not count.  Digits of any script are digits.  The
value is a whole number from 0 to 2^63-1; what differs from one by no more than a millionth (a formula's rounding) is
one.

Separators, of which one may stand between two digits:

- ``␣ ' ’ ٬`` and the locale's own group sign separate groups, ``٫`` a fraction.
- ``,`` and ``.`` are what they can be: a group sign has three digits after it (or as the locale groups: 12,34,567
  in en_IN), none of the groups before it is longer, all group signs are alike; a fraction's sign comes once, last.
  In front of all digits (``.75K``) it is a fraction's.
- Where both would do (``1,234``, ``1.234``) the locale decides: its group sign separates a group, its decimal sign a
  fraction.  A sign that is neither (``1.234`` in ru_RU) is a problem, not a guess; so is what would be a whole number
  with decimals (``25,000`` in ru_RU: 25, or 25 thousand in the other country), or a number with the word of another
  language (``1,234 тыс.`` in en_US), or three digits after a decimal sign that is not the locale's (``1,234.000`` in
  de_DE).

Compact words: exactly as CLDR writes them for the locale they mean what the locale says (``1,2 B`` is 1,200 in
tr_TR).  Otherwise, and after a decimal sign that is not the locale's, case, spaces and a final full stop are ignored,
and the words of the locale, of English and Russian and those that mean the same in every locale are looked up
together; a word on which they disagree (``1.2B`` in tr_TR), and ``t``, is a problem.

In a worksheet a ``!`` at the end of the cell pins the number (`core.worksheet.table`).

Always a problem: errors (``#REF!``), ``Loading...``, words, percentages, currencies, negatives, NaN, infinities,
booleans, dates and durations, fractions (``1.5``, but not ``1.5K``), a noun of another metric, an arrow up or down
before the number (it can be a change), digits turned round by U+202E, a letter for a digit (``1O00``), anything above
2^63-1.

Formats are not seen: Google sends the plain number behind the format.  A percentage arrives as its fraction, so
45 % is 0.45 and a problem; 100 % is 1 and cannot be told from a count.  Dates and durations arrive as the text that
one sees (`sheets.requests` asks for that), which is a problem, unless their format shows digits only (a bare year).
"""

import math
import re
from typing import NamedTuple

from smart_sync.core.foreign_text import INVISIBLE, letter_among_digits, undecorated, with_ascii_digits
from smart_sync.core.model import MAX_COUNT, Cell
from smart_sync.core.trouble_codes import Code
from smart_sync.core.worksheet.locales import FALLBACK, SPACES, Rules, rules
from smart_sync.core.worksheet.metric_words import metric_of

#: Longer texts are not numbers, whatever they hold.
MAX_TEXT = 64

NO_VALUE = frozenset({"", "-", "–", "—", "−", "n/a", "н/д", "?"})

_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "‘": "’", "«": "»"}
_APOSTROPHES = "'’‘ʼ"
_SAME = str.maketrans(dict.fromkeys(SPACES, " ") | dict.fromkeys(_APOSTROPHES, "'"))
_NUMBER = re.compile(
    rf"([^0-9]*?)([.,٫⹁]?[0-9](?:[{SPACES}{_APOSTROPHES},.٬٫⹁]?[0-9])*)(?:[eE]([+-]?[0-9]{{1,2}}))?([^0-9]*)",
)
_DATE = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}|[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,2}")
_WORD = re.compile(r"[^\s.]+\.?")
_GROUP_SIGNS = frozenset(" '٬,.")
_FRACTION_SIGNS = frozenset(",.٫")
#: The power of ten that no count reaches.
_TRILLION = 12
#: One part in so many is a formula's rounding, not a fraction.
_ROUNDING = 10**6

_ABOUT = str.maketrans(dict.fromkeys("~≈", ""))
#: Before a number they can mean that it is a change.
_CHANGES = frozenset("↑↓⇧⇩⇑⇓↗↘⬆⬇⬈⬊▲▼△▽🔺🔻🔼🔽⏫⏬⏶⏷📈📉")


class Unreadable(ValueError):
    """The cell holds something that is not a count; the message is a short reason for a person."""

    code: Code = "number-unreadable"


class Ambiguous(Unreadable):
    """The cell holds a number with more than one possible meaning."""

    code: Code = "number-ambiguous"


class _Digits(NamedTuple):
    """A number split up: all its digits, and how many of them are decimals."""

    digits: str
    decimals: int = 0
    #: The decimal sign is not the locale's own.
    foreign: bool = False
    #: The last sign could be a group's or a fraction's, and the locale has decided.
    unclear: bool = False


def read_count(cell: Cell, locale: str = FALLBACK, metric: str = "", scale: int = 0) -> int | None:
    """The count in ``cell``, or None if it holds no value.

    ``locale`` (a CLDR name) decides ambiguous text; ``metric``: what the cell is to be ("" for any);
    ``scale``: the power of ten that the column's unit stands for.  Raises `Unreadable` for whatever is not a count.
    """
    if type(cell) is int and 0 <= cell <= MAX_COUNT and not scale:
        return cell
    if cell is None or cell == "":
        return None
    if not isinstance(cell, str):
        return _read_number(cell, scale)
    try:
        return _read_text(cell, locale, metric, scale)
    except Unreadable:
        if letter_among_digits(cell):
            raise Unreadable("a letter stands among its digits") from None
        raise


def _read_number(cell: float | bool, scale: int) -> int:
    if isinstance(cell, bool):
        raise Unreadable("true or false, not a count")
    value = cell * 10**scale
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unreadable("not a number")
        if abs(value - round(value)) * _ROUNDING > 1:
            raise Unreadable("not a whole number")
    return _check_range(round(value))


def _check_range(count: int) -> int:
    if count < 0:
        raise Unreadable("negative")
    if count > MAX_COUNT:
        raise Unreadable("too large")
    return count


def _read_text(cell: str, locale: str, metric: str, scale: int) -> int | None:
    if len(cell) < 19 and cell.isascii() and cell.isdigit():
        return _check_range(int(cell) * 10**scale)
    text = _unquoted((cell if cell.isascii() else cell.translate(INVISIBLE)).strip())
    if text.casefold() in NO_VALUE:
        return None
    if len(text) > MAX_TEXT:
        raise Unreadable(_why_not(text))
    speaking = rules(locale)
    if not scale and speaking.grouped.fullmatch(text):  # the usual case, in a tenth of the time
        return _check_range(int(re.sub("[^0-9]", "", text)))
    match = _NUMBER.fullmatch(with_ascii_digits(text))
    if match is None:
        raise Unreadable(_why_not(text))
    before, number, exponent, after = match.groups()
    read = _digits(number.translate(_SAME), speaking)
    power, own = _power(before, after, speaking, metric, foreign=read.foreign) or _refuse(text)
    if (power or exponent) and (scale or (power and exponent)):
        raise Unreadable("two units, which would multiply each other")
    if power >= _TRILLION:  # nobody has so many, and "12T" may be tons or thousands
        _refuse(text)
    power += int(exponent or scale)
    count = _check_range(_whole(int(read.digits) * 10 ** max(0, power), 10 ** (read.decimals + max(0, -power))))
    if not (power or number[0].isdigit()):
        raise Unreadable("a number cannot begin so")
    if read.unclear and not _is_decided(read, exponent=exponent is not None, word=bool(power), own=own and not scale):
        raise Ambiguous("its separators can be read in more than one way")
    return count


def _is_decided(read: _Digits, *, exponent: bool, word: bool, own: bool) -> bool:
    """Whether the locale settles an ambiguous separator: nobody writes 25 as 25.000, or 25K as 25.000K."""
    if exponent:
        return read.decimals > 0
    if word:
        return own and not (read.decimals and read.digits.endswith("0"))
    return not read.decimals


def _refuse(text: str) -> tuple[int, bool]:
    raise Unreadable(_why_not(text))


def _unquoted(text: str) -> str:
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    # A spreadsheet's mark for "this is text", which a file may have kept.
    return text.removeprefix("'")


def _power(before: str, after: str, speaking: Rules, metric: str, *, foreign: bool) -> tuple[int, bool] | None:
    """The power of ten of the words around a number, and whether they are the locale's; None if unknown.

    Raises `Unreadable` for what is told but cannot be meant: a change, or another metric.
    """
    if not (before or after):
        return 0, True
    if not _CHANGES.isdisjoint(before):
        raise Ambiguous("an arrow before a number can mean a change")
    label = undecorated(before).translate(_ABOUT).replace("+", "", 1).lstrip(SPACES)
    after = undecorated(after).replace("+", "", 1).rstrip(SPACES)
    if _is_noun(label.rstrip(": "), metric):
        label = ""
    elif "." in label:
        return None
    units = [(after.removeprefix("."), True)] if after in (".", "") and not label else [(after, True)]
    units += [(after[: word.start()].rstrip(SPACES), False) for word in _WORD.finditer(after)]
    for unit, whole in units:
        power = (0, True) if not (label or unit) else speaking.power(label, unit, foreign=foreign)
        if power is not None and (whole or _is_noun(after[len(unit) :], metric)):
            return power
    return None


def _is_noun(text: str, metric: str) -> bool:
    """Whether ``text`` is a noun for ``metric``, or any metric. Raises `Unreadable` for another metric's."""
    named = metric_of(text)
    if named and metric and named != metric:
        raise Unreadable(f"says {named}, in the column for {metric}")
    return named is not None


def _digits(number: str, speaking: Rules) -> _Digits:
    """``number`` split up. Raises `Unreadable` if its separators are invalid or ambiguous."""
    if not number[0].isdigit():
        return _leading_fraction(number[0], number[1:], speaking)
    *signs, last_sign = [sign for sign in number if not sign.isdigit()] or [""]
    if not last_sign:
        return _Digits(number)
    *groups, last = re.split(r"\D", number)
    as_group = _are_groups([*groups, last], {*signs, last_sign}, speaking)
    as_fraction = last_sign in _FRACTION_SIGNS - {*signs} and _are_groups(groups, {*signs}, speaking)
    unclear = as_group and as_fraction
    foreign = as_fraction and last_sign not in (speaking.decimal, "٫")
    if foreign and as_group:
        as_fraction, as_group = False, last_sign in speaking.groups
    elif foreign:
        as_fraction = len(last) != 3 or groups == ["0"]
    elif as_fraction:
        as_group = False
    if as_group == as_fraction:
        if _DATE.fullmatch(number):
            raise Unreadable("a date, not a count")
        raise Ambiguous("its separators can be read in more than one way, or in none")
    return _Digits("".join((*groups, last)), len(last) if as_fraction else 0, foreign and as_fraction, unclear)


def _leading_fraction(sign: str, digits: str, speaking: Rules) -> _Digits:
    """A number that starts with its decimal sign (``.75K``); before three digits it must be the locale's."""
    foreign = sign not in (speaking.decimal, "٫")
    if sign not in _FRACTION_SIGNS or not digits.isdigit() or (foreign and len(digits) == 3):
        raise Ambiguous("its separators can be read in more than one way, or in none")
    return _Digits(digits, len(digits), foreign)


def _are_groups(groups: list[str], signs: set[str], speaking: Rules) -> bool:
    """Whether ``signs`` can be group separators: all alike, and all groups but the first full."""
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
    """``value`` / ``unit`` if that is whole except for rounding."""
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
