"""Tokens that live: renewed in time, on the disk before they are used, and a person is notified before they end."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon_process import run_command
from fake_platforms import Call, FakePlatform, Reply, account, drain, troubles, values
from fake_platforms import parser as made
from smart_sync.core import token_life
from smart_sync.core.days import stamp
from smart_sync.core.results.parser_health import Attempt, ParserState, Verdict, judge_parser
from smart_sync.core.token_life import NEVER, Step, Token
from smart_sync.parsers import token_file, token_renewal
from smart_sync.parsers.parser import Unfetched
from smart_sync.parsers.per_account import PlatformParser
from smart_sync.parsers.token_file import TokensUnusable
from token_platform import DEAD, TokenPlatform

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
GRANTED = "rft.canary-granted-by-the-user"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def tiktok(url: str, folder: Path, clock: Clock, refresh_token: str = GRANTED, **more: Any) -> PlatformParser:
    keys: dict[str, Any] = {
        "tokens": {},
        "client_key": "the-key-of-app",
        "client_secret": "the-secret-of-app",
        "accounts": {"@Charli": {"refresh_token": refresh_token}},
        **more,
    }
    found = made("tiktok", url, **keys)
    assert isinstance(found, PlatformParser)
    return timed(found, folder, clock)


def threads(url: str, folder: Path, clock: Clock, token: str = "threads-canary-token-one") -> PlatformParser:
    found = made("threads", url, tokens={}, accounts={"zuck": {"token": token}})
    assert isinstance(found, PlatformParser)
    return timed(found, folder, clock)


def timed(found: PlatformParser, folder: Path, clock: Clock) -> PlatformParser:
    found._clock = clock
    found._api.clock = clock
    found.keep_tokens(folder / "tokens", found._settings.source)
    return found


def known(folder: Path) -> dict[str, Token]:
    return token_file.load(folder / "tokens")


async def followers(found: PlatformParser, kind: str = "tiktok") -> list[int | None]:
    fetched, _ = await drain(found, [account(kind)])
    return [one.metrics.followers for one in values(fetched)]


# TikTok: hours, and each refresh ends the refresh token.


async def test_a_token_is_renewed_in_time_with_the_last_refresh_token(tmp_path: Path) -> None:
    """Each refresh asks with what the one before it brought; in between, the access token is used again."""
    clock = Clock()
    with TokenPlatform(GRANTED) as platform:
        for expected in (1, 1, 2, 2, 3):
            parser = tiktok(platform.url, tmp_path, clock)  # a new process knows what the file says
            assert await followers(parser) == [42]
            assert platform.asked.total() == expected
            clock.now += timedelta(minutes=58)
        assert platform.asked_dead == {}
        assert platform.asked == {
            GRANTED: 1, "rft.canary-refresh-number-0001": 1, "rft.canary-refresh-number-0002": 1,
        }  # fmt: skip
        (token,) = known(tmp_path).values()
    assert token.refresh in platform.living
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600


async def test_a_new_token_is_on_the_disk_before_it_is_used(tmp_path: Path) -> None:
    """When the first request with it arrives, the file has it."""
    seen = []
    with TokenPlatform(GRANTED) as platform:
        answered = platform.answer

        def look(call: Call) -> Reply:
            if "user/info" in call.path:
                token = call.headers["authorization"].removeprefix("Bearer ")
                seen.append(token in (tmp_path / "tokens").read_text())
            return answered(call)

        platform.answer = look
        assert await followers(tiktok(platform.url, tmp_path, Clock())) == [42]
    assert seen == [True]


async def test_an_access_token_that_is_refused_early_is_renewed_once(tmp_path: Path) -> None:
    """Whatever expires_in has promised."""
    clock = Clock()
    with TokenPlatform(GRANTED) as platform:
        parser = tiktok(platform.url, tmp_path, clock)
        assert await followers(parser) == [42]
        platform.end_access()
        assert await followers(parser) == [42]
        assert platform.asked.total() == 2


@pytest.mark.parametrize("junk", ["soon", 1e30, float("nan"), float("inf"), -5, 0, None, True, {}, "1e5"])
async def test_a_lifetime_that_is_none_is_not_known(tmp_path: Path, junk: Any) -> None:
    """The token is used until it is refused: nothing is guessed, nothing raises."""
    clock = Clock()
    with TokenPlatform(GRANTED, lifetime=junk) as platform:
        for _ in range(2):
            assert await followers(tiktok(platform.url, tmp_path, clock)) == [42]
            clock.now += timedelta(days=3)
        assert platform.asked.total() == 1
        platform.end_access()
        assert await followers(tiktok(platform.url, tmp_path, clock)) == [42]


async def test_a_dead_token_is_asked_with_once(tmp_path: Path) -> None:
    """It is told in words, with the key to correct, until the configuration has another one."""
    clock = Clock()
    with TokenPlatform() as platform:
        for _ in range(3):
            parser = tiktok(platform.url, tmp_path, clock)
            fetched, failure = await drain(parser, [account("tiktok")])
            assert failure is None
            (trouble,) = troubles(fetched)
            assert "is dead" in trouble.reason
            assert '[parsers.tiktok.accounts."@Charli"] refresh_token' in trouble.reason
            clock.now += timedelta(days=1)
        assert platform.asked == {GRANTED: 1}
        assert parser.book is not None
        await parser.book.look()
        (report,) = parser.book.reports
        assert "Refresh token is invalid or expired" in report.dead
        platform.living.add("rft.another-one-granted")
        assert await followers(tiktok(platform.url, tmp_path, clock, "rft.another-one-granted")) == [42]


async def test_a_wrong_key_of_the_application_is_no_token_s_death(tmp_path: Path) -> None:
    """The parser says where it stands, and the token lives."""
    clock = Clock()
    with TokenPlatform(GRANTED) as platform:
        parser = tiktok(platform.url, tmp_path, clock, client_secret="another-secret-of-app")
        _, failure = await drain(parser, [account("tiktok")])
        assert "correct [parsers.tiktok]" in str(failure)
        clock.now += timedelta(hours=1)
        assert await followers(tiktok(platform.url, tmp_path, clock)) == [42]


async def test_a_platform_that_is_away_ends_no_token(tmp_path: Path) -> None:
    """The account waits; then the same token is asked with again."""
    clock = Clock()
    with TokenPlatform(GRANTED) as platform:
        answer, platform.answer = platform.answer, lambda _call: Reply({"oops": 1}, 503)
        parser = tiktok(platform.url, tmp_path, clock)
        fetched, _ = await drain(parser, [account("tiktok")])
        (trouble,) = troubles(fetched)
        assert isinstance(trouble, Unfetched)
        assert trouble.until == clock.now + timedelta(minutes=15)
        platform.answer = answer
        clock.now += timedelta(minutes=16)
        assert await followers(parser) == [42]


async def test_nothing_is_asked_where_nothing_could_be_kept(tmp_path: Path) -> None:
    """A refresh whose answer has no place on the disk would lose the token: it lives on, and the folder is named."""
    clock = Clock()
    (tmp_path / "tokens").mkdir()
    with TokenPlatform(GRANTED) as platform:
        _, failure = await drain(tiktok(platform.url, tmp_path, clock), [account("tiktok")])
        assert str(tmp_path / "tokens") in str(failure)
        assert platform.asked == {}


async def test_a_spoilt_file_is_named_and_nobody_is_asked(tmp_path: Path) -> None:
    """The configured token may be dead long ago."""
    (tmp_path / "tokens").write_text('{"tokens": {"tiktok/@Charli": {"refresh": 5}}}')
    with TokenPlatform(GRANTED) as platform:
        _, failure = await drain(tiktok(platform.url, tmp_path, Clock()), [account("tiktok")])
        assert "not a file of tokens" in str(failure)
        assert platform.asked == {}


async def test_two_processes_renew_one_token_once(tmp_path: Path) -> None:
    """Whoever comes second finds the new one."""
    with TokenPlatform(GRANTED) as platform:
        several = [tiktok(platform.url, tmp_path, Clock()) for _ in range(3)]
        assert await asyncio.gather(*map(followers, several)) == [[42]] * 3
        assert platform.asked == {GRANTED: 1}
        assert len(set(platform.used)) == 1


def keeper(job: token_renewal.Job, **environment: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "smart_sync.parsers.token_renewal"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(job.encoded())
    process.stdin.close()
    return process


async def test_what_stops_the_daemon_does_not_stop_a_renewal(tmp_path: Path) -> None:
    """SIGTERM for the whole group comes in the middle: the answer is kept all the same."""
    with TokenPlatform(GRANTED) as platform:
        job = job_of(platform.url, tmp_path)
        platform.rotated = lambda: process.terminate()
        process = keeper(job)
        await asyncio.to_thread(process.wait, 30)
        assert process.returncode == 0
        assert process.stdout is not None
        process.stdout.close()
    assert known(tmp_path)[job.key].refresh in platform.living


async def test_a_renewal_that_is_killed_with_the_answer_in_hand_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked for it has the answer, too, and keeps it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if any('token_renewal' in part for part in sys.orig_argv):\n"
        "    def killed(*_): os.kill(os.getpid(), 9)\n"
        "    os.pwrite = killed\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    with TokenPlatform(GRANTED) as platform:
        renewal = await token_renewal.renewed(job_of(platform.url, tmp_path))
    assert renewal.token.refresh in platform.living
    assert known(tmp_path)["tiktok/@Charli"] == renewal.token


def job_of(url: str, folder: Path) -> token_renewal.Job:
    form = {"client_key": "the-key-of-app", "client_secret": "the-secret-of-app"}
    path, at = str(folder / "tokens"), stamp(NOW)
    return token_renewal.Job(path, "tiktok/@Charli", "tiktok", GRANTED, f"{url}/oauth/token/", form, at)


# Threads: 60 days; Meta: kind and end by debug_token.


class Meta(FakePlatform):
    """Threads and the Graph API: ``debug_token`` says ``facts``."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(self._answered)
        self.facts = facts
        self.living = {"threads-canary-token-one"}
        self.is_young = False

    def _answered(self, call: Call) -> Reply:
        if call.path == "/refresh_access_token":
            if self.is_young:
                return Reply({"error": {"message": "The token is too young", "code": 100}}, 400)
            assert call.query["grant_type"] == "th_refresh_token"
            number = len(self.living)
            self.living.add(f"threads-canary-token-{number:04}")
            body = {
                "access_token": f"threads-canary-token-{number:04}",
                "token_type": "bearer",
                "expires_in": 5_184_000,
            }
            return Reply(body)
        if call.path.endswith("/debug_token"):
            return Reply({"data": self.facts})
        if call.headers["authorization"].removeprefix("Bearer ") not in self.living | {"canary-instagram-token"}:
            return Reply({"error": {"message": "Session has expired", "code": 190}}, 400)
        if "threads_insights" in call.path:
            return Reply({"data": [{"name": "followers_count", "total_value": {"value": 42}}]})
        return Reply({"business_discovery": {"followers_count": 42, "media_count": 1}})

    def asked(self, path: str) -> int:
        return sum(call.path.endswith(path) for call in self.calls)


