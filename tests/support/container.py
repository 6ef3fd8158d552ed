"""deploy/Dockerfile without a container runtime: its steps and its start, run under bubblewrap.  Needs root.

``python tests/support/container.py FOLDER`` runs every step of the build in a copy of the file system of Debian in
FOLDER (made by debootstrap, with python3 and python3-venv), then `healthcheck` and `check` in what came of it.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
PATIENCE = 60.0


class Step(NamedTuple):
    """An instruction of a Dockerfile, and the rest of its line."""

    name: str
    text: str


@dataclass
class Stage:
    """What a FROM begins: its steps, and what they say about the start."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        pairs = [pair for step in self.steps if step.name == "ENV" for pair in shlex.split(step.text)]
        return dict(pair.split("=", 1) for pair in pairs)

    def said(self, name: str) -> str:
        """What the last instruction of a name says."""
        return next(step.text for step in reversed(self.steps) if step.name == name)

    def command(self, name: str) -> list[str]:
        """The words of ENTRYPOINT, CMD or HEALTHCHECK, which are written as JSON."""
        words: list[str] = json.loads(self.said(name).removeprefix(self.said(name).partition("[")[0]))
        return words


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile."""
    found: list[Stage] = []
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            found.append(Stage(base, stage))
        else:
            found[-1].steps.append(Step(name, rest.strip()))
    return found


def why_not() -> str:
    """Why no container can be imitated here; empty if one can."""
    if os.geteuid() != 0:
        return "running as another user in namespaces needs root"
    if not (shutil.which("bwrap") and shutil.which("setpriv") and shutil.which("nsenter")):
        return "bubblewrap is not installed: make packages, as root"
    tried = subprocess.run(["bwrap", "--unshare-pid", "--ro-bind", "/", "/", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else f"namespaces are refused: {tried.stderr.decode().strip()}"


#: The interpreter and packages of this test run in the image's place for them, for a user who may not see ours.
_LAUNCHER = """#!/bin/sh
export LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/source:/opt/packages
exec /opt/python/bin/python3 -m smart_sync "$@"
"""


class Container:
    """The image's start as its runtime would make it: PID 1, another user, nothing writable but the volume and /tmp.

    ``with Container(…) as container`` starts it; the end of the block kills what is left of it.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], dockerfile: str | None = None) -> None:
        self.image = stages(DOCKERFILE.read_text() if dockerfile is None else dockerfile)[-1]
        self.volume = folder / "volume"
        self.log = folder / "container.log"
        self._folder = folder
        self._environment = {**self.image.environment, **environment}
        user, _, group = self.image.said("USER").partition(":")
        self.user, self.group = int(user), int(group)

    def __enter__(self) -> "Container":
        if not self.volume.exists():  # as a runtime fills a new volume from the image
            self.volume.mkdir()
            os.chown(self.volume, self.user, self.group)
            self.volume.chmod(0o2770)
        program = self._folder / "bin/smart-sync"
        program.parent.mkdir(exist_ok=True)
        program.write_text(_LAUNCHER)
        program.chmod(0o755)
        info, told = os.pipe()
        command = ["bwrap", "--info-fd", str(told), *self._file_system(), *self._as_the_user()]
        command += [*self.image.command("ENTRYPOINT"), *self.image.command("CMD")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, pass_fds=[told])
        os.close(told)
        with os.fdopen(info) as text:
            self.pid: int = json.load(text)["child-pid"]
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def _file_system(self) -> Iterator[str]:
        """Everything read-only, but for the volume and /tmp."""
        yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1", "--die-with-parent")
        yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--clearenv")
        yield from ("--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp")
        for folder in ("usr", "bin", "lib", "lib64", "etc"):
            yield from ("--ro-bind-try", f"/{folder}", f"/{folder}")
        for folder in ("/opt", "/opt/smart-sync"):
            yield from ("--perms", "0755", "--dir", folder)
        yield from ("--ro-bind", sys.base_prefix, "/opt/python")
        yield from ("--ro-bind", sysconfig.get_path("purelib"), "/opt/packages")
        yield from ("--ro-bind", str(ROOT / "daemon"), "/opt/source")
        yield from ("--ro-bind", str(self._folder / "bin"), "/opt/smart-sync/bin")
        yield from ("--ro-bind", str(ROOT / "deploy/entrypoint.sh"), "/entrypoint.sh")
        yield from ("--bind", str(self.volume), self.image.said("VOLUME"), "--remount-ro", "/")
        for name, value in self._environment.items():
            yield from ("--setenv", name, value)
        yield "--"

    def _as_the_user(self, *groups: int) -> list[str]:
        others = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.group}", *others, "--no-new-privs", "--",
                "env", f"--chdir={self.image.said('WORKDIR')}"]  # fmt: skip

    def execute(self, *command: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as `docker exec` does: same user and environment, beside PID 1."""
        return subprocess.run(
            ["nsenter", "-t", str(self.pid), "-m", "-p", "-i", "-u",
             *self._as_the_user(), *command],
            env=self._environment, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def healthy(self) -> int:
        """The exit code of the image's HEALTHCHECK."""
        return self.execute(*self.image.command("HEALTHCHECK")).returncode

    def wait_until_healthy(self) -> None:
        """Wait until HEALTHCHECK succeeds."""
        ends = time.monotonic() + PATIENCE
        while self.healthy() != 0:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends, self.log.read_text()

    def stop(self, patience: float = 10.0) -> int | None:
        """SIGTERM to PID 1, as `docker stop`; its exit code, or None if it is still there after ``patience`` s."""
        os.kill(self.pid, signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None


def build(debian: Path, folder: Path) -> Path:
    """Run every step of the Dockerfile over copies of ``debian``; returns the root of what it made."""
    roots: dict[str, Path] = {}
    root = debian
    for number, stage in enumerate(stages(DOCKERFILE.read_text())):
        root = roots[stage.name or str(number)] = folder / (stage.name or "image")
        subprocess.run(["cp", "-a", "--reflink=auto", str(debian), str(root)], check=True)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        for step in stage.steps:
            sys.stdout.write(f"{step.name} {step.text[:100]}\n")
            sys.stdout.flush()
            if step.name == "RUN":
                _run_in(root, ["sh", "-c", step.text], stage.environment, writable=True).check_returncode()
            elif step.name == "COPY":
                _copy(step.text, root, roots)
    return root


def _copy(text: str, root: Path, roots: Mapping[str, Path]) -> None:
    words = shlex.split(text)
    options = dict(word.lstrip("-").split("=") for word in words if word.startswith("--"))
    *sources, target = [word for word in words if not word.startswith("--")]
    place = root / target.lstrip("/")
    context = roots[options["from"]] if "from" in options else ROOT
    for source in sources:
        path = context / source.lstrip("/")
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(path, place, symlinks=True, ignore=ignored if context == ROOT else None)
        else:
            into = place / path.name if target.endswith("/") else place
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, into)
            into.chmod(int(options.get("chmod", "0644"), 8))


def _run_in(
    root: Path, command: Sequence[str], environment: Mapping[str, str], *, writable: bool, user: str = "0:0"
) -> subprocess.CompletedProcess[bytes]:
    uid, _, gid = user.partition(":")
    bound = ["--bind" if writable else "--ro-bind", str(root), "/"]
    # The package index is reached as from outside.
    bound += [
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        "--ro-bind",
        "/etc/resolv.conf",
        "/etc/resolv.conf",
    ]
    bound += [word for name in _INDEX if Path(name).exists() for word in ("--ro-bind", name, name)] if writable else []
    named = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **_index(), **environment}
    return subprocess.run(
        ["bwrap", "--unshare-pid", "--as-pid-1", *bound, "--", "setpriv", f"--reuid={uid}", f"--regid={gid}",
         "--clear-groups", "--", *command],
        env=named, check=False,
    )  # fmt: skip


_INDEX = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs")


def _index() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in ("PIP_CERT", "SSL_CERT_FILE") or name.endswith("_proxy")
    }


if __name__ == "__main__":
    work = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(sys.argv[1]).with_suffix(".work")
    work.mkdir()
    image = stages(DOCKERFILE.read_text())[-1]
    made = build(Path(sys.argv[1]), work)
    for words in (["smart-sync", "--version"], image.command("HEALTHCHECK"), ["smart-sync", "config", "show"]):
        told = image.environment | {"SMART_SYNC_SHEETS__SPREADSHEET": "x"}
        ran = _run_in(made, [*image.command("ENTRYPOINT"), *words], told, writable=False, user=image.said("USER"))
        sys.stdout.write(f"{shlex.join(words)} → {ran.returncode}\n")
