"""``smart-sync init --systemd``: writes the unit and monitoring files of the package next to the configuration."""

import grp
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from smart_sync.errors import ConfigError

#: The places that smart-sync.service lets the daemon write to, and where it takes the configuration and the key from.
UNIT_CONFIG, UNIT_DATABASE = Path("/etc/smart-sync/config.toml"), "/var/lib/smart-sync/view_counter.db"
UNIT_SOCKET, UNIT_KEY = "/run/smart-sync/control.sock", Path("/etc/credstore/smart-sync.google")
#: Where the unit says that Smart Sync is installed.
_PROGRAM = "/opt/smart-sync"
_PLACES = {
    "smart-sync.service": "/etc/systemd/system/smart-sync.service",
    "smart-sync.sysusers": "/etc/sysusers.d/smart-sync.conf",
}
_DROP_IN = "/etc/systemd/system/smart-sync.service.d/shared-database.conf"
#: What is for reading and copying from lies with the configuration.
_BESIDE = UNIT_CONFIG.parent


class Written(NamedTuple):
    """A file and what was done: "written", "unchanged", or "kept" because its content is not ours."""

    path: Path
    outcome: str


def write(database: Path, root: Path = Path("/")) -> list[Written]:
    """Write every file below ``root``, for the database at ``database``; existing files are never overwritten.

    Raises `ConfigError` where one cannot be written.
    """
    return [Written(path, _write_file(path, text)) for path, text in sorted(_files(database, root))]


def hidden_program() -> bool:
    """Whether this installation is in a home directory, which the unit's sandbox hides."""
    return Path(sys.prefix).is_relative_to("/home") or Path(sys.prefix).is_relative_to("/root")


def _write_file(path: Path, text: str) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        same = path.is_file() and path.read_bytes() == text.encode()
        return "unchanged" if same else "kept"
    except OSError as error:
        raise ConfigError((f"{path}: cannot be written: {error.strerror}; run this as root",)) from None
    return "written"


def _files(database: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """The path and content of every file."""
    shared = database.parent != Path(UNIT_DATABASE).parent
    for name, file in _packaged_files():
        if name == "config.toml" or name.endswith("README.md"):  # `init` writes its own; the pages are elsewhere
            continue
        if name == "shared-database.conf":
            if shared:
                yield _below(root, _DROP_IN), _drop_in(file.read_text(encoding="utf-8"), database)
            continue
        text = file.read_text(encoding="utf-8")
        if name.startswith(("smart-sync.", "litestream")):
            text = _with_this_machines_paths(text, database)
        yield _below(root, _PLACES.get(name, str(_BESIDE / name))), text


def _below(root: Path, place: str) -> Path:
    return root / place.lstrip("/")


def _packaged_files() -> Iterator[tuple[str, Traversable]]:
    """The files of systemd/ and the recipes, each with its name in the folder."""
    package = resources.files("smart_sync")
    yield from _within(package / "systemd", PurePosixPath())
    recipes = _within(package / "parsers" / "recipes", PurePosixPath("recipes"))
    yield from ((name, file) for name, file in recipes if name.endswith(".toml"))


def _within(folder: Traversable, name: PurePosixPath) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _within(entry, name / entry.name)
        else:
            yield str(name / entry.name), entry


def _with_this_machines_paths(text: str, database: Path) -> str:
    """``text`` with the paths of this program, its interpreter and the database filled in."""
    folders = [sys.prefix]
    if not Path(sys.base_prefix).is_relative_to("/usr") and sys.base_prefix != sys.prefix:
        folders.append(sys.base_prefix)
    text = text.replace(f"ExecPaths={_PROGRAM} ", f"ExecPaths={' '.join(folders)} ")
    return text.replace(_PROGRAM, sys.prefix).replace(UNIT_DATABASE, str(database))


def _drop_in(text: str, database: Path) -> str:
    """The drop-in file that grants access to the web app's folder, and to its group if it has one."""
    folder = _word(database.parent)
    text = text.replace("/srv/view-counter/view_counter.db", str(database)).replace("/srv/view-counter", folder)
    if database.is_relative_to("/home") or database.is_relative_to("/root"):
        text += f"# Of the homes it sees this folder alone.\nProtectHome=tmpfs\nBindPaths={folder}\n"
    try:
        group = grp.getgrgid(database.parent.stat().st_gid)
    except (OSError, KeyError):
        return text
    return text if group.gr_gid == 0 else text.replace("webapp", group.gr_name)


def _word(path: Path) -> str:
    """A path as a word of a unit file."""
    text = str(path).replace("%", "%%")
    return f'"{text}"' if " " in text else text
