"""The unit under a real systemd: booted in namespaces, with a fake Google and a web app of another user next to it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import systemd_machine
from systemd_machine import ROOT

DROP_IN = (ROOT / "systemd" / "shared-database.conf").read_text()
UNIT = (ROOT / "systemd" / "smart-sync.service").read_text()

#: Google, as another process of the machine; it also writes the key and the configuration that lead to it.
GOOGLE = """
import os, signal, socket
from pathlib import Path
from fake_google import FakeGoogle
with FakeGoogle() as google:
    rows = [["Link", "Followers"], ["https://www.tiktok.com/@a", 7]]
    google.add("k" * 44, {"Spring": rows})
    google.credentials(Path("/etc/credstore/smart-sync.google")).chmod(0o600)
    config = Path("/opt/source/systemd/config.toml").read_text()
    config = config.replace("/var/lib/smart-sync/", "/srv/view-counter/")
    config = config.replace("the key, URL or title of your spreadsheet", "k" * 44)
    config = config.replace("[sheets]", '[sync]\\ncreate_missing = "projects"\\n[sheets]\\napi_url = "%s"' % google.url)
    Path("/etc/smart-sync/config.toml").write_text(config)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.connect(os.environ["NOTIFY_SOCKET"])
        ready.send(b"READY=1")
    signal.pause()
"""

#: What somebody who has taken over the daemon would try; prints how each attempt ended.
INTRUDER = """
import contextlib, ctypes, json, mmap, os, shutil, socket, subprocess
from pathlib import Path
libc = ctypes.CDLL(None, use_errno=True)
def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def setuid_file():
    path = Path("/var/lib/smart-sync/shell")
    path.touch()
    path.chmod(0o4755)
def run_what_was_written():
    for folder in ("/srv/view-counter", "/var/lib/smart-sync", "/run/smart-sync", "/tmp", "/var/tmp"):
        path = Path(folder, "program")
        shutil.copy("/bin/true", path)
        path.chmod(0o755)
        with contextlib.suppress(PermissionError):
            subprocess.run([path], check=True)
            return
    raise PermissionError("nowhere")
tries = {
    "write to its configuration": lambda: Path("/etc/smart-sync/x").write_text(""),
    "write to a folder that is open to all": lambda: Path("/srv/open/x").write_text(""),
    "write to its own program": lambda: Path("/opt/smart-sync/bin/x").write_text(""),
    "see the files that others have in /var/tmp": lambda: Path("/var/tmp/planted").read_text(),
    "read the key at its source": lambda: Path("/etc/credstore/smart-sync.google").read_text(),
    "see homes": lambda: Path("/home/somebody/published").read_text(),
    "see other processes": lambda: Path("/proc/1/status").read_text(),
    "see kernel settings": lambda: Path("/proc/sys/kernel/hostname").read_text(),
    "open a device": lambda: os.open("/dev/kmsg", os.O_RDONLY),
    "make a setuid file": setuid_file,
    "run what it has written": run_what_was_written,
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "have memory to write and execute": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC),
    "trace a process": lambda: call(libc.ptrace, 0, 0, 0, 0),
    "mount": lambda: call(libc.mount, b"x", b"/mnt", b"tmpfs", 0, 0),
    "lock memory": lambda: call(libc.mlockall, 1),
    "change its priority": lambda: os.nice(1),
    "open a Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "open an IP socket": lambda: socket.socket(socket.AF_INET).close(),
    "read its credential": lambda: Path(os.environ["CREDENTIALS_DIRECTORY"], "google").read_text(),
    "write to the database's folder": lambda: Path("/srv/view-counter/x").write_text(""),
    "write to its state": lambda: Path("/var/lib/smart-sync/x").write_text(""),
    # The last one: a process that succeeds has lost the rights of the old namespace.
    "make a namespace": lambda: call(libc.unshare, 0x10000000),
}
for name, attempt in tries.items():
    try:
        attempt()
    except OSError as error:
        print("refused", name, flush=True)
    else:
        print("allowed", name, flush=True)
