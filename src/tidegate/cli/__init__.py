"""The command line: `tidegate serve`, and the operator's verbs."""

from tidegate.cli.program import main

__all__ = ["main"]
