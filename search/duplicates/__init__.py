"""Duplicates: candidates by hash and by embedding, compared closely by their sketches, and grouped
around the photo to keep.
"""
