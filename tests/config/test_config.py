"""The configuration's mistakes: named with the place they are in, and with what was probably meant."""

from pathlib import Path

import pytest

from smart_sync import config
from smart_sync.config import loading
from smart_sync.config.effective import effective
from smart_sync.errors import ConfigError

BASE = '[sheets]\nsource = "csv"\ndirectory = "sheets"\n'


def problems(folder: Path, text: str = BASE) -> list[str]:
    """What is wrong with a file that says ``text``, without its name."""
    path = folder / "config.toml"
    path.write_text(text)
    try:
        config.load(path)
    except ConfigError as error:
        return [problem.removeprefix(f"{path}: ") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SMART_SYNC_LOG__LEVLE", "; did you mean SMART_SYNC_LOG__LEVEL?"),
        ("SMART_SYNC_LGO__LEVEL", "; did you mean SMART_SYNC_LOG__LEVEL?"),
        ("SMART_SYNC_LOG_LEVEL", "; did you mean SMART_SYNC_LOG__LEVEL?"),
        ("SMART_SYNC_GOOGLE_CREDENTIAL", "; did you mean SMART_SYNC_GOOGLE_CREDENTIALS?"),
        ("SMART_SYNC_PARSERS_STATE", "; did you mean SMART_SYNC_PARSERS__STATE?"),
        ("SMART_SYNC_NONSENSE__KEY", ""),
    ],
)
def test_a_misspelt_variable_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """A variable that looks like a setting and is none is a mistake, with the name that was probably meant."""
    monkeypatch.setenv(name, "hunter22")
    assert problems(tmp_path) == [f"the environment: {name}: no such key{meant}"]


