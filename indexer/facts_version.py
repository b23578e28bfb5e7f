"""The version of the reader of metadata, apart from the reader, which takes long to load."""

FACTS_VERSION = 6
"""Raise it when the reader finds more. The metadata of photos that an older version read is then
read again.
"""
