"""Where events become log lines and figures."""
