"""One user-visible act per file: load, ask the core, carry out the answer."""
