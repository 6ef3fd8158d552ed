"""Access tokens that a platform renews: their state, when to renew, and the meaning of the platform's response.

Decides only; `parsers.token_file` keeps what is known.  Times are stamps (`core.days.stamp`), "" where nobody knows.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

from smart_sync.core.days import moment, stamp
from smart_sync.core.foreign_text import read_json

#: Instead of a stamp: the token does not expire.
NEVER: Final = "never"
#: A person is told of an expiry so long before.
AHEAD: Final = timedelta(days=14)
#: A lifetime beyond that is no lifetime.
_LONGEST: Final = timedelta(days=3650)
#: An access token is renewed so long before its end, or a tenth of its lifetime before.
_MARGIN: Final = timedelta(minutes=5)
#: What a header can carry.
_TOKEN: Final = re.compile(r"[!-~]{1,4096}")
#: How long nobody asks again after a refusal that may pass.
_RETRY: Final = timedelta(minutes=15)
#: A token of Threads can be renewed when it is so old; how old one is that a person gave, nobody knows.
_DAY: Final = timedelta(days=1)

#: TikTok: an access token of hours, and a refresh token that each refresh replaces.  Threads: one token of 60 days,
#: which renews itself.
Flow = Literal["tiktok", "threads"]


class Token(NamedTuple):
    """The state of one token. ``given``: the fingerprint of the configured secret that it descends from."""

    given: str = ""
    access: str = ""
    #: What the next refresh asks with; "" where the access token itself does.
    refresh: str = ""
    #: When the access token was given.
    since: str = ""
    #: Until when it is valid.
    until: str = ""
    #: Until when the refresh token is valid.
    refresh_until: str = ""
    #: What kind the platform calls it.
    kind: str = ""
    #: When the platform was last asked about it.
    checked_at: str = ""
    #: It is not renewed before.
    not_before: str = ""
    #: Why only a person can help.
    dead: str = ""
    #: The end that a person was notified of ahead.
    told: str = ""

    @property
    def expires(self) -> str:
        """When a person must act: at the refresh token's expiry, else the access token's."""
        return self.refresh_until if self.refresh else self.until


class Step(StrEnum):
    """What to do with a token before using it."""

    USE = "use"
    RENEW = "renew"
    WAIT = "wait"
    DEAD = "dead"


def begun(stored: Token | None, given: str, secret: str, flow: Flow, now: datetime) -> Token:
    """``stored``, or a new state if the configuration has another ``secret`` now."""
    if stored is None or stored.given != given:
        return Token(given, refresh=secret) if flow == "tiktok" else Token(given, access=secret)
    if flow == "threads" and not stored.dead and _is_over(stored.until, now):
        return stored._replace(dead=f"it expired on {stored.until[:10]}")
    return stored


def step(token: Token, flow: Flow, now: datetime, refused: str = "") -> Step:
    """What to do at ``now``; ``refused``: the access token that the platform has just refused."""
    if token.dead:
        return Step.DEAD
    works = bool(token.access) and token.access != refused and not _is_over(token.until, now)
    if works and not _is_due(token, flow, now):
        return Step.USE
    if token.not_before and now < _moment(token.not_before, now):
        return Step.USE if works else Step.WAIT
    return Step.RENEW


def _is_due(token: Token, flow: Flow, now: datetime) -> bool:
    if token.until in ("", NEVER):
        # A token of unknown age: whether it can be renewed, only the platform knows.
        return flow == "threads" and token.until == ""
    end, since = _moment(token.until, now), _moment(token.since, now)
    life = max(end - since, timedelta(0))
    return now >= (end - min(_MARGIN, life / 10) if flow == "tiktok" else end - life / 2)


def _is_over(until: str, now: datetime) -> bool:
    return until not in ("", NEVER) and now >= _moment(until, now)


def moment_of(written: str) -> datetime | None:
    """A stamp as a moment; None if it is none."""
    try:
        return moment(written)
    except (ValueError, OverflowError):
        return None


def _moment(written: str, otherwise: datetime) -> datetime:
    """A stamp as a moment, else ``otherwise``: the file may be damaged."""
    return moment_of(written) or otherwise


class Answer(NamedTuple):
    """The result of a refresh: the token now, and why it is not new; "" if it is."""

    token: Token
    reason: str = ""
    #: The reason is the application's (its key, its secret), not the token's.
    is_of_app: bool = False


def answered(token: Token, flow: Flow, status: int, body: str | bytes, now: datetime) -> Answer:
    """``token`` after the platform's response to a refresh. Total: takes any response."""
    fields = _object(body)
    access = fields.get("access_token")
    if 200 <= status < 300 and _is_token(access):
        return Answer(_renewed(token, fields, flow, now))
    rotated = fields.get("refresh_token")
    if 200 <= status < 300 and _is_token(rotated):
        # Without an access token, but the old refresh token may have ended with it.
        return Answer(_later(token, now)._replace(refresh=str(rotated)), "the answer has no access token")
    code, words = _refusal(fields)
    if flow == "tiktok" and code == "invalid_grant":
        return Answer(token._replace(dead=_dead(words)), _dead(words))
    if flow == "tiktok" and code in ("invalid_client", "unauthorized_client"):
        return Answer(_later(token, now), words or code, is_of_app=True)
    if flow == "threads" and code == "190":
        return Answer(token._replace(dead=_dead(words)), _dead(words))
    reason = words or code or (f"it answers {status}" if status else "no answer")
    rest = _DAY if flow == "threads" and 400 <= status < 500 and status != 429 else _RETRY
    return Answer(_later(token, now, rest), reason)


