"""The catalog: every question to the database, and every change."""

from sigseek.storage.catalog.catalog import FILE_NAME, Catalog, CatalogReader
from sigseek.storage.catalog.paths import path_prefix

__all__ = ["FILE_NAME", "Catalog", "CatalogReader", "path_prefix"]
