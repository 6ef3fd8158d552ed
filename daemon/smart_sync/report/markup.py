"""HTML without injection: whatever is not `Html` is escaped by `el`."""

import html
from collections.abc import Iterable

from smart_sync.core.history.growth import Growth
from smart_sync.logs import printable
from smart_sync.report.words import Words

MAX_NAME = 80


class Html(str):
    """Text that is HTML already. Only this module and the page's template create it."""

    __slots__ = ()


Child = str | int | None
_VOID = {"br", "input", "meta", "link"}


def el(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """The element ``name``.

    A trailing underscore of an attribute's name is dropped, others become hyphens; None leaves the attribute out.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        words.append(attribute if value is True else f'{attribute}="{escaped(value)}"')
    opened = f"<{' '.join(words)}>"
    return Html(opened if name in _VOID else f"{opened}{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Html:
    """Concatenate children; None is skipped."""
    return Html("".join(c if isinstance(c, Html) else escaped(c) for c in children if c is not None))


def escaped(value: object) -> str:
    """Any text as HTML; control characters and direction overrides become visible."""
    text = str(value)
    return html.escape(printable(text, len(text)).encode(errors="replace").decode())


def short(text: str, limit: int = MAX_NAME) -> str:
    """``text``, truncated if it is too long."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def named(text: str, fallback: str = "–") -> Html:
    """A foreign name: truncated, and isolated from the direction of the text around it."""
    return el("bdi", short(text.strip()) or fallback)


def change_cell(words: Words, change: Growth | None, accounts: int = 1, *, moved: bool = False) -> Html:
    """A change over ``accounts`` accounts, with its period if that is not the requested one.

    ``moved``: without the days that end a carried stretch.
    """
    if change is None:
        return el("span", "–", title=words.say("no_older_value"), class_="none")
    amount = change.moved if moved else change.amount
    direction = "up" if amount > 0 else "down" if amount < 0 else "same"
    notes = []
    if not change.exact:
        notes.append(words.say("some_since" if change.accounts > 1 else "since", day=words.day(change.since)))
    if change.accounts < accounts:
        notes.append(words.say("of_accounts", some=change.accounts, all=words.counted(accounts, "of accounts")))
    if change.ends:
        kind = "left_out" if moved else "ends"
        one = len(change.ends) == 1
        which = words.day(change.ends[0]) if one else words.counted(len(change.ends), "day")
        notes.append(words.say(f"{kind}_one" if one else f"{kind}_several", which=which))
    shown = f"({words.change_percent(100 * amount / change.before)})" if change.before and amount else None
    return join(
        (
            el("span", words.signed(amount), class_=direction),
            *((" ", el("small", shown)) if shown else ()),
            *((" ", el("small", ", ".join(notes), class_="note")) if notes else ()),
        )
    )


def table(
    caption: str,
    heads: Iterable[Child],
    rows: Iterable[Iterable[Child]],
    *,
    text_columns: int = 1,
    numbers: bool = True,
) -> Html:
    """A table that scrolls if it is too wide; the first ``text_columns`` are text, the others numbers."""
    columns = list(heads)
    kinds = [None if place < text_columns or not numbers else "number" for place in range(len(columns))]
    head = el("tr", *(el("th", h, scope="col", class_=k) for h, k in zip(columns, kinds, strict=True)))
    body = join(_row(cells, kinds) for cells in rows)
    whole = el("table", el("caption", caption), el("thead", head), el("tbody", body))
    return el("div", whole, class_="scroll", tabindex=0, role="group", aria_label=caption)


def _row(cells: Iterable[Child], kinds: list[str | None]) -> Html:
    first, *others = cells
    return el(
        "tr", el("th", first, scope="row"), *(el("td", c, class_=k) for c, k in zip(others, kinds[1:], strict=True))
    )
