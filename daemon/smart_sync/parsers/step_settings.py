"""``[[parsers.<name>.steps]]``: a request of a configured source, its placeholders and the values it finds."""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from smart_sync.config.secrets import is_elsewhere, protect_in
from smart_sync.config.values import MetricName, Seconds, check_text
from smart_sync.core.campaign import OF_VIDEOS
from smart_sync.core.foreign_text import storable
from smart_sync.parsers.api_client import is_safe
from smart_sync.parsers.expressions import Expression
from smart_sync.parsers.http import MAX_ANSWER_BYTES

#: What a batch has in place of an account's own placeholders: one element per account, or a list of all.
EACH = "each."
LISTS = {"usernames": "username", "links": "link", "channel_ids": "channel_id"}

Values = Mapping[str, str]


def names_in(template: object) -> set[str]:
    """The placeholders in a text, or in all texts of a JSON value. Raises ValueError for an unclosed brace."""
    names: set[str] = set()
    for text in _texts(template):
        try:
            names |= {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        except ValueError:
            raise ValueError("a brace is not closed; write {{ and }} for braces") from None
    return names


def address(template: str, values: Values) -> str:
    """``template`` filled in, with every value percent-encoded, so that none adds a path, option or host."""
    return _filled(template, {name: quote(storable(value), safe="") for name, value in values.items()})


def body(template: Any, values: Values, accounts: Sequence[Values] = ()) -> Any:
    """The JSON value ``template`` filled in.

    In a batch an array element that says ``{each.…}`` is repeated for each of ``accounts``, and a text that is
    nothing but ``{usernames}`` (or another of `LISTS`) becomes the list of them.
    """
    if isinstance(template, str):
        wanted = LISTS.get(template[1:-1]) if template[:1] == "{" and template[-1:] == "}" else None
        if wanted is not None:
            return [account[wanted] for account in accounts]
        return _filled(template, values)
    if isinstance(template, Mapping):
        return {name: body(value, values, accounts) for name, value in template.items()}
    if isinstance(template, list):
        return [filled for element in template for filled in _elements(element, values, accounts)]
    return template


def _elements(element: Any, values: Values, accounts: Sequence[Values]) -> Iterator[Any]:
    if not any(name.startswith(EACH) for name in names_in(element)):
        yield body(element, values, accounts)
        return
    for account in accounts:
        yield body(element, {**values, **{f"{EACH}{name}": value for name, value in account.items()}}, accounts)


def _filled(text: str, values: Values) -> str:
    """``text`` with its placeholders replaced: names only, so that no value is ever taken for a format."""
    filled = ""
    for literal, name, _, _ in string.Formatter().parse(text):
        filled += literal + (values[name] if name is not None else "")
    return filled


def _texts(template: object) -> Iterable[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _texts(value)
    elif isinstance(template, list):
        for value in template:
            yield from _texts(value)


#: Seconds that a step with ``until`` may take, unless it has a ``timeout``.
POLLING = 300.0
_MAX_BYTES = 64 * 2**20


def _url(text: str) -> str:
    names_in(text)
    _refuse_references(query := dict(parse_qsl(text.partition("?")[2])))
    protect_in(query)
    if "://" not in text:
        return text.lstrip("/")
    if "{" in text.split("//", 1)[-1].split("/", 1)[0].split("?", 1)[0]:
        raise ValueError("the host must not depend on the account")
    return is_safe(text)


def _body(value: Any) -> Any:
    names_in(value)
    _refuse_references(value)
    protect_in(value)
    return value


def _refuse_references(value: Any, where: str = "") -> None:
    """Raise ValueError for ``env:NAME`` and the like, which would be sent literally."""
    if isinstance(value, str) and is_elsewhere(value):
        at = f"{where} names" if where else "names"
        raise ValueError(f"{at} a secret that is kept elsewhere; put it into headers or query of [parsers.<name>]")
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        _refuse_references(inner, f"{where}.{name}" if where else str(name))


#: A whole address, or a path below ``api_url``.
Url = Annotated[str, AfterValidator(_url)]
#: Anything that TOML can say, with placeholders in its texts.
Body = Annotated[Any, AfterValidator(_body)]
#: Parameters, with placeholders in their values.
Parameters = Annotated[dict[str, str], AfterValidator(_body)]


class StepSettings(BaseModel):
    """One request, or one per page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _text = field_validator("*", mode="before")(check_text)

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
        """The metrics that it provides."""
        return {*self.metrics, *(("videos", "views") if self.items is not None else ())}

    @property
    def is_post(self) -> bool:
        """Whether it sends a body."""
        return self.json_body is not None or self.form is not None

    @property
    def placeholders(self) -> set[str]:
        """The placeholders to fill in."""
        return names_in([self.url, self.query, self.json_body, self.form or {}])


#: What every step may say of the account; {username} is without @, {channel_id} as {username}: what the link names.
PLACEHOLDERS = frozenset({"username", "link", "channel_id", "platform"})
_BATCH = frozenset({*LISTS, *(f"{EACH}{name}" for name in PLACEHOLDERS)})


def check_placeholders(steps: Sequence[StepSettings], *, is_batch: bool) -> None:
    """Raise ValueError for an unknown placeholder, and if no step uses one of the account's."""
    allowed = set(_BATCH if is_batch else PLACEHOLDERS)
    about = set(allowed)
    for number, step in enumerate(steps, 1):
        if unknown := step.placeholders - allowed:
            names = ", ".join(sorted(allowed))
            raise ValueError(f"step {number}: no such placeholder: {{{min(unknown)}}}; there are {names}")
        allowed |= step.take.keys()
    if not any(step.placeholders & about for step in steps):
        meant = "{usernames} or {each.link}" if is_batch else "{username}, {link} or {channel_id}"
        raise ValueError(f"says for no account which one is meant; use {meant}")


def check_campaign(steps: Sequence[StepSettings]) -> None:
    """Raise ValueError if a number would be a lifetime total."""
    if sum(step.items is not None for step in steps) != 1:
        raise ValueError("count = 'campaign' needs one step with items, published and plays: the array of the videos")
    for number, step in enumerate(steps, 1):
        if step.items is None and (lifelong := [name for name in OF_VIDEOS if name in step.metrics]):
            raise ValueError(
                f"steps.{number}.metrics: {', '.join(lifelong)}: of the lifetime, and count = 'campaign' wants those of"
                " the videos in items; leave that out"
            )


def check_polling(steps: Sequence[StepSettings], deadline: float) -> None:
    """Raise ValueError for a step whose job, which may be paid for, would be given up early."""
    for number, step in enumerate(steps, 1):
        if step.until is not None and (limit := step.timeout or POLLING) >= deadline:
            raise ValueError(
                f"steps.{number}.timeout: {limit:g} s is not less than deadline, {deadline:g} s; raise deadline"
            )
