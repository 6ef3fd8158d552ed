-- What webhooks are to be told.  An endpoint is the hash of a webhook's URL: the URL itself may be a secret.

-- The outbox.  due_at NULL: nothing more will be tried.  status: waiting, delivered, failed (given up), dropped.
-- seq: the order in which messages were queued.
-- endpoint: a hash of the URL.
-- id: the message's, the same in each attempt.
-- type: such as project.failed.
-- body: the message as it is sent.
-- created_at: when it was queued.
-- due_at: when it is tried next.
-- attempts: how often it was tried.
-- last_at: when it was tried last.
-- answer: what the endpoint said to that.
-- status: waiting, delivered, failed (given up) or dropped.
CREATE TABLE webhook_deliveries (
    seq INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'waiting', created_at TEXT NOT NULL, due_at TEXT,
    attempts INTEGER NOT NULL DEFAULT 0, last_at TEXT, answer TEXT NOT NULL DEFAULT '',
    UNIQUE (endpoint, id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_created_at ON webhook_deliveries (created_at);

-- Endpoints that answered 410 Gone.
-- endpoint: a hash of the URL.
-- since: when it answered so; '' where it is enabled again, until it is told of the troubles that last.
CREATE TABLE webhooks_disabled (endpoint TEXT PRIMARY KEY, since TEXT NOT NULL) WITHOUT ROWID;

-- Projects that are failing or degraded as far as the webhooks were told.
-- outcome: failed or degraded; '' where the project is well again.
-- since: when the trouble began.
CREATE TABLE project_troubles (
    project_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, since TEXT NOT NULL
) WITHOUT ROWID;
