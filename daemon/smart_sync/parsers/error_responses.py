"""Interprets responses without platform-specific error formats."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from smart_sync import logs
from smart_sync.aio import http_client
from smart_sync.core.foreign_text import read_json, storable
from smart_sync.errors import ParserFailed
from smart_sync.parsers.failures import AccountGone, AccountRefused, CallFailed, NotReady, Refused, Throttled
from smart_sync.parsers.http import HttpResponse

#: Where sources put their own words for a refusal.
_WORDS = ("message", "msg", "status_msg", "error_message", "error", "errors", "detail", "title")


#: A number above that is no wait but a time.
_EPOCH = 1e9


def decoded(answer: HttpResponse) -> Any:
    """The response's JSON; None if it is none."""
    try:
        return read_json(answer.body)
    except ValueError:
        return None


def judge(answer: HttpResponse, now: datetime) -> Any:
    """The JSON of a good response; raises one of `failures` for another.

    Raises `NotReady` (202, except of a request that starts a job), `ParserFailed` if no call can succeed (credentials,
    credit, redirect), `AccountGone` (404, 410), `Throttled` (429), `AccountRefused` after any other refusal, which is
    one of what was asked for, else `CallFailed`: worth another try (5xx, what is not JSON).
    """
    status = answer.status
    if 200 <= status < 300:
        body = decoded(answer)
        if status == 202 and not answer.starts_job:
            raise NotReady(with_words("not ready yet (202)", body), retry_after(answer, now))
        if body is None:
            raise CallFailed("the answer is not JSON" if answer.body.strip() else "the answer is empty")
        return body
    if 300 <= status < 400:
        raise ParserFailed(f"the API redirects ({status}), which is refused; correct its address")
    if status == 401:
        raise Refused("the API refuses the credentials (401); renew them")
    if status == 402:
        unpaid = with_words("the API wants to be paid (402)", decoded(answer))
        raise ParserFailed(f"{unpaid}; renew the plan", trouble="parser-quota")
    if status in {404, 410}:
        raise AccountGone(f"the platform does not have it ({status})")
    if status == 429:
        reason, after = with_words("too many calls (429)", decoded(answer)), retry_after(answer, now)
        if after is None and "month" in reason.casefold():
            after = http_client.LONGEST_WAIT
        raise Throttled(reason, after=after)
    if status == 408 or status >= 500:
        raise CallFailed(f"the API answers {status}", after=retry_after(answer, now))
    raise AccountRefused(with_words(f"the API refuses the call ({status})", decoded(answer)))


def retry_after(answer: HttpResponse, now: datetime) -> float | None:
    """The seconds to wait, by ``Retry-After`` or the time its rate limit is renewed; None if it does not say.

    Those headers hold seconds, or seconds since 1970.
    """
    after = http_client.retry_after(answer.headers.get("retry-after", ""), now)
    if after is not None:
        return after
    for name in ("x-ratelimit-requests-reset", "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"):
        value = answer.headers.get(name, "").strip()
        if answer.headers.get(name.replace("reset", "remaining"), "0").strip() != "0":
            continue  # not this limit
        if value.isascii() and value.isdecimal():
            seconds = float(value[:12])
            left = seconds - now.timestamp() if seconds > _EPOCH else seconds
            return min(max(0.0, left), http_client.LONGEST_WAIT)
    return None


def quota_left(headers: Mapping[str, str]) -> str | None:
    """The remaining quota: calls (``X-RateLimit-Remaining``), or percent (Meta's ``X-App-Usage``)."""
    for name in (
        *("x-ratelimit-requests-remaining", "x-ratelimit-remaining"),
        *("x-rate-limit-remaining", "ratelimit-remaining"),
    ):
        if headers.get(name, "").strip().isdecimal():
            return headers[name].strip()[:20]
    try:
        used = read_json(headers.get("x-app-usage", ""))
        return f"{max(0, 100 - max(int(share) for share in used.values()))}%"
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def words(body: object) -> str:
    """The source's error message, from the usual places; "" if there is none."""
    if not isinstance(body, dict):
        return ""
    inner = next((value for name in _WORDS if (value := body.get(name))), "")
    if isinstance(inner, list):
        inner = inner[0] if inner else ""
    return words(inner) if isinstance(inner, dict) else short_text(inner)


def with_words(reason: str, *bodies: object) -> str:
    """``reason``, and what a source says itself in the first of ``bodies`` that says anything."""
    found = next(filter(None, map(words, bodies)), "")
    return f"{reason}: {found}" if found else reason


def short_text(text: object) -> str:
    """A platform's text on one short line without secrets; "" unless it is text or a number."""
    plain = str(text) if isinstance(text, str | int | float) else ""
    flat = logs.redact(storable(" ".join(plain.split())))
    return flat if len(flat) <= 200 else flat[:199] + "…"
