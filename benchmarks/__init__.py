"""Side-by-side measurements. Each is a command that prints one table."""
