"""The report's first answer: is a project on target.  Every number is what one SQL statement says of the same file."""

import asyncio
import csv
import json
import re
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from string import Formatter

import pytest

from report_data import NOW, TODAY, ReportDatabase, fill, grown, report_of
from smart_sync import config
from smart_sync.core.campaign import target
from smart_sync.core.history.target import Pace, Standing, Target, Verdict
from smart_sync.core.model import Problem
from smart_sync.report import csv_tables
from smart_sync.report.inputs import Options, ProjectFacts
from smart_sync.report.query import read
from smart_sync.report.totals import joined, lifetime_sources, standing, totals, weighed
from smart_sync.report.trend import VIEWS, Window
from smart_sync.report.words import TEXTS, Words

NUMBER = TODAY.toordinal()
#: The views of an account as of the project's newest day, and a week before; both are known.
WEEK = (
    "SELECT s.account_id AS id, s.views AS last,"
    " (SELECT b.views FROM account_growth b WHERE b.account_id = s.account_id"
    " AND b.day <= '2026-03-03' ORDER BY b.day DESC LIMIT 1) AS before,"
    " (SELECT b.day FROM account_growth b WHERE b.account_id = s.account_id"
    " AND b.day <= '2026-03-03' ORDER BY b.day DESC LIMIT 1) AS since"
    " FROM account_growth s WHERE s.day = '2026-03-10'"
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> ReportDatabase:
    """A project of eight accounts over 60 days, with dates, a target, topics and persons."""
    database = ReportDatabase(tmp_path_factory.mktemp("target") / "view_counter.db")
    fill(database, projects=1, accounts=8, days=60)
    database.execute("UPDATE projects SET target_views = 90000000, start_date = '2026-01-13', end_date = '2026-04-14'")
    database.execute("UPDATE project_social_accounts SET topic = CASE WHEN rowid % 3 THEN ' Food' ELSE '' END")
    database.execute(
        "UPDATE project_social_accounts SET telegram_user = CASE WHEN rowid % 2 THEN '@anna' ELSE '@b' END"
    )
    return database


def facts(database: ReportDatabase, name: str | None = None) -> ProjectFacts:
    (project,) = asyncio.run(read(database.path, name, 90, NOW)).projects
    return project


def stood(target: Target, value: int | None = 50, pace: float | None = 1.0, today: int = 100) -> Standing:
    return Standing(target, value, None if value is None else 100, today, None if pace is None else Pace(pace, 1))


@pytest.mark.parametrize(
    ("found", "verdict", "projected"),
    [
        (stood(Target(100, 90, 149)), Verdict.BEHIND, 99),
        (stood(Target(100, 90, 150)), Verdict.ON_COURSE, 100),
        (stood(Target(50, 90, 150)), Verdict.REACHED, 100),
        (stood(Target(100, 90, 99)), Verdict.MISSED, 50),
        (stood(Target(100, 90, 100)), Verdict.BEHIND, 50),
        (stood(Target(100, 90, 120), today=130), Verdict.UNKNOWN, 70),
        (stood(Target(50, 90, 120), today=130), Verdict.REACHED, 70),
        (stood(Target(100, 101, 150)), Verdict.NOT_BEGUN, 100),
        (stood(Target(100)), Verdict.OPEN, None),
        (stood(Target(100, 90, 150), pace=None), Verdict.UNKNOWN, None),
        (stood(Target(100, 90, 150), value=None), Verdict.UNKNOWN, None),
        (stood(Target(100, 90, 150), pace=-1.0), Verdict.BEHIND, 0),
    ],
)
def test_the_verdict_goes_by_value_pace_and_days(found: Standing, verdict: Verdict, projected: int | None) -> None:
    """On target is who reaches it by the end of the last day at the pace of now; without a value nobody knows."""
    assert (found.verdict, found.projected) == (verdict, projected)


def test_days_are_counted_from_the_first_to_the_last() -> None:
    """The first day is day 1 and the last one counts; what would be needed is for the days that are left."""
    found = stood(Target(100, 91, 150))
    assert (found.day, found.days, found.needed, found.percent) == (10, 60, 1.0, 50.0)
    assert stood(Target(100, 1, 50)).day == 50
    assert stood(Target(100, 101, 150)).day == 0
    assert stood(Target(100)).reached_on == 150
    assert stood(Target(100), pace=0.0).reached_on is None


def test_the_standing_is_what_the_database_says(filled: ReportDatabase) -> None:
    """Value, pace, and where that leads: each is one SQL statement."""
    found = standing(facts(filled), NUMBER)
    assert found is not None
    assert found.pace is not None
    assert [(found.value,)] == filled.fetch(f"SELECT sum(last) FROM ({WEEK})")
    per_day = "SELECT sum((last - before) / (julianday('2026-03-10') - julianday(since)))"
    assert found.pace.per_day == pytest.approx(filled.fetch(f"{per_day} FROM ({WEEK})")[0][0])
    assert [(found.projected,)] == filled.fetch(
        f"{per_day.replace('SELECT', 'SELECT sum(last) + round(35 *')}) FROM ({WEEK})"
    )
    assert (found.day, found.days) == (57, 92)


@pytest.mark.parametrize(
    ("what", "column"), [("platform", "platform"), ("topic", "trim(topic)"), ("person", "telegram_user")]
)
def test_totals_by_what_accounts_have_in_common(filled: ReportDatabase, what: str, column: str) -> None:
    """Views, share, a week's change and accounts by platform, topic and person, the most views first."""
    found = totals(facts(filled), lambda account: str(getattr(account, what)))
    assert [
        (one.name, one.accounts, one.views, one.views_change and one.views_change.amount) for one in found
    ] == filled.fetch(
        f"SELECT {column} AS name, count(*), sum(last), sum(last - before) FROM ({WEEK}) w"
        " JOIN project_social_accounts a ON a.id = w.id GROUP BY name ORDER BY 3 DESC"
    )
    assert sum(one.share or 0 for one in found) == pytest.approx(100)


def test_corrections_are_ordered_by_their_part_of_the_change(filled: ReportDatabase) -> None:
    """What was corrected by hand: the largest part of the metric's change of a week first, over all metrics."""
    found = weighed(facts(filled))
    shares = [one.share for one in found if one.share is not None]
    assert shares == sorted(shares, reverse=True)
    one = found[0]
    ((change,),) = filled.fetch(f"SELECT sum(last - before) FROM ({WEEK.replace('views', one.correction.metric)})")
    assert one.share == pytest.approx(100 * abs(one.difference) / change)


def test_who_joins_is_no_growth(tmp_path: Path) -> None:
    """An account that joins adds nothing to the pace, and is reported with its day; those of the first day do not."""
    database = ReportDatabase(tmp_path / "view_counter.db")
    project_id = database.project("P")
    database.snapshots(database.account(project_id, "old"), grown({ago: 1_000 - 10 * ago for ago in range(20)}))
    database.snapshots(database.account(project_id, "new"), grown({0: 7_000_000}))
    database.execute("UPDATE projects SET target_views = 9000000")
    project = facts(database)
    found = standing(project, NUMBER)
    assert found is not None
    assert found.pace == Pace(10.0, 1)
    window = Window(NUMBER - 30, 31)
    assert joined([account.history for account in project.accounts], VIEWS, window) == [(30, 1, 7_000_000)]
    html = report_of(database.path).decode()
    assert "which is no growth (marked in the chart): 10 Mar 2026 1 account with 7,000,000 views" in html


def test_the_page_says_it_in_a_sentence(filled: ReportDatabase) -> None:
    """Verdict, value, target, day, pace and bar stand above the project's numbers; the chart has the target's line."""
    html = report_of(filled.path).decode()
    text = re.sub(r"<[^>]+>", "", html[html.index('class="target"') :])
    assert re.match(
        r'class="target">Behind target: [\d.]+ M of 90 M views by 14 Apr 2026 \(\d+\xa0%\), day 57 of 92;'
        r" at the pace of the last 7 days [\d.]+ M by then; [\d.]+ [kM] a day would still reach it".replace(
            " M", "\xa0M"
        ).replace(" [kM]", "\xa0[kM]"),
        text,
    ), text[:300]
    assert html.index('class="target"') < html.index('class="bar"') < html.index('class="tiles"')
    assert 'data-goal="90000000"' in html
    assert 'class="goal"' in html


def test_no_bar_where_a_parser_counts_the_lifetime(filled: ReportDatabase) -> None:
    """Views of the accounts' lifetimes say nothing about a project with dates: no bar and no line, but why."""
    project = facts(filled)
    served = replace(project, accounts=(replace(project.accounts[0], views_from="yt"), *project.accounts[1:]))
    assert lifetime_sources(served, frozenset({"yt"})) == ["yt"]
    assert lifetime_sources(served, frozenset({"other"})) == []
    assert lifetime_sources(replace(served, has_campaign=False), frozenset({"yt"})) == []
    filled.execute("UPDATE parsed_metrics SET source = 'yt'")
    for audience, says in (("manager", False), ("operator", True)):
        options = Options(audience, lifetime=frozenset({"yt"}))  # type: ignore[arg-type]
        html = report_of(filled.path, options=options).decode()
        assert "yt counts all views that the accounts ever had" in html
        assert ("count = &quot;campaign&quot; in [parsers.yt]" in html) is says
        assert 'class="bar"' not in html
        assert "data-goal" not in html
    filled.execute("UPDATE parsed_metrics SET source = ''")


def test_no_target_and_dates_that_hold_everything(tmp_path: Path) -> None:
    """A target of 0 is none, our own default dates are open, and what cannot be read is named, never guessed."""
    database = ReportDatabase(tmp_path / "view_counter.db")
    database.snapshots(database.account(database.project("P"), "a"), grown({0: 20, 7: 6}))
    assert facts(database).target is None
    assert b"No target is set" in report_of(database.path)
    database.execute("UPDATE projects SET target_views = 40")
    assert facts(database).target == Target(40)
    assert b"it is reached on 20 Mar 2026" in report_of(database.path)
    database.execute("UPDATE projects SET target_views = 'many', start_date = 'soon'")
    assert facts(database).target_flaw == "its target_views is no count (many)"
    database.execute("UPDATE projects SET target_views = 40")
    assert "its start_date is no date (soon)" in facts(database).target_flaw
    assert b'class="bar"' not in report_of(database.path)
    assert target(" 10000000 ") == (10_000_000, "")


def test_suspects_and_cells_stand_with_their_addresses(filled: ReportDatabase) -> None:
    """What jumped and what could not be read is listed with worksheet and cell."""
    account = filled.fetch("SELECT id FROM project_social_accounts")[0][0]
    filled.execute(
        "INSERT INTO suspects (account_id, metric, old, new, since, place) VALUES (?, ?, ?, ?, ?, ?)",
        [(account, "views", 1000, 90000, "2026-03-10T09:00:00.000000", "Project 1!F7")],
    )
    filled.execute(
        "INSERT INTO suspects (account_id, metric, old, new, since, place, cause, typed, held)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 1, 1)",
        [(account, "likes", 500, 50, "", "Project 1!D7", "a digit is missing")],
    )
    problem = Problem("not a count", "Project 1", 9, "D", "12t", "number-unreadable")
    filled.execute("UPDATE sync_project_runs SET problems = ?", [(json.dumps([asdict(problem)]),)])
    html = report_of(filled.path).decode()
    text = re.sub(r"<[^>]+>", "|", html)
    assert re.search(r"views\|+Project 1!F7\|+–\|+1,000\|+90,000\|+90,000\|+10 Mar 2026, 09:00", text)
    assert re.search(r"likes\|+Project 1!D7\|+a digit is missing\|+500\|+50\|+500\|+–", text)
    assert re.search(r"Project 1!D9\|+not a count\|+12t", text)


def test_both_languages_say_the_same() -> None:
    """Each phrase is there in each language, with the same names to fill in, and no English one is left."""
    assert TEXTS["en"].keys() == TEXTS["ru"].keys()
    for key, english in TEXTS["en"].items():
        russian = TEXTS["ru"][key]
        names = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in (english, russian)]
        assert names[0] == names[1], key
        assert re.search("[а-яё]", russian.lower()) or not re.search("[a-z]", re.sub(r"\{\w+\}", "", russian)), key


