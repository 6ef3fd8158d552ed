"""What the steps of a configured source must be together: who is meant, how long it may take, which videos count."""

from collections.abc import Sequence

from smart_sync.core.campaign import OF_VIDEOS
from smart_sync.parsers import templates
from smart_sync.parsers.step_settings import StepSettings
from smart_sync.parsers.steps import POLLING

#: What every step may say of the account; {username} is without @, {channel_id} as {username}: what the link names.
PLACEHOLDERS = frozenset({"username", "link", "channel_id", "platform"})
_BATCH = frozenset({*templates.LISTS, *(f"{templates.EACH}{name}" for name in PLACEHOLDERS)})


def check_placeholders(several: Sequence[StepSettings], *, is_batch: bool) -> None:
    """Raises ValueError for a placeholder that nothing fills, and if no step says whom it is about."""
    known = set(_BATCH if is_batch else PLACEHOLDERS)
    about = set(known)
    for number, step in enumerate(several, 1):
        if unknown := step.placeholders - known:
            there = ", ".join(sorted(known))
            raise ValueError(f"step {number}: no such placeholder: {{{min(unknown)}}}; there are {there}")
        known |= step.take.keys()
    if not any(step.placeholders & about for step in several):
        meant = "{usernames} or {each.link}" if is_batch else "{username}, {link} or {channel_id}"
        raise ValueError(f"says for no account which one is meant; use {meant}")


def check_campaign(several: Sequence[StepSettings]) -> None:
    """Raises ValueError where a number would be of the lifetime."""
    if sum(step.items is not None for step in several) != 1:
        raise ValueError("count = 'campaign' needs one step with items, published and plays: the array of the videos")
    for number, step in enumerate(several, 1):
        if step.items is None and (lifelong := [name for name in OF_VIDEOS if name in step.metrics]):
            raise ValueError(
                f"steps.{number}.metrics: {', '.join(lifelong)}: of the lifetime, and count = 'campaign' wants those of"
                " the videos in items; leave that out"
            )


def check_polling(several: Sequence[StepSettings], deadline: float) -> None:
    """Raises ValueError for a step whose job, which may be paid for, would be given up before its time."""
    for number, step in enumerate(several, 1):
        if step.until is not None and (limit := step.timeout or POLLING) >= deadline:
            raise ValueError(
                f"steps.{number}.timeout: {limit:g} s is not less than deadline, {deadline:g} s; raise deadline"
            )
