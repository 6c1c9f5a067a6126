"""The virtual world: the same actors and the same core, under a clock of its own."""
