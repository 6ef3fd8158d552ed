"""The targets of ``[[notify.targets]]``: URLs of apprise, each of which holds a secret somewhere."""

import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, SecretStr

from smart_sync import logs
from smart_sync.config import secrets

if TYPE_CHECKING:
    from apprise import NotifyBase

#: The loggers of what sends: their lines may hold parts of a URL.
_LOGGERS = ("apprise", "urllib3.connectionpool", "requests_oauthlib")
_URL = re.compile(r"([a-z][a-z0-9]{1,19})://[!-~]+", re.IGNORECASE)
#: Of a piece of a URL that is a word (``smart-sync``, ``alerts``) only the whole URL is kept secret.
_WORD = re.compile(r"[a-z]+(?:[-_.][a-z]+)*", re.IGNORECASE)


def scheme_of(url: SecretStr) -> str:
    """What people see of a target: ``tgram``, ``mailtos``, ``ntfy``."""
    return url.get_secret_value().partition("://")[0].lower()


@contextmanager
def heard() -> Iterator[list[str]]:
    """Inside, what apprise logs in this thread comes here and nowhere else."""
    lines: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.thread != own:
            return True
        if record.levelno >= logging.WARNING:
            lines.append(record.getMessage())
        return False

    own = threading.get_ident()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield lines
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


@cache
def _instantiate() -> Callable[[str], Any]:
    """What makes something that sends of a URL; takes a fifth of a second and 40 MB.  Raises ImportError."""
    with warnings.catch_warnings():
        # Its modules, all of which are loaded with the first URL, use what Python gives up.
        warnings.simplefilter("ignore")
        from apprise import Apprise, AppriseAsset

        asset = AppriseAsset(app_id="Smart Sync", app_desc="Smart Sync", app_url="", image_url_mask="")
        Apprise.instantiate("json://localhost")
    return lambda url: Apprise.instantiate(url, asset=asset, suppress_exceptions=True)


def service(url: SecretStr) -> "NotifyBase":
    """What sends to ``url``.  Raises ValueError, without any part of it, where apprise cannot make anything of it."""
    try:
        instantiate = _instantiate()
    except ImportError:
        raise ValueError("apprise is not installed; install it: pip install 'smart-sync-daemon[notify]'") from None
    try:
        with heard():
            found = instantiate(url.get_secret_value())
    except Exception:  # a plugin may raise anything, and its message may hold the URL
        found = None
    if found is None:
        raise ValueError(
            "apprise knows no service with this URL; see https://appriseit.com/services/ for what it has to hold"
        )
    return found  # type: ignore[no-any-return]  # apprise says too little


def _target(given: SecretStr) -> SecretStr:
    text = given.get_secret_value()
    if not _URL.fullmatch(text):
        raise ValueError('expected a URL of apprise such as "tgram://<token>/<chat>" or "mailtos://…"')
    rest = text.partition("://")[2]
    host = re.split(r"[/?#]", rest)[0].rpartition("@")[2].partition(":")[0]
    for piece in re.split(r"[/?&@:=#,]+", rest):
        # A host or an address is no secret; without a dot it is a token.
        if not _WORD.fullmatch(piece) and not (piece == host and "." in host):
            secrets.protect(piece)
            secrets.protect(unquote(piece))
    if password := re.search(r":([^:@/]+)@", rest):
        logs.protect(password[1])
        logs.protect(unquote(password[1]))
    service(given)
    return given


#: ``env:NAME``, ``file:PATH``, ``credential:NAME``, or the URL itself.
TargetUrl = Annotated[secrets.Secret, AfterValidator(_target)]
