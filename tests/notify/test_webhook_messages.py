"""What receivers are told of the messages: their keys by type, and how to check who has sent one."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, get_args

import pytest
from tests.notify.test_notices import everything

from markdown_pages import DOCS, texts
from receiver import receiving
from smart_sync.clock import utc_now
from smart_sync.config.notify import WebhookEvent, WebhookSettings
from smart_sync.core.message_answers import DATA_OF
from smart_sync.notify.sender import Sender

OLD, NEW = "whsec_" + "A" * 44, "whsec_" + "B" * 44


def test_every_type_that_can_be_listed_is_on_the_reference_page() -> None:
    """And the test's; no other."""
    assert set(DATA_OF) == {*get_args(WebhookEvent), "webhook.test"}


@pytest.mark.parametrize("kind", DATA_OF)
def test_a_message_has_the_keys_that_its_type_is_said_to_have(kind: str) -> None:
    """All of them and no other, in the lists within it too."""
    told = json.loads(everything()[kind].body)
    assert set(told) == {"type", "timestamp", "data"}
    data = {"message": ""} if kind == "webhook.test" else told["data"]
    _compare(data, DATA_OF[kind])


def test_the_example_is_such_a_message() -> None:
    """It has the keys of its type."""
    (example,) = texts(DOCS / "reference" / "webhook-messages.md", "json")
    shown = json.loads(example)
    assert set(shown) == {"type", "timestamp", "data"}
    _compare(shown["data"], DATA_OF[shown["type"]])


def _compare(data: dict[str, Any], declared: Any) -> None:
    hints = declared.__annotations__
    assert set(data) == set(hints)
    for key, value in data.items():
        if isinstance(value, list):
            assert value or key == "troubled"
            for one in value:
                _compare(one, get_args(hints[key])[0])


def receiver() -> Callable[[Mapping[str, str], bytes, str], dict[str, Any]]:
    """The function of the page, as it stands."""
    (code,) = texts(DOCS / "how-to" / "webhooks.md", "python", "# receiver")
    names: dict[str, Any] = {}
    exec(code, names)
    found: Callable[[Mapping[str, str], bytes, str], dict[str, Any]] = names["opened"]
    return found


async def test_the_receiver_of_the_page_takes_what_is_signed_and_nothing_else() -> None:
    """Signed with either of two secrets it is opened; another secret, another body or an old one is a ValueError."""
    opened, message = receiver(), everything()["project.degraded"]
    async with receiving() as local:
        local.status = 200
        url = f"http://127.0.0.1:{local.port}/"
        given = {"url": url, "secret": [NEW, OLD], "allow_private": True}
        webhook = WebhookSettings.model_validate(given)
        for now in (utc_now(), utc_now() - timedelta(minutes=10)):
            assert (await Sender().send(webhook, message, now)).accepted
        sent, late = local.received
    body = sent.body.encode()
    for secret in (NEW, OLD):
        assert opened(sent.headers, body, secret)["data"]["project_name"] == "Зима"
    for headers, what, secret in (
        (sent.headers, body, "whsec_" + "C" * 44),
        (sent.headers, body.replace(b"degraded", b"failed"), NEW),
        (dict(sent.headers) | {"webhook-id": "msg_other"}, body, NEW),
        (late.headers, body, NEW),
    ):
        with pytest.raises(ValueError, match=r"not signed|too old"):
            opened(headers, what, secret)
