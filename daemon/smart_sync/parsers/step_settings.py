"""``[[parsers.<name>.steps]]``: what one request of a configured source says, and where its answer has what."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from smart_sync.config.secrets import is_elsewhere, protect_in
from smart_sync.config.urls import demand_text
from smart_sync.config.values import MetricName, Seconds
from smart_sync.parsers import templates
from smart_sync.parsers.api_client import is_safe
from smart_sync.parsers.expressions import Expression
from smart_sync.parsers.http import MAX_ANSWER_BYTES

_MAX_BYTES = 64 * 2**20


def _url(text: str) -> str:
    templates.names_in(text)
    _demand_literals(query := dict(parse_qsl(text.partition("?")[2])))
    protect_in(query)
    if "://" not in text:
        return text.lstrip("/")
    if "{" in text.split("//", 1)[-1].split("/", 1)[0].split("?", 1)[0]:
        raise ValueError("the host must not depend on the account")
    return is_safe(text)


def _body(value: Any) -> Any:
    templates.names_in(value)
    _demand_literals(value)
    protect_in(value)
    return value


def _demand_literals(value: Any, where: str = "") -> None:
    """Raises ValueError for ``env:NAME`` and the like: a request would carry those words."""
    if isinstance(value, str) and is_elsewhere(value):
        at = f"{where} names" if where else "names"
        raise ValueError(f"{at} a secret that is kept elsewhere; put it into headers or query of [parsers.<name>]")
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        _demand_literals(inner, f"{where}.{name}" if where else str(name))


#: A whole address, or a path below ``api_url``.
Url = Annotated[str, AfterValidator(_url)]
#: Anything that TOML can say, with placeholders in its texts.
Body = Annotated[Any, AfterValidator(_body)]
#: Parameters, with placeholders in their values.
Parameters = Annotated[dict[str, str], AfterValidator(_body)]


class StepSettings(BaseModel):
    """One request, or one for each page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _text = field_validator("*", mode="before")(demand_text)

    #: The address, or a path below ``api_url``, with placeholders: ``{username}``, ``{link}``, ``{channel_id}``,
    #: ``{platform}``.
    url: Url
    #: Parameters added to the address, with placeholders in their values.
    query: Parameters = Field(default_factory=dict)
    #: Sent by POST as JSON, with placeholders in its texts; a step without ``json`` and ``form`` is a GET.
    json_body: Body = Field(default=None, alias="json")
    #: Sent by POST as a form, with placeholders in its values.
    form: Parameters | None = None
    #: An expression (JMESPath) that is true where the source says that it has no such account; looked at on every
    #: page.
    gone: Expression | None = None
    #: An expression that is true where the source says that it cannot answer; looked at on every page.
    failed: Expression | None = None
    #: Where an answer about one account says whose it is: its user name or link.
    who: Expression | None = None
    #: Placeholder for the later steps → the expression that finds its value.
    take: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Expression] = Field(default_factory=dict)
    #: Metric → the expression that finds it. With ``next``, the expressions see the array of all pages.
    metrics: dict[MetricName, Expression] = Field(default_factory=dict)
    #: Where the answer has the array of videos; ``videos`` and ``views`` are counted in it, ``likes`` and ``comments``
    #: are looked for in each, ``followers`` are the answer's.
    items: Expression | None = None
    #: In each video: what tells it from others, as a page may begin with the last one of the page before.
    id: Expression | None = None
    #: In each video: when it was published.
    published: Expression | None = None
    #: In each video: its views.
    plays: Expression | None = None
    #: Where a page has the token of the next one.
    next: Expression | None = None
    #: The parameter or key that takes the token of the next page.
    next_param: str = "page_token"
    #: Pages that are read at most.
    max_pages: Annotated[int, Field(ge=1, le=1000)] = 10
    #: ``"one"``: the answer has all videos, and there is no ``next``.
    pages: Literal["all", "one"] = "all"
    #: ``"fail"``: with more pages than ``max_pages`` there is no value; ``"take"``: that of the pages that were read.
    on_more: Literal["fail", "take"] = "fail"
    #: The request is repeated until this expression holds; only for a GET.
    until: Expression | None = None
    #: The time between two of those requests.
    wait: Seconds = 5.0
    #: How long each answer may take; with ``until``, all of them together.
    timeout: Seconds | None = None
    #: Bytes that an answer may have.
    max_bytes: Annotated[int, Field(ge=1024, le=_MAX_BYTES)] = MAX_ANSWER_BYTES
    #: In the last step of a batch: the array with a row for each account.
    rows: Expression | None = None
    #: In the last step of a batch: where a row has its link or user name.
    key: Expression | None = None

    @model_validator(mode="after")
    def _is_one_request(self) -> "StepSettings":
        if self.json_body is not None and self.form is not None:
            raise ValueError("has both json and form; a request has one body")
        if self.until is not None and self.is_post:
            raise ValueError("until repeats the request, and a POST may be a job that is paid for; poll with a GET")
        if self.until is not None and self.next is not None:
            raise ValueError("has both until and next; poll in one step and read the pages in the next")
        if (self.rows is None) != (self.key is None):
            raise ValueError("rows and key belong together")
        if len({self.items is None, self.published is None, self.plays is None}) > 1:
            raise ValueError("items, published and plays belong together")
        if self.items is not None and (counted := sorted(self.metrics.keys() & {"videos", "views"})):
            raise ValueError(f"metrics: {', '.join(counted)}: counted from items and plays; leave that out")
        if self.items is not None and (self.next is None) != (self.pages == "one"):
            raise ValueError("with items all pages are needed; say where the next one is (next), or set pages = 'one'")
        if self.items is not None and self.next is not None and self.id is None:
            raise ValueError("a video may come on two pages; say what tells it from others: id, in each video")
        if self.items is not None and self.on_more == "take":
            raise ValueError("with items all pages are needed; set on_more = 'fail' and max_pages as high as it takes")
        return self

    @property
    def gives(self) -> set[str]:
        """The metrics that it finds."""
        return {*self.metrics, *(("videos", "views") if self.items is not None else ())}

    @property
    def is_post(self) -> bool:
        """Whether it sends a body."""
        return self.json_body is not None or self.form is not None

    @property
    def placeholders(self) -> set[str]:
        """What it wants to be filled in."""
        return templates.names_in([self.url, self.query, self.json_body, self.form or {}])
