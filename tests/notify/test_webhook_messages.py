"""What receivers are told of the messages: their keys by type, and how to check who has sent one."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, get_args

import pytest

from markdown_pages import DOCS, texts
from smart_sync.clock import utc_now
from smart_sync.config.notify import WebhookEvent, WebhookSettings
from smart_sync.core.message_answers import DATA_OF
from smart_sync.core.results.webhook_messages import Message
from smart_sync.notify.signature import headers
from tests.notify.test_notices import everything

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


def _compare(data: dict[str, Any], declared: Any) -> None:
    hints = declared.__annotations__
    assert set(data) == set(hints)
    for key, value in data.items():
        if isinstance(value, list):
            assert value or key == "troubled"
            for one in value:
                _compare(one, get_args(hints[key])[0])


def receiver() -> Callable[[dict[str, str], bytes, str], dict[str, Any]]:
    """The function of the page, as it stands."""
    (code,) = texts(DOCS / "how-to" / "webhooks.md", "python", "# receiver")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  what is tested is the document's
    found: Callable[[dict[str, str], bytes, str], dict[str, Any]] = names["opened"]
    return found


def test_the_receiver_of_the_page_takes_what_is_signed_and_nothing_else() -> None:
    """Signed with either of two secrets it is opened; another secret, another body or an old one is a ValueError."""
    opened = receiver()
    webhook = WebhookSettings.model_validate({"url": "https://hooks.example.com/x", "secret": [NEW, OLD]})
    message = everything()["project.degraded"]
    body = message.body.encode()
    sent = headers(webhook, message, utc_now())
    for secret in (NEW, OLD):
        assert opened(sent, body, secret)["data"]["project_name"] == "Зима"
    late = headers(webhook, message, utc_now() - timedelta(minutes=10))
    other = headers(webhook, Message("msg_other", message.type, message.body), utc_now())
    for given, what, secret in (
        (sent, body, "whsec_" + "C" * 44),
        (sent, body.replace(b"degraded", b"failed"), NEW),
        (late, body, NEW),
        (other | {"webhook-id": message.id}, body, NEW),
    ):
        with pytest.raises(ValueError, match="not signed|too old"):
            opened(given, what, secret)
