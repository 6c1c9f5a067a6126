"""What the web chat is made of: its calls, and the stream of what happens in an account."""
