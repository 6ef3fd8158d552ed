"""Hides our own snapshots from ``[parsed] query``.

MAX would feed on ours: a number that was corrected in the sheet would come back through the query as a parsed one.
Ours are known by their ids, those of earlier versions too, so that nothing has to be kept about them.
"""

from collections.abc import Iterable
from typing import Any

from smart_sync.core.merge.day_snapshot import OwnSnapshots

#: The SQL function that tells our rows.
FUNCTION, ARGUMENTS = "smart_sync_wrote", 3

_VIEW = (
    "CREATE TEMP VIEW account_snapshots AS SELECT * FROM main.account_snapshots s"
    " WHERE NOT EXISTS (SELECT 1 FROM temp.own_snapshots o WHERE o.id = s.id)"
)
#: Makes the view; then `notes` fill what it leaves out.
HIDE = (
    "CREATE TEMP TABLE own_snapshots (id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE own_snapshots_seen (last, id)",
    "INSERT INTO temp.own_snapshots_seen VALUES (-9223372036854775808, NULL)",
    _VIEW,
)
#: Gives a row where the web app has made the table without row numbers.
UNNUMBERED = "SELECT 1 FROM main.sqlite_master WHERE name = 'account_snapshots' AND sql LIKE '%WITHOUT ROWID%'"
_OWN = (
    "INSERT OR IGNORE INTO temp.own_snapshots SELECT id FROM main.account_snapshots"
    f" WHERE {FUNCTION}(id, account_id, snapshot_time)"
)
# Rows that came since the last one that was seen; all of them if that one is gone, for its number may be another's.
_FORGET = (
    "UPDATE temp.own_snapshots_seen AS o SET last = -9223372036854775808"
    " WHERE NOT EXISTS (SELECT 1 FROM main.account_snapshots s WHERE s.rowid = o.last AND s.id IS o.id)"
)
_LAST = (
    "UPDATE temp.own_snapshots_seen SET (last, id) ="
    " (SELECT rowid, id FROM main.account_snapshots ORDER BY rowid DESC LIMIT 1)"
)
_NOTE_NEW = (_FORGET, f"{_OWN} AND rowid > (SELECT last FROM temp.own_snapshots_seen)", _LAST)
_NOTE_ALL = (_OWN,)


def concerns(query: str) -> bool:
    """Whether a query reads snapshots at all."""
    return "account_snapshots" in query.lower()


def hide(connection: Any) -> None:
    """Replace ``account_snapshots`` on ``connection`` (of sqlite3's kind) by the snapshots of others."""
    connection.create_function(FUNCTION, ARGUMENTS, OwnSnapshots())
    for statement in (*HIDE, *notes(connection.execute(UNNUMBERED).fetchall())):
        connection.execute(statement)


def notes(unnumbered: Iterable[Any]) -> tuple[str, ...]:
    """The statements that note our new snapshots; ``unnumbered``: the result of `UNNUMBERED`."""
    return _NOTE_ALL if [*unnumbered] else _NOTE_NEW
