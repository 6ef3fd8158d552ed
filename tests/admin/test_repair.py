"""`smart-sync snapshots repair`: a typo that stood at midnight is no spike for ever."""

import json
from datetime import date, timedelta

import pytest

from daemon_process import run_command
from smart_sync.admin.checks import check
from smart_sync.admin.corrections import NothingToRepair, repair
from smart_sync.core.model import METRICS
from smart_sync.report.explain import UnknownAccount, explain
from world import World, link

_VIEWS = "SELECT day, views, views_delta FROM account_growth ORDER BY day"
_TYPO = date(2026, 3, 11)


@pytest.fixture
async def mistyped(world: World) -> World:
    """Three days of an account, the second with ten times the views."""
    world.add_project("P", ["a"])
    for views in (100, 1100, 120):
        world.sheet("P", a=[5, 5, 5, 5, views])
        await world.sync()
        world.now += timedelta(days=1)
    world.now -= timedelta(days=1)
    return world


async def test_a_past_day_is_mended_with_a_trace(mistyped: World) -> None:
    """The day and its differences are right, nothing else changes, and explain tells what it said before."""
    before = mistyped.snapshots()
    answer = await repair(mistyped.settings, link("a"), _TYPO, {"views": 110, "likes": 5}, mistyped.now)
    assert answer["changes"] == {"views": {"old": 1100, "new": 110}}
    assert answer["counts"] is True
    assert mistyped.execute(_VIEWS) == [("2026-03-10", 100, None), ("2026-03-11", 110, 10), ("2026-03-12", 120, 10)]
    assert mistyped.snapshots() == [before[0], (*before[1][:-1], 110), before[2]]
    assert mistyped.merged("a") == (5, 5, 5, 5, 120)
    (account,) = (await explain(mistyped.settings, link("a"), METRICS, mistyped.now))["accounts"]
    at = mistyped.now.replace(tzinfo=None).isoformat(timespec="microseconds")
    assert account["repairs"] == [{"day": "2026-03-11", "metric": "views", "old": 1100, "new": 110, "at": at}]
    await mistyped.sync()
    assert mistyped.execute(_VIEWS)[1] == ("2026-03-11", 110, 10)


async def test_only_our_own_snapshot_of_a_past_day_is_mended(mistyped: World) -> None:
    """Not today's, not that of a day without one, not another writer's, not one that is right; nothing is written."""
    for day, values in ((date(2026, 3, 12), {"views": 1}), (date(2026, 3, 9), {"views": 1}), (_TYPO, {"views": 1100})):
        with pytest.raises(NothingToRepair):
            await repair(mistyped.settings, "account-a", day, values, mistyped.now)
    with pytest.raises(UnknownAccount):
        await repair(mistyped.settings, "@nobody", _TYPO, {"views": 1}, mistyped.now)
    mistyped.execute("UPDATE account_snapshots SET id = 'theirs' WHERE views = 1100")
    with pytest.raises(NothingToRepair):
        await repair(mistyped.settings, "account-a", _TYPO, {"views": 1}, mistyped.now)
    assert [views for _, views, _ in mistyped.execute(_VIEWS)] == [100, 1100, 120]
    assert mistyped.execute("SELECT * FROM snapshot_repairs") == []


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu"])
async def test_a_snapshot_from_before_another_time_zone_is_still_ours(mistyped: World, zone: str) -> None:
    """The row is found by the day that the screens show it on, whatever the zone was when it was written."""
    mistyped.sections["schedule"] = {"timezone": zone}
    mistyped.now += timedelta(days=1)
    await mistyped.sync()
    ((day,),) = mistyped.execute("SELECT day FROM account_growth WHERE views = 1100")
    answer = await repair(mistyped.settings, "account-a", date.fromisoformat(day), {"views": 110}, mistyped.now)
    assert (answer["changes"], answer["counts"]) == ({"views": {"old": 1100, "new": 110}}, True)


async def test_a_name_of_several_accounts_is_not_guessed(mistyped: World) -> None:
    """The ids are named; one of them is taken."""
    mistyped.add_project("Q")
    mistyped.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
        " VALUES ('other', 'project-Q', 'youtube', 'a', 'https://youtube.com/@a')"
    )
    with pytest.raises(NothingToRepair, match="account-a, other"):
        await repair(mistyped.settings, "@a", _TYPO, {"views": 110}, mistyped.now)
    assert (await repair(mistyped.settings, "account-a", _TYPO, {"views": 110}, mistyped.now))["success"]


