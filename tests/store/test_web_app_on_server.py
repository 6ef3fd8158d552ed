"""A web app on PostgreSQL goes on as it has: its types, its columns, its migrations, its rights, its schema."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from daemon_process import run_command
from smart_sync import config
from smart_sync.clock import utc_now
from smart_sync.core.model import Trigger
from smart_sync.errors import DatabaseError
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import opened
from smart_sync.sync.sync_pass import PassRequest, SyncPass
from world import link

#: What Django makes: uuid keys, JSON, arrays, constraints that are checked at the end; and columns of its own.
APP = """
CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(255) NOT NULL,
  google_sheet_name varchar(255) NOT NULL DEFAULT '', is_active boolean NOT NULL DEFAULT true,
  allowed_platforms jsonb NOT NULL DEFAULT '["tiktok"]', geo varchar(8) DEFAULT 'DE', "Owner" integer DEFAULT 1);
CREATE TABLE project_social_accounts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid NOT NULL
  REFERENCES projects DEFERRABLE INITIALLY DEFERRED, platform varchar(32) NOT NULL, username varchar(255) NOT NULL,
  profile_link varchar(255) NOT NULL, topic varchar(255)[] NOT NULL DEFAULT '{}', status varchar(16) DEFAULT 'NEW',
  is_active boolean NOT NULL DEFAULT true, picture bytea DEFAULT 'abc');
CREATE TABLE account_snapshots (id uuid PRIMARY KEY, account_id uuid NOT NULL
  REFERENCES project_social_accounts DEFERRABLE INITIALLY DEFERRED, followers bigint NOT NULL, likes bigint NOT NULL,
  comments bigint NOT NULL, videos bigint NOT NULL, views bigint NOT NULL, snapshot_time timestamptz NOT NULL);
CREATE TABLE channel_stats (channel uuid, views bigint, checked_at timestamptz DEFAULT now());
INSERT INTO projects (name) VALUES ('P');
INSERT INTO project_social_accounts (project_id, platform, username, profile_link)
  SELECT id, 'tiktok', 'a', 'https://www.tiktok.com/@a' FROM projects;
INSERT INTO channel_stats SELECT id, 900 FROM project_social_accounts;
"""
SHEET = f"Username,Link,Platform,Followers,Likes,Comments,Videos,Views\na,{link('a')},TikTok,1,2,3,4,5\n"


class App:
    """The web app's database, and a configuration for it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url, self.folder = url, folder
        (folder / "sheets").mkdir()
        (folder / "sheets" / "P.csv").write_text(SHEET)
        self.execute(APP)

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, autocommit=True) as there:
            cursor = there.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def run(self, *command: str, more: str = "", url: str = "", code: int = 0) -> str:
        file = self.folder / "config.toml"
        file.write_text(
            f'[database]\nurl = "{url or self.url}"\n[sheets]\nsource = "csv"\ndirectory = "sheets"\n{more}'
        )
        ended = run_command(*command, "--config", str(file))
        shown = ended.stdout + ended.stderr
        assert ended.returncode == code, shown
        assert "Traceback" not in shown
        return shown


@pytest.fixture
def app(tmp_path: Path, postgres: str) -> App:
    return App(tmp_path, postgres)


def test_columns_that_are_not_looked_at_may_have_any_type(app: App) -> None:
    """JSON, arrays and bytes where our tables have text: `adopt` and `check` say what they say of others."""
    adopted = run_command(
        "adopt", "env:DATABASE_URL", "--spreadsheet", "x", "-o", str(app.folder / "new.toml"),
        environment={"DATABASE_URL": app.url},
    )  # fmt: skip
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert "P: 1 of 1 account is in the worksheet" in app.run("check")
    app.run("once")
    assert app.execute("SELECT views FROM account_metrics") == [(5,)]
    assert "0 errors" in app.run("check")


