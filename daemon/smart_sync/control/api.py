"""The endpoints (DESIGN §6) and their answers, on top of `server`."""

from collections.abc import Awaitable, Callable
from functools import wraps

from smart_sync.control.daemon_status import DaemonStatus
from smart_sync.control.pin_endpoints import Pins
from smart_sync.control.request import Refusal, Request, Response, Route, Routes, Stream, option, refuse_unknown_options
from smart_sync.core.daemon_answers import ReloadAnswer
from smart_sync.core.model import METRICS, Trigger
from smart_sync.core.results import health
from smart_sync.core.results.openmetrics import exposition
from smart_sync.errors import ConfigError
from smart_sync.store import parser_records, pass_history
from smart_sync.store.engine import StoreError
from smart_sync.store.openmetrics_figures import measured
from smart_sync.store.requested_project import choose
from smart_sync.sync.resources import Resources
from smart_sync.sync.scheduler import Scheduler

#: Project (None: all), the name of the client, and whether nothing shall be written → the response.
RunPass = Callable[[str | None, str, bool], Awaitable[Response]]
Handler = Callable[[Request], Awaitable[Response | Stream]]


class Endpoints:
    """The endpoints of the control channel, until a stop or a reload."""

    def __init__(
        self,
        resources: Resources,
        runner: Scheduler,
        reload: Callable[[], Awaitable[None]],
        started: float,
        leader: str | None = None,
        run_pass: RunPass | None = None,
    ) -> None:
        """``leader``: how this daemon is called among those of one server; None: it is alone with an SQLite file.

        ``run_pass``: what answers a request for a pass, in place of `run_pass`.
        """
        self._run_pass = run_pass or self.run_pass
        self._resources = resources
        self._runner = runner
        self._reload = reload
        self.status = DaemonStatus(resources, runner, started, leader)

    def routes(self) -> Routes:
        """Path → method → route."""
        answer, pins = self._or_say_why, Pins(self._resources)
        return {
            "/api/admin/smart_sync": {"POST": Route(answer(self._smart_sync), mutates=True)},
            "/api/admin/sync_status": {"GET": Route(answer(self._sync_status))},
            "/api/admin/sync_history": {"GET": Route(answer(self._sync_history))},
            "/api/admin/explain": {"GET": Route(answer(self._explain))},
            "/api/admin/pin": {
                "GET": Route(answer(pins.listed)),
                "POST": Route(answer(pins.pin), mutates=True),
                "DELETE": Route(answer(pins.unpin), mutates=True),
            },
            "/api/admin/events": {"GET": Route(answer(self._events))},
            "/api/admin/reload": {"POST": Route(answer(self._reload_config), mutates=True)},
            "/healthz": {"GET": Route(answer(self._healthz))},
            "/livez": {"GET": Route(answer(self._livez))},
            "/metrics": {"GET": Route(answer(self._metrics))},
        }

    def _or_say_why(self, handler: Handler) -> Handler:
        """Answer 503 with a remedy if the database cannot be read at the moment."""

        @wraps(handler)
        async def guarded(request: Request) -> Response | Stream:
            try:
                return await handler(request)
            except StoreError as error:
                raise error.meaning from None

        return guarded

    async def _smart_sync(self, request: Request) -> Response:
        """Run a pass over all active projects or one, and answer when it is done: `PassAnswer`, of one `ProjectAnswer`.

        project_id: the project's id or name; without it all active projects.
        dry_run: true: nothing is written, and the answer says what would change.
        404: there is no such project, or it is not active.
        503: the daemon is stopping.
        """
        project_id = option(request, "project_id")
        dry_run = _flag(request, "dry_run")
        refuse_unknown_options(request, "project_id", "dry_run")
        asked_by = f"uid={request.peer.uid} pid={request.peer.pid}"
        return await self._run_pass(project_id, asked_by, dry_run)

    async def run_pass(self, project_id: str | None, asked_by: str, dry_run: bool) -> Response:
        """The response to a request for a pass over one project, or over all."""
        choice = None if project_id is None else await choose(self._resources.database, project_id)
        if choice is not None and choice.project is None:
            return Response(404, choice.refusal)
        result = await self._runner.request(Trigger.SOCKET, project_id, asked_by=asked_by, dry_run=dry_run)
        if project_id is None or choice is None:
            facts, _ = await self.status.facts()
            answer = result.answer() | {"warnings": health.warnings(facts)}
            return Response(200, answer | {"refused_projects": dict(self._resources.announce.refused_projects)})
        project_result = result.of(project_id)
        if project_result is None:  # it has been switched off between the question and the pass
            return Response(404, (await choose(self._resources.database, project_id)).refusal)
        return Response(200, choice.with_note(project_result.answer()))

    async def _sync_status(self, request: Request) -> Response:
        """Say what the daemon is doing, its last pass and its next one: `StatusAnswer`."""
        refuse_unknown_options(request)
        return Response(200, await self.status.answer())

    async def _sync_history(self, request: Request) -> Response:
        """List the last passes, the newest first: `HistoryAnswer`.

        limit: how many, from 1 to 1000; 20 without it.
        project_id: only passes of this project.
        failed: true: only passes with a failed project, or cut off.
        """
        limit = option(request, "limit") or "20"
        project_id, failed = option(request, "project_id"), _flag(request, "failed")
        refuse_unknown_options(request, "limit", "project_id", "failed")
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 4) or not 1 <= int(limit) <= 1000:
            raise Refusal(400, "limit must be a number from 1 to 1000")
        runs = await pass_history.recent_runs(self._resources.database, int(limit), project_id, failed=failed)
        return Response(200, {"success": True, "runs": runs})

    async def _explain(self, request: Request) -> Response:
        """Say why the numbers of an account are what they are: `ExplainAnswer`.

        account: a link, an @username or an id; required.
        days: how much history, from 1 to 9999, or all.
        404: no account is meant by that.
        """
        # Not before it is asked for: it draws in the whole report, and a start need not wait for that.
        from smart_sync.report.explain import ALL_DAYS, DAYS, UnknownAccount, explanation

        account, days = option(request, "account"), option(request, "days") or str(DAYS)
        refuse_unknown_options(request, "account", "days")
        if account is None:
            raise Refusal(400, "account is missing; give a link, a name or an id")
        if days != "all" and not (days.isascii() and days.isdigit() and 1 <= len(days) <= 4 and int(days)):
            raise Refusal(400, "days must be a number from 1 to 9999, or all")
        have, past = self._resources, ALL_DAYS if days == "all" else int(days)
        try:
            answer = await explanation(
                have.database, have.settings, have.parsed_query, account, METRICS, have.clock(), past
            )
        except UnknownAccount as error:
            raise Refusal(404, str(error)) from None
        return Response(200, answer)

    async def _events(self, request: Request) -> Stream:
        """Stream the daemon's events as lines of JSON, until the client leaves; the fields are those of the log.

        503: too many clients have a stream already.
        """
        refuse_unknown_options(request)
        return Stream(self._resources.announce.events())

    async def _reload_config(self, request: Request) -> Response:
        """Read the configuration again, as SIGHUP does: `ReloadAnswer`.

        422: the file has mistakes; all are named, and nothing is changed.
        """
        refuse_unknown_options(request)
        try:
            await self._reload()
        except ConfigError as error:
            self._resources.announce("config.rejected", problems=list(error.problems))
            return Response(422, ReloadAnswer(success=False, error=str(error), problems=list(error.problems)))
        return Response(200, ReloadAnswer(success=True, message="reloaded"))

    async def _healthz(self, request: Request) -> Response:
        """Say whether the numbers are current, for alerts: `HealthAnswer`.

        503: a pass was missed or could not be run, a project is stale, or there is nothing to sync.
        """
        refuse_unknown_options(request)
        body = await self.status.healthz()
        return Response(200 if body["healthy"] else 503, body)

    async def _livez(self, request: Request) -> Response:
        """Say whether the daemon keeps its schedule, for restarts: `AliveAnswer`.

        503: a tick of the schedule was missed.
        """
        refuse_unknown_options(request)
        body = self.status.livez()
        return Response(200 if body["alive"] else 503, body)

    async def _metrics(self, request: Request) -> Response:
        """Say how things stand as OpenMetrics, for Prometheus."""
        refuse_unknown_options(request)
        database = self._resources.database
        now = await measured(database)
        failing = {one.parser for one in await parser_records.failing(database) if one.told_at}
        parsers = {name: name in failing for one in self._resources.parsers() if (name := str(one["parser"]))}
        return Response(200, {}, exposition(now, parsers, self._resources.announce.spent))


def _flag(request: Request, name: str) -> bool:
    value = request.query.get(name, "false")
    if value not in ("true", "false", "1", "0"):
        raise Refusal(400, f"{name} must be true or false")
    return value in ("true", "1")
