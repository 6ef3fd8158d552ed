"""The service account's key: where it is found, and what is said when it is of no use."""

import base64
import contextlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from fake_google import EMAIL, FakeGoogle, private_key
from smart_sync import config, logs
from smart_sync.errors import ConfigError, SheetUnavailable
from smart_sync.sheets.credentials import MAX_BYTES, VARIABLE, find


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return FakeGoogle.credentials(FakeGoogle.__new__(FakeGoogle), tmp_path / "google")


def test_a_path_is_read(key: Path) -> None:
    """`[sheets] credentials` names the file, and goes before the environment."""
    assert find(key, {VARIABLE: "nonsense"}).service_account_email == EMAIL


def forms_of(content: str) -> dict[str, str]:
    """Whatever people make of a key, each understood."""
    encoded = base64.b64encode(content.encode()).decode()
    info = json.loads(content)
    return {
        "json": content,
        "json, its line ends written out": json.dumps(info, indent=2).replace("\n", "\\n"),
        "the private key's line ends written out twice": json.dumps(
            info | {"private_key": info["private_key"].replace("\n", "\\n")}
        ),
        "real line breaks in the private key": content.replace("\\n", "\n"),
        "with a byte order mark": "\ufeff" + content,
        "in quotes": f"'{content}'",
        "in double quotes": f'"{content}"',
        "base64": encoded,
        "wrapped base64": base64.encodebytes(content.encode()).decode(),
        "base64 in quotes": f'"{encoded}"',
        "base64 with a byte order mark": "\ufeff" + encoded,
        "base64 of a byte order mark and JSON": base64.b64encode(b"\xef\xbb\xbf" + content.encode()).decode(),
    }


def ruined(content: str) -> dict[str, str]:
    """What is left of a key when it is copied badly: nothing that could be used."""
    info = json.loads(content)
    encoded = base64.b64encode(content.encode()).decode()
    unpadded = base64.b64encode((content + " " * ((1 - len(content)) % 3)).encode()).decode()
    assert unpadded.endswith("==")
    return {
        "base64 without its last character": encoded[:-1],
        "base64 without its padding": unpadded.rstrip("="),
        "half of the base64": encoded[: len(encoded) // 2 + 1],
        "base64 twice": base64.b64encode(encoded.encode()).decode(),
        "half of the json": content[: len(content) // 2],
        "the private key alone": info["private_key"],
        "the private key's body in one line": "".join(info["private_key"].splitlines()[1:-1]),
        "the key where the address belongs": json.dumps(info | {"client_email": info["private_key"]}),
        "a damaged private key": json.dumps(info | {"private_key": info["private_key"][:200]}),
        "with a NUL": "\0" + content,
        "url-safe base64 without padding": base64.urlsafe_b64encode(b"\xff\xfe" + content.encode())
        .decode()
        .rstrip("="),
    }


def _key_text() -> str:
    """A key file's content, in one line."""
    with TemporaryDirectory() as folder:
        key = FakeGoogle.credentials(FakeGoogle.__new__(FakeGoogle), Path(folder) / "key")
        return json.dumps(json.loads(key.read_text()))


KEY_TEXT = _key_text()


def configured(text: str, folder: Path) -> Path | SecretStr | None:
    """``text`` as ``[sheets] credentials`` of a configuration file."""
    path = folder / "config.toml"
    path.write_text(
        f'[sheets]\nsource = "google"\nspreadsheet = "x"\ncredentials = {json.dumps(text)}\n'.replace("\x7f", "")
    )
    return config.load(path).sheets.credentials


@pytest.mark.parametrize("place", ["environment", "configuration", "file"])
@pytest.mark.parametrize("form", [*forms_of(KEY_TEXT), "path", "path in quotes"])
def test_a_key_is_understood_in_every_form(key: Path, tmp_path: Path, form: str, place: str) -> None:
    """Path, JSON or base64, written out, wrapped, quoted or marked: in the variable, the configuration and a file."""
    text = {**forms_of(KEY_TEXT), "path": str(key), "path in quotes": f"'{key}'"}[form]
    if place == "environment":
        found = find(None, {VARIABLE: text})
    elif place == "configuration":
        found = find(configured(text, tmp_path), {})
    else:
        file = tmp_path / "any.key"
        file.write_text(text)
        found = find(file if "path" not in form else key)
    assert found.service_account_email == EMAIL


@pytest.mark.parametrize("place", ["environment", "configuration", "file"])
@pytest.mark.parametrize("form", ruined(KEY_TEXT))
def test_a_ruined_key_is_refused_and_never_quoted(tmp_path: Path, form: str, place: str) -> None:
    """What cannot be used is named by its place alone: no 24 characters of it are in the message."""
    text = ruined(KEY_TEXT)[form]
    (tmp_path / "any.key").write_text(text)
    file = tmp_path / "any.key"
    if form == "with a NUL" and place == "configuration":
        with pytest.raises(ConfigError, match="credentials: holds a NUL character"):
            configured(text, tmp_path)
        return
    given_to = configured(text, tmp_path) if place == "configuration" else file if place == "file" else None
    with pytest.raises(SheetUnavailable) as failure:
        find(given_to, {VARIABLE: text} if place == "environment" else {})
    told = str(failure.value)
    if place != "file" and "address" not in form and "damaged" not in form:
        assert "is neither JSON, nor base64 of it, nor a file" in told
    # Of a whole JSON key everything but the private key may be told.
    secret = json.loads(KEY_TEXT)["private_key"] if text.startswith("{") else text
    for needle in (secret, json.dumps(secret)):
        assert [at for at in range(len(needle) - 23) if needle[at : at + 24] in told] == []


@given(st.text() | st.binary(max_size=300).map(lambda raw: base64.b64encode(raw).decode()))
def test_any_text_as_a_key_is_total(text: str) -> None:
    """Whatever the variable holds, it is a failure with a remedy and no other."""
    for given_text in (text, "{" + text, text * 40):
        with contextlib.suppress(SheetUnavailable):
            find(None, {VARIABLE: given_text})


@pytest.mark.parametrize("name", ["0123456789abcdef" * 4, "Smart-Sync-Service-Account-Key-2026"])
def test_a_file_is_found_whatever_its_name_looks_like(key: Path, tmp_path: Path, name: str) -> None:
    """A file that is there is read, even if its name could be a secret."""
    key.rename(tmp_path / name)
    assert find(None, {VARIABLE: str(tmp_path / name)}).service_account_email == EMAIL


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


@pytest.mark.parametrize("text", ["no such file", "!!!", "/etc"])
def test_a_useless_variable(text: str) -> None:
    """A variable that holds no key is a failure with a remedy."""
    with pytest.raises(SheetUnavailable):
        find(None, {VARIABLE: text})


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
