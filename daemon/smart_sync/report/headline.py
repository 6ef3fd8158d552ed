"""The top of the report and of each project: target, progress, and growth."""

import math
from collections.abc import Sequence

from smart_sync.core.history.growth import Growth
from smart_sync.core.history.target import Standing, Verdict
from smart_sync.core.model import METRICS
from smart_sync.report.inputs import ProjectFacts
from smart_sync.report.markup import Html, change_cell, el, join, named, short, table
from smart_sync.report.totals import GroupTotal, breakdowns, lifetime_sources, standing
from smart_sync.report.trend import FOLLOWERS, VIEWS, WEEK, Horizon, movers, total, total_change
from smart_sync.report.unknown import coverage_text
from smart_sync.report.words import Words

MOVERS = 5
_METRICS = (VIEWS, FOLLOWERS)
_TONES = {Verdict.REACHED: "up", Verdict.ON_COURSE: "up", Verdict.BEHIND: "warn", Verdict.MISSED: "down"}


def overview(projects: list[tuple[str, ProjectFacts]], today: int, lifetime: frozenset[str], words: Words) -> Html:
    """All projects in one table, each linked to its section."""
    names, week = words.metrics(), words.counted(WEEK, "day")
    heads = [words.say("project"), names[VIEWS], words.say("target"), week, names[FOLLOWERS], week]
    heads += [words.say("accounts"), words.say("state")]
    rows = []
    for anchor, project in projects:
        numbers: list[Html | str] = []
        for metric in _METRICS:
            numbers += [words.count(_total(project, metric)), _change(project, metric, Horizon(WEEK), words)]
        numbers.insert(1, _target(project, today, lifetime, words))
        link = el("a", named(project.name), href=f"#{anchor}")
        rows.append((link, *numbers, words.count(len(project.accounts)), badge(project, words)))
    title = words.say("all_projects")
    return el("section", el("h2", title), table(title, heads, rows), aria_label=title)


def _target(project: ProjectFacts, today: int, lifetime: frozenset[str], words: Words) -> Html | str:
    progress = standing(project, today)
    if progress is None:
        return "–"
    if project.target_flaw or lifetime_sources(project, lifetime) or progress.percent is None:
        return words.say("not_known")
    verdict = el("small", words.say(f"verdict_{progress.verdict}"), class_=_TONES.get(progress.verdict, "none"))
    return join((words.percent(progress.percent), " ", verdict))


def badge(project: ProjectFacts, words: Words) -> Html:
    """The project's outcome in its last pass."""
    outcome = project.last_run.outcome if project.last_run else "none"
    known = outcome if outcome in ("synced", "unchanged", "degraded", "failed") else "none"
    text = outcome if words.for_operator and known != "none" else words.say(f"state_{known}")
    return el("span", text, class_=f"badge {known}")


def target_section(project: ProjectFacts, today: int, lifetime: frozenset[str], words: Words) -> Html:
    """Whether the project is on target: a sentence, what it would take, and a bar; or why that is unknown."""
    progress = standing(project, today)
    if project.target_flaw:
        return el("p", words.say("target_flaw", why=words.translated(project.target_flaw)), class_="note")
    if progress is None:
        return el("p", words.say("no_target"), class_="note")
    if sources := lifetime_sources(project, lifetime):
        shown = ", ".join(short(name, 40) for name in sources)
        lines = [words.say("lifetime", target=_goal(progress, words), sources=shown)]
        if words.for_operator:
            lines += [words.say("set_count", parser=short(sources[0], 40))]
        return el("div", el("p", lines[0]), *(el("p", line, class_="note") for line in lines[1:]), class_="target")
    verdict = el("strong", words.say(f"verdict_{progress.verdict}"), class_=_TONES.get(progress.verdict, "none"))
    return el("div", el("p", verdict, f": {_sentence(progress, words)}"), *_bar(progress, words), class_="target")


def _goal(progress: Standing, words: Words) -> str:
    """``10 M views by 31 Dec 2026``."""
    views, end = words.short(progress.target.views), progress.target.end
    return words.say("goal", views=views) if end is None else words.say("goal_by", views=views, day=words.day(end))


def _sentence(progress: Standing, words: Words) -> str:
    goal = _goal(progress, words)
    if progress.value is None or progress.percent is None:
        return words.say("no_views_yet", goal=goal)
    parts = [words.say("so_far", value=words.short(progress.value), goal=goal, percent=words.percent(progress.percent))]
    if progress.day is not None and progress.verdict not in (Verdict.NOT_BEGUN, Verdict.MISSED):
        parts.append(words.say("day_of", day=progress.day, days=progress.days))
    return ", ".join(parts) + _outlook(progress, words)


def _outlook(progress: Standing, words: Words) -> str:
    """The projection of the pace, and the growth needed."""
    if progress.verdict == Verdict.NOT_BEGUN and progress.target.start is not None:
        return f"; {words.say('begins', day=words.day(progress.target.start))}"
    if progress.verdict == Verdict.MISSED and progress.value is not None:
        return f"; {words.say('missing', views=words.short(progress.target.views - progress.value))}"
    if progress.verdict == Verdict.REACHED:
        return "."
    if progress.ended_unseen and progress.as_of is not None:
        return f"; {words.say('ended_unseen', day=words.day(progress.as_of))}"
    if progress.pace is None:
        return f"; {words.say('no_pace')}"
    if progress.projected is None:
        day = progress.reached_on
        return f"; {words.say('reached_on', day=words.day(day)) if day else words.say('never_reached')}"
    lead = words.say("at_pace", views=words.short(max(progress.projected, 0)))
    if progress.verdict == Verdict.BEHIND and progress.needed is not None:
        needed, now = words.short(math.ceil(progress.needed)), words.short(max(round(progress.pace.per_day), 0))
        lead += f"; {words.say('needed', needed=needed, now=now)}"
    return f"; {lead}"


