"""What the operator sees, on a port of its own that only this machine reaches."""
