"""The checkpoint in use as the library knows it: what it has embedded, beside others."""

import warnings
from collections.abc import Sequence

from sigseek.errors import Call, ErrorKind, Option, Remedy, RemedyWarning, escaped
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.model import ModelInUse
from sigseek.progress import Listener, Stop
from sigseek.storage import CatalogReader, CheckpointRecord, CheckpointState, LibraryError


class LibraryCheckpoint:
    """The row of the checkpoint in use in the library's catalog. Several threads may use it."""

    def __init__(self, directory: LibraryDirectory, model: ModelInUse) -> None:
        self._directory = directory
        self._model = model
        self._told_of_coverage = False
        self.coverage_note: Remedy | None = None
        """Says that another checkpoint has embedded more, as of the last `state_to_query`."""

    def record_to_index(self) -> CheckpointRecord:
        """Return the checkpoint's row, and add one when the checkpoint is new to the library.

        Raises LibraryError when the new embeddings would not mix with those that are there.
        """
        checkpoint = self._model.checkpoint
        record = self._model.record()
        if record is None:
            with self._directory.catalog().transaction() as transaction:
                record = transaction.add_checkpoint(
                    name=checkpoint.name,
                    fingerprint=checkpoint.fingerprint,
                    preprocessing=checkpoint.preprocessing.fingerprint,
                    dimension=checkpoint.dimension,
                    image_size=checkpoint.preprocessing.height,
                    logit_scale=checkpoint.scoring.logit_scale,
                    logit_bias=checkpoint.scoring.logit_bias,
                )
        held = self._directory.catalog().precision(record.id)
        wanted = self._model.precision
        if wanted != "auto" and held and (wanted == "int8") != (held == "int8"):
            raise LibraryError(
                f"the library {self._directory.directory} holds {held} embeddings, and int8 does "
                "not mix with other precisions",
                Remedy(
                    "leave out {} to keep the library's, or make another library",
                    (Option("precision"),),
                ),
            )
        return record

    def state_to_query(
        self,
        listener: Listener | None = None,
        stop: Stop | None = None,
        *,
        moment: CatalogReader | None = None,
    ) -> CheckpointState:
        """Return the checkpoint's state as it is now, or at the reader's moment, read in one
        statement.

        Raises LibraryError when the checkpoint has embedded nothing of the library. Warns once when
        another checkpoint has embedded more. The listener and the stop token are for a checkpoint
        that has to be downloaded first.
        """
        states = (moment or self._directory.catalog()).checkpoint_states()
        used = [state for state in states if state.record.embeddings]
        if not used:
            raise self._nothing_embedded()
        checkpoint = self._model.prepare(listener, stop)
        wanted = (checkpoint.fingerprint, checkpoint.preprocessing.fingerprint)
        for state in used:
            if (state.record.fingerprint, state.record.preprocessing) == wanted:
                self._warn_of_coverage(state.record, [other.record for other in used])
                return state
        names = " and ".join(state.record.name for state in used)
        raise LibraryError(
            f"the library {self._directory.directory} was made with {names}, not with "
            f"{checkpoint.name} as it is now",
            Remedy(
                "search with {}, or add the other with: {}",
                (
                    Option("model", used[0].record.name),
                    Call("index", options=(("model", checkpoint.name),)),
                ),
            ),
            ErrorKind.NOT_FOUND,
        )

    def _nothing_embedded(self) -> LibraryError:
        directory, photos = self._directory.directory, self._directory.catalog().photo_count()
        return LibraryError(
            f"the library {directory} has photos, but no embeddings"
            if photos
            else f"the library {directory} has no photos yet",
            Remedy("make them with: {}", (Call("index"),))
            if photos
            else Remedy("add some with: {}", (Call("index", ("FOLDER",)),)),
            ErrorKind.NOT_FOUND,
        )

    def _warn_of_coverage(self, record: CheckpointRecord, used: Sequence[CheckpointRecord]) -> None:
        most = max(other.embeddings for other in used)
        if record.embeddings >= most:
            self.coverage_note = None
            return
        name = self._model.checkpoint.name
        self.coverage_note = Remedy(
            f"{escaped(name)} has embedded {record.embeddings:,} photos so far, others here "
            f"{most:,}; to go on with it: {{}}",
            (Call("index", options=(("model", name),)),),
        )
        if not self._told_of_coverage:
            self._told_of_coverage = True
            warnings.warn(RemedyWarning(self.coverage_note), stacklevel=4)
