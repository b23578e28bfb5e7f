"""The version of perceptual hashes, apart from what makes them, which takes long to load."""

HASH_VERSION = 2
"""Raise it when the same picture would get another hash or sketch. `index` then makes those of all
photos again.
"""
