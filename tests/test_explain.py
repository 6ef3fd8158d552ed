"""`smart-sync explain` and `confirm`: every number has its reasons, and a person the last word."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon_process import run_command, write_config
from smart_sync.core.model import METRICS
from smart_sync.explain import UnknownAccount, confirm, explain
from world import KEY, World, link

NOTHING = [None] * 4


async def told(world: World, sought: str) -> list[dict[str, Any]]:
    accounts: list[dict[str, Any]] = (await explain(world.settings, sought, METRICS, world.now))["accounts"]
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
        "next": None, "source": "mine", "parsed_at": "2026-03-01T00:00:00", "precision": "rounded",
        "changed_at": account["sheet"]["read_at"], "suspect": None, "conflict": None,
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
    world.execute("CREATE TABLE channels (id, views)")
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
    assert (await confirm(world.settings, link("a"), "followers"))["confirmed"] == 1
    assert [s.metric for s in (await world.sync_one()).suspects] == ["likes"]
    assert (await confirm(world.settings, link("a"), None))["confirmed"] == 1
    assert (await confirm(world.settings, link("a"), None))["confirmed"] == 0
    assert (await world.sync_one()).suspects == ()
    with pytest.raises(UnknownAccount):
        await confirm(world.settings, "@nobody", None)


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
    world.execute("UPDATE suspects SET since = strftime('%Y-%m-%dT%H:%M:%f', 'now')")
    config = write_config(
        world.folder, '[merge.platforms.tiktok]\nviews = "sheet"\n', google=world.google, spreadsheet=KEY
    )
    before = world.path.read_bytes()
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
    assert world.path.read_bytes() == before
    confirmed = run_command("confirm", "@a", "--config", str(config))
    assert (confirmed.returncode, "2 suspect values" in confirmed.stdout) == (0, True)
    unknown = run_command("explain", "@nobody", "--config", str(config))
    assert (unknown.returncode, unknown.stdout, len(unknown.stderr.splitlines())) == (1, "", 1)


async def test_before_the_first_pass_there_is_nothing_to_explain(world: World, tmp_path: Path) -> None:
    """No database, one line; one of another version, one line; neither is touched."""
    config = write_config(world.folder, "", google=world.google, spreadsheet=KEY)
    world.execute("UPDATE smart_sync_schema SET version = 1")
    for environment in ({"SMART_SYNC_DATABASE__PATH": str(tmp_path / "none.db")}, {}):
        ended = run_command("explain", "@a", "--config", str(config), environment=environment)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
        assert "smart-sync once" in ended.stderr
    assert not (tmp_path / "none.db").exists()
    assert world.execute("SELECT version FROM smart_sync_schema") == [(1,)]
