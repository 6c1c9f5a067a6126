"""Tidegate: an AI-assistant service that keeps serving the people it knows."""

__version__ = "0.1.0"
