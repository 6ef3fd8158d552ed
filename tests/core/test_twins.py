"""Accounts that are one and the same on the platform: a row counts for one of them, and each case is told."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fake_google import FakeGoogle
from smart_sync.core.links.identity import identity
from smart_sync.core.matching.match import match
from smart_sync.core.model import Metrics, Outcome, SheetRow, Table
from smart_sync.core.state import AccountState
from world import HEADER, KEY, World, link

ADD = (
    "INSERT INTO project_social_accounts (id, project_id, platform, profile_link, is_active, added_at)"
    " VALUES (?, 'project-P', 'tiktok', ?, ?, ?)"
)
#: Spellings of one link.
SPELLINGS = [link("a"), link("A"), link("a") + "/", "tiktok.com/@a"]


def type_rows(world: World, *links: str) -> None:
    """Row 2 says 5000, row 3 5001, and so on."""
    rows = [["", text, *[5000 + number] * 5] for number, text in enumerate(links)]
    world.google.spreadsheets[KEY].worksheets["P"] = [list(HEADER), *rows]


async def test_an_account_added_again_under_another_form_of_its_link_gets_the_row(world: World) -> None:
    """The inactive one whose link is written as in the row does not; the case is told with both ids and the row."""
    world.add_project("P", ["a"])
    world.execute("UPDATE project_social_accounts SET is_active = 0")
    world.execute(ADD, ("again", link("A") + "/", 1, None))
    type_rows(world, link("a"))
    result = await world.sync_one()
    assert world.execute("SELECT account_id, followers FROM account_metrics") == [("again", 5000)]
    (problem,) = result.problems
    assert str(problem).startswith("P!2: ")
    for part in (f"{link('a')} (id account-a, inactive)", f"{link('A')}/ (id again)", "row 2 counts for id again"):
        assert part in problem.reason
    assert result.unmatched_accounts == ()


async def test_of_several_active_accounts_the_exact_link_counts_else_the_oldest(world: World) -> None:
    """By added_at in whatever notation, one without it last, then by id; the other one gets no value."""
    world.add_project("P")
    world.execute(ADD, ("aa", link("A"), 1, None))
    world.execute(ADD, ("bb", link("a") + "/", 1, "2026-02-01 00:00:00"))
    world.execute(ADD, ("cc", link("a"), 1, "2026-01-31T23:00:00+00:00"))
    for typed, expected in [(link("A"), "aa"), (link("a") + "/", "bb"), ("https://tiktok.com/@A", "cc")]:
        world.execute("DELETE FROM account_metrics")
        world.execute("DELETE FROM sheet_metrics")
        type_rows(world, typed)
        result = await world.sync_one()
        held = "SELECT account_id FROM account_metrics WHERE followers = 5000"
        assert world.execute(held) == [(expected,)]
        assert world.execute("SELECT DISTINCT coalesce(followers_winner, '') FROM account_metrics ORDER BY 1") == [
            ("",),
            ("sheet",),
        ]
        (problem,) = result.problems
        assert f"row 2 counts for id {expected}; deactivate all but one" in problem.reason


async def test_a_table_without_its_unique_key_is_no_riddle(tmp_path: Path, google: FakeGoogle) -> None:
    """Rows of the table with one link, and no column added_at: the active one, then the smaller id, gets the row."""
    bare = World(tmp_path, google)
    bare.execute(
        "CREATE TABLE project_social_accounts (id TEXT PRIMARY KEY, project_id, platform, username, profile_link,"
        " is_active)"
    )
    await bare.create()
    bare.add_project("P")
    add = "INSERT INTO project_social_accounts VALUES (?, 'project-P', 'tiktok', '', ?, ?)"
    for account_id, active in (("x", 0), ("y", 1), ("z", 1)):
        bare.execute(add, (account_id, link("a"), active))
    type_rows(bare, link("a"))
    (problem,) = (await bare.sync_one()).problems
    assert "row 2 counts for id y" in problem.reason
    assert bare.execute("SELECT account_id FROM account_metrics WHERE followers = 5000") == [("y",)]
    bare.execute("DELETE FROM project_social_accounts WHERE id = 'z'")
    (problem,) = (await bare.sync_one()).problems
    assert "(id x, inactive)" in problem.reason


async def test_a_row_that_goes_over_to_the_twin_has_not_vanished(world: World) -> None:
    """Three accounts are added again in another form: no accident is seen, and no row and no account is unmatched."""
    names = ["a", "b", "c", "d"]
    world.add_project("P", names)
    type_rows(world, *map(link, names))
    await world.sync()
    for number, name in enumerate(names[:3]):
        world.execute(ADD, (f"twin-{name}", link(name.upper()), 1, f"2026-01-0{number + 1}"))
    type_rows(world, *(link(name.upper()) for name in names))
    result = await world.sync_one()
    assert (result.outcome, result.unmatched_accounts, result.unmatched_rows) == (Outcome.SYNCED, (), ())
    assert [p.row for p in result.problems if "one and the same" in p.reason] == [2, 3, 4]


async def test_an_inactive_account_whose_active_twin_is_written_in_the_row_is_no_problem(world: World) -> None:
    """Nor is one of another project: nothing is in doubt."""
    world.add_project("P", ["a"])
    world.add_project("Q", ["c"])
    world.execute(ADD, ("asleep", link("A"), 0, None))
    world.execute("UPDATE project_social_accounts SET profile_link = ? WHERE id = 'account-c'", (link("a"),))
    type_rows(world, link("a"))
    assert [one.problems for one in (await world.sync()).results] == [(), ()]


accounts = st.lists(
    st.tuples(st.sampled_from([*SPELLINGS, link("b"), ""]), st.booleans(), st.sampled_from([None, "1", "2"])),
    max_size=6,
).map(lambda several: [AccountState(str(n), "", "", a, b, added_at=c) for n, (a, b, c) in enumerate(several)])
rows = st.lists(st.sampled_from([*SPELLINGS, link("b"), link("c")]), max_size=6).map(
    lambda links: tuple(SheetRow(n, text, Metrics(views=n)) for n, text in enumerate(links, 2))
)


@given(accounts, rows)
def test_each_row_has_one_account_and_every_doubt_is_told(
    states: list[AccountState], typed: tuple[SheetRow, ...]
) -> None:
    """A row counts for an active account wherever one has its identity; no row is lost or counts twice."""
    matches = match(Table("P", typed), states)
    by_id = {state.id: state for state in states}
    for row in typed:
        same = [state for state in states if identity(state.link) == identity(row.link)]
        if not same:
            assert row in matches.unmatched
            continue
        claimants = [a for a, one in matches.rows.items() if by_id[a] in same and (one.metrics.views or 0) >= row.row]
        assert claimants
        assert all(by_id[a].active for a in claimants) or not any(state.active for state in same)
        exact = {state.id for state in same if state.active and state.link == row.link}
        assert not exact or exact & set(claimants)
        if len([state for state in same if state.active]) > 1:
            assert any("one and the same" in problem.reason for problem in matches.problems)
    assert len(matches.unmatched) == sum(
        not any(identity(state.link) == identity(row.link) for state in states) for row in typed
    )
    assert not matches.duplicates & matches.rows.keys()
