"""``retention``: what only a platform gave, and may not be kept any longer, is emptied."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fake_platforms import Call, FakePlatform, Reply
from world import World


async def test_what_only_the_platform_gave_is_emptied(world: World) -> None:
    """A value that the platform has not said again for 30 days is no value any more; what a manager typed stays."""
    world.now = datetime.now(UTC)
    world.add_project("P", ["alone", "typed"])
    world.sheet("P", typed=[3, None, None, None, None], without_votes=[None] * 5)
    is_away = False

    def answer(_call: Call) -> Reply:
        return Reply({}, 403) if is_away else Reply({"n": 7})

    with FakePlatform(answer) as platform:
        table: dict[str, Any] = {
            "kind": "http_json",
            "platforms": ["tiktok"],
            "url": f"{platform.url}/{{username}}",
            "metrics": {"followers": "n"},
            "retention": "30d",
        }
        world.sections["parsers"] = {"rented": table}
        await world.sync()
        assert [world.merged(one)[0] for one in ("alone", "typed")] == [7, 7]  # type: ignore[index]
        is_away = True
        for days in (15, 14):
            world.now += timedelta(days=days)
            await world.sync()
        assert world.winners("alone")[0] == "parsed"
        world.now += timedelta(days=2)
        await world.sync()
        assert (world.winners("alone")[0], world.winners("typed")[0]) == (None, "sheet")
        assert [world.merged(one)[0] for one in ("alone", "typed")] == [0, 3]  # type: ignore[index]
        await world.sync()
        for name in ("parsed_values", "forgotten_values"):
            assert world.execute(f"SELECT count(*) FROM {name}") == [(0,)]
        await world.sync()
        assert world.execute("SELECT count(*) FROM values_taken_back") == [(0,)]
        assert world.winners("alone")[0] is None


async def test_a_daemon_that_lives_on_notices(world: World) -> None:
    """Nothing else has changed, and the pass decides anew all the same; without retention nothing is emptied."""
    world.add_project("P", ["alone"])
    is_away = False
    with FakePlatform(lambda _call: Reply({}, 403) if is_away else Reply({"n": 7})) as platform:
        table: dict[str, Any] = {
            "kind": "http_json",
            "platforms": ["tiktok"],
            "url": f"{platform.url}/{{username}}",
            "metrics": {"followers": "n"},
        }
        for retention, winner in ((None, "parsed"), ("2m", None)):
            is_away, world.now = False, datetime.now(UTC)
            world.sections["parsers"] = {"rented": table | ({"retention": retention} if retention else {})}
            async with world.opened() as run:
                await run()
                is_away = True
                for _ in range(3):
                    world.now += timedelta(minutes=1.5)  # no new day makes the pass decide
                    await run()
            assert world.winners("alone")[0] == winner
