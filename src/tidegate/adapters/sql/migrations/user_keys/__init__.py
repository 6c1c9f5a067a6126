"""Steps of the user keys schema."""
