"""The live world: actors ask a real service over HTTP, from many loopback addresses, bounded, and it ends by itself."""
