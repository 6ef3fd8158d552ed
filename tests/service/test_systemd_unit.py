"""The unit file as `systemd-analyze` and the configuration that is shipped next to it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from smart_sync import config

SHIPPED = Path(__file__).parents[2] / "systemd"

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture(params=["alone", "with the drop-in"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file system with the unit installed as the README says."""
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(SHIPPED / "smart-sync.service", units)
    if request.param != "alone":
        (units / "smart-sync.service.d").mkdir()
        shutil.copy(SHIPPED / "shared-database.conf", units / "smart-sync.service.d")
    for program in ("opt/smart-sync/bin/smart-sync", "bin/kill"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).touch(mode=0o755)
    shutil.copytree("/lib/systemd/system", tmp_path / "lib/systemd/system", symlinks=True)
    return tmp_path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_verify(root: Path) -> None:
    """systemd understands every line of the unit and has nothing to say about it."""
    verified = analyze("verify", "--man=no", f"--root={root}", "smart-sync.service")
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_verify_control(root: Path) -> None:
    """A misspelt directive would not pass unnoticed."""
    unit = root / "etc/systemd/system/smart-sync.service"
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))
    assert "ProtectHomes" in analyze("verify", "--man=no", f"--root={root}", "smart-sync.service").stderr


def test_exposure(root: Path) -> None:
    """What systemd counts as exposure is at most 1.3 of 10, with the drop-in too."""
    judged = analyze("security", "--offline=yes", "--threshold=13", f"--root={root}", "smart-sync.service")
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_exposure_control(root: Path) -> None:
    """A unit without its filter of system calls would be over the limit."""
    unit = root / "etc/systemd/system/smart-sync.service"
    unit.write_text("\n".join(line for line in unit.read_text().split("\n") if "SystemCallFilter" not in line))
    judged = analyze("security", "--offline=yes", "--threshold=13", f"--root={root}", "smart-sync.service")
    assert judged.returncode != 0


def test_configuration() -> None:
    """The configuration that is shipped for systemd is valid and stays inside what the unit lets the daemon write."""
    settings = config.load(SHIPPED / "config.toml")
    assert settings.database.path.parent == Path("/var/lib/smart-sync")
    assert settings.control.socket.parent == Path("/run/smart-sync")
