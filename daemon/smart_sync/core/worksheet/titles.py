"""The meaning of a column's title: its field, and the unit of its numbers."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from smart_sync.core.foreign_text import INVISIBLE, undecorated
from smart_sync.core.model import METRICS
from smart_sync.core.worksheet.locales import WORLDWIDE, loosened
from smart_sync.core.worksheet.metric_words import NOUNS, TITLES

#: What a column can be; everything else in a worksheet is not ours.
FIELDS = ("link", *METRICS, "platform", "username", "topic", "telegram")
#: Longer texts are no titles.
MAX_TITLE = 80
#: Texts whose meaning is remembered.
MAX_KNOWN = 1000

_NAMES: Mapping[str, Sequence[str]] = {
    "link": (
        "link", "account url", "account link", "profile link", "profile url", "url",
        "ссылка", "ссылка на аккаунт", "ссылка на профиль",
    ),
    "followers": ("followers", "subscribers", "подписчики"),
    "likes": ("likes", "лайки"),
    "comments": ("comments", "комментарии"),
    "videos": ("videos", "видео"),
    "views": ("views", "просмотры"),
    "platform": ("platform", "платформа"),
    "username": ("username", "имя пользователя"),
    "topic": ("topic", "тематика"),
    "telegram": ("telegram", "телеграм", "telegram user", "telegram username"),
}  # fmt: skip
#: Names that count only where a row has none of the above for the field.
_MORE_NAMES: Mapping[str, Sequence[str]] = {
    "link": (
        "links", "link to account", "link to profile", "channel link", "channel url", "page link", "page url",
        "social link", "account links", "profile links", "ссылки", "ссылка на канал", "ссылка на страницу",
        "ссылка на соцсеть", "ссылка аккаунта", "ссылка профиля", "url аккаунта", "url профиля", "линк",
    ),
    "platform": ("social network", "network", "соцсеть", "социальная сеть", "площадка"),
    "username": (
        "user name", "nickname", "nick", "handle", "login", "account name", "ник", "никнейм", "логин", "юзернейм",
        "имя аккаунта",
    ),
    "topic": ("theme", "niche", "тема", "ниша"),
    "telegram": (
        "tg", "tg username", "tg user", "тг", "телеграмм", "ник в телеграм", "ник в telegram", "username telegram",
        "username tg", "ник telegram", "ник тг", "telegram nick", "telegram ник", "manager telegram",
        "telegram manager", "telegram менеджера", "телеграм менеджера", "тг менеджера",
    ),
}  # fmt: skip
_HARMLESS = frozenset(
    {"following", "followings", "подписки", "id", "n", "", "phone", "телефон", "price", "цена", "стоимость", "budget"}
    | {"бюджет", "kpi", "target", "target views", "age", "возраст", "year", "год", "er", "status", "статус", "date"}
    | {"дата", "last update", "updated", "обновлено", "комментарий", "comment", "note", "notes", "geo", "гео", "п/п"}
    | {"no"}  # what normalises to it: №
)
#: Say nothing next to the word for a metric.
_FILLERS = frozenset(
    {"total", "totals", "count", "counts", "number", "no", "of", "the", "all", "overall", "-", "–", "—", "|", "кол-во"}
    | {"количество", "число", "всего", "общее", "общие", "общий", "итого", "сумма"}
)
#: Next to one of these a word is surely a metric's: ``Comment`` is a remark, ``Comment count`` none.
_QUANTITIES = frozenset({"count", "counts", "number", "кол-во", "количество", "число"})
_UNITS: Mapping[str, int] = {
    **{loosened(word): power for power, words in WORLDWIDE.items() for word in words.split()},
    **dict.fromkeys(("k", "к", "тыс", "тысяч", "тысячи", "тысячах", "thousand", "thousands"), 3),
    **dict.fromkeys(("m", "м", "млн", "миллион", "миллионы", "миллионов", "миллионах", "million"), 6),
    **dict.fromkeys(("b", "bn", "млрд", "миллиард", "миллиарды", "миллиардов", "миллиардах", "billion", "billions"), 9),
}
#: Letters alone that are a unit only in brackets or after a comma.
_INITIALS = frozenset({"k", "к", "m", "м", "b", "bn"})
_PLATFORMS = (["yt"], ["fb"], ["ig"], ["tt"])
_TOTALS = frozenset(
    {"total", "totals", "sum", "grand total", "subtotal", "sub total", "average", "avg", "итого", "итог", "всего"}
    | {"сумма", "общий итог", "промежуточный итог", "общая сумма", "среднее", "в среднем"}
)
_TOTALS_OF = ("total ", "totals ", "итого ", "всего ", "subtotal ")
_NOTE = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]|\{([^{}]*)\}")
#: A note with one of these says that the column is something else: a period, a plan, a change, an average.
_OTHER_THINGS = (
    r"(?:per|last|past|prev\w*|new|daily|da(?:y|ys)|week\w*|month\w*|year\w*|today|yesterday|hour\w*|avg|average|mean"
    r"|median|min|max|plan\w*|target\w*|goal\w*|kpi|growth|delta|change\w*|diff\w*|forecast|rate|share|old|paid|unique|jan\w*"
    r"|start\w*|begin\w*|before|initial\w*|baseline|prior|earlier|first|начал\w*|исходн\w*"
    r"|feb\w*|mar(?:ch)?|apr\w*|may|june?|july?|aug\w*|sep\w*|oct\w*|nov\w*|dec\w*|нов\w+|план\w*|цел(?:[ьи]|ью|ей|ям\w*|ях|ев\w+)"
    r"|прирост\w*|рост\w*|разниц\w*|изменен\w*|дельта|средн\w*|медиан\w*|мин|макс|прогноз\w*|доля|стар\w+|уник\w*|вчера"
    r"|сегодня|час\w*|день|дня|дней|сут\w*|недел\w*|месяц\w*|год\w*|прошл\w*|янв\w*|фев\w*|март\w*|апр\w*|ма[йя]|июн\w*"
    r"|июл\w*|авг\w*|сен\w*|окт\w*|ноя\w*|дек\w*)\b"
)
#: A note with one of these says that the column is a part of what its title names.
_PARTS = (
    r"(?:ads?|advert\w*|boost\w*|promo\w*|organic|fake|bots?|(?:fe)?male|(?:wo)?men|active|inactive|only|lost|gained"
    r"|реклам\w*|платн\w*|орган\w*|фейк\w*|бот\w*|женщ\w*|женск\w*|мужч\w*|мужск\w*|актив\w*|неактив\w*|только)\b"
)
_TELLING = re.compile(rf"\d|%|\b(?:за|на|до|с|без)\b|\b{_OTHER_THINGS}|\b{_PARTS}")
#: The same for a heading in a cell above or below the title, where a year or a preposition says nothing yet.
_TELLING_HEADING = re.compile(rf"%|\d[./]\d|\b{_OTHER_THINGS}")
#: Headings that say when the numbers were looked at, or what nobody may do: the numbers are what the titles say.
_HARMLESS_HEADING = re.compile(
    r":\s*\S|\b(?:report|отч[её]т|data|данные|statistic\w*|статистик\w*)\b"
    r"|\b(?:as of|(?:last )?updated?|do not|don['’]t|не|обновл\w*|по состоянию на|данные на)\b|^на \d"
)
_NUMBERING = re.compile(r"^\(?\d{1,2}[.):\]]\s*(?=\D)")
_LATIN, _CYRILLIC = "aceopxykmthbi", "асеорхукмтнві"
#: A word in which both alphabets occur.
_MIXED = re.compile(r"(?=\w*[a-z])(?=\w*[а-яёі])\w+")
_TO_CYRILLIC, _TO_LATIN = str.maketrans(_LATIN, _CYRILLIC), str.maketrans(_CYRILLIC, _LATIN)


@dataclass(frozen=True, slots=True)
class Title:
    """The meaning of a title."""

    field: str
    #: How sure: 0 for a name as it is, more for what had to be understood.
    rank: int = 0
    #: The power of ten that its numbers are to be multiplied by.
    scale: int = 0
    #: Where letters of another alphabet look alike: which, and the right spelling.
    spelling: str = ""


class Titles:
    """The titles that are known: the built-in ones and those of ``[sheets.columns]`` (field → names), which win.

    Made once and asked by several threads.
    """

    def __init__(self, synonyms: Mapping[Any, Sequence[str]] = {}) -> None:
        self._names = dict(_built_in())
        for field in FIELDS:
            self._names.update({normal(name): Title(field) for name in synonyms.get(field, ())})
        #: What was understood already; worksheets have few titles, and the same ones.
        self._found: dict[str, Title | None] = {}

    def meaning(self, cell: object) -> Title | None:
        """The meaning of ``cell`` as a title; None if it is unknown."""
        if not isinstance(cell, str) or len(cell) > MAX_TITLE:
            return None
        cache = self._found
        if cell not in cache:
            if len(cache) >= MAX_KNOWN:
                cache = self._found = {}
            cache[cell] = self._understood(cell)
        return cache[cell]

    def _understood(self, cell: str) -> Title | None:
        text = normal(cell)
        if not text:
            return None
        if (title := self._names.get(text)) is not None:
            # Where there is a column "Username", "@Username" is a person's Telegram name: `headers` decides.
            return Title("@username") if title == Title("username") and cell.lstrip().startswith("@") else title
        if (title := self._decorated(text)) is not None or (title := self._bilingual_title(text)) is not None:
            return title
        for letters in (_TO_CYRILLIC, _TO_LATIN):
            alike = _MIXED.sub(partial(_replace_letters, letters), text)
            title = self._names.get(alike) or self._decorated(alike)
            if title is not None and alike != text:
                return Title(title.field, 2, title.scale, _difference(text, alike))
        return None

    def with_heading(self, title: Title, heading: str) -> Title | None:
        """The meaning of ``title`` with ``heading`` in the cell above or below it.

        A unit multiplies (``in thousands``); None where the heading says that the column is something else (``Target``,
        ``Last 30 days``).  Other headings (``Audience``) change nothing.
        """
        text = normal(heading)
        unit = _unit(_signs_off(text).strip("()[] "), alone=True)
        if unit:
            return None if title.scale else replace(title, rank=max(1, title.rank), scale=unit)
        return None if _TELLING_HEADING.search(text) and not _HARMLESS_HEADING.search(text) else title

    @staticmethod
    def is_unit(cell: str) -> bool:
        """Whether the text states the unit of numbers, as ``All numbers in thousands`` does."""
        text = _signs_off(re.sub(r"[()\[\]]", " ", normal(cell)))
        return not any(sign.isdigit() for sign in text) and bool(_unit(text, alone=False) or _unit_off(text)[1])

    @staticmethod
    def is_harmless(cell: str) -> bool:
        """Whether the title is a usual one for numbers that are no metric: ``KPI``, ``#``, but no emoji alone."""
        plain = _signs_off(normal(cell))
        return plain in _HARMLESS and bool(plain or undecorated(normal(cell)).strip())

    def _bilingual_title(self, text: str) -> Title | None:
        """The meaning of ``Views / Просмотры``, whose parts must agree."""
        parts = [self._names.get(part) or self._decorated(part) for part in re.split(r" ?[/|] ?", text)]
        first, *others = parts
        alike = (
            others and first and all(part and (part.field, part.scale) == (first.field, first.scale) for part in others)
        )
        return Title(first.field, 1, first.scale) if first and alike else None

    def _decorated(self, text: str) -> Title | None:
        """The meaning of a name with notes, a unit, a number or symbols around it."""
        notes = [" ".join(filter(None, parts)).strip() for parts in _NOTE.findall(text)]
        bare = _signs_off(_NUMBERING.sub("", _NOTE.sub(" ", text)))
        if (whole := self._names.get(_signs_off(_NOTE.sub(lambda match: f" {match[0][1:-1]} ", text)))) is not None:
            return Title(whole.field, 1)
        units = [_unit(note, alone=True) for note in notes]
        scales = [unit for unit in units if unit]
        bare, unit = _unit_off(bare)
        scales += [unit] if unit else []
        title = self._names.get(bare) or _noun(bare)
        if title is None or len(scales) > 1 or (scales and title.field not in METRICS):
            return None
        if any(unit is None and _tells(note, title.field) for unit, note in zip(units, notes, strict=True)):
            return None
        if any(named.field != title.field for note in notes if (named := self._names.get(note))):
            return None
        return Title(title.field, max(1, title.rank), scales[0] if scales else 0)


