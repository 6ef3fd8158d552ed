"""The service account's key: where it is found, and what is said when it is of no use."""

import base64
import json
from pathlib import Path

import pytest

from fake_google import EMAIL, FakeGoogle, private_key
from smart_sync import logs
from smart_sync.errors import SheetUnavailable
from smart_sync.sheets.credentials import MAX_BYTES, VARIABLE, find


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return FakeGoogle.credentials(FakeGoogle.__new__(FakeGoogle), tmp_path / "google")


def test_a_path_is_read(key: Path) -> None:
    """`[sheets] credentials` names the file, and goes before the environment."""
    assert find(key, {VARIABLE: "nonsense"}).service_account_email == EMAIL


@pytest.mark.parametrize("form", ["json", "base64", "wrapped base64", "path"])
def test_the_environment_holds_the_key(key: Path, form: str) -> None:
    """The variable may hold JSON, base64 (wrapped or not) or a path."""
    content = key.read_bytes()
    forms = {
        "json": content.decode(),
        "base64": base64.b64encode(content).decode(),
        "wrapped base64": base64.encodebytes(content).decode(),
        "path": str(key),
    }
    assert find(None, {VARIABLE: forms[form]}).service_account_email == EMAIL


def test_systemd_hands_over_the_key(key: Path) -> None:
    """LoadCredential=google:... is found by itself."""
    assert find(None, {"CREDENTIALS_DIRECTORY": str(key.parent)}).service_account_email == EMAIL


def test_a_key_without_a_token_address_has_googles(key: Path) -> None:
    """Some tools drop `token_uri`: Google's own is meant."""
    info = json.loads(key.read_text())
    del info["token_uri"]
    assert find(None, {VARIABLE: json.dumps(info)})._token_uri == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a JSON key"),
        ("[1]", "not a JSON key"),
        ("{", "not a JSON key"),
        ('{"installed": {"client_id": "x"}}', 'lacks "client_email"'),
        ('{"client_email": "a@b", "private_key": "nonsense"}', "private key of a@b"),
        ('{"client_email": "a@b", "private_key": 5}', 'lacks "private_key"'),
        (" " * (MAX_BYTES + 1), "not a JSON key"),
    ],
)
def test_a_useless_file_says_what_it_is(tmp_path: Path, content: str, said: str) -> None:
    """What is not a service account's key is refused with a remedy, and none of it is shown."""
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(SheetUnavailable) as failure:
        find(path)
    assert said in failure.value.reason
    assert failure.value.remedy
    assert "nonsense" not in str(failure.value)


@pytest.mark.parametrize("environment", [{}, {VARIABLE: " "}, {"CREDENTIALS_DIRECTORY": "/nonexistent"}])
def test_no_credentials_at_all(environment: dict[str, str]) -> None:
    """Without credentials the failure says how to get some."""
    with pytest.raises(SheetUnavailable, match=r"no credentials.*create a service account"):
        find(None, environment)


@pytest.mark.parametrize("given", ["no such file", "!!!", "/etc"])
def test_a_useless_variable(given: str) -> None:
    """A variable that holds no key is a failure with a remedy."""
    with pytest.raises(SheetUnavailable):
        find(None, {VARIABLE: given})


def test_a_missing_file_is_named() -> None:
    """The path that cannot be read is in the message."""
    with pytest.raises(SheetUnavailable, match=r"/nonexistent/key.json cannot be read: No such file"):
        find(Path("/nonexistent/key.json"))


def test_the_key_is_kept_out_of_the_log(key: Path) -> None:
    """Once loaded, the private key can no longer be written to the log."""
    find(key)
    assert private_key()[0] not in logs.redact(f"oops: {private_key()[0]}")


def test_a_credential_that_cannot_be_looked_at_is_said_to_be_so(tmp_path: Path) -> None:
    """A credentials directory that cannot be entered degrades with its name and the reason, and is no crash."""
    unenterable = str(tmp_path / ("x" * 300))  # refused to root, too
    with pytest.raises(SheetUnavailable, match="cannot be read: File name too long"):
        find(None, {"CREDENTIALS_DIRECTORY": unenterable})
