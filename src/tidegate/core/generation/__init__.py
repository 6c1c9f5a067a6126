"""What is asked of a model, and what comes back, in one form for every dialect."""
