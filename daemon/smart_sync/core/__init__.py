"""What to do, decided without doing it: pure functions over immutable values.  No await, clock, log or I/O."""
