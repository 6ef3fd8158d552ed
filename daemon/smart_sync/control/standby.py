"""Several daemons on one database: the answers of a standby, and the leader's work on their requests."""

import asyncio
import contextlib
import json
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator

from smart_sync.control.api import Endpoints
from smart_sync.control.request import Request, Response, Route, Routes, failure, refuse_unknown_options
from smart_sync.core.daemon_answers import AliveAnswer, HealthAnswer
from smart_sync.core.results.openmetrics import standby_exposition
from smart_sync.core.results.results import PassResult
from smart_sync.errors import SmartSyncError
from smart_sync.logs import emit, redact
from smart_sync.store.engine import OF_THE_WHOLE, Refused, StoreError
from smart_sync.store.postgres import sync_requests
from smart_sync.store.postgres.lease import POLL, Lease
from smart_sync.store.postgres.sync_requests import SyncRequest
from smart_sync.store.schema import MIGRATIONS
from smart_sync.sync.resources import Resources
from smart_sync.sync.scheduler import Scheduler, Stopping
from smart_sync.sync.sync_pass import PassRequest

#: Times the lease within which there should be a leader again, and seconds besides; then it is told.
_LEADERLESS, _BESIDE = 2.0, 10.0


class Standby:
    """What a daemon answers while another one leads: the state from the database; passes are run by the leader."""

    def __init__(
        self, resources: Resources, lease: Lease, reload: Callable[[], Awaitable[None]], started: float
    ) -> None:
        self._resources = resources
        self._lease = lease
        self._started = started
        self._endpoints = Endpoints(resources, _idle(resources), reload, started, run_pass=self._run_pass)

    def routes(self) -> Routes:
        """Path → method → route."""
        return {
            **self._endpoints.routes(),
            "/api/admin/sync_status": {"GET": Route(self._sync_status)},
            "/healthz": {"GET": Route(self._healthz)},
            "/livez": {"GET": Route(self._livez)},
            "/metrics": {"GET": Route(self._metrics)},
        }

    async def _run_pass(self, project_id: str | None, asked_by: str, dry_run: bool) -> Response:
        asked_by = f"{asked_by} at {socket.gethostname()}"
        return await self._answered(SyncRequest(str(uuid.uuid4()), project_id, dry_run, asked_by))

    async def _answered(self, request: SyncRequest) -> Response:
        """The leader's answer to a request; another daemon may lead by then."""
        database = self._resources.database
        try:
            await sync_requests.ask(database, request, self._resources.clock())
            while True:
                news = self._lease.news
                with contextlib.suppress(*OF_THE_WHOLE):  # a server that is away for a while comes back
                    if answer := await sync_requests.answer_to(database, request):
                        return Response(answer[0], json.loads(answer[1]))
                await wait_for_notice(news)
        except StoreError as error:
            raise error.meaning from None

    async def _sync_status(self, request: Request) -> Response:
        refuse_unknown_options(request)
        try:
            answer = await self._endpoints.status.answer()
        except StoreError as error:
            # Another version's tables, or a server that is away.
            answer = self._endpoints.status.unread(str(error.meaning))
        answer["warnings"] = [*answer["reasons"], *answer["warnings"], *self._warnings()]
        answer["reasons"] = self._reasons()
        answer["healthy"] = not answer["reasons"]
        answer["state"], answer["leader"], answer["next_run_at"] = "standby", self._lease.leader or None, None
        return Response(200, answer)

    def _reasons(self) -> list[str]:
        """Why this daemon could not take over, or nobody leads; a sentence each."""
        lease, reasons = self._lease, []
        if lease.trouble:
            reasons.append(f"the database cannot be read: {lease.trouble}")
        away = 0.0 if lease.leader else time.monotonic() - lease.leaderless_since
        if not lease.trouble and away > lease.seconds * _LEADERLESS + _BESIDE:
            why = (
                f"the last one here: {lease.reason}"
                if lease.reason
                else "start one of the version that the tables are of"
            )
            reasons.append(f"no daemon has led for {away:.0f} s; {why}")
        return reasons

    def _warnings(self) -> list[str]:
        if not self._lease.outdated:
            return []
        versions = f"schema {self._lease.outdated}, this one knows {len(MIGRATIONS)}"
        return [f"the tables are of a newer version ({versions}): this daemon waits and will not lead; upgrade it"]

    async def _healthz(self, request: Request) -> Response:
        refuse_unknown_options(request)
        reasons = self._reasons()
        answer: HealthAnswer = {
            "success": not reasons,
            "healthy": not reasons,
            "reasons": reasons,
            "stale_projects": [],
            "warnings": self._warnings(),
            "error": "; ".join(reasons) or None,
            "last_good_pass_age_seconds": None,
            "allowed_seconds": None,
            "state": "standby",
            "leader": self._lease.leader or None,
        }
        return Response(503 if reasons else 200, answer)

    async def _livez(self, request: Request) -> Response:
        refuse_unknown_options(request)
        uptime = round(time.monotonic() - self._started, 3)
        answer: AliveAnswer = {"success": True, "alive": True, "uptime_seconds": uptime, "error": None}
        return Response(200, answer)

    async def _metrics(self, request: Request) -> Response:
        refuse_unknown_options(request)
        return Response(200, {}, standby_exposition(led=bool(self._lease.leader)))


