"""Names that differ only by Unicode normalisation or by invisible signs are one, wherever names are looked up."""

import asyncio
import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_data import report_of
from smart_sync.admin.checks import check
from smart_sync.admin.history import growth, history
from smart_sync.core.merge.strategies import Policy
from smart_sync.core.model import Outcome
from smart_sync.core.project_names import name_key, written
from smart_sync.store.requested_project import choose
from smart_sync.store.schema import open_database
from world import KEY, NOON, World

COMPOSED = "Café Müller"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
WRITINGS = [
    COMPOSED,
    DECOMPOSED,
    f"\ufeff{COMPOSED}\u200b",
    f" {COMPOSED} ",
    COMPOSED.replace(" ", "\u00a0"),
    COMPOSED.replace("M", "\u200eM\u2060"),
]


@pytest.mark.parametrize("name", WRITINGS)
def test_every_writing_of_a_name_is_that_name(name: str) -> None:
    """Composed or not, with a byte order mark, directional marks or another kind of space in it."""
    assert name_key(name) == COMPOSED
    assert written(name, ["Cafe Muller", COMPOSED]) == COMPOSED
    assert written(name, [DECOMPOSED, name]) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Spring", "spring"),
        ("Café", "Cafe"),
        ("ﬁrst", "first"),
        ("x²", "x2"),
        ("SpringA", "Spring A"),
        ("\N{WAVING BLACK FLAG}\U000e0067\U000e0062\U000e0065\U000e007f", "\N{WAVING BLACK FLAG}"),
    ],
)
def test_what_one_can_see_tells_names_apart(one: str, other: str) -> None:
    """Case, accents, ligatures, superscripts, spaces and flags are no matter of writing."""
    assert written(one, [other]) is None


Form = Literal["NFC", "NFD"]
FORMS: list[Form] = ["NFC", "NFD"]


@given(st.text(), st.sampled_from(FORMS))
def test_the_key_of_a_name_is_the_same_in_every_normal_form(name: str, form: Form) -> None:
    """For any text, lone surrogates too; a key is its own key."""
    assert name_key(unicodedata.normalize(form, name)) == name_key(name) == name_key(name_key(name))


@pytest.mark.parametrize("title", WRITINGS)
async def test_a_worksheet_is_read_whatever_the_writing_of_its_title(world: World, title: str) -> None:
    """From Google, the first time and again, among projects whose titles are exact or missing."""
    world.add_project(COMPOSED, ["a"])
    world.add_project("P", ["b"])
    world.add_project("Away", ["c"])
    worksheets = world.google.spreadsheets[KEY].worksheets
    worksheets[title] = worksheets.pop(COMPOSED)
    world.sheet(title, a=[7] * 5)
    world.sheet("P", b=[8] * 5)
    del worksheets["Away"]
    result = await world.sync()
    outcomes = {one.project.name: one.outcome for one in result.results}
    assert outcomes == {COMPOSED: Outcome.SYNCED, "P": Outcome.SYNCED, "Away": Outcome.DEGRADED}
    assert (world.merged("a"), world.merged("b")) == ((7,) * 5, (8,) * 5)
    world.sheet(title, a=[9] * 5)
    await world.sync()
    assert world.merged("a") == (9,) * 5


async def test_the_title_as_it_is_written_goes_first(world: World) -> None:
    """Where both writings have a worksheet, a project's own is read, and the other one is named by check."""
    world.add_project(COMPOSED, ["a"])
    world.sheet(DECOMPOSED, a=[1] * 5)
    world.sheet(COMPOSED, a=[2] * 5)
    await world.sync()
    assert world.merged("a") == (2,) * 5
    messages = [finding.message for finding in (await check(world.settings)).findings]
    assert f"worksheet {DECOMPOSED!r} belongs to no active project" in messages


async def test_a_renamed_title_is_found_again(world: World) -> None:
    """A title that goes from one writing to another, and back, while the program remembers the first."""
    world.add_project(COMPOSED, ["a"])
    worksheets = world.google.spreadsheets[KEY].worksheets
    async with world.opened() as sync:
        for number, title in enumerate([DECOMPOSED, WRITINGS[2], COMPOSED, DECOMPOSED]):
            worksheets.clear()
            world.sheet(title, a=[number] * 5)
            await sync()
            assert world.merged("a") == (number,) * 5


async def test_a_file_is_read_whatever_the_writing_of_its_name(world: World) -> None:
    """A file system may keep names decomposed."""
    world.add_project(COMPOSED, ["a"])
    world.sections["sheets"] = {"source": "csv", "directory": str(world.folder)}
    (world.folder / f"{DECOMPOSED}.csv").write_text("Link,Views\nhttps://www.tiktok.com/@a,7\n")
    await world.sync()
    assert (world.merged("a") or ())[4] == 7


@pytest.mark.parametrize("title", WRITINGS)
async def test_no_second_project_is_created_for_another_writing(world: World, title: str) -> None:
    """Nor two for two writings of a new name; an inactive project's name is known too."""
    world.sections["sync"] = {"create_missing": "projects"}
    world.execute("INSERT INTO projects (id, name, is_active) VALUES ('x', ?, 0)", (COMPOSED,))
    world.sheet(title)
    world.sheet("Ärger")
    world.sheet(unicodedata.normalize("NFD", "Ärger"))
    result = await world.sync()
    assert [name_key(name) for name in result.new_projects] == ["Ärger"]
    assert world.execute("SELECT count(*) FROM projects") == [(2,)]


