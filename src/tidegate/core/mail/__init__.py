"""Letters: what they say, whom they may be sent to, how many, and what the links in them prove."""
