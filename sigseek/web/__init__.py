"""The web server of `sigseek serve`: an HTTP API and a page, over one library."""
