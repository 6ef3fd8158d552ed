"""Secrets of the configuration: where they are kept, and that they stay there."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, quote_plus

from pydantic import AfterValidator, SecretStr

from smart_sync import logs, plain_files

MAX_BYTES = 65536

#: The files that secrets were read from.
_files: set[Path] = set()
_base: ContextVar[Path] = ContextVar("_base", default=Path())


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """Inside, ``file:`` paths that are relative are meant from ``folder``."""
    token = _base.set(folder)
    try:
        yield
    finally:
        _base.reset(token)


def readable_by_all(*others: Path) -> list[Path]:
    """The files of secrets, and of ``others``, that everybody on the machine may read."""
    return sorted(path for path in {*_files, *others} if _is_open(path))


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:  # not there, or in a folder that keeps us out: others too
        return False


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ValueError(f"the environment has no {name}")
    return value


def _from_file(path: str) -> str:
    place = _base.get() / Path(path).expanduser()
    _files.add(place)
    try:
        return plain_files.read_file(place, MAX_BYTES)[0].decode()
    except OSError as error:
        raise ValueError(f"{place} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{place} is not a text file") from None


def _from_credential(name: str) -> str:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ValueError("systemd gave no credentials ($CREDENTIALS_DIRECTORY); add LoadCredential= to the unit")
    if "/" in name or name in {"", ".", ".."}:
        raise ValueError("expected credential:NAME, the name given to LoadCredential=")
    return _from_file(str(Path(folder).absolute() / name))


_PLACES: Mapping[str, Callable[[str], str]] = {
    "env": _from_environment,
    "file": _from_file,
    "credential": _from_credential,
}


def _found(given: SecretStr) -> SecretStr:
    text = given.get_secret_value()
    place, colon, name = text.partition(":")
    value = (_PLACES[place](name) if colon and place in _PLACES else text).strip()
    if not value:
        raise ValueError("the secret is empty")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("the secret is not one line of plain ASCII, as an HTTP header needs it")
    logs.protect(value)
    logs.protect(quote(value, safe=""))
    logs.protect(quote_plus(value))
    return SecretStr(value)


#: ``env:NAME``, ``file:PATH`` or ``credential:NAME`` (or the secret itself), looked up when the configuration is
#: loaded; shown by no ``repr`` and written to no log.
Secret = Annotated[SecretStr, AfterValidator(_found)]
