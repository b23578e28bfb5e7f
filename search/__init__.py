"""A query in, ranked hits out: retrieve candidates from the index, rerank them by their exact scores.

The searcher is imported from `search.engine` itself: faiss comes with it, which only those who search need.
"""

from search.calibration import Calibration
from search.classify import Classification, LabelScore, classify
from search.errors import CalibrationError, QueryError, QuerySyntaxError
from search.results import Hit, SearchResults, SimilarHit

__all__ = [
    "Calibration",
    "CalibrationError",
    "Classification",
    "Hit",
    "LabelScore",
    "QueryError",
    "QuerySyntaxError",
    "SearchResults",
    "SimilarHit",
    "classify",
]
