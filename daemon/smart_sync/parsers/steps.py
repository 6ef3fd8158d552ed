"""The steps of a configured source: consecutive requests, each using what earlier ones found.

Batches too: which accounts go into one request, and which row of its answer belongs to each.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote

from smart_sync.config.secrets import protect_passing
from smart_sync.core.campaign import EVERYTHING, Campaign
from smart_sync.core.links.identity import identity
from smart_sync.core.model import Account
from smart_sync.core.parsed import folded_name
from smart_sync.core.redaction import names_secret
from smart_sync.parsers import step_settings
from smart_sync.parsers.error_responses import short_text, with_words
from smart_sync.parsers.expressions import condition, is_true, kind_of, missing, search
from smart_sync.parsers.failures import AccountFailed, AccountGone, NotReady
from smart_sync.parsers.http import HttpRequest
from smart_sync.parsers.parser import RoundOver
from smart_sync.parsers.per_account import name_of
from smart_sync.parsers.response_values import text
from smart_sync.parsers.step_results import StepResults, check_owner
from smart_sync.parsers.step_settings import POLLING, StepSettings


class Subject(NamedTuple):
    """What the requests are about: the placeholders of one account, or of each account of a batch."""

    values: Mapping[str, str]
    each: tuple[Mapping[str, str], ...] = ()
    #: Whose videos count, where a step finds videos.
    campaign: Campaign = EVERYTHING


class Secrets(NamedTuple):
    """The secrets sent with every request of a table."""

    headers: Mapping[str, str]
    query: Mapping[str, str]


#: Sends a request and returns the JSON of its answer; raises as `Session.ask` does.
Ask = Callable[[HttpRequest], Awaitable[Any]]


async def run(
    steps: Sequence[StepSettings], subject: Subject, secrets: Secrets, ask: Ask, remembered: dict[str, str]
) -> StepResults:
    """Run ``steps``; return what was found.

    ``remembered`` is what an earlier run took: a step that is there for nothing else is left out.  What this one takes
    is added to it at once, however the run ends: it may have been paid for.  A step that fails after another has found
    a metric costs its own metrics only.  Raises `AccountGone`, `AccountFailed` and `ParserFailed`.
    """
    results = StepResults()
    _protect_taken(steps, remembered)
    for number, step in enumerate(steps, 1):
        if step.take and not step.metrics and remembered.keys() >= step.take.keys():
            continue
        values = {**subject.values, **remembered}
        try:
            results.pages = await _pages(step, f"step {number}", subject._replace(values=values), secrets, ask)
            check_owner(step.who, results.pages, subject.values)
            remembered |= _taken(step, results.pages)
            _protect_taken([step], remembered)
        except (AccountFailed, RoundOver) as failure:
            reason = f"step {number}: {failure}" if len(steps) > 1 else str(failure)
            if not results.counts:
                if isinstance(failure, RoundOver):
                    raise
                raise _at_step(failure, number, reason) from None
            results.flaws.append(reason)
            results.unfinished = step.items is not None
            break
        if step.rows is None:
            results.take(step, _document(step, results.pages), subject.campaign, paged=step.next is not None)
    return results


def _at_step(failure: AccountFailed, step: int, reason: str) -> AccountFailed:
    """``failure`` with the name of its ``step`` in ``reason``."""
    failure.args, failure.step = (reason,), step
    return failure


def _document(step: StepSettings, pages: list[Any]) -> Any:
    return pages if step.next is not None else pages[0]


def _taken(step: StepSettings, pages: list[Any]) -> dict[str, str]:
    taken = {}
    for name, expression in step.take.items():
        value = search(expression, _document(step, pages))
        if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
            raise AccountFailed(with_words(f"the answer has no {name} ({expression})", *reversed(pages)))
        taken[name] = str(value)
    return taken


def _protect_taken(steps: Sequence[StepSettings], remembered: Mapping[str, str]) -> None:
    """Keep secrets among the values taken from responses out of all output."""
    for step in steps:
        for name, expression in step.take.items():
            if name in remembered and (names_secret(name) or names_secret(expression)):
                protect_passing(remembered[name])


async def _pages(step: StepSettings, label: str, subject: Subject, secrets: Secrets, ask: Ask) -> list[Any]:
    if step.until is not None:
        return [await _polled(step, label, subject, secrets, ask)]
    pages: list[Any] = []
    token: str | None = None
    while True:
        named = f"{label}, page {len(pages) + 1}" if step.next is not None else label
        page = await ask(_request(step, subject, secrets, token, named))
        _check(step, page)
        pages.append(page)
        following = _next(step, page)
        if following is None:
            return pages
        if following == token:
            if step.items is None:
                return pages
            raise AccountFailed("the list of videos does not go on: each page names itself as the next one")
        if len(pages) == step.max_pages:
            if step.on_more == "take":
                return pages
            raise AccountFailed(f"there are more than {len(pages)} pages; raise max_pages, or set on_more = 'take'")
        token = following


async def _polled(step: StepSettings, label: str, subject: Subject, secrets: Secrets, ask: Ask) -> Any:
    """The response for which ``until`` is true."""
    limit = step.timeout or POLLING
    try:
        async with asyncio.timeout(limit) as timeout:
            while True:
                with suppress(NotReady):
                    page = await ask(_request(step, subject, secrets, None, label))
                    _check(step, page)
                    if is_true(condition(step.until or "", page)):
                        return page
                await asyncio.sleep(step.wait)
    except TimeoutError:
        if not timeout.expired():
            raise
        raise AccountFailed(f"not ready within {limit:g} s ({step.until})") from None


def _check(step: StepSettings, page: object) -> None:
    if step.gone is not None and is_true(condition(step.gone, page)):
        raise AccountGone(with_words("the source does not have it", page))
    if step.failed is not None and is_true(condition(step.failed, page)):
        raise AccountFailed(with_words("the source refuses", page))


def _next(step: StepSettings, page: object) -> str | None:
    """The next page's token; None if there is none. Raises `AccountFailed` for an invalid one."""
    token = condition(step.next, page) if step.next is not None else None
    if not is_true(token) or token is True:
        return None
    if isinstance(token, float) and token.is_integer():
        token = int(token)
    if not isinstance(token, str | int):
        kind = "a fraction" if isinstance(token, float) else kind_of(token)
        raise AccountFailed(f"the token of the next page is {kind}; correct next ({step.next})")
    return str(token)


