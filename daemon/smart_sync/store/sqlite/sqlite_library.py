"""Chooses the SQLite library of this process.

Two SQLite libraries on one file in one process destroy it: closing a descriptor of one drops the POSIX locks of the
other.  So there is one: Python's ``sqlite3``, or in a process of our own the newer ``pysqlite3`` under that name.
"""

import importlib
import sys


def prefer_newer() -> bool:
    """Replace ``sqlite3`` by ``pysqlite3`` (extra ``sqlite``) in the whole process, including plug-ins.

    Only for a process that is ours from its start, never for a guest.  Does nothing where the package is not
    installed, or where ``sqlite3`` has been imported already.  Returns whether ``sqlite3`` is ``pysqlite3`` now.
    """
    if "sqlite3" in sys.modules or "_sqlite3" in sys.modules:
        return getattr(sys.modules.get("sqlite3"), "__name__", "") == "pysqlite3"
    try:
        package = importlib.import_module("pysqlite3")
    except ImportError:
        return False
    sys.modules["sqlite3"] = package
    sys.modules["sqlite3.dbapi2"] = sys.modules["pysqlite3.dbapi2"]
    sys.modules["_sqlite3"] = sys.modules["pysqlite3._sqlite3"]
    return True
