"""The report's numbers: each is what a person with pencil and paper would find."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_data import NOW, TODAY, ReportDatabase, day, grown
from smart_sync.core.history.growth import History, change
from smart_sync.core.model import MAX_COUNT, METRICS, Metrics
from smart_sync.errors import SmartSyncError
from smart_sync.report.charts import DIGITS, NO_VALUE, pack
from smart_sync.report.inputs import AccountFacts, ProjectFacts, ReportInputs
from smart_sync.report.query import read
from smart_sync.report.trend import VIEWS, Window, daily, movers, summed, total, total_change, window

TODAY_ORDINAL = TODAY.toordinal()


@pytest.fixture
def database(tmp_path: Path) -> ReportDatabase:
    return ReportDatabase(tmp_path / "view_counter.db")


def facts_of(database: ReportDatabase, project: str | None = None) -> ReportInputs:
    return asyncio.run(read(database.path, project, 90, NOW))


def only(database: ReportDatabase) -> ProjectFacts:
    (project,) = facts_of(database).projects
    return project


def history(ago_and_views: Mapping[int, int | None]) -> History:
    days = sorted(ago_and_views, reverse=True)
    values = [Metrics(views=ago_and_views[ago]) for ago in days]
    deltas = [Metrics(views=_less(ago_and_views[ago], ago_and_views.get(ago + 1))) for ago in days]
    return History([TODAY_ORDINAL - ago for ago in days], values, deltas)


def _less(value: int | None, before: int | None) -> int | None:
    return None if value is None or before is None else value - before


def unpack(text: str) -> list[int | None]:
    """What report.js does, with whole numbers."""
    series: list[int | None] = []
    last = number = power = 0
    for digit in text:
        if digit == NO_VALUE:
            series.append(None)
            continue
        value = DIGITS.index(digit)
        number += (value % 32) << power
        power += 5
        if value < 32:
            last += -(number + 1) // 2 if number % 2 else number // 2
            series.append(last)
            number = power = 0
    return series


@pytest.mark.parametrize(
    ("known", "days", "amount", "since", "exact"),
    [
        ({0: 100, 1: 90}, 1, 10, 1, True),
        ({0: 100, 7: 60, 8: 50}, 7, 40, 7, True),
        ({0: 100, 3: 70, 9: 40}, 7, 60, 9, False),
        ({0: 100, 1: None, 2: 80}, 1, 20, 2, False),
        ({0: 70, 1: 90}, 1, -20, 1, True),
        ({0: 90, 1: 90}, 1, 0, 1, True),
        ({0: 100, 3: 50, 2: 60}, 7, 50, 3, False),
    ],
)
def test_a_change_compares_with_the_last_value_at_or_before_the_day(
    known: dict[int, int | None], days: int, amount: int, since: int, exact: bool
) -> None:
    """Growth over N days is the newest value less the last one at or before that day, and says which day that is."""
    found = change(history(known), VIEWS, TODAY_ORDINAL, days)
    assert found is not None
    assert (found.amount, TODAY_ORDINAL - found.since, found.exact) == (amount, since, exact)


@pytest.mark.parametrize("known", [{}, {0: 5}, {9: 100}, {0: None, 9: 100}])
def test_one_value_alone_is_no_growth(known: dict[int, int | None]) -> None:
    """Without two days to compare there is no change: neither 0 nor everything."""
    assert change(history(known), VIEWS, TODAY_ORDINAL, 7) is None


def test_a_new_account_has_grown_since_its_first_day(database: ReportDatabase) -> None:
    """A project's change adds up those with two values, says how many these are, and since when the others count."""
    project_id = database.project("P")
    database.snapshots(database.account(project_id, "old"), grown({0: 150, 7: 100}))
    database.snapshots(database.account(project_id, "new"), grown({0: 9_000, 1: 8_000}))
    database.snapshots(database.account(project_id, "newest"), grown({0: 7}))
    project = only(database)
    found = total_change(project.accounts, VIEWS, TODAY_ORDINAL, 7)
    assert found is not None
    assert (found.amount, found.before, found.accounts) == (1_050, 8_100, 2)
    assert (found.since, found.exact) == (TODAY_ORDINAL - 1, False)
    assert total(project.accounts, VIEWS, TODAY_ORDINAL) == 9_157


