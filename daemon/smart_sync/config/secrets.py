"""The configuration's secrets: where they are kept, and how they are kept out of all output."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, quote_plus

from pydantic import AfterValidator, BaseModel, SecretStr

from smart_sync import logs
from smart_sync.aio import plain_files
from smart_sync.core.redaction import is_plausible_name, is_plausible_path, lookalikes, may_be_secret, names_secret

MAX_BYTES = 65536

#: What is no secret, whatever it looks like: the key or address of a spreadsheet, a query.
_PUBLIC = re.compile(
    r"\s*(?:1[\w-]{43}\s*$|(?:https?://)?docs\.google\.com/spreadsheets/[\w/.-]*(?:[?#][\w=&#-]*)?$|(?:select|with)\s)",
    re.IGNORECASE | re.ASCII,
)

#: The files that secrets were read from.
_files: set[Path] = set()
#: Where relative paths begin, of the configuration that is being read: validators of pydantic get no argument of ours.
_base: ContextVar[Path] = ContextVar("_base", default=Path())


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """Inside, relative ``file:`` paths start from ``folder``."""
    token = _base.set(folder)
    try:
        yield
    finally:
        _base.reset(token)


def readable_by_all(*others: Path) -> list[Path]:
    """The files among the secrets' and ``others`` that every user of the machine can read."""
    return sorted(path for path in {*_files, *others} if _is_open(path))


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:  # not there, or in a folder that keeps us out: others too
        return False