def test_a_russian_report_has_no_english_in_it(filled: ReportDatabase) -> None:
    """Everything that is said, labels and titles too, is Russian; names, links and commands stay as they are."""
    html = report_of(filled.path, options=Options("operator", "ru", "Europe/Moscow")).decode()
    body = html[html.index("<body>") : html.index('<script type="application/json"')]
    said = re.sub(r"<bdi>.*?</bdi>|<option[^>]*>creator_.*?</option>", "", body)
    said = " ".join([*re.findall(r'(?:title|aria-label)="([^"]*)"', said), re.sub(r"<[^>]+>", " ", said)])
    known = {"tiktok", "instagram", "youtube", "facebook", "threads", "synced", "timer", "smart", "sync", "confirm"}
    known |= {"https", "www", "com", "creator", "Project", "Europe", "Moscow", "Home", "End"}
    assert set(re.findall("[A-Za-z]{2,}", said)) <= known
    assert 'lang="ru"' in html
    assert "10 мар. 2026, 15:00 (Europe/Moscow)" in said
    assert "день 57 из 92" in said


def test_numbers_of_each_language() -> None:
    """Thousands, decimals, short numbers, dates and times as they are written; a short number is never too large."""
    english, russian = Words(), Words("ru", "Europe/Moscow")
    assert [english.short(n) for n in (0, 999, 1_000, 4_839_999, 10_000_000, 12_345, 999_999)] == [
        "0", "999", "1\xa0k", "4.83\xa0M", "10\xa0M", "12.3\xa0k", "999\xa0k",
    ]  # fmt: skip
    assert [russian.short(4_839_999), russian.count(1_234_567), russian.signed(-5)] == [
        "4,83\xa0млн",
        "1\xa0234\xa0567",
        "−5",
    ]
    assert russian.stamp(NOW) == "10 мар. 2026, 15:00"
    assert (english.percent(99.99), russian.change_percent(-4.25)) == ("99\xa0%", "−4,2\xa0%")
    assert [russian.counted(n, "day") for n in (1, 3, 7, 21)] == ["1 день", "3 дня", "7 дней", "21 день"]


