"""The daemon: open, serve, close; the signals that stop it, and reloads."""

import asyncio
import errno
import signal
import sqlite3
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from smart_sync import __version__, config, logs
from smart_sync.aio.tasks import BackgroundTasks, until_tick
from smart_sync.clock import utc_now
from smart_sync.config import Settings
from smart_sync.control.api import Endpoints
from smart_sync.core.model import Outcome
from smart_sync.core.results.results import PassResult
from smart_sync.core.wording import counted
from smart_sync.errors import ConfigError, SmartSyncError
from smart_sync.logs import emit
from smart_sync.service import interpreter, preflight, systemd
from smart_sync.service.claim import Claim
from smart_sync.service.control_routes import ControlRoutes
from smart_sync.store.engine import Database
from smart_sync.store.sqlite.driver import version_at_risk
from smart_sync.sync.reporter import Reporter
from smart_sync.sync.resources import allow_threads, first_error, opened, report_projects, ungrouped_failures
from smart_sync.sync.scheduler import RunPass, Scheduler
from smart_sync.sync.sync_pass import PassRequest, SyncPass

if TYPE_CHECKING:
    from smart_sync.store.postgres.lease import Lease

#: Seconds that a pass has to end by itself once the lease is lost.
SETTLING = 0.5


def run_daemon(config_path: Path, settings: Settings) -> int:
    """Serve until SIGTERM; returns the exit code.  Raises `SmartSyncError` if the daemon cannot start.

    Leaves the event loop open: closing it would wait for threads that still wait for Google.  Exit at once.
    """
    preflight.raise_for_obstacles(settings)
    try:
        with ungrouped_failures():
            asyncio.Runner().run(Service(config_path, settings).run())
    except SmartSyncError:
        raise
    except Exception as error:
        bug = first_error(error)
        if lacking := what_is_lacking(bug):
            emit("daemon.crashed", reason=lacking)
        else:
            emit("daemon.crashed", reason=f"{type(bug).__name__}: {bug}", exc_info=error)
        return 1
    return 0


