"""The report's wording: phrases, numbers, dates and times in the reader's language and time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from smart_sync.core.days import moment
from smart_sync.core.model import METRICS
from smart_sync.core.notices.phrases import METRIC_NAMES, NOUNS, Language, counted, number
from smart_sync.core.notices.translation import translated
from smart_sync.report import english, russian
from smart_sync.report.inputs import Audience, Options

#: Key → text; names in braces are filled in.
TEXTS: Mapping[Language, Mapping[str, str]] = {"en": english.TEXTS, "ru": russian.TEXTS}
MONTHS: Mapping[Language, tuple[str, ...]] = {"en": english.MONTHS, "ru": russian.MONTHS}
_UNITS = {"en": ("", "k", "M", "bn", "tn"), "ru": ("", "тыс.", "млн", "млрд", "трлн")}
_SPACE = "\u00a0"


@dataclass(frozen=True, slots=True)
class Words:
    """The wording for one reader."""

    lang: Language = "en"
    timezone: str = "UTC"
    audience: Audience = "manager"

    @classmethod
    def of(cls, options: Options) -> "Words":
        """The wording for a report with ``options``."""
        return cls(options.lang, options.timezone, options.audience)

    @property
    def for_operator(self) -> bool:
        """Whether the reader runs Smart Sync."""
        return self.audience == "operator"

    def say(self, key: str, **values: object) -> str:
        """A phrase in the reader's language."""
        return TEXTS[self.lang][key].format(**values)

    def translated(self, text: str) -> str:
        """A reason or remedy of ours in the reader's language, as far as it has translations."""
        return translated(text, self.lang)

    def counted(self, value: int, noun: str) -> str:
        """``1 account``, ``5 аккаунтов``."""
        return counted(self.lang, value, noun)

    def noun(self, value: int | None, noun: str) -> str:
        """The noun in the form for ``value``; without a value, in the plural."""
        return counted(self.lang, value or 0, noun).rpartition(" ")[2]

    def nouns(self, names: Sequence[str]) -> list[tuple[str, str, str]]:
        """The forms of nouns: for one, a few, many."""
        return [NOUNS[self.lang][name] for name in names]

    def metric(self, name: str) -> str:
        """A metric by its name."""
        return METRIC_NAMES[self.lang].get(name, name)

    def metrics(self) -> tuple[str, ...]:
        """The metrics' names for column headings."""
        return tuple(self.metric(name).capitalize() for name in METRICS)

    def count(self, value: int | None) -> str:
        """A count: ``1,234``; a dash where nothing is known."""
        return "–" if value is None else number(self.lang, value)

    def signed(self, amount: int) -> str:
        """A change: ``+1,234``, ``−56``, ``±0``."""
        if amount == 0:
            return "±0"
        return ("+" if amount > 0 else "−") + number(self.lang, abs(amount))

    def short(self, value: int) -> str:
        """A count to three digits, rounded down: ``4.83 M``."""
        power = min((len(str(value)) - 1) // 3, len(_UNITS["en"]) - 1)
        whole = str(value)[: len(str(value)) - 3 * power]
        rest = str(value)[len(whole) : len(whole) + max(3 - len(whole), 0)] if power else ""
        digits = f"{whole}.{rest}".rstrip("0").rstrip(".") if rest else whole
        unit = _UNITS[self.lang][power]
        return self._decimal(digits) + (f"{_SPACE}{unit}" if unit else "")

    def percent(self, value: float) -> str:
        """A share in whole percent, rounded down: ``48 %``."""
        return f"{number(self.lang, int(value))}{_SPACE}%"

    def change_percent(self, value: float) -> str:
        """``+4.2 %``, ``−0.3 %``."""
        return self._decimal(f"{value:+.1f}").replace("-", "−") + f"{_SPACE}%"

    def seconds(self, value: float) -> str:
        """A duration to a tenth of a second."""
        return self._decimal(f"{value:.1f}")

    def _decimal(self, digits: str) -> str:
        return digits if self.lang == "en" else digits.replace(".", ",")

    def day(self, ordinal: int) -> str:
        """A day: ``10 Mar 2026``."""
        moment = date.fromordinal(ordinal)
        return f"{moment.day} {MONTHS[self.lang][moment.month - 1]} {moment.year}"

    def short_day(self, ordinal: int, *, with_year: bool = False) -> str:
        """A day below a chart: ``10 Mar``; ``10 Mar 25`` where a chart spans two years."""
        moment = date.fromordinal(ordinal)
        year = f" {moment.year % 100:02}" if with_year else ""
        return f"{moment.day} {MONTHS[self.lang][moment.month - 1]}{year}"

    def stamped(self, stamp: str) -> str:
        """A stamp of the database in the reader's time zone; a dash if it is none."""
        try:
            return self.stamp(moment(stamp))
        except (ValueError, OverflowError):
            return "–"

    def stamp(self, moment: datetime | None) -> str:
        """A moment in the reader's time zone, to the minute."""
        if moment is None:
            return self.say("unknown_time")
        local = moment.astimezone(ZoneInfo(self.timezone))
        return f"{self.day(local.toordinal())}, {local:%H:%M}"
