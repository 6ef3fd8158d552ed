"""What needs a look: suspect values, cells to correct, manual corrections, stale values, passes."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from smart_sync.core.answers import Run
from smart_sync.core.merge.suspects import Suspect
from smart_sync.core.model import METRICS, Problem
from smart_sync.core.wording import confirm
from smart_sync.report.inputs import AccountFacts, ProjectFacts
from smart_sync.report.markup import Html, el, join, named, short, table
from smart_sync.report.totals import WeighedCorrection, weighed
from smart_sync.report.trend import WEEK, newest
from smart_sync.report.words import Words

#: Older than this is stale.
WORKSHEET_AGE = timedelta(days=1)
PARSED_AGE = timedelta(days=2)
MAX_ERROR = 300
#: Rows of a list of suspects or cells; the number of those left out is told.
MAX_ROWS = 50


def to_do_section(project: ProjectFacts, words: Words) -> Html:
    """Suspect values and cells to correct, each with its address."""
    problems = project.last_run.problems if project.last_run else ()
    parts = [_suspects(project.suspects, words), _problems(problems, words)]
    shown = [part for part in parts if part is not None] or [el("p", words.say("nothing_to_do"))]
    return join((el("h3", words.say("to_do")), el("div", *shown)))


def _suspects(suspects: tuple[Suspect, ...], words: Words) -> Html | None:
    if not suspects:
        return None
    heads = [words.say(name) for name in ("account", "metric", "where", "why", "before", "now", "counts", "since_head")]
    rows = [
        (
            named(one.link),
            words.metric(one.metric),
            named(one.place),
            short(words.translated(one.cause), MAX_ERROR) or "–",
            words.count(one.old),
            words.count(one.new),
            words.count(one.old if one.held else one.new),
            words.stamped(one.since),
        )
        for one in suspects[:MAX_ROWS]
    ]
    what = words.say("check_suspects")
    if words.for_operator:
        what += f" {words.say('confirm_suspects', command=confirm(short(suspects[0].link)))}"
    shown = table(words.say("suspects"), heads, rows, text_columns=4)
    return join((shown, _more(len(suspects), words), el("p", what, class_="note")))


def _problems(problems: tuple[Problem, ...], words: Words) -> Html | None:
    if not problems:
        return None
    rows = [_problem(told, words) for told in problems[:MAX_ROWS]]
    heads = [words.say(name) for name in ("where", "what", "says")]
    return join((table(words.say("problems"), heads, rows, text_columns=3, numbers=False), _more(len(problems), words)))


def _problem(one: Problem, words: Words) -> tuple[Html, str, Html]:
    return named(one.place or "–"), short(words.translated(one.reason), MAX_ERROR), named(one.value or "–")


def _more(number: int, words: Words) -> Html | None:
    left = number - MAX_ROWS
    return el("p", words.say("more", number=words.count(left)), class_="note") if left > 0 else None


def corrections_section(project: ProjectFacts, words: Words) -> Html:
    """Metrics where the manager's value differs from the parsed one, the largest share of a week's change first."""
    rows = [_correction(one, words) for one in weighed(project)]
    names = ("account", "metric", "where", "by_hand", "parsed", "difference", "share_of_change", "value_since")
    shown = (
        join(
            (
                el("p", words.say("share_note", week=words.counted(WEEK, "day")), class_="note"),
                table(words.say("corrections"), [words.say(name) for name in names], rows, text_columns=3),
            )
        )
        if rows
        else el("p", words.say("no_corrections"))
    )
    return join((el("h3", words.say("corrections")), shown))


def _correction(one: WeighedCorrection, words: Words) -> tuple[Html | str, ...]:
    correction = one.correction
    where = words.say("no_row")
    if correction.row is not None:
        where = words.say("in_row", worksheet=short(correction.worksheet, 40), row=correction.row)
    return (
        named(one.account.name),
        words.metric(correction.metric),
        where + (f", {words.say('stands_in')}" if correction.carried else ""),
        words.count(correction.value),
        words.count(correction.parsed),
        words.signed(one.difference),
        "–" if one.share is None else words.percent(one.share),
        "–" if correction.since is None else words.day(correction.since),
    )


def left_section(project: ProjectFacts, words: Words) -> Html | None:
    """The accounts that have left, with their last values; empty if there are none."""
    if not project.left:
        return None
    rows = [
        (
            named(account.name),
            short(account.platform, 20),
            words.stamp(account.left_since),
            *(words.count(newest(account, place)) for place in range(len(METRICS))),
        )
        for account in project.left
    ]
    heads = (words.say("account"), words.say("platform"), words.say("since_head"), *words.metrics())
    shown = table(words.say("left_table"), heads, rows, text_columns=3)
    return join((el("h3", words.say("left")), el("p", words.say("left_why"), class_="note"), shown))


def stale_section(project: ProjectFacts, now: datetime, words: Words) -> Html:
    """What is out of date: the project's worksheet, then its accounts."""
    rows = [*_stale_project(project, now, words)]
    for account in project.accounts:
        text = _stale_account(account, project, now, words)
        rows += [(named(account.name), *what) for what in text]
    heads = [words.say(name) for name in ("what", "why", "since_head")]
    shown = table(words.say("stale"), heads, rows, text_columns=3) if rows else el("p", words.say("nothing_stale"))
    return join((el("h3", words.say("stale")), shown))


