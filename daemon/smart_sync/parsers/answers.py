"""What an answer means where no platform has words of its own for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from smart_sync import logs, web
from smart_sync.core.foreign_text import read_json, storable
from smart_sync.errors import ParserFailed
from smart_sync.parsers.failures import AccountGone, CallFailed, Refused, Throttled
from smart_sync.parsers.wire import Answer


def decoded(answer: Answer) -> Any:
    """The answer's JSON; None if it is none."""
    try:
        return read_json(answer.body)
    except ValueError:
        return None


def judge(answer: Answer, now: datetime) -> Any:
    """The JSON of a good answer.

    Raises `ParserFailed` if no call can succeed (credentials, redirect), `AccountGone` (404, 410), `Throttled` (429),
    else `CallFailed`: worth another try after 5xx or what is not JSON, not after any other refusal.
    """
    status = answer.status
    if 200 <= status < 300:
        body = decoded(answer)
        if body is None:
            raise CallFailed("the answer is not JSON" if answer.body.strip() else "the answer is empty")
        return body
    if 300 <= status < 400:
        raise ParserFailed(f"the API redirects ({status}), which is refused; correct its address")
    if status == 401:
        raise Refused("the API refuses the credentials (401); renew them")
    if status in {404, 410}:
        raise AccountGone(f"the platform does not have it ({status})")
    if status == 429:
        raise Throttled("too many calls (429)", after=retry_after(answer, now))
    if status == 408 or status >= 500:
        raise CallFailed(f"the API answers {status}", after=retry_after(answer, now))
    raise CallFailed(f"the API refuses the call ({status})", retry=False)


def retry_after(answer: Answer, now: datetime) -> float | None:
    """The seconds the platform asks to wait, if it does (``Retry-After``: seconds or a date)."""
    return web.retry_after(answer.headers.get("retry-after", ""), now)


def quota_left(headers: Mapping[str, str]) -> str | None:
    """What the platform says is left: calls (``X-RateLimit-Remaining``), or percent (Meta's ``X-App-Usage``)."""
    for name in ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"):
        if headers.get(name, "").strip().isdecimal():
            return headers[name].strip()[:20]
    try:
        used = read_json(headers.get("x-app-usage", ""))
        return f"{max(0, 100 - max(int(share) for share in used.values()))}%"
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def said(text: object) -> str:
    """What a platform wrote, on one short line and without secrets; empty unless it is a text or a number."""
    plain = str(text) if isinstance(text, str | int | float) else ""
    flat = logs.redact(storable(" ".join(plain.split())))
    return flat if len(flat) <= 200 else flat[:199] + "…"
