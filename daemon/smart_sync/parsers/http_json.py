"""Any source that answers JSON over HTTP, by configuration alone: one request, several steps, or a recipe."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, model_validator

from smart_sync.aio.tasks import each
from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.secrets import Secret, Values
from smart_sync.config.values import Headers
from smart_sync.core.campaign import EVERYTHING, OF_VIDEOS, Campaign
from smart_sync.core.links.identity import identity, link_in, platform, profile_link
from smart_sync.core.links.platforms import known_platform
from smart_sync.core.model import METRICS, Account, Metrics, ParsedMetrics, Precision
from smart_sync.parsers import error_responses, recipes, step_settings, steps
from smart_sync.parsers.api_client import CountingSettings, Session
from smart_sync.parsers.asking import Asking
from smart_sync.parsers.failures import AccountFailed, AccountGone, CallFailed, Refused
from smart_sync.parsers.http import HttpRequest, HttpResponse
from smart_sync.parsers.parser import Fetched, RoundOver, Unfetched
from smart_sync.parsers.per_account import PlatformParser, name_of, split_on_failure
from smart_sync.parsers.step_results import StepResults
from smart_sync.parsers.step_settings import StepSettings
from smart_sync.parsers.steps import Ask, Rows, Secrets, Subject

#: Those that an account whose link holds no name cannot fill.
_NAMES = frozenset({"username", "channel_id", "usernames", "channel_ids", "each.username", "each.channel_id"})
#: Those that say on which platform an account is.
_PLATFORM = frozenset({"link", "platform", "links", "each.link", "each.platform"})
#: The statuses of a refusal that is one of an account: of no credentials, no credit, no quota.
_REFUSES_AN_OBJECT = frozenset({400, 404, 422})
#: The keys of a table that is one step; with ``steps`` they stand in the steps.
_OF_A_STEP = (
    *("url", "who", "json", "form", "gone", "failed", "metrics", "items", "id", "published", "plays"),
    *("next", "next_param", "pages", "max_pages", "on_more"),
)


class HttpJsonSettings(CountingSettings):
    """``[parsers.<name>]`` with ``kind = "http_json"``: ``steps``, or the keys of one step in the table itself."""

    #: Shipped steps for a known source, by its name; you add ``key`` and ``rate``.
    recipe: str = ""
    #: What stands for ``{key}`` in the headers and the query of a recipe.
    key: Secret | None = None
    #: The platforms whose accounts it is asked about; required.
    platforms: Annotated[tuple[str, ...], Field(min_length=1)]
    #: Headers of each request; a value may be ``env:NAME``, ``file:PATH`` or ``credential:NAME``.
    headers: Headers = Field(default_factory=dict)
    #: Parameters added to the address of every step; for sources that want their key there.
    query: Values = Field(default_factory=dict)
    #: The requests, one after the other: tables ``[[parsers.<name>.steps]]``. The keys of a single step may stand in
    #: the table of the parser itself.
    steps: Annotated[tuple[StepSettings, ...], Field(min_length=1, max_length=10)]
    #: Accounts in one request, filled in for ``{each.link}`` or ``{usernames}``; the last step has ``rows`` and
    #: ``key``.
    batch: Annotated[int, Field(ge=1, le=1000)] | None = None
    #: ``"rounded"`` if the source gives figures such as 12.4K as 12400.
    precision: Precision = Precision.EXACT

    @model_validator(mode="before")
    @classmethod
    def _with_steps(cls, table: Any) -> Any:
        """Merge a recipe under the table's own keys, and turn the keys of one step into a list of one."""
        if not isinstance(table, Mapping):
            return table
        table = recipes.applied(table) if table.get("recipe") else dict(table)
        step = {key: table.pop(key) for key in _OF_A_STEP if key in table}
        if step and "steps" in table:
            raise ValueError(f"{min(step)} stands next to steps; move it into a step")
        return {**table, "steps": [step]} if step else table

    @model_validator(mode="after")
    def _fits_together(self) -> "HttpJsonSettings":
        step_settings.check_placeholders(self.steps, is_batch=self.batch is not None)
        if self.batch is not None and any(step.who is not None for step in self.steps):
            raise ValueError("who is for the answer about one account; in a batch key says whose a row is")
        with_rows = [number for number, step in enumerate(self.steps, 1) if step.rows is not None]
        if with_rows != ([len(self.steps)] if self.batch is not None else []):
            raise ValueError("batch and the last step's rows and key belong together")
        if len(self.platforms) > 1 and not any(step.placeholders & _PLATFORM for step in self.steps):
            raise ValueError("one name may be on each of its platforms; say which is meant with {link} or {platform}")
        step_settings.check_polling(self.steps, self.deadline)
        if self.count == "campaign":
            step_settings.check_campaign(self.steps)
        if not any(step.gives for step in self.steps):
            raise ValueError("no step has metrics; say where the answer has them: metrics = { followers = … }")
        if not self.api_url and any("://" not in step.url for step in self.steps):
            raise ValueError('a url without https:// is a path below api_url; add api_url = "https://…"')
        if any("{key}" in text.get_secret_value() for text in self._texts) and self.key is None:
            raise ValueError('has no key; add key = "env:NAME" or key = "file:PATH"')
        return self

    @property
    def _texts(self) -> list[SecretStr]:
        return [*self.headers.values(), *self.query.values()]

    @property
    def shows_videos(self) -> bool:
        """As the base class."""
        return any(step.gives & {*OF_VIDEOS} for step in self.steps)

    def secrets(self) -> Secrets:
        """Headers and query, with the key filled in."""
        key = self.key.get_secret_value() if self.key is not None else ""

        def filled(values: Mapping[str, SecretStr]) -> dict[str, str]:
            return {name: value.get_secret_value().replace("{key}", key) for name, value in values.items()}

        return Secrets(filled(self.headers), filled(self.query))


