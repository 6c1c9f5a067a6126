"""Firewalls, and the small program that may change one of them."""
