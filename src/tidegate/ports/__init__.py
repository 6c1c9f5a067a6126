"""What Tidegate needs from the world, as Protocols, with their errors."""