@pytest.mark.parametrize(
    "name",
    [
        "SMART_SYNC_CONFIG",
        "SMART_SYNC_GOOGLE_CREDENTIALS",
        "SMART_SYNC_HOME",
        "_SMART_SYNC_COMPLETE",
        "SMART_SYNC_PARSERS__CSV__PATH",
        "SMART_SYNC_SHEETS__LOCALE",
        "smart_sync_sheets__locale",
    ],
)
def test_what_is_no_mistake_is_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Ours, whole keys in any case, tables of free names, and what is like nothing of ours."""
    monkeypatch.setenv(name, "de_DE")
    assert problems(tmp_path) == []


def test_where_a_secret_is_kept_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that `env:NAME` names may be called as one likes."""
    monkeypatch.setenv("SMART_SYNC_WEBHOOK", "https://hc.example.com/1")
    assert problems(tmp_path) != []
    assert problems(tmp_path, f'{BASE}[ping]\nurl = "env:SMART_SYNC_WEBHOOK"\n') == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[merge.metrics]\nfolowers = "sheet"',
            "merge.metrics.folowers: no such key; did you mean merge.metrics.followers?",
        ),
        (
            '[merge.metrics]\nshares = "sheet"',
            "merge.metrics.shares: no such key; expected 'followers', 'likes', 'comments', 'videos' or 'views'",
        ),
        (
            '[[webhooks]]\nurl = "https://a.example"\nsecret = "whsec_x"\nevnts = []',
            "webhooks.0.evnts: no such key; did you mean webhooks.0.events?",
        ),
        ('[parsers.mine]\nkind = "csv"\npth = "x"', "parsers.mine.pth: no such key; did you mean parsers.mine.path?"),
        ("[parsers.youtub]", 'parsers.youtub: no such parser: "youtub"; did you mean youtube?'),
        ("[control]\nsocket = 3", "control.socket: expected a path, in quotes"),
        ('[sync]\nconcurrency = "many"', "sync.concurrency: expected a whole number"),
        ('[schedule]\nevery = "0s"', "schedule.every: expected a number above 0"),
        ('[log]\nlevel = "loud"', "log.level: expected 'debug', 'info', 'warning' or 'error'"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_plain_words(tmp_path: Path, text: str, told: str) -> None:
    """What was written, what was probably meant, what is expected: nothing of the library that found it."""
    assert told in problems(tmp_path, f"{BASE}{text}\n")


def test_a_variable_that_holds_no_table_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list or a table in the environment is JSON; what is none is told by the variable's name."""
    monkeypatch.setenv("SMART_SYNC_MERGE__METRICS", "hunter22")
    (told,) = problems(tmp_path)
    assert told.startswith("the environment: SMART_SYNC_MERGE__METRICS: expected JSON")


def test_a_mistake_is_named_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistakes of the file and of the environment come together, each with its own place and never its value."""
    monkeypatch.setenv("SMART_SYNC_LOG__LEVEL", "hunter22")
    monkeypatch.setenv("SMART_SYNC_SNYC__CONCURRENCY", "1")
    told = problems(tmp_path, f'{BASE}[log]\nlevel = "info"\nfromat = "json"\n')
    assert [problem.rpartition(": ")[0] for problem in told] == [
        "the environment: SMART_SYNC_LOG__LEVEL",
        "log.fromat",
        "the environment: SMART_SYNC_SNYC__CONCURRENCY",
    ]
    assert told[1].endswith("did you mean log.format?")
    assert "hunter22" not in "".join(told)


def test_a_url_in_place_of_the_database_is_refused_without_its_password(tmp_path: Path) -> None:
    """Its password is in no message."""
    path = tmp_path / "config.toml"
    path.write_text('[database]\npath = "postgresql://user:hunter2@host/db"\n[sheets]\ndirectory = "."\n')
    with pytest.raises(ConfigError, match=r"database.path: expected the path of an SQLite file, not a URL") as failure:
        config.load(path)
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:half@hunter2:x@127.0.0.1:1/app",
        "postgresql://app@hunter2:x@127.0.0.1:1/app",
        "postgresql://app:half%hunter2@127.0.0.1:1/app",
        "postgresql://app@127.0.0.1:1/app?password=half&hunter2=x&sslmode=disable",
        "postgresql://app@127.0.0.1:1/app?sslmode=disable&password=half&hunter2",
        "postgresql://app@127.0.0.1:1/app?password=half&=hunter2",
        "postgresql://app:half/hunter2@127.0.0.1:1/app",
    ],
)
def test_a_password_that_the_library_would_cut_in_two_is_refused(tmp_path: Path, url: str) -> None:
    """What is behind an @ or & of a password would pass for a host or an option, and be shown as one."""
    path = tmp_path / "config.toml"
    path.write_text(f'[database]\nurl = "{url}"\n[sheets]\ndirectory = "."\n')
    with pytest.raises(ConfigError, match=r"database.url: expected postgresql://.*write @ as %40.*& as %26") as failure:
        config.load(path)
    assert "hunter2" not in str(failure.value)


def test_an_address_in_the_notation_of_sqlalchemy_is_told_apart(tmp_path: Path) -> None:
    """What the web app's own variable often has: the driver's name is to go, and nothing of it is shown."""
    path = tmp_path / "config.toml"
    path.write_text('[database]\nurl = "postgresql+psycopg2://app:hunter2@host/db"\n[sheets]\ndirectory = "."\n')
    with pytest.raises(ConfigError, match=r"database.url: expected postgresql://, without the \+") as failure:
        config.load(path)
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:half%40more%25@127.0.0.1:1/app?sslmode=require&connect_timeout=3",
        "postgresql://127.0.0.1:1/app?user=app&password=half%26more&keepalives_idle=3&channel_binding=disable",
        "postgresql://app@127.0.0.1:1,127.0.0.2:2/app?target_session_attrs=any&load_balance_hosts=disable",
    ],
)
def test_a_password_whose_signs_are_written_as_numbers_is_taken(tmp_path: Path, url: str) -> None:
    """In the user's part or in the query, beside what PostgreSQL's library knows."""
    path = tmp_path / "config.toml"
    path.write_text(f'[database]\nurl = "{url}"\n[sheets]\ndirectory = "."\n')
    assert config.load(path).database.url is not None


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any file a configuration is what the variables say; relative paths begin at the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "DEFAULT_PATHS", (Path("config.toml"), tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match=r"no configuration: there is no config.toml.*SMART_SYNC_SHEETS__SPREADSHEET"):
        config.find()
    monkeypatch.setenv("SMART_SYNC_LOG__LEVEL", "debug")
    with pytest.raises(ConfigError, match="no configuration"):
        config.find()
    monkeypatch.setenv("SMART_SYNC_SHEETS__DIRECTORY", "sheets")
    settings = config.load(config.find())
    assert settings.sheets.directory == tmp_path / "sheets"
    assert settings.database.path == tmp_path / "var/view_counter.db"
    assert {one.key: one.origin for one in effective(config.find())}["log.level"] == "SMART_SYNC_LOG__LEVEL"
    (tmp_path / "config.toml").write_text(BASE.replace('"sheets"', '"others"'))
    monkeypatch.delenv("SMART_SYNC_SHEETS__DIRECTORY")
    assert config.load(config.find()).sheets.directory == tmp_path / "others", "a file that is there counts"


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says, a misspelt --config is a mistake."""
    monkeypatch.setenv("SMART_SYNC_SHEETS__DIRECTORY", "sheets")
    with pytest.raises(ConfigError, match=r"misspelt.toml: cannot be read"):
        config.load(config.find(tmp_path / "misspelt.toml"))


@pytest.mark.parametrize(
    ("parsers", "told"),
    [
        ('{"x": {"kind": "http_json", "platforms": ["tiktok"], "url": 5}}', "x.url: expected text in quotes"),
        (
            '{"x": {"kind": "http_json", "platforms": ["tiktok"], "steps": [{"url": 5}]}}',
            "x.url: expected text in quotes",
        ),
        ('{"x": {"kind": "http_json", "platformss": ["tiktok"]}}', "x.platformss: no such key"),
        ('{"x": 5}', "x: expected a table"),
    ],
)
def test_a_table_of_the_environment_is_named_as_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsers: str, told: str
) -> None:
    """A mistake inside the JSON of a variable names the variable and the key in it, never the file."""
    monkeypatch.setenv("SMART_SYNC_PARSERS", parsers)
    found = problems(tmp_path)
    assert f"the environment: SMART_SYNC_PARSERS: {told}" in found
    assert all(one.startswith("the environment: SMART_SYNC_PARSERS: ") for one in found)


def test_mistakes_of_the_environment_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, and for commands that only look what they are about is left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMART_SYNC_SHEETS__SOURCE", "google")
    monkeypatch.setenv("SMART_SYNC_SHEETS__LOCAL", "de")
    with pytest.raises(ConfigError) as failure:
        config.load(config.ENVIRONMENT)
    (told,) = failure.value.problems
    assert told == "the environment: SMART_SYNC_SHEETS__LOCAL: no such key; did you mean SMART_SYNC_SHEETS__LOCALE?"
    monkeypatch.delenv("SMART_SYNC_SHEETS__LOCAL")
    with pytest.raises(ConfigError, match='the environment: sheets: source = "google" needs spreadsheet'):
        config.load(config.ENVIRONMENT)
