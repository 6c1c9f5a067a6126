"""The gate on its own: requests are judged here and answered by a server behind."""
