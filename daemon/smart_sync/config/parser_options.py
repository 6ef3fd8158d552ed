"""Optional keys of parsers' tables, read in one place.

A parser of another package brings settings of its own, with these keys or without them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from smart_sync.config.sections import ParserSettings
from smart_sync.core.campaign import Count


@dataclass(frozen=True)
class ParserOptions:
    """The keys that only some parsers have, with defaults for the others."""

    #: What it counts; None: it cannot count a campaign.
    count: Count | None = None
    #: Whether any of its numbers is one of videos.
    shows_videos: bool = True
    #: Requests in any 24 hours; None: no limit.
    budget: int | None = None
    #: A `parsers.budget.Rate`, if it has one.
    rate: object = None
    #: Seconds after which its values are emptied; None: they are kept.
    retention: float | None = None
    #: Whether the platform's terms are accepted.
    accepted: bool = False
    #: The accounts that it has tokens for, as the table names them; None: it has one token for all, or none.
    accounts: tuple[str, ...] | None = None
    #: It reads a file that another program keeps up to date, and cannot know when that program ends.
    is_file: bool = False


def options(table: ParserSettings) -> ParserOptions:
    """The optional keys of ``table``; other packages' keys of the same name but another type count as absent."""
    count, budget, retention = (getattr(table, name, None) for name in ("count", "budget", "retention"))
    own: list[Mapping[Any, Any]] = [
        names for key in ("tokens", "accounts") if isinstance(names := getattr(table, key, None), Mapping)
    ]
    return ParserOptions(
        count=cast("Count", count) if count in ("lifetime", "campaign") else None,
        shows_videos=bool(getattr(table, "shows_videos", True)),
        budget=budget if isinstance(budget, int) else None,
        rate=getattr(table, "rate", None),
        retention=retention if isinstance(retention, float | int) else None,
        accepted=bool(getattr(table, "accepted", False)),
        accounts=tuple(str(name) for names in own for name in names) if own else None,
        is_file=bool(getattr(table, "is_file", False)),
    )
