"""``make accidents``: how many typing mistakes are told by cell, how often honest growth is, and what that costs.

Beside the rule itself two negative controls: the rule for jumps of merged values alone, and a baseline that learns
from mistakes.  Exits with 1 if a figure is not reached.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import click

from bench.typing_accidents import (
    DAYS,
    FIRST_JUDGED,
    KINDS,
    Account,
    earlier_accidents,
    edits,
    plant,
    project,
)
from smart_sync.core.merge.growth_band import Band, Point, bands_of
from smart_sync.core.merge.last_read import LastRead, Typed
from smart_sync.core.merge.suspects import jumps
from smart_sync.core.merge.typing_mistakes import TypingTerms, find_typing_mistakes, needs_history
from smart_sync.core.model import METRICS, Metrics

#: Of material mistakes so many are told; of account-days of honest growth no more raise a false alarm.
REACH, FALSE = 0.95, 1 / 1000
COUNTERS = frozenset(METRICS) - {"followers"}

#: Accounts, day, mistakes (none: the honest day) → the cells that are told; of mistakes their rows alone.
Told = Callable[[Sequence[Account], int, dict[tuple[int, str], int]], set[tuple[int, str]]]


def by_rule(*, learns: bool = False) -> Told:
    """The rule itself; ``learns``: with a baseline that learns from mistakes."""
    bands: dict[tuple[int, int], Mapping[str, Band]] = {}

    def told(accounts: Sequence[Account], day: int, cells: dict[tuple[int, str], int]) -> set[tuple[int, str]]:
        sheet = LastRead(
            {account.row: account.last_typed(day)[1] for account in accounts},
            {account.row: account.name for account in accounts},
        )
        typed = _typed(accounts, day, cells)
        close = {
            (one.account_id, one.metric)
            for row in typed.values()
            for one in row
            if needs_history(one, counter=one.metric in COUNTERS)
        }
        histories = {key: _history(accounts[int(key[0])], key[1], day) for key in close}
        if (id(accounts), day) not in bands:
            known = {(str(p), m): _history(a, m, day) for p, a in enumerate(accounts[:20]) for m in METRICS}
            bands.clear()
            bands[id(accounts), day] = bands_of(known, COUNTERS)
        terms = TypingTerms(day, COUNTERS, histories, bands[id(accounts), day], learns_from_mistakes=learns)
        found = set()
        for row in typed.values():
            looked = [one for one in row if (one.account_id, one.metric) in close]
            for mistake in find_typing_mistakes(row, sheet, terms) if looked else ():
                found.add((int(mistake.account_id), mistake.metric))
        return found

    return told


def by_jumps(accounts: Sequence[Account], day: int, cells: dict[tuple[int, str], int]) -> set[tuple[int, str]]:
    """The rule for jumps of merged values alone."""
    found = set()
    for place, row in _typed(accounts, day, cells).items():
        account = accounts[place]
        for one in row:
            before, now = (account.parsed[at] or Metrics() for at in (day - 1, day))
            old = max(one.old or 0, getattr(before, one.metric) or 0)
            new = max(one.new, getattr(now, one.metric) or 0)
            if jumps(one.metric, old, new, 10):
                found.add((place, one.metric))
    return found


def _typed(accounts: Sequence[Account], day: int, cells: dict[tuple[int, str], int]) -> dict[int, list[Typed]]:
    """What is typed on a day, by account: what each manager types, or ``cells`` in its place."""
    found: dict[int, list[Typed]] = {}
    rows = {place for place, _ in cells} or range(len(accounts))
    for place in rows:
        account = accounts[place]
        says = account.typed[day] or (account.true[day] if cells else None)
        if says is None:
            continue
        before = account.last_typed(day)[1]
        parsed = account.parsed[day]
        for metric in METRICS:
            new = cells.get((place, metric), getattr(says, metric))
            if new != getattr(before, metric):
                theirs = None if parsed is None else getattr(parsed, metric)
                one = Typed(str(place), metric, account.row, getattr(before, metric), new, theirs)
                found.setdefault(place, []).append(one)
    return found


def _history(account: Account, metric: str, day: int) -> list[Point]:
    return [Point(d, getattr(typed, metric)) for d, typed in edits(account, day) if d >= day - 30]


def false_alarms(told: Told, projects: int, accounts: int, seed: int) -> tuple[int, int]:
    """False alarms, and the account-days of honest growth that were judged."""
    alarms = days = 0
    for number in range(projects):
        made = project(random.Random(f"{seed} honest {number}"), accounts)
        for day in range(FIRST_JUDGED, DAYS):
            alarms += len(told(made, day, {}))
            days += len(made)
    return alarms, days


def reach(told: Told, projects: int, accounts: int, seed: int) -> dict[str, tuple[int, int]]:
    """Kind → how many of its material mistakes are told by cell, and how many there were."""
    found, planted = Counter[str](), Counter[str]()
    for number in range(projects):
        random_ = random.Random(f"{seed} accidents {number}")
        made = project(random_, accounts)
        earlier_accidents(random_, made, range(FIRST_JUDGED - 20, FIRST_JUDGED))
        for day in range(FIRST_JUDGED + 7, DAYS):
            for kind in KINDS:
                cells = dict(plant(random_, made, kind, day).cells)
                if cells:
                    planted[kind] += len(cells)
                    found[kind] += len(told(made, day, cells) & cells.keys())
    return {kind: (found[kind], planted[kind]) for kind in KINDS}


def share(reached: Mapping[str, tuple[int, int]]) -> float:
    """How many of the mistakes are told, each kind counting alike, however many cells one of it spoils."""
    shares = [found / planted for found, planted in reached.values() if planted]
    return sum(shares) / len(shares)


@click.command()
@click.option("--seed", default=1, show_default=True)
@click.option("--projects", default=20, show_default=True, help="Worksheets.")
@click.option("--accounts", default=40, show_default=True, help="Rows of each.")
def main(seed: int, projects: int, accounts: int) -> None:
    """Measure the rule for typing mistakes, beside two that must be worse."""
    rules = {"the rule": by_rule(), "jumps alone": by_jumps, "learns from accidents": by_rule(learns=True)}
    reached = {name: reach(told, projects, accounts, seed) for name, told in rules.items()}
    click.echo(f"{'told by cell, of material accidents':36}" + "".join(f"{name:>24}" for name in rules))
    for kind in KINDS:
        shares = [f"{found / max(all_, 1):.1%} of {all_}" for found, all_ in (r[kind] for r in reached.values())]
        click.echo(f"{kind:36}" + "".join(f"{share:>24}" for share in shares))
    totals = {name: share(r) for name, r in reached.items()}
    click.echo(f"{'all, each kind alike':36}" + "".join(f"{total:>24.1%}" for total in totals.values()))
    alarms = {name: false_alarms(told, projects, accounts, seed) for name, told in rules.items()}
    click.echo(
        f"{'false alarms in 1,000 account-days':36}" + "".join(f"{1000 * a / d:>24.2f}" for a, d in alarms.values())
    )
    wrong, days = alarms["the rule"]
    sys.exit(0 if totals["the rule"] >= REACH and wrong <= FALSE * days else 1)


if __name__ == "__main__":
    main()
