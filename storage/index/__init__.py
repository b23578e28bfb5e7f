"""Vector indexes: copies of the catalog's embeddings, arranged for search. `contract` says what
each promises.
"""
