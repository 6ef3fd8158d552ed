"""Results of a pass: outcomes, alerts, health, metrics, webhook messages."""
