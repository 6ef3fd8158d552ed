"""`smart-sync check` and `parse` with the parsers of the configuration: one account each, within the budget."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import stamina

from daemon_process import run_command
from fake_platforms import GOOD, OWN_KEYS, FakePlatform, Reply
from smart_sync.admin.checks import check
from smart_sync.admin.checks.parser_trials import parse_links
from smart_sync.store import parser_records
from smart_sync.store.schema import open_database
from world import World

RENTED: dict[str, Any] = {**OWN_KEYS["http_json"], "kind": "http_json"}


def table(platform: FakePlatform, **more: Any) -> dict[str, Any]:
    return RENTED | {"url": RENTED["url"].replace("URL", platform.url)} | more


async def told(world: World, *, offline: bool = False) -> list[tuple[str, str]]:
    """What `check` says of the parsers."""
    report = await check(world.settings, lambda: world.now, offline=offline)
    return [(one.level, one.message) for one in report.findings if one.message.startswith("parser ")]


@pytest.mark.parametrize(
    ("reply", "level", "words", "calls"),
    [
        (Reply(GOOD["http_json"][0]), "ok", "followers 12, likes 3", 1),
        (Reply({"message": "no such plan"}, 403), "error", "the API refuses the call (403): no such plan", 3),
        (Reply({}, 401), "error", "renew them in [parsers.rented]", 1),
        (Reply({}, 404), "warning", "the platform does not have it", 3),
    ],
    ids=["good", "refused", "credentials", "gone"],
)
async def test_each_parser_is_tried_with_one_account(
    world: World, reply: Reply, level: str, words: str, calls: int
) -> None:
    """What a parser says of one account is a finding, of a third at most if it has none; and nothing is stored."""
    world.add_project("P", ["a", "b", "c", "d"])
    with FakePlatform(lambda _call: reply) as platform, stamina.set_testing(True, attempts=1):
        world.sections["parsers"] = {"rented": table(platform)}
        (found,) = await told(world)
        assert await told(world, offline=True) == []
    assert len(platform.calls) == calls
    assert found[0] == level
    assert words in found[1]
    assert world.execute("SELECT count(*) FROM parsed_values") == [(0,)]


async def test_a_parser_for_nobody_is_named(world: World) -> None:
    """A parser whose platform no account is on is not tried, and that is said."""
    world.add_project("P", ["a"])
    with FakePlatform(lambda _call: Reply({})) as platform:
        world.sections["parsers"] = {"rented": table(platform, platforms=["instagram"])}
        (found,) = await told(world)
    assert found == ("warning", "parser rented: there is no active account that it is for, so it is not tried")


async def test_the_terms_are_told_until_they_are_accepted(world: World) -> None:
    """What YouTube asks of those who store its numbers is said, with the date, until somebody says that it is kept."""
    world.sections["parsers"] = {"youtube": {"key": "canary-youtube-key"}}
    ((level, message),) = await told(world, offline=True)
    assert level == "warning"
    assert "30 days" in message
    assert "May 2026" in message
    assert "[parsers.youtube] accepted = true" in message
    world.sections["parsers"]["youtube"]["accepted"] = True
    assert await told(world, offline=True) == []


async def test_requests_without_an_answer_are_counted(world: World) -> None:
    """`parse` says how many requests it made, those that nobody answered too."""
    with FakePlatform(lambda _call: Reply(hang=True)) as platform, stamina.set_testing(True, attempts=2):
        world.sections["parsers"] = {"rented": table(platform, timeout=0.1)}
        answer = await parse_links(world.settings, ["https://www.tiktok.com/@a"])
        ((parser,),) = (link["parsers"] for link in answer["links"])
    assert (parser["calls"], len(platform.calls), parser["exchanges"]) == (2, 2, [])


async def test_trying_counts_against_the_budget(world: World, tmp_path: Path) -> None:
    """`check` and `parse` take what they ask from the one budget, and ask nothing when it is used up."""
    world.add_project("P", ["a"])
    with FakePlatform(lambda _call: Reply(GOOD["http_json"][0])) as platform:
        world.sections["parsers"] = {"rented": table(platform, budget="2/d")}
        assert (await told(world))[0][0] == "ok"
        config = tmp_path / "config.toml"
        config.write_text(
            f'[database]\n{"url" if world.url else "path"} = "{world.address}"\n[sheets]\ndirectory = "."\n'
            '[parsers.rented]\nkind = "http_json"\n'
            f'platforms = ["tiktok"]\nbudget = "2/d"\nurl = "{platform.url}/users/{{username}}"\n'
            'metrics = { followers = "data.followers" }\n'
        )
        world.now = datetime.now(UTC)
        ends = [run_command("parse", "tiktok.com/@a", "--config", str(config)) for _ in range(3)]
        assert [end.returncode for end in ends] == [0, 0, 1]
        assert "the budget of 2 requests in 24 hours is used up" in ends[2].stdout
        assert len(platform.calls) == 3, "the first was asked in another year"
        async with open_database(world.where) as database:
            assert await parser_records.requests_made(database, world.now) == {"rented": 2}
        (found,) = await told(world)
    assert found[0] == "warning"
    assert "is used up" in found[1]
    assert len(platform.calls) == 3