def test_changes_count_back_from_the_newest_day(database: ReportDatabase) -> None:
    """Before the first pass of a day, one day is still yesterday against the day before."""
    account = database.account(database.project("P"), "a")
    database.snapshots(account, grown({1: 100, 2: 60}))
    project = only(database)
    assert project.as_of == TODAY_ORDINAL - 1
    found = total_change(project.accounts, VIEWS, project.as_of, 1)
    assert found is not None
    assert (found.amount, found.exact) == (40, True)


def test_the_last_snapshot_of_a_utc_day_counts(database: ReportDatabase) -> None:
    """Of a day's snapshots, in whatever notation, the last counts; as in the view account_growth."""
    account = database.account(database.project("P"), "a")
    times = {
        f"{day(1)} 23:59:00": 30, f"{day(1)}T08:00:00.000001": 10, f"{day(1)}T20:00:00Z": 20,
        f"{day(0)}T01:30:00+02:00": 40,  # still yesterday in UTC, half an hour before midnight
        f"{day(0)}": 50, f"{day(0)} 09:00": 70, f"{day(0)}T07:00:00": 60,
        "yesterday": 1, f"{day(-3)}T00:00:00": 2, "": 3,
    }  # fmt: skip
    database.snapshots(account, times)
    facts = facts_of(database)
    (found,) = facts.projects[0].accounts
    assert [(TODAY_ORDINAL - d, v[VIEWS]) for d, v in zip(found.history.days, found.history.values, strict=True)] == [
        (1, 30),
        (0, 70),
    ]
    assert facts.left_out == 3
    assert database.fetch("SELECT views FROM account_growth WHERE day <= date(?) ORDER BY day", day(0)) == [
        (30,),
        (70,),
    ]


def test_the_snapshots_are_what_is_shown(database: ReportDatabase) -> None:
    """The newest one counts, no matter whose, as in the view and in `growth`: a pass gives it the merged values."""
    account = database.account(database.project("P"), "a")
    database.snapshots(account, grown({0: 100, 1: 90}))
    database.merged(account, [1, 2, 3, 4, 120], known_since="2026-03-09T08:00:00")
    found = total_change(only(database).accounts, VIEWS, TODAY_ORDINAL, 1)
    assert found is not None
    assert (found.amount, found.before) == (10, 90)
    (view,) = database.fetch("SELECT views, views_delta FROM account_growth WHERE day = ?", day(0))
    assert view == (100, 10)


def test_values_that_are_no_counts_are_no_values(database: ReportDatabase) -> None:
    """Junk of other writers in a snapshot is a gap, not a number."""
    account = database.account(database.project("P"), "a")
    database.snapshots(account, grown({0: 5, 1: -3, 2: 4}))
    database.execute("UPDATE account_snapshots SET views = 'many' WHERE views = 5")
    (found,) = only(database).accounts
    assert [values[VIEWS] for values in found.history.values] == [4, None, None]


def test_gaps_are_gaps_in_the_charts() -> None:
    """A day without a snapshot has no value; in a total the account stands with its last one, and nobody grows."""
    a, b = history({0: 40, 3: 10}), history({0: 400, 1: 300, 3: 100})
    rows = [h.window(VIEWS, TODAY_ORDINAL - 3, 4) for h in (a, b)]
    assert rows[0] == [10, None, None, 40]
    assert summed([a, b], rows, VIEWS, TODAY_ORDINAL - 3) == [110, None, 310, 440]
    assert daily([a, b], VIEWS, Window(TODAY_ORDINAL - 3, 4)) == [None, None, None, 100]


def test_a_total_starts_with_what_was_known_before() -> None:
    """An account whose last snapshot is older than the chart is part of its total all the same."""
    a, b = history({9: 1_000}), history({0: 2, 1: 1})
    rows = [h.window(VIEWS, TODAY_ORDINAL - 1, 2) for h in (a, b)]
    assert summed([a, b], rows, VIEWS, TODAY_ORDINAL - 1) == [1_001, 1_002]


def test_the_window_begins_with_the_first_value(database: ReportDatabase) -> None:
    """Charts show at most the days asked for, and none before the first that has a value."""
    database.snapshots(database.account(database.project("P"), "a"), grown({0: 3, 4: 2, 400: 1}))
    project = only(database)
    shown = window([project], 90)
    assert shown is not None
    assert (shown.start, shown.length) == (TODAY_ORDINAL - 4, 5)
    assert window([ProjectFacts("1", "P")], 90) is None


