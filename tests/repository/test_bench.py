"""The benchmark: that it runs, not how fast anything is."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.__main__ import GROUPS

from postgres_server import programs

ROOT = Path(__file__).parents[2]
KEYS = {"what", "ours", "against", "other", "unit", "ratio", "sign", "reach", "met"}


def test_the_benchmark_measures_every_row() -> None:
    """`make bench ARGS="--quick --json"` prints a figure for each row, both sides measured, as valid JSON."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests/support'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        # Workers take long to start, and test_fan_out.py has passes by them.
        [
            sys.executable,
            "-m",
            "bench",
            "--quick",
            "--json",
            *(f"--only={name}" for name in GROUPS if name != "fan_out"),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["machine"]["cores"] >= 1
    assert len(answer["rows"]) == (38 if programs() else 35)
    for row in answer["rows"]:
        assert set(row) == KEYS
        assert row["ours"] >= 0
        assert row["other"] >= 0
