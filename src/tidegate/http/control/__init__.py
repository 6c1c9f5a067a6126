"""The command line's way into a running service: a Unix socket in the data directory."""
