"""A query in, ranked hits out: retrieve candidates from the index, rerank them by their exact scores."""

from search.classify import Classification, LabelScore, classify
from search.engine import Searcher
from search.errors import QueryError
from search.results import Hit, SimilarHit

__all__ = ["Classification", "Hit", "LabelScore", "QueryError", "Searcher", "SimilarHit", "classify"]
