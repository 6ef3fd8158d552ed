"""``[database] url``: the PostgreSQL server and database; the password is never shown."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from pydantic import BeforeValidator, SecretStr

from smart_sync import logs
from smart_sync.config import secrets

#: As SQLAlchemy writes it.
_WITH_DRIVER = re.compile(r"postgres(?:ql)?\+\w+://")
_URL = re.compile(
    r"postgres(?:ql)?://(?:(?P<who>[^/?#@]*)@)?(?P<hosts>[^/?#@]*)(?:/(?P<name>[^/?#]*))?(?:\?(?P<more>[^#]*))?"
)
_HOSTS = re.compile(r"[A-Za-z0-9_.,:\[\]-]*")
_NAME = re.compile(r"[A-Za-z0-9_.$-]{0,63}")
_SECRET_KEYS = {"password", "sslpassword"}
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: What may stand beside a password in a query: whatever else is there may be the rest of one with an & in it.
_BESIDE_PASSWORD = re.compile(
    r"(?:host|hostaddr|port|dbname|user|options|application_name|replication|(?:channel_|client_|connect_|fallback_|gss|"
    r"keepalives|krb|load_|max_|min_|oauth_|pass|require|scram_|service|ssl|target_|tcp_)[a-z_]*)=[^=]*"
)
#: Seconds, unless ``[database] takeover`` says otherwise.
TAKEOVER = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A database on a PostgreSQL server."""

    url: SecretStr = field(repr=False)
    #: The URL without user, password and options: for messages.
    name: str
    #: Seconds after which another instance takes over from one that gives no sign of life.
    takeover: float = TAKEOVER

    def __str__(self) -> str:
        return self.name

    @property
    def has_password(self) -> bool:
        """Whether the address contains a password."""
        url = urlsplit(self.url.get_secret_value())
        in_query = any(key in _SECRET_KEYS for key, _ in parse_qsl(url.query))
        return in_query or ":" in url.netloc.rpartition("@")[0]

    def dump_command(self, target: str) -> str:
        """The command that backs it up into a file; it asks for the password unless PGPASSWORD has it."""
        url = urlsplit(self.url.get_secret_value())
        more = parse_qsl(url.query)
        kept = urlencode([(key, value) for key, value in more if key not in _SECRET_KEYS], safe="/")
        user, _, place = url.netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}@{place}" if user else place
        address = urlunsplit((url.scheme, netloc, url.path, kept, ""))
        return f"pg_dump -Fc --file={shlex.quote(target)} {shlex.quote(address)}"


#: Where a database is: an SQLite file, or on a server.
Location = Path | Server


def looked_up(url: str) -> Server:
    """The server for ``url``, or for the URL that it refers to (``env:NAME`` etc.). Raises ValueError."""
    return server(secrets.value_of(url))


def _looked_up(url: object) -> object:
    if isinstance(url, Server) or url is None:
        return url
    if not isinstance(url, str):
        raise ValueError("expected a text")  # noqa: TRY004  pydantic reports only ValueError
    return looked_up(url)


#: A URL, or where it is kept: ``env:NAME``, ``file:PATH`` or ``credential:NAME``.
DatabaseUrl = Annotated[Server, BeforeValidator(_looked_up)]


def server(url: str) -> Server:
    """The server for a URL; its password is removed from all output from now on. Raises ValueError."""
    protect_password(url)
    parts = _URL.fullmatch(url)
    if parts is None or _BAD_PERCENT.search(url) or not _is_whole_password(parts["more"] or ""):
        secrets.protect(url)
        if _WITH_DRIVER.match(url):
            raise ValueError("expected postgresql://, without the + and a driver's name behind it (not shown)")
        raise ValueError(
            "expected postgresql://HOST/DATABASE with user and password before the host (not shown); in a password,"
            " write @ as %40, / as %2F, # as %23, ? as %3F, & as %26 and % as %25"
        )
    hosts, name = parts["hosts"], unquote(parts["name"] or "")
    more = dict(parse_qsl(parts["more"] or "", keep_blank_values=True))
    hosts = hosts or more.get("host", "")
    name = name or more.get("dbname", "")
    if not (_HOSTS.fullmatch(hosts) or re.fullmatch(r"(?:/[\w.-]+)+", hosts)) or not _NAME.fullmatch(name):
        raise ValueError("its host or database can be none (not shown)")
    if not name:
        raise ValueError("names no database; expected postgresql://HOST/DATABASE (not shown)")
    name_shown = f"postgresql://{hosts}/{name}" if not hosts.startswith("/") else f"postgresql://{name} at {hosts}"
    return Server(SecretStr(url), name_shown)


def _is_whole_password(query: str) -> bool:
    """False if a password in ``query`` may end at an & of its own: the library's errors would show the rest."""
    options = query.split("&") if query else []
    has_secret = any(one.partition("=")[0] in _SECRET_KEYS for one in options)
    return not has_secret or all(map(_BESIDE_PASSWORD.fullmatch, options))


def protect_password(url: str) -> None:
    """Keep the password of a URL out of the log, whatever its notation."""
    who, at, _ = url.partition("://")[2].rpartition("@")
    passwords = [who.partition(":")[2]] if at else []
    more = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    passwords += [value for key, value in more if key in _SECRET_KEYS]
    for value in filter(None, passwords):
        secrets.protect(value)
        secrets.protect(unquote(value))
        logs.protect(f":{value}@")
