"""What pages and programs need to do a challenge: the scripts, and the words on the wire."""
