"""Reading the database for the report: read-only, in one transaction, beside a daemon that goes on writing."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from smart_sync.core.days import stamp
from smart_sync.core.merge.strategies import Winner, consistent
from smart_sync.core.merge.votes import count
from smart_sync.core.model import METRICS, Metrics
from smart_sync.core.parsed import INBOX, NO_PAST, Terms, Votes, Whose, of_row, terms
from smart_sync.core.project_names import written
from smart_sync.core.state import as_text, is_rounded, sound
from smart_sync.errors import DatabaseError, SmartSyncError
from smart_sync.logs import printable
from smart_sync.report.inputs import AccountFacts, Correction, Facts, History, LastRun, PassFacts, ProjectFacts
from smart_sync.store import vote_records
from smart_sync.store.clock_changes import local_day
from smart_sync.store.driver import describe, sqlite

#: Seconds that another process may hold a file that is not in WAL mode.
PATIENCE = 10.0
LAST_PASSES = 10

_NAMES = ", ".join(METRICS)
_WINNERS = ", ".join(f"{metric}_winner" for metric in METRICS)
_CHANGED = ", ".join(local_day(f"{metric}_changed_at") for metric in METRICS)
# As in the view account_growth: of several snapshots of a day the last counts, here as the one read last.
_DAY = local_day("snapshot_time")
_SNAPSHOTS = f"""
SELECT account_id, {_DAY}, {_NAMES} FROM account_snapshots
WHERE {_DAY} BETWEEN '1970-01-01' AND ?1
  AND (?2 IS NULL OR account_id IN (SELECT id FROM project_social_accounts WHERE project_id = ?2))
ORDER BY account_id, datetime(snapshot_time), id DESC
"""
_LEFT_OUT = f"""
SELECT count(*) FROM account_snapshots
WHERE coalesce({_DAY} NOT BETWEEN '1970-01-01' AND ?1, 1)
  AND (?2 IS NULL OR account_id IN (SELECT id FROM project_social_accounts WHERE project_id = ?2))
"""
_ACCOUNTS = """
SELECT id, project_id, CAST(coalesce(platform, '') AS TEXT), CAST(coalesce(username, '') AS TEXT),
       CAST(coalesce(profile_link, '') AS TEXT), coalesce(is_active, 1) FROM project_social_accounts
