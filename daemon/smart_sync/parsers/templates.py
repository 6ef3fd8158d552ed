"""Placeholders such as ``{username}`` in the addresses and bodies of a configured request."""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from smart_sync.core.foreign_text import storable

#: What a batch has in place of an account's own placeholders: one element per account, or a list of all.
EACH = "each."
LISTS = {"usernames": "username", "links": "link", "channel_ids": "channel_id"}

Values = Mapping[str, str]


def names_in(template: object) -> set[str]:
    """The placeholders in a text, or in any text of a JSON value.  Raises ValueError for a brace that is not closed."""
    found: set[str] = set()
    for text in _texts(template):
        try:
            found |= {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        except ValueError:
            raise ValueError("a brace is not closed; write {{ and }} for braces") from None
    return found


def address(template: str, values: Values) -> str:
    """``template`` filled in, every value percent-encoded, so that none adds a path, an option or a host."""
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
