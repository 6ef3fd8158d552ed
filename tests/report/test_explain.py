"""`smart-sync explain` and `confirm`: every number has its reasons, and a person the last word."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon_process import run_command
from smart_sync.admin.confirm import NothingToConfirm, confirm
from smart_sync.clock import utc_now
from smart_sync.core.days import stamp
from smart_sync.core.model import METRICS
from smart_sync.report.explain import ALL_DAYS, UnknownAccount, explain
from world import KEY, NOON, World, link

NOTHING = [None] * 4


async def told(world: World, sought: str) -> list[Any]:
    accounts: list[Any] = list((await explain(world.settings, sought, METRICS, world.now))["accounts"])
    return accounts


async def test_a_number_is_explained_from_both_sides_to_its_winner(world: World) -> None:
    """Sheet with worksheet, row and times; parsed with source, time and precision; the rule, the result, when."""
    world.add_project("P", ["a", "b"])
    world.sections["merge"] = {"platforms": {"TikTok": {"views": "parsed"}}}
    world.sheet("P", b=[1] * 5, a=[100, None, None, None, 9])
    world.parsed("a", [90, *NOTHING[1:], 5], source="mine", parsed_at="2026-03-01T00:00:00", precision="rounded")
    await world.sync()
    read_at = world.now
    world.now += timedelta(hours=1)
    await world.sync()
    (account,) = await told(world, link("a"))
    assert (account["account_id"], account["project_name"], account["active"]) == ("account-a", "P", True)
    assert (account["sheet"]["worksheet"], account["sheet"]["row"]) == ("P", 3)
    assert account["sheet"]["read_at"] == read_at.replace(tzinfo=None).isoformat(timespec="microseconds")
    assert account["sheet"]["confirmed_at"] > account["sheet"]["read_at"]
    followers, views = account["metrics"]["followers"], account["metrics"]["views"]
    assert followers == {
        "sheet": 100, "parsed": 90, "strategy": "max", "rule": "merge.strategy", "value": 100, "winner": "sheet",
        "next": None, "next_is_no_value": False, "source": "mine", "parsed_at": "2026-03-01T00:00:00",
        "precision": "rounded",
        "changed_at": account["sheet"]["read_at"], "suspect": None, "pins": [], "conflict": None,
        "known_since": account["sheet"]["read_at"], "carried_since": None, "cell": "C3",
        "sentence": "followers: 100 from the sheet (C3); the parser mine says 90; the larger counts",
    }  # fmt: skip
    assert (views["value"], views["winner"], views["rule"]) == (5, "parsed", "merge.platforms.tiktok.views")
    assert account["metrics"]["likes"]["source"] is None


async def test_what_happened_when_comes_from_snapshots_and_passes(world: World) -> None:
    """Each day with its difference to the day before, and the last passes of the project with their failures."""
    world.add_project("P", ["a"])
    for followers in (100, 130):
        world.sheet("P", a=[followers, *NOTHING])
        await world.sync()
        world.now += timedelta(days=1)
    world.google.spreadsheets[KEY].shared = False
    await world.sync()
    (account,) = await told(world, "account-a")
    assert [(day["day"], day["followers"], day["followers_delta"]) for day in account["days"]] == [
        ("2026-03-12", 130, 0), ("2026-03-11", 130, 30), ("2026-03-10", 100, None),
    ]  # fmt: skip
    assert [run["outcome"] for run in account["passes"]] == ["degraded", "synced", "synced"]
    assert account["metrics"]["followers"]["winner"] == "carried"


async def test_a_side_that_has_changed_since_is_foretold(world: World) -> None:
    """Between two passes the explanation says what the next one will make of the inbox."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[100, *NOTHING])
    await world.sync()
    world.parsed("a", [120, *NOTHING])
    (account,) = await told(world, link("a"))
    assert (account["metrics"]["followers"]["value"], account["metrics"]["followers"]["next"]) == (100, 120)
    await world.sync()
    (account,) = await told(world, link("a"))
    assert (account["metrics"]["followers"]["value"], account["metrics"]["followers"]["next"]) == (120, None)


