"""An honest platform that renews tokens: each refresh ends the refresh token that it was asked with."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from fake_platforms import Call, FakePlatform, Reply

#: What a dead token is answered, in TikTok's words.
DEAD = {"error": "invalid_grant", "error_description": "Refresh token is invalid or expired.", "log_id": "1"}


class TokenPlatform(FakePlatform):
    """TikTok: POST /oauth/token/ with a form, and the user's figures for a living access token."""

    def __init__(self, *granted: str, lifetime: Any = 7200) -> None:
        super().__init__(self._answered)
        #: The refresh tokens that live.
        self.living = set(granted)
        #: How often each refresh token was asked with, and how often one that was dead already.
        self.asked = Counter[str]()
        self.asked_dead = Counter[str]()
        self.lifetime = lifetime
        self.more: Mapping[str, Any] = {"refresh_expires_in": 15_552_000}
        self.access = set[str]()
        #: The access tokens that were used.
        self.used: list[str] = []
        self._numbers = itertools.count(1)
        self._turn = threading.Lock()
        #: Called while a refresh is answered: after the old token is dead, before the answer goes out.
        self.rotated: Callable[[], object] = lambda: None

    def _answered(self, call: Call) -> Reply:
        if call.path.endswith("/oauth/token/"):
            with self._turn:
                reply = self._refreshed(call)
            self.rotated()
            return reply
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        self.used.append(token)
        if token not in self.access:
            return Reply({"error": {"code": "access_token_invalid", "message": "The access token is invalid"}}, 401)
        return Reply(
            {"data": {"user": {"follower_count": 42, "likes_count": 1, "video_count": 2}}, "error": {"code": "ok"}}
        )

    def _refreshed(self, call: Call) -> Reply:
        form = call.body
        if (form["client_key"], form["client_secret"]) != ("the-key-of-app", "the-secret-of-app"):
            return Reply({"error": "invalid_client", "error_description": "Client key or secret is incorrect."}, 400)
        old = form["refresh_token"]
        self.asked[old] += 1
        if old not in self.living:
            self.asked_dead[old] += 1
            return Reply(DEAD, 400)
        self.living.discard(old)
        number = next(self._numbers)
        access, new = f"act.canary-access-number-{number:04}", f"rft.canary-refresh-number-{number:04}"
        self.living.add(new)
        self.access.add(access)
        return Reply({"access_token": access, "refresh_token": new, "expires_in": self.lifetime, **self.more})

    def end_access(self) -> None:
        """Take back all access tokens, before their time."""
        self.access.clear()
