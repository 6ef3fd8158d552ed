"""systemd/monitoring: every line is run on what a real daemon logs, and names nothing that is not logged."""

import asyncio
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon_process import Daemon, run_command, write_config
from fake_google import FakeGoogle
from smart_sync.events import COMMON_FIELDS, EVENTS
from world import KEY, World

FOLDER = Path(__file__).parents[2] / "systemd" / "monitoring"
PAGE = (FOLDER.parents[1] / "docs" / "how-to" / "monitoring.md").read_text()
VECTOR = tomllib.loads((FOLDER / "vector.toml").read_text())
ALERTS = (FOLDER / "alerts.yml").read_text()
ONE_LINERS = [line for line in PAGE.splitlines() if re.match(r"logs .*\| jq ", line)]
#: Metrics of Vector's own source.
HOST_METRICS = {"host_filesystem_free_bytes"}
#: Those of GET /metrics that alerts look at; `test_metrics` holds all of them.
SERVED = {
    "smart_sync_leader",
    "smart_sync_led",
    "smart_sync_up",
    "smart_sync_last_pass_timestamp_seconds",
    "smart_sync_project_outcome",
    "smart_sync_project_stale",
    "smart_sync_google_quota_wait_seconds_total",
    "smart_sync_parser_failing",
    "smart_sync_webhooks_waiting",
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a daemon with four passes: a project in step, one degraded, one that fails since the second pass."""
    folder = tmp_path_factory.mktemp("log")
    with FakeGoogle() as google:
        world = asyncio.run(World(folder, google).create())
        for name in ("Good", "Degraded", "Failing"):
            world.add_project(name, [name.lower()], project_id=name)
        world.sheet("Good", good=["junk", 2, 3, 4, 5])
        del google.spreadsheets[KEY].worksheets["Degraded"]
        (folder / "parsed.csv").write_text("link,views\nhttps://www.tiktok.com/@good,900\n")
        text = '[log]\nformat = "json"\n[parsers.csv]\npath = "parsed.csv"\n'
        with Daemon(write_config(folder, text, google=google, spreadsheet=KEY)) as daemon:
            run_command("sync", "--config", str(daemon.config))
            world.execute(
                "CREATE TRIGGER grudge BEFORE UPDATE ON worksheet_reads WHEN NEW.project_id = 'Failing'"
                " BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
            world.execute(
                "CREATE TRIGGER grudge2 BEFORE INSERT ON worksheet_reads WHEN NEW.project_id = 'Failing'"
                " BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
            for number in range(3):
                world.sheet("Failing", failing=[number + 10] * 5)
                run_command("sync", "--config", str(daemon.config))
            assert daemon.stop() == 0
        path = folder / "journal"
        # Other programs of the unit write what they like.
        path.write_text("Started smart-sync.service\n" + daemon.output())
    return path


@pytest.fixture(scope="module")
def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def run(one_liner: str, log: Path) -> str:
    """What a line of the page prints, with the daemon's log in the journal's place."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    script = f'logs() {{ cat "{log}"; }}\nset -o pipefail\n{one_liner}'
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), one_liner
    return ended.stdout


def only(containing: str) -> str:
    (found,) = [line for line in ONE_LINERS if containing in line]
    return found


@pytest.mark.parametrize("one_liner", ONE_LINERS, ids=lambda line: str(ONE_LINERS.index(line)))
def test_every_one_liner_runs(one_liner: str, log: Path) -> None:
    """Each line runs on real output without a complaint, and says something; and on an empty log it does not fail."""
    said = run(one_liner, log)
    assert said.strip() or "sqlite.at_risk" in one_liner
    empty = log.with_name("empty")
    empty.touch()
    run(one_liner, empty)


def test_freshness_is_the_age_of_the_last_good_pass(log: Path) -> None:
    """A small number of seconds, or the word none."""
    assert 0 <= int(run(only("fromdateiso8601] |"), log)) < 600
    nothing = log.with_name("nothing")
    nothing.write_text("no pass yet\n")
    assert run(only("fromdateiso8601] |"), nothing).strip() == "none"


