"""What people are notified: short, in one language, the same as webhooks are notified."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literal_texts import ROOT, texts_of
from smart_sync.config.notify import TargetSettings
from smart_sync.core.counts import Counts
from smart_sync.core.merge.suspects import Suspect
from smart_sync.core.model import Outcome, Problem, Project, Trigger
from smart_sync.core.notices import phrases, reasons, translation
from smart_sync.core.notices.digest_text import DigestFacts, DigestProject, digest_message, problem_shown
from smart_sync.core.notices.reader import Reader
from smart_sync.core.notices.texts import MAX_LINES, texts
from smart_sync.core.pins import Pin
from smart_sync.core.results.alerts import decide_alerts
from smart_sync.core.results.parser_health import Attempt, ParserState, Verdict
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.core.results.webhook_messages import (
    Message,
    failure_message,
    message,
    messages,
    parser_message,
    recovery_message,
)

STAMP = "2026-03-10T12:00:00.000000"
WHY = ('worksheet "Лето" is not in the spreadsheet', 'rename the worksheet or the project; there is "Зима"')
NOWHERE = {"place": "", "cause": "", "held": False}
EN, RU = Reader("en", "Europe/Berlin"), Reader("ru", "Europe/Moscow")


def trouble(name: str, outcome: Outcome = Outcome.FAILED, why: tuple[str, str] = WHY, **more: Any) -> ProjectResult:
    return ProjectResult(Project(name, name), outcome, STAMP, error=why[0], remedy=why[1], **more)


def told(*results: ProjectResult, before: Any = None) -> tuple[Message, ...]:
    result = PassResult("run", Trigger.TIMER, STAMP, STAMP, results)
    return messages(result, decide_alerts(results, before or {}), [one for one in results if one.stale])


def everything() -> dict[str, Message]:
    """A message of each type, with Russian names."""
    suspect = Suspect(
        "1", "https://www.tiktok.com/@анна", "views", 1000, 100000, STAMP, "F7", "a digit too many", held=True
    )
    problem = Problem("views: not a count", "Лето", 7, "F", "много")
    found = trouble("Лето", stale=True, new_suspects=(suspect,), new_problems=(problem,), counts=Counts(new_accounts=3))
    ill = told(found, trouble("Зима", Outcome.DEGRADED))
    sick = decide_alerts((found,), {}).troubles["Лето"]
    well = told(replace(found, outcome=Outcome.SYNCED, stale=False), before={"Лето": sick})
    attempt = Attempt("ютуб", 0, 0, 0, 9, False, "negative")
    state = ParserState(STAMP, STAMP, projects="Лето")
    others = (
        failure_message(
            "",
            Trigger.TIMER,
            "/база.db: the disk is full; free some space, the next pass writes what is missing",
            STAMP,
        ),
        recovery_message(STAMP, STAMP),
        *(parser_message(verdict, attempt, state, STAMP) for verdict in Verdict),
        digest_message(
            DigestFacts(
                "2026-03-10",
                (DigestProject("Лето", 2, 4812300, 12400), DigestProject("Зима", 1, None, None)),
                [{"project_name": "Лето", "link": "@анна", "metric": "views", "before": 1, "after": 9999} | NOWHERE],
                [problem_shown(Problem("views: not a count", "Лето", 7, "F", "много"))],
                [{"project_name": "Зима", "read_at": None, "reason": WHY[0]}],
                unwell=[{"project_name": "Зима", "outcome": "failed", "reason": WHY[0]}],
                parsers=[{"parser": "ютуб", "since": STAMP, "reason": WHY[0]}],
            ),
            STAMP,
        ),
        message("t", "webhook.test", STAMP, {}),
    )
    return {one.type: one for one in (*ill, *well, *others)}


def test_every_event_has_a_text_in_each_language() -> None:
    """All that can be listed, and the test: at most ten lines, the first names the program; ids as webhooks have."""
    known = everything()
    listed = TargetSettings.model_json_schema()["properties"]["events"]["items"]["enum"]
    assert set(known) == {*listed, "webhook.test"}
    for reader in (EN, RU):
        for one in known.values():
            (text,) = texts([one], reader)
            lines = text.body.splitlines()
            assert (text.id, text.type) == (one.id, one.type)
            assert 2 <= len(lines) <= (MAX_LINES if one.type != "digest" else 99)
            assert lines[0].startswith("Smart Sync: ")
            assert all(line.strip() for line in lines)


#: What stays in Latin letters: our name, commands and keys, what people and platforms are called.
_NAMES = r"Smart Sync|smart-sync [\w ]+|LINK|https?://\S+|\bF7|Лето!F7|\.db"


@pytest.mark.parametrize("kind", sorted(everything()))
def test_no_word_is_left_untranslated(kind: str) -> None:
    """A reader of Russian finds no English word beside names and commands, a reader of English no Russian one."""
    (text,) = texts([everything()[kind]], RU)
    assert re.findall(r"[A-Za-z]{2,}", re.sub(_NAMES, "", text.body)) == [], text.body
    english = texts([everything()[kind]], EN)[0].body
    for name in ("Лето", "Зима", "ютуб", "анна", "много", "база"):
        english = english.replace(name, "")
    assert not re.search("[а-яё]", english, re.IGNORECASE)


def test_both_languages_have_the_same_phrases() -> None:
    """The same keys, each with the same values to fill in; every noun and metric."""
    english, russian = phrases.PHRASES["en"], phrases.PHRASES["ru"]
    assert {key: _fields(text) for key, text in english.items()} == {
        key: _fields(text) for key, text in russian.items()
    }
    assert phrases.NOUNS["en"].keys() == phrases.NOUNS["ru"].keys()
    assert phrases.METRIC_NAMES["en"].keys() == phrases.METRIC_NAMES["ru"].keys()


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_phrase_is_used() -> None:
    """None is left over from a text that is no more."""
    source = "".join(path.read_text() for path in Path(phrases.__file__).parent.glob("*.py") if path.stem != "phrases")
    assert [key for key in phrases.PHRASES["en"] if f'"{key}"' not in source] == []


def sentences() -> Iterator[tuple[str, str]]:
    """Every reason and remedy that our code writes down where a worksheet cannot be read or a cell be understood."""
    for number, line in enumerate((ROOT / "core" / "merge" / "mistake_causes.py").read_text().splitlines()):
        if found := re.search(r'(?:return|\() ?f?"([a-z][^"]+)"', line):
            yield f"causes:{number}", re.sub(r"{[^}]*}", "X1", found[1])
    calls = {"SheetUnavailable": 2, "SpreadsheetUnavailable": 2, "SpreadsheetMissing": 2, "Problem": 1, "Unreadable": 1}
    yield from ((place, text) for place, _call, text in texts_of(calls))
    # What a platform says itself stands behind a colon, if it says anything.
    stems = {path.stem for path in (ROOT / "parsers").glob("*.py")}
    for place, _call, text in texts_of(dict.fromkeys(_FAILURES, 1)):
        if place.partition(":")[0] in stems:
            yield place, re.sub(r"(?<=[)\w])X1(?=;|$)", ": X1", text)


#: How a parser says that something was refused, or came to nothing.
_FAILURES = (
    *("ParserFailed", "Refused", "TokenEnded", "AccountGone", "AccountFailed", "TokenRefused", "CallFailed"),
    *("NotReady", "AccountRefused", "TooMuch", "Throttled", "Paused", "failure"),
)


@pytest.mark.parametrize(
    ("pin", "russian"),
    [
        (Pin("views", 950, "2026-03-01T12:00:00"), "просмотры: закреплено 950 с 2026-03-01"),
        (Pin("likes", 5, "2026-03-01T12:00:00", by="Maria"), "лайки: закреплено 5 с 2026-03-01 (Maria)"),
        (
            Pin("views", 7, "2026-03-01T12:00:00", until="2026-04-01"),
            "просмотры: закреплено 7 с 2026-03-01 по 2026-04-01",
        ),
    ],
)
def test_what_is_said_of_a_pin_is_translated_whole(pin: Pin, russian: str) -> None:
    """Not only the words around it."""
    assert translation.translated(f"{pin}: past its date; worksheet and parsers decide again", "ru") == (
        f"{russian}: срок прошёл; снова решают лист и парсеры"
    )


@pytest.mark.parametrize(("where", "text"), list(sentences()))
def test_every_reason_of_ours_is_translated(where: str, text: str) -> None:
    """Each part of each sentence; what is filled in stays as it is."""
    unknown = [part.removeprefix("X1: ") for part in translation.unknown(text) if part not in _FILLED_IN]
    assert [part for part in unknown if [*translation.unknown(part)]] == [], where


#: Parts whose words stand elsewhere.
_FILLED_IN = {
    "X1",
    "X1X1",
    "looks like X1",
    "link: X1",
    "X1 is X1",
    "X1 X1 in",
    "X1 of worksheet X1 X1 gone at once",
    "X1 in [parsers.X1] headers, query or key",
} | {f"{what} it, or X1" for what in ("restore", "correct")}


@pytest.mark.parametrize(
    "text",
    [
        "5 rows of worksheet Лето are gone at once; restore the rows from the version history; if it is meant: LINK",
        "the database refuses to create 2 accounts: a rule of the table ignores the row",
        "the column for views of worksheet Лето has lost its values at once; 4 last values stand in",
        "rows 2, 3 are the same account; views, likes: of those with the mark of a pin",
        "the inbox has brought no parsed value since 2026-03-13 12:00",
        "values of an unnamed source have a parsed_at more than 5 minutes ahead; set that clock right",
        "likes: not counted since 2026-03-13, as the parser could not see all that it takes (log: parser.finished)",
        "lines of Лето that cannot be used: 2; the first is line 3: views: negative",
        "lines of Лето that cannot be used: 2; the first is line 3: more fields than the header",
        "Лето cannot be read: No such file or directory",
        "no column for likes; not understood: 'Лето' and 3 more",
        "no account is created for this row: it stands where the row of LINK stood, whose row is gone",
    ],
)
def test_what_stands_in_a_sentence_is_translated_too(text: str) -> None:
    """Metrics, numbers with their nouns, reasons within reasons; names of columns and events stay."""
    russian = translation.translated(text, "ru")
    names = r"parsed_at|parser\.finished|LINK"
    assert re.findall(r"[A-Za-z]{2,}", re.sub(names, "", russian)) == [], russian


@pytest.mark.parametrize(
    ("text", "russian"),
    [
        (
            "TikTok refuses the token: The access token is invalid; renew the account's token in [parsers.t.tokens]",
            "TikTok не принимает токен: The access token is invalid; обновите токен аккаунта в [parsers.t.tokens]",
        ),
        (
            "Meta refuses the app: API access blocked (200); see the app's dashboard for [parsers.m]",
            "Meta не принимает приложение: API access blocked (200); посмотрите панель приложения из [parsers.m]",
        ),
        (
            (
                "https://www.tiktok.com/@a: the API refuses the call (403): No, never (and 1,200 more accounts);"
                " 3 accounts for other reasons"
            ),
            (
                "https://www.tiktok.com/@a: API отклоняет запрос (403): No, never (и ещё аккаунтов: 1,200);"
                " по другим причинам, аккаунтов: 3"
            ),
        ),
        (
            "comments, views: too many calls, says TikTok (they need the scope video.list)",
            "комментарии, просмотры: TikTok: слишком много запросов (для них нужно право video.list)",
        ),
        (
            "too many calls (429): try again, 5 times in a row; nothing to do unless it lasts",
            "слишком много запросов (429): try again, 5 раз подряд; ничего, если это не повторяется",
        ),
        (
            "the API refuses the credentials (401); renew them in [parsers.x] headers, query or key",
            "API не принимает ключ (401); обновите его в [parsers.x]: headers, query или key",
        ),
    ],
)
def test_of_a_refusal_only_the_platforms_own_words_stay(text: str, russian: str) -> None:
    """Who refuses what, and what to do, is told in the reader's language; behind it what the platform has written."""
    assert translation.translated(text, "ru") == russian