def _stale_project(project: ProjectFacts, now: datetime, words: Words) -> Iterator[tuple[Html | str, str, str]]:
    run, read_at = project.last_run, project.worksheet_read_at
    whole, worksheet = words.say("the_project"), words.say("the_worksheet")
    if run and run.outcome in ("degraded", "failed"):
        outcome = run.outcome if words.for_operator else words.say(f"state_{run.outcome}")
        yield whole, f"{outcome}: {short(words.translated(run.error), MAX_ERROR)}", words.stamp(run.finished_at)
    if project.stale_since is not None:
        yield whole, words.say("is_stale"), words.stamp(project.stale_since)
    if read_at is None:
        yield worksheet, words.say("never_read"), "–"
    elif now - read_at > WORKSHEET_AGE:
        yield worksheet, words.say("last_read", ago=_ago(now - read_at, words)), words.stamp(read_at)


def _stale_account(
    account: AccountFacts, project: ProjectFacts, now: datetime, words: Words
) -> Iterator[tuple[str, str]]:
    if account.last_day is None:
        yield words.say("no_values_yet"), "–"
    elif project.as_of is not None and account.last_day < project.as_of:
        behind = words.counted(project.as_of - account.last_day, "day")
        yield words.say("values_behind", days=behind), words.day(account.last_day)
    if account.parsed and account.parsed_at is None:
        yield words.say("parsed_unreadable"), "–"
    elif account.parsed_at is not None and now - account.parsed_at > PARSED_AGE:
        yield words.say("parsed_ago", ago=_ago(now - account.parsed_at, words)), words.stamp(account.parsed_at)


def _ago(age: timedelta, words: Words) -> str:
    hours = int(age.total_seconds() // 3600)
    shown = words.counted(hours // 24, "day") if hours >= 48 else words.counted(hours, "hour")
    return words.say("ago", time=shown)


def passes_section(passes: Sequence[Run], words: Words) -> Html:
    """The last passes, newest first."""
    names = ("started", "trigger", "ended", "projects", "degraded", "failed", "accounts", "changed")
    rows = [
        (
            words.stamped(run["started_at"]),
            run["trigger"],
            _took(run, words),
            *map(words.count, (run["projects"], run["degraded"], run["failed"], run["accounts"], run["changed"])),
            *map(words.count, (run["snapshots"], run["calls"])),
        )
        for run in passes
    ]
    heads = [words.say(name) for name in (*names, "snapshots", "calls")]
    title = words.say("last_passes")
    shown = table(title, heads, rows, text_columns=3) if rows else el("p", words.say("no_pass_yet"))
    return el("section", el("h2", title, id="passes"), shown, aria_labelledby="passes")


def _took(run: Run, words: Words) -> str:
    if run["finished_at"] is None:
        return words.say("not_finished")
    seconds = run["seconds"]
    return words.say("yes") if seconds is None else words.say("took", seconds=words.seconds(seconds))
