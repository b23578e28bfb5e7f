"""Questions to the catalog, by what they are about. `Catalog` puts them together."""
