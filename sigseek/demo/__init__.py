"""Drawn photos that need no download: scenes from a seed, their captions, and the training of the `mini` checkpoint."""
