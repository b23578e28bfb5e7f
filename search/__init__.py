"""A query in, ranked hits out: retrieve candidates from the index, rerank them by their exact scores.

The searcher is imported from `search.engine` itself: faiss comes with it, which only those who search need.
"""

from search.classify import Classification, LabelScore, classify
from search.errors import QueryError
from search.results import Hit, SimilarHit

__all__ = ["Classification", "Hit", "LabelScore", "QueryError", "SimilarHit", "classify"]
