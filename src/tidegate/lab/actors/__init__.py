"""Actors: those whom the service is for, what is odd and harmless, and attackers."""