async def test_a_later_snapshot_of_another_writer_counts(mistyped: World) -> None:
    """Where the day's last snapshot is another's, the answer says that the day does not follow."""
    mistyped.execute(
        "INSERT INTO account_snapshots (id, account_id, followers, likes, comments, videos, views, snapshot_time)"
        " VALUES ('theirs', 'account-a', 5, 5, 5, 5, 1100, '2026-03-11 20:00:00')"
    )
    answer = await repair(mistyped.settings, "account-a", _TYPO, {"views": 110}, mistyped.now)
    assert answer["counts"] is False


async def test_the_command_says_what_it_did(mistyped: World) -> None:
    """Old and new value; exit 1 where there is nothing to fix, 2 without a value or with an impossible one."""
    config = ["--config", str(mistyped.config())]
    command = ["snapshots", "repair", link("a"), "2026-03-11"]
    done = run_command(*command, "--views", "110", *config)
    assert (done.returncode, "snapshot of 2026-03-11, views: 1,100 → 110" in done.stdout) == (0, True)
    again = run_command(*command, "--views", "110", *config)
    assert (again.returncode, again.stdout, again.stderr.count("\n")) == (1, "", 1)
    for wrong in ([], ["--views", "-1"]):
        assert run_command(*command, *wrong, *config).returncode == 2
    told = json.loads(run_command(*command, "--views", "111", "--json", *config).stdout)
    assert told["changes"] == {"views": {"old": 110, "new": 111}}
    assert "repaired the snapshot of 2026-03-11, views: 1,100 → 110" in run_command("explain", "@a", *config).stdout


@pytest.mark.sqlite
async def test_check_names_zeros_between_values(mistyped: World) -> None:
    """With the account, the day and the command; zeros before the first value are none of them."""
    for day, views in ((10, 0), (11, 0)):
        mistyped.execute(
            "UPDATE account_snapshots SET views = ? WHERE snapshot_time LIKE ?", (views, f"2026-03-{day}%")
        )
    assert [one for one in (await check(mistyped.settings)).findings if "is 0 on" in one.message] == []
    mistyped.execute("UPDATE account_snapshots SET views = 100 WHERE snapshot_time LIKE '2026-03-10%'")
    (named,) = [one for one in (await check(mistyped.settings)).findings if "is 0 on" in one.message]
    assert f"smart-sync snapshots repair {link('a')} 2026-03-11 --views N" in named.message


async def test_check_names_snapshots_dated_ahead(mistyped: World) -> None:
    """A clock that was wrong leaves rows which readers of the newest snapshot see until their time has come."""
    ahead = [one.message for one in (await check(mistyped.settings)).findings if "dated ahead" in one.message]
    assert ahead == []
    mistyped.execute(
        "UPDATE account_snapshots SET snapshot_time = '2999-01-01 10:00' WHERE snapshot_time LIKE '2026-03-10%'"
    )
    (named,) = [one.message for one in (await check(mistyped.settings)).findings if "dated ahead" in one.message]
    assert "1 snapshot dated ahead, the newest 2999-01-01 10:00 UTC" in named


async def test_only_the_last_snapshot_of_a_day_is_a_zero(mistyped: World) -> None:
    """What a web app wrote earlier on the day, without a metric, is nobody's mistake."""
    mistyped.execute("UPDATE account_snapshots SET views = 100 WHERE views = 0")
    mistyped.execute(
        "INSERT INTO account_snapshots (id, account_id, views, snapshot_time)"
        " SELECT 'x' || id, account_id, 0, date(snapshot_time) || ' 00:00:01' FROM account_snapshots"
    )
    assert [one for one in (await check(mistyped.settings)).findings if "is 0 on" in one.message] == []


async def test_check_names_a_rule_that_leaves_no_room_for_our_snapshots(mistyped: World) -> None:
    """A unique index of one row a day refuses them in silence."""
    mistyped.execute("CREATE UNIQUE INDEX one_a_day ON account_snapshots (account_id, substr(snapshot_time, 1, 10))")
    (named,) = [one for one in (await check(mistyped.settings)).findings if "one_a_day" in one.message]
    assert (named.level, "DROP INDEX one_a_day" in named.message) == ("error", True)
