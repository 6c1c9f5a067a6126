"""Challenges: work that costs a program what it costs a person nothing to wait for."""
