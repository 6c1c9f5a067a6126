"""Which models there are, how people name them, and which suit a machine."""
