"""The process that renews one token: ``python -m smart_sync.parsers.token_renewal``, with its `Job` on stdin.

A platform ends the old refresh token with its answer, so an answer that reaches no disk is a token lost.  Therefore the
renewal is a process of its own, which goes on when its caller is killed; and it hands the answer to that
caller before it writes it down, so that a kill of either loses nothing.
"""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from smart_sync.aio.http_client import UNREADABLE, NoClient, cause, new_client
from smart_sync.core import token_life
from smart_sync.core.days import moment
from smart_sync.core.token_life import Answer, Flow, Step, Token
from smart_sync.parsers import token_file
from smart_sync.parsers.token_file import TokensUnusable

#: Seconds for the answer, and for another process that renews a token.
TIMEOUT = 30.0
PATIENCE = 60.0
_MAX_ANSWER = 64 * 1024


class Job(NamedTuple):
    """A token to renew: where it is stored, and the platform's address for renewing it."""

    path: str
    key: str
    flow: Flow
    #: The configured secret that it begins with.
    secret: str
    url: str
    #: What goes with the token: the application's key and secret.
    form: dict[str, str]
    #: The time, as a stamp.
    now: str
    #: The access token that the platform has just refused.
    refused: str = ""

    def encoded(self) -> bytes:
        """The job as text for stdin."""
        return json.dumps(self._asdict()).encode()


class Renewal(NamedTuple):
    """The token now, and why it is not new; "" if it can be used."""

    token: Token
    reason: str = ""
    is_of_app: bool = False


def look(job: Job) -> tuple[Token, Step]:
    """The stored token, and what to do with it. Raises `TokensUnusable`."""
    stored = token_file.load(Path(job.path)).get(job.key)
    token = token_life.begun(stored, token_file.fingerprint(job.secret), job.secret, job.flow, _now(job))
    return token, token_life.step(token, job.flow, _now(job), job.refused)


async def renewed(job: Job) -> Renewal:
    """Renew the token in a separate process, unless another has done it meanwhile. Raises `TokensUnusable`."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Answer | None, str]] = loop.create_future()

    def finish(result: tuple[Answer | None, str]) -> None:
        if not done.done():
            done.set_result(result)

    def work() -> None:
        result = _in_own_process(job)
        with suppress(RuntimeError):  # the loop has ended, the token is on the disk
            loop.call_soon_threadsafe(finish, result)

    # No thread that is waited for: a process that is stopped now finds the token in the file the next time.
    threading.Thread(target=work, name="token-renewal", daemon=True).start()
    answer, trouble = await done
    if trouble:
        raise TokensUnusable(trouble)
    token, step = await asyncio.to_thread(look, job)
    if answer is not None and answer.reason:
        return Renewal(token, answer.reason, answer.is_of_app)
    if step in (Step.USE, Step.RENEW) and token.access:
        return Renewal(token)
    return Renewal(token, token.dead or "it could not be renewed; the next pass tries it again")


def _in_own_process(job: Job) -> tuple[Answer | None, str]:
    """The result of the process, and why there is none; the token is on disk in any case."""
    command = [sys.executable, "-P", "-m", "smart_sync.parsers.token_renewal"]
    try:
        with subprocess.Popen(  # noqa: S603  our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            output, _ = process.communicate(job.encoded())
    except OSError as error:
        return None, f"no process can be started to renew a token: {error.strerror}"
    answer: Answer | None = None
    for line in output.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:  # it was ended in the middle of the line
            break
        if "trouble" in fields:
            return None, str(fields["trouble"])
        if "body" in fields:
            answer = _parsed_answer(job, fields)
        if "kept" in fields:
            return answer, ""
    if answer is None:
        return None, "the process that renews a token was ended"
    try:  # it was ended with the answer in hand
        with token_file.locked(Path(job.path), PATIENCE):
            tokens = token_file.load(Path(job.path))
            with token_file.replacement(Path(job.path), tokens) as file:
                file.put({**tokens, job.key: answer.token})
    except TokensUnusable as error:
        return None, str(error)
    return answer, ""


def _parsed_answer(job: Job, fields: dict[str, Any]) -> Answer:
    return token_life.answered(Token(**fields["token"]), job.flow, fields["status"], fields["body"], _now(job))


def _now(job: Job) -> datetime:
    return moment(job.now)


def main() -> None:
    """Do the job on stdin; print the result to stdout, line by line."""
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ending, signal.SIG_IGN)
    try:
        job = Job(**json.loads(sys.stdin.buffer.read()))
    except ValueError:  # the one that asked was killed before all was said
        return
    try:
        with token_file.locked(Path(job.path), PATIENCE):
            _renew(job)
    except TokensUnusable as error:
        _write_line({"trouble": str(error)})


def _renew(job: Job) -> None:
    path = Path(job.path)
    tokens = token_file.load(path)
    token, step = look(job)
    if step is not Step.RENEW:
        if tokens.get(job.key) != token:
            with token_file.replacement(path, tokens) as file:
                file.put({**tokens, job.key: token})
        _write_line({"kept": True})
        return
    with token_file.replacement(path, tokens) as file:
        status, body = asyncio.run(_request(job, token))
        fields = {"token": token._asdict(), "status": status, "body": body}
        _write_line(fields)
        file.put({**tokens, job.key: _parsed_answer(job, fields).token})
    _write_line({"kept": True})


def _write_line(fields: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody listens any more
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


async def _request(job: Job, token: Token) -> tuple[int, str]:
    """The status and body of the platform's response; 0 and the reason if there is none."""
    import httpx2

    try:
        async with asyncio.timeout(TIMEOUT), new_client(proxied=True) as client:
            if job.flow == "tiktok":
                form = {**job.form, "grant_type": "refresh_token", "refresh_token": token.refresh}
                request = client.stream("POST", job.url, data=form)
            else:
                query = {"grant_type": "th_refresh_token", "access_token": token.access}
                request = client.stream("GET", job.url, params=query)
            async with request as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > _MAX_ANSWER:
                        break
                return response.status_code, bytes(body).decode(errors="replace")
    except TimeoutError:
        return 0, _reason_text(f"no answer within {TIMEOUT:g} s")
    except NoClient as error:
        return 0, _reason_text(str(error))
    except (httpx2.HTTPError, httpx2.InvalidURL, *UNREADABLE) as error:
        return 0, _reason_text(f"cannot be reached: {cause(error)}")


def _reason_text(reason: str) -> str:
    return json.dumps({"error": "", "error_description": reason})


if __name__ == "__main__":
    main()
