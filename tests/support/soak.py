"""The proofs at length (`make soak`): counts and seeds from the environment; at the end a line for each promise."""

import re
import subprocess
import sys
import time
from pathlib import Path

#: Promise → the tests that try it, and print ``…: tried N, broken M``.
PROOFS = {
    "kills": "test_kill.py::test_sigkill_anywhere_loses_nothing",
    "power cuts": "test_power_cut.py::test_wal_with_full_loses_nothing",
    "soak": "test_soak.py::test_nothing_grows",
    "frames": "test_control_fuzz.py::test_frames",
    "edges": "test_fuzz_edges.py::test_edges",
    "faults": "test_fault_schedules.py::test_no_fault_takes_a_number_from_a_manager",
    "locks": "test_durability_file.py::test_a_lock_is_outwaited_while_there_is_patience",
    "quota": "test_shared_quota.py::test_no_window_has_more_than_the_limit",
    "tokens": "test_tokens_kill.py::test_sigkill_at_every_write_of_a_renewal_loses_no_token",
    "servers": "test_postgres_kill.py::test_no_end_of_the_server_breaks_a_promise",
    "take-overs": "test_standby.py::test_the_other_one_takes_over_and_the_late_write_is_refused",
    "engines": "test_engines_agree.py::test_both_engines_hold_the_same_rows",
    "replica": "test_postgres_refusals.py::test_a_replica",
    "secrets": "test_secrets.py::test_no_secret_comes_out",
}
#: Kept failing variants: each must be caught at length too.
CONTROLS = (
    "test_standby.py::test_without_the_token_the_late_write_is_seen",
    "test_shared_quota.py::test_quotas_of_their_own_are_seen_to_be_too_much",
    "test_power_cut.py::test_less_than_full_is_seen_to_lose",
    "test_fuzz_edges.py::test_an_edge_without_its_guard_is_seen",
    "test_kill.py::test_a_weaker_daemon_is_seen_to_lose",
    "test_soak.py::test_what_leaks_is_seen_to_grow",
    "test_tokens_kill.py::test_a_renewal_that_dies_with_whoever_asked_for_it_is_seen_to_lose",
    "test_secrets.py::test_without_redaction_the_same_schedule_finds_them",
)
TESTS = Path(__file__).parents[1]


def prove(promise: str, test: str) -> tuple[bool, str]:
    """Run one proof; whether it held, and its summary line."""
    started = time.monotonic()
    module, _, name = test.partition("::")
    (path,) = TESTS.rglob(module)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", f"{path}::{name}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    told = re.findall(rf"^\.*{promise}: tried (\d+)(.*)$", run.stdout, re.MULTILINE)
    if run.returncode:
        sys.stderr.write(run.stdout[-5000:] + run.stderr[-2000:])
    line = "nothing tried" if run.returncode else "skipped"
    if told:
        line = f"tried {sum(int(count) for count, _ in told)}{told[-1][1]}"
    return run.returncode == 0, f"{promise}: {line}  ({seconds:.0f} s)"


def main() -> int:
    """Every proof, then every control; 1 if one of them does not hold."""
    proven = [prove(promise, test) for promise, test in PROOFS.items()]
    controls = [prove("control", test) for test in CONTROLS]
    sys.stdout.write("".join(f"{line}\n" for _, line in proven))
    sys.stdout.write(f"negative controls: tried {len(controls)}, broken {sum(not held for held, _ in controls)}\n")
    return 0 if all(held for held, _ in (*proven, *controls)) else 1


if __name__ == "__main__":
    sys.exit(main())
