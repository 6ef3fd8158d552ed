"""What a person can say of what the last pass found: that it is meant."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from smart_sync.core.model import METRICS
from smart_sync.core.state import AccountState, leaves


class Confirmation(NamedTuple):
    """Something that a person has confirmed.

    ``kind``: "gone" (a row), "emptied" (a cell), "column" (a cell whose column has lost its values), "suspect" (a
    value), "doubtful" (a row for which no account was created), "worksheet" (there is none to read).
    """

    kind: str
    project_id: str
    account_id: str = ""
    link: str = ""
    metric: str = ""
    #: The value that stands in no more; of a suspect the one that is believed.
    value: int | None = None

    def answer(self) -> dict[str, Any]:
        """As `smart-sync confirm --json` has it: what is not empty."""
        return {name: value for name, value in self._asdict().items() if value not in ("", None)}


def of_account(
    state: AccountState, project_id: str, metric: str | None, lost: Collection[str], suspects: Mapping[str, int]
) -> Iterator[Confirmation]:
    """What can be confirmed of one account; of one metric alone if it is named.

    ``lost`` are the metrics whose column the worksheet has lost, ``suspects`` the suspect values by metric.
    """
    if not state.active:
        return
    absence = state.absence
    waited_for = absence.gone_since is not None and not absence.accepted
    if waited_for and metric is None:
        yield Confirmation("gone", project_id, state.id, state.link)
    for index, name in enumerate(METRICS):
        if metric not in (None, name):
            continue
        value = state.sheet[index] if state.sheet else None
        merged = state.merged[index] if state.merged else None
        if value is not None and not waited_for and (name in state.held or name in lost):
            yield Confirmation("column", project_id, state.id, state.link, name, value)
        elif value is None and state.winners[index] == "carried" and not leaves(absence, state.parsed):
            yield Confirmation("emptied", project_id, state.id, state.link, name, merged)
        if name in suspects:
            yield Confirmation("suspect", project_id, state.id, state.link, name, suspects[name])
