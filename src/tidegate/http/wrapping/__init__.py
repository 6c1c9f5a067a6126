"""The gate inside another application: around a handler of it that answers as servers of models do."""
