"""Worksheets as people keep them: honest growth with viral days, and twelve kinds of accidents planted in it.

Everything comes from a seed.  An account grows by a rate of its own, unevenly, with a viral day now and then on which
all its numbers rise; its manager types all numbers of a row every day, every other day or once a week, some of them
rounded to three digits; a parser knows half of the accounts, some a day late.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smart_sync.core.model import METRICS, Metrics

#: Days that are made, and those of them that are judged.
DAYS, FIRST_JUDGED = 60, 31
_VIRAL = 0.01
#: A leap of one number alone, which nothing else explains.
_ALONE = 0.0001
#: An accident is material if the number is further from what was meant.
MATERIAL = 0.05


@dataclass(slots=True)
class Account:
    """An account: what is true on each day, what its manager types (None: nothing on that day), what a parser says."""

    row: int
    name: str
    true: list[Metrics] = field(default_factory=list)
    typed: list[Metrics | None] = field(default_factory=list)
    parsed: list[Metrics | None] = field(default_factory=list)

    def last_typed(self, day: int) -> tuple[int, Metrics]:
        """The last day before ``day`` on which something was typed, and what."""
        return next((d, t) for d in range(day - 1, -1, -1) if (t := self.typed[d]) is not None)


def project(random_: random.Random, accounts: int) -> list[Account]:
    """The accounts of one worksheet, from its second row on."""
    return [_account(random_, row) for row in range(2, accounts + 2)]


def _account(random_: random.Random, row: int) -> Account:
    followers = 10 ** random_.uniform(3, 6.3)
    videos = random_.uniform(30, 1500)
    views = followers * 10 ** random_.uniform(0.5, 2)
    likes = views * random_.uniform(0.02, 0.1)
    comments = likes * random_.uniform(0.01, 0.08)
    values = [followers, likes, comments, videos, views]
    rate = min(random_.lognormvariate(-5.8, 0.8), 0.02)
    rates = [rate * random_.uniform(0.5, 1.5) for _ in METRICS]
    pause = random_.choice((1, 1, 2, 7))
    begins = random_.randrange(pause)
    rounds, is_parsed = random_.random() < 0.2, random_.random() < 0.5
    lags, late = random_.uniform(0.97, 1.0), random_.choice((0, 0, 1))
    made = Account(row, f"@account{row}")
    for day in range(DAYS):
        viral = random_.paretovariate(1.2) * 0.1 if random_.random() < _VIRAL else 0.0
        viral = min(viral, 3.0)
        for index, metric in enumerate(METRICS):
            step = rates[index] * random_.lognormvariate(0, 0.4)
            if metric == "followers":
                step += random_.gauss(0, 0.001) + viral * 0.3
            elif metric == "videos":
                values[index] += sum(random_.random() < 0.4 for _ in range(3))
                continue
            else:
                step += viral * random_.uniform(0.7, 1.3)
            if random_.random() < _ALONE:
                step += random_.uniform(0.03, 0.3)
            values[index] *= 1 + step
        truth = [round(value) for value in values]
        made.true.append(Metrics(*truth))
        says = day % pause == begins or day == 0
        made.typed.append(Metrics(*(_rounded(v) if rounds else v for v in truth)) if says else None)
        known = made.true[day - late if day else 0]
        parsed = Metrics(*(round((v or 0) * lags) for v in known)) if is_parsed else None
        made.parsed.append(parsed)
    return made


def _rounded(value: int) -> int:
    place: int = 10 ** max(len(str(value)) - 3, 0)
    return value // place * place


class Planted(NamedTuple):
    """One accident: its kind, and what the cells of some rows say in place of what was meant, account by metric."""

    kind: str
    cells: Mapping[tuple[int, str], int]


#: A kind: random choices, the accounts, the place of one of them, a metric, the day → cells (place, metric) → number.
Plant = Callable[[random.Random, Sequence[Account], int, str, int], dict[tuple[int, str], int]]


def _meant(accounts: Sequence[Account], place: int, metric: str, day: int) -> int:
    """What an account's manager would have typed."""
    typed = accounts[place].typed[day] or accounts[place].true[day]
    return int(getattr(typed, metric))


def _before(accounts: Sequence[Account], place: int, metric: str, day: int) -> int:
    return int(getattr(accounts[place].last_typed(day)[1], metric))


def _of_text(change: Callable[[random.Random, str], str]) -> Plant:
    def plant(
        random_: random.Random, accounts: Sequence[Account], place: int, metric: str, day: int
    ) -> dict[tuple[int, str], int]:
        return {(place, metric): int(change(random_, str(_meant(accounts, place, metric, day))) or "0")}

    return plant


def _missing_digit(random_: random.Random, text: str) -> str:
    at = random_.randrange(len(text))
    return text[:at] + text[at + 1 :]


