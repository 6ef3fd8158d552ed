"""What snapshots say about the past: growth, target, and the timeline of an account."""