def test_a_translation_says_no_more_than_the_sentence() -> None:
    """The values of a pattern are all in its translation, each once or more, and nothing else."""
    for english, russian in reasons.RUSSIAN.items():
        assert set(re.findall(r"{(\w+)}", english)) >= set(re.findall(r"{(\w+)}", russian)), english


def test_projects_with_one_trouble_are_one_message() -> None:
    """What a shared spreadsheet does to forty projects is reported once, with some of their names and how many more."""
    alerts = [one for one in told(*(trouble(f"P{n}") for n in range(40))) if one.type == "project.failed"]
    assert len(alerts) == 40
    (text,) = texts(alerts, EN)
    assert text.body.splitlines() == [
        "Smart Sync: 40 projects: failed, nothing was written",
        "Since: 2026-03-10 13:00",
        "Where: P0, P1, P2, P3, P4, P5, P6, P7 and 32 more",
        'What: worksheet "Лето" is not in the spreadsheet',
        'What to do: rename the worksheet or the project; there is "Зима"',
    ]
    assert texts(alerts, EN)[0].id == text.id != texts(alerts[1:], EN)[0].id


def test_many_troubles_have_room_for_their_number() -> None:
    """Two are told whole, and how many projects have others; in Russian with its endings."""
    several = [
        one for one in told(*(trouble(f"P{n}", why=(f"why {n}", "")) for n in range(23))) if "failed" in one.type
    ]
    lines = texts(several, RU)[0].body.splitlines()
    assert lines[0] == "Smart Sync: 23 проекта: ошибка, ничего не записано"
    assert lines[-1] == "ещё 21; все названы в smart-sync status"
    assert "Что делать: если повторяется: smart-sync check и журнал" in lines