def what_is_lacking(error: BaseException) -> str:
    """What the machine refused, and what to do about it; "" if ``error`` is of another kind, a bug."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many open files; raise LimitNOFILE= of the unit, or ulimit -n"
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        return "no memory or no thread to be had; raise MemoryMax= and TasksMax= of the unit, or ulimit -v and -u"
    return ""


class Service:
    """The daemon: serves until it is stopped; a reload closes everything and opens it with the new settings."""

    def __init__(self, config_path: Path, settings: Settings) -> None:
        self._config_path = config_path
        self._settings = settings
        self._announce = Reporter()
        self._started = time.monotonic()
        self._stop = asyncio.Event()
        #: Set by a reload: the settings to go on with.
        self._next: Settings | None = None
        self._ended = asyncio.Event()
        #: The scheduler at work; after a reload the next one goes on with what it has seen.
        self._runner: Scheduler | None = None
        #: The last settings under which it could start.
        self._good: Settings | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT.  Raises `SmartSyncError` if it cannot start; a bug passes through."""
        loop = asyncio.get_running_loop()
        allow_threads()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        async with asyncio.TaskGroup() as group:
            loop.add_signal_handler(
                signal.SIGHUP, lambda: group.create_task(self.reload_and_report(), name="service:reload")
            )
            watchdog = group.create_task(feed_watchdog(), name="service:watchdog")
            try:
                await self._serve_until_stopped()
            finally:
                loop.remove_signal_handler(signal.SIGHUP)
                watchdog.cancel()
        self._announce("daemon.stopped")

    async def reload(self) -> None:
        """Read the configuration again and reopen everything with it. Raises `ConfigError` and changes nothing."""
        self._next = await asyncio.to_thread(self._read_again)
        self._announce("config.reloaded")
        self._ended.set()

    def _read_again(self) -> Settings:
        settings = config.load(self._config_path)
        preflight.raise_for_obstacles(settings, held=self._settings.database.where)
        return settings

    def _on_stop(self) -> None:
        systemd.notify("STOPPING=1", "STATUS=stopping")
        self._stop.set()
        self._ended.set()

    async def reload_and_report(self) -> None:
        """Reload; a refused configuration is logged and told to systemd."""
        try:
            await self.reload()
        except ConfigError as error:
            self._announce("config.rejected", problems=list(error.problems))
            systemd.notify("STATUS=reload refused: the configuration has mistakes, see the log")

    async def _serve_until_stopped(self) -> None:
        """Serve, again after each reload. If new settings do not start, go back to the previous ones."""
        async with Claim() as claim:
            while not self._stop.is_set():
                self._ended.clear()
                try:
                    # Held over reloads, so that no other daemon takes it in between.
                    await claim.take(self._settings.database.where)
                    with ungrouped_failures():
                        async with BackgroundTasks({"service:lock": claim.stay}):
                            await self._serve(self._settings, claim.lease)
                except SmartSyncError as error:
                    if self._good is None or self._settings is self._good:
                        raise
                    self._announce("config.rejected", problems=[str(error)])
                    self._settings = self._good
                self._settings, self._next = self._next or self._settings, None

    async def _serve(self, settings: Settings, lease: "Lease | None") -> None:
        """Lead, or stand by while another daemon leads, until a stop or a reload."""
        async with ControlRoutes(settings.control, self._ended) as control:
            if lease is None:
                await self._lead(settings, control)
                return
            from smart_sync.service.standing_by import StandingBy

            async with StandingBy(settings, lease, self._announce, self.reload, self._started) as waits:
                while not self._ended.is_set():
                    if lease.held:
                        with waits.leading(lambda: self._good is not None):
                            await self._lead(settings, control, lease)
                        await waits.rest(self._ended)
                    else:
                        self._runner = None  # what it has seen is old when this one leads again
                        async with control.answering(waits.routes()):
                            self._ready(settings)
                            await waits.until_leading(self._ended)

    async def _lead(self, settings: Settings, control: ControlRoutes, lease: "Lease | None" = None) -> None:
        """Open, serve, close. Shutdown order: no new work, answer waiting clients, stop listening, close."""
        wait = settings.sync.parsers_wait
        async with (
            opened(settings, self._announce, parsers_wait=wait, lease=lease) as resources,
            asyncio.TaskGroup() as group,
        ):
            tidy_up = partial(rest, resources.database)
            runner = Scheduler(_with_status(SyncPass(resources).run), settings.schedule, utc_now, tidy_up)
            if self._runner is not None:
                runner.take_over(self._runner)
            self._runner = runner
            leader = None if lease is None else lease.holder
            api = Endpoints(resources, runner, self.reload, self._started, leader)
            await report_projects(resources)
            beside = {"service:digest": resources.digest.run}
            if lease is not None:
                from smart_sync.control.standby import RequestWorker

                beside["service:requests"] = RequestWorker(resources, lease, api).run
            async with control.answering(api.routes()), BackgroundTasks(beside):
                work = group.create_task(runner.run(), name="service:runner")
                self._ready(settings)
                await self._until_over(work, lease)
                await self._end(runner, work)

    def _ready(self, settings: Settings) -> None:
        is_start = self._good is None
        if self._good is not settings:
            self._good = settings
            logs.configure(settings.log.format, settings.log.level, sys.stdout)
            self._announce(
                "daemon.started",
                version=__version__,
                database=str(settings.database.where),
                socket=str(settings.control.socket),
                source=settings.sheets.source,
                sqlite_version=sqlite3.sqlite_version,
            )
        if is_start and version_at_risk():
            self._announce("sqlite.at_risk", sqlite_version=sqlite3.sqlite_version)
        systemd.notify("READY=1", "STATUS=serving")
        interpreter.settle()

    async def _until_over(self, work: asyncio.Task[None], lease: "Lease | None") -> None:
        """Wait for a stop, a reload, the loss of the lease, or the end of the work by a bug, which its group raises."""
        ends = [self._ended] if lease is None else [self._ended, lease.free]
        over = [asyncio.create_task(end.wait(), name="daemon:end") for end in ends]
        await asyncio.wait({*over, work}, return_when=asyncio.FIRST_COMPLETED)
        for one in over:
            one.cancel()

    async def _end(self, runner: Scheduler, work: asyncio.Task[None]) -> None:
        """End the running pass: a reload waits for it; a stop, or the loss of the lease, cancels it."""
        reloading = self._ended.is_set() and not self._stop.is_set()
        why = "is reloading its configuration" if reloading else "is stopping"
        runner.stop(why if self._ended.is_set() else "does not lead any more")
        if reloading:
            systemd.reloading()
            stop = asyncio.create_task(self._stop.wait(), name="daemon:stop")
            await asyncio.wait({stop, work}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
        elif not self._ended.is_set():
            # What waited for the database has been told; a statement that is cancelled would wait for it once more.
            await asyncio.wait({work}, timeout=SETTLING)
        work.cancel()
        await asyncio.wait({work})


def _with_status(run_pass: RunPass) -> RunPass:
    """Wrap ``run_pass`` to report its state to systemd (``systemctl status``)."""

    async def run(request: PassRequest) -> PassResult:
        systemd.notify(f"STATUS=syncing ({request.trigger})")
        result = await run_pass(request)
        failed, degraded = result.count(Outcome.FAILED), result.count(Outcome.DEGRADED)
        systemd.notify(
            f"STATUS=last pass {result.timestamp[:19]}Z: {counted(len(result.results), 'project')}, "
            f"{failed} failed, {degraded} degraded"
        )
        return result

    return run


async def rest(database: Database) -> None:
    """Release the memory of a pass that is over."""
    # First what lets the event loop go on: a client is being answered, and the sweep halts everything.
    await database.rest()
    interpreter.sweep()
    await asyncio.to_thread(interpreter.trim)


async def feed_watchdog() -> None:
    """Send systemd's watchdog signs of life from the event loop: if it hangs, systemd restarts us."""
    interval = systemd.watchdog_interval()
    if interval is None:
        return
    while True:
        systemd.notify("WATCHDOG=1")
        await until_tick(interval)
