"""``[[webhooks]]`` and ``[ping]`` in the configuration."""

from pathlib import Path

import pytest

from smart_sync import config, logs
from smart_sync.config import Settings
from smart_sync.errors import ConfigError

KEY = "whsec_" + "B" * 44
SHEETS = '[sheets]\ndirectory = "sheets"\n'


def load(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(SHEETS + text)
    return config.load(path)


def test_a_webhook_needs_url_and_secret_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All events but those of managers are the default; URL and secrets may be looked up, several secrets given."""
    monkeypatch.setenv("HOOK_URL", "https://hooks.example.com/token")
    (tmp_path / "old").write_text(f"{KEY}\n")
    text = f'[[webhooks]]\nurl = "env:HOOK_URL"\nsecret = ["{KEY}", "file:old"]\n[ping]\nurl = "https://hc.example/u"\n'
    settings = load(tmp_path, text)
    (webhook,) = settings.webhooks
    assert webhook.url.get_secret_value() == "https://hooks.example.com/token"
    assert [secret.get_secret_value() for secret in webhook.secret] == [KEY, KEY]
    assert webhook.events == (
        *("sync.finished", "sync.failed", "project.failed", "project.degraded", "project.recovered", "project.stale"),
        *("parser.failed", "parser.recovered"),
    )
    for hidden in (KEY, "/token", "hc.example"):
        assert hidden not in repr(settings)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (f'url = "http://h.example/"\nsecret = "{KEY}"', "webhooks.0: url must begin with https://"),
        (f'url = "ftp://h.example/"\nsecret = "{KEY}"', "webhooks.0.url: expected a URL such as"),
        (f'url = "https:///path"\nsecret = "{KEY}"', "webhooks.0.url: expected a URL such as"),
        (f'url = "https://h.example:99999/"\nsecret = "{KEY}"', "webhooks.0.url: expected a URL such as"),
        (f'url = "https://user:pass@h.example/"\nsecret = "{KEY}"', "webhooks.0.url: a URL with a user name"),
        ('url = "https://h.example/"\nsecret = "whsec_short"', "webhooks.0.secret: expected whsec_ and 24 to 64"),
        (f'url = "https://h.example/"\nsecret = "{KEY[6:]}"', "webhooks.0.secret: expected whsec_ and 24 to 64"),
        ('url = "https://h.example/"\nsecret = []', "webhooks.0.secret: expected at least 1 of them"),
        (
            f'url = "https://h.example/"\nsecret = "{KEY}"\nevents = ["sync.ended"]',
            "webhooks.0.events.0: expected ",
        ),
        ('url = "https://h.example/"', "webhooks.0.secret: missing"),
        ('url = "https://h.example/"\nformat = "plane"', "webhooks.0.format: expected 'standard' or 'plain'"),
        (
            'url = "https://h.example/"\nsecret = "x"\nformat = "plain"',
            "webhooks.0.secret: expected whsec_ and 24 to 64",
        ),
        (f'url = "https://h.example/"\nsecret = "{KEY}"\nmethod = "PUT"', 'webhooks.0: method is for format = "plain"'),
        ('url = "https://h.example/"\nformat = "plain"\nmethod = "FETCH"', "webhooks.0.method: expected "),
        (
            'url = "https://h.example/"\nformat = "plain"\nheaders = { Host = "other" }',
            "webhooks.0.headers: host: set by each delivery itself",
        ),
        (
            'url = "https://h.example/"\nformat = "plain"\nheaders = { "a b" = "c" }',
            "webhooks.0.headers: a key is not the name of",
        ),
        (
            'url = "https://h.example/"\nformat = "plain"\nheaders = { "Authorization: Bearer short" = "" }',
            "webhooks.0.headers: a key is not the name of an HTTP header (not shown)",
        ),
        (
            'url = "https://h.example/"\nformat = "plain"\nheaders = { A = "env:NO_SUCH" }',
            "environment has no NO_SUCH",
        ),
        ('url = "https://h.example/"\nformat = "plain"\nonly_change = true', "did you mean webhooks.0.only_changed?"),
    ],
)
def test_mistakes_are_named_without_the_secret(tmp_path: Path, lines: str, complaint: str) -> None:
    """Each mistake is reported with its key, and never with the value."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[[webhooks]]\n{lines}\n")
    assert complaint in str(caught.value)
    for hidden in (KEY, "short", "user:pass"):
        assert hidden not in str(caught.value)


def test_a_plain_webhook_needs_the_url_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a signature; its headers may be secrets, and who wants the changes alone is told of finished passes."""
    monkeypatch.setenv("APP_TOKEN", "Bearer s3cr3t-of-the-app")
    text = '[[webhooks]]\nurl = "https://app.example/api/cache"\nformat = "plain"\n'
    (plain,) = load(tmp_path, text).webhooks
    assert (plain.method, plain.secret, plain.headers, plain.only_changed) == ("POST", (), {}, False)
    assert "project.failed" in plain.events
    text += 'only_changed = true\nmethod = "DELETE"\nheaders = { Authorization = "env:APP_TOKEN" }\n'
    settings = load(tmp_path, text)
    (plain,) = settings.webhooks
    assert plain.events == ("sync.finished",)
    assert plain.headers["Authorization"].get_secret_value() == "Bearer s3cr3t-of-the-app"
    assert "s3cr3t" not in repr(settings)
    assert logs.redact("sent Bearer s3cr3t-of-the-app") == "sent [redacted]"
    (listed,) = load(tmp_path, text + 'events = ["sync.finished", "project.failed"]\n').webhooks
    assert listed.events == ("sync.finished", "project.failed")


def test_two_webhooks_with_one_url_are_a_mistake(tmp_path: Path) -> None:
    """The queue knows a webhook by its URL."""
    one = f'[[webhooks]]\nurl = "https://h.example/"\nsecret = "{KEY}"\n'
    with pytest.raises(ConfigError, match="two of them have the same url"):
        load(tmp_path, one + one)
