"""The built web chat: its page, and the files that the page is made of."""
