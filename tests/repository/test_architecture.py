"""The shape of the code: imports point one way, and core is pure."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import smart_sync
from literal_texts import nodes

ROOT = Path(smart_sync.__file__).parent

#: From the outside in; a module imports from its own layer and from those below it.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"integrations"},
    {"admin"},
    {"service"},
    {"control"},
    {"sync"},
    {"sheets", "parsers", "notify", "report"},
    {"store"},
    {"config"},
    {"events", "aio", "logs"},
    {"core", "errors", "clock", "__init__"},
]
#: Within core, from the outside in; the modules that lie in core itself come last.
CORE_LAYERS = [{"notices"}, {"results", "history"}, {"merge"}, {"matching"}, {"worksheet"}, {"links"}, {""}]
CORE_LEVEL = {name: level for level, names in enumerate(CORE_LAYERS) for name in names}
#: What is imported only when it is asked for.
_STANDALONE = "smart_sync.integrations.standalone"
LAZY = {
    "__init__.py": {
        "smart_sync.integrations",
        _STANDALONE,
        f"{_STANDALONE}.sync_all_projects_standalone",
        f"{_STANDALONE}.sync_single_project_standalone",
    }
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
#: What decides and does not do: no clock, no chance, no I/O, no log.
IMPURE = {"time", "random", "secrets", "os", "io", "socket", "asyncio", "logging", "structlog", "sqlite3", "subprocess"}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """The dotted names that a module imports, wherever it does."""
    names: set[str] = set()
    for node in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def part(dotted: str) -> str | None:
    """The top-level part of ours that a dotted name belongs to."""
    pieces = dotted.split(".")
    return pieces[1] if pieces[0] == "smart_sync" and len(pieces) > 1 and pieces[1] in LEVEL else None


def test_imports_point_one_way() -> None:
    """cli → admin → service → control → sync → {sheets, parsers, notify, report} → store → core: never back."""
    against = {}
    for path in modules(ROOT):
        place = str(path.relative_to(ROOT))
        own = place.partition("/")[0].removesuffix(".py")
        assert own in LEVEL, f"{own} has no layer yet"
        back = {name for name in imports(path) if (other := part(name)) and LEVEL[other] < LEVEL[own]}
        against[place] = back - LAZY.get(place, set())
    assert {place: names for place, names in against.items() if names} == {}
    assert len(against) > 200


def core_part(dotted: str) -> str | None:
    """The folder of core that a dotted name belongs to; "" for core itself."""
    pieces = dotted.split(".")
    if pieces[:2] != ["smart_sync", "core"] or len(pieces) < 3:
        return None
    return pieces[2] if pieces[2] in CORE_LEVEL else ""


def test_core_decides_in_layers() -> None:
    """notices → {results, history} → merge → matching → worksheet → links: never back."""
    against = {}
    for path in modules(ROOT / "core"):
        own = path.relative_to(ROOT / "core").parts
        level = CORE_LEVEL[own[0] if len(own) > 1 else ""]
        back = {name for name in imports(path) if (to := core_part(name)) is not None and CORE_LEVEL[to] < level}
        against["/".join(own)] = back
    assert {place: names for place, names in against.items() if names} == {}
    assert len(against) > 40


def test_nothing_lies_loose() -> None:
    """At the top are folders, and the few modules that belong to all of them."""
    assert {path.name for path in ROOT.glob("*.py")} == {
        "__init__.py", "__main__.py", "clock.py", "errors.py", "logs.py",
    }  # fmt: skip


def test_a_name_is_one_module() -> None:
    """No two modules bear one name, but a command and its output, and the events of a part."""
    seen: dict[str, list[str]] = {}
    for path in modules(ROOT):
        folder = path.parent.relative_to(ROOT).as_posix()
        if path.name != "__init__.py" and folder not in ("events", "cli/output"):
            seen.setdefault(path.name, []).append(folder)
    assert {name: folders for name, folders in seen.items() if len(folders) > 1} == {}


def test_no_module_is_two() -> None:
    """A module has no more than 300 lines."""
    assert [str(path) for path in modules(ROOT) if len(path.read_text().splitlines()) > 300] == []


def test_the_way_of_a_number_is_the_one_that_is_told() -> None:
    """Each function on the way of one number, as `sync.project` tells it, exists: from a read to what is written."""
    told = importlib.import_module("smart_sync.sync.project").__doc__ or ""
    way = re.findall(r"^    ((?:\w+\.)+\w+)  ", told, re.MULTILINE)
    for place in way:
        assert callable(resolve_name(f"smart_sync.{place}"))
    assert (len(way), way[0], way[-1]) == (12, "sheets.google.GoogleSheets.read", "store.snapshots.write")


def test_tests_lie_where_what_they_test_does() -> None:
    """A test lies in the folder of its package, or in one of what is about the whole; what supports tests is apart."""
    tests = Path(__file__).parents[1]
    folders = {path.parent.name for path in tests.rglob("test_*.py")}
    whole = {"docs", "repository", "security"}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders - whole == {name for name in packages if (tests / name).is_dir()}
    assert [path.name for path in tests.glob("*.py")] == ["conftest.py"]
    assert list((tests / "support").glob("test_*.py")) == []


def test_core_is_pure() -> None:
    """core has no await, clock, randomness, log or I/O."""
    for path in modules(ROOT / "core"):
        assert {name for name in imports(path) if name.split(".")[0] in IMPURE} == set(), path
        for node in nodes(ast.parse(path.read_text())):
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), (path, ast.dump(node))
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name):
                assert called.id not in {"open", "print", "input"}, (path, called.lineno)
            if isinstance(called, ast.Attribute):
                assert called.attr not in {"now", "utcnow", "today", "uuid4"}, (path, called.lineno)


def test_a_start_does_not_wait_for_the_google_libraries() -> None:
    """What only a read of Google uses is not imported before one."""
    code = "import sys, smart_sync.service.daemon, smart_sync.sheets.google; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"gspread", "google.auth", "requests", "httpx2"}.isdisjoint(loaded)


def test_a_pass_without_a_daemon_imports_none(tmp_path: Path) -> None:
    """`smart-sync once`, from its configuration to its last line, loads no module of the daemon or its socket."""
    sample = Path(smart_sync.__file__).parent / "sample" / "sheets"
    (tmp_path / "config.toml").write_text(
        f'[sheets]\nsource = "csv"\ndirectory = "{sample}"\n[sync]\ncreate_missing = "projects"\n'
    )
    code = (
        "import sys\nfrom smart_sync.cli.main import main\nsys.argv[1:] = ['once']\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = {".".join(name.split(".")[:2]) for name in done.stderr.splitlines()[-1].split()}
    assert "smart_sync.sync" in loaded
    assert {"smart_sync.service", "smart_sync.control", "smart_sync.admin", "smart_sync.report"}.isdisjoint(loaded)
