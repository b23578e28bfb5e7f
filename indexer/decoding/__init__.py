"""One file to pixels and facts."""
