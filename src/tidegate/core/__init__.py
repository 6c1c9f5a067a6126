"""Decisions. Values in, values out: no I/O, clock, randomness, async or logging."""