def test_since_title_and_audience(filled: ReportDatabase) -> None:
    """--since sets the first day and the longest growth; passes and outcomes are for operators alone."""
    options = Options(title="Ours & theirs", since=date(2026, 3, 1))
    html = report_of(filled.path, options=options).decode()
    assert "<h1>Ours &amp; theirs</h1>" in html
    assert "charts from 1 Mar 2026 to 10 Mar 2026" in html
    assert "<dt>since 1 Mar 2026</dt>" in html
    ((grown_since,),) = filled.fetch(
        "SELECT sum(s.views - (SELECT b.views FROM account_growth b WHERE b.account_id = s.account_id AND"
        " b.day <= '2026-03-01' ORDER BY b.day DESC LIMIT 1)) FROM account_growth s WHERE s.day = '2026-03-10'"
    )
    assert f"{grown_since:+,}" in html
    assert "Last passes" not in html
    assert ">synced<" not in html
    html = report_of(filled.path, options=Options("operator")).decode()
    assert "Last passes" in html
    assert ">synced<" in html


def test_the_tables_have_the_same_numbers(filled: ReportDatabase, tmp_path: Path) -> None:
    """`--csv` writes what the page shows, as plain numbers; the folder is made, and one that cannot be is an error."""
    inputs = asyncio.run(read(filled.path, None, 90, NOW))
    csv_tables.write(tmp_path / "new" / "csv", csv_tables.tables(inputs, 90, None, frozenset()))
    read_back = {
        path.stem: [*csv.DictReader(path.read_text("utf-8-sig").splitlines())]
        for path in (tmp_path / "new" / "csv").iterdir()
    }
    (project,), found = read_back["projects"], standing(inputs.projects[0], NUMBER)
    assert found is not None
    assert [int(project["views"])] == [*filled.fetch(f"SELECT sum(last) FROM ({WEEK})")[0]]
    assert (project["verdict"], project["projected_views"]) == ("behind", str(found.projected))
    assert [int(row["views"]) for row in read_back["totals"] if row["by"] == "topic"] == [
        one.views for one in totals(inputs.projects[0], lambda account: account.topic)
    ]
    assert [(len(read_back["days"]),)] == filled.fetch("SELECT count(*) FROM account_growth")
    assert len(read_back["accounts"]) == 8
    assert len(read_back["corrections"]) == len(weighed(inputs.projects[0]))
    (tmp_path / "file").touch()
    with pytest.raises(csv_tables.NotWritten, match="give --csv a folder"):
        csv_tables.write(tmp_path / "file" / "csv", {})


def test_whose_parsers_count_the_lifetime_the_configuration_says(tmp_path: Path) -> None:
    """Parsers that could count campaigns and do not, by the source of their values; others say nothing about it."""
    path = tmp_path / "config.toml"
    key = 'key = "canary-key-of-youtube"'
    path.write_text(
        f'[sheets]\ndirectory = "."\n[parsers.youtube]\n{key}\nsource = "yt"\n[parsers.csv]\npath = "x.csv"\n'
    )
    assert config.load(path).lifetime_sources() == {"yt"}
    path.write_text(f'[sheets]\ndirectory = "."\n[parsers.youtube]\n{key}\ncount = "campaign"\n')
    assert config.load(path).lifetime_sources() == frozenset()
