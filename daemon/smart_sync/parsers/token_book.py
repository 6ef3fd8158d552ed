"""The tokens of one parser: which to use, which expire soon, and what the platform says about them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from smart_sync import logs
from smart_sync.config import secrets
from smart_sync.core import token_life
from smart_sync.core.daemon_answers import TokenAnswer
from smart_sync.core.days import stamp
from smart_sync.core.token_life import Flow, Step, Token, TokenReport
from smart_sync.errors import ParserFailed
from smart_sync.parsers import token_file, token_renewal
from smart_sync.parsers.api_client import Session
from smart_sync.parsers.failures import AccountFailed, AccountGone, Refused, TokenRefused
from smart_sync.parsers.token_file import TokensUnusable
from smart_sync.parsers.token_renewal import PATIENCE, Job


class Grant(NamedTuple):
    """A configured token: its account ("" if the parser has only one), its value, its renewal (None: never)."""

    account: str
    secret: Callable[[], str]
    flow: Flow | None = None
    #: Where a person puts a new one.
    key: str = ""
    #: Where it is renewed, and what goes with it.
    url: str = ""
    form: Callable[[], Mapping[str, str]] = dict


class TokenBook:
    """The state of the ``grants``, stored in the file at ``path`` under ``table``."""

    def __init__(self, path: Path, table: str, grants: Sequence[Grant], clock: Callable[[], datetime]) -> None:
        self._path = path
        self._table = table
        self._grants = grants
        self._clock = clock
        #: What is known of each token, as of the last look.
        self.reports: tuple[TokenReport, ...] = tuple(self._report(grant, {}) for grant in grants)

    async def access(self, session: Session, grant: Grant, refused: str = "") -> str:
        """The access token to use, renewed if it is due, or if it is the one just ``refused``.

        A renewed one is on the disk before it is returned.  Raises `TokenRefused` where this account has none,
        `ParserFailed` where nobody can have one.
        """
        job = self._job(grant, refused)
        token, step = await asyncio.to_thread(token_renewal.look, job)
        _protect(token)
        if step is Step.RENEW:
            async with session.turn():
                renewal = await token_renewal.renewed(job)
            token, reason = renewal.token, logs.redact(renewal.reason)
            _protect(token)
            if renewal.is_of_app:
                raise ParserFailed(
                    f"the platform refuses the application: {reason}; correct [parsers.{self._table}]",
                    trouble="parser-key",
                )
            if (
                token_life.step(token, job.flow, self._clock(), refused) not in (Step.USE, Step.RENEW)
                or not token.access
            ):
                raise self._refusal(grant, token, reason)
        elif step is not Step.USE:
            raise self._refusal(grant, token, "")
        return token.access

    async def inspect(self, session: Session, grant: Grant, url: str, *, now: bool = False) -> None:
        """Ask Meta's ``debug_token`` about a token, once a day, or ``now``; missing fields stay as they were."""
        with suppress(TokensUnusable):
            await self._inspect(session, grant, url, now=now)

    async def _inspect(self, session: Session, grant: Grant, url: str, *, now: bool) -> None:
        key, secret = self._key(grant), grant.secret()
        stored = (await asyncio.to_thread(token_file.load, self._path)).get(key)
        token = self._begun(grant, stored)
        if not (now or token_life.is_to_be_inspected(token, self._clock())):
            return
        inspected = token.access or secret
        answer: Any = None
        with suppress(Refused, AccountFailed, AccountGone):  # then it says nothing of the token
            answer = await session.get(url, {"input_token": inspected}, {"Authorization": f"Bearer {inspected}"})
        await asyncio.to_thread(self._note, grant, lambda one: token_life.inspected(one, answer, self._clock()))

    async def note(self, grant: Grant, dead: str) -> None:
        """Record that the platform rejected a token that is not renewed (``dead``: why), or accepted it ("")."""
        reason = logs.redact(dead)
        if reason or any(report.dead for report in self.reports if report.account == grant.account):
            with suppress(TokensUnusable):
                await asyncio.to_thread(self._note, grant, lambda token: token._replace(dead=reason))

    async def look(self) -> None:
        """Read the stored state. An unreadable file is reported when a token is needed."""
        with suppress(TokensUnusable):
            self.reports = await asyncio.to_thread(self._read)

    def _read(self) -> tuple[TokenReport, ...]:
        tokens = token_file.load(self._path)
        return tuple(self._report(grant, tokens) for grant in self._grants)

    async def news(self) -> list[TokenReport]:
        """The tokens that expire soon and were not reported yet; from now on they count as reported."""
        await self.look()
        try:
            return await asyncio.to_thread(self._unreported)
        except TokensUnusable:
            return []

    def _unreported(self) -> list[TokenReport]:
        tokens, now, news = token_file.load(self._path), self._clock(), list[TokenReport]()
        for grant, report in zip(self._grants, self.reports, strict=True):
            token = tokens.get(self._key(grant), Token())
            if report.warning(now) and not report.dead and token.told != report.expires:
                self._note(grant, lambda one, report=report: one._replace(told=report.expires))  # type: ignore[misc]
                news.append(report)
        return news

    def _note(self, grant: Grant, change: Callable[[Token], Token]) -> None:
        key = self._key(grant)
        with token_file.locked(self._path, PATIENCE):
            tokens = token_file.load(self._path)
            before = self._begun(grant, tokens.get(key))
            if (after := change(before)) != tokens.get(key):
                with token_file.replacement(self._path, tokens) as file:
                    file.put({**tokens, key: after})

    def _begun(self, grant: Grant, stored: Token | None) -> Token:
        fingerprint = token_file.fingerprint(grant.secret())
        if grant.flow is not None:
            return token_life.begun(stored, fingerprint, grant.secret(), grant.flow, self._clock())
        # Of a token that nobody renews the file need not have the token itself.
        return stored if stored is not None and stored.given == fingerprint else Token(fingerprint)

    def _report(self, grant: Grant, tokens: Mapping[str, Token]) -> TokenReport:
        token = self._begun(grant, tokens.get(self._key(grant)))
        kind, expires = logs.redact(token.kind), token.expires
        return TokenReport(grant.account, kind, expires, logs.redact(token.dead), renews=grant.flow is not None)

    def _refusal(self, grant: Grant, token: Token, reason: str) -> TokenRefused:
        if token.dead:
            return TokenRefused(
                f"the token of {grant.account} is dead: {logs.redact(token.dead)}; grant a new one and put it into"
                f" {grant.key}"
            )
        why = f": {reason}" if reason else ""
        until = token_life.moment_of(token.not_before)
        return TokenRefused(f"the token of {grant.account} could not be renewed{why}", until)

    def _job(self, grant: Grant, refused: str) -> Job:
        return Job(
            str(self._path),
            self._key(grant),
            grant.flow or "tiktok",
            grant.secret(),
            grant.url,
            dict(grant.form()),
            stamp(self._clock()),
            refused,
        )

    def _key(self, grant: Grant) -> str:
        return f"{self._table}/{grant.account}"


def _protect(token: Token) -> None:
    for secret in (token.access, token.refresh):
        if secret:
            secrets.protect_passing(secret)


def answer_of(report: TokenReport, now: datetime) -> TokenAnswer:
    """A token in the form of answers."""
    return {
        "account": report.account,
        "kind": report.kind or None,
        "expires_at": report.expires if report.expires not in ("", token_life.NEVER) else None,
        "never_expires": report.expires == token_life.NEVER,
        "renews": report.renews,
        "dead": report.dead or None,
        "warning": report.warning(now) or None,
    }
