"""*What we do not know*, at the end of the report: what nobody knows, what stands in, what a person has pinned."""

from collections.abc import Iterator

from smart_sync.core.model import METRICS
from smart_sync.core.results.coverage import KINDS
from smart_sync.report.inputs import AccountFacts, ProjectFacts
from smart_sync.report.markup import Html, count, el, named, short, stamp, table

_CARRIED = ("carried", "stale")
Row = tuple[Html | str, ...]


def unknown_section(projects: list[ProjectFacts]) -> Html:
    """Of all projects together: what the totals above consist of, and what is behind that."""
    kinds, account = map(str.capitalize, KINDS), ("Project", "Account")
    pinned = ("Metric", "Value", "Since", "By", "Until", "Why")
    parts = [
        _table("What the totals consist of", ("Project", "Metric", *kinds), _totals(projects)),
        _table("No value", (*account, "Platform", "Metrics"), _without_value(projects)),
        _table("Values that stand in", (*account, "Metric", "Since"), _carried(projects)),
        _table("Pinned values", (*account, *pinned), _pinned(projects)),
        _table("Not said by a platform", ("Platform", "Metrics"), _not_said(projects)),
    ]
    shown = [part for part in parts if part is not None]
    nothing = [el("p", "Nothing: every account has a value of every metric, and none stands in.")]
    return el("section", el("h2", "What we do not know", id="unknown"), *(shown or nothing), aria_labelledby="unknown")


def _table(title: str, heads: tuple[str, ...], rows: Iterator[Row]) -> Html | None:
    found = list(rows)
    return table(title, heads, found, text_columns=2) if found else None


def _accounts(projects: list[ProjectFacts]) -> Iterator[tuple[ProjectFacts, AccountFacts, Row]]:
    for project in projects:
        for account in project.accounts:
            yield project, account, (named(project.name), named(account.username or account.link))


def _totals(projects: list[ProjectFacts]) -> Iterator[Row]:
    """The metrics of which not every value is exact."""
    for project in projects:
        for metric in METRICS:
            coverage = project.coverage(metric)
            if coverage.exact < coverage.accounts:
                yield (named(project.name), metric, *map(count, coverage))


def _without_value(projects: list[ProjectFacts]) -> Iterator[Row]:
    for _, account, whose in _accounts(projects):
        missing = [metric for metric in METRICS if account.kinds.get(metric, "unknown") == "unknown"]
        if missing:
            yield (*whose, short(account.platform, 20), ", ".join(missing))


def _carried(projects: list[ProjectFacts]) -> Iterator[Row]:
    for _, account, whose in _accounts(projects):
        for metric in METRICS:
            if account.kinds.get(metric) in _CARRIED:
                yield (*whose, metric, stamp(account.carried_since.get(metric)))


def _pinned(projects: list[ProjectFacts]) -> Iterator[Row]:
    for _, account, whose in _accounts(projects):
        for pin in account.pins:
            until = pin.until or "–"
            yield (*whose, pin.metric, count(pin.value), pin.since[:10], short(pin.by, 40), until, short(pin.why, 80))


def _not_said(projects: list[ProjectFacts]) -> Iterator[Row]:
    """The platforms of which parsers say something, and of no account a certain metric."""
    said: dict[str, set[str]] = {}
    for _, account, _ in _accounts(projects):
        if account.said:
            said.setdefault(account.platform.lower(), set()).update(account.said)
    for platform, metrics in sorted(said.items()):
        if missing := [metric for metric in METRICS if metric not in metrics]:
            yield short(platform, 20), ", ".join(missing)
