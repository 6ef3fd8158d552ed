"""``[[webhooks]]`` and ``[ping]`` in the configuration."""

from pathlib import Path

import pytest

from smart_sync import config
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
    ],
)
def test_mistakes_are_named_without_the_secret(tmp_path: Path, lines: str, complaint: str) -> None:
    """Each mistake is told with its key, and never with the value."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[[webhooks]]\n{lines}\n")
    assert complaint in str(caught.value)
    for hidden in (KEY, "short", "user:pass"):
        assert hidden not in str(caught.value)


def test_two_webhooks_with_one_url_are_a_mistake(tmp_path: Path) -> None:
    """The queue knows a webhook by its URL."""
    one = f'[[webhooks]]\nurl = "https://h.example/"\nsecret = "{KEY}"\n'
    with pytest.raises(ConfigError, match="two of them have the same url"):
        load(tmp_path, one + one)
