"""Side-by-side measurements; each module is a command that makes its own data and prints a table."""
