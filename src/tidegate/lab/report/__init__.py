"""What the judge found, for people: on the terminal, as one page, and side by side with another rehearsal."""
