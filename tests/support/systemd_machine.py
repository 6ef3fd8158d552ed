"""A throw-away machine: a real systemd as PID 1 of new namespaces, over a copy-on-write view of this file system.

Nothing outside is changed, except for a cgroup that exists while it runs.  Needs root and the right to mount.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
PATIENCE = 90.0

#: Run inside the namespaces, with the folder as its argument.
_BOOT = """
set -e
mount --make-rprivate /
ip link set lo up
cd "$1"
mount -t tmpfs tmpfs layer && mkdir layer/up layer/work
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layer/up,workdir=$1/layer/work" root
mkdir -p root/opt/python root/opt/packages root/opt/source root/out root/old
mount --bind "$PYTHON_HOME" root/opt/python
mount --bind "$PACKAGES" root/opt/packages
mount --bind "$SOURCE" root/opt/source
mount --bind out root/out
cp -a files/. root/
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
pivot_root . old
umount -l /old
# As on a real machine; credentials reach a service only through shared mounts.
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd \
    --system --unit=machine.target --log-target=null --show-status=no
"""

_UNITS = {
    "machine.target": "[Unit]\nWants=systemd-journald.service systemd-journald.socket script.service\n",
    "script.service": (
        "[Unit]\nAfter=systemd-journald.service\n[Service]\nType=oneshot\nExecStart=/bin/bash /script.sh\n"
        "StandardOutput=file:/out/output\nStandardError=inherit\nExecStopPost=/bin/systemctl exit --force 0\n"
    ),
}

#: The interpreter of this test run, at a place that an unprivileged user can read.
LAUNCHER = """#!/bin/sh
export LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/source/daemon:/opt/source/tests/support:/opt/packages
exec /opt/python/bin/python3 -B "$@"
"""


def why_not() -> str:
    """Why a machine cannot be booted here; empty if it can."""
    if os.geteuid() != 0:
        return "booting systemd in namespaces needs root"
    if not (SYSTEMD.exists() and shutil.which("unshare") and shutil.which("ip") and _cgroups() is not None):
        return "there is no systemd, unshare, ip or cgroup2 here"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--cgroup", "--fork", "mount", "--make-rprivate", "/"],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return "" if tried.returncode == 0 else f"namespaces are refused: {tried.stderr.decode().strip()}"


def boot(folder: Path, script: str, files: Mapping[str, str]) -> str:
    """Boot with ``files`` (path → content) in place, run ``script`` there to its end; returns what it printed."""
    for name in ("layer", "root", "out"):
        (folder / name).mkdir()
    units = {f"etc/systemd/system/{name}": text for name, text in _UNITS.items()}
    for name, text in {**units, **files, "script.sh": script, "opt/smart-sync/bin/python": LAUNCHER}.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if "/bin/" in name else 0o644)
    _run(folder)
    return (folder / "out" / "output").read_text()


def _run(folder: Path) -> None:
    cgroup = _cgroups()
    assert cgroup is not None
    cgroup /= f"smart-sync-test-{os.getpid()}"
    cgroup.mkdir()
    namespaces = ["--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup"]
    unshare = ["unshare", "--fork", "--kill-child", *namespaces, "/bin/bash", "-c", _BOOT]
    try:
        subprocess.run(
            ["/bin/sh", "-c", f'echo $$ > {cgroup}/cgroup.procs; exec "$@"', "sh", *unshare, "boot", str(folder)],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHON_HOME": sys.base_prefix,
                "PACKAGES": sysconfig.get_path("purelib"),
                "SOURCE": str(ROOT),
            },
            timeout=PATIENCE,
            check=False,
        )
    finally:
        # Gone with PID 1, if it did not end by itself.
        for child, _, _ in os.walk(cgroup, topdown=False):
            Path(child).rmdir()


def _cgroups() -> Path | None:
    for path in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if (path / "cgroup.controllers").exists():
            return path
    return None
