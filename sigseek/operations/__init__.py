"""What the Library calls, each a function of an open library."""
