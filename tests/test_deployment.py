"""What is deployed: pinned packages, and a wheel that works where there is no repository."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import audit

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
PACKAGE = ROOT / "daemon/smart_sync"


def locked(text: str) -> dict[str, tuple[str, list[str]]]:
    """Package → its version and hashes."""
    entries = re.split(r"\n(?=[a-z0-9-])", re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ").strip())
    found = {}
    for entry in entries:
        pinned = re.match(r"([a-z0-9-]+)==([\w.]+)\s", entry)
        if pinned:
            found[pinned[1]] = (pinned[2], re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))
    return found


def problems(text: str, *extras: str) -> list[str]:
    """What is wrong with a lock file of the package with these extras."""
    packages = locked(text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    found = [f"{name} has no hash" for name, (_, hashes) in packages.items() if not hashes]
    for requirement in wanted:
        name, least = re.fullmatch(r"([\w.-]+)(?:\[.*\])?(?:>=([\d.]+))?", requirement).groups("0")  # type: ignore[union-attr]
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name not in packages:
            found.append(f"{name} is not locked; run make lock")
        elif numbers(packages[name][0]) < numbers(least):
            found.append(f"{name} {packages[name][0]} is older than {least}; run make lock")
    lines = [line for line in text.splitlines() if "--hash=" not in line]
    found += [f"names a place: {line}" for line in lines if re.search(r"://|^\s*-|file:|@ ", line)]
    return found


def numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def test_every_package_is_pinned_by_version_and_hash() -> None:
    """The lock files have all that pyproject.toml needs, each with hashes, and name no place to get it from."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert problems(LOCK.read_text(), "sqlite") == []
    assert problems(DEV_LOCK.read_text(), *extras) == []


def test_tests_run_with_the_packages_of_a_deployment() -> None:
    """A package that is in both lock files has one version."""
    deployed, tested = locked(LOCK.read_text()), locked(DEV_LOCK.read_text())
    assert {name: tested.get(name) for name in deployed} == deployed


@pytest.mark.parametrize(
    "weaker",
    [
        lambda text: re.sub(r"(?s)\nrich==.*?(?=\n[a-z])", "", text),
        lambda text: re.sub(r"\nrich==[\d.]+", "\nrich==1.0", text),
        lambda text: re.sub(r"(?s)(\nrich==[\d.]+) .*?(?=\n[a-z])", r"\1 ", text),
        lambda text: text + "\n--extra-index-url https://packages.example/simple\n",
    ],
    ids=["missing", "too old", "no hash", "a place"],
)
def test_a_weaker_lock_is_seen(weaker: Callable[[str], str]) -> None:
    """Negative control: a lock file with something missing is found out."""
    assert problems(weaker(LOCK.read_text()), "sqlite") != []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what it is built from."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(PACKAGE, source / "daemon/smart_sync", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode and "setuptools" in built.stderr and "Could not find a version" in built.stderr:
        pytest.skip("no package index to get setuptools from")
    assert built.returncode == 0, built.stderr
    (path,) = target.glob("smart_sync_daemon-*.whl")
    return path


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    """Whatever lies in the package (SQL, samples, templates) is in the wheel, and nothing else is."""
    assert missing(wheel) == set()


def missing(wheel: Path) -> set[str]:
    """What lies in the package or in the wheel alone."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("smart_sync/")}
    lying = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return packed ^ lying


def test_the_wheel_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Installed in another place and started from a third, it runs passes over its own sample."""
    installed = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    config = tmp_path / "config.toml"
    config.write_text(
        f'[sheets]\nsource = "csv"\ndirectory = "{installed / "smart_sync/sample/sheets"}"\n'
        '[sync]\ncreate_missing = "projects"\n'
    )
    # Isolated, and the place itself first: the repository must not lend it anything.
    start = (
        f"import sys; sys.path[:0] = [{str(installed)!r}]; import smart_sync; "
        f"assert smart_sync.__file__.startswith({str(installed)!r}), smart_sync.__file__; "
        "from smart_sync.cli.main import main; main()"
    )
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-I", "-c", start, "once", "--json", "--config", str(config)],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        assert '"success": true' in ran.stdout
    assert '"unchanged"' in ran.stdout
    assert (tmp_path / "var/view_counter.db").exists()


SOUND = {"name": "rich", "version": "14.1", "vulns": []}
HOLED = {"name": "h11", "version": "0.1", "vulns": [{"id": "CVE-1", "fix_versions": ["0.2"]}]}
UNKNOWN = {"name": "gspread", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("told", "code", "last"),
    [
        ([SOUND], 0, "audit by osv: 1 of 1 packages looked up, 0 vulnerabilities"),
        ([SOUND, HOLED], 1, "audit by osv: 2 of 2 packages looked up, 1 vulnerabilities"),
        ([SOUND, UNKNOWN], 1, "audit by osv: 1 of 2 packages looked up, 0 vulnerabilities"),
    ],
)
def test_an_audit_says_how_much_it_looked_up(told: list[dict[str, Any]], code: int, last: str) -> None:
    """A hole, and a package that the service does not know, fail the audit."""
    judged = audit.verdict("osv", told)
    assert judged is not None
    assert judged[0] == code
    assert list(judged[1])[-1] == last


def test_an_audit_without_a_service_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no service can be reached nothing passes for audited: a line says so, and where one could be."""
    broken = tmp_path / "pip-audit"
    broken.write_text("#!/bin/sh\necho 'no route to host' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert audit.verdict("pypi", [UNKNOWN]) is None
    assert audit.main(str(broken), str(LOCK)) == 0
    assert capsys.readouterr().err.startswith("NOT AUDITED: no vulnerability service could be reached (pypi, osv)")


def test_a_wheel_that_lacks_something_is_seen(wheel: Path, tmp_path: Path) -> None:
    """Negative control: without its SQL a wheel does not work elsewhere."""
    lacking = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(lacking, "w") as target:
        for name in whole.namelist():
            if not name.endswith(".sql"):
                target.writestr(name, whole.read(name))
    assert missing(lacking) == {name for name in missing(lacking) if name.endswith(".sql")} != set()