"""
ALLOWED = {
    "open a Unix socket",
    "open an IP socket",
    "read its credential",
    "write to the database's folder",
    "write to its state",
}

SCRIPT = """
section() { echo "=== $*"; }
property() { systemctl show smart-sync -P "$1"; }
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
sync_as() { as "$1" /opt/smart-sync/bin/smart-sync sync --json 2>&1; echo "exit $?"; }
wait_until() { for _ in $(seq 150); do "$@" && return; sleep 0.1; done; echo "never: $*"; }
is() { [ "$(property "$1")" = "$2" ]; }
logged() { journalctl -u smart-sync -o cat | grep -q "$1"; }
systemd-sysusers
useradd --system --user-group webapp; useradd --system --user-group stranger
install -d -o webapp -g webapp -m 2770 /srv/view-counter
install -d -m 700 /etc/credstore
install -d -m 777 /srv/open /home/somebody; touch /var/tmp/planted /home/somebody/published
as webapp /opt/smart-sync/bin/python -c '
import sqlite3
sqlite3.connect("/srv/view-counter/view_counter.db").execute("PRAGMA journal_mode = WAL")'
chmod 660 /srv/view-counter/view_counter.db
systemctl start google || { journalctl -u google -o cat; exit 1; }

section start
systemctl start smart-sync; echo "exit $?"
wait_until logged sync.finished
journalctl -u smart-sync -o cat | grep -E 'project.(failed|degraded)'
property ActiveState; property User; property StatusText
section web app
sync_as webapp
as webapp /opt/smart-sync/bin/python -c '
import sqlite3
with sqlite3.connect("/srv/view-counter/view_counter.db", timeout=10) as database:
    print(database.execute("UPDATE projects SET geo = 1").rowcount, "written")'
section stranger
sync_as stranger
section bad reload
before=$(property MainPID)
cp /etc/smart-sync/config.toml /good.toml; echo "nonsense = 1" >> /etc/smart-sync/config.toml
systemctl reload smart-sync
wait_until logged config.rejected
property ActiveState; [ "$before" = "$(property MainPID)" ] && echo same
cp /good.toml /etc/smart-sync/config.toml
section good reload
systemctl reload smart-sync; echo "exit $?"
wait_until logged config.reloaded
wait_until is ActiveState active
property ActiveState; [ "$before" = "$(property MainPID)" ] && echo same
section hang
kill -USR2 "$before"
wait_until is NRestarts 1
wait_until is ActiveState active
property ActiveState; [ "$before" = "$(property MainPID)" ] || echo other
journalctl -u smart-sync -o cat | grep "in hang"
section stop
systemctl stop smart-sync; echo "exit $?"; property ActiveState; property Result
section journal
journalctl -u smart-sync -o json
section mistake
echo "nonsense = 1" > /etc/smart-sync/config.toml
systemctl start smart-sync 2>/dev/null; echo "exit $?"
property ActiveState; property ExecMainStatus; property NRestarts
section intruder
cat > /etc/systemd/system/smart-sync.service.d/intruder.conf <<END
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/opt/smart-sync/bin/python /intruder.py
StandardOutput=truncate:/out/intruder
END
systemctl daemon-reload; systemctl start smart-sync; cat /out/intruder
section control
CREDENTIALS_DIRECTORY=/etc/credstore; ln -s smart-sync.google /etc/credstore/google; export CREDENTIALS_DIRECTORY
/opt/smart-sync/bin/python /intruder.py
"""

#: A way to make the event loop hang from outside.
HANG = """
import signal, time
def hang(*_): time.sleep(1000)
signal.signal(signal.SIGUSR2, hang)
"""

FILES = {
    "etc/systemd/system/smart-sync.service": UNIT,
    "etc/systemd/system/smart-sync.service.d/shared-database.conf": DROP_IN,
    # The real watchdog, impatient.
    "etc/systemd/system/smart-sync.service.d/quick.conf": "[Service]\nWatchdogSec=6s\nRestartSec=100ms\n",
    "etc/systemd/system/google.service": (
        "[Service]\nType=notify\nExecStart=/opt/smart-sync/bin/python /google_server.py\nNotifyAccess=all\n"
    ),
    # The interpreter of this test run is not where a deployment has it.
    "etc/systemd/system/smart-sync.service.d/python.conf": (
        "[Service]\nExecPaths=/opt/python /opt/packages /opt/source\n"
    ),
    "etc/sysusers.d/smart-sync.conf": (ROOT / "systemd" / "smart-sync.sysusers").read_text(),
    "etc/smart-sync/README": "",
    "google_server.py": GOOGLE,
    "intruder.py": INTRUDER,
    "opt/smart-sync/bin/smart-sync": f"""#!/bin/sh
