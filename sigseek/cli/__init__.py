"""The command line. It prints and exits, which nothing below it does."""
