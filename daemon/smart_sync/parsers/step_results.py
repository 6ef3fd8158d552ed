"""What the steps of a configured source have found: counts, videos, and what could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from smart_sync.config.values import MetricName
from smart_sync.core.campaign import OF_VIDEOS, Campaign, Video, tally
from smart_sync.core.links.identity import same_profile
from smart_sync.core.merge.strategies import spread as rounded_spread
from smart_sync.core.model import MAX_COUNT, METRICS, Metrics, Precision
from smart_sync.core.parsed import folded_name
from smart_sync.parsers.error_responses import short_text as in_words
from smart_sync.parsers.error_responses import words
from smart_sync.parsers.expressions import Expression, metric, missing, search
from smart_sync.parsers.failures import AccountFailed
from smart_sync.parsers.response_values import text
from smart_sync.parsers.step_settings import StepSettings
from smart_sync.parsers.videos import published_at


@dataclass(slots=True)
class StepResults:
    """What the steps have found for one account or a batch."""

    counts: dict[str, int] = field(default_factory=dict)
    #: The metrics that are rounded figures ("1.2M").
    rounded: set[str] = field(default_factory=set)
    #: As `ParsedMetrics.unfinished`.
    unfinished: bool = False
    #: What could not be read, in words.
    flaws: list[str] = field(default_factory=list)
    #: The pages of the last step.
    pages: list[Any] = field(default_factory=list)

    @property
    def metrics(self) -> Metrics:
        """The counts, None where there is none."""
        return Metrics(*(self.counts.get(name) for name in METRICS))

    def precision(self, configured: Precision) -> Precision:
        """Rounded if configured so, or if a figure was ("1.2M")."""
        return Precision.ROUNDED if self.rounded else configured

    def read(self, expressions: Mapping[MetricName, Expression], document: Any, *, paged: bool = False) -> None:
        """Add the metrics found by ``expressions``; an unreadable one affects only itself.

        ``paged``: ``document`` is the array of the pages, and what one of them has not is no metric.
        """
        flaws, read = [], False
        for name, expression in expressions.items():
            try:
                count, precision = metric(expression, document)
            except AccountFailed as failure:
                flaws.append(f"{name}: {failure}")
                continue
            if count is None:
                continue
            if lack := missing(expression, document, paged=paged):
                flaws.append(f"{name}: {lack}")
                continue
            read = True
            self.counts[name] = count
            self.rounded |= {name} if precision is Precision.ROUNDED else set()
        message = source_message(document, paged=paged) if flaws or (expressions and not read) else ""
        self.flaws += [*flaws, *([f"the source says: {message}"] if message else [])]

    def take(self, step: StepSettings, document: Any, campaign: Campaign, *, paged: bool = False) -> None:
        """`read` for all that ``step`` defines; of videos, those that count in ``campaign``."""
        if step.items is None:
            self.read(step.metrics, document, paged=paged)
            return
        followers: dict[MetricName, Expression] = {
            name: where for name, where in step.metrics.items() if name == "followers"
        }
        self.read(followers, document, paged=paged)
        try:
            items = _array(step.items, document, paged=paged)
            videos = [self._video(step, item) for item in items]
        except AccountFailed as failure:
            message = source_message(document, paged=paged)
            self.flaws += [f"{', '.join(OF_VIDEOS)}: {failure}", *([f"the source says: {message}"] if message else [])]
            return
        sums = tally(videos, campaign)
        wanted = step.gives
        for name, value in sums.counts.items():
            if name in wanted and value <= MAX_COUNT:
                self.counts[name] = value
            elif name in wanted:
                self.flaws.append(f"{name}: more than can be stored")
        # Those of a metric that nobody asked for are none.
        self.flaws += [str(flaw) for flaw in sums.flaws if not wanted.isdisjoint(flaw.metrics)]

    def _video(self, step: StepSettings, item: object) -> Video:
        figures: dict[str, int | None] = {}
        spread = None
        for name, expression in {"views": step.plays, **step.metrics}.items():
            if name == "followers" or expression is None:
                continue
            try:
                figures[name], precision = metric(expression, item)
            except AccountFailed:  # the tally says how many do not show theirs
                figures[name] = None
            else:
                if precision is Precision.ROUNDED:
                    self.rounded.add(name)
                    spread = rounded_spread(figures[name] or 0) if name == "views" else spread
        try:
            at = published_at(search(step.published or "", item))
        except AccountFailed:
            at = None
        video_id = _id(step.id, item) if step.id is not None else ""
        return Video(at, figures["views"], figures.get("likes"), figures.get("comments"), video_id, spread)


def _array(expression: str, document: Any, *, paged: bool) -> list[Any]:
    """The videos found by ``expression``. Raises `AccountFailed` for anything else, or missing pages."""
    items = search(expression, document)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise AccountFailed(f"{expression} finds no array of videos")
    if lack := missing(expression, document, paged=paged):
        raise AccountFailed(lack)
    return items


def _id(expression: str, item: object) -> str:
    """A video's id. Raises `AccountFailed` if there is none."""
    video_id = text(search(expression, item))
    if not video_id:
        raise AccountFailed(f"{expression} finds no id in one of the videos")
    return video_id


def source_message(document: Any, *, paged: bool) -> str:
    """The source's message in ``document``, or on the last of its pages that has one."""
    return next(filter(None, map(words, reversed(document) if paged else [document])), "")


def check_owner(expression: str | None, pages: Sequence[Any], account: Mapping[str, str]) -> None:
    """Raise `AccountFailed` if one of ``pages`` is about another account than requested, or names none.

    ``account``: the placeholders of the requested account.
    """
    for page in pages if expression is not None else ():
        owner = search(expression or "", page)
        if not isinstance(owner, str | int) or isinstance(owner, bool) or owner == "":
            raise AccountFailed(f"the answer does not say whose it is ({expression})")
        name = str(owner).strip()
        is_it = (
            same_profile(name, account["link"])
            if "/" in name
            else folded_name(name) == folded_name(account["username"])
        )
        if not is_it:
            shown, requested = in_words(name), account["username"] or account["link"]
            raise AccountFailed(f'the answer is of "{shown}", asked was for "{requested}"')
