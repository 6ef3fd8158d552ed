"""What a link cell makes of its row: an account, a problem that names the cell, or nothing."""

import pytest

from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account, Cell
from smart_sync.parsers.per_account import name_of
from world import KEY, World

HEADER: list[Cell] = ["Link", "Platform", "Views"]
CASES = [
    "#N/A", "Profile", 12345, True, "name@example.com", "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://www.facebook.com/groups/cats", "https://vm.tiktok.com/ZMabc/", "https://vk.com/cats", "Maria (ask her)",
    "https://www.tiktok.com/@a, https://www.tiktok.com/@b", "tiktok.com", "https://www.tiktok.com/@a/video/1",
]  # fmt: skip


async def links(world: World) -> set[tuple[str, str, str]]:
    """Platform, user name and link of every account."""
    found = world.execute("SELECT platform, username, profile_link FROM project_social_accounts")
    return {(str(row[0]), str(row[1]), str(row[2])) for row in found}


@pytest.fixture
def creating(world: World) -> World:
    """A project whose accounts come from its worksheet."""
    world.add_project("P")
    world.sections["sync"] = {"create_missing": "accounts"}
    return world


def put(world: World, *rows: list[Cell]) -> None:
    """The worksheet of the project."""
    world.google.spreadsheets[KEY].worksheets["P"] = [HEADER, *rows]


@pytest.mark.parametrize("cell", CASES)
async def test_what_is_no_profile_makes_no_account_and_is_named(creating: World, cell: Cell) -> None:
    """Errors, words, numbers, videos, groups, unknown hosts, two links: no account, and a problem with the cell."""
    put(creating, [cell, "", 5], ["https://www.tiktok.com/@good", "", 7])
    result = await creating.sync_one()
    assert await links(creating) == {("tiktok", "good", "https://www.tiktok.com/@good")}
    assert [(p.row, p.column) for p in result.problems] == [(2, "A")]
    assert str(result.problems[0]).startswith("P!A2: link: ")


async def test_the_numbers_of_a_video_are_not_its_owners(world: World) -> None:
    """A row whose link shows a video of an account's is named and gives it no values; other pages of it are it."""
    world.add_project("P", ["a", "b"])
    put(world, ["https://www.tiktok.com/@a/video/3", "", 50], ["https://www.tiktok.com/@b?lang=en", "", 7])
    result = await world.sync_one()
    with_value = "SELECT account_id, views FROM account_metrics WHERE views_winner IS NOT NULL"
    assert world.execute(with_value) == [("account-b", 7)]
    (told,) = [str(problem) for problem in result.problems if problem.row == 2]
    assert told.startswith("P!A2: link: the link shows no profile (but a video")


@pytest.mark.parametrize("label", ["Итого:", "TOTAL:", "Grand total", "", "TikTok:"])
async def test_labels_are_nothing(creating: World, label: str) -> None:
    """The label of a row of totals or of a section makes no account and no problem."""
    put(creating, ["https://www.tiktok.com/@good", "", 7], [label, "", 7 if "l" in label or "о" in label else ""])
    result = await creating.sync_one()
    assert len(await links(creating)) == 1
    assert not result.problems


async def test_a_bare_name_is_an_account_where_its_platform_is_known(creating: World) -> None:
    """``@name`` becomes one account per platform, found again by the next pass; without a platform it is a problem."""
    rows: list[list[Cell]] = [["@name", "TikTok", 5], ["@name", "Инстаграм", 6], ["@name", "", 7], ["@name", "VK", 8]]
    put(creating, *rows)
    for _ in range(2):
        result = await creating.sync_one()
        assert await links(creating) == {
            ("tiktok", "name", "https://www.tiktok.com/@name"),
            ("instagram", "name", "https://www.instagram.com/name"),
        }
        assert [(p.row, p.column) for p in result.problems] == [(4, "A"), (5, "A")]
    found = creating.execute("SELECT platform, views FROM project_social_accounts a JOIN account_metrics m ON"
                          " m.account_id = a.id ORDER BY views")  # fmt: skip
    assert [tuple(row) for row in found] == [("tiktok", 5), ("instagram", 6)]


async def test_an_account_has_the_link_itself(creating: World) -> None:
    """Of a decorated or wrapped link the account gets the link inside, once, and the next pass finds it again."""
    wrapped = "https://www.google.com/url?q=https%3A%2F%2Fwww.tiktok.com%2F%40b&sa=D"
    put(creating, ["1) https://www.tiktok.com/@a;\n(main)", "", 5], [wrapped, "", 6])
    for _ in range(2):
        result = await creating.sync_one()
        assert {link for _, _, link in await links(creating)} == {
            "https://www.tiktok.com/@a", "https://tiktok.com/@b",
        }  # fmt: skip
        assert not result.problems


async def test_a_video_matches_an_account_that_has_exactly_it(world: World) -> None:
    """An account whose link is a video, a group or a search has the row with that link, however it is written."""
    world.add_project("P")
    world.execute(
        "INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)"
        " VALUES ('g', 'project-P', 'facebook', 'other', 'https://www.facebook.com/groups/cats/')"
    )
    put(world, ["m.facebook.com/groups/cats", "", 5], ["https://www.facebook.com/groups/dogs", "", 6])
    result = await world.sync_one()
    assert result.counts.sheet == 1
    assert [problem.row for problem in result.problems] == [3]


@pytest.mark.parametrize(
    ("link", "username", "name"),
    [
        ("https://www.tiktok.com/@named", "other", "named"),
        ("https://www.youtube.com/watch?v=abc", "other", ""),
        ("https://www.facebook.com/groups/cats", "other", ""),
        ("https://vm.tiktok.com/ZMabc", "other", ""),
        ("https://vk.com/cats", "other", ""),
        ("https://www.tiktok.com/@a https://www.tiktok.com/@b", "other", ""),
        ("https://www.facebook.com/p/Jane-100012345/", "other", "100012345"),
        ("@named", "other", "named"),
    ],
)
def test_the_link_decides_whom_a_parser_asks_about(link: str, username: str, name: str) -> None:
    """The user name in the database never takes the place of what the link names, nor of a link that is missing."""
    assert name_of(Account("id", "project", "tiktok", username, link)) == name
    assert identity(link) or name
    assert name_of(Account("id", "project", "tiktok", "@other", "")) == ""
