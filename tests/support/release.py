"""`make release VERSION=1.2.3`: everything of a release that is done here; what is published, the tag's workflow does.

``python tests/support/release.py VERSION`` refuses what cannot become a release, gives the changelog's entries their
version and day, commits, builds the packages, checks them, and makes the tag last: it stands for what has been built.
"""

import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
INIT, CHANGELOG = Path("daemon/smart_sync/__init__.py"), Path("CHANGELOG.md")
_UNRELEASED = "## [Unreleased]\n"


class CannotBeReleasedError(Exception):
    """What is wrong, in a line."""


def demand_releasable(version: str, branch: str, changed: str, tags: list[str], changelog: str) -> None:
    """Raise `CannotBeReleasedError` for what must not become ``version``; ``changed``: what is not committed."""
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        raise CannotBeReleasedError(f"VERSION={version}: give three numbers, such as 1.2.0")
    if changed:
        raise CannotBeReleasedError(f"not everything is committed: {changed.splitlines()[0].strip()} …")
    if branch != "main":
        raise CannotBeReleasedError(f"releases are made of main, and this is {branch or 'no branch'}")
    if f"v{version}" in tags:
        raise CannotBeReleasedError(f"there is a v{version} already; a release is never made anew")
    newest = max((_numbers(tag) for tag in tags if re.fullmatch(r"v\d+\.\d+\.\d+", tag)), default=(0, 0, 0))
    if _numbers(version) < newest:
        raise CannotBeReleasedError(f"v{'.'.join(map(str, newest))} is newer than {version}")
    if not entries(changelog):
        raise CannotBeReleasedError("CHANGELOG.md has nothing under Unreleased: what changes for whom?")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.removeprefix("v").split("."))


def entries(changelog: str) -> str:
    """What stands under Unreleased."""
    after = changelog.partition(_UNRELEASED)[2]
    return re.split(r"(?m)^## \[", after)[0].strip()


def released(changelog: str, version: str, day: str) -> str:
    """The changelog with what was unreleased as the entries of ``version``."""
    return changelog.replace(_UNRELEASED, f"{_UNRELEASED}\n## [{version}] - {day}\n", 1)


def with_version(init: str, version: str) -> str:
    """The package's ``__init__`` with its version, which stands there alone."""
    return re.sub(r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"', init)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def main(version: str, day: str) -> int:
    """Make the release ``version``, of the ``day``; the exit code."""
    changelog = (ROOT / CHANGELOG).read_text(encoding="utf-8")
    changed, branch = _git("status", "--porcelain"), _git("branch", "--show-current")
    try:
        demand_releasable(version, branch, changed, _git("tag", "--list").split(), changelog)
    except CannotBeReleasedError as error:
        sys.stderr.write(f"release: {error}\n")
        return 2
    if not tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["smart-sync"]["repository"]:
        sys.stderr.write("release: the packages name no address: fill [tool.smart-sync] repository in pyproject.toml\n")
    before = _git("rev-parse", "HEAD")
    (ROOT / CHANGELOG).write_text(released(changelog, version, day), encoding="utf-8")
    init = (ROOT / INIT).read_text(encoding="utf-8")
    (ROOT / INIT).write_text(with_version(init, version), encoding="utf-8")
    _git("commit", "--quiet", "--all", "--message", f"Release {version} (packaging)")
    built = subprocess.run(["make", "build"], cwd=ROOT, check=False)
    if built.returncode:
        _git("reset", "--quiet", "--hard", before)
        sys.stderr.write("release: the packages could not be built; nothing is committed\n")
        return 1
    _git(
        "tag",
        "--annotate",
        "--cleanup=verbatim",
        f"v{version}",
        "--message",
        f"Smart Sync {version}\n\n{entries(changelog)}",
    )
    made = ", ".join(sorted(path.name for path in (ROOT / "dist").iterdir()))
    sys.stdout.write(f"release: v{version} is tagged; {made}\nnext: git push --follow-tags\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], f"{datetime.now(UTC):%Y-%m-%d}"))