def test_movers_are_those_that_changed_most(database: ReportDatabase) -> None:
    """The largest change first, whether up or down; who stood still is no mover."""
    project_id = database.project("P")
    for name, before in {"up": 50, "down": 900, "still": 100, "slow": 99}.items():
        database.snapshots(database.account(project_id, name), grown({0: 100, 7: before}))
    assert [(m.account.username, m.change.amount) for m in movers(only(database), VIEWS, 2)] == [
        ("down", -800),
        ("up", 50),
    ]


def test_corrected_by_hand_is_where_the_sheet_stands_against_the_parser(database: ReportDatabase) -> None:
    """Only a sheet value that won over another parsed value counts, and not the exact form of a rounded one."""
    project_id = database.project("P")
    for name, winner, parsed, precision in [
        ("typed", "sheet", 90, "exact"),
        ("carried", "carried", 90, "exact"),
        ("same", "sheet", 123, "exact"),
        ("rounded", "sheet", 120, "rounded"),
        ("collected", "parsed", 90, "exact"),
        ("nobody", "sheet", None, "exact"),
    ]:
        account = database.account(project_id, name)
        database.merged(account, [123] * 5, winner=winner)
        database.parsed(account, [parsed] * 5, "2026-03-10 11:00:00", precision)
        database.sheet(account, [123] * 5, "P", 7)
    found = {a.username: a.corrections for a in only(database).accounts if a.corrections}
    assert found.keys() == {"typed", "carried"}
    assert [c.metric for c in found["typed"]] == list(METRICS)
    one = found["typed"][0]
    assert (one.value, one.parsed, one.worksheet, one.row, one.since) == (123, 90, "P", 7, TODAY_ORDINAL)
    assert [c.carried for c in found["carried"]] == [True] * 5


def test_one_project_by_id_or_name(database: ReportDatabase) -> None:
    """A project is chosen by its id before its name, an inactive one too; else the active ones are shown."""
    database.project("B", project_id="A")
    database.project("A", project_id="1")
    database.project("Old", project_id="2", active=0)
    database.account("1", "gone", active=0)
    assert [p.id for p in facts_of(database).projects] == ["1", "A"]
    assert [p.id for p in facts_of(database, "A").projects] == ["A"]
    assert [p.id for p in facts_of(database, "Old").projects] == ["2"]
    assert facts_of(database, "1").projects[0].inactive == 1
    with pytest.raises(SmartSyncError, match="nobody"):
        facts_of(database, "nobody\n")


@given(st.lists(st.none() | st.integers(0, MAX_COUNT)))
def test_packing_loses_nothing(series: list[int | None]) -> None:
    """What is packed is unpacked as it was, gaps and the largest counts included."""
    assert unpack(pack(series)) == series


def test_a_degraded_project_and_its_passes_are_read(database: ReportDatabase) -> None:
    """The newest pass of a project and the newest ten of all, also one that never finished."""
    project_id = database.project("P")
    for hour in range(12):
        database.passed(project_id, "synced", at=f"2026-03-09T{hour + 10}:00:00.000000")
    database.passed(project_id, "degraded", "Google is away", at="2026-03-10T11:30:00.000000")
    database.execute("INSERT INTO sync_runs (id, \"trigger\", started_at) VALUES ('x', 'cli', '2026-03-10T11:59:00')")
    facts = facts_of(database)
    assert facts.projects[0].last_run is not None
    assert (facts.projects[0].last_run.outcome, facts.projects[0].last_run.error) == ("degraded", "Google is away")
    assert len(facts.passes) == 10
    assert (facts.passes[0]["trigger"], facts.passes[0]["finished_at"]) == ("cli", None)
    assert facts.passes[1]["started_at"] == "2026-03-10T11:30:00.000000"


class Counted(tuple[AccountFacts, ...]):
    """Accounts that count how often they are gone through."""

    times = 0

    def __iter__(self) -> Iterator[AccountFacts]:
        Counted.times += 1
        return super().__iter__()


def test_the_newest_day_of_a_project_is_looked_for_once() -> None:
    """Each account's row asks for it: were it looked for each time, a project of 4,000 accounts would cost 14 s."""
    project = ProjectFacts("1", "P", accounts=Counted())
    assert [project.as_of for _ in range(9)] == [None] * 9
    assert Counted.times == 1
