"""Smart Sync inside another program: an HTTP router for FastAPI, tasks for Celery."""
