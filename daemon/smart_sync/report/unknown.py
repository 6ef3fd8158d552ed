"""*What we do not know*, at the end of the report: unknown, carried and pinned values."""

from collections.abc import Iterator, Sequence
from datetime import date

from smart_sync.core.model import METRICS
from smart_sync.core.results.coverage import KINDS, Coverage
from smart_sync.report.inputs import AccountFacts, ProjectFacts
from smart_sync.report.markup import Html, el, named, short, table
from smart_sync.report.words import Words

_CARRIED = ("carried", "stale")
Row = tuple[Html | str, ...]


def coverage_text(coverage: Coverage, words: Words) -> str:
    """The coverage of a total: ``of 12 accounts: 9 exact, 2 carried, 1 unknown``."""
    kinds = [f"{words.count(n)} {words.say(f'kind_{kind}')}" for kind, n in zip(KINDS, coverage, strict=True) if n]
    return words.say("coverage", accounts=words.counted(coverage.accounts, "account"), kinds=", ".join(kinds) or "–")


def unknown_section(projects: Sequence[ProjectFacts], words: Words) -> Html:
    """The coverage of all projects' totals, and the reasons."""
    kinds = [words.say(f"kind_{kind}").capitalize() for kind in KINDS]
    one, account = [words.say("metric")], [words.say("project"), words.say("account")]
    platform, several = [words.say("platform")], [words.say("metrics")]
    pinned = [words.say(key) for key in ("value", "since_head", "by_whom", "until", "why")]
    parts = [
        _table("consists_of", [words.say("project"), *one, *kinds], _totals(projects, words), words),
        _table("without_value", [*account, *platform, *several], _missing(projects, words), words),
        _table("standing_in", [*account, *one, words.say("since_head")], _carried(projects, words), words),
        _table("pinned_values", [*account, *one, *pinned], _pinned(projects, words), words),
        _table("not_said", [*platform, *several], _not_said(projects, words), words),
    ]
    shown = [part for part in parts if part is not None] or [el("p", words.say("nothing_unknown"))]
    title = words.say("unknown")
    return el("section", el("h2", title, id="unknown"), *shown, aria_labelledby="unknown")


def _table(title: str, heads: list[str], rows: Iterator[Row], words: Words) -> Html | None:
    entries = list(rows)
    numbers = title == "consists_of"
    return table(words.say(title), heads, entries, text_columns=2, numbers=numbers) if entries else None


def _accounts(projects: Sequence[ProjectFacts]) -> Iterator[tuple[AccountFacts, Row]]:
    for project in projects:
        for account in project.accounts:
            yield account, (named(project.name), named(account.name))


def _totals(projects: Sequence[ProjectFacts], words: Words) -> Iterator[Row]:
    """The metrics whose values are not all exact."""
    for project in projects:
        for metric in METRICS:
            coverage = project.coverage(metric)
            if coverage.exact < coverage.accounts:
                yield (named(project.name), words.metric(metric), *map(words.count, coverage))


def _missing(projects: Sequence[ProjectFacts], words: Words) -> Iterator[Row]:
    for account, project in _accounts(projects):
        missing = [words.metric(metric) for metric in METRICS if account.kinds.get(metric, "unknown") == "unknown"]
        if missing:
            yield (*project, short(account.platform, 20), ", ".join(missing))


def _carried(projects: Sequence[ProjectFacts], words: Words) -> Iterator[Row]:
    for account, project in _accounts(projects):
        for metric in METRICS:
            if account.kinds.get(metric) in _CARRIED:
                yield (*project, words.metric(metric), words.stamp(account.carried_since.get(metric)))


def _pinned(projects: Sequence[ProjectFacts], words: Words) -> Iterator[Row]:
    for account, project in _accounts(projects):
        for pin in account.pins:
            days = [_day(label, words) for label in (pin.since[:10], pin.until or "")]
            what = (words.metric(pin.metric), words.count(pin.value), days[0], short(pin.by, 40), days[1])
            yield (*project, *what, short(pin.why, 80))


def _day(label: str, words: Words) -> str:
    try:
        return words.day(date.fromisoformat(label).toordinal())
    except ValueError:
        return "–"


def _not_said(projects: Sequence[ProjectFacts], words: Words) -> Iterator[Row]:
    """The platforms whose parsers give values, but none of a certain metric for any account."""
    metrics_by_platform: dict[str, set[str]] = {}
    for account, _ in _accounts(projects):
        if account.said:
            metrics_by_platform.setdefault(account.platform.lower(), set()).update(account.said)
    for platform, metrics in sorted(metrics_by_platform.items()):
        if missing := [words.metric(metric) for metric in METRICS if metric not in metrics]:
            yield short(platform, 20), ", ".join(missing)
