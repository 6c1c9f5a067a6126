"""Fakes that pass the same contract suites as the real thing, for tests of all kinds."""
