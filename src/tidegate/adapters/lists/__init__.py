"""Lists and models that the package carries as data."""