async def test_a_token_of_threads_is_renewed_at_half_of_its_time(tmp_path: Path) -> None:
    """The address of the refresh has no version; the file has the newest, and the next asks with it."""
    clock = Clock()
    with Meta() as meta:
        for day in range(0, 70, 5):
            clock.now = NOW + timedelta(days=day)
            assert await followers(threads(f"{meta.url}/v1.0", tmp_path, clock), "threads") == [42]
        assert meta.asked("/refresh_access_token") == 3  # at first, after 30 days, after 60
        assert known(tmp_path)["threads/zuck"].access == "threads-canary-token-0003"


async def test_a_token_that_is_too_young_is_used_as_it_is(tmp_path: Path) -> None:
    """And renewed when a day has passed."""
    clock = Clock()
    with Meta() as meta:
        meta.is_young = True
        parser = threads(meta.url, tmp_path, clock)
        assert [await followers(parser, "threads") for _ in range(3)] == [[42]] * 3
        assert meta.asked("/refresh_access_token") == 1
        meta.is_young = False
        clock.now += timedelta(hours=25)
        assert await followers(parser, "threads") == [42]
        assert known(tmp_path)["threads/zuck"].until == stamp(clock.now + timedelta(days=60))


async def test_meta_says_of_which_kind_a_token_is_and_when_it_ends(tmp_path: Path) -> None:
    """Asked once a day; 0 is never."""
    clock = Clock()
    ends = int((NOW + timedelta(days=10)).timestamp())
    with Meta(type="USER", expires_at=ends, is_valid=True) as meta:
        parser = made("instagram", meta.url)
        assert isinstance(parser, PlatformParser)
        timed(parser, tmp_path, clock)
        assert [await followers(parser, "instagram") for _ in range(3)] == [[42]] * 3
        assert meta.asked("/debug_token") == 1
        assert parser.book is not None
        (report,) = await parser.book.news()
        assert (report.kind, report.warning(NOW)) == ("USER", "the token expires on 2026-03-20")
        assert await parser.book.news() == []  # reported once
        assert await timed(parser, tmp_path, clock).book.news() == []  # type: ignore[union-attr]  # over restarts, too
        meta.facts = {"type": "SYSTEM_USER", "expires_at": 0, "data_access_expires_at": 0, "is_valid": True}
        clock.now += timedelta(days=1)
        await followers(parser, "instagram")
        await parser.book.look()
        (report,) = parser.book.reports
        assert (report.kind, report.expires, report.warning(NOW)) == ("SYSTEM_USER", NEVER, "")
    assert "canary-instagram-token" not in (tmp_path / "tokens").read_text()


