"""A query in, ranked hits out: retrieve candidates from the index, rerank them by their exact scores.

The searcher is imported from `search.engine` itself: faiss comes with it, which only those who search need.
"""

from search.calibration import Calibration, CalibrationError
from search.classify import Classification, LabelScore, classify
from search.errors import QueryError, QuerySyntaxError, UnknownTagError
from search.labels import Label
from search.results import Hit, SearchResults, SimilarHit

__all__ = [
    "Calibration",
    "CalibrationError",
    "Classification",
    "Hit",
    "Label",
    "LabelScore",
    "QueryError",
    "QuerySyntaxError",
    "SearchResults",
    "SimilarHit",
    "UnknownTagError",
    "classify",
]
