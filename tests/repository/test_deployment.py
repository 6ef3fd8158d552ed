"""What is deployed: pinned packages, and a wheel that works where there is no repository."""

import email
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import audit
import smart_sync

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
IMAGE_LOCK, BUILD_LOCK = ROOT / "deploy/requirements.lock", ROOT / "deploy/build.lock"
IMAGE_EXTRAS = ("sqlite", "postgres", "fastapi", "celery", "notify")
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
    assert problems(IMAGE_LOCK.read_text(), *IMAGE_EXTRAS) == []
    assert set(locked(BUILD_LOCK.read_text())) == {"setuptools"}


def test_tests_run_with_the_packages_of_a_deployment() -> None:
    """A package that is in both lock files has one version."""
    tested = locked(DEV_LOCK.read_text())
    for lock in (LOCK, IMAGE_LOCK, BUILD_LOCK):
        deployed = locked(lock.read_text())
        assert {name: tested.get(name) for name in deployed} == deployed, lock


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


def build(source: Path, kind: str) -> Path:
    """What the build backend makes of a folder: its "sdist" or "wheel"."""
    code = f"import setuptools.build_meta as backend; print(backend.build_{kind}('dist'))"
    built = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return source / "dist" / built.stdout.splitlines()[-1]


def tracked() -> set[str]:
    """Every file of the repository, as a path from its root; what a link leads to is meant by a file of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no repository, but what was made of one")
    names = listed.stdout.rstrip("\0").split("\0")
    return {name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution, built from a copy of the repository."""
    copy = tmp_path_factory.mktemp("source") / "copy"
    for name in tracked() | {"daemon/smart_sync/systemd"}:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name, follow_symlinks=False)
    target = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(copy, "sdist")) as archive:
        archive.extractall(target, filter="data")
    (unpacked,) = target.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """The wheel, built from the source distribution."""
    return build(source, "wheel")


def test_the_source_distribution_is_the_repository(source: Path) -> None:
    """Every file that is tracked is in it, tests, deployment and workflows too; and nothing else but metadata."""
    packed = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert tracked() - packed == set()
    carried = {f"daemon/smart_sync/{name}" for name in tracked() if name.startswith("systemd/")}
    metadata = re.compile(r"PKG-INFO|setup\.cfg|daemon/smart_sync_daemon\.egg-info/.*|dist/.*|build/.*")
    assert {name for name in packed - tracked() - carried if not metadata.fullmatch(name)} == set()


def test_a_source_distribution_that_lacks_something_is_seen(source: Path, tmp_path: Path) -> None:
    """Negative control: without its line in MANIFEST.in a folder is not packed."""
    lacking = tmp_path / "lacking"
    shutil.copytree(source, lacking, ignore=shutil.ignore_patterns("*.egg-info", "dist", "build"))
    manifest = lacking / "MANIFEST.in"
    manifest.write_text(manifest.read_text().replace("graft deploy\n", "prune deploy\n"))
    with tarfile.open(build(lacking, "sdist")) as archive:
        assert not [name for name in archive.getnames() if "/deploy/" in name]


def test_the_wheel_carries_what_an_installation_needs(wheel: Path) -> None:
    """Unit, user, Litestream, monitoring and recipes are in it as they are in the repository: `init` writes them."""
    with zipfile.ZipFile(wheel) as archive:
        for path in (ROOT / "systemd").rglob("*"):
            if path.is_file():
                packed = archive.read(f"smart_sync/systemd/{path.relative_to(ROOT / 'systemd')}")
                assert packed == path.read_bytes()
        assert sum(name.startswith("smart_sync/parsers/recipes/") for name in archive.namelist()) > 5
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        told = email.message_from_bytes(archive.read(metadata))
    assert told["Version"] == smart_sync.__version__
    minor = f"Programming Language :: Python :: {sys.version_info.major}.{sys.version_info.minor}"
    assert minor in (told.get_all("Classifier") or []), "only interpreters that were tried, and this one is"


def test_the_addresses_are_of_one_variable(source: Path, tmp_path: Path) -> None:
    """[tool.smart-sync] repository gives the package all its addresses; empty, it names none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = project["tool"]["smart-sync"]["repository"]
    assert addresses(source) == ({} if not declared else addresses(source))
    filled = tmp_path / "filled"
    shutil.copytree(source, filled, ignore=shutil.ignore_patterns("*.egg-info", "dist", "build", "PKG-INFO"))
    text = (filled / "pyproject.toml").read_text()
    (filled / "pyproject.toml").write_text(
        re.sub(r'(?m)^repository = ".*"', 'repository = "https://x.example/o/r/"', text)
    )
    told = addresses(build_metadata(filled))
    assert told == {
        "Homepage": "https://x.example/o/r",
        "Source": "https://x.example/o/r",
        "Changelog": "https://x.example/o/r/blob/main/CHANGELOG.md",
        "Issues": "https://x.example/o/r/issues",
    }


def build_metadata(source: Path) -> Path:
    """The folder with the PKG-INFO of a source tree."""
    (source / "meta").mkdir()
    code = "import setuptools.build_meta as backend; print(backend.prepare_metadata_for_build_wheel('meta'))"
    built = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return source / "meta" / built.stdout.splitlines()[-1]


def addresses(folder: Path) -> dict[str, str]:
    """The project's addresses in the metadata of a folder."""
    (metadata,) = [folder / name for name in ("PKG-INFO", "METADATA") if (folder / name).exists()]
    told = email.message_from_bytes(metadata.read_bytes())
    return dict(one.split(", ", 1) for one in told.get_all("Project-URL") or [])


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    """Whatever lies in the package (SQL, samples, templates) is in the wheel, and nothing else is."""
    assert missing(wheel) == set()


def missing(wheel: Path) -> set[str]:
    """What lies in the package or in the wheel alone."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("smart_sync/")}
    lying = {
        str(path.relative_to(PACKAGE.parent))
        for folder in (PACKAGE, PACKAGE / "systemd")  # a link, which is not followed
        for path in folder.rglob("*")
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