async def test_all_that_are_meant_are_shown(world: World) -> None:
    """A name in several projects and on several platforms, a link in another spelling, an id; nobody is refused."""
    world.add_project("P", ["nova"])
    world.add_project("Q")
    world.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
        " VALUES ('q1', 'project-Q', 'youtube', '@Nova', 'https://youtube.com/@nova'), "
        "('q2', 'project-Q', 'tiktok', '', ?)",
        (link("nova"),),
    )
    assert [account["account_id"] for account in await told(world, "@NOVA")] == ["account-nova", "q2", "q1"]
    assert len(await told(world, link("nova"))) == 2
    assert len(await told(world, "tiktok.com/@Nova/")) == 2
    assert [account["account_id"] for account in await told(world, "q1")] == ["q1"]
    assert (await told(world, "q1"))[0]["metrics"]["views"]["value"] is None
    for nobody in ("@", "", "@nob", "https://www.tiktok.com/"):
        with pytest.raises(UnknownAccount):
            await told(world, nobody)


async def test_the_query_is_named_where_its_value_counts(world: World) -> None:
    """With [parsed] query each metric names the side it came from."""
    world.add_project("P", ["a"])
    world.execute("CREATE TABLE channels (id TEXT, views INTEGER)")
    world.execute("INSERT INTO channels VALUES ('account-a', 7)")
    world.sections["parsed"] = {"query": "SELECT id AS account_id, views FROM channels"}
    world.parsed("a", [5, *NOTHING], source="inbox")
    await world.sync()
    (account,) = await told(world, link("a"))
    sides = [(account["metrics"][m]["parsed"], account["metrics"][m]["source"]) for m in ("followers", "views")]
    assert sides == [(5, "inbox"), (7, "query")]


