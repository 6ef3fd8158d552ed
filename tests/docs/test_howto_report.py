"""`docs/how-to/weekly-report.md`: its script mails the report, as it stands but for paths, on Mondays."""

import csv
import email
import email.policy
import io
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cronsim import CronSim

from daemon_process import COMMAND, PATIENCE, write_config
from markdown_pages import HOW_TO, texts
from report_data import ReportDatabase

PAGE = HOW_TO / "weekly-report.md"
SCRIPT, BY_HAND = texts(PAGE, "sh")
NAME = "/usr/local/bin/weekly-report"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration, a database with a value of today, the script, and a sendmail that keeps what it is given."""
    write_config(tmp_path, '[sheets]\ndirectory = "."\n')
    database = ReportDatabase(tmp_path / "view_counter.db")
    account = database.account(database.project("=P"), "@a")
    database.snapshots(account, {f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}": 4_321})
    (tmp_path / "sendmail").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat > {tmp_path}/sent\n')
    (tmp_path / "sendmail").chmod(0o755)
    (tmp_path / "smart-sync").write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    (tmp_path / "smart-sync").chmod(0o755)
    script = SCRIPT.replace("/etc/smart-sync/config.toml", str(tmp_path / "config.toml"))
    (tmp_path / "weekly-report").write_text(script)
    return tmp_path


def by_hand(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    return subprocess.run(
        ["bash", "-e", "-c", BY_HAND.replace(NAME, str(folder / "weekly-report"))],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def test_the_report_is_mailed(folder: Path) -> None:
    """The mail has the whole report and the tables as attachments, and nothing is left lying about."""
    ended = by_hand(folder)
    assert ended.returncode == 0, ended.stderr
    mail = email.message_from_bytes((folder / "sent").read_bytes(), policy=email.policy.default)
    assert (mail["To"], (folder / "asked").read_text()) == ("managers@example.com", "-t -i\n")
    found = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
    assert found.keys() == {"report.html", "totals.csv", "to_put_right.csv"}
    assert "4,321" in found["report.html"]
    assert "<h1>The week's views</h1>" in found["report.html"].replace("&#x27;", "'")
    (row,) = csv.DictReader(io.StringIO(found["totals.csv"].lstrip("\ufeff")))
    assert (row["project"], row["name"], row["views"], row["share_percent"]) == ("'=P", "tiktok", "4321", "100.0")
    assert not list(folder.glob("tmp*"))


def test_nothing_is_mailed_where_there_is_no_report(folder: Path) -> None:
    """A report that cannot be made sends no mail, and says why on standard error, which cron mails to the operator."""
    (folder / "view_counter.db").unlink()
    ended = by_hand(folder)
    assert ended.returncode != 0
    assert "smart-sync: " in ended.stderr
    assert not (folder / "sent").exists()


def test_cron_runs_it_on_mondays() -> None:
    """The line of the table names the script, its user and eight o'clock on Mondays."""
    (lines,) = texts(PAGE, "cron")
    *when, user, command = lines.splitlines()[-1].split()
    assert (user, command) == ("smart-sync", NAME)
    assert next(CronSim(" ".join(when), datetime(2026, 3, 11))) == datetime(2026, 3, 16, 8)  # noqa: DTZ001  cron's