WHERE id IS NOT NULL AND (?1 IS NULL OR project_id = ?1) ORDER BY id
"""
_PASSES = f"""
SELECT "trigger", started_at, finished_at, projects, degraded, failed, accounts, changed, snapshots, calls
FROM sync_runs ORDER BY started_at DESC LIMIT {LAST_PASSES}
"""


def read(path: Path, project: str | None, now: datetime, max_age: float | None = None) -> Facts:
    """What the database at ``path`` says of all active projects, or of ``project`` (its id, else its name).

    Raises `DatabaseError` where there is no readable database and `SmartSyncError` for an unknown project.
    """
    if not path.is_file():
        raise DatabaseError(
            f"{path}: there is no database; start the daemon or `smart-sync once`, or correct [database] path"
        )
    try:
        with closing(_connect(path)) as connection:
            return _Reading(connection, now, max_age).facts(project)
    except sqlite.Error as error:
        raise _described(error, path) from None


def _described(error: Exception, path: Path) -> DatabaseError:
    """As elsewhere; but whoever only reads needs no right to write the file itself."""
    if "unable to open" in str(error) or "readonly" in str(error):
        return DatabaseError(
            f"{path}: SQLite has to make {path.name}-shm beside it, and this user may not;"
            " run it as the daemon's user, or while the daemon is running"
        )
    return describe(error, path)


def _connect(path: Path) -> Any:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    connection.execute("BEGIN")
    return connection


class _Reading:
    """One transaction.  A table that nobody has created yet is as good as an empty one."""

    def __init__(self, connection: Any, now: datetime, max_age: float | None) -> None:
        self._connection = connection
        self._votes = terms(stamp(now), max_age)
        sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        self._tables = {row[0] for row in connection.execute(sql)}
        if "clock_changes" not in self._tables:
            connection.execute("CREATE TEMP TABLE clock_changes (since, ahead)")
        today = connection.execute(f"SELECT {local_day('?1')}", (stamp(now),)).fetchone()[0]
        self._today = date.fromisoformat(today)

    def facts(self, wanted: str | None) -> Facts:
        """All of it, or what concerns the project that is wanted."""
        projects = self._projects(wanted)
        only = projects[0].id if wanted is not None else None
        accounts, inactive = self._accounts(only)
        left_out = self._rows("account_snapshots", _LEFT_OUT, (self._today.isoformat(), only))
        return Facts(
            tuple(self._whole(project, accounts[project.id], inactive[project.id]) for project in projects),
            tuple(_pass(row) for row in self._rows("sync_runs", _PASSES)),
            sum(row[0] for row in left_out),
        )

    def _rows(self, table: str, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        return iter(self._connection.execute(sql, parameters)) if table in self._tables else iter(())

    def _projects(self, wanted: str | None) -> list[ProjectFacts]:
        rows = list(
            self._rows("projects", "SELECT id, name, is_active FROM projects WHERE id IS NOT NULL ORDER BY name, id")
        )
        if wanted is None:
            return [ProjectFacts(str(row[0]), str(row[1] or "")) for row in rows if row[2] == 1]
        name = written(wanted, [str(row[1] or "") for row in rows])
        chosen = [r for r in rows if r[0] == wanted] or sorted((r for r in rows if r[1] == name), key=_inactive)
        if not chosen:
            raise SmartSyncError(f"no project has the id or name {printable(wanted, 100)!r}; see smart-sync status")
        return [ProjectFacts(str(chosen[0][0]), str(chosen[0][1] or ""))]

    def _whole(self, project: ProjectFacts, accounts: list[AccountFacts], inactive: int) -> ProjectFacts:
        # Each finds its row by an index, however long the history of passes is.
        run = next(
            self._rows(
                "sync_project_runs",
                "SELECT outcome, error, finished_at FROM sync_project_runs WHERE project_id = ?"
                " ORDER BY finished_at DESC LIMIT 1",
                (project.id,),
            ),
            None,
        )
        sql = "SELECT read_at FROM worksheet_reads WHERE project_id = ?"
        read_at = next(self._rows("worksheet_reads", sql, (project.id,)), (None,))[0]
        sql = "SELECT stale_since FROM unread_projects WHERE project_id = ?"
        stale_since = next(self._rows("unread_projects", sql, (project.id,)), (None,))[0]
        return replace(
            project,
            accounts=tuple(accounts),
            inactive=inactive,
            last_run=LastRun(str(run[0]), str(run[1]), _moment(run[2])) if run else None,
            worksheet_read_at=_moment(read_at),
            stale_since=_moment(stale_since),
        )

    def _accounts(self, only: str | None) -> tuple[dict[str, list[AccountFacts]], dict[str, int]]:
        """Project id → its active accounts, and how many are inactive."""
        histories, merged, sheet, parsed = self._snapshots(only), self._merged(), self._sheet(), self._parsed()
        accounts: dict[str, list[AccountFacts]] = defaultdict(list)
        inactive: dict[str, int] = defaultdict(int)
        for row in self._rows("project_social_accounts", _ACCOUNTS, (only,)):
            account_id, project_id, platform, username, link, active = row
            if not active:
                inactive[project_id] += 1
                continue
            current, counted = merged.get(account_id), parsed.votes(str(account_id), Whose(link, platform), self._votes)
            account = AccountFacts(
                account_id,
                platform,
                username,
                link,
                self._with_current(histories.get(account_id, {}), current),
                _corrections(current, counted, sheet.get(account_id)) if current else (),
                bool(counted.chosen),
                _moment(max((one.at or "" for one in counted.chosen.values()), default=None)),
            )
            accounts[project_id].append(account)
        return accounts, inactive

    def _snapshots(self, only: str | None) -> dict[str, dict[int, Metrics]]:
        rows = self._rows("account_snapshots", _SNAPSHOTS, (self._today.isoformat(), only))
        return {
            account_id: {_ordinal(row[1]): sound(row[2:])[0] for row in group}
            for account_id, group in groupby(rows, key=itemgetter(0))
        }

    def _with_current(self, snapshots: dict[int, Metrics], current: Any) -> History:
        """The merged values are the newest: those of the last snapshot's day, or of the day they were written."""
        if current is not None:
            written = _ordinal(current[1]) if current[1] else 0
            last = max(min(written, self._today.toordinal()), max(snapshots, default=0))
            snapshots = snapshots | {last or self._today.toordinal(): sound(current[2:7])[0]}
        days = sorted(snapshots)
        return History(days, [snapshots[day] for day in days])

    def _merged(self) -> dict[str, Any]:
        sql = f"SELECT account_id, {local_day('updated_at')}, {_NAMES}, {_WINNERS}, {_CHANGED} FROM account_metrics"
        return {row[0]: row for row in self._rows("account_metrics", sql)}

    def _parsed(self) -> "_Parsed":
        at = vote_records.TIME.format("parsed_at")
        sql = f'SELECT account_id, {at}, {_NAMES}, "precision", source FROM parsed_inbox'
        inbox = {str(row[0]): row for row in self._rows("parsed_inbox", sql)}
        known = vote_records.known(
            {table: self._rows(table, vote_records.statement(table, "1")) for table in vote_records.COLUMNS}
        )
        return _Parsed(inbox, known)

    def _sheet(self) -> dict[str, Any]:
        return {
            row[0]: row for row in self._rows("sheet_metrics", 'SELECT account_id, worksheet, "row" FROM sheet_metrics')
        }


def _inactive(row: Any) -> bool:
    return bool(row[2] != 1)


class _Parsed(NamedTuple):
    """All parsed values, but those of a query."""

    inbox: dict[str, Any]
    known: vote_records.Known

    def votes(self, account_id: str, whose: Whose, judged_by: Terms) -> Votes:
        """Which of an account's count."""
        _, at, *values, precision, source = self.inbox.get(account_id, (None,) * (len(METRICS) + 4))
        rounded = is_rounded(precision)
        said = of_row(sound(values)[0], at, as_text(source), INBOX, rounded=rounded)
        said += self.known.said.get(account_id, ())
        return count(account_id, said, self.known.past.get(account_id, NO_PAST), whose, judged_by)


def _corrections(current: Any, counted: Votes, sheet: Any) -> tuple[Correction, ...]:
    """Where the sheet won over a parsed value that is another number, and not the same one rounded."""
    values, winners, changed = sound(current[2:7])[0], current[7:12], current[12:17]
    parsed, rounded = counted.metrics, counted.rounded
    return tuple(
        Correction(
            metric,
            value,
            other,
            str(sheet[1]) if sheet else "",
            sheet[2] if sheet else None,
            _ordinal(since) if since else None,
            winner == Winner.CARRIED,
        )
        for metric, value, winner, since, other in zip(METRICS, values, winners, changed, parsed, strict=True)
        if winner in (Winner.SHEET, Winner.CARRIED) and value is not None and other is not None and other != value
        if not (metric in rounded and consistent(other, value))
    )


def _pass(row: Any) -> PassFacts:
    return PassFacts(str(row[0]), _moment(row[1]), _moment(row[2]), *row[3:])


@cache
def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _moment(text: str | None) -> datetime | None:
    """A stamp of ours, naive UTC, as a moment; None for what is none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None