_SAID = ["data", "type", "expires_at", "is_valid", "error", "message", "issued_at"]
_LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | st.text()


@given(
    st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(_SAID), inner), max_leaves=8)
)
def test_whatever_debug_token_says_is_understood_or_not_known(said: Any) -> None:
    """Never an exception, and a token stays what it was."""
    token = token_life.inspected(Token("given", "access"), said, NOW)
    assert (token.given, token.access) == ("given", "access")


@given(st.integers(0, 599), st.binary() | st.text(), st.sampled_from(["tiktok", "threads"]))
def test_whatever_a_refresh_answers_loses_no_token(status: int, body: str | bytes, flow: token_life.Flow) -> None:
    """Never an exception; the refresh token is the old one, or the answer's."""
    token = Token("given", "access", "refresh")
    assert token_life.answered(token, flow, status, body, NOW).token.refresh == "refresh"


@given(
    st.dictionaries(
        st.sampled_from(["access_token", "refresh_token", "expires_in", "refresh_expires_in", "error"]),
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    )
)
def test_a_rotated_token_is_kept_whatever_else_the_answer_holds(said: Mapping[str, Any]) -> None:
    """A sound refresh token in a good answer is the one that the next refresh asks with."""
    body = json.dumps({**said, "refresh_token": "rft.rotated"})
    answer = token_life.answered(Token("given", "access", "old"), "tiktok", 200, body, NOW)
    assert answer.token.refresh == "rft.rotated"
    assert token_life.step(answer.token, "tiktok", NOW) in (Step.USE, Step.WAIT, Step.RENEW)


