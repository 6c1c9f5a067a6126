"""People's own pages: signing up, in and out, and what belongs to their account."""
