"""The page: facts in, one HTML file out.  Nothing here reads a clock, a file of the user's or the network."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from importlib import resources
from string import Template

from smart_sync.report.account_table import accounts_section
from smart_sync.report.attention import corrections_section, left_section, passes_section, stale_section
from smart_sync.report.detail import detail_section
from smart_sync.report.headline import headline, movers_section, overview
from smart_sync.report.inputs import ProjectFacts, ReportInputs
from smart_sync.report.markup import Html, day, el, escaped, join, named, stamp
from smart_sync.report.series import ProjectSeries, series_of
from smart_sync.report.trend import VIEWS, Window, total, window
from smart_sync.report.unknown import unknown_section

EPOCH = date(1970, 1, 1).toordinal()


def page(facts: ReportInputs, days: int, now: datetime) -> str:
    """The whole report as HTML, with charts of the last ``days`` days; ``now`` decides what is stale."""
    projects = [_sorted(project) for project in facts.projects]
    shown = window(projects, days)
    series = [series_of(project, shown) for project in projects] if shown else []
    style, script = _style(), _script()
    return _template().substitute(
        policy=f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        title=escaped(f"Growth: {projects[0].name}" if len(projects) == 1 else "Growth"),
        style=style,
        body=_body(facts, projects, series, shown, now),
        data=_data(series, shown),
        script=script,
    )


def _sorted(project: ProjectFacts) -> ProjectFacts:
    """The accounts by their views, the largest first."""
    day = project.as_of or 0
    ranked = sorted(project.accounts, key=lambda account: -(total((account,), VIEWS, day) or 0))
    return replace(project, accounts=tuple(ranked))


def _body(
    facts: ReportInputs, projects: list[ProjectFacts], series: list[ProjectSeries], shown: Window | None, now: datetime
) -> Html:
    span = f"charts from {day(shown.start)} to {day(shown.end)}" if shown else "no values yet"
    left_out = (
        f"; {facts.left_out:,} snapshots with an unreadable or future time are left out" if facts.left_out else ""
    )
    anchored = [(f"project-{number}", project) for number, project in enumerate(projects)]
    sections = [
        _project(anchor, project, series[number] if shown else None, shown, now)
        for number, (anchor, project) in enumerate(anchored)
    ]
    return join(
        (
            el("header", el("h1", "Growth"), el("p", f"Made {stamp(now)}; {span}{left_out}.", class_="note")),
            el(
                "main",
                overview(anchored) if len(projects) > 1 else None,
                *(sections or [el("p", "There is no active project in the database yet.")]),
                passes_section(facts.passes),
                unknown_section(projects),
                id="main",
            ),
        )
    )


def _project(
    anchor: str, project: ProjectFacts, series: ProjectSeries | None, shown: Window | None, now: datetime
) -> Html:
    parts: list[Html | None] = [headline(project)]
    if series and shown and not series.empty:
        number = int(anchor.rpartition("-")[2])
        parts += [detail_section(project, series, shown, number), accounts_section(project, series, shown)]
        parts += [movers_section(project), corrections_section(project)]
    else:
        parts.append(el("p", "No snapshots in this time."))
    parts += [left_section(project), stale_section(project, now)]
    return el("section", el("h2", named(project.name), id=anchor), *parts, aria_labelledby=anchor)


def _data(series: list[ProjectSeries], shown: Window | None) -> str:
    """Numbers and packed digits alone: no text from outside goes into a script."""
    start, length = (shown.start - EPOCH, shown.length) if shown else (0, 0)
    return json.dumps({"start": start, "days": length, "projects": [one.packed() for one in series]})


def _hash(inline: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    return Template(_asset("report.html"))


@cache
def _style() -> str:
    return _asset("uPlot.min.css") + _asset("report.css")


@cache
def _script() -> str:
    """uPlot (1.6.32, unchanged) with its licence, which has to travel with it, and our own few lines."""
    return f"/*\n{_asset('uPlot.LICENSE')}*/\n{_asset('uPlot.iife.min.js')}\n{_asset('report.js')}"
