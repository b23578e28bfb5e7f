"""Vector indexes: copies of the catalog's embeddings, arranged for search. They can be deleted at any time."""
