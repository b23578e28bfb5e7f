"""A query in, ranked hits out: parse, retrieve, rank by exact scores, judge.

Everything is imported from its own module, because hardly anybody needs all of it: numpy comes
with `sigseek.search.searcher`, scikit-learn with `sigseek.search.fitting`.
"""