@pytest.fixture
async def suspicious(world: World) -> World:
    """An account whose followers and likes have jumped."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[5_000, 5_000, *NOTHING[2:]])
    await world.sync()
    world.sheet("P", a=[90_000, 90_000, *NOTHING[2:]])
    await world.sync()
    return world


async def test_a_suspect_is_explained_and_confirmed(suspicious: World) -> None:
    """Explained with what it was and its cell; confirmed it is suspect no more, though nothing has changed."""
    world = suspicious
    (account,) = await told(world, link("a"))
    suspect = account["metrics"]["followers"]["suspect"]
    assert (suspect["old"], suspect["new"], suspect["place"]) == (5_000, 90_000, "P!C2")
    assert (await confirm(world.settings, link("a"), "followers", NOON))["confirmed"] == 1
    assert [s.metric for s in (await world.sync_one()).suspects] == ["likes"]
    assert (await confirm(world.settings, link("a"), None, NOON))["confirmed"] == 1
    with pytest.raises(NothingToConfirm, match="found nothing about"):
        await confirm(world.settings, link("a"), None, NOON)
    assert (await world.sync_one()).suspects == ()
    with pytest.raises(NothingToConfirm):
        await confirm(world.settings, "@nobody", None, NOON)


async def test_a_conflict_is_explained(world: World) -> None:
    """`latest`: what was not taken, and when."""
    world.add_project("P", ["a"])
    world.sections["merge"] = {"strategy": "latest"}
    for sheet, parsed in ((100, 120), (90, 130)):
        world.sheet("P", a=[sheet, *NOTHING])
        world.parsed("a", [parsed, *NOTHING])
        await world.sync()
    (account,) = await told(world, link("a"))
    conflict = account["metrics"]["followers"]["conflict"]
    assert (conflict["sheet"], conflict["parsed"], conflict["place"]) == (90, 130, "P!C2")


def test_the_commands_speak_to_people_and_programs(suspicious: World) -> None:
    """explain reads only, also where nobody may write; check names the suspects and the resolved rules."""
    world = suspicious
    # The commands know what time it is.
    world.execute("UPDATE suspects SET since = ?", (stamp(utc_now()),))
    config = world.config('[merge.platforms.tiktok]\nviews = "sheet"\n')
    before = [world.table(name) for name in world.tables()]
    shown = run_command("explain", "@a", "--metric", "followers", "--config", str(config))
    as_json = run_command("explain", link("a"), "--json", "--config", str(config))
    check = run_command("check", "--config", str(config))
    assert (shown.returncode, as_json.returncode, check.returncode) == (0, 0, 0), shown.stderr
    for part in ("90,000", "row 2", "max (merge.strategy)", "followers: ", "P!C2", "smart-sync confirm"):
        assert part in shown.stdout
    assert "likes" not in shown.stdout
    assert set(json.loads(as_json.stdout)["accounts"][0]["metrics"]) == set(METRICS)
    assert "P!C2: followers of" in check.stdout
    assert "platforms.tiktok.views" in check.stdout
    assert [world.table(name) for name in world.tables()] == before
    confirmed = run_command("confirm", "@a", "--config", str(config))
    assert (confirmed.returncode, "2 findings confirmed" in confirmed.stdout) == (0, True)
    unknown = run_command("explain", "@nobody", "--config", str(config))
    assert (unknown.returncode, unknown.stdout, len(unknown.stderr.splitlines())) == (1, "", 1)


@pytest.mark.sqlite  # where there is no file; no server's tables: test_postgres_refusals
async def test_before_the_first_pass_there_is_nothing_to_explain(world: World, tmp_path: Path) -> None:
    """No database, one line; one of another version, one line; neither is touched."""
    config = world.config()
    world.execute("UPDATE smart_sync_schema SET version = 1")
    for environment in ({"SMART_SYNC_DATABASE__PATH": str(tmp_path / "none.db")}, {}):
        ended = run_command("explain", "@a", "--config", str(config), environment=environment)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
        assert "smart-sync once" in ended.stderr
    assert not (tmp_path / "none.db").exists()
    assert world.execute("SELECT version FROM smart_sync_schema") == [(1,)]


def lines(account: Any) -> list[tuple[Any, ...]]:
    """The timeline, newest first: what, when (to the minute, or the day), metric, the snapshot before and the value."""
    return [
        (
            event["event"],
            event.get("day", event["at"][:16]),
            event.get("metric"),
            (event.get("snapshot") or {}).get("value"),
            event.get("value"),
        )
        for event in account["timeline"]
    ]


@pytest.mark.parametrize("on_existing", ["skip", "update"])
async def test_the_timeline_tells_each_change_and_the_last_one_to_the_moment(world: World, on_existing: str) -> None:
    """Whether or not snapshots are refreshed: earlier changes by the day, the last with its pass."""
    world.add_project("P", ["a"])
    world.sections["snapshots"] = {"on_existing": on_existing}
    for hour, followers in ((0, 100), (24, 120), (48, 120), (53, 140), (60, 140)):
        world.now = NOON + timedelta(hours=hour)
        world.sheet("P", a=[followers, *NOTHING])
        await world.sync()
    (account,) = (await explain(world.settings, link("a"), ("followers",), world.now))["accounts"]
    assert lines(account) == [
        ("changed", "2026-03-12T17:00", "followers", 120, 140),
        ("seen", "2026-03-11", "followers", 100, 120),
    ]
    assert account["timeline"][0]["trigger"] == "cli"


async def test_what_was_before_is_told_only_as_far_as_it_is_known(world: World) -> None:
    """Between the last change and the snapshot before there may have been others, and another winner."""
    world.add_project("P", ["a"])
    for hour, followers in ((0, 8_350), (24, 8_350), (25, 8_300), (26, 8_310)):
        world.now = NOON + timedelta(hours=hour)
        world.sheet("P", a=[followers, *NOTHING])
        await world.sync()
    world.google.spreadsheets[KEY].shared = False
    await world.sync()
    (account,) = (await explain(world.settings, link("a"), ("followers",), world.now))["accounts"]
    assert account["metrics"]["followers"]["winner"] == "carried"
    assert [event for event in account["timeline"] if event["event"] != "degraded"] == [
        {
            "at": "2026-03-11T14:00:00.000000", "event": "changed", "metric": "followers", "value": 8_310,
            "snapshot": {"at": "2026-03-10T12:00:00", "value": 8_350}, "trigger": "cli", "requested_by": "",
        }
    ]  # fmt: skip


async def test_where_nothing_changed_nothing_is_told(world: World) -> None:
    """A first pass that finds what the web app's snapshots show is no change; what it finds new is one."""
    world.add_project("P", ["a"])
    world.execute(
        "INSERT INTO account_snapshots (id, account_id, followers, likes, comments, videos, views, snapshot_time)"
        " VALUES ('web', 'account-a', 519300, 0, 0, 0, 7, '2026-03-09 12:00:00')"
    )
    world.sheet("P", a=[519_300, *NOTHING[1:], 8])
    await world.sync()
    (account,) = await told(world, link("a"))
    assert lines(account) == [("changed", "2026-03-10T12:00", "views", 7, 8)]


