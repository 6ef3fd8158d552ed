"""Workflows, forms, renovate and the release: what is said there, before anything of it runs elsewhere."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import release
from release import CannotBeReleasedError, demand_releasable, entries, released, with_version

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- This.\n\n## [1.0.0] - 2026-01-01\n\n- That.\n"


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that is installed beside this interpreter."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.skip(f"{name} is not installed: make test")
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


def workflows() -> dict[str, Any]:
    """Every workflow by its file's name; the key ``on`` is read as True by YAML."""
    return {path.name: yaml.safe_load(path.read_text()) for path in sorted((GITHUB / "workflows").glob("*.yml"))}


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("github-workflows", ".github/workflows/*.yml"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("renovate", "renovate.json"),
    ],
)
def test_each_file_is_what_its_schema_allows(schema: str, pattern: str) -> None:
    """A misspelt key would be found here and not by the first run elsewhere."""
    files = [str(path) for path in ROOT.glob(pattern)]
    assert files
    judged = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_workflows_can_do_no_more_than_they_need() -> None:
    """zizmor finds nothing: no rights by default, no foreign text in a shell, no credentials left behind."""
    judged = tool("zizmor", "--offline", "--no-progress", "--quiet", str(GITHUB))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_workflows_run_what_there_is() -> None:
    """Every `make` target exists, every called workflow too, and every job ends by itself."""
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text()))
    for name, workflow in workflows().items():
        for job in workflow["jobs"].values():
            if called := job.get("uses"):
                assert (ROOT / called).exists(), name
                continue
            assert job["timeout-minutes"] <= 60
            for step in job["steps"]:
                for made in re.findall(r"\bmake ([a-z ]+)", step.get("run", "")):
                    assert set(made.split()) <= targets, (name, made)


def test_the_interpreters_are_those_of_the_classifiers() -> None:
    """What the package says it runs on is what the tests are run on, and what the image has is one of them."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    versions = {one.rpartition(" :: ")[2] for one in said if re.fullmatch(r"Programming Language :: .* :: 3\.\d+", one)}
    assert versions == set(workflows()["ci.yml"]["jobs"]["tests"]["strategy"]["matrix"]["python"])
    assert re.findall(r"FROM python:(3\.\d+)-", (ROOT / "deploy/Dockerfile").read_text())[0] in versions


def test_publishing_knows_no_password_and_no_place() -> None:
    """Trusted publishing: an identity for one job, behind an environment; the index is the action's own."""
    publish = workflows()["publish.yml"]
    job = publish["jobs"]["publish"]
    assert (job["permissions"], job["environment"], job["needs"]) == ({"id-token": "write"}, "release", "checks")
    (upload,) = [step for step in job["steps"] if step["uses"].startswith("pypa/gh-action-pypi-publish@")]
    assert "with" not in upload
    assert publish[True] == {"push": {"tags": ["v*"]}}


def test_renovate_knows_every_lock() -> None:
    """Each lock file of the repository is one of those that are renewed, together with the others."""
    patterns = json.loads((ROOT / "renovate.json").read_text())["pip-compile"]["managerFilePatterns"]
    locks = [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.lock"), *ROOT.glob("deploy/*.lock"))]
    assert len(locks) == 4
    for lock in locks:
        assert any(re.search(pattern.strip("/"), lock) for pattern in patterns), lock


def test_no_file_names_a_registry_or_a_place_of_a_machine() -> None:
    """Where packages come from is each installer's own setting; paths are of the repository or of the system."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no repository, but what was made of one")
    hosts = [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("deb.debian", "org"), ("ghcr", "io")]
    unwanted = re.compile(
        "|".join([*(re.escape(".".join(host)) for host in hosts), "/" + "work/", "/home/" + "runner"])
    )
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and unwanted.search(path.read_text(encoding="utf-8", errors="replace")):
            found.append(name)
    assert found == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "1.1"}, "three numbers"),
        ({"version": "01.1.0"}, "three numbers"),
        ({"changed": " M README.md"}, "not everything is committed: M README.md"),
        ({"branch": "topic"}, "releases are made of main, and this is topic"),
        ({"version": "1.0.0"}, "there is a v1.0.0 already"),
        ({"version": "0.9.0"}, "v1.0.0 is newer than 0.9.0"),
        ({"changelog": released(CHANGELOG, "1.1.0", "2026-02-01")}, "nothing under Unreleased"),
    ],
)
def test_what_cannot_become_a_release_is_refused(change: dict[str, Any], told: str) -> None:
    """Before anything is written, with the reason; what is in order is not refused."""
    good: dict[str, Any] = {
        "version": "1.1.0", "branch": "main", "changed": "", "tags": ["v1.0.0", "wip"], "changelog": CHANGELOG,
    }  # fmt: skip
    demand_releasable(**good)
    with pytest.raises(CannotBeReleasedError, match=told):
        demand_releasable(**(good | change))


def test_a_release_moves_the_entries_under_its_version() -> None:
    """What was unreleased stands under version and day, an empty heading above it; the version stands in one place."""
    made = released(CHANGELOG, "1.1.0", "2026-02-01")
    assert made.startswith("# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2026-02-01\n\n### Added\n\n- This.\n")
    assert (entries(CHANGELOG), entries(made)) == ("### Added\n\n- This.", "")
    init = (ROOT / release.INIT).read_text()
    assert with_version(init, "9.8.7").count('__version__ = "9.8.7"') == 1
    assert (ROOT / "pyproject.toml").read_text().count("version = ") == 1, "pyproject.toml says where it stands"


def test_a_release_of_a_clone(tmp_path: Path) -> None:
    """Refused on a branch: exit code 2, one line, and nothing has changed."""
    if subprocess.run(["git", "clone", "-q", ROOT, tmp_path / "clone"], capture_output=True, check=False).returncode:
        pytest.skip("this is no repository, but what was made of one")
    clone = tmp_path / "clone"
    subprocess.run(["git", "switch", "-qc", "topic"], cwd=clone, check=True)
    command = [sys.executable, "tests/support/release.py", "1.0.0"]
    ran = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (2, "release: releases are made of main, and this is topic\n")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert status.stdout == ""