exec /opt/smart-sync/bin/python -c '{HANG}
from smart_sync.cli.main import main
main()' "$@"
""",
}


@pytest.fixture(scope="module")
def machine(disk_folder: Path) -> Mapping[str, str]:
    """What each section of the script printed."""
    if reason := systemd_machine.why_not():
        pytest.skip(reason)
    printed = systemd_machine.boot(disk_folder, SCRIPT, FILES)
    parts = re.split(r"^=== (.*)\n", printed, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def tried(printed: str) -> dict[str, set[str]]:
    """Ending → the attempts that ended so."""
    lines = [line.split(" ", 1) for line in printed.splitlines()]
    return {ending: {name for how, name in lines if how == ending} for ending in ("allowed", "refused")}


def test_serves(machine: Mapping[str, str]) -> None:
    """Inside the sandbox the daemon starts, signs in to Google with the credential and writes the database."""
    *begun, status = machine["start"].splitlines()
    assert begun == ["exit 0", "active", "smart-sync"]
    assert status.endswith("1 project, 0 failed, 0 degraded")


def test_shared_database(machine: Mapping[str, str]) -> None:
    """With the drop-in, the web app's user asks for a pass and writes to the database that the daemon has open."""
    assert machine["web app"].splitlines()[-2:] == ["exit 0", "1 written"]


def test_strangers_stay_out(machine: Mapping[str, str]) -> None:
    """A user who is not in the group cannot reach the socket."""
    assert "permission denied" in machine["stranger"]


def test_bad_reload(machine: Mapping[str, str]) -> None:
    """`systemctl reload` with a bad file leaves the same process running."""
    assert machine["bad reload"].split() == ["active", "same"]


def test_good_reload(machine: Mapping[str, str]) -> None:
    """`systemctl reload` with a good file succeeds, in the same process."""
    assert machine["good reload"].splitlines() == ["exit 0", "active", "same"]


def test_watchdog(machine: Mapping[str, str]) -> None:
    """A hung event loop is killed and started again, and the journal says where it hung."""
    assert machine["hang"].splitlines() == ["active", "other", '  File "<string>", line 3 in hang']


def test_stop(machine: Mapping[str, str]) -> None:
    """`systemctl stop` is a success, not a failure that would be restarted."""
    assert machine["stop"].splitlines() == ["exit 0", "inactive", "success"]


def test_mistake_is_not_repeated(machine: Mapping[str, str]) -> None:
    """A mistake in the configuration fails the unit at once, with exit code 2 and no restart."""
    assert machine["mistake"].splitlines() == ["exit 1", "failed", "2", "0"]


def test_journal(machine: Mapping[str, str]) -> None:
    """In the journal each event is one record of smart-sync's, with its own priority and without the prefix."""
    records = [json.loads(line) for line in machine["journal"].splitlines()]
    events = [(record, json.loads(record["MESSAGE"])) for record in records if record["MESSAGE"].startswith("{")]
    priorities = {event["level"]: record["PRIORITY"] for record, event in events}
    assert priorities.items() <= {"INFO": "6", "WARNING": "4", "ERROR": "3"}.items()
    assert priorities.keys() >= {"INFO", "ERROR"}
    assert {record["SYSLOG_IDENTIFIER"] for record, _ in events} == {"smart-sync"}


def test_intruder(machine: Mapping[str, str]) -> None:
    """An attacker in the daemon's process can do what the daemon does, and nothing else of what is tried."""
    assert tried(machine["intruder"])["allowed"] == ALLOWED


def test_intruder_control(machine: Mapping[str, str]) -> None:
    """The same attempts all succeed outside the sandbox: it is the unit that refuses them."""
    assert tried(machine["control"])["refused"] == set()
