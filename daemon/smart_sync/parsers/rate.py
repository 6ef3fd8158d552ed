"""How many calls a platform allows, as people write it."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``calls`` in any ``seconds``."""

    calls: int
    seconds: float

    def __str__(self) -> str:
        unit = next((name for name, seconds in _SECONDS.items() if seconds == self.seconds), f"{self.seconds:g}s")
        return f"{self.calls}/{unit}"


def read_rate(value: object) -> object:
    """``"600/min"`` → `Rate`; also per s, h, d.  Raises ValueError."""
    if isinstance(value, Rate):
        return value
    found = re.fullmatch(r"\s*([1-9][0-9]{0,5})\s*/\s*(s|min|h|d)\s*", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('expected a rate such as "10/s", "600/min", "200/h" or "5000/d"')
    return Rate(int(found[1]), _SECONDS[found[2]])


ApiRate = Annotated[Rate, BeforeValidator(read_rate)]
