"""Projects are written several at once, and each has its own fate."""

import pytest

from smart_sync.core.model import Outcome
from world import World

NAMES = [f"P{number}" for number in range(5)]


@pytest.mark.parametrize("action", ["ABORT", "ROLLBACK"])
async def test_a_project_that_cannot_be_written_spoils_no_other(world: World, action: str) -> None:
    """Whether SQLite refuses the rows of one project or ends the whole transaction for them, the others are written."""
    for name in NAMES:
        world.add_project(name, [f"{name}a", f"{name}b"])
        world.sheet(name, **{f"{name}{letter}": [7] * 5 for letter in "ab"})
    world.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON account_metrics WHEN new.account_id LIKE 'account-P2%'"
        f" BEGIN SELECT RAISE({action}, 'not this one'); END"
    )
    results = {result.project.name: result for result in (await world.sync()).results}
    unhappy = [name for name in NAMES if results[name].failed_accounts or results[name].outcome is Outcome.FAILED]
    assert unhappy == ["P2"]
    assert [world.merged(f"{name}a") for name in NAMES] == [None if name == "P2" else (7,) * 5 for name in NAMES]
    assert len(world.snapshots()) == 8
