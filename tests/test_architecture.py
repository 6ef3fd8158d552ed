"""The shape of the code: imports point one way, and core is pure."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import smart_sync

ROOT = Path(smart_sync.__file__).parent

#: From the outside in; a module imports from its own layer and from those below it.
LAYERS = [
    {"__init__", "__main__", "cli", "commands"},
    {"standalone", "integrations", "adopt", "backup", "checks", "screens", "setup", "manual"},
    {"once"},
    {"service"},
    {"preflight", "runner", "control", "sync", "project", "deciding"},
    {
        "announcer",
        "sheets",
        "parsers",
        "store",
        "notify",
        "report",
        "explain",
        "repair",
        "confirming",
        "past",
        "ingest",
    },
    {
        "config",
        "secret",
        "plugins",
        "lock",
        "logs",
        "events",
        "systemd",
        "web",
        "quota",
        "blocking",
        "interpreter",
        "plain_files",
    },
    {"core", "errors", "clock"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
#: What decides and does not do: no clock, no chance, no I/O, no log.
IMPURE = {"time", "random", "secrets", "os", "io", "socket", "asyncio", "logging", "structlog", "sqlite3", "subprocess"}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The dotted names that a module imports, wherever it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def part(dotted: str) -> str | None:
    """The top-level part of ours that a dotted name belongs to."""
    pieces = dotted.split(".")
    return pieces[1] if pieces[0] == "smart_sync" and len(pieces) > 1 and pieces[1] in LEVEL else None


@pytest.mark.parametrize("path", modules(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    """cli → service → {runner, control, sync} → {sheets, parsers, store} → core: never back."""
    relative = path.relative_to(ROOT)
    own = relative.parts[0].removesuffix(".py")
    assert own in LEVEL, f"{own} has no layer yet"
    against = {name for name in imports(path) if (other := part(name)) and LEVEL[other] < LEVEL[own]}
    assert against == set()


@pytest.mark.parametrize("path", modules(ROOT / "core"), ids=lambda path: path.name)
def test_core_is_pure(path: Path) -> None:
    """core has no await, clock, randomness, log or I/O."""
    tree = ast.parse(path.read_text())
    assert {name for name in imports(path) if name.split(".")[0] in IMPURE} == set()
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), ast.dump(node)
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name):
            assert called.id not in {"open", "print", "input"}, called.lineno
        if isinstance(called, ast.Attribute):
            assert called.attr not in {"now", "utcnow", "today", "uuid4"}, called.lineno


def test_a_start_does_not_wait_for_the_google_libraries() -> None:
    """What only a read of Google uses is not imported before one."""
    code = "import sys, smart_sync.service.daemon, smart_sync.sheets.google; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"gspread", "google.auth", "requests", "httpx2"}.isdisjoint(loaded)
