"""A locale's number format: separators and compact suffixes, from CLDR through Babel.

Babel is imported when a text first needs it, and each locale's rules are made once.
"""

import contextlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from smart_sync.core.foreign_text import INVISIBLE

if TYPE_CHECKING:
    from babel.core import Locale

FALLBACK = "en_US"

#: Every space of Unicode that does not end a line.
SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

_ONE_SPACE = str.maketrans(dict.fromkeys(SPACES, " "))
_PATTERN = re.compile(r"([^0#,.]*)[#,.]*(0+)(.*)", re.DOTALL)
#: The languages people mix into any sheet; Russian is often shortened to one letter.
_EVERYWHERE = ("en", "ru")
_SHORTENED = {"к": 3, "м": 6}
#: "12t" is 12 trillion, 12 thousand in Russian or Danish, or 12 tons: only exactly as the locale writes it.
_UNCLEAR = frozenset({("", "t")})
#: Words of other languages that mean one power wherever CLDR has them; people paste them into any sheet.
WORLDWIDE: Mapping[int, str] = {
    3: "tsd tausend tys tis tisíc tūkst tusen tusind tuhat ribu rb bin ezer тис хил хиљ мың 千 천 हजार هزار ہزار ألف",
    4: "万 萬 만",
    5: "lakh lakhs लाख লাখ لاکھ",
    6: "mln mio milyon milion miliony milionów milioni millón millones miljoen miljon miljoonaa millionen millions"
    " milhão milhões juta jt мільйон мільйони мільйонів милион милиона 百万 میلیون مليون",
    7: "crore crores करोड़ کروڑ",
    8: "億 亿 억",
    9: "mrd mld mlrd milliard milliards milliarde milliarden miliard miliardy miliardów miliardi miljard miljardi"
    " milyar miliar мільярд мільярди мільярдів میلیارد مليار",
}

#: What stands before and after a compact number.
Affixes = tuple[str, str]


class Power(NamedTuple):
    """A power of ten, and whether its word is one of the locale's own language."""

    power: int
    own: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """A locale's number format."""

    decimal: str
    groups: frozenset[str]
    #: What is surely a whole number in groups of three.
    grouped: re.Pattern[str]
    #: Digits in the last group and in those before it.
    sizes: tuple[int, int]
    #: Compact affixes exactly as CLDR writes them, then with case, spaces and full stops ignored.
    exact: Mapping[Affixes, Power]
    loose: Mapping[Affixes, Power]

    def power(self, before: str, after: str, *, foreign: bool) -> Power | None:
        """The power of ten of the texts ``before`` and ``after`` a number; None if unknown or ambiguous.

        ``foreign``: the number is not written as in this locale, so its words need not be this locale's.
        """
        power = None if foreign else self.exact.get((before.translate(_ONE_SPACE), after.translate(_ONE_SPACE)))
        return self.loose.get((loosened(before), loosened(after))) if power is None else power


@lru_cache(maxsize=64)
def rules(name: str) -> Rules:
    """The rules of the locale ``name``, such as ``ru_RU``; if unknown its language's, or those of en_US."""
    locale = _parsed(name)
    symbols = [locale.number_symbols.get(system, {}) for system in ("latn", locale.default_numbering_system)]
    affixes = set(_affixes(locale))
    if locale.language == "ru":
        affixes |= _shortened()
    loose = {(loosened(before), loosened(after), power) for before, after, power in affixes}
    others = {(loosened(before), loosened(after), power) for before, after, power in _shared_affixes()}
    decimal = symbols[0].get("decimal", ".")
    groups = frozenset(group for table in symbols if (group := table.get("group")))
    return Rules(
        decimal=decimal,
        groups=groups,
        grouped=re.compile(
            rf"[1-9][0-9]{{0,2}}([{''.join({*SPACES, *groups} - {decimal})}])[0-9]{{3}}(?:\1[0-9]{{3}})*"
        ),
        sizes=locale.decimal_formats[None].grouping,
        exact={key: Power(power, own=True) for key, power in _decided(affixes).items()},
        loose={
            (before, after): Power(power, own=(before, after, power) in loose)
            for (before, after), power in _decided(loose | others).items()
            if (before, after) not in _UNCLEAR
        },
    )


def is_known(name: str) -> bool:
    """Whether CLDR has the locale ``name``, or at least its language."""
    return _cldr_locale(name) is not None


def _parsed(name: str) -> "Locale":
    locale = _cldr_locale(name) or _cldr_locale(FALLBACK)
    if locale is None:
        raise AssertionError(FALLBACK)  # Babel always has it
    return locale


def _cldr_locale(name: str) -> "Locale | None":
    from babel.core import Locale, UnknownLocaleError

    for candidate in (name, re.split("[-_]", name)[0]):
        with contextlib.suppress(UnknownLocaleError, ValueError, TypeError):
            return Locale.parse(candidate, sep="-" if "-" in candidate else "_")
    return None


@lru_cache(maxsize=1)
def _shared_affixes() -> set[tuple[str, str, int]]:
    affixes = {("", word, power) for power, words in WORLDWIDE.items() for word in words.split()} | _shortened()
    return affixes.union(*(_affixes(_parsed(name)) for name in _EVERYWHERE))


def _shortened() -> set[tuple[str, str, int]]:
    return {("", letter, power) for letter, power in _SHORTENED.items()}


def _affixes(locale: "Locale") -> Iterator[tuple[str, str, int]]:
    """Prefix, suffix and power of each compact pattern; patterns without a digit or a word are left out."""
    for form in ("short", "long"):
        for patterns in locale.compact_decimal_formats.get(form, {}).values():
            for magnitude, pattern in patterns.items():
                # Only the positive half: "0M;-0M" has one digit, not two.
                match = _PATTERN.fullmatch(pattern.pattern.split(";")[0].replace("'", "").translate(INVISIBLE))
                if match and (match[1] + match[3]).strip():
                    before, after = match[1].translate(_ONE_SPACE), match[3].translate(_ONE_SPACE)
                    yield before, after, len(magnitude) - len(match[2])


def loosened(word: str) -> str:
    """``word`` normalised for comparison: lower case, without spaces and a trailing full stop."""
    plain = word.translate(_ONE_SPACE).replace(" ", "").removesuffix(".").casefold()
    return plain if plain.isascii() else unicodedata.normalize("NFC", plain)


def _decided(affixes: Iterable[tuple[str, str, int]]) -> dict[Affixes, int]:
    """The affixes that stand for one power only."""
    powers: dict[Affixes, set[int]] = {}
    for before, after, power in affixes:
        powers.setdefault((before, after), set()).add(power)
    return {key: several.pop() for key, several in powers.items() if len(several) == 1}
