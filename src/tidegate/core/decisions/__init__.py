"""What is written down of decisions, so that they can be made again under another policy."""
