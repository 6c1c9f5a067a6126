"""Signing in while strangers guess: known devices first, everybody else behind limits that lock nobody out."""
