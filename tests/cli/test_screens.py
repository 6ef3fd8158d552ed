"""What people read on a terminal or from a pipe: numbers with their nouns, nothing cut, the way to more."""

import json
from typing import Any

import pytest

from daemon_process import run_command, write_config
from smart_sync.cli.output.diagnostics import show_webhooks
from smart_sync.cli.output.passes import show_answer, totals, troubles
from smart_sync.core.wording import counted
from world import KEY, World

#: What a project's result says where nothing is wrong.
QUIET: Any = {"suspect_count": 0, "unmatched_rows": 0, "unmatched_accounts": 0}


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors"), (12_000, "12,000 errors")]
)
def test_one_is_singular(number: int, told: str) -> None:
    """One of a thing has no s, and large numbers can be read."""
    assert counted(number, "error") == told


def test_a_degraded_project_is_not_in_step() -> None:
    """Each project of a pass is counted once: in step, degraded or failed."""
    assert totals(4, 3, 1, 1) == "4 projects: 2 up to date, 1 degraded, 1 failed"
    assert totals(1, 1, 0, 0) == "1 project: 1 up to date, 0 failed"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, []),
        ({"suspect_count": 1}, ["1 suspect value; see: smart-sync check"]),
        ({"unmatched_rows": 2}, ["2 rows without an account; see: smart-sync check"]),
        (
            {"suspect_count": 2, "unmatched_accounts": 1, "unmatched_rows": 1},
            ["2 suspect values, 1 account without a row, 1 row without an account; see: smart-sync check"],
        ),
        ({"warning": "no answer", "remedy": "wait"}, ["no answer; wait"]),
    ],
    ids=["nothing", "a suspect", "rows", "all", "degraded"],
)  # fmt: skip
def test_what_needs_a_look_has_a_line(change: dict[str, Any], told: list[str]) -> None:
    """Suspects, accounts without a row and rows without an account are said, each with the command that says more."""
    assert list(troubles(QUIET | change)) == told


def test_a_problem_names_its_worksheet_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A problem of the whole worksheet begins with its title, as one of a cell does: it is not said again."""
    problems = ["P: the column for views is gone", "P!C2: not a number", "parsed_metrics: no count"]
    show_answer({"project_id": "1", "project_name": "P", "outcome": "synced", "problem_count": 3, "problems": problems})
    assert capsys.readouterr().out.splitlines()[-3:] == [*problems[:2], "P: parsed_metrics: no count"]


async def test_what_needs_a_look_is_shown_after_a_pass(world: World) -> None:
    """`once` (as `sync`) says by project how many values are suspect, and who has no partner."""
    world.add_project("P", ["a", "b"])
    world.sheet("P", a=[12_000, 1, 1, 1, 1])
    await world.sync()
    world.sheet("P", a=[990_000, 1, 1, 1, 1], stranger=[1] * 5)
    config = write_config(world.folder, google=world.google, spreadsheet=KEY)
    shown = run_command("once", "--config", str(config)).stdout
    assert "P: 1 suspect value, 1 account without a row, 1 row without an account; see: smart-sync check" in shown


def test_a_pass_over_nothing_says_where_to_look(world: World) -> None:
    """An empty table of projects is red and says what to do; that all of them are finished is as it should be."""
    config = write_config(world.folder, google=world.google, spreadsheet=KEY)
    ended = run_command("once", "--config", str(config))
    assert (ended.returncode, "its table projects is empty; " in ended.stdout) == (4, True), ended.stdout
    world.add_project("P")
    world.execute("UPDATE projects SET is_active = 0")
    ended = run_command("once", "--config", str(config))
    assert (ended.returncode, ended.stdout) == (0, "no active project; see: smart-sync check\n")


def test_nothing_is_cut_where_nobody_looks_at_a_window(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pipe a row is one line, however long, whatever COLUMNS says."""
    monkeypatch.setenv("COLUMNS", "40")
    answer = "no route to host: " + "x" * 300
    delivery: Any = {
        "created_at": "2026-03-10T12:00:00.000000", "webhook": "hooks.example.com", "type": "project.degraded",
        "status": "waiting", "attempts": 3, "answer": answer, "due_at": "2026-03-10T12:05:00.000000",
    }  # fmt: skip
    show_webhooks({"success": True, "webhooks": [], "deliveries": [delivery]})
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "project.degraded" in line]
    assert answer in row
    assert row.rstrip().endswith("2026-03-10 12:05")


def test_csv_files_are_no_calls_to_google(world: World) -> None:
    """What reading files has cost is told as files: log, history and status count calls to Google alone."""
    (world.folder / "P.csv").write_text("Link\n")
    world.add_project("P", ["a"])
    config = write_config(world.folder, '[sheets]\nsource = "csv"\ndirectory = "."\n')
    ended = run_command("once", "--config", str(config))
    (finished,) = [line for line in map(json.loads, ended.stderr.splitlines()) if line["event"] == "sync.finished"]
    (run,) = json.loads(run_command("history", "--json", "--config", str(config)).stdout)["runs"]
    assert (finished["calls"], finished["bytes"], run["calls"]) == (0, 0, 0)


def test_who_left_and_who_is_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Accounts without a row leave, and those whose rows return are back: with their links."""
    one: Any = {"project_id": "1", "project_name": "P", "outcome": "synced", "problem_count": 0, "problems": []}
    show_answer(one | {"left": ["https://x/@a"], "returned": ["https://x/@b"]})
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 account left, as no row has their link any more: https://x/@a" in shown
    assert "1 account back, with their rows: https://x/@b" in shown