# What people are notified.


def test_a_parser_is_failing_as_soon_as_a_token_is_dead() -> None:
    """Also where others bring values, at once, once, until it is replaced."""
    now = stamp(NOW)
    bad = Attempt("tiktok", 5, 0, 0, 1, finished=True, dead="the token of @x is dead")
    state, verdict = judge_parser(bad, ParserState(), now, 6 * 3600.0)
    assert verdict is Verdict.FAILED
    assert state.reason == "the token of @x is dead"
    state, verdict = judge_parser(bad, state, now, 6 * 3600.0)
    assert verdict is None
    state, verdict = judge_parser(Attempt("tiktok", 6, 0, 0, 0, finished=True), state, now, 6 * 3600.0)
    assert verdict is Verdict.RECOVERED


def config(folder: Path, url: str, extra: str = "") -> Path:
    (folder / "sheets").mkdir(exist_ok=True)
    path = folder / "config.toml"
    path.write_text(
        f'[database]\npath = "x.db"\n[sheets]\ndirectory = "sheets"\n{extra}'
        f'[parsers.tiktok]\napi_url = "{url}"\nclient_key = "the-key-of-app"\nclient_secret = "the-secret-of-app"\n'
        f'[parsers.tiktok.accounts."@charli"]\nrefresh_token = "{GRANTED}"\n'
    )
    return path


