"""Letters on their way: to an SMTP server, or into a folder of this machine."""
