"""Any source that answers JSON over HTTP, by configuration alone."""

import string
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import jmespath
import jmespath.exceptions
from pydantic import AfterValidator, Field

from smart_sync.clock import Clock, utc_now
from smart_sync.config import ParserSettings
from smart_sync.config.values import MetricName
from smart_sync.core.cells import Unreadable, read_count
from smart_sync.core.links import platform
from smart_sync.core.model import METRICS, Account, Metrics, Precision
from smart_sync.parsers import answers
from smart_sync.parsers.api import ApiSettings, Session, is_safe
from smart_sync.parsers.failures import AccountFailed, AccountGone, Refused
from smart_sync.parsers.platform import PlatformParser, name_of
from smart_sync.parsers.wire import Answer
from smart_sync.secret import Values

PLACEHOLDERS = frozenset({"username", "link", "channel_id", "platform"})


def _template(url: str) -> str:
    try:
        names = {name for _text, name, _spec, _conversion in string.Formatter().parse(url) if name is not None}
    except ValueError:
        raise ValueError("a brace is not closed; write {{ and }} for braces") from None
    if unknown := names - PLACEHOLDERS:
        raise ValueError(f"no such placeholder: {{{min(unknown)}}}; there are {', '.join(sorted(PLACEHOLDERS))}")
    if not names:
        raise ValueError("says for no account which one is meant; use {username}, {link} or {channel_id}")
    if "{" in url.split("//", 1)[-1].split("/", 1)[0]:
        raise ValueError("the host must not depend on the account")
    return is_safe(url)


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from None
    return text


Expression = Annotated[str, AfterValidator(_expression)]


class HttpJsonSettings(ApiSettings):
    """``[parsers.<name>]`` with ``kind = "http_json"``."""

    #: With {username} (without @), {link}, {channel_id} (as {username}: what the link names), {platform}.
    url: Annotated[str, AfterValidator(_template)]
    headers: Values = Field(default_factory=dict)
    #: Added to the address; for sources that want their key there.
    query: Values = Field(default_factory=dict)
    #: Metric → where the answer has it.  With ``next``, the expressions see the array of all pages.
    metrics: Annotated[dict[MetricName, Expression], Field(min_length=1)]
    #: True, or any value, where the source says that it has no such account.
    gone: Expression = "`null`"
    precision: Precision = Precision.EXACT
    #: Where a page has the token of the next one, and the parameter that takes it.
    next: Expression | None = None
    next_param: str = "page_token"
    max_pages: Annotated[int, Field(ge=1, le=100)] = 10


class HttpJson(PlatformParser):
    """The metrics that ``[parsers.<name>.metrics]`` points to."""

    settings: ClassVar[type[ParserSettings]] = HttpJsonSettings

    def __init__(self, settings: HttpJsonSettings, clock: Clock = utc_now) -> None:
        super().__init__(settings, clock)
        self._own = settings
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._query = {name: value.get_secret_value() for name, value in settings.query.items()}

    async def ask(self, session: Session, account: Account) -> Metrics | None:
        """As the base class."""
        if not name_of(account) and "{link}" not in self._own.url:
            return None
        pages = await self._pages(session, self._address(account))
        if _found(self._own.gone, pages[0]):
            raise AccountGone("the source does not have it")
        document = pages if self._own.next is not None else pages[0]
        return Metrics(*(_metric(self._own.metrics.get(name), document) for name in METRICS))  # type: ignore[call-overload]

    def judge(self, answer: Answer, now: datetime) -> Any:
        """As `answers.judge`, saying which table's credentials are refused."""
        try:
            return answers.judge(answer, now)
        except Refused as failure:
            raise Refused(f"{failure} in [parsers.{self._settings.source}] headers or query") from None

    def precision(self, metrics: Metrics) -> Precision:
        """As configured."""
        return self._own.precision

    def _address(self, account: Account) -> str:
        name = quote(name_of(account), safe="")
        where = platform(account.link) or account.platform.casefold()
        return self._own.url.format(
            username=name, channel_id=name, link=quote(account.link, safe=""), platform=quote(where, safe="")
        )

    async def _pages(self, session: Session, url: str) -> list[Any]:
        pages, params = [], dict(self._query)
        while True:
            pages.append(await session.get(url, params, self._headers))
            token = _found(self._own.next, pages[-1]) if self._own.next is not None else None
            if not isinstance(token, str | int) or isinstance(token, bool) or token == "":
                return pages
            if len(pages) == self._own.max_pages:
                raise AccountFailed(f"there are more than {len(pages)} pages; raise max_pages")
            params[self._own.next_param] = str(token)


def _found(expression: str, document: Any) -> Any:
    try:
        return jmespath.search(expression, document)
    except jmespath.exceptions.JMESPathError as error:
        raise AccountFailed(f"the answer does not fit the expression {expression}: {type(error).__name__}") from None


def _metric(expression: str | None, document: Any) -> int | None:
    value = _found(expression, document) if expression is not None else None
    if not isinstance(value, str | int | float):
        return None
    try:
        return read_count(value)
    except Unreadable:
        return None
