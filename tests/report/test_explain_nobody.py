"""`smart-sync explain` of what has no account, or no project: a sentence, never a traceback."""

import pytest

from smart_sync.core.model import METRICS
from smart_sync.report.explain import UnknownAccount, explain
from world import KEY, World


@pytest.mark.parametrize("project", ["gone", None, ""])
async def test_an_account_without_a_project_is_explained(world: World, project: str | None) -> None:
    """An account whose project is gone, or that never had one, is explained as far as it goes."""
    world.add_project("P", ["a"])
    await world.sync()
    world.execute("UPDATE project_social_accounts SET project_id = ? WHERE id = 'account-a'", (project,))
    (account,) = (await explain(world.settings, "account-a", METRICS, world.now))["accounts"]
    assert (account["account_id"], account["active"], account["project_name"]) == ("account-a", False, "")


@pytest.mark.parametrize("sought", ["https://www.facebook.com/groups/cats", "m.facebook.com/groups/cats/"])
async def test_a_row_without_an_account_is_named(world: World, sought: str) -> None:
    """Where the last pass found a row with the link, and no account for it, the message says which row and why."""
    world.add_project("P", ["a"])
    world.google.spreadsheets[KEY].worksheets["P"] = [["Link", "Views"], ["https://www.facebook.com/groups/cats", 5]]
    await world.sync()
    with pytest.raises(UnknownAccount, match="a row has it: P!A2: link: the link shows no profile"):
        await explain(world.settings, sought, METRICS, world.now)
    with pytest.raises(UnknownAccount, match="give its link"):
        await explain(world.settings, "https://www.tiktok.com/@nobody", METRICS, world.now)


async def test_a_row_whose_link_is_nobodys_is_named_without_being_a_problem(world: World) -> None:
    """A plain profile that no account has, where none are created, is explained by its row."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5, stranger=[2] * 5)
    await world.sync()
    with pytest.raises(UnknownAccount, match="a row has it: P!3: no account has this link"):
        await explain(world.settings, "https://www.tiktok.com/@stranger", METRICS, world.now)
