"""Logs of this and of other systems, read in the form of the event log, and the weights that judge them."""
