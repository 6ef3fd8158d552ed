"""Decisions without side effects: pure functions over immutable values. No await, clock, log or I/O."""
