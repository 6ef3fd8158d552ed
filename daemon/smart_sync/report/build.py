"""Builds the report: turns its inputs into one HTML file. Reads no clock, user files or network."""

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from importlib import resources
from string import Template

from smart_sync.core.model import METRICS
from smart_sync.report.account_table import accounts_section
from smart_sync.report.attention import corrections_section, left_section, passes_section, stale_section, to_do_section
from smart_sync.report.charts import ProjectSeries, detail_section, series_of
from smart_sync.report.headline import headline, movers_section, overview, target_section, totals_section
from smart_sync.report.inputs import Options, ProjectFacts, ReportInputs
from smart_sync.report.markup import Html, el, escaped, join, named
from smart_sync.report.totals import lifetime_sources
from smart_sync.report.trend import VIEWS, Horizon, Window, horizons, total, window
from smart_sync.report.unknown import unknown_section
from smart_sync.report.words import MONTHS, Words

EPOCH = date(1970, 1, 1).toordinal()
#: What report.js says.
_SCRIPTED = ("day", "no_value", "change", "since_before", "daily", "joined", "goal")


def page(facts: ReportInputs, days: int, now: datetime, options: Options) -> str:
    """The whole report as HTML, with charts of the last ``days`` days; ``now`` decides what is stale."""
    words = Words.of(options)
    projects = [_sorted(project) for project in facts.projects]
    since = None if options.since is None else options.since.toordinal()
    shown = window(projects, days, since)
    series = [series_of(project, shown) for project in projects] if shown else []
    style = _asset("uPlot.min.css") + _asset("report.css")
    # uPlot (1.6.32, unchanged) with its licence, which must be included, and our own lines.
    script = f"/*\n{_asset('uPlot.LICENSE')}*/\n{_asset('uPlot.iife.min.js')}\n{_asset('report.js')}"
    one = _Page(replace(facts, projects=tuple(projects)), series, shown, now, options, horizons(since), words)
    return Template(_asset("report.html")).substitute(
        policy=f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        lang=words.lang,
        title=escaped(one.title()),
        skip=words.say("skip"),
        style=style,
        body=one.body(),
        data=_data(series, shown, words),
        script=script,
    )


def _sorted(project: ProjectFacts) -> ProjectFacts:
    """The accounts by views, largest first."""
    day = project.as_of or 0
    ranked = sorted(project.accounts, key=lambda account: -(total((account,), VIEWS, day) or 0))
    return replace(project, accounts=tuple(ranked))


@dataclass(frozen=True, slots=True)
class _Page:
    """The common inputs of all sections."""

    facts: ReportInputs
    series: list[ProjectSeries]
    shown: Window | None
    now: datetime
    options: Options
    horizons: tuple[Horizon, ...]
    words: Words

    def title(self) -> str:
        """The page's title."""
        if self.options.title:
            return self.options.title
        heading, projects = self.words.say("growth"), self.facts.projects
        return f"{heading}: {projects[0].name}" if len(projects) == 1 else heading

    def body(self) -> Html:
        """All sections."""
        words, anchored = self.words, [(f"project-{n}", one) for n, one in enumerate(self.facts.projects)]
        sections = [self._project(anchor, project, number) for number, (anchor, project) in enumerate(anchored)]
        overview_table = (
            overview(anchored, self.facts.today, self.options.lifetime, words) if len(anchored) > 1 else None
        )
        heading = self.options.title or words.say("growth")
        return join(
            (
                el("header", el("h1", heading), el("p", self._made(), class_="note")),
                el(
                    "main",
                    overview_table,
                    *(sections or [el("p", words.say("no_project"))]),
                    passes_section(self.facts.passes, words) if words.for_operator else None,
                    unknown_section(self.facts.projects, words),
                    id="main",
                ),
            )
        )

    def _made(self) -> str:
        words, shown = self.words, self.shown
        made = words.say("made", when=words.stamp(self.now), timezone=words.timezone)
        span = words.say("no_values_yet_at_all")
        if shown:
            span = words.say("charts", first=words.day(shown.start), last=words.day(shown.end))
        out = self.facts.left_out
        return f"{made}; {span}" + (f"; {words.say('left_out', number=words.count(out))}." if out else ".")

    def _project(self, anchor: str, project: ProjectFacts, number: int) -> Html:
        words, today, lifetime = self.words, self.facts.today, self.options.lifetime
        parts: list[Html | None] = [target_section(project, today, lifetime, words)]
        parts.append(headline(project, self.horizons, words))
        series = self.series[number] if self.shown else None
        if series and self.shown and not series.empty:
            compared = project.target and not project.target_flaw and not lifetime_sources(project, lifetime)
            goal = project.target.views if project.target and compared else None
            parts.append(detail_section(project, series, self.shown, number, goal, words))
            parts += [to_do_section(project, words), totals_section(project, words), movers_section(project, words)]
            parts.append(corrections_section(project, words))
            parts.append(accounts_section(project, series, self.shown, self.horizons, words))
        else:
            parts += [el("p", words.say("no_snapshots")), to_do_section(project, words)]
        parts += [left_section(project, words), stale_section(project, self.now, words)]
        return el("section", el("h2", named(project.name), id=anchor), *parts, aria_labelledby=anchor)


def _data(series: list[ProjectSeries], shown: Window | None, words: Words) -> str:
    """Numbers, packed digits and our own phrases: no foreign text goes into a script."""
    start, length = (shown.start - EPOCH, shown.length) if shown else (0, 0)
    texts: dict[str, object] = {name: words.say(f"chart_{name}") for name in _SCRIPTED}
    texts |= {
        "metrics": [words.metric(name) for name in METRICS],
        "nouns": words.nouns(METRICS),
        "months": MONTHS[words.lang],
    }
    return json.dumps(
        {"start": start, "days": length, "texts": texts, "projects": [one.packed() for one in series]},
        ensure_ascii=True,
    )


def _hash(inline: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
