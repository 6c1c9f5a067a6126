"""Which sources are handed to a firewall, for how long, and which never are."""
