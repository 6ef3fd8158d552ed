"""What became of a pass: results, outcomes, alerts, webhook messages."""
