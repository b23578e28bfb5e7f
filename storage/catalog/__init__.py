"""The catalog: every question to the database, and every change."""

from sigseek.storage.catalog.catalog import FILE_NAME, Catalog

__all__ = ["FILE_NAME", "Catalog"]
