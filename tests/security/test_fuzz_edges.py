"""Wounded answers at every edge: the daemon goes on, with a value or the edge's own error, in time and in bounds.

SOAK_EDGES=20000 SOAK_SEED=7 pytest -s tests/security/test_fuzz_edges.py
"""

import asyncio
import io
import json
import os
import random
import resource
import traceback
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import stamina
import structlog

from fake_google import FakeGoogle
from fuzz_edges import opened
from smart_sync import logs
from smart_sync.aio import http_client
from smart_sync.core.worksheet import grid
from smart_sync.parsers import error_responses
from smart_sync.sheets import access_token, transport
from smart_sync.store.sqlite import driver

TRIED = int(os.environ.get("SOAK_EDGES", "200"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
#: Seconds that one answer may hold up its edge, on a busy machine.
MAX_SECONDS = 15.0
#: The largest answer is bounded at 64 MiB; a leak of 10 kB an answer would be 200 MB in a soak.
MAX_GROWN_KB = 250_000
#: These take many times as long as the others: a pass, a client of its own for each request.
RARE = {"rows": 0.1, "parsed file": 0.5, "ping": 0.3, "webhook": 0.5}


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Without the waits between two tries, and without a log of thousands of lines."""
    logs.configure("json", "error", io.StringIO())
    with stamina.set_testing(True, attempts=2):
        yield
    structlog.reset_defaults()


async def fuzz(folder: Path, google: FakeGoogle, tries: int, seed: int, only: str = "", *, enough: int = 10**9) -> int:
    """So many answers over the edges (or at one), until ``enough`` have broken; how many broke an edge."""
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    broken: Counter[str] = Counter()
    async with opened(folder, google) as edges:
        all_edges = {name: edge for name, edge in edges.all().items() if only in ("", name)}
        weights = [RARE.get(name, 1.0) for name in all_edges]
        picks = random.Random(seed)
        for number in range(tries):
            chance = random.Random(f"{seed}/{number}")
            name = picks.choices(list(all_edges), weights)[0]
            try:
                async with asyncio.timeout(MAX_SECONDS):
                    await all_edges[name](chance)
            except Exception as error:
                broken[f"{name}: {type(error).__name__}"] += 1
                if broken.total() <= 5 and not only:
                    print(f"seed {seed}, number {number}, edge {name}:")  # noqa: T201
                    traceback.print_exception(error, limit=-6)
            if broken.total() >= enough:
                break
    if broken:
        print(broken)  # noqa: T201
    return broken.total()


async def test_edges(tmp_path: Path, google: FakeGoogle) -> None:
    """Whatever is answered, by whom and how: a value or the edge's own error in one line, in time and memory bounds."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    broken = await fuzz(tmp_path, google, TRIED, SEED)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"edges: tried {TRIED}, broken {broken}; peak +{grown} kB")  # noqa: T201
    assert broken == 0
    assert grown < MAX_GROWN_KB


def _believed(said: Any, _response: Any) -> Any:
    """The token's answer as it came."""
    return said


def _trusting(said: str, now: datetime) -> float | None:
    try:
        return (parsedate_to_datetime(said) - now).total_seconds()
    except ValueError:
        return None


#: The edge, the guard that is taken away there, what stands in its place, and a seed that soon shows it.
WEAKER: dict[str, tuple[str, Any, str, Any, int]] = {
    "a token is believed": ("token", access_token, "request_grant", _believed, 1),
    "a redirect is followed anywhere": ("batch", transport, "check_redirect", lambda _response: None, 15),
    "Retry-After is trusted": ("batch", http_client, "retry_after", _trusting, 1),
    "texts are believed to be UTF-8": ("rows", driver, "readable", bytes.decode, 5),
    "a seller is read without a depth": ("apify-tiktok", error_responses, "read_json", json.loads, 1),
    "lone surrogates pass": ("batch", grid, "storable", str, 4),
    "a token is read without a depth": ("token", access_token, "read_json", json.loads, 1),
    "a platform is read without a depth": ("facebook", error_responses, "read_json", json.loads, 1),
}


#: What ends in the middle of an answer leaves its connection open.
LEAVES = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@LEAVES
@pytest.mark.parametrize("name", WEAKER)
async def test_an_edge_without_its_guard_is_seen(
    tmp_path: Path, google: FakeGoogle, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Negative control: where a guard is missing, the same answers break the edge."""
    edge, module, guard, weaker, seed = WEAKER[name]
    monkeypatch.setattr(module, guard, weaker)
    assert await fuzz(tmp_path, google, 600, seed, edge, enough=1) == 1