async def test_troubles_are_told_once_from_their_first_pass_to_their_last(world: World) -> None:
    """Passes one after another that fail alike are one line; another reason, or one after a good pass, is another."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    for refused in (None, 403, 403, 404, None, 404):
        if refused:
            for kind in ("batch", "values", "metadata"):
                world.google.fail(kind, times=1000, status=refused)
        await world.sync()
        world.google.faults.clear()
        world.now += timedelta(hours=1)
    (account,) = (await explain(world.settings, link("a"), ("views",), world.now))["accounts"]
    told = [(event["passes"], event["at"][11:13]) for event in account["timeline"] if event["event"] == "degraded"]
    assert told == [(1, "17"), (1, "15"), (2, "13")]


async def test_what_is_wrong_with_the_row_is_told_beside_its_numbers(world: World) -> None:
    """The cell that cannot be read, of this account's row alone, as the newest pass found it."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=["#REF!", *[1] * 4], b=["many", *[1] * 4])
    await world.sync()
    for name, place in (("a", "P!C2"), ("b", "P!C3")):
        ((problem,),) = [account["problems"] for account in await told(world, link(name))]
        assert problem.startswith(f"{place}: ")
    world.now += timedelta(hours=1)
    world.sheet("P", a=[1] * 5, b=[1] * 5)
    await world.sync()
    assert [account["problems"] for account in await told(world, link("a"))] == [[]]


async def test_people_read_the_days_as_a_table_and_what_went_wrong_below(world: World) -> None:
    """Of each day the values with what they have grown by; then the edits with their cells; then what went wrong."""
    world.add_project("P", ["a"])
    world.sections["merge"] = {"strategy": "latest"}
    world.sheet("P", a=[5_000, None, 7, *NOTHING[3:]])
    await world.sync()
    world.now += timedelta(days=1)
    world.sheet("P", a=[90_000, None, 8, *NOTHING[3:]])
    world.parsed("a", [4_000, 1, *NOTHING[1:]])
    await world.sync()
    # The commands know what time it is.
    config = world.config('[merge]\nstrategy = "latest"\n')
    shown = run_command("explain", "a", "--all", "--config", str(config)).stdout
    days = [line.split() for line in shown.partition("\nday ")[2].splitlines()[1:5]]
    assert days[:3] == [
        ["2026-03-11", "90,000", "1", "8", "–", "–"],
        ["+85,000", "+1"],
        ["2026-03-10", "5,000", "–", "7", "–", "–"],
    ]
    assert "2026-03-11 12:00  C2    followers  5,000  90,000\n" in shown
    assert "2026-03-11 12:00  last changed by a pass (cli)\n" in shown
    assert "followers 90,000, not 4,000: both sides had changed, the sheet's was taken P!C2\n" in shown


async def test_a_name_needs_no_sign_and_a_near_miss_is_suggested(world: World) -> None:
    """A bare name is as good as one with @; what is nearly a name, or begins one, is answered with it."""
    world.add_project("P", ["nova", "aurora_daily"])
    for name in ("nova", "NOVA", "@nova", "account-nova", link("nova")):
        assert [account["username"] for account in await told(world, name)] == ["nova"]
    for missed, meant in (("nva", "@nova"), ("@novaa", "@nova"), ("auro", "@aurora_daily"), (link("nov"), "@nova")):
        with pytest.raises(UnknownAccount, match=f"did you mean {meant}"):
            await told(world, missed)
    with pytest.raises(UnknownAccount, match="give its link, its id or its name"):
        await told(world, "somebody else")


async def test_so_much_of_the_past_is_told_as_was_asked_for(world: World) -> None:
    """Seven days of snapshots and edits unless more is wanted; each cell where the last read found its column."""
    world.add_project("P", ["a"])
    world.now -= timedelta(days=9)
    for day in range(10):
        world.sheet("P", a=[100 + day, None, None, None, 7])
        await world.sync()
        world.now += timedelta(days=1)
    world.now -= timedelta(days=1)
    (week,) = await told(world, "a")
    (whole,) = (await explain(world.settings, "a", METRICS, world.now, ALL_DAYS))["accounts"]
    assert (len(week["days"]), len(whole["days"])) == (7, 10)
    assert len(week["edits"]) < len(whole["edits"])
    assert [week["metrics"][metric]["cell"] for metric in ("followers", "views")] == ["C2", "G2"]
    world.execute("UPDATE worksheet_reads SET columns = ''")
    (before,) = await told(world, "a")
    assert before["metrics"]["views"]["sentence"] == "views: 7 from the sheet; no parser has a value"
