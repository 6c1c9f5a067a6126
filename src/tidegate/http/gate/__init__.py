"""What stands before every application: the limits of a request's head."""