def _dead(words: str) -> str:
    return f"the platform has ended it: {words or 'it says no more'}"


def _later(token: Token, now: datetime, rest: timedelta = _RETRY) -> Token:
    return token._replace(not_before=stamp(now + rest))


def _renewed(token: Token, fields: Mapping[str, Any], flow: Flow, now: datetime) -> Token:
    rotated = fields.get("refresh_token")
    refresh = str(rotated) if flow == "tiktok" and _is_token(rotated) else token.refresh
    refresh_until = _until(fields.get("refresh_expires_in"), now)
    if not refresh_until and refresh == token.refresh:
        refresh_until = token.refresh_until
    until = _until(fields.get("expires_in"), now)
    # Of an unknown lifetime: used until it is refused, and of Threads asked about again after a day.
    rest = stamp(now + _DAY) if flow == "threads" and not until else ""
    return token._replace(
        access=str(fields["access_token"]),
        refresh=refresh,
        since=stamp(now),
        until=until,
        refresh_until=refresh_until,
        not_before=rest,
        dead="",
    )


def inspected(token: Token, fields: object, now: datetime) -> Token:
    """``token`` with Meta's ``debug_token`` response: kind, expiry, validity. Total."""
    data = fields.get("data") if isinstance(fields, dict) else None
    if not isinstance(data, dict):
        return token._replace(checked_at=stamp(now))
    kind = data.get("type")
    ends = [expiry for key in ("expires_at", "data_access_expires_at") if (expiry := _at(data.get(key)))]
    bounded = [end for end in ends if end != NEVER]
    dead = ""
    if data.get("is_valid") is False:
        error = data.get("error")
        words = error.get("message") if isinstance(error, dict) else ""
        dead = f"the platform says that it is not valid: {words}" if isinstance(words, str) and words else "not valid"
    return token._replace(
        kind=kind[:40] if isinstance(kind, str) else token.kind,
        until=min(bounded) if bounded else (ends[0] if ends else token.until),
        since=_at(data.get("issued_at")).replace(NEVER, "") or token.since or stamp(now),
        checked_at=stamp(now),
        dead=dead,
    )


def is_to_be_inspected(token: Token, now: datetime) -> bool:
    """Whether the platform has not been asked about it for a day."""
    return not token.checked_at or now - _moment(token.checked_at, now - _DAY) >= _DAY


def lifetime(given: object) -> timedelta | None:
    """``expires_in`` in seconds; None for an invalid one: NaN, 1e30, a word, a negative number."""
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 12:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        return None
    return timedelta(seconds=given) if 0 < given <= _LONGEST.total_seconds() else None


def _until(given: object, now: datetime) -> str:
    life = lifetime(given)
    return stamp(now + life) if life is not None else ""


def _at(given: object) -> str:
    """A time in seconds since 1970; 0 means never, anything invalid unknown."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return ""
    if given == 0:
        return NEVER
    try:
        moment = datetime.fromtimestamp(given, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return stamp(moment) if moment.year < 2100 else ""


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _object(body: str | bytes) -> Mapping[str, Any]:
    try:
        fields = read_json(body)
    except ValueError:
        return {}
    if isinstance(fields, dict) and isinstance(fields.get("data"), dict) and "access_token" not in fields:
        fields = {**fields["data"], **fields}
    return fields if isinstance(fields, dict) else {}


def _refusal(fields: Mapping[str, Any]) -> tuple[str, str]:
    """The platform's error code and message; "" for what is missing."""
    error = fields.get("error")
    if isinstance(error, dict):
        code, words = error.get("code"), error.get("message")
    else:
        code, words = error, fields.get("error_description")
    plain = str(code) if isinstance(code, str | int) and not isinstance(code, bool) else ""
    return plain[:60], words[:200] if isinstance(words, str) else ""


class TokenReport(NamedTuple):
    """What people may see of a token: never the token itself."""

    account: str
    kind: str
    #: A stamp, `NEVER`, or "" where nobody knows.
    expires: str
    dead: str = ""
    #: It is renewed without a person.
    renews: bool = False

    def words(self) -> str:
        """The token's expiry in words."""
        renewed = ", and is renewed by itself" if self.renews else ""
        if self.expires == NEVER:
            return "does not expire"
        return f"works until {self.expires[:10]}{renewed}" if self.expires else f"has an end that nobody knows{renewed}"

    def warning(self, now: datetime) -> str:
        """What a person has to do, in words; "" if nothing."""
        subject = f"the token of {self.account}" if self.account else "the token"
        if self.dead:
            return f"{subject} is dead: {self.dead}"
        if _is_over(self.expires, now):
            return f"{subject} expired on {self.expires[:10]}"
        if self.expires not in ("", NEVER) and _moment(self.expires, now) - now <= AHEAD:
            return f"{subject} expires on {self.expires[:10]}"
        return ""
