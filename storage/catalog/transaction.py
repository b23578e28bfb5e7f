"""Every change of the catalog."""

from sqlalchemy import delete, exists

from sigseek.storage.catalog.changes.checkpoints import CheckpointWriter
from sigseek.storage.catalog.changes.embedding_pairs import EmbeddingPairWriter
from sigseek.storage.catalog.changes.embeddings import EmbeddingWriter
from sigseek.storage.catalog.changes.facet_blocks import FacetBlockWriter
from sigseek.storage.catalog.changes.files import FileWriter
from sigseek.storage.catalog.changes.folders import FolderWriter
from sigseek.storage.catalog.changes.hashes import HashWriter
from sigseek.storage.catalog.changes.judgement import JudgementWriter
from sigseek.storage.catalog.changes.photos import PhotoWriter
from sigseek.storage.catalog.changes.settings import SettingWriter
from sigseek.storage.catalog.changes.tags import TagWriter
from sigseek.storage.catalog.changes.tasks import TaskWriter
from sigseek.storage.catalog.tables import METADATA


class Transaction(
    CheckpointWriter,
    FolderWriter,
    FileWriter,
    PhotoWriter,
    EmbeddingWriter,
    HashWriter,
    EmbeddingPairWriter,
    JudgementWriter,
    TagWriter,
    TaskWriter,
    SettingWriter,
    FacetBlockWriter,
):
    """The changes that a catalog takes. Either all changes of one transaction are kept, or none.

    Only one thread may use a transaction.
    """

    def remove_dangling(self, name: str) -> None:
        """Remove the rows of a table that refer to rows that do not exist."""
        table = METADATA.tables[name]
        for constraint in table.foreign_key_constraints:
            same = [element.column == element.parent for element in constraint.elements]
            refers = [element.parent.is_not(None) for element in constraint.elements]
            there = exists().where(*same).select_from(constraint.referred_table)
            self._connection.execute(delete(table).where(*refers, ~there))
