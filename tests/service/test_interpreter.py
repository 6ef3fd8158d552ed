"""`interpreter`: the daemon is not halted in the middle of a pass, and still loses nothing."""

import gc
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from smart_sync.service import interpreter
from smart_sync.service.daemon import rest
from smart_sync.store.schema import open_database


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    """A process as the daemon's is once it is ready; afterwards as it was."""
    thresholds, turn = gc.get_threshold(), sys.getswitchinterval()
    interpreter.start()
    interpreter.settle()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(turn)


class Knot:
    """Refers to itself: counting references never frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_old_is_left_alone() -> None:
    """However much is made while a pass runs, only what is young is searched for garbage."""
    before = [generation["collections"] for generation in gc.get_stats()]
    alive = [[number] for number in range(300_000)]
    after = [generation["collections"] for generation in gc.get_stats()]
    assert len(alive) == 300_000
    assert after[0] > before[0]
    assert after[2] == before[2]


async def test_a_pass_leaves_nothing_behind(tmp_path: Path) -> None:
    """Garbage of whatever age is gone when a pass is over."""
    knots = [Knot()]
    remembered = weakref.ref(knots[0])
    gc.collect()  # it survives, and so is old
    knots.clear()
    async with open_database(tmp_path / "view_counter.db") as database:
        await rest(database)
    assert remembered() is None
