"""What every command shows on a terminal, 80 and 140 cells wide: on an empty first day, after 60 days, in trouble."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

import terminal
from daemon_process import Daemon, write_config
from fake_google import FakeGoogle
from lengths import examples
from screen_cases import PROJECTS, fresh, sixty_days, troubles
from smart_sync.cli.main import GROUPS
from smart_sync.cli.output.data import show_history
from smart_sync.cli.output.passes import show_changes
from smart_sync.cli.output.status import screen
from smart_sync.cli.output.terminal import console
from smart_sync.core.wording import wait
from terminal import Shown
from world import KEY, World

WIDTHS = (80, 140)
LINK = "https://www.tiktok.com/@nova"
#: Commands as people type them; those that change something come last.
LOOKING = (
    "growth", "growth --metric likes --sort name", "growth --days 7 --top 1", "explain nova", "explain @nova --all",
    "history", "check --offline", "webhooks", "status", "config show", "healthcheck", f"parse {LINK}",
    "report -o growth.html", "sync --dry-run", "completion bash", "man",
)  # fmt: skip
CHANGING = ("sync", "ingest parsed.csv", "ingest --forget nova", "confirm nova", "backup copy.db", "webhooks test")
OFFLINE = (
    "once",
    "explain nobody",
    "growth nowhere",
    "sync",
    "status",
    "adopt view_counter.db -o adopted.toml --spreadsheet KEY",
)
#: Their lines are for other programs.
_FOR_PROGRAMS = ("completion", "man")
NAMES = [name for several in PROJECTS.values() for name, _ in several]

Case = Callable[[Path, FakeGoogle], Awaitable[Path]]


def _type(command: str, width: int, folder: Path) -> Shown:
    """What ``command`` shows, which nobody has to scroll to the right for."""
    shown = terminal.run(command.split(), width, folder)
    assert "Traceback" not in shown.text, shown.text
    if not command.startswith(_FOR_PROGRAMS):
        wide = [line for line in shown.lines if cell_len(line) > width and "[SmartSync]" not in line]
        assert wide == [], f"{command}: {shown.text}"
        assert "…" not in shown.text, f"{command} has cut something: {shown.text}"
    return shown


@pytest.mark.parametrize("case", [fresh, sixty_days, troubles])
async def test_nothing_is_wider_than_the_terminal_and_no_name_is_cut(
    case: Case, tmp_path: Path, google: FakeGoogle
) -> None:
    """Every line of every command fits, also with wide letters and emoji; names are folded, never cut away."""
    config = await case(tmp_path, google)
    # Where nothing is yet to be shown, what fits the narrow one fits the wide one.
    widths = WIDTHS[: examples(1, 2)] if case is fresh else WIDTHS

    def look(commands: tuple[str, ...]) -> dict[tuple[str, int], Shown]:
        return {(c, width): _type(c, width, tmp_path) for c in commands for width in widths}

    with Daemon(config):
        shown = await asyncio.to_thread(look, LOOKING + CHANGING)
    await asyncio.to_thread(look, OFFLINE)
    if case is fresh:
        return
    for width in WIDTHS:
        for command in ("growth", "growth --metric likes --sort name"):
            # A folded name goes on in the cell below.
            cells = "".join(shown[command, width].text.split())
            assert [name for name in NAMES if name[:12] not in cells] == []
        for command in ("status", "sync", "check --offline"):
            assert [name for name in PROJECTS if name.split()[0] not in shown[command, width].text] == []
    assert "unhealthy" in shown["status", 80].text or case is sixty_days


def test_every_help_has_an_example_that_can_be_typed(tmp_path: Path) -> None:
    """`--help` of each command fits, and ends with an example whose options and arguments it has."""
    for command in (one for several in GROUPS.values() for one in several):
        path = [str(command.name)]
        shown = _type(f"{command.name} --help", 80, tmp_path)
        example = shown.text.partition("Example:")[2].split()
        assert example[:2] == ["smart-sync", *path], shown.text
        # With --help behind it, it is read and not run.
        assert terminal.run([*_words(shown)[1:], "--help"], 80, tmp_path).code == 0


def _words(shown: Shown) -> list[str]:
    import shlex

    return shlex.split(shown.text.partition("Example:")[2])


async def test_a_wait_for_google_is_seen_while_it_lasts(world: World, google: FakeGoogle) -> None:
    """`sync` says what is waited for, how long, and which try it will be; `status` says it too."""
    world.add_project("P", ["a"])
    world.sheet("P", a=[1] * 5)
    config = write_config(world.folder, "[schedule]\nrun_on_start = false\n", google=google, spreadsheet=KEY)
    google.fail("batch", 1, 429, headers={"Retry-After": "1"})
    with Daemon(config) as daemon:
        shown = await asyncio.to_thread(_type, "sync", 80, world.folder)
    assert "Google asks to slow down: again in 1 s (2 of 4)" in shown.raw
    assert "1 project: 1 up to date, 0 failed" in shown.text
    (told,) = daemon.events("request.retried")
    assert (told["reason"], told["seconds"], told["tries"], told["most"]) == ("Google asks to slow down", 1.0, 2, 4)
    waiting = {"trigger": "cli", "projects": 1, "done": 0, "waiting": wait(told)}
    assert "Google asks to slow down: again in 1 s (2 of 4)" in plain(STATUS | {"current": waiting})


def plain(answer: Any) -> str:
    """The status screen of an answer, 80 cells wide."""
    console = Console(file=io.StringIO(), width=80)
    console.print(screen(answer, datetime(2026, 3, 10, tzinfo=UTC), 80))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


STATUS: Any = {
    "version": "1", "uptime_seconds": 1, "state": "syncing", "current": None, "last_pass": None, "next_run_at": None,
    "active_projects": 1200, "total_projects": 1200, "last_error": None, "projects": [], "parsers": [], "healthy": True,
    "reading": {"source": "csv", "calls": 0, "files": 12_000, "retries": 0, "quota_wait_seconds": 0},
}  # fmt: skip


def test_status_says_unhealthy_when_healthz_does() -> None:
    """The same verdict, with its reasons; counts have thousands separators."""
    assert "healthy" in plain(STATUS).splitlines()[0]
    shown = plain(STATUS | {"healthy": False, "reasons": ["a project is stale"]})
    assert "unhealthy" in shown.splitlines()[0]
    assert "a project is stale" in shown
    assert "1,200 active of 1,200" in shown
    assert "12,000 files" in shown


CHANGES: Any = [
    {"link": "https://x/@nova", "metric": "views", "before": 12_480, "after": 12_655},
    {"link": "https://x/@nova", "metric": "likes", "before": None, "after": 1_000},
    {"link": "https://x/@orion", "metric": "views", "before": 2_000, "after": 1_500},
]


def test_a_dry_run_is_grouped_by_account_with_totals_last(capsys: pytest.CaptureFixture[str]) -> None:
    """Each account with its metrics, old and new and the difference; then what it comes to."""
    show_changes(console(), [{"project_id": "1", "project_name": "P", "changes": CHANGES}])
    assert capsys.readouterr().out.splitlines() == [
        "",
        "project P",
        "  https://x/@nova",
        "    views      12,480 → 12,655 (+175)",
        "    likes      new: 1,000",
        "  https://x/@orion",
        "    views      2,000 → 1,500 (-500)",
        "",
        "would change  accounts  before   after  change",
        "likes                1       0   1,000  +1,000",
        "views                2  14,480  14,155    -325",
        "2 accounts would change",
        "",
    ]


def test_a_trouble_of_a_spreadsheet_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """`history` names the projects that share it in one line."""
    result = {
        "outcome": "degraded", "error": "nobody may read it", "problems": [], "stages": {}, "changed": 0, "accounts": 1,
    }  # fmt: skip
    run: Any = {
        "started_at": "2026-03-10T12:00:00", "trigger": "timer", "outcome": "degraded", "seconds": 1.0, "projects": 2,
        "accounts": 2, "changed": 0, "snapshots": 0, "requested_by": "",
        "results": [result | {"project_name": name} for name in ("P", "Q")],
    }  # fmt: skip
    show_history({"success": True, "runs": [run]})
    assert capsys.readouterr().out.splitlines()[1:] == ["    P, Q  degraded: nobody may read it"]