def test_durations_and_the_error_rate_are_right(log: Path, lines: list[dict[str, Any]]) -> None:
    """They are what the canonical lines add up to."""
    seconds = sorted(line["seconds"] for line in lines if line["event"] == "sync.finished")
    told = json.loads(run(only("median"), log))
    assert told == {"passes": len(seconds), "median": seconds[len(seconds) // 2], "worst": seconds[-1]}
    outcomes = [line["outcome"] for line in lines if "outcome" in line]
    told = json.loads(run(only("rate:"), log))
    assert told == {"passes": len(outcomes), "failed": 3, "degraded": 5, "rate": pytest.approx(8 / len(outcomes))}


def test_a_project_that_failed_three_times_is_named(log: Path) -> None:
    """It alone, how often in a row, and why."""
    project, times, reason = run(only("$times >= 3"), log).rstrip("\n").split("\t")
    assert (project, times) == ("Failing", "3")
    assert reason


def test_degraded_time_is_that_of_the_degraded(log: Path) -> None:
    """Zero for who was never degraded; for the others the time between their lines."""
    seconds = dict(line.split("\t") for line in run(only("def at"), log).splitlines())
    assert (seconds["Good"], seconds["Failing"]) == ("0", "0")
    assert float(seconds["Degraded"]) >= 0
    earlier = log.with_name("earlier")
    first, last = '"timestamp": "2026-03-10T10:00:00.5Z"', '"timestamp": "2026-03-10T10:30:00.1Z"'
    line = '{"event": "project.degraded", "outcome": "degraded", "project_id": "1", "project": "P", %s}\n'
    earlier.write_text(line % first + line % last)
    assert run(only("def at"), earlier) == "P\t1800\n"


def test_what_google_cost_is_the_sum(log: Path, lines: list[dict[str, Any]]) -> None:
    """Calls, repeats, waiting and bytes of all passes; and each parser's last report."""
    passes = [line for line in lines if line["event"] == "sync.finished"]
    told = json.loads(run(only("$pass.calls"), log))
    assert told["calls"] == sum(line["calls"] for line in passes) > 0
    assert told["bytes"] == sum(line["bytes"] for line in passes) > 0
    assert json.loads(run(only("quota_left"), log))["csv"]["failed"] == 0


def test_what_went_wrong_is_listed(log: Path) -> None:
    """Warnings and errors with project and reason, and nothing else."""
    said = [line.split("\t") for line in run(only("WARNING"), log).splitlines()]
    assert {"project.failed", "project.degraded", "worksheet.problem_found"} <= {event for _, event, _, _ in said}
    assert "project.synced" not in {event for _, event, _, _ in said}


def test_only_events_and_fields_of_the_catalogue_are_named() -> None:
    """The page and vector.toml name no event and no field that the daemon does not log."""
    known = {name for event in EVENTS.values() for name in event.fields} | set(COMMON_FIELDS)
    made = {"at", "failing", "standing_in", "at_risk", "message"} | {"passes", "rate", "stale"}
    for one_liner in ONE_LINERS:
        assert set(re.findall(r'"([a-z]+\.[a-z_]+)"', one_liner)) <= set(EVENTS), one_liner
        assert set(re.findall(r"\.([a-z_]+)", re.sub(r'"[^"]*"', "", one_liner))) <= known | made, one_liner
    assert set(re.findall(r'"([a-z]+\.[a-z_]+)"', _programs())) <= set(EVENTS)
    assert set(re.findall(r"(?<!\w)\.([a-z_]+)", _programs())) <= known | made
    for metric in _metrics():
        assert metric["field"] in known | made
        assert set(re.findall(r"{{(\w+)}}", json.dumps(metric.get("tags", {})))) <= known


def test_alerts_look_at_metrics_that_are_made() -> None:
    """Each metric of an alert is made by vector.toml or served by GET /metrics; what tells of passes, projects, parsers
    and quota looks at both, so that either will do; and each alert is in the page's table.
    """
    of_log = {f"{metric['namespace']}_{metric['name']}" for metric in _metrics()} | HOST_METRICS
    of_log_alone = {"SmartSyncErrors", "SmartSyncDiskFull", "SmartSyncSqliteAtRisk"}
    found = re.findall(r"alert: (\w+)\n(.*?)\n        (?:for|labels):", ALERTS, re.DOTALL)
    assert len(found) == 10
    for alert, expression in found:
        used = set(re.findall(r"\b(?:smart_sync|host)_\w+", expression))
        assert used
        assert used <= of_log | SERVED, expression
        assert alert == "SmartSyncMessagesWaiting" or used & of_log, expression
        assert alert in of_log_alone or used & SERVED, expression
    assert re.findall(r"alert: (\w+)", ALERTS) == re.findall(r"^\| `(SmartSync\w+)` \|", PAGE, re.MULTILINE)


def test_vectors_filters_choose_the_right_lines(lines: list[dict[str, Any]]) -> None:
    """The conditions of vector.toml, on real lines: the sign of life is no forced pass; every project's line counts."""
    assert [line["trigger"] for line in lines if _chosen("good_passes", line)] == ["startup"]
    assert sum(_chosen("passes", line) for line in lines) == 5
    assert sum(_chosen("projects", line) for line in lines) == 15
    assert {line["event"] for line in lines if _chosen("errors", line)} == {"project.failed"}
    assert sum(_chosen("starts", line) for line in lines) >= 1
    good = next(line for line in lines if _chosen("good_passes", line))
    assert not _chosen("good_passes", good | {"succeeded": 0, "degraded": 0}), "all failed"
    assert not _chosen("good_passes", good | {"succeeded": 2, "degraded": 2}), "all degraded: no success"


def test_vectors_parts_are_connected() -> None:
    """Every input is a part that exists, every part but the sink is somebody's input."""
    parts = {**VECTOR["sources"], **VECTOR["transforms"], **VECTOR["sinks"]}
    inputs = {name for part in parts.values() for name in part.get("inputs", [])}
    found = {part for part in parts for name in inputs if re.fullmatch(name.replace("*", ".*"), part)}
    assert found == set(parts) - set(VECTOR["sinks"])
    assert all(any(re.fullmatch(name.replace("*", ".*"), part) for part in parts) for name in inputs)


def test_vector_accepts_its_configuration() -> None:
    """`vector validate`, where Vector is installed."""
    vector = installed("vector")
    subprocess.run([vector, "validate", "--no-environment", str(FOLDER / "vector.toml")], check=True, timeout=60)


def test_prometheus_accepts_the_alerts_and_they_fire_when_they_should() -> None:
    """`promtool check rules` and `promtool test rules`, where Prometheus is installed."""
    promtool = installed("promtool")
    for what, name in (("check", "alerts.yml"), ("test", "alerts_test.yml")):
        ended = subprocess.run(
            [promtool, what, "rules", str(FOLDER / name)], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


def installed(command: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed")
    return found


def _metrics() -> Iterator[dict[str, Any]]:
    for transform in VECTOR["transforms"].values():
        yield from transform.get("metrics", [])


def _programs() -> str:
    """The conditions and programs of vector.toml."""
    return "\n".join(str(part.get("condition") or part.get("source") or "") for part in VECTOR["transforms"].values())


def _chosen(name: str, line: dict[str, Any]) -> bool:
    """Whether a line passes the filter ``name``; its few operators mean the same in Python."""
    condition = VECTOR["transforms"][name]["condition"]
    python = re.sub(r"(?<![\w\"])\.([a-z_]+)", r'line.get("\1")', condition)
    python = python.replace("&&", "and").replace("||", "or").replace("false", "False")
    return bool(eval(python, {"line": line}))
