"""What a large worksheet costs the process that reads it."""

import os
from pathlib import Path

import pytest
from bench.reader import measure, wide

#: kB a row of 26 columns may cost: 200,000 of them are 250 MB with all that is imported.
MOST = 0.95
ROWS = 30_000


def test_a_large_worksheet_is_in_memory_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and understanding 200,000 rows of 26 columns stays within 250 MB, judged by a part of them."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(path) for path in _paths()))
    (little,) = measure({"Project 00000": wide(10)}, tmp_path)
    (large,) = measure({"Project 00000": wide(ROWS)}, tmp_path)
    cost = (large["peak"] - little["peak"]) / ROWS
    assert cost < MOST
    assert little["peak"] + 200_000 * cost < 250_000


def _paths() -> list[Path]:
    root = Path(__file__).parents[2]
    return [root, root / "daemon", root / "tests/support"]
