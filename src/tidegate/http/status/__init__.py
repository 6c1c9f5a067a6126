"""What anybody may know of how the service is."""
