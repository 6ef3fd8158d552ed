"""The endpoints for pins: ``smart-sync pin``, ``unpin`` and ``pins`` over the socket."""

from collections.abc import Awaitable, Mapping
from datetime import date

from smart_sync.control.request import Refusal, Request, Response, option, refuse_unknown_options
from smart_sync.core.days import day_of, stamp
from smart_sync.core.model import MAX_COUNT
from smart_sync.store import pin_rows
from smart_sync.store.pin_rows import NobodyToPin, NotPinned, PinRequest
from smart_sync.sync.resources import Resources


class Pins:
    """``/api/admin/pin``: GET lists, POST pins, DELETE takes back."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def listed(self, request: Request) -> Response:
        """List all pins, those of cells too: `PinsAnswer`."""
        refuse_unknown_options(request)
        return Response(200, await pin_rows.list_pins(self._resources.database))

    async def pin(self, request: Request) -> Response:
        """Pin a value, in the name of the user at the other end of the socket: `PinnedNow`.

        account: a link, an @username or an id; required.
        metric: followers, likes, comments, videos or views; required.
        value: a whole number; without it the value that the metric has.
        until: the last day on which it counts, as 2026-12-31.
        why: a reason in one line.
        400: the pin cannot be made; the error says why.
        404: no account is meant by that.
        """
        pin_request = parse_pin_request(request)
        now = self._resources.clock()
        today = day_of(now, self._resources.settings.schedule.timezone).label
        by = pin_rows.person(request.peer.uid)
        return await _result_or_refusal(pin_rows.pin(self._resources.database, pin_request, by, stamp(now), today))

    async def unpin(self, request: Request) -> Response:
        """Take back what was pinned by command: `Unpinned`.

        account: a link, an @username or an id; required.
        metric: one metric alone; without it all.
        400: nothing was pinned by command.
        404: no account is meant by that.
        """
        account, metric = option(request, "account"), option(request, "metric")
        refuse_unknown_options(request, "account", "metric")
        if account is None:
            raise Refusal(400, "account is missing; give a link, an @username or an id")
        return await _result_or_refusal(pin_rows.unpin(self._resources.database, account, metric))


async def _result_or_refusal(doing: Awaitable[Mapping[str, object]]) -> Response:
    """The result of ``doing``, or a response that says why there is none."""
    try:
        return Response(200, await doing)
    except NobodyToPin as error:
        raise Refusal(404, str(error)) from None
    except NotPinned as error:
        raise Refusal(400, str(error)) from None


def parse_pin_request(request: Request) -> PinRequest:
    """The pin that a request asks for. Raises `Refusal`."""
    account, metric, value, until, why = (
        option(request, name) for name in ("account", "metric", "value", "until", "why")
    )
    refuse_unknown_options(request, "account", "metric", "value", "until", "why")
    if account is None or metric is None:
        raise Refusal(400, "account or metric is missing; give a link, an @username or an id, and a metric")
    if value is not None and not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= MAX_COUNT):
        raise Refusal(400, "value must be a whole number from 0 to 2^63-1")
    try:
        day = None if until is None else date.fromisoformat(until)
    except ValueError:
        raise Refusal(400, "until must be a day, as 2026-12-31") from None
    return PinRequest(account, metric, None if value is None else int(value), day, why or "")