def _tells(note: str, field: str) -> bool:
    """Whether ``note`` may change what ``field`` means: a period, a plan, a unit, another metric."""
    words = [loosened(word) for word in note.split()]
    if _TELLING.search(note) or _MIXED.search(note) or not _UNITS.keys().isdisjoint(words):
        return True
    if any(NOUNS.get(word, field) not in (field, "") for word in words):
        return True
    return len("".join(words)) <= 2 and words not in ([], *_PLATFORMS)


def normal(name: str) -> str:
    """A title normalised for comparison: lower case, single spaces, without ``@`` before and ``:`` or ``*`` after."""
    plain = unicodedata.normalize("NFKC", name.translate(INVISIBLE)) if not name.isascii() else name
    return " ".join(plain.replace("_", " ").casefold().split()).lstrip("@ ").rstrip(":* ")


@cache
def _built_in() -> Mapping[str, Title]:
    names = {normal(name): Title(field) for field, several in _NAMES.items() for name in several}
    return names | {normal(name): Title(field, 1) for field, several in _MORE_NAMES.items() for name in several}


def _replace_letters(letters: dict[int, int], word: re.Match[str]) -> str:
    return word[0].translate(letters)


def _difference(text: str, alike: str) -> str:
    foreign = sorted({one for one, other in zip(text, alike, strict=True) if one != other})
    alphabet = unicodedata.name(foreign[0], "another alphabet").split()[0].capitalize()
    return f"{alphabet} {', '.join(foreign)}, read as {alike!r}"