class HttpJson(PlatformParser):
    """The metrics configured in ``[parsers.<name>]``."""

    settings: ClassVar[type[ParserSettings]] = HttpJsonSettings

    def __init__(self, settings: HttpJsonSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._own = settings
        self._wants_name = any(step.placeholders & _NAMES for step in settings.steps)

    async def fetch(self, accounts: Sequence[Account], asking: Asking | None = None) -> AsyncIterator[Fetched]:
        """As the base class; with ``batch`` several accounts per request."""
        if self._own.batch is None:
            async with aclosing(super().fetch(accounts, asking)) as results:  # type: ignore[type-var]  # it is a generator
                async for fetched in results:
                    yield fetched
            return
        async with self._session(asking) as session:
            groups = steps.batches(accounts, self._own.batch, _platform_of)
            many, name = partial(self._many, session), f"parser:{self._settings.source}:call"
            async with aclosing(each(groups, many, self._settings.concurrency, name, ends=(RoundOver,))) as several:
                async for group in several:
                    for fetched in group:
                        yield fetched

    def judge(self, answer: HttpResponse, now: datetime) -> Any:
        """`error_responses.judge`, naming the table whose credentials are rejected."""
        try:
            return error_responses.judge(answer, now)
        except (AccountGone, AccountFailed) as failure:
            failure.status = answer.status
            raise
        except Refused as failure:
            raise Refused(f"{failure} in [parsers.{self._settings.source}] headers, query or key") from None

    async def fetch_one(self, session: Session, account: Account) -> Fetched:
        """As the base class."""
        if not self._is_named(account):
            return self._values(account, None)
        subject = Subject(_placeholders(account), campaign=self._campaign(account))
        return self._fetched(account, await self._run(session, subject, identity(account.link)))

    def _is_named(self, account: Account) -> bool:
        """Whether the link has everything that the requests need."""
        return bool(name_of(account) if self._wants_name else _link_of(account))

    async def _run(self, session: Session, subject: Subject, who: str) -> StepResults:
        """What the steps find; reuses stored values unless the source no longer accepts them.

        Only then are they gone through again: each request may be paid for.  What cuts a run off (a throttle, the
        budget, a deadline) says nothing of what was taken: it is kept.
        """
        known = self.remembered.setdefault(who, {})
        was_known = bool(known)
        try:
            return await self._steps(session.ask, subject, known)
        except AccountGone:
            if not was_known:
                raise
            return await self._steps(session.ask, subject, known)
        finally:
            if known:
                self.remembered[who] = known
            else:
                self.remembered.pop(who, None)

    async def _steps(self, ask: Ask, subject: Subject, remembered: dict[str, str]) -> StepResults:
        """What the steps find; ``remembered`` collects what they take, and is emptied if it may cause a refusal."""
        try:
            return await steps.run(self._own.steps, subject, self._own.secrets(), ask, remembered)
        except CallFailed:
            raise
        except (AccountGone, AccountFailed):
            remembered.clear()
            raise

    async def _many(self, session: Session, accounts: Sequence[Account]) -> list[Fetched]:
        """A batch: its request, and each account's row in the response.

        An account without a name that the request needs is not asked for.
        """
        named = [account for account in accounts if self._is_named(account)]
        nobody = [self._values(account, None) for account in accounts if account not in named]
        if not named:
            return nobody
        with session.about(named) as batch_session:
            return nobody + await split_on_failure(
                named, partial(self._batch, batch_session), batch_session, may=self._may_split
            )

    async def _batch(self, session: Session, accounts: Sequence[Account]) -> list[Fetched]:
        subject = Subject({}, tuple(_placeholders(account) for account in accounts))
        answers = 0

        async def ask(request: HttpRequest) -> Any:
            nonlocal answers
            body = await session.ask(request)
            answers += 1
            return body

        try:
            results = await self._steps(ask, subject, {})
            rows = steps.read(self._own.steps[-1], results.pages, accounts)
        except AccountFailed as failure:
            failure.step, failure.after_answers = failure.step or len(self._own.steps), answers > 0
            raise
        except AccountGone as failure:
            failure.after_answers = answers > 0
            raise
        return [self._read_row(account, rows) for account in accounts]

    def _may_split(self, failure: AccountGone | AccountFailed) -> bool:
        """Whether a failed batch may be split: not if a POST may have started a paid job, unless refused."""
        if any(step.is_post for step in self._own.steps):
            return self._own.steps[0].is_post and not failure.after_answers and failure.status in _REFUSES_AN_OBJECT
        return not (isinstance(failure, AccountFailed) and failure.step > 1)

    def _read_row(self, account: Account, rows: Rows) -> Fetched:
        row = rows.of(account)
        if row is None:
            return Unfetched(account.id, "the answer has no row for it", gone=True, trouble="account-gone")
        results = StepResults()
        results.take(self._own.steps[-1], row, self._campaign(account))
        try:
            return self._fetched(account, results)
        except AccountFailed as failure:
            return Unfetched(account.id, str(failure), trouble=failure.trouble)

    def _fetched(self, account: Account, results: StepResults) -> Fetched:
        flaw = "; ".join(results.flaws)
        if results.metrics == Metrics():
            raise AccountFailed("the answer holds none of the metrics" + (f": {flaw}" if flaw else ""))
        precision = results.precision(self._own.precision)
        values = ParsedMetrics(account.id, results.metrics, self._settings.source, self._clock(), precision, flaw)
        # Likes of "1.2M" say nothing of the followers beside them.
        exact = frozenset(METRICS) - results.rounded if self._own.precision is Precision.EXACT else frozenset()
        if not self.counts_campaign:
            return replace(values, exact=exact) if results.rounded else values
        # What is counted video by video is as exact as these are, however the followers are shown.
        exact = exact or frozenset({"videos"})
        return replace(values, counted=account.campaign.key, exact=exact, unfinished=results.unfinished)

    def _campaign(self, account: Account) -> Campaign:
        """The videos that count, if a step finds videos."""
        return account.campaign if self.counts_campaign else EVERYTHING


def _platform_of(account: Account) -> str:
    """The account's platform: its link's, else its own field."""
    return platform(_link_of(account)) or known_platform(account.platform) or account.platform.casefold()


def _placeholders(account: Account) -> dict[str, str]:
    name, link = name_of(account), _link_of(account)
    return {"username": name, "channel_id": name, "link": link, "platform": _platform_of(account)}


def _link_of(account: Account) -> str:
    """The link to send; "" if there is none, or it leads to another site than the account's platform."""
    link = profile_link(account.link, account.platform) or link_in(account.link)
    return link if platform(link) or not known_platform(account.platform) else ""
