"""What every command shows on a terminal, 80 and 140 cells wide: on an empty first day, after 60 days, in trouble."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from daemon_process import Daemon
from fake_google import FakeGoogle
from screen_cases import PROJECTS, fresh, sixty_days, troubles
from smart_sync.cli.main import GROUPS
from terminal import Shown, Terminals

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


@pytest.fixture(scope="module")
def terminals() -> Iterator[Terminals]:
    with Terminals() as loaded:
        yield loaded


def _type(terminals: Terminals, command: str, width: int, folder: Path) -> Shown:
    """What ``command`` shows, which nobody has to scroll to the right for."""
    shown = terminals.run(command.split(), width, folder)
    assert "Traceback" not in shown.text, shown.text
    if not command.startswith(_FOR_PROGRAMS):
        wide = [line for line in shown.lines if cell_len(line) > width and "[SmartSync]" not in line]
        assert wide == [], f"{command}: {shown.text}"
        assert "…" not in shown.text, f"{command} has cut something: {shown.text}"
    return shown


@pytest.mark.parametrize("case", [fresh, sixty_days, troubles])
async def test_nothing_is_wider_than_the_terminal_and_no_name_is_cut(
    case: Case, tmp_path: Path, google: FakeGoogle, terminals: Terminals
) -> None:
    """Every line of every command fits, also with wide letters and emoji; names are folded, never cut away."""
    config = await case(tmp_path, google)

    def look(commands: tuple[str, ...]) -> dict[tuple[str, int], Shown]:
        return {(c, width): _type(terminals, c, width, tmp_path) for c in commands for width in WIDTHS}

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


def test_every_help_has_an_example_that_can_be_typed(terminals: Terminals, tmp_path: Path) -> None:
    """`--help` of each command fits, and ends with an example whose options and arguments it has."""
    for command in (one for several in GROUPS.values() for one in several):
        path = [str(command.name)]
        shown = _type(terminals, f"{command.name} --help", 80, tmp_path)
        example = shown.text.partition("Example:")[2].split()
        assert example[:2] == ["smart-sync", *path], shown.text
        # With --help behind it, it is read and not run.
        assert terminals.run([*_words(shown)[1:], "--help"], 80, tmp_path).code == 0


def _words(shown: Shown) -> list[str]:
    import shlex

    return shlex.split(shown.text.partition("Example:")[2])
