"""An application of a user's with a schedule and tasks of its own, in which the tasks of Smart Sync are registered."""

from celery import Celery, current_app, shared_task

from smart_sync.integrations.celery import register

app = Celery("own")
register(app, every=1.0)
# After the registration, as a file of settings would.
app.conf.beat_schedule = {"own-every-hour": {"task": "own", "schedule": 3600.0}}
app.conf.broker_connection_retry_on_startup = True


@shared_task(name="own")  # type: ignore[untyped-decorator, unused-ignore]
def own() -> str:
    """Whose application runs it."""
    return str(current_app.main)
