"""Who may join, and when."""