def test_the_web_app_changes_what_is_not_looked_at(app: App) -> None:
    """Its migration adds, retypes and drops columns of its own after our first pass, and its readers keep their rights.

    Columns that are read may be changed once our views are dropped; they are made again, with the same rights.
    """
    app.run("once")
    app.execute("GRANT SELECT ON account_growth TO PUBLIC")
    app.execute(
        "ALTER TABLE projects DROP COLUMN geo, ALTER COLUMN allowed_platforms TYPE text, ADD COLUMN budget numeric"
    )
    app.run("once")
    rights = "SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE relname = 'account_growth'"
    assert app.execute(rights) == [(True,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        app.execute("ALTER TABLE account_snapshots ALTER COLUMN snapshot_time TYPE timestamp")
    app.execute("DROP VIEW account_growth, parsed_inbox, smart_sync.projects, smart_sync.project_social_accounts")
    app.execute(
        "DROP VIEW smart_sync.account_snapshots; ALTER TABLE account_snapshots ALTER snapshot_time TYPE timestamp"
    )
    assert "1 of 1 account is in the worksheet" in app.run("check")
    app.run("once")
    assert app.execute("SELECT views FROM account_growth") == [(5,)]


QUERIES = {
    "times": "SELECT a.id AS account_id, s.views, s.checked_at AS parsed_at FROM channel_stats s"
    " JOIN project_social_accounts a ON a.id = s.channel WHERE a.is_active",
    "days": "SELECT channel AS account_id, views, checked_at::date AS parsed_at FROM channel_stats",
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_means_what_it_means_in_psql(app: App, query: str) -> None:
    """Its tables are the web app's own, with their types; what it gives counts in `check` and in a pass."""
    more = f'[parsed]\nquery = "{QUERIES[query]}"\n'
    assert "0 errors, 0 warnings" in app.run("check", more=more)
    assert "1 up to date" in app.run("once", more=more)
    assert app.execute("SELECT views, views_winner FROM account_metrics") == [(900, "parsed")]


def test_a_value_that_no_row_of_sqlite_can_hold_is_told_by_check(app: App) -> None:
    """Numbers of any size, intervals and whatever else a query gives: its row is told of, here as in a pass."""
    query = "SELECT channel AS account_id, 1e30::numeric AS views, interval '1 day' AS parsed_at FROM channel_stats"
    more = f'[parsed]\nquery = "{query}"\n'
    for command in ("check", "once"):
        told = app.run(command, more=more)
        assert "a value that is no count from 0 to 2^63-1" in told
        assert "a parsed_at that is no time" in told


@pytest.fixture
def role(app: App) -> Iterator[str]:
    """A role that has the rights of the documentation, in the schema that its search_path leads to."""
    database = app.url.partition("?")[0].rpartition("/")[2]
    name = f"sync_{database}"
    app.execute(f"CREATE ROLE {name} LOGIN; GRANT CONNECT, CREATE ON DATABASE {database} TO {name}")
    app.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {name}")
    app.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}")
    yield name
    app.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_rows_that_a_policy_does_not_let_us_change_are_told(app: App, role: str) -> None:
    """An UPDATE would change none of them, without an error: told at the start and in `check`, with what helps."""
    url = app.url.replace("postgres@", f"{role}@")
    app.run("once", url=url)
    app.execute(
        "ALTER TABLE account_snapshots ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY every ON account_snapshots FOR SELECT USING (true)"
    )
    line = f"row-level security may hide rows of account_snapshots from {role}"
    assert line in app.run("check", url=url, code=1)
    told = app.run("once", url=url, code=2)
    assert line in told
    app.execute(next(part for part in re.split(r"owner: |, or |\n", told) if part.startswith("CREATE POLICY")))
    app.run("once", url=url)


async def test_a_policy_that_comes_while_the_daemon_runs_fails_its_passes(app: App, role: str) -> None:
    """What is hidden from then on is no missing row: the pass is red."""
    app.run("once", url=app.url.replace("postgres@", f"{role}@"))
    async with opened(config.load(app.folder / "config.toml"), Reporter(), clock=utc_now) as resources:
        passes = SyncPass(resources)
        await passes.run(PassRequest(Trigger.TIMER))
        app.execute("ALTER TABLE project_social_accounts ENABLE ROW LEVEL SECURITY")
        with pytest.raises(DatabaseError, match="row-level security may hide rows of project_social_accounts"):
            await passes.run(PassRequest(Trigger.TIMER))


def test_tables_in_another_schema_are_told(app: App, role: str) -> None:
    """No second, empty set of tables is made beside them, and what is told to do leads to them."""
    app.execute('CREATE SCHEMA "the App"')
    for table in ("projects", "project_social_accounts", "account_snapshots"):
        app.execute(f'ALTER TABLE {table} SET SCHEMA "the App"')
    app.execute(f'GRANT USAGE, CREATE ON SCHEMA "the App" TO {role}')
    url = app.url.replace("postgres@", f"{role}@")
    assert 'table projects is in the schema "the App"' in app.run("check", url=url, code=1)
    told = app.run("once", url=url, code=2)
    assert app.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'projects'") == [(1,)]
    app.execute(next(part for part in re.split(r": |, and give|\n", told) if part.startswith("ALTER ROLE")))
    app.run("once", url=url)
    assert app.execute('SELECT views FROM "the App".account_metrics') == [(5,)]


def test_ids_that_are_numbers_become_texts_by_the_statement_that_check_gives(app: App) -> None:
    """Of identity columns too."""
    app.execute("ALTER TABLE account_snapshots DROP COLUMN id, ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY")
    told = app.run("check", code=1)
    statements = next(re.finditer(r"ALTER TABLE account_snapshots.*gen_random_uuid\(\)", told))[0]
    app.execute(statements)
    app.run("once")
    assert app.execute("SELECT views FROM account_snapshots") == [(5,)]


def test_a_right_that_a_trigger_lacks_is_named(app: App, role: str) -> None:
    """`check` names the table that the trigger writes to; a pass fails by it, and its log has no line of a library."""
    app.execute("CREATE TABLE audit (what text)")
    app.execute(
        "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO audit VALUES (1); RETURN new; END';"
        " CREATE TRIGGER noted AFTER INSERT ON account_snapshots FOR EACH ROW EXECUTE FUNCTION noted()"
    )
    url = app.url.replace("postgres@", f"{role}@")
    assert "needs the table audit: GRANT" in app.run("check", url=url, code=1)
    told = app.run("once", url=url, code=4)
    assert "permission denied for table audit" in told
    assert "library.logged" not in told
