"""Changes of the catalog, by what they are about. `Transaction` puts them together."""