def test_times_are_on_the_readers_clock() -> None:
    """Noon in UTC is three in the afternoon in Moscow."""
    assert "2026-03-10 15:00" in texts([recovery_message(STAMP, STAMP)], RU)[0].body
    assert "2026-03-10 13:00" in texts([recovery_message(STAMP, STAMP)], EN)[0].body


def test_what_to_do_about_a_cell_is_told_whole_and_on_the_readers_clock() -> None:
    """The command at the end of a long sentence is not cut off, the link in it not repeated, no time is in UTC."""
    link = "https://www.tiktok.com/@a_rather_long_name_of_a_blogger"
    gone = (
        "the row is gone; its last known values are used since 2026-03-10 21:30 UTC; row 12: not a link may be it;"
        f" restore it, or if it is meant: smart-sync confirm {link}"
    )
    problem = Problem(gone, "Лето", 7, "", link)
    digest = digest_message(DigestFacts("2026-03-11", problems=[problem_shown(problem)]), STAMP)
    found = trouble("Лето", Outcome.SYNCED, new_problems=(problem,))
    for one in (*told(found)[1:], digest):
        for reader, at in ((EN, "2026-03-10 22:30"), (RU, "2026-03-11 00:30")):
            (line,) = [line for line in texts([one], reader)[0].body.splitlines() if "Лето!7" in line]
            assert line.endswith(f"smart-sync confirm {link}")
            assert line.count(link) == 1
            assert at in line
            assert "UTC" not in line


_TEXT = st.text(st.characters(codec="utf-8"), max_size=300)


@given(st.lists(st.tuples(_TEXT, _TEXT, _TEXT), min_size=1, max_size=12), st.sampled_from([EN, RU]))
def test_whatever_the_names_and_reasons_are(rows: list[tuple[str, str, str]], reader: Reader) -> None:
    """Ten lines of 400 characters at most, no control character, nobody is called."""
    results = [trouble(f"{n}{name}", why=(why, remedy), stale=True) for n, (name, why, remedy) in enumerate(rows)]
    for one in texts(told(*results), reader):
        lines = one.body.split("\n")
        assert len(lines) <= MAX_LINES
        assert all(len(line) <= 400 for line in lines)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", one.body)
        assert not re.search(r"@(everyone|here|channel|all)\b|[<>]", one.body, re.IGNORECASE)