@pytest.mark.parametrize("is_dead", [False, True])
def test_check_and_parse_show_every_token(tmp_path: Path, *, is_dead: bool) -> None:
    """Whose, until when, and whether it works; dead is an error.  Nothing of a token is shown."""
    with TokenPlatform(*([] if is_dead else [GRANTED])) as platform:
        path = config(tmp_path, platform.url)
        link = "https://www.tiktok.com/@charli"
        asked = run_command("parse", link, "--config", str(path))
        assert (asked.returncode != 0) is is_dead
        shown = run_command("parse", "--tokens", "--json", "--config", str(path))
        ((token,),) = [one["tokens"] for one in json.loads(shown.stdout)["parsers"]]
        checked = run_command("check", "--offline", "--config", str(path))
        screen = run_command("parse", "--tokens", "--config", str(path))
    assert token["account"] == "@charli"
    assert token["renews"] is True
    assert (token["dead"] is not None) is is_dead
    assert (token["expires_at"] is None) is is_dead
    assert ("the token of @charli is dead" in checked.stdout) is is_dead
    assert ("the token of @charli works until" in checked.stdout) is not is_dead
    assert "@charli" in screen.stdout
    assert (shown.returncode, screen.returncode) == ((1, 1) if is_dead else (0, 0))
    for said in (asked, shown, checked, screen):
        for secret in ("canary-", "the-secret-of-app", GRANTED):
            assert secret not in said.stdout + said.stderr


def test_the_file_is_beside_the_database_or_where_the_configuration_says(tmp_path: Path) -> None:
    """``[parsers] state``, relative to the file of the configuration."""
    link = "https://www.tiktok.com/@charli"
    with TokenPlatform(GRANTED) as platform:
        run_command("parse", link, "--config", str(config(tmp_path, platform.url)))
        assert (tmp_path / "x.db.tokens").exists()
        (tmp_path / "x.db.tokens").rename(tmp_path / "elsewhere")
        path = config(tmp_path, platform.url, '[parsers]\nstate = "elsewhere"\n')
        assert run_command("parse", link, "--config", str(path)).returncode == 0
        assert not (tmp_path / "x.db.tokens").exists()
        assert platform.asked == {GRANTED: 1}


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """What was reserved for it is gone, and another process that waits too long is told."""
    path = tmp_path / "tokens"
    with token_file.locked(path, 1), token_file.replacement(path, {}) as file:
        file.put({"a/b": Token("given", "access")})
    assert token_file.load(path) == {"a/b": Token("given", "access")}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tokens", "tokens.lock"]
    with token_file.locked(path, 1), pytest.raises(TokensUnusable, match="another process"), token_file.locked(path, 0):
        pass


def test_a_refusal_is_recognised_by_its_code() -> None:
    """TikTok's invalid_grant is the end, a server's trouble is not."""
    token = Token("given", "", "refresh")
    assert token_life.answered(token, "tiktok", 400, json.dumps(DEAD), NOW).token.dead
    assert not token_life.answered(token, "tiktok", 500, json.dumps({"error": "server_error"}), NOW).token.dead
