"""What becomes of spreadsheets that workers have: the pure decision."""

from hypothesis import given
from hypothesis import strategies as st

from smart_sync.core.open_tasks import MAX_TRIES, OTHER_RULES, START, OpenTask, Steps, next_steps

LIMIT = 60.0
seconds = st.floats(0, 1000)
turns = st.lists(
    st.builds(
        OpenTask,
        st.sampled_from([f"S{number}" for number in range(9)]),
        tries=st.integers(0, MAX_TRIES),
        worker=st.just("host:1"),
        silent=st.none() | seconds,
        finished=st.booleans(),
        trouble=st.sampled_from(["", "no key", f"{OTHER_RULES} than …"]),
    ),
    max_size=9,
    unique_by=lambda turn: turn.spreadsheet,
)


def step(turn: OpenTask, quiet: float = 0, sent: int = 1) -> Steps:
    return next_steps([turn], quiet, LIMIT, sent={turn.spreadsheet: sent})


@given(turns, seconds, st.integers(1, MAX_TRIES))
def test_each_is_done_one_thing_with(found: list[OpenTask], quiet: float, sent: int) -> None:
    """No spreadsheet is both waited for and given up; one whose worker lives is left alone; none waits for ever."""
    steps = next_steps(found, quiet, LIMIT, sent=dict.fromkeys([turn.spreadsheet for turn in found], sent))
    for turn in found:
        places = [turn.spreadsheet in where for where in (steps.done, steps.again, steps.refused, steps.given_up)]
        assert sum(places) <= 1
        if not turn.finished and turn.silent is not None and turn.silent <= LIMIT:
            assert not any(places)
        if quiet > LIMIT and (turn.silent is None or turn.silent > LIMIT):
            assert any(places)
        if turn.tries >= MAX_TRIES and (turn.trouble or turn.silent is not None):
            assert turn.spreadsheet not in steps.again


def test_what_is_said_of_each() -> None:
    """One that is silent, one that cannot, and one that nobody takes, each by what a person can do about it."""
    assert step(OpenTask("S", 1, "a:1", 0.5, finished=True)).done == ("S",)
    assert step(OpenTask("S", 1, "a:1", 60.1)).again == {"S": "its worker (a:1) has given no sign of life for 60 s"}
    ((what, _),) = step(OpenTask("S", 3, "a:1", 60.1)).given_up.values()
    assert what == "its worker (a:1) has given no sign of life for 60 s"
    assert step(OpenTask("S", 1, "a:1", 0.1, finished=True, trouble="no key")).again == {"S": "no key"}
    ((what, _),) = step(OpenTask("S", 3, "a:1", 0.1, finished=True, trouble="no key")).given_up.values()
    assert what == "no worker could read it: no key"
    assert step(OpenTask("S", 3, "a:1", 0.1, finished=True, trouble=f"{OTHER_RULES} …")).refused == {
        "S": f"{OTHER_RULES} …"
    }
    assert step(OpenTask("S"), quiet=60.1).given_up == {"S": ("no worker has taken it within 60 s", START)}
    assert step(OpenTask("S"), quiet=59.9) == Steps()
    # Where others have been taken there are workers: the task was lost on the way.
    assert next_steps(
        [OpenTask("S"), OpenTask("T", 1, "a:1", 1.0)], 60.1, LIMIT, sent={"S": 1, "T": 1}
    ).again.keys() == {"S"}
