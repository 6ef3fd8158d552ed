"""Who is notified of what: decided from results alone."""

import itertools
import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.days import stamp
from smart_sync.core.model import Outcome, Project, Trigger
from smart_sync.core.results.alerts import FLAPPING, Trouble, decide_alerts
from smart_sync.core.results.results import PassResult, ProjectResult
from smart_sync.core.results.webhook_messages import messages

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
STAMP = "2026-03-10T12:00:00.000000"
CONDITION = {
    "project.failed": Outcome.FAILED,
    "project.degraded": Outcome.DEGRADED,
    "project.recovered": None,
}
OUTCOMES = st.sampled_from(Outcome)
PASSES = st.lists(st.dictionaries(st.sampled_from("abc"), OUTCOMES), max_size=20)
TEXT = st.text(st.characters(), max_size=900) | st.sampled_from(["\U0001f600" * 900, "\x00" * 900, "\ud800" * 900])


def result(project_id: str, outcome: Outcome, stamp: str = STAMP, **more: object) -> ProjectResult:
    return ProjectResult(Project(project_id, f"project {project_id}"), outcome, stamp, **more)  # type: ignore[arg-type]


def ill(outcome: Outcome | None) -> Outcome | None:
    return outcome if outcome in (Outcome.FAILED, Outcome.DEGRADED) else None


@given(PASSES)
def test_all_alerts_together_tell_how_every_project_is(passes: list[dict[str, Outcome]]) -> None:
    """Alerts tell each change of a project's condition and nothing else; the passes are too rare for flapping."""
    remembered: dict[str, Trouble] = {}
    heard: dict[str, Outcome | None] = {}
    for number, outcomes in enumerate(passes):
        at = stamp(NOON + number * FLAPPING * 1.1)
        judgement = decide_alerts([result(p, outcome, at) for p, outcome in outcomes.items()], remembered)
        for alert in judgement.alerts:
            now = CONDITION[alert.type]
            assert heard.get(alert.result.project.id) != now
            heard[alert.result.project.id] = now
        for project_id, trouble in judgement.troubles.items():
            remembered.pop(project_id, None)
            if trouble is not None:
                remembered[project_id] = trouble
        assert all(heard.get(p) == ill(outcome) for p, outcome in outcomes.items())


@given(st.lists(st.tuples(st.integers(1, 300), OUTCOMES), max_size=60))
def test_a_project_that_flaps_is_told_of_less_and_never_wrongly(passes: list[tuple[int, Outcome]]) -> None:
    """What was heard last is true, or the trouble is one pass old; and few ends are told in a time."""
    remembered: dict[str, Trouble] = {}
    heard, ends, now, before = None, list[datetime](), NOON, None
    for minutes, outcome in passes:
        now += timedelta(minutes=minutes)
        judgement = decide_alerts([result("a", outcome, stamp(now))], remembered)
        for alert in judgement.alerts:
            heard = CONDITION[alert.type]
            ends += [now] if heard is None else []
        for project_id, trouble in judgement.troubles.items():
            remembered.pop(project_id, None)
            if trouble is not None:
                remembered[project_id] = trouble
        assert heard == ill(outcome) or (heard is None and before is None)
        before = ill(outcome)
    lasting = sum(1 for one, other in itertools.pairwise(passes) if ill(one[1]) and ill(other[1]))
    in_a_time = max((sum(end - FLAPPING <= other <= end for other in ends) for end in ends), default=0)
    assert in_a_time <= 2 + lasting


def test_since_is_the_beginning_of_the_trouble_until_its_end() -> None:
    """A failure that turns into degradation and then ends is one trouble with one beginning."""
    first = decide_alerts([result("a", Outcome.FAILED, "1")], {})
    assert first.troubles == {"a": Trouble(Outcome.FAILED, "1")}
    second = decide_alerts([result("a", Outcome.DEGRADED, "2")], {"a": Trouble(Outcome.FAILED, "1")})
    third = decide_alerts([result("a", Outcome.SYNCED, "3")], {"a": Trouble(Outcome.DEGRADED, "1")})
    told = [(alert.type, alert.since) for judgement in (first, second, third) for alert in judgement.alerts]
    assert told == [("project.failed", "1"), ("project.degraded", "1"), ("project.recovered", "1")]
    assert third.troubles == {"a": Trouble(None, "", ends=("3",))}


@given(st.lists(st.tuples(st.text(max_size=500), TEXT, OUTCOMES), max_size=4), st.integers(1, 60))
def test_no_message_is_larger_than_a_receiver_must_take(rows: list[tuple[str, str, Outcome]], times: int) -> None:
    """Whatever names and reasons there are, a message is valid JSON in ASCII and smaller than 20 kB."""
    results = tuple(
        ProjectResult(Project(f"{index}" + "\x00" * 300, name), outcome, STAMP, error=text, remedy=text)
        for index, (name, text, outcome) in enumerate(rows * times)
    )
    told = messages(PassResult("run", Trigger.TIMER, STAMP, STAMP, results), decide_alerts(results, {}))
    assert all(len(message.body.encode("ascii")) < 20_000 for message in told)
    finished = json.loads(told[0].body)["data"]
    troubled = sum(r.outcome in (Outcome.FAILED, Outcome.DEGRADED) for r in results)
    assert len(finished["troubled"]) + finished["troubled_left_out"] == troubled
    assert not troubled or finished["troubled"]


def test_ids_follow_from_the_pass_and_the_project() -> None:
    """The same pass makes the same ids, and no two messages have the same one."""
    results = tuple(result(p, Outcome.FAILED) for p in "ab")
    this = PassResult("run", Trigger.TIMER, STAMP, STAMP, results)
    ids = [message.id for message in messages(this, decide_alerts(results, {}))]
    assert ids == [message.id for message in messages(this, decide_alerts(results, {}))]
    assert len(set(ids)) == 3