def test_a_rule_of_the_configuration_counts_for_the_name_in_any_writing() -> None:
    """The key that is told is the one in the file; the exact name goes first."""
    policy = Policy("max", projects={DECOMPOSED: {"views": "sheet"}, "P": {"strategy": "parsed"}})
    rule = policy.rule(COMPOSED, "tiktok", "views")
    assert (rule.strategy, rule.key) == ("sheet", f'merge.projects."{DECOMPOSED}".views')
    both = Policy("max", projects={DECOMPOSED: {"views": "sheet"}, COMPOSED: {"views": "latest"}})
    assert both.rule(COMPOSED, "tiktok", "views").strategy == "latest"


async def test_a_project_is_found_by_its_name_in_any_writing(world: World) -> None:
    """By once and confirm, growth, history and the report."""
    world.add_project(COMPOSED, ["a"], "p")
    world.sheet(COMPOSED, a=[7] * 5)
    await world.sync()
    for name in WRITINGS:
        async with open_database(world.where) as database:
            assert (await choose(database, name, by_name=True)).project is not None
        assert (await growth(world.where, name, "views", 3, NOON))["accounts"]
        assert (await history(world.where, 5, name, failed=False))["runs"]
        assert b"Caf" in await asyncio.to_thread(report_of, world.where, name, 3, NOON)


async def test_check_knows_names_in_any_writing(world: World) -> None:
    """No complaint about a rule or a worksheet in another writing; each of two projects with one name is named."""
    world.add_project(COMPOSED, ["a"], "p")
    worksheets = world.google.spreadsheets[KEY].worksheets
    worksheets[DECOMPOSED] = worksheets.pop(COMPOSED)
    world.sections["merge"] = {"projects": {WRITINGS[2]: {"views": "sheet"}}}
    messages = [finding.message for finding in (await check(world.settings)).findings]
    assert not [m for m in messages if "no effect" in m or "no active project" in m or "one name" in m]
    world.execute("INSERT INTO projects (id, name, is_active) VALUES ('q', ?, 1)", (DECOMPOSED,))
    messages = [finding.message for finding in (await check(world.settings)).findings]
    told = [message for message in messages if "have one name" in message]
    assert len(told) == 2
    assert all(f'the projects p, q have one name and so share worksheet "{COMPOSED}"' in message for message in told)


async def outcomes(world: World, *only: str, dry_run: bool = False) -> dict[str, tuple[Outcome, str, str, int]]:
    """Of one pass, by project: outcome, code, the first reason, and new accounts."""
    results = (await world.sync(*only, dry_run=dry_run)).results
    return {
        one.project.id: (one.outcome, one.code, "; ".join(one.error.split("; ")[:2]), one.counts.new_accounts)
        for one in results
    }


@pytest.mark.parametrize("other", [COMPOSED, DECOMPOSED, WRITINGS[2]])
async def test_projects_that_share_a_worksheet_are_degraded_and_get_no_accounts(world: World, other: str) -> None:
    """Nothing is doubled: accounts that exist get their numbers, new rows wait until one is renamed or inactive."""
    world.sections["sync"] = {"create_missing": "accounts"}
    world.add_project(COMPOSED, ["a"], "p")
    world.add_project(other, [], "q")
    world.google.spreadsheets[KEY].worksheets.clear()
    world.sheet(COMPOSED, a=[7] * 5, new=[8] * 5)
    told = (
        Outcome.DEGRADED,
        "same-name",
        f'the projects p, q have one name and so share worksheet "{COMPOSED}"; no account is created for its rows',
        0,
    )
    assert await outcomes(world, dry_run=True) == {"p": told, "q": told}
    assert await outcomes(world) == {"p": told, "q": told}
    assert await outcomes(world, "q") == {"q": told}
    assert world.merged("a") == (7,) * 5
    assert world.execute("SELECT id FROM project_social_accounts") == [("account-a",)]
    world.execute("UPDATE projects SET is_active = 0 WHERE id = 'q'")
    assert await outcomes(world) == {"p": (Outcome.SYNCED, "", "", 1)}
    assert world.execute("SELECT DISTINCT project_id FROM project_social_accounts") == [("p",)]


async def test_worksheets_of_one_title_in_two_spreadsheets_are_two(world: World) -> None:
    """A spreadsheet of its own is no shared worksheet; another name of the same spreadsheet is one."""
    other = "o" * 44
    world.google.add(other, {"P": [["Link", "Views"], ["https://www.tiktok.com/@b", 9]]})
    spreadsheets = {"Other": other, "Main": KEY}
    world.sections["sheets"] = world.sections["sheets"].model_copy(update={"spreadsheets": spreadsheets})
    world.add_project("P", ["a"], "p")
    world.sheet("P", a=[7] * 5)
    world.execute("INSERT INTO projects (id, name, google_sheet_name, is_active) VALUES ('q', 'P', 'Other', 1)")
    assert {one[0] for one in (await outcomes(world)).values()} <= {Outcome.SYNCED, Outcome.UNCHANGED}
    world.execute("UPDATE projects SET google_sheet_name = 'Main' WHERE id = 'q'")
    assert {one[1] for one in (await outcomes(world)).values()} == {"same-name"}
