"""How much a session looks like a program's: 0 to 1, with reasons, never alone a ground for a block."""
