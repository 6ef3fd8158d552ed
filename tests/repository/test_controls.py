"""Negative controls: each promise's own test, run against a daemon that was deliberately weakened, must fail.

A weakness is code that every Python of the run executes first (`daemon_process.weakened`).  Promises whose tests have
a control of their own (kills, power cuts, soak, frames, secrets, sandbox, lock file) are not listed here.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon_process import NO_TRANSACTIONS, PATIENCE, weakened
from loaded_program import FIRST_CODE

ROOT = Path(__file__).parents[2]
#: Module → its path, as pytest is told it.
MODULES = {path.stem.removeprefix("test_"): path.relative_to(ROOT) for path in ROOT.glob("tests/*/test_*.py")}


@dataclass(frozen=True)
class Weakness:
    """Code that breaks a promise, and the tests (``module::test``) that must notice."""

    code: str
    tests: Sequence[str]


WEAKNESSES = {
    # The file.
    "corruption is not looked for": Weakness(
        "import smart_sync.store.sqlite.sqlite_catalogue as catalogue\n"
        "catalogue.explain_check = lambda verdict, path: None\n",
        ["durability_file::test_a_damaged_file_is_refused_untouched[once-damage_pages]"],
    ),
    "any schema will do": Weakness(
        "import smart_sync.store.schema as schema\n"
        "plain = schema.migrate\n"
        "async def migrate(transaction, path):\n"
        "    try:\n"
        "        await plain(transaction, path)\n"
        "    except schema.DatabaseUnusable: pass\n"
        "schema.migrate = migrate\n",
        ["durability_file::test_a_schema_from_the_future_is_refused_untouched"],
    ),
    "the file is opened and never looked at again": Weakness(
        "import smart_sync.store.sqlite.database as store\n"
        "async def in_place(self): pass\n"
        "store.SqliteDatabase.check_in_place = in_place\n",
        [
            "durability_file::test_a_daemon_whose_file_was_taken_away_ends_with_a_clear_last_line[removed]",
            "durability_file::test_a_file_taken_away_in_the_middle_of_a_pass_is_not_acknowledged",
        ],
    ),
    "nobody waits for a lock": Weakness(
        "import smart_sync.store.sqlite.database as store\n"
        "store.SqliteDatabase.__init__.__kwdefaults__['patience'] = 0.01\n",
        ["durability_file::test_a_lock_is_outwaited_while_there_is_patience"],
    ),
    "no transactions": Weakness(
        NO_TRANSACTIONS,
        [
            "durability_file::test_a_full_database_fails_the_pass_whole_and_the_next_one_makes_up_for_it",
            "durability_file::test_a_file_that_may_not_grow_any_more_fails_the_pass_with_the_remedy",
        ],
    ),
    "errors of SQLite in its own words": Weakness(
        "import smart_sync.store.sqlite.driver as driver\n"
        "from smart_sync.errors import DatabaseError\n"
        "driver.explain = lambda error, path: DatabaseError(str(error))\n",
        [
            "durability_file::test_a_connection_that_may_not_write_fails_every_pass_and_says_why",
            "durability_file::test_a_file_locked_at_the_start_is_an_error_with_a_remedy",
            "durability_file::test_a_damaged_file_is_refused_untouched[run-truncate]",
        ],
    ),
    "no lock between instances": Weakness(
        "import smart_sync.store.instance_lock as lock\nlock.InstanceLock.take = lambda self, database, **_: None\n",
        [
            "daemon::test_a_second_daemon_on_the_same_database_exits_75",
        ],
    ),
    # Rows and days.
    "foreign values are believed": Weakness(
        "import smart_sync.core.state as state\nfrom smart_sync.core.model import Metrics\n"
        "state.sound = lambda values: (Metrics._make(values), True)\n",
        [
            "durability_rows::test_an_inbox_that_violates_everything[followers-?]",
            "durability_rows::test_spoilt_rows_are_written_anew_though_nothing_else_has_changed[sheet_metrics]",
        ],
    ),
    "text must be UTF-8": Weakness(
        "import smart_sync.store.sqlite.driver as store\nstore.readable = lambda raw: raw.decode()\n",
        [
            "durability_rows::test_projects_that_violate_everything[name-CAST(? AS TEXT)]",
            "durability_rows::test_an_inbox_that_violates_everything[likes-CAST(? AS TEXT)]",
        ],
    ),
    "snapshots know no day": Weakness(
        "import uuid, smart_sync.core.merge.day_snapshot as day_snapshot, smart_sync.store.snapshots as snapshots\n"
        "day_snapshot.snapshot_id = lambda *_: str(uuid.uuid4())\n"
        "snapshots.TODAYS += ' LIMIT 0'\n",
        [
            "durability_rows::test_a_clock_that_jumps_a_day_ahead_and_back_makes_one_snapshot_per_day",
        ],
    ),
    "days are UTC's": Weakness(
        "import smart_sync.core.days as days\n"
        "plain = days.day_of\n"
        "days.day_of = lambda moment, timezone: plain(moment, 'UTC')\n",
        ["durability_rows::test_days_of_23_and_25_hours_have_one_snapshot_each"],
    ),
    "each project reads the clock": Weakness(
        "import dataclasses, smart_sync.sync.project as project\n"
        "from smart_sync.core.days import day_of\n"
        "plain = project.ProjectSync.sync_round\n"
        "async def each(self, group, this):\n"
        "    for one in group:\n"
        "        now = self._clock()\n"
        "        await plain(self, [one], dataclasses.replace(this, now=now, day=day_of(now, 'UTC')))\n"
        "project.ProjectSync.sync_round = each\n",
        ["durability_rows::test_midnight_inside_a_pass_does_not_split_it"],
    ),
    "an unreadable worksheet is an empty one": Weakness(
        "import dataclasses\n"
        "import smart_sync.core.merge.decisions as decide, smart_sync.core.matching.sheet_side as sheet\n"
        "from smart_sync.core.model import Worksheet\n"
        "plain = sheet.read_sheet\n"
        "def read_sheet(source, states, terms, **options):\n"
        "    there = source if isinstance(source, Worksheet) else Worksheet('P', [['Link', 'Followers']])\n"
        "    return plain(there, states, dataclasses.replace(terms, max_vanished=1.0, gone_after=0.0), **options)\n"
        "sheet.read_sheet = read_sheet\n"
        "decide.carried_decision = lambda state, index: decide.NO_WINNER\n",
        ["fault_schedules::test_no_fault_takes_a_number_from_a_manager[sqlite-4]"],
    ),
    # Backups.
    "a backup is a copied file, readable by all, over whatever is there": Weakness(
        "import os, shutil, smart_sync.admin.backup as backup\n"
        "def back_up(database, target):\n"
        "    shutil.copyfile(database, target)\n"
        "    os.chmod(target, 0o644)\n"
        "    return {'success': True, 'path': str(target), 'bytes': target.stat().st_size}\n"
        "backup.back_up = back_up\n",
        [
            "backup::test_a_backup_is_consistent_while_everything_writes",
            "backup::test_nothing_is_overwritten",
            "backup::test_a_damaged_database_makes_no_backup",
        ],
    ),
    # The socket.
    "anyone who can connect may change": Weakness(
        "import smart_sync.control.server as server\nserver.AccessServer.check_allowed = lambda self, request: None\n",
        [
            "control_rights::test_changes[65534-4343-groups4-403]",
            "control_rights::test_denied_is_logged_once",
        ],
    ),
    "only the primary group counts": Weakness(
        "import smart_sync.control.request as peer\nplain = peer.peer_of\n"
        "def peer_of(connected):\n"
        "    told = plain(connected)\n"
        "    return peer.Peer(told.pid, told.uid, told.gid, frozenset({told.gid}))\n"
        "peer.peer_of = peer_of\n",
        ["control_rights::test_changes[65534-4343-groups2-200]"],
    ),
    "nobody notes who asks": Weakness(
        "import smart_sync.sync.scheduler as runner\n"
        "plain = runner.Scheduler.request\n"
        "async def request(self, trigger, project_id=None, *, asked_by='', dry_run=False):\n"
        "    return await plain(self, trigger, project_id, dry_run=dry_run)\n"
        "runner.Scheduler.request = request\n",
        ["daemon::test_who_asked_is_in_the_log_and_in_the_history"],
    ),
    "what is at the path is removed": Weakness(
        "import smart_sync.control.socket_file as file\n"
        "file.refuse_unless_stale = lambda path: path.unlink(missing_ok=True)\n"
        "file.Listener.unlink = lambda self: self.path.unlink(missing_ok=True)\n",
        [
            "control_socket_file::test_wrong_thing[file]",
            "control_socket_file::test_wrong_thing[FIFO]",
            "control_socket_file::test_wrong_thing[symbolic link]",
            "control_socket_file::test_live_socket",
            "control_socket_file::test_other_user",
            "control_socket_file::test_unlinks_only_its_own[file]",
        ],
    ),
    "everybody may connect": Weakness(
        "import smart_sync.control.socket_file as file\n"
        "plain = file.bind_socket\n"
        "file.bind_socket = lambda path, mode, gid: plain(path, 0o666, gid)\n",
        ["control_rights::test_mode_keeps_out"],
    ),
    "what h11 forgives is forgiven": Weakness(
        "import smart_sync.control.http11 as wire\nwire.Http11.check_framing = lambda self, raw, request: None\n",
        [
            "control_http::test_smuggling[the same length twice]",
            "control_http::test_smuggling[length and chunks]",
            "control_http::test_chunks_are_last[5;a=b\\r\\nhello\\r\\n0\\r\\n\\r\\n]",
        ],
    ),
    "heads and bodies have no end": Weakness(
        "import smart_sync.control.request as messages\n"
        "plain = messages.Limits.__init__\n"
        "def without(self, *rest, **given):\n"
        "    plain(self, *rest, **{**given, 'head_bytes': 10**9, 'body_bytes': 10**9})\n"
        "messages.Limits.__init__ = without\n",
        ["control_http::test_too_long"],
    ),
    "silence has all the time in the world": Weakness(
        "import smart_sync.control.connection as talk\n"
        "plain = talk.Connection.bounded\n"
        "talk.Connection.bounded = lambda self, wait, seconds: plain(self, wait, None)\n",
        ["control_limits::test_slow_loris"],
    ),
    "each client leaves a descriptor": Weakness(
        "import os, smart_sync.control.server as server\n"
        "plain = server.AccessServer.client_left\n"
        "def left(self, *arguments):\n"
        "    os.dup(0)\n"
        "    plain(self, *arguments)\n"
        "server.AccessServer.client_left = left\n",
        ["control_limits::test_nothing_is_left", "control_fuzz::test_frames"],
    ),
    # Text.
    "the log takes text as it is": Weakness(
        "import smart_sync.logs as logs\nlogs.printable = lambda text, limit=0: str(text)\n",
        [
            "untrusted_text::test_log_answers_and_database_hold_it_as_text[console]",
            "untrusted_text::test_a_title_never_leads_out_of_the_csv_folder[terminal title]",
            "untrusted_text::test_printable_is_printable[new lines]",
        ],
    ),
    "a title is a path": Weakness(
        "import smart_sync.sheets.csv_directory as source\n"
        "source.read_file = lambda folder, title: (folder / f'{title}.csv').read_bytes()\n",
        ["untrusted_text::test_a_title_never_leads_out_of_the_csv_folder[path traversal]"],
    ),
    "the report escapes nothing": Weakness(
        "import smart_sync.report.markup as markup\nmarkup.escaped = str\n",
        ["report_page::test_names_are_text_everywhere"],
    ),
    # Secrets.
    "anybody may read the key": Weakness(
        "import smart_sync.admin.checks as checks\nchecks.open_secrets = lambda settings: iter(())\n",
        ["secrets::test_a_key_that_everybody_may_read_is_warned_about"],
    ),
    # Supervision.
    "a bad file on reload is a bug": Weakness(
        "import smart_sync.service.daemon as service\nservice.Service.reload_and_report = service.Service.reload\n",
        ["systemd_notify::test_bad_reload"],
    ),
    "a thread feeds the watchdog": Weakness(
        "import threading, time, smart_sync.service.daemon as service\n"
        "async def feed():\n"
        "    def work():\n"
        "        while True:\n"
        "            service.systemd.notify('WATCHDOG=1')\n"
        "            time.sleep(0.1)\n"
        "    threading.Thread(target=work, daemon=True).start()\n"
        "service.feed_watchdog = feed\n",
        ["systemd_notify::test_hang"],
    ),
    # The parsers.
    # Four are asked about at a time, and another's good answer may come between two: the ten hold several such pairs.
    "two refusals in a row are everybody's trouble": Weakness(
        "import smart_sync.parsers.api_client as api\napi.MAX_REFUSED = 2\n",
        [
            "parsers_failures::test_what_concerns_one_account_costs_no_other[http_json-0]",
            "parsers_failures::test_what_concerns_one_account_costs_no_other[http_json-45]",
        ],
    ),
    "the user name of the database will do": Weakness(
        "import smart_sync.parsers.per_account as per_account\n"
        "plain = per_account.name_of\n"
        "per_account.name_of = lambda account: plain(account) or account.username\n",
        ["parsers_names::test_a_bare_name_is_one_of_its_platform"],
    ),
    "whom a parser has asked is not kept": Weakness(
        "import smart_sync.store.parser_records as parser_accounts\n"
        "async def keep(*_): pass\n"
        "parser_accounts.keep = keep\n",
        [
            "parsers_schedule::test_twenty_accounts_a_day_are_twenty_calls",
            "parsers_schedule::test_a_pause_outlives_a_restart",
            "parsers_schedule::test_what_a_step_took_outlives_a_restart",
        ],
    ),
    "each process has a budget of its own": Weakness(
        "import smart_sync.store.parser_records as parser_requests\n"
        "parser_requests.REQUESTS_OF_ONE = 'SELECT at, requests FROM parser_requests WHERE parser = ? AND 0'\n",
        [
            "parsers_schedule::test_a_crash_costs_budget_and_never_gives_any",
            "parsers_schedule::test_nobody_is_asked_too_often",
            "parsers_schedule::test_a_budget_is_used_up_and_told",
        ],
    ),
}


#: Has everything imported, and runs pytest in a weakened fork for each line of standard input: a third of the cost.
_FORKER = """
import gc, json, os, sys
from pathlib import Path
import anyio.pytest_plugin, fastapi, httpx2, hypothesis.stateful, psycopg, pytest, pytest_asyncio.plugin, structlog
import fake_google, loaded_program
loaded_program.load()
loaded_program.shared()  # it has the forks' daemons
meant = loaded_program.names()
gc.collect()
gc.freeze()
for line in sys.stdin:
    code, environment, arguments, output = json.loads(line)
    pid = os.fork()
    if not pid:
        os.environ.update(environment)
        said = os.open(output, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(said, 1)
        os.dup2(said, 2)
        loaded_program.weaken(Path(code), meant)
        ended = pytest.main(arguments)
        sys.stdout.flush()
        os._exit(ended)
    os.waitpid(pid, 0)
    print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def forker() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", _FORKER]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests/support")}
    pipe = subprocess.PIPE
    # A session of its own, so that what hangs can be ended with all that it has started.
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment, start_new_session=True
    ) as process:
        yield process
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_the_tests_notice(weakness: str, forker: subprocess.Popen[str]) -> None:
    """Each test fails where its promise is broken."""
    weak = WEAKNESSES[weakness]
    # A short name: the tests put sockets into it.
    with tempfile.TemporaryDirectory() as folder:
        ended = run_weakened(weak, Path(folder), forker)
    told = re.findall(r"^\S*test_(\S+?\.py::.*?) (PASSED|FAILED|SKIPPED|ERROR)", ended, re.MULTILINE)
    # What cannot run here (no root, no tool) has nothing to notice.
    assert len(told) >= len(weak.tests), ended[-5000:]
    assert {outcome for _, outcome in told} <= {"FAILED", "SKIPPED"}, f"{told}\n{ended[-5000:]}"