class RequestWorker:
    """Runs the requests of standby daemons while this one leads."""

    def __init__(self, resources: Resources, lease: Lease, endpoints: Endpoints) -> None:
        self._database = resources.database
        self._clock = resources.clock
        self._lease = lease
        self._endpoints = endpoints
        #: The ids of the requests that are being answered.
        self._begun: set[str] = set()
        #: What this daemon, which stops or reloads, has begun and not done: it has not ended over that.
        self._cut_off: list[SyncRequest] = []
        #: What the database has refused, and was told: it is reported once until a request is answered.
        self._refused = ""

    async def run(self) -> None:
        """Run until cancelled. Requests without an answer are left to the next leader."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    news = self._lease.news
                    with self._refusals_reported():  # looked for again soon
                        for request in await sync_requests.unanswered(self._database):
                            if request.id not in self._begun:
                                self._begun.add(request.id)
                                group.create_task(self._answer(request), name=f"leader:request:{request.id}")
                    await wait_for_notice(news)
        finally:
            # Not where it is turned away: its task is cancelled before it could commit.
            with self._refusals_reported():
                for request in self._cut_off:
                    await sync_requests.put_back(self._database, request)

    @contextlib.contextmanager
    def _refusals_reported(self) -> Iterator[None]:
        """Inside, an unreachable server is ignored, since it comes back; a refusal (permission, table) is logged."""
        try:
            yield
        except Refused as error:
            reason = redact(str(error.meaning))
            if reason != self._refused:
                self._refused = reason
                emit("requests.refused", reason=reason)
        except OF_THE_WHOLE:
            pass

    async def _answer(self, request: SyncRequest) -> None:
        try:
            tries = await sync_requests.begin(self._database, request)
            if not tries:
                self._begun.discard(request.id)
                return
            if tries <= sync_requests.TRIES:
                response = await self._endpoints.run_pass(request.project_id, request.asked_by, request.dry_run)
            else:
                response = failure(500, f"{sync_requests.TRIES} daemons have ended over this request; see their logs")
        except Stopping:
            self._cut_off.append(request)
            return
        except StoreError as error:
            response = failure(503, redact(str(error.meaning)))
        except SmartSyncError as error:
            response = failure(503, redact(str(error)))
        text = json.dumps(response.body, ensure_ascii=False)
        # Where it cannot be answered: once more, here or where the next leader is.
        with self._refusals_reported():
            await sync_requests.answer(self._database, request, response.status, text, self._clock())
            self._refused = ""
        self._begun.discard(request.id)


async def wait_for_notice(news: asyncio.Event) -> None:
    """Wait for a NOTIFY, or until the next poll is due."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(POLL):
            await news.wait()


def _idle(resources: Resources) -> Scheduler:
    """A scheduler that runs nothing: the leader's does."""

    async def run(request: PassRequest) -> PassResult:
        raise Stopping("another daemon leads; ask again in a moment")

    async def rest() -> None:
        return

    return Scheduler(run, resources.settings.schedule, resources.clock, rest)