def _bar(progress: Standing, words: Words) -> list[Html]:
    """Progress and elapsed time as a bar; an ``svg``, since the page allows no inline styles."""
    if progress.percent is None:
        return []
    width = min(progress.percent, 100.0)
    label = words.say("bar", percent=words.percent(progress.percent))
    parts = [el("rect", width=100, height=8, class_="whole"), el("rect", width=f"{width:.1f}", height=8, class_="done")]
    if progress.day is not None and progress.days and progress.verdict != Verdict.NOT_BEGUN:
        place = min(100 * progress.day / progress.days, 99.7)
        parts.append(el("path", d=f"M{place:.1f} 0V8", class_="today"))
        label += f"; {words.say('bar_today', percent=words.percent(100 * progress.day / progress.days))}"
    view = {"viewBox": "0 0 100 8", "preserveAspectRatio": "none"}
    return [el("svg", *parts, class_="bar", role="img", aria_label=label, **view), el("p", label, class_="note")]


def headline(project: ProjectFacts, shown: Sequence[Horizon], words: Words) -> Html:
    """Views and followers in large type, with their changes and their day."""
    facts = [words.counted(len(project.accounts), "active account")]
    if project.left:
        facts.append(words.say("left_facts", number=words.count(len(project.left))))
    if project.inactive:
        facts.append(words.say("inactive_facts", number=words.count(project.inactive)))
    if project.as_of is not None:
        facts.append(words.say("values_of", day=words.day(project.as_of)))
    if project.last_run:
        facts.append(words.say("updated", when=words.stamp(project.last_run.finished_at)))
    line = el("p", badge(project, words), " " + " · ".join(facts), class_="note")
    return join((line, el("div", *(_tile(project, metric, shown, words) for metric in _METRICS), class_="tiles")))


def horizon_name(horizon: Horizon, words: Words) -> str:
    """``7 days``, or ``since 1 Mar 2026``."""
    if horizon.since is not None:
        return words.say("since", day=words.day(horizon.since))
    return words.counted(horizon.days, "day")


def _tile(project: ProjectFacts, metric: int, shown: Sequence[Horizon], words: Words) -> Html:
    changes = join(
        el("div", el("dt", horizon_name(one, words)), el("dd", _change(project, metric, one, words))) for one in shown
    )
    return el(
        "div",
        el("h3", words.metrics()[metric]),
        el("p", words.count(_total(project, metric)), class_="big"),
        el("dl", changes),
        el("p", coverage_text(project.coverage(METRICS[metric]), words), class_="note"),
        class_="tile",
    )


def _total(project: ProjectFacts, metric: int) -> int | None:
    return None if project.as_of is None else total(project.accounts, metric, project.as_of)


def _change(project: ProjectFacts, metric: int, horizon: Horizon, words: Words) -> Html:
    growth: Growth | None = None
    if project.as_of is not None:
        growth = total_change(project.accounts, metric, project.as_of, horizon.back(project.as_of))
    return change_cell(words, growth, len(project.accounts))


def totals_section(project: ProjectFacts, words: Words) -> Html | None:
    """Totals by platform, topic and person; groupings that no account has are left out."""
    shown = [
        table(words.say(f"by_{what}"), _total_heads(what, words), [_total_row(one, what, words) for one in groups])
        for what, groups in breakdowns(project)
    ]
    return join((el("h3", words.say("totals")), el("div", *shown))) if shown else None


def _total_heads(what: str, words: Words) -> tuple[str, ...]:
    names, week = words.metrics(), words.counted(WEEK, "day")
    return (
        words.say(what), names[VIEWS], words.say("share"), week, names[FOLLOWERS], week, words.say("accounts"),
    )  # fmt: skip


def _total_row(one: GroupTotal, what: str, words: Words) -> tuple[Html | str, ...]:
    return (
        named(one.name, words.say(f"no_{what}")),
        words.count(one.views),
        "–" if one.share is None else words.percent(one.share),
        change_cell(words, one.views_change, one.accounts),
        words.count(one.followers),
        change_cell(words, one.followers_change, one.accounts),
        words.count(one.accounts),
    )


def movers_section(project: ProjectFacts, words: Words) -> Html:
    """The accounts with the largest changes over a week."""
    tables = []
    for metric in _METRICS:
        rows = [
            (named(mover.account.username), mover.account.platform, change_cell(words, mover.change, moved=True))
            for mover in movers(project, metric, MOVERS)
        ]
        if rows:
            title = f"{words.metric(METRICS[metric]).capitalize()}, {words.counted(WEEK, 'day')}"
            heads = (words.say("account"), words.say("platform"), words.say("growth_head"))
            tables.append(table(title, heads, rows, text_columns=2))
    shown = el("div", *tables, class_="columns") if tables else el("p", words.say("nobody_moved"))
    return join((el("h3", words.say("movers")), shown))
