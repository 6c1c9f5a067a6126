"""Whose passwords are guessed: the accounts of established people (town.py), by number."""

from __future__ import annotations

from tidegate.lab.scenario import People


class Victims:
    """The names of those who have had an account for weeks."""

    def __init__(self, people: People) -> None:
        """As many as the scenario has."""
        self.count = people.established

    def owner(self, number: int) -> str:
        """The name of that one, from 0."""
        return f"established-{number}"
