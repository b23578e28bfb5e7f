"""The command line. Prints and exits, which nothing below it does."""
