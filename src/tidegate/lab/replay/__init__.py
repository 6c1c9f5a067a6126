"""Decisions that a service has written down, made again under another policy."""
