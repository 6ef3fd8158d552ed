"""What may be a secret, and what is left of a text without it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.redaction import MAX_PASSING, REDACTED, KnownSecrets, is_plausible_path, names_secret

SECRET = "kV7q-2Zr!x9Lw_04mTn8.Yb3Hc6Df5Gs1Pj~aQe"


@given(st.text(max_size=80), st.text(max_size=80), st.data())
def test_no_longer_run_of_a_secret_is_left(before: str, after: str, data: st.DataObject) -> None:
    """Wherever 24 characters or more of it stand in a text, none of such length are left."""
    start = data.draw(st.integers(0, len(SECRET) - 24))
    end = data.draw(st.integers(start + 24, len(SECRET)))
    known = KnownSecrets()
    known.add(SECRET)
    left = known.removed_from(before + SECRET[start:end] + after)
    assert [at for at in range(len(SECRET) - 23) if SECRET[at : at + 24] in left] == []


@given(st.text())
def test_without_a_secret_a_text_stays(text: str) -> None:
    """What shares nothing with a secret, and looks like none, is left as it is."""
    known = KnownSecrets()
    known.add("\ue000" * 40)
    plain = text.replace("\ue000", "").replace("://", "").replace("-", "")[:60].replace("=", "")
    assert known.removed_from(plain) == plain


@pytest.mark.parametrize("name", ["X-RapidAPI-Key", "Authorization", "token", "access_token", "apikey", "Cookie"])
def test_names_of_secrets(name: str) -> None:
    """A header or parameter that is named so holds a secret."""
    assert names_secret(name)


@pytest.mark.parametrize("name", ["X-RapidAPI-Host", "Accept", "User-Agent", "keyword", "author", "lang", "page"])
def test_names_of_what_may_be_shown(name: str) -> None:
    """A header or parameter that is named so holds none."""
    assert not names_secret(name)


@pytest.mark.parametrize(
    "text", ["google.json", "/etc/smart-sync/my-project-123456-a1b2c3d4e5f6.json", "~/key", "my key"]
)
def test_plausible_paths(text: str) -> None:
    """Names that files have."""
    assert is_plausible_path(text)


@pytest.mark.parametrize(
    "text",
    ["", '{"type": 1}', "a\nb", "a\0", "x" * 300, base64.b64encode(SECRET.encode()).decode(), "pg://u:p@h/d"],
)
def test_what_is_no_path(text: str) -> None:
    """JSON, base64, URLs, and what no file can be called."""
    assert not is_plausible_path(text)


def test_secrets_that_are_replaced_do_not_pile_up() -> None:
    """Of secrets that answers bring the latest are known, the longest first, and never more than a bounded number."""
    known = KnownSecrets()
    for number in range(MAX_PASSING + 10):
        known.add_passing(f"pass-{number:05}")
    known.add_passing("pass-00100-and-more")
    known.add_passing("pass-00100")
    assert known.removed_from("pass-00100-and-more pass-00100 pass-00509") == " ".join([REDACTED] * 3)
    assert known.removed_from("pass-00003") == "pass-00003"
