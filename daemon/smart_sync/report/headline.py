"""The top of the report and of each project: where it stands, and how much it has grown."""

from smart_sync.core.history.growth import Growth
from smart_sync.core.model import METRICS
from smart_sync.report.inputs import ProjectFacts
from smart_sync.report.markup import Html, change_cell, count, day, el, join, named, stamp, table
from smart_sync.report.trend import FOLLOWERS, HORIZONS, VIEWS, WEEK, movers, total, total_change

MOVERS = 5
_METRICS = (("Views", VIEWS), ("Followers", FOLLOWERS))


def overview(projects: list[tuple[str, ProjectFacts]]) -> Html:
    """All projects in one table, each a link to its section."""
    heads = ("Project", "State", "Accounts", "Views", "7 days", "Followers", "7 days", "Followers are")
    rows = []
    for anchor, project in projects:
        numbers: list[Html | str] = []
        for _name, metric in _METRICS:
            numbers += [count(_total(project, metric)), _change(project, metric, WEEK)]
        followers = project.coverage("followers").told()
        link = el("a", named(project.name), href=f"#{anchor}")
        rows.append((link, badge(project), count(len(project.accounts)), *numbers, followers))
    return el(
        "section", el("h2", "All projects"), table("All projects", heads, rows, text_columns=2), aria_label="Overview"
    )


def badge(project: ProjectFacts) -> Html:
    """What became of the project in its last pass."""
    outcome = project.last_run.outcome if project.last_run else "no pass yet"
    known = outcome if outcome in ("synced", "unchanged", "degraded", "failed") else "none"
    return el("span", outcome, class_=f"badge {known}")


def headline(project: ProjectFacts) -> Html:
    """Views and followers, large, with their changes; and which day they are of."""
    facts = [f"{len(project.accounts)} active account{'' if len(project.accounts) == 1 else 's'}"]
    if project.left:
        facts.append(f"{len(project.left)} left, in no total")
    if project.inactive:
        facts.append(f"{project.inactive} inactive, left out")
    if project.as_of is not None:
        facts.append(f"values of {day(project.as_of)}")
    if project.last_run:
        facts.append(f"last pass {stamp(project.last_run.finished_at)}")
    line = el("p", badge(project), " " + " · ".join(facts), class_="note")
    return join((line, el("div", *(_tile(project, name, metric) for name, metric in _METRICS), class_="tiles")))


def _tile(project: ProjectFacts, name: str, metric: int) -> Html:
    changes = join(
        el("div", el("dt", f"{days} day{'s' if days > 1 else ''}"), el("dd", _change(project, metric, days)))
        for days in HORIZONS
    )
    return el(
        "div",
        el("h3", name),
        el("p", count(_total(project, metric)), class_="big"),
        el("dl", changes),
        el("p", project.coverage(METRICS[metric]).told(), class_="note"),
        class_="tile",
    )


def _total(project: ProjectFacts, metric: int) -> int | None:
    return None if project.as_of is None else total(project.accounts, metric, project.as_of)


def _change(project: ProjectFacts, metric: int, days: int) -> Html:
    found: Growth | None = None
    if project.as_of is not None:
        found = total_change(project.accounts, metric, project.as_of, days)
    return change_cell(found, len(project.accounts))


def movers_section(project: ProjectFacts) -> Html:
    """Who changed most over a week."""
    tables = []
    for name, metric in _METRICS:
        rows = [
            (named(mover.account.username), mover.account.platform, change_cell(mover.change, moved=True))
            for mover in movers(project, metric, MOVERS)
        ]
        if rows:
            tables.append(
                table(f"{name}, 7 days", ("Account", "Platform", "Growth"), rows, text_columns=2),
            )
    shown = el("div", *tables, class_="columns") if tables else el("p", "No account changed within 7 days.")
    return join((el("h3", "Movers"), shown))
