"""A query in, ranked hits out: parse, retrieve, rank by exact scores, judge.

Everything is imported from its own module, for hardly anybody needs all of it: faiss comes with
`sigseek.search.searcher`, scikit-learn with `sigseek.search.fitting`.
"""