def run_weakened(weak: Weakness, folder: Path, forker: subprocess.Popen[str]) -> str:
    """What pytest says of the tests."""
    environment = {**weakened(folder, weak.code), "SOAK_SEED": "1"}
    code = str(Path(environment["PYTHONPATH"], FIRST_CODE))
    environment |= {"SOAK_SCHEDULES": "80", "SOAK_FUZZ_FRAMES": "400", "CLIENTS_PATIENCE": "3"}
    arguments = ["-v", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder / 'run'}"]
    # One engine is enough to notice, and a server of its own is most of the time of a test.
    arguments += ["-k", "not postgres"]
    # The plugins are there before pytest is: it need not rewrite what they assert.
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    arguments += [f"--rootdir={ROOT}", f"--config-file={ROOT / 'pyproject.toml'}"]
    arguments += [f"{MODULES[module]}::{name}" for module, _, name in (test.partition("::") for test in weak.tests)]
    assert forker.stdin is not None
    assert forker.stdout is not None
    forker.stdin.write(json.dumps([code, environment, arguments, str(folder / "output")]) + "\n")
    forker.stdin.flush()
    assert select.select([forker.stdout], [], [], 4 * PATIENCE)[0], "the tests hang"
    assert forker.stdout.readline() == "ended\n"
    return (folder / "output").read_text()
