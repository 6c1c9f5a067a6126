"""The only place that knows every concrete class: puts the service together and runs it."""
