"""`docs/how-to/postgres.md`: what it grants is enough, its backup can be restored."""

import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from daemon_process import run_command
from markdown_pages import HOW_TO, texts
from postgres_server import Server, absence

PAGE = HOW_TO / "postgres.md"
NEW, BESIDE, FOR_THE_APP, ELSEWHERE, WITHOUT_VIEWS, SEES_ALL = texts(PAGE, "sql")
REMOVAL = re.findall(r"`(DROP OWNED BY [^`]*)`", (HOW_TO / "beside-the-web-app.md").read_text())[0]
(BACKUP,) = [text for text in texts(PAGE, "sh") if text.startswith("pg_dump ")]
SHEET = "Link,Followers,Views\nhttps://www.tiktok.com/@a,12,3400\n"
WEB_APP = """
CREATE TABLE projects (id uuid PRIMARY KEY, name text NOT NULL, google_sheet_name text, is_active boolean DEFAULT true,
  created_at timestamptz);
CREATE TABLE project_social_accounts (id uuid PRIMARY KEY, project_id uuid REFERENCES projects, platform text,
  username text, profile_link text, is_active boolean DEFAULT true, added_at timestamptz,
  UNIQUE (project_id, profile_link));
CREATE TABLE account_snapshots (id uuid PRIMARY KEY, account_id uuid REFERENCES project_social_accounts,
  followers integer, likes integer, comments integer, videos integer, views integer, snapshot_time timestamptz);
INSERT INTO projects (id, name) VALUES (gen_random_uuid(), 'P');
INSERT INTO project_social_accounts (id, project_id, platform, username, profile_link)
  SELECT gen_random_uuid(), id, 'tiktok', 'a', 'https://www.tiktok.com/@a' FROM projects;
"""


@dataclass
class Page:
    """The page with names of this test's own."""

    server: Server
    own: str

    def of(self, text: str) -> str:
        for name in ("view_counter", "web_app"):
            text = re.sub(rf"\b{name}\b(?!\.d)", f"{name}_{self.own}", text)
        return re.sub(r"\bsmart_sync\b", f"smart_sync_{self.own}", text)

    def run(self, sql: str, database: str = "postgres", user: str = "postgres") -> None:
        with psycopg.connect(self.server.url(self.of(database), self.of(user)), autocommit=True) as connection:
            for statement in filter(None, map(str.strip, self.of(sql).split(";"))):
                connection.execute(statement)

    def command(self, folder: Path, database: str, *command: str) -> str:
        (folder / "P.csv").write_text(SHEET)
        config = folder / "config.toml"
        config.write_text(
            f'[database]\nurl = "env:DATABASE_URL"\n[sheets]\nsource = "csv"\ndirectory = "{folder}"\n'
            '[sync]\ncreate_missing = "projects"\n'
        )
        url = self.server.url(self.of(database), self.of("smart_sync"), "choose-a-long-one")
        ended = run_command(*command, "--config", str(config), environment={"DATABASE_URL": url})
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "choose-a-long-one" not in ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture
def page(postgres_server: Server | None) -> Iterator[Page]:
    if postgres_server is None:
        pytest.skip(absence())
    page = Page(postgres_server, uuid.uuid4().hex[:8])
    with _removed(page):
        yield page


@contextmanager
def _removed(page: Page) -> Iterator[None]:
    try:
        yield
    finally:
        for database in ("view_counter", "web_app"):
            page.run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        page.run("DROP ROLE IF EXISTS smart_sync; DROP ROLE IF EXISTS web_app")


