"""Steps of the callers schema."""
