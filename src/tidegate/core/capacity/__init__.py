"""What can the engine carry, and is it alive?"""
