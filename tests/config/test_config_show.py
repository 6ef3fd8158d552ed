"""`smart-sync config show`: every key that is in effect, and where its value is from."""

import json
from pathlib import Path

import pytest

from daemon_process import run_command
from smart_sync.config import Settings
from smart_sync.config.effective import DEFAULT, effective
from smart_sync.errors import ConfigError

TEXT = """
[schedule]
every = "15m"
[sheets]
source = "csv"
directory = "sheets"
[control]
mode = "0600"
[parsers.youtube]
key = "env:SHOWN_KEY"
every = "6h"
[[webhooks]]
url = "https://hooks.example.com/deadbeefdeadbeef"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOWN_KEY", "AIzaSyD-canary-canary-canary-canary-123")
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    return path


def test_every_key_has_its_value_and_where_it_is_from(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the file, from a variable of the environment, which goes before it (also within JSON), or the default."""
    monkeypatch.setenv("SMART_SYNC_LOG__LEVEL", "debug")
    monkeypatch.setenv("SMART_SYNC_SHEETS__TIMEOUT", "9s")
    monkeypatch.setenv("SMART_SYNC_MERGE", '{"metrics": {"views": "sheet"}}')
    found = {one.key: one for one in effective(config)}
    assert {key.partition(".")[0] for key in found} == set(Settings.model_fields)
    told = {key: (one.value, one.origin) for key, one in found.items()}
    assert told["schedule.every"] == ("15m", str(config))
    assert told["sheets.timeout"] == (9.0, "SMART_SYNC_SHEETS__TIMEOUT")
    assert told["log.level"] == ("debug", "SMART_SYNC_LOG__LEVEL")
    assert told["merge.metrics.views"] == ("sheet", "SMART_SYNC_MERGE")
    assert told["merge.strategy"] == ("max", DEFAULT)
    assert told["control.mode"] == ("0600", str(config))
    assert told["sheets.directory"] == (str(config.parent / "sheets"), str(config))
    assert told["parsers.youtube.every"] == ("6h", str(config))


def test_no_secret_is_shown(config: Path) -> None:
    """Of a secret only where it is kept, if that is elsewhere; for people and for programs."""
    shown = run_command("config", "show", "--config", str(config))
    as_json = run_command("config", "show", "--json", "--config", str(config))
    assert (shown.returncode, as_json.returncode) == (0, 0), shown.stderr
    for secret in ("canary", "deadbeef", "MfKQ9r8"):
        assert secret not in shown.stdout + as_json.stdout
    told = {one["key"]: one["value"] for one in json.loads(as_json.stdout)["settings"]}
    assert told["parsers.youtube.key"] == "(secret), env:SHOWN_KEY"
    assert told["webhooks.0.url"] == "(secret)"
    assert told["webhooks.0.secret"] == ["(secret)"]


def test_a_configuration_with_mistakes_is_not_in_effect(config: Path) -> None:
    """All of them are told, and nothing is shown as if it counted."""
    config.write_text(TEXT + "[log]\nlevel = 7\ncolour = 1\n")
    with pytest.raises(ConfigError) as refused:
        effective(config)
    assert len(refused.value.problems) == 2