def _extra_digit(random_: random.Random, text: str) -> str:
    at = random_.randrange(len(text))
    return text[: at + 1] + text[at] + text[at + 1 :]


def _wrong_digit(random_: random.Random, text: str) -> str:
    at = random_.randrange(min(2, len(text)))  # further to the right it would not be material
    return text[:at] + random_.choice([d for d in "123456789" if d != text[at]]) + text[at + 1 :]


def _swapped_digits(random_: random.Random, text: str) -> str:
    at = random_.randrange(min(2, len(text) - 1)) if len(text) > 1 else 0
    return text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]


def _neighbours_row(
    random_: random.Random, accounts: Sequence[Account], place: int, metric: str, day: int
) -> dict[tuple[int, str], int]:
    other = min(max(place + random_.choice((-2, -1, 1, 2)), 0), len(accounts) - 1)
    return {(place, metric): _before(accounts, other, metric, day)}


def _wrong_column(
    random_: random.Random, accounts: Sequence[Account], place: int, metric: str, day: int
) -> dict[tuple[int, str], int]:
    return {(place, metric): _before(accounts, place, random_.choice([m for m in METRICS if m != metric]), day)}


def _shifted_block(
    random_: random.Random, accounts: Sequence[Account], place: int, metric: str, day: int
) -> dict[tuple[int, str], int]:
    by, length = random_.choice((-1, 1)), random_.randint(3, 10)
    places = [at for at in range(place, min(place + length, len(accounts))) if 0 <= at + by < len(accounts)]
    return {(at, metric): _before(accounts, at + by, metric, day) for at in places}


def _swapped_rows(
    _random: random.Random, accounts: Sequence[Account], place: int, metric: str, day: int
) -> dict[tuple[int, str], int]:
    other = place + 1 if place + 1 < len(accounts) else place - 1
    numbers = {(place, m): _before(accounts, other, m, day) for m in METRICS}
    return numbers | {(other, m): _before(accounts, place, m, day) for m in METRICS}


def _last_weeks(
    _random: random.Random, accounts: Sequence[Account], place: int, metric: str, day: int
) -> dict[tuple[int, str], int]:
    account = accounts[place]
    week_ago = next(t for d in range(day - 7, -1, -1) if (t := account.typed[d]) is not None)
    return {(place, metric): int(getattr(week_ago, metric))}


def _growth_for_total(
    _random: random.Random, accounts: Sequence[Account], place: int, metric: str, day: int
) -> dict[tuple[int, str], int]:
    grown = _meant(accounts, place, metric, day) - _before(accounts, place, metric, day)
    return {(place, metric): max(grown, 0)}


KINDS: Mapping[str, Plant] = {
    "a digit is missing": _of_text(_missing_digit),
    "a digit typed twice": _of_text(_extra_digit),
    "a wrong digit": _of_text(_wrong_digit),
    "two digits swapped": _of_text(_swapped_digits),
    "in thousands": _of_text(lambda _random, text: text[:-3]),
    "a zero too many": _of_text(lambda _random, text: text + "0"),
    "the neighbour's row": _neighbours_row,
    "the wrong column": _wrong_column,
    "a shifted block": _shifted_block,
    "two rows swapped": _swapped_rows,
    "last week's number": _last_weeks,
    "the growth, not the total": _growth_for_total,
}


def plant(random_: random.Random, accounts: Sequence[Account], kind: str, day: int) -> Planted:
    """An accident of ``kind`` on ``day``, somewhere in the worksheet; only its material cells, perhaps none."""
    place, metric = random_.randrange(len(accounts)), random_.choice(METRICS)
    cells = KINDS[kind](random_, accounts, place, metric, day)
    return Planted(kind, {at: number for at, number in cells.items() if _is_material(accounts, at, number, day)})


def _is_material(accounts: Sequence[Account], at: tuple[int, str], number: int, day: int) -> bool:
    """Whether a number is far from what is true, and a person has changed the cell to type it."""
    meant, before = _meant(accounts, *at, day), _before(accounts, *at, day)
    return abs(number - meant) > MATERIAL * meant and number != before


def earlier_accidents(random_: random.Random, accounts: Sequence[Account], days: range) -> None:
    """Let each number of an account have been an accident on two of ``days``; what was typed later was right again."""
    for account in accounts:
        on = [day for day in days if account.typed[day] is not None]
        for metric in METRICS:
            for day in random_.sample(on, min(2, len(on))):
                meant = account.typed[day] or Metrics()
                text = str(getattr(meant, metric))
                number = int(random_.choice((text + "0", _wrong_digit(random_, text), text[:-1] or "0")))
                account.typed[day] = meant._replace(**{metric: number})


def edits(account: Account, until: int) -> Iterator[tuple[int, Metrics]]:
    """The days before ``until`` on which something was typed, and what."""
    return ((day, typed) for day in range(until) if (typed := account.typed[day]) is not None)
