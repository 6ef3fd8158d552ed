"""core.schedule and core.days: when the timer rings, and where a day ends."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.days import day_of, stamp
from smart_sync.core.schedule import answered, failed, is_due, next_cron, seconds_to_next

ZONES = ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds


@given(st.floats(1, 86400), st.floats(0, 10**7))
def test_the_timer_keeps_to_its_grid(every: float, elapsed: float) -> None:
    """The next ring is a multiple of the interval, ahead, and no further than one interval."""
    seconds = seconds_to_next(every, elapsed)
    assert 0 < seconds <= every + 0.001
    ticks = (elapsed + seconds) / every
    assert abs(ticks - round(ticks)) * every < 0.01


def test_a_pass_that_covers_ticks_leaves_one_to_come() -> None:
    """Of the ticks that a long pass has covered only the next one is left."""
    assert seconds_to_next(60, 200) == 40


def test_cron_fires_once_when_clocks_go_back() -> None:
    """An hour that happens twice does not run a daily pass twice."""
    first = next_cron("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), "Europe/Berlin")
    second = next_cron("30 2 * * *", first, "Europe/Berlin")
    assert second - first >= timedelta(hours=23)


def test_cron_does_not_lose_a_day_when_clocks_go_forward() -> None:
    """An hour that does not happen does not cost the day its pass."""
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    local = next_cron("30 2 * * *", before, "Europe/Berlin").astimezone(ZoneInfo("Europe/Berlin"))
    assert local.date().isoformat() == "2026-03-29"


@given(moments, st.sampled_from(["*/30 * * * *", "15 */6 * * *", "0 0 1 * *"]), st.sampled_from(ZONES))
def test_cron_always_moves_on(moment: datetime, expression: str, zone: str) -> None:
    """The next time is after the one before it, in whatever zone."""
    assert next_cron(expression, moment, zone) > moment


@given(moments, st.sampled_from(ZONES))
def test_a_moment_lies_in_its_day(moment: datetime, zone: str) -> None:
    """A day's bounds enclose every moment that has its label."""
    day = day_of(moment, zone)
    assert day.start <= stamp(moment) < day.end
    assert day.label == moment.astimezone(ZoneInfo(zone)).date().isoformat()


def test_days_are_as_long_as_the_clocks_say() -> None:
    """A day of a DST change has 23 or 25 hours."""

    def hours(moment: datetime) -> float:
        day = day_of(moment, "Europe/Berlin")
        return (datetime.fromisoformat(day.end) - datetime.fromisoformat(day.start)) / timedelta(hours=1)

    assert hours(datetime(2026, 3, 29, 12, tzinfo=UTC)) == 23
    assert hours(datetime(2026, 10, 25, 12, tzinfo=UTC)) == 25
    assert hours(datetime(2026, 10, 26, 12, tzinfo=UTC)) == 24


def test_an_account_that_was_asked_by_a_clock_that_was_ahead_is_due() -> None:
    """A clock that was a day ahead and is set back must not keep the parser still until then; minutes do not matter."""
    now, every = datetime(2026, 3, 10, 12, tzinfo=UTC), timedelta(hours=1)
    for ahead, expected in ((timedelta(minutes=4), False), (timedelta(hours=2), True), (timedelta(days=365), True)):
        assert is_due(answered("link", now + ahead), now, every) is expected
        assert is_due(failed(None, "link", now + ahead, every), now, every) is expected
