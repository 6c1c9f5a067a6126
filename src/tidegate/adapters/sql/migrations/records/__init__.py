"""Steps of the records schema."""
