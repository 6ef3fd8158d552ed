"""What snapshots say about the past: growth and the timeline of one account."""