class FileSecret(SecretStr):
    """A secret kept in a file: `follow` reads it again when the file has changed."""

    def __init__(self, value: str, path: Path) -> None:
        super().__init__(value)
        self.path = path
        self._seen = _state(path)

    def follow(self) -> bool:
        """Read the file again if it has changed; return whether the secret is another one.

        Raises ValueError, once, for a file that cannot be read or holds none: the secret stays as it was.
        """
        now = _state(self.path)
        if now == self._seen:
            return False
        self._seen = now
        value = _usable(_text_of(self.path).strip())
        if value == self._secret_value:
            return False
        protect(value)
        self._secret_value = value
        return True


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def files_in(value: object) -> Iterator[FileSecret]:
    """The secrets of ``value``, a section of the configuration, that are kept in files."""
    if isinstance(value, FileSecret):
        yield value
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from files_in(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from files_in(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from files_in(inner)


def _from_environment(name: str) -> SecretStr:
    value = os.environ.get(name)
    if value is None:
        if not is_plausible_name(name):
            raise ValueError("expected env:NAME, the name of a variable; this is none (not shown)")
        raise ValueError(f"the environment has no {name}")
    return SecretStr(value.strip())


def _from_file(path: str) -> SecretStr:
    place = _base.get() / Path(path).expanduser()
    _files.add(place)
    return FileSecret(_text_of(place).strip(), place)


def _text_of(place: Path) -> str:
    try:
        return plain_files.read_file(place, MAX_BYTES)[0].decode()
    except OSError as error:
        shown = place if is_plausible_path(place.name) else "the file (its name is not shown, it may be a secret)"
        raise ValueError(f"{shown} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{place} is not a text file") from None


def _from_credential(name: str) -> SecretStr:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ValueError("systemd gave no credentials ($CREDENTIALS_DIRECTORY); add LoadCredential= to the unit")
    if "/" in name or name in {"", ".", ".."}:
        raise ValueError("expected credential:NAME, the name given to LoadCredential=")
    return _from_file(str(Path(folder).absolute() / name))


_PLACES: Mapping[str, Callable[[str], SecretStr]] = {
    "env": _from_environment,
    "file": _from_file,
    "credential": _from_credential,
}


def _found(value: SecretStr) -> SecretStr:
    secret, _ = _looked_up(value.get_secret_value())
    protect(secret.get_secret_value())
    _usable(secret.get_secret_value())
    return secret


def value_of(text: str) -> str:
    """The value of ``text``: itself, or the secret that it refers to. Raises ValueError; nothing is protected yet."""
    return _usable(_looked_up(text)[0].get_secret_value())


def _looked_up(text: str) -> tuple[SecretStr, bool]:
    """The value of ``text``, and whether it was kept elsewhere."""
    place, colon, name = text.partition(":")
    elsewhere = bool(colon) and place in _PLACES
    return _PLACES[place](name) if elsewhere else SecretStr(text.strip()), elsewhere


def _usable(value: str) -> str:
    if not value:
        raise ValueError("the secret is empty")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("the secret is not one line of plain ASCII, as an HTTP header needs it")
    return value


def protect(value: str) -> None:
    """Keep ``value`` out of all output, also in its form in a URL.

    Of an address the host may be shown.
    """
    rest = value.partition("://")[2].partition("/")[2] if "://" in value else value
    for form in (str, partial(quote, safe=""), quote_plus):
        logs.protect(form(value), pieces=form(rest))


def protect_passing(value: str) -> None:
    """`protect` for a secret from a response that the next response will replace."""
    for form in (str, partial(quote, safe=""), quote_plus):
        logs.protect_passing(form(value))


def is_elsewhere(text: str) -> bool:
    """Whether ``text`` refers to a secret kept elsewhere: ``env:NAME``, ``file:PATH`` or ``credential:NAME``."""
    place, colon, _ = text.strip().partition(":")
    return bool(colon) and place in _PLACES


def _perhaps(value: SecretStr) -> SecretStr:
    secret, elsewhere = _looked_up(value.get_secret_value())
    if elsewhere:
        protect(secret.get_secret_value())
    _usable(secret.get_secret_value())
    return secret


def protect_named(given: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Return ``given``, having protected the values whose names are those of secrets."""
    for name, value in given.items():
        if names_secret(name):
            protect(value.get_secret_value())
    return given


def protect_in(body: Any) -> None:
    """Protect the values in a JSON value whose names are those of secrets; placeholders may be shown."""
    for name, value in body.items() if isinstance(body, Mapping) else enumerate(body) if isinstance(body, list) else ():
        if isinstance(value, str) and isinstance(name, str) and names_secret(name):
            for literal in re.split(r"\{[^{}]*\}", value):
                protect(literal)
        else:
            protect_in(value)


def protect_pasted(*given: object) -> None:
    """Protect everything in the configuration that looks like a secret: it may be in the wrong field.

    The names of files that are there may be shown, and of spreadsheets; so may what a query says.
    """
    for text in texts(given):
        place, colon, name = text.partition(":")
        bare = name if colon and place in _PLACES else text
        if not (_PUBLIC.match(bare) or _leads_somewhere(bare)):
            for run in lookalikes(bare):
                logs.protect(run)


def texts(value: object) -> Iterator[str]:
    """The texts anywhere in ``value``, the keys of its tables included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (*texts(key), *texts(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def _leads_somewhere(text: str) -> bool:
    """Whether ``text`` is a path that exists, or can be created in an existing folder."""
    place = os.path.join(_base.get(), os.path.expanduser(text))  # noqa: PTH111, PTH118  never raise
    folder = os.path.dirname(place) if "/" in text.strip("/") else ""  # noqa: PTH120
    return _is_there(place) or (bool(folder) and _is_there(folder))


def _is_there(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a NUL
        return False


def refuse_secret(text: str) -> str:
    """``text``, which is shown and stored. Raises ValueError if it looks like a secret in the wrong field."""
    if any(lookalikes(text)):
        raise ValueError("looks like a secret (not shown), which does not belong here")
    return text


def check_path(path: Path) -> Path:
    """``path``, which is shown. Raises ValueError if it looks like a secret and does not exist."""
    if may_be_secret(str(path)) and not _leads_somewhere(str(path)):
        raise ValueError("expected a path; this leads nowhere and looks like a secret (not shown)")
    return path


def path_or_secret(text: str) -> Path | SecretStr:
    """``text`` as a path if it is plausible or exists; else it may be the secret itself."""
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1].strip()
    if is_plausible_path(bare) or os.path.isfile(_base.get() / bare):  # noqa: PTH113  never raises
        return Path(bare)
    return SecretStr(text)


#: ``env:NAME``, ``file:PATH`` or ``credential:NAME`` (or the secret itself), looked up when the configuration is
#: loaded; shown by no ``repr`` and written to no log.
Secret = Annotated[SecretStr, AfterValidator(_found)]
#: A value of a table, looked up in the same way, which is a secret only if it was kept elsewhere.
Value = Annotated[SecretStr, AfterValidator(_perhaps)]
#: Such a table (headers, a query): what stands under the name of a secret is one, too; the others may be shown.
Values = Annotated[dict[str, Value], AfterValidator(protect_named)]


def shown(text: str) -> str:
    """``text`` for a message if it is a plausible path; else only that it is none."""
    return text if is_plausible_path(text) else "(not shown, as it is no path)"
