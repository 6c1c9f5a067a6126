"""Those who ask: people and their programs, crowds, and what looks odd and is harmless."""