def _signs_off(text: str) -> str:
    """``text`` without emoji, and without punctuation around it."""
    return " ".join(undecorated(text).split()).strip(" .:;,!❗❕*#№-–—|\"'«»“”_→")


def _unit_off(text: str) -> tuple[str, int]:
    """``text`` without its unit, and the unit's power of ten; 0 if it has none."""
    before, comma, after = text.rpartition(",")
    if comma and (unit := _unit(after, alone=True)):
        return _signs_off(before), unit
    words = text.split(" ")
    for count in (2, 1):
        for unit_words, others in ((words[-count:], words[:-count]), (words[:count], words[count:])):
            if others and (unit := _unit(" ".join(unit_words), alone=False)):
                return _signs_off(" ".join(others)), unit
    return text, 0


def _unit(text: str, *, alone: bool) -> int | None:
    """The power of ten that ``text`` (``in thousands``, ``тыс.``) stands for."""
    words = text.strip(" .").split()
    stated = len(words) == 2 and words[0] in ("in", "в")
    word = loosened(words[-1]) if words and (stated or len(words) == 1) else ""
    return None if word in _INITIALS and not (alone or stated) else _UNITS.get(word)


def _noun(text: str) -> Title | None:
    """A metric's noun with only filler words around it; none of ``Video number``: it may say which video it is."""
    words = text.split(" ")
    nouns = TITLES if _QUANTITIES.isdisjoint(words) else NOUNS
    which = not {"no", "number"}.isdisjoint(words) and "of" not in words
    words = [word for word in words if word not in _FILLERS]
    metric = nouns.get(loosened(words[0])) if len(words) == 1 else None
    return Title(metric, 1) if metric and not (which and metric == "videos") else None


def is_total(text: str) -> bool:
    """Whether ``text`` is the label of a row of totals: ``Итого:``, ``TOTAL``, ``Grand total``."""
    plain = normal(text).lstrip("σ∑= ")
    return plain in _TOTALS or plain.startswith(_TOTALS_OF)