def _request(step: StepSettings, subject: Subject, secrets: Secrets, token: str | None, label: str) -> HttpRequest:
    values = subject.values
    query = {name: step_settings.body(value, values) for name, value in step.query.items()} | dict(secrets.query)
    sent = step_settings.body(step.json_body, values, subject.each)
    form = None if step.form is None else {name: step_settings.body(value, values) for name, value in step.form.items()}
    if token is not None:
        if isinstance(sent, dict):
            sent = {**sent, step.next_param: token}
        elif form is not None:
            form[step.next_param] = _decoded(token)
        else:
            query[step.next_param] = _decoded(token)
    return HttpRequest(
        step_settings.address(step.url, values),
        query,
        secrets.headers,
        body=sent,
        form=form,
        repeat=not step.is_post,
        starts_job=bool(step.take),
        seconds=None if step.until is not None else step.timeout,
        max_bytes=step.max_bytes,
        label=label,
    )


def _decoded(token: str) -> str:
    """A percent-encoded token decoded, since it is encoded again when sent."""
    plain = unquote(token)
    return plain if all(sign.isalnum() or sign in "%-._~" for sign in token) else token


def batches(accounts: Sequence[Account], size: int | None, where: Callable[[Account], str]) -> Iterator[list[Account]]:
    """Split ``accounts`` into batches of one platform each: the same user name on another may be someone else."""
    filling: dict[str, list[Account]] = {}
    for account in accounts:
        batch = filling.setdefault(where(account), [])
        batch.append(account)
        if len(batch) == size:
            yield batch.copy()
            batch.clear()
    yield from filter(None, filling.values())


class Rows(NamedTuple):
    """The rows of a response by their key: an identity, or a user name in lower case."""

    by_key: Mapping[str, Any]

    def of(self, account: Account) -> Any:
        """The row of ``account``; None if it has none."""
        row = self.by_key.get(identity(account.link, account.platform))
        return row if row is not None else self.by_key.get(folded_name(name_of(account)))


def read(step: StepSettings, pages: Sequence[Any], accounts: Sequence[Account]) -> Rows:
    """The rows in ``pages``, the response of the last ``step``.

    Raises `AccountFailed` where there is no array of rows, and where there are rows and none is of ``accounts``: what
    cannot be told apart says of nobody that he is gone.
    """
    objects = search(step.rows or "", pages if step.next is not None else pages[0])
    lack = "" if isinstance(objects, list) else f"{step.rows} finds no array of rows"
    if lack := lack or missing(step.rows or "", pages, paged=step.next is not None):
        raise AccountFailed(with_words(lack, *reversed(pages)))
    by_key: dict[str, Any] = {}
    first = ""
    for row in objects:
        if key := text(search(step.key or "", row)):
            first = first or key
            by_key.setdefault(identity(key) if "/" in key else folded_name(key), row)
    rows = Rows(by_key)
    if objects and all(rows.of(account) is None for account in accounts):
        says = f'it says "{short_text(first)}"' if first else "it says neither a text nor a number"
        raise AccountFailed(f"no row's {step.key} names an account of the batch; {says}; correct key")
    return rows