def test_beside_a_web_app_the_rights_of_the_page_are_enough(tmp_path: Path, page: Page) -> None:
    """Granted by the owner of the database: `check` and a pass find nothing missing, and the web app reads its part."""
    page.run("CREATE ROLE web_app LOGIN CREATEROLE; CREATE DATABASE web_app OWNER web_app")
    page.run(WEB_APP, "web_app", "web_app")
    page.run(BESIDE, "web_app", "web_app")
    page.run(f"ALTER TABLE projects ENABLE ROW LEVEL SECURITY; {SEES_ALL}", "web_app", "web_app")
    page.command(tmp_path, "web_app", "check")
    page.command(tmp_path, "web_app", "once")
    page.run(FOR_THE_APP, "web_app", "smart_sync")
    with psycopg.connect(page.server.url(page.of("web_app"), page.of("web_app"))) as app:
        assert app.execute("SELECT followers, views FROM account_growth").fetchall() == [(12, 3400)]
        assert app.execute("SELECT followers, views FROM account_snapshots").fetchall() == [(12, 3400)]


def test_tables_in_another_schema_and_the_way_back(tmp_path: Path, page: Page) -> None:
    """Led to the schema, the role works there with the same rights; removed as the page says, it leaves nothing."""
    page.run("CREATE ROLE web_app LOGIN CREATEROLE; CREATE DATABASE web_app OWNER web_app")
    page.run(f"CREATE SCHEMA app; SET search_path = app; {WEB_APP}", "web_app", "web_app")
    page.run(f"SET search_path = app; {BESIDE.replace('SCHEMA public', 'SCHEMA app')}", "web_app", "web_app")
    page.run(ELSEWHERE)
    page.command(tmp_path, "web_app", "check")
    page.command(tmp_path, "web_app", "once")
    with page.server.connect(page.of("web_app")) as app:
        assert app.execute("SELECT followers, views FROM app.account_metrics").fetchall() == [(12, 3400)]
        page.run(REMOVAL, "web_app")
        left = app.execute("SELECT tablename FROM pg_tables WHERE schemaname !~ '^pg_|^information' ORDER BY 1")
        assert [row[0] for row in left] == ["account_snapshots", "project_social_accounts", "projects"]
        assert app.execute("SELECT count(*) FROM pg_namespace WHERE nspname ~ 'smart_sync'").fetchone() == (0,)


def test_the_web_app_can_change_its_tables(tmp_path: Path, page: Page) -> None:
    """A column that our views read can be retyped once they are dropped as the page says; a pass makes them anew."""
    page.run("CREATE ROLE web_app LOGIN CREATEROLE; CREATE DATABASE web_app OWNER web_app")
    page.run(WEB_APP, "web_app", "web_app")
    page.run(BESIDE, "web_app", "web_app")
    page.command(tmp_path, "web_app", "once")
    retyped = "ALTER TABLE account_snapshots ALTER COLUMN views TYPE bigint"
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="used by a view"):
        page.run(retyped, "web_app", "web_app")
    # The schema of our views has this name whatever the role's is.
    with psycopg.connect(page.server.url(page.of("web_app"), page.of("smart_sync")), autocommit=True) as ours:
        for statement in WITHOUT_VIEWS.strip().split("\n"):
            ours.execute(statement)
    page.run(retyped, "web_app", "web_app")
    page.command(tmp_path, "web_app", "once")
    page.run(FOR_THE_APP, "web_app", "smart_sync")
    with psycopg.connect(page.server.url(page.of("web_app"), page.of("web_app"))) as app:
        assert app.execute("SELECT followers, views FROM account_growth").fetchall() == [(12, 3400)]


def test_a_backup_of_a_new_database_can_be_restored(tmp_path: Path, page: Page) -> None:
    """What the page creates is enough for the first pass; its backup gives the same numbers back."""
    page.run(NEW)
    page.command(tmp_path, "view_counter", "once")
    database = page.of("view_counter")
    commands = page.of(BACKUP).replace("HOST/", "/").replace(f"{database}'", f"{database}?host={page.server.folder}'")
    for command in commands.splitlines():
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if "pg_dump" in command:
            page.run("DELETE FROM account_snapshots", "view_counter", "smart_sync")
    with psycopg.connect(page.server.url(page.of("view_counter"))) as restored:
        assert restored.execute("SELECT followers, views FROM account_snapshots").fetchall() == [(12, 3400)]
