"""What do we know of who asks?"""
